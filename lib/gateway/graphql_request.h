/* SPDX-License-Identifier: ISC */
/*
 * graphql_request.h - read the GraphQL requests of an HTTP request, and write
 * the request to the backend from them.
 *
 * Knows nothing of logins and sessions. Forwarded values are slices of the
 * client's bytes; members that we interpret are decoded.
 */
#ifndef POSTERN_GATEWAY_GRAPHQL_REQUEST_H
#define POSTERN_GATEWAY_GRAPHQL_REQUEST_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"
#include "gateway/graphql_request_fields.h"
#include "server/config.h"
#include "server/request.h"

#define GRAPHQL_REQUEST_BATCH_MAX 50 /* requests in one batch */

enum graphql_request_form {
    GRAPHQL_REQUEST_SINGLE,
    GRAPHQL_REQUEST_BATCH,
    GRAPHQL_REQUEST_MULTIPART, /* "operations": one request, or a batch */
    GRAPHQL_REQUEST_GET,
};

/* The GraphQL requests of one HTTP request. */
struct graphql_request_list {
    enum graphql_request_form form;
    bool is_batch; /* the JSON is an array, also in a multipart request */
    struct graphql_request *requests;
    size_t count; /* 1..GRAPHQL_REQUEST_BATCH_MAX */

    /* The forwarded URL parameters: graphql_parameters.forwarded. */
    struct pst_str parameters;

    struct upload *upload; /* GRAPHQL_REQUEST_MULTIPART only */
    const char *reason; /* set on errors: what is wrong, for the client and the
                           log; a literal or in the arena */
};

/*
 * Read the request's body, or for GET and HEAD its query string. An error in
 * one request of a batch is set in its struct graphql_request.
 *   out  set on PST_OK; on errors only out->reason is set
 * Returns PST_OK; PST_MALFORMED (400); PST_DUPLICATE (a member given twice at
 * any depth, or names that differ only in letter case); PST_TOO_LARGE (413);
 * PST_BAD_TYPE (415); PST_NO_MEMORY; PST_CLIENT_GONE.
 */
PST_MUST_USE enum pst_err
graphql_request_read(struct request *req, const struct config *config,
                     struct graphql_request_list *out);

/* How to forward one request. */
struct graphql_request_plan {
    const struct graphql_request *gql;
    struct pst_str document;         /* the text; absent: send the id */
    struct pst_str id;               /* POSTERN_DOCUMENTS_SEND=id only */
    const struct pst_str *variables; /* names of the variables to forward */
    size_t variable_count;
    bool is_omitted; /* in a batch: not sent, we answer it ourselves */
};

/*
 * Write the backend's JSON body: one object, or for a batch an array of the
 * requests that are not omitted. Members: query (or documentId),
 * operationName, variables (those named in the plan, byte for byte), extensions
 * (without persistedQuery). Empty variables and extensions are omitted. Escapes
 * can make 6 bytes of one byte of a document.
 *   buf    must have an arena
 *   plans  one for each request of the list
 */
void graphql_request_emit(struct pst_buf *buf,
                          const struct graphql_request_list *list,
                          const struct graphql_request_plan *plans);

/*
 * Write the query string of a GET, percent-encoded (at most 3 bytes for one),
 * with list->parameters at its end.
 */
void graphql_request_emit_query(struct pst_buf *buf,
                                const struct graphql_request_list *list,
                                const struct graphql_request_plan *plan);

/*
 * Begin a new multipart body, which is streamed. Its first part is written by
 * graphql_request_emit(). The map and the part headers are rewritten, the
 * contents of files are copied. Paths of the map are omitted if their variable
 * is not forwarded or their request is omitted; files without a path are
 * omitted.
 *   type  set on PST_OK: the Content-Type of the new body; its length is not
 *         known
 * Returns PST_OK, PST_NO_MEMORY, or PST_MALFORMED (the parts contain
 * our boundary); on errors list->reason is set.
 */
PST_MUST_USE enum pst_err graphql_request_multipart_begin(
    struct request *req, struct graphql_request_list *list,
    const struct graphql_request_plan *plans, struct pst_str *type);

/*
 * Read the next bytes of the new body.
 *   out, size  where to write, and how many bytes at most
 *   len        set on PST_OK; 0 at the end of the body
 * Returns as upload_read(); on errors list->reason is set.
 */
PST_MUST_USE enum pst_err
graphql_request_multipart_read(struct request *req,
                               struct graphql_request_list *list, char *out,
                               size_t size, size_t *len);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * graphql_request.h - a client's GraphQL request as it was read, and the
 * request to the backend written anew from it (design 2.8).
 *
 * Nothing here knows about logins or sessions. Values that pass on are slices
 * of the client's own bytes; what we interpret is decoded.
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
    GRAPHQL_REQUEST_MULTIPART, /* calls are its operations: one, or a batch */
    GRAPHQL_REQUEST_GET,
};

/* All that one HTTP request brought. */
struct graphql_request_list {
    enum graphql_request_form form;
    bool is_batch; /* also of a multipart request's operations */
    struct graphql_request *requests;
    size_t count; /* 1..GRAPHQL_REQUEST_BATCH_MAX */

    /* GET and POST: what POSTERN_FORWARD_PARAMETERS lets pass, written anew
     * as a query string without "?"; absent: nothing. */
    struct pst_str parameters;

    struct upload *upload; /* GRAPHQL_REQUEST_MULTIPART only */
    const char *reason; /* set when reading fails: what is wrong, for the client
                        and the log; a literal or in the arena */
};

/*
 * Read the request's body, or for GET and HEAD its query string. What is
 * wrong with one request of a batch is told in its struct graphql_request.
 *   out  set on PST_OK; out->reason is set on every failure too
 * Returns PST_OK; PST_MALFORMED (400), PST_DUPLICATE (a member given twice at
 * any depth, or names that differ in case only), PST_TOO_LARGE (413),
 * PST_BAD_TYPE (415), PST_NO_MEMORY, PST_CLIENT_GONE.
 */
PST_MUST_USE enum pst_err
graphql_request_read(struct request *req, const struct config *config,
                     struct graphql_request_list *out);

/* How a call is to be sent on. */
struct graphql_request_plan {
    const struct graphql_request *gql;
    struct pst_str document;         /* the text to send; absent: send id */
    struct pst_str id;               /* POSTERN_DOCUMENTS_SEND=id only */
    const struct pst_str *variables; /* the names to pass on: GraphQL names */
    size_t variable_count;
    bool is_omitted; /* of a batch: we answer this one ourselves */
};

/*
 * Write the backend's JSON body: one object, or for a batch an array of those
 * that are not left out. Members: query (or documentId), operationName,
 * variables (those named in the plan, byte for byte), extensions (without
 * persistedQuery); those of which nothing remains are left out. Takes at most
 * 6 bytes for one of a document, since some characters are escaped.
 *   buf    of an arena, or held
 *   plans  one for each call of the list
 */
void graphql_request_emit(struct pst_buf *buf,
                          const struct graphql_request_list *list,
                          const struct graphql_request_plan *plans);

/*
 * For a GET: the query string, percent-encoded, parameters of the list last.
 * At most 3 bytes for one.
 */
void graphql_request_emit_query(struct pst_buf *buf,
                                const struct graphql_request_list *list,
                                const struct graphql_request_plan *plan);

/*
 * For multipart: a new body, streamed. Its first part is what
 * graphql_request_emit() makes, map and part heads are written anew, files pass
 * as they come. What the map says of variables that do not pass on, and of
 * calls that are left out, is left out, and so is a file that nothing is left
 * of. type  set on PST_OK: the Content-Type of the new body, whose length is
 *         not known
 * Returns PST_OK, PST_NO_MEMORY, PST_MALFORMED (our delimiter is in it), with
 * list->reason.
 */
PST_MUST_USE enum pst_err graphql_request_multipart_begin(
    struct request *req, struct graphql_request_list *list,
    const struct graphql_request_plan *plans, struct pst_str *type);

/* Next piece of it; *len 0 is the end. Errors as request_read_body(), and
 * PST_MALFORMED and PST_DUPLICATE, with list->reason. */
PST_MUST_USE enum pst_err
graphql_request_multipart_read(struct request *req,
                               struct graphql_request_list *list, char *out,
                               size_t size, size_t *len);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * graphql_request_fields.h - parse the members of one GraphQL request, from a
 * JSON object or from a query string (GraphQL over HTTP; Apollo's automatic
 * persisted queries; Relay's and others' persisted documents).
 */
#ifndef POSTERN_GATEWAY_GRAPHQL_REQUEST_FIELDS_H
#define POSTERN_GATEWAY_GRAPHQL_REQUEST_FIELDS_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json_check.h"

/* The known members; all others are dropped. */
enum graphql_request_field {
    GRAPHQL_REQUEST_QUERY,
    GRAPHQL_REQUEST_OPERATION_NAME,
    GRAPHQL_REQUEST_VARIABLES,
    GRAPHQL_REQUEST_EXTENSIONS,
    GRAPHQL_REQUEST_ID,
    GRAPHQL_REQUEST_DOCUMENT_ID,
    GRAPHQL_REQUEST_DOC_ID,
    GRAPHQL_REQUEST_FIELD_COUNT,
};

/* One GraphQL request. A member that is not given, null or empty is absent. */
struct graphql_request {
    struct pst_str document; /* decoded; absent also if white space only */
    struct pst_str operation_name; /* decoded */
    struct pst_str variables;      /* JSON object as sent */
    struct pst_str extensions;     /* JSON object as sent, including
                                      persistedQuery */
    struct pst_str id;             /* id, documentId or doc_id, decoded */
    struct pst_str hash;           /* sha256Hash of persistedQuery: 64 hex
                                      digits in lower case */
    bool is_unsupported_persisted; /* persistedQuery has another version */

    /* In a batch, a malformed request does not affect the others: its error is
     * here, and everything above is absent. Always PST_OK outside a batch. */
    enum pst_err error;
    const char *reason; /* with error: a literal or in the arena */
};

/*
 * Find a member by its exact name.
 *   is_case_variant  set to whether the name differs from a member's name only
 *                    in letter case
 * Returns GRAPHQL_REQUEST_FIELD_COUNT if there is none.
 */
enum graphql_request_field graphql_request_field_find(struct pst_str name,
                                                      bool *is_case_variant);

/* The message about a name that differs from a member's only in letter case. */
const char *graphql_request_field_case_error(struct pst_str name);

/*
 * Parse a JSON object that pst_json_check() has accepted.
 *   max_decoded  largest decoded string to keep in the arena, in bytes; longer
 *                ones are kept outside it
 *   out          set on PST_OK
 *   reason       set on errors: what is wrong; a literal or in the arena
 * Returns PST_OK; PST_MALFORMED (a member of the wrong type, a document given
 * in two ways, a malformed persistedQuery); PST_DUPLICATE (names that differ
 * only in letter case); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
graphql_request_parse_object(struct pst_arena *arena, struct pst_str object,
                             size_t max_decoded, struct graphql_request *out,
                             const char **reason);

/*
 * Parse the decoded values of a query string; variables and extensions are JSON
 * texts. A value of white space only is not given. Also returns PST_TOO_LARGE
 * (JSON that is nested too deeply).
 */
PST_MUST_USE enum pst_err graphql_request_parse_values(
    struct pst_arena *arena,
    const struct pst_str values[static GRAPHQL_REQUEST_FIELD_COUNT],
    struct graphql_request *out, const char **reason);

/* The message for a JSON error, with its byte offset; in the arena if there is
 * room, else without the offset. */
const char *graphql_request_json_error(struct pst_arena *arena,
                                       const struct pst_json_error *error);

#endif

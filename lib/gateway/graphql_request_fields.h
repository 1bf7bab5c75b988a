/* SPDX-License-Identifier: ISC */
/*
 * graphql_request_fields.h - one GraphQL request as its members were read, from
 * a JSON object or from a query string (GraphQL over HTTP; Apollo's automatic
 * persisted queries; Relay's and others' persisted documents).
 */
#ifndef POSTERN_GATEWAY_GRAPHQL_REQUEST_FIELDS_H
#define POSTERN_GATEWAY_GRAPHQL_REQUEST_FIELDS_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json_check.h"

/* The members that mean something; all others are dropped. */
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

/* One GraphQL request. Absent texts: not given (or null, or blank). */
struct graphql_request {
    struct pst_str document;       /* decoded; a blank one is absent */
    struct pst_str operation_name; /* decoded; "" and null are absent */
    struct pst_str variables;      /* JSON object as sent, or absent */
    struct pst_str extensions;     /* JSON object as sent, or absent; still
                                       with persistedQuery */
    struct pst_str id;             /* id, documentId or doc_id, decoded */
    struct pst_str hash;           /* extensions.persistedQuery: 64 hex
                                       digits in lower case, or absent */
    bool is_unsupported_persisted; /* persistedQuery of another version */

    /* In a batch a request that cannot be understood spoils no other: then
     * everything above is absent. Elsewhere PST_OK: reading fails as a whole.
     */
    enum pst_err error;
    const char *reason; /* with error: a literal or in the arena */
};

/*
 * Which member has this name, byte for byte: GRAPHQL_REQUEST_FIELD_COUNT for
 * none. is_case_variant  set to whether it is one but for the case of letters
 */
enum graphql_request_field graphql_request_field_find(struct pst_str name,
                                                      bool *is_case_variant);

/* What is wrong with a name that is one but for the case of its letters. */
const char *graphql_request_field_case_error(struct pst_str name);

/*
 * Read a JSON object that was checked.
 *   max_decoded  bytes of one string that may be decoded into the arena
 *   out   set on PST_OK
 *   reason   set on any other: what is wrong; a literal or in the arena
 * Returns PST_OK; PST_MALFORMED (a member of the wrong kind, a document named
 * in two ways, a persistedQuery that cannot be read); PST_DUPLICATE (names that
 * differ in case only); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
graphql_request_parse_object(struct pst_arena *arena, struct pst_str object,
                             size_t max_decoded, struct graphql_request *out,
                             const char **reason);

/*
 * The same from a query string's values, decoded, variables and extensions
 * as JSON text; an absent or blank one is not given. Also PST_TOO_LARGE.
 */
PST_MUST_USE enum pst_err graphql_request_parse_values(
    struct pst_arena *arena,
    const struct pst_str values[static GRAPHQL_REQUEST_FIELD_COUNT],
    struct graphql_request *out, const char **reason);

/* A fault as a sentence that names the place; in the arena if there is room. */
const char *graphql_request_json_error(struct pst_arena *arena,
                                       const struct pst_json_error *error);

#endif

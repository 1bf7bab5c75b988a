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
enum call_field {
    CALL_QUERY,
    CALL_OPERATION_NAME,
    CALL_VARIABLES,
    CALL_EXTENSIONS,
    CALL_ID,
    CALL_DOCUMENT_ID,
    CALL_DOC_ID,
    CALL_FIELD_COUNT,
};

/* One GraphQL request. Absent texts: not given (or null, or blank). */
struct call {
    struct pst_text document;       /* decoded; a blank one is absent */
    struct pst_text operation_name; /* decoded; "" and null are absent */
    struct pst_text variables;      /* JSON object as sent, or absent */
    struct pst_text extensions;     /* JSON object as sent, or absent; still
                                       with persistedQuery */
    struct pst_text id;             /* id, documentId or doc_id, decoded */
    struct pst_text hash;           /* extensions.persistedQuery: 64 hex
                                       digits in lower case, or absent */
    bool is_unknown_persisted;      /* persistedQuery of another version */

    /* In a batch a request that cannot be understood spoils no other: then
     * everything above is absent. Elsewhere PST_OK: reading fails as a whole.
     */
    enum pst_err error;
    const char *why; /* with error: a literal or in the arena */
};

/*
 * Which member has this name, byte for byte: CALL_FIELD_COUNT for none.
 *   is_alike  set to whether it is one but for the case of letters
 */
enum call_field call_field_find(struct pst_text name, bool *is_alike);

/* What is wrong with a name that is one but for the case of its letters. */
const char *call_field_why_alike(struct pst_text name);

/*
 * Read a JSON object that was checked.
 *   most  bytes of one string that may be decoded into the arena
 *   out   set on PST_OK
 *   why   set on any other: what is wrong; a literal or in the arena
 * Returns PST_OK; PST_MALFORMED (a member of the wrong kind, a document named
 * in two ways, a persistedQuery that cannot be read); PST_DUPLICATE (names that
 * differ in case only); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err call_read_object(struct pst_arena *arena,
                                           struct pst_text object, size_t most,
                                           struct call *out, const char **why);

/*
 * The same from a query string's values, decoded, variables and extensions
 * as JSON text; an absent or blank one is not given. Also PST_TOO_LARGE.
 */
PST_MUST_USE enum pst_err
call_read_values(struct pst_arena *arena,
                 const struct pst_text values[static CALL_FIELD_COUNT],
                 struct call *out, const char **why);

/* A fault as a sentence that names the place; in the arena if there is room. */
const char *call_json_why(struct pst_arena *arena,
                          const struct pst_json_fault *fault);

#endif

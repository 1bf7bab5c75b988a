/* SPDX-License-Identifier: ISC */
/*
 * backend_login.h - read from the backend's response whether a login or the
 * refresh of a token succeeded, and for whom.
 */
#ifndef POSTERN_UPSTREAM_BACKEND_LOGIN_H
#define POSTERN_UPSTREAM_BACKEND_LOGIN_H

#include "server/login_document.h"
#include "upstream/backend_identity.h"

/* How a login with one of our documents went. */
enum backend_result {
    BACKEND_GRANTED,
    BACKEND_REFUSED,         /* wrong name or password */
    BACKEND_INVALID,         /* unusable: HTML, a redirect, a field missing */
    BACKEND_SCHEMA_MISMATCH, /* validation refused the document: it does not
                                fit the schema, and no password was checked */
};

struct backend_outcome {
    enum backend_result result;
    const struct pst_json *root; /* the response; NULL: not a JSON object */
    struct pst_str secret;       /* the token, where it comes in JSON */
    struct pst_str refresh;      /* BACKEND_GRANTED: the refresh token; absent:
                                    none */
    struct pst_str code;         /* of the first error, for the log */
    struct backend_identity identity; /* BACKEND_GRANTED; with a who document,
                                         or where the document does not select
                                         the subject, only its end; else
                                         UNKNOWN */
    char reason[200]; /* INVALID, SCHEMA_MISMATCH: what was expected and what
                         came, for the log; else "" */
};

/*
 * Read the response to one of our login documents, or to the refresh document.
 *   login  &config->backend.refresh: the latter
 *   out    set on PST_OK; its slices live as long as arena
 * Returns PST_OK (look at out->result) or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
backend_parse_login(struct pst_arena *arena, const struct config *config,
                    const struct login_document *login, int64_t now,
                    const struct backend_response *response,
                    struct backend_outcome *out);

/*
 * Was a client's own login document refused by validation? Then no password
 * was checked. Nothing else is read from the response.
 *   is_mismatch  set on PST_OK
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
backend_parse_schema_mismatch(struct pst_arena *arena,
                              const struct backend_response *response,
                              bool *is_mismatch);

#endif

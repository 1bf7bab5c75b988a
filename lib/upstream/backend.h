/* SPDX-License-Identifier: ISC */
/*
 * backend.h - our own requests to the backend, and what its answers to them
 * say: was a login granted, and who is it (design 2.5 and 2.6).
 *
 * Nothing here ever reads an answer to a client's document.
 */
#ifndef POSTERN_UPSTREAM_BACKEND_H
#define POSTERN_UPSTREAM_BACKEND_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json.h"
#include "server/config.h"
#include "server/login_document.h"

struct login_credentials {
    struct pst_str username; /* or e-mail */
    struct pst_str password; /* unchanged */
    bool remember;
};

/* Who somebody is, by the backend's own word. */
struct backend_identity {
    enum pst_identity known;
    struct pst_str sub;  /* KNOWN: not empty; else "" */
    struct pst_str name; /* for people; sub where the backend gives none */
    struct pst_str who;  /* JSON object: the public part */
    int64_t end;         /* unix seconds: of the token; 0: not told */
};

/* How a login with one of our documents went, by its body. */
enum backend_result {
    BACKEND_GRANTED,
    BACKEND_REFUSED, /* the backend said no */
    BACKEND_INVALID, /* no answer to it: HTML, a redirect, a missing part */
    BACKEND_SCHEMA_MISMATCH, /* GraphQL validation errors: the document does not
                      fit the backend's schema, and no password was checked */
};

struct backend_response {
    int status;
    struct pst_str body; /* as it came; absent: it is encoded, so unreadable */
};

struct backend_outcome {
    enum backend_result result;
    const struct pst_json *root; /* the whole answer; NULL: no JSON object */
    struct pst_str secret;       /* token in JSON: the backend's; or absent */
    struct pst_str code;         /* the first error's code, for the log */
    struct backend_identity identity; /* GRANTED; with a who document only its
                                         end, else UNKNOWN */
    char reason[200]; /* INVALID, UNFIT: what was expected and what came */
};

/* Write the variables of the first login document: {"email":…}. */
void backend_emit_login_variables(struct pst_buf *buf,
                                  const struct login_document *login,
                                  const struct login_credentials *credentials);

/* Write {"query":document,"variables":variables}; no variables where absent. */
void backend_emit_request(struct pst_buf *buf, struct pst_str document,
                          struct pst_str variables);

/*
 * Read the answer to one of our login documents.
 *   out  set on PST_OK; its slices live as long as arena
 * Returns PST_OK (look at the verdict) or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
backend_parse_login(struct pst_arena *arena, const struct config *config,
                    const struct login_document *login, int64_t now,
                    const struct backend_response *response,
                    struct backend_outcome *out);

/*
 * Was a client's login refused because its document does not fit the schema?
 * Then no password was checked. Nothing else is read from such an answer.
 *   is_mismatch  set on PST_OK
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
backend_parse_schema_mismatch(struct pst_arena *arena,
                              const struct backend_response *response,
                              bool *is_mismatch);

/*
 * Read the answer to the who document. NOBODY is a positive answer: null, or
 * an error of code FORBIDDEN or UNAUTHENTICATED. Anything else that does not
 * name somebody is UNKNOWN.
 *   out  set on PST_OK
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
backend_parse_who(struct pst_arena *arena, const struct config *config,
                  int64_t now, const struct backend_response *response,
                  struct backend_identity *out);

/*
 * Write the public part of a login, {…fields…,"expiresAt":"…"}: the answer to
 * a login that was no GraphQL.
 */
void backend_emit_public_fields(struct pst_buf *buf, struct pst_str who,
                                int64_t expires);

#endif

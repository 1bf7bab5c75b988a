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

struct backend_credentials {
    struct pst_text username; /* or e-mail */
    struct pst_text password; /* unchanged */
    bool remember;
};

/* Who somebody is, by the backend's own word. */
struct backend_identity {
    enum pst_identity known;
    struct pst_text sub;  /* KNOWN: not empty; else "" */
    struct pst_text name; /* for people; sub where the backend gives none */
    struct pst_text who;  /* JSON object: the public part */
    int64_t end;          /* unix seconds: of the token; 0: not told */
};

/* How a login with one of our documents went, by its body. */
enum backend_verdict {
    BACKEND_GRANTED,
    BACKEND_REFUSED, /* the backend said no */
    BACKEND_INVALID, /* no answer to it: HTML, a redirect, a missing part */
    BACKEND_UNFIT,   /* GraphQL validation errors: the document does not fit
                        the backend's schema, and no password was checked */
};

struct backend_answer {
    int status;
    struct pst_text body; /* as it came; absent: it is encoded, so unreadable */
};

struct backend_outcome {
    enum backend_verdict verdict;
    const struct pst_json *root; /* the whole answer; NULL: no JSON object */
    struct pst_text secret;      /* token in JSON: the backend's; or absent */
    struct pst_text code;        /* the first error's code, for the log */
    struct backend_identity identity; /* GRANTED; with a who document only its
                                         end, else UNKNOWN */
    char why[200]; /* INVALID, UNFIT: what was expected and what came */
};

/* Write the variables of the first login document: {"email":…}. */
void backend_emit_credentials(struct pst_buf *buf,
                              const struct login_document *login,
                              const struct backend_credentials *credentials);

/* Write {"query":document,"variables":variables}; no variables where absent. */
void backend_emit_request(struct pst_buf *buf, struct pst_text document,
                          struct pst_text variables);

/*
 * Read the answer to one of our login documents.
 *   out  set on PST_OK; its slices live as long as arena
 * Returns PST_OK (look at the verdict) or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
backend_read_login(struct pst_arena *arena, const struct config *config,
                   const struct login_document *login, int64_t now,
                   const struct backend_answer *answer,
                   struct backend_outcome *out);

/*
 * Was a client's login refused because its document does not fit the schema?
 * Then no password was checked. Nothing else is read from such an answer.
 *   unfit  set on PST_OK
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err backend_read_fit(struct pst_arena *arena,
                                           const struct backend_answer *answer,
                                           bool *unfit);

/*
 * Read the answer to the who document. NOBODY is a positive answer: null, or
 * an error of code FORBIDDEN or UNAUTHENTICATED. Anything else that does not
 * name somebody is UNKNOWN.
 *   out  set on PST_OK
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err backend_read_who(struct pst_arena *arena,
                                           const struct config *config,
                                           int64_t now,
                                           const struct backend_answer *answer,
                                           struct backend_identity *out);

/*
 * Write the public part of a login, {…fields…,"expiresAt":"…"}: the answer to
 * a login that was no GraphQL.
 */
void backend_emit_public(struct pst_buf *buf, struct pst_text who,
                         int64_t expires);

#endif

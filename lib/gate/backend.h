/* SPDX-License-Identifier: ISC */
/*
 * backend.h - what we know of a backend: how to log in and out there, and
 * how to read its answer (design 2.5 and 2.6).
 */
#ifndef GATE_BACKEND_H
#define GATE_BACKEND_H

#include "arena.h"
#include "buf.h"
#include "config.h"
#include "err.h"
#include "jar.h"
#include "text.h"
#include "visit_issue.h"

struct backend_credentials {
    struct pst_text username; /* or e-mail */
    struct pst_text password; /* unchanged */
    bool remember;
};

/* How a login went. */
enum backend_verdict {
    BACKEND_GRANTED, /* grant and token are set */
    BACKEND_REFUSED, /* the backend said no, or gave no token */
    BACKEND_BROKEN,  /* not an answer to a login at all */
};

struct backend_answer {
    int status;
    struct pst_text body;        /* JSON, not encoded */
    const struct jar_news *news; /* what its headers say of the token */
    struct pst_text upstream;    /* what the session held before, or absent */

    /* The name that was typed, where the document is our own: then what it
     * says is what we asked for. Absent where the document is the client's,
     * who decides what stands under which name in the answer. */
    struct pst_text typed;
};

struct backend_outcome {
    enum backend_verdict verdict;
    struct pst_text token;    /* the backend's secret, also of a refused login
                                 that has one all the same: for redaction */
    bool is_nameless;         /* the answer does not say who it is */
    bool has_failed;          /* errors, or an error result somewhere in it */
    bool is_login;            /* the login's result, or its error, is in it */
    struct pst_text code;     /* the first error's code, for the log */
    struct visit_grant grant; /* remember is the caller's to set */
};

/*
 * Write {"query": the login document, "variables": {…}}. Of $email,
 * $username, $password and $rememberMe, only those that the document
 * declares are given.
 */
void backend_emit_login(struct pst_buf *buf, const struct config *config,
                        const struct backend_credentials *credentials);

/* Write {"query": the logout document}. */
void backend_emit_logout(struct pst_buf *buf, const struct config *config);

/*
 * Read the answer to a login.
 *   out    set on PST_OK; its slices live as long as arena
 * Returns PST_OK (look at the verdict) or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
backend_read_login(struct pst_arena *arena, const struct config *config,
                   int64_t now, const struct backend_answer *answer,
                   struct backend_outcome *out);

/* The field that logs in: "login", or the first of the token's pointer. */
struct pst_text backend_login_field(const struct config *config);

/* "secret" of the JSON pointer "/data/login/secret". */
struct pst_text backend_last_segment(struct pst_text pointer);

/* Can the backend be asked who somebody is? */
bool backend_knows_identity(const struct config *config);

/* Write the question: {"query":"{me{id identifier}}"}. */
void backend_emit_identity(struct pst_buf *buf);

/*
 * Read the answer into the grant's sub and name.
 * Returns PST_OK, PST_MALFORMED (it does not tell), PST_TOO_LARGE (an id or a
 * name over its limit), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err backend_read_identity(struct pst_arena *arena,
                                                struct pst_text body,
                                                struct visit_grant *grant);

/*
 * Write the public part of a login, {…fields…,"expiresAt":"…"}: the answer to
 * a login that was no GraphQL.
 */
void backend_emit_public(struct pst_buf *buf, struct pst_text who,
                         int64_t expires);

#endif

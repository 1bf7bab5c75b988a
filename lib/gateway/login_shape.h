/* SPDX-License-Identifier: ISC */
/*
 * login_shape.h - turn the backend's answer to the configured login document
 * into an answer to the client's document.
 *
 * The client's document is not sent to the backend, so a client can only select
 * what the configured document selects.
 */
#ifndef POSTERN_GATEWAY_LOGIN_SHAPE_H
#define POSTERN_GATEWAY_LOGIN_SHAPE_H

#include "base/arena.h"
#include "base/error.h"
#include "codec/json.h"
#include "gateway/login_match.h"
#include "server/config.h"

struct login_shape {
    struct pst_arena *arena;
    const struct config *config;
    const struct login_document *ours;    /* the configured document */
    const struct login_operation *theirs; /* the client's */
    struct login_reason *reason;
};

/*
 * Check whether an answer can have the client's shape, before the configured
 * document is sent.
 * Returns PST_OK; PST_LOGIN_SHAPE (shape->reason names what is wrong: a field
 * that the configured document does not select, a directive, an argument, a key
 * for two fields); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err login_shape_check(const struct login_shape *shape);

/* The backend's answer to the configured document. */
struct login_answer {
    const struct pst_json *root; /* the whole answer */
    struct pst_str secret;       /* removed everywhere; or absent */
    struct pst_str refresh;      /* likewise */
    struct pst_str token;        /* our token, to replace it; absent: null */
};

/*
 * Format the client's answer: {"errors":[…],"data":{…}}. Numbers keep their
 * spelling; error paths are translated; locations and top-level extensions are
 * omitted. Secret fields are null, except that the token's field is
 * answer->token.
 *   out  set on PST_OK; valid until the arena's reset
 * Returns as login_shape_check(). PST_LOGIN_SHAPE also if a type condition
 * cannot be decided: the type is neither the value's nor in the configured
 * document.
 */
PST_MUST_USE enum pst_err login_shape_emit(const struct login_shape *shape,
                                           const struct login_answer *answer,
                                           struct pst_str *out);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * login_shape.h - the answer to our own login document, given the shape that
 * a client's selection asks for (design 2.5, "Token in JSON").
 *
 * The client's document never reaches the backend. Of what it asks for, only
 * what ours selected too can be answered.
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
    const struct login_document *ours;
    const struct login_request *theirs;
    struct login_reason *reason;
};

/*
 * Can an answer to our document be given the client's shape at all? To be
 * asked before our document is sent.
 * Returns PST_OK; PST_LOGIN_SHAPE (why names the field that ours does not
 * select, the directive, the argument, or the key that stands for two
 * fields); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err login_shape_check(const struct login_shape *shape);

/* A backend's answer to our document. */
struct login_answer {
    const struct pst_json *root; /* the whole answer */
    struct pst_str secret;       /* taken out wherever it stands; or absent */
    struct pst_str token;        /* ours, in its place; absent: null */
};

/*
 * Write the client's answer: {"errors":[…],"data":{…}}. Numbers stay as they
 * are spelled; error paths are rewritten; locations and top-level extensions
 * are left out. Secret fields are null, but for the token's own, which is
 * answer->token where that is present.
 * Returns as login_shape_check(); PST_LOGIN_SHAPE also for a condition on a
 * type that is neither the value's own nor in our document.
 */
PST_MUST_USE enum pst_err login_shape_emit(const struct login_shape *shape,
                                           const struct login_answer *answer,
                                           struct pst_str *out);

#endif

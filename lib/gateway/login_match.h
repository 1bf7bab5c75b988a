/* SPDX-License-Identifier: ISC */
/*
 * login_match.h - find the configured login document that a client's login
 * matches, and the values of that document's variables.
 *
 * Values are compared with the client's variables and defaults resolved, so no
 * way of writing the login can hide the account's name from the throttle.
 */
#ifndef POSTERN_GATEWAY_LOGIN_MATCH_H
#define POSTERN_GATEWAY_LOGIN_MATCH_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "gateway/login_operation.h"
#include "server/config.h"
#include "server/login_document.h"

/* The result. */
struct login_match {
    const struct login_document *login; /* NULL: a social login, without name
                                           and password, which only the backend
                                           understands */
    struct pst_str variables;           /* JSON object for this document */
    struct pst_str name;                /* decoded; absent: none */
    bool remember;
};

/*
 * Match a login with the configured documents.
 *   request  with its field
 *   out      set on PST_OK; valid until the arena's reset
 *   reason   set on PST_LOGIN_SHAPE
 * Returns PST_OK; PST_LOGIN_SHAPE (no document matches: other arguments, a name
 * that is not a string, …); PST_MALFORMED (variables that are not JSON);
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err login_match(struct pst_arena *arena,
                                      const struct config *config,
                                      const struct login_operation *request,
                                      struct login_match *out,
                                      struct login_reason *reason);

#endif

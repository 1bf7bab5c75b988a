/* SPDX-License-Identifier: ISC */
/*
 * login_match.h - which of our login documents a client's login is, and what
 * values it binds to our variables (design 2.5, "Login fields").
 *
 * Matching works on values, after the client's variables and their defaults:
 * so no spelling hides whom a login is aimed at.
 */
#ifndef POSTERN_GATEWAY_LOGIN_MATCH_H
#define POSTERN_GATEWAY_LOGIN_MATCH_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/parser.h"
#include "server/config.h"
#include "server/login_document.h"

/* Why a login cannot be carried out: for the client and the log. */
struct login_reason {
    char text[320];
};

/* Write the sentence. Returns PST_LOGIN_SHAPE, always. */
enum pst_err login_refuse(struct login_reason *reason, const char *format, ...)
    PST_PRINTF(2, 3);

/* A client's operation that has a login field at its root. */
struct login_request {
    const struct pst_graphql_operation *operation;
    const struct pst_graphql_selection
        *field;               /* set by login_request_find_field() */
    struct pst_str variables; /* JSON object, or absent */
};

/* What it was found to be. */
struct login_match {
    const struct login_document *login; /* NULL: a login without name and
                                           password, which only the backend
                                           understands ("social") */
    struct pst_str variables;           /* JSON object for our document */
    struct pst_str name;                /* decoded; absent: it binds none */
    bool remember;
};

/*
 * Check the shape that every login has: one root field through fragments
 * (beside __typename), without directives.
 *   request  operation is set; field is set on PST_OK
 * Returns PST_OK or PST_LOGIN_SHAPE (why is set).
 */
PST_MUST_USE enum pst_err
login_request_find_field(struct login_request *request,
                         struct login_reason *reason);

/*
 * Match the request with the configured documents.
 *   out  set on PST_OK; lives as long as arena
 * Returns PST_OK; PST_LOGIN_SHAPE (why is set: other arguments than ours, a
 * name that is no string, …); PST_MALFORMED (variables that are no JSON);
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err login_match(struct pst_arena *arena,
                                      const struct config *config,
                                      const struct login_request *request,
                                      struct login_match *out,
                                      struct login_reason *reason);

#endif

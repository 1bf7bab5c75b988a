/* SPDX-License-Identifier: ISC */
/*
 * login_document.h - parse and check the configured GraphQL documents: those
 * that log in, the one that refreshes a token, and the one that asks who the
 * user is.
 *
 * The login fields that clients' documents are searched for are the root fields
 * of these documents. Identity is read only from answers to these documents,
 * because a client's document can give any field any alias.
 */
#ifndef POSTERN_SERVER_LOGIN_DOCUMENT_H
#define POSTERN_SERVER_LOGIN_DOCUMENT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/parser.h"
#include "server/config_reader.h"

/* The variable of a refresh document. */
#define REFRESH_VARIABLE "refreshToken"

/* A configured mutation that logs in, or refreshes a token. */
struct login_document {
    struct pst_str text; /* as sent: with __typename in each selection set */
    const struct pst_graphql_operation *operation; /* of text */
    const struct pst_graphql_selection *field;     /* its only root field */

    /* Of a login. */
    struct pst_str name_variable; /* "email" or "username"; or absent */
    bool has_password;            /* has $password */
    bool has_remember;            /* has $rememberMe */
};

/* The query that asks who the user is: one root field, no required variables.
 */
struct who_document {
    struct pst_str text; /* as sent; absent: none is configured */
    const struct pst_graphql_selection *field;
};

/*
 * Parse a login document.
 *   arena     everything that out points to is in it
 *   is_first  it must have a name and a password, and no other required
 *             variables: it is used for logins with credentials
 *   out       set on PST_OK
 *   reason    set on PST_BAD_CONFIG; it follows the variable's name in a
 *             message
 * Returns PST_OK; PST_BAD_CONFIG (a syntax error, or not one mutation
 * of one root field, or variables outside that field's arguments);
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err login_document_parse(struct pst_arena *arena,
                                               struct pst_str text,
                                               bool is_first,
                                               struct login_document *out,
                                               struct config_error *reason);

/* Parse a refresh document. Its only variable is $refreshToken. Errors as
 * login_document_parse(). */
PST_MUST_USE enum pst_err refresh_document_parse(struct pst_arena *arena,
                                                 struct pst_str text,
                                                 struct login_document *out,
                                                 struct config_error *reason);

/* Parse the document that asks who the user is. Errors as
 * login_document_parse(). */
PST_MUST_USE enum pst_err who_document_parse(struct pst_arena *arena,
                                             struct pst_str text,
                                             struct who_document *out,
                                             struct config_error *reason);

/* Check a logout document: one mutation. Errors as login_document_parse(). */
PST_MUST_USE enum pst_err logout_document_check(struct pst_arena *arena,
                                                struct pst_str text,
                                                struct config_error *reason);

/*
 * Find the field that a pointer leads to, below a root field.
 *   pointer  JSON Pointer (RFC 6901) relative to the field's value, such as
 *            "/session/secret"
 * Returns NULL if the document does not select it.
 */
const struct pst_graphql_selection *
document_find_field(const struct pst_graphql_selection *field,
                    struct pst_str pointer);

#endif

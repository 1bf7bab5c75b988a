/* SPDX-License-Identifier: ISC */
/*
 * login_document.h - the documents that we send ourselves to log in and to
 * ask who somebody is, read once at start (design 2.5 and 2.6).
 *
 * A login field is a pair of operation kind and root field, taken from here.
 * Identity is only ever read from answers to these documents.
 */
#ifndef POSTERN_SERVER_LOGIN_DOCUMENT_H
#define POSTERN_SERVER_LOGIN_DOCUMENT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/parser.h"
#include "server/config_reader.h"

/* One configured mutation that begins a session. */
struct login_document {
    struct pst_str text; /* as it is sent: with __typename everywhere */
    const struct pst_graphql_operation *operation; /* of text */
    const struct pst_graphql_selection *field;     /* its one root field */

    /* Its variables, by what they are for; absent: it has none of that. */
    struct pst_str name_variable; /* "email" or "username" */
    bool has_password;            /* $password */
    bool has_remember;            /* $rememberMe */
};

/* A query of one root field, without required variables. */
struct who_document {
    struct pst_str text; /* as it is sent; absent: there is none */
    const struct pst_graphql_selection *field;
};

/*
 * Read a login document.
 *   arena     everything that out points to lives in it
 *   is_first  it must bind a name and a password, and require nothing else
 * Returns PST_OK; PST_BAD_CONFIG (why is set: it does not parse, or is not one
 * mutation of one root field whose variables stand only in that field's
 * arguments); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err login_document_parse(struct pst_arena *arena,
                                               struct pst_str text,
                                               bool is_first,
                                               struct login_document *out,
                                               struct config_error *reason);

/* Read a document that asks who it is. Errors as login_document_parse(). */
PST_MUST_USE enum pst_err who_document_parse(struct pst_arena *arena,
                                             struct pst_str text,
                                             struct who_document *out,
                                             struct config_error *reason);

/* Can this document be parsed at all? Errors as login_document_parse(). */
PST_MUST_USE enum pst_err document_check_syntax(struct pst_arena *arena,
                                                struct pst_str text,
                                                struct config_error *reason);

/*
 * The field that a pointer leads to, below a root field.
 *   pointer  RFC 6901, relative to the field's value: "/session/secret"
 * Returns NULL where the document does not select it.
 */
const struct pst_graphql_selection *
document_find_field(const struct pst_graphql_selection *field,
                    struct pst_str pointer);

#endif

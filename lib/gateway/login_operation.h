/* SPDX-License-Identifier: ISC */
/*
 * login_operation.h - a client's GraphQL operation that logs in: find its one
 * login field, and say why a login is refused.
 */
#ifndef POSTERN_GATEWAY_LOGIN_OPERATION_H
#define POSTERN_GATEWAY_LOGIN_OPERATION_H

#include "base/error.h"
#include "base/str.h"
#include "graphql/tree.h"

/* Why a login is refused: for the client and the log. */
struct login_reason {
    char text[320];
};

/* Set the reason. Returns PST_LOGIN_SHAPE. */
enum pst_err login_refuse(struct login_reason *reason, const char *format, ...)
    PST_PRINTF(2, 3);

/* A client's operation that has a login field at its root. */
struct login_operation {
    const struct pst_graphql_operation *operation;
    const struct pst_graphql_selection
        *field;               /* set by login_operation_find_field() */
    struct pst_str variables; /* JSON object, or absent */
};

/*
 * Find the login field. The operation must have one root field (fragments
 * resolved) besides __typename, and no directives.
 *   request  operation is set; field is set on PST_OK
 *   reason   set on PST_LOGIN_SHAPE
 * Returns PST_OK or PST_LOGIN_SHAPE.
 */
PST_MUST_USE enum pst_err
login_operation_find_field(struct login_operation *request,
                           struct login_reason *reason);

#endif

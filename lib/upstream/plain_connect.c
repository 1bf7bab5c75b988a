/* SPDX-License-Identifier: ISC */
/*
 * plain_connect.c - open a connection to the backend.
 */
#include "upstream/plain_connect.h"

#include "engine/connect.h"
#include "engine/resolver.h"

/* Look the name up, and connect to one of its addresses. */
static enum pst_err
connect_to_name(struct plain_exchange *x, int *out)
{
    struct socket_addresses addresses;
    const char *cause;
    enum pst_err e = resolver_find(x->target->host, x->target->port,
                                   x->limit.deadline, &addresses, &cause);
    int error;

    if (e)
        return http_error_set(x->error, e, "cannot resolve %.100s: %s",
                              x->target->host, cause);
    error = connect_to_any(&addresses, &x->limit, out);
    return error ? plain_fail_errno(x, error) : PST_OK;
}

enum pst_err
plain_connect(struct plain_exchange *x)
{
    enum pst_err e = PST_OK;
    int socket = -1;
    int error;

    plain_begin_phase(x, PLAIN_CONNECTING);
    if (x->target->has_fixed_address) {
        error = connect_to_address(&x->target->address, &x->limit, &socket);
        e = error ? plain_fail_errno(x, error) : PST_OK;
    } else {
        e = connect_to_name(x, &socket);
    }
    if (e)
        return e;
    x->connection = connection_new(socket, x->now);
    return x->connection
               ? PST_OK
               : http_error_set(x->error, PST_NO_MEMORY, "out of memory");
}

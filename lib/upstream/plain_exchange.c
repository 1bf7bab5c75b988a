/* SPDX-License-Identifier: ISC */
/*
 * plain_exchange.c - the deadlines of an exchange without TLS, and why it
 * failed.
 */
#include "upstream/plain_exchange.h"

#include <errno.h>
#include <string.h>

static int64_t
get_phase_timeout(const struct plain_exchange *x)
{
    switch (x->phase) {
    case PLAIN_CONNECTING:
        return x->target->connect_timeout;
    case PLAIN_RESPONDING:
        return x->target->between_bytes_timeout;
    default:
        return x->target->first_byte_timeout;
    }
}

static const char *
get_phase_text(enum plain_phase phase)
{
    switch (phase) {
    case PLAIN_CONNECTING:
        return "no connection within the connect timeout";
    case PLAIN_SENDING:
        return "the backend did not read the request within the first-byte "
               "timeout";
    case PLAIN_WAITING:
        return "no response within the first-byte timeout";
    default:
        return "the response stalled for the between-bytes timeout";
    }
}

void
plain_begin_phase(struct plain_exchange *x, enum plain_phase phase)
{
    x->phase = phase;
    x->now = wait_now();
    x->limit.deadline = x->now + get_phase_timeout(x);
    if (x->total_deadline < x->limit.deadline)
        x->limit.deadline = x->total_deadline;
}

int64_t
plain_callback_begin(const struct plain_exchange *x)
{
    return x->total_deadline == WAIT_NO_DEADLINE ? 0 : wait_now();
}

void
plain_callback_end(struct plain_exchange *x, int64_t begun)
{
    if (x->total_deadline != WAIT_NO_DEADLINE)
        x->total_deadline += wait_now() - begun;
}

enum pst_err
plain_take_buffer(struct plain_exchange *x)
{
    if (!x->buffer)
        x->buffer = connection_pool_take_buffer(x->pool);
    return x->buffer ? PST_OK : plain_fail_callback(x, PST_NO_MEMORY);
}

void
plain_give_buffer(struct plain_exchange *x)
{
    if (!x->buffer)
        return;
    connection_pool_give_buffer(x->pool, x->buffer, x->used);
    x->buffer = NULL;
    x->begin = x->end = x->used = 0;
}

static enum pst_err
fail_lost_connection(struct plain_exchange *x, int error)
{
    x->is_closed = error == EPIPE || error == ECONNRESET;
    return http_error_set(x->error, PST_UPSTREAM_BROKEN,
                          "the connection to the backend is lost: %s",
                          strerror(error));
}

enum pst_err
plain_fail_errno(struct plain_exchange *x, int error)
{
    switch (error) {
    case ETIMEDOUT:
        return http_error_set(x->error, PST_UPSTREAM_TIMEOUT, "%s",
                              x->limit.deadline == x->total_deadline
                                  ? "the exchange exceeded the total timeout"
                                  : get_phase_text(x->phase));
    case ECANCELED:
        return http_error_set(x->error, PST_CLIENT_GONE,
                              "the client closed its connection");
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return http_error_set(x->error, PST_NO_MEMORY, "%s", strerror(error));
    default:
        return x->phase == PLAIN_CONNECTING
                   ? http_error_set(x->error, PST_UPSTREAM_DOWN,
                                    "cannot connect: %s", strerror(error))
                   : fail_lost_connection(x, error);
    }
}

enum pst_err
plain_fail_callback(struct plain_exchange *x, enum pst_err e)
{
    return e ? http_error_set(x->error, e, "%s", pst_err_text(e)) : PST_OK;
}

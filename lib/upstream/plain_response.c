/* SPDX-License-Identifier: ISC */
/*
 * plain_response.c - receive the response of an exchange without TLS.
 */
#include "upstream/plain_response.h"

#include <errno.h>
#include <string.h>

static enum pst_err
refuse_response(struct plain_exchange *x, const char *reason)
{
    return http_error_set(x->error, PST_UPSTREAM_BROKEN, "%s", reason);
}

static struct pst_str
get_unparsed(const struct plain_exchange *x)
{
    return (struct pst_str){x->buffer->bytes + x->begin, x->end - x->begin};
}

/*
 * On a kept connection, a response that came before the request was sent may
 * belong to an earlier request, perhaps another user's. An error is believed:
 * the backend says why it does not read on.
 */
static bool
is_stray(const struct plain_exchange *x)
{
    return (x->is_early || x->is_cut) && x->connection->was_kept &&
           x->head.status < 400;
}

/* A head is complete: skip it if it is an interim one. */
static enum pst_err
take_head(struct plain_exchange *x, size_t len)
{
    const char *reason;
    enum pst_err e = response_parse_head(pst_str_first(get_unparsed(x), len),
                                         &x->head, &reason);

    if (e)
        return refuse_response(x, reason);
    x->begin += len;
    x->scan = (struct response_scan){0};
    x->has_head = x->head.status >= 200;
    if (!x->has_head && ++x->interim_count > PST_INTERIM_MAX)
        return refuse_response(x, "too many interim responses");
    if (x->has_head && is_stray(x))
        return refuse_response(x,
                               "the response came before its request was sent");
    if (x->begin == x->end)
        x->is_early = false; /* what comes next has not come yet */
    return PST_OK;
}

/* Take the heads that are complete, up to the final one. */
static enum pst_err
take_heads(struct plain_exchange *x)
{
    const char *reason;
    size_t len = 1;
    enum pst_err e = PST_OK;

    while (!e && !x->has_head && len > 0) {
        e = response_scan_head(&x->scan, get_unparsed(x), &len, &reason);
        if (e)
            return refuse_response(x, reason);
        if (len > 0)
            e = take_head(x, len);
    }
    if (!e && !x->has_head && x->end == sizeof(x->buffer->bytes))
        return refuse_response(x, "the head of the response is too large");
    return e;
}

static void
add_received(struct plain_exchange *x, size_t len)
{
    x->has_received = true;
    x->end += len;
    if (x->end > x->used)
        x->used = x->end;
}

/* The backend closed the connection within the head. */
static enum pst_err
fail_closed_head(struct plain_exchange *x)
{
    x->is_closed = true;
    return refuse_response(
        x, x->has_received
               ? "the backend closed the connection within the response's head"
               : "the backend closed the connection without a response");
}

enum pst_err
plain_check_response(struct plain_exchange *x)
{
    enum pst_err e = plain_take_buffer(x);
    size_t len;
    int error;

    if (e)
        return e;
    error = wait_try_read(x->connection->socket, x->buffer->bytes + x->end,
                          sizeof(x->buffer->bytes) - x->end, &len);
    if (error == EAGAIN) {
        if (x->end == 0)
            plain_give_buffer(x);
        return PST_OK;
    }
    if (error)
        return plain_fail_errno(x, error);
    if (len == 0)
        return fail_closed_head(x);
    add_received(x, len);
    x->is_early = true;
    return take_heads(x);
}

/* Read more of the response. *len 0: the end. */
static enum pst_err
read_more(struct plain_exchange *x, size_t *len)
{
    int error = x->buffer ? 0 : wait_input(x->connection->socket, &x->limit);
    enum pst_err e = error ? plain_fail_errno(x, error) : plain_take_buffer(x);

    if (e)
        return e;
    error = wait_read(x->connection->socket, x->buffer->bytes + x->end,
                      sizeof(x->buffer->bytes) - x->end, &x->limit, len);
    if (error)
        return plain_fail_errno(x, error);
    if (*len > 0)
        add_received(x, *len);
    return PST_OK;
}

/* From the last byte of the request on: up to the end of the final head. */
static enum pst_err
receive_head(struct plain_exchange *x)
{
    enum pst_err e = PST_OK;
    size_t len;

    if (!x->has_head)
        plain_begin_phase(x, PLAIN_WAITING);
    while (!e && !x->has_head) {
        /* The final status line has come, but not the whole head. */
        if (x->scan.status >= 200)
            plain_begin_phase(x, PLAIN_RESPONDING);
        e = read_more(x, &len);
        if (!e)
            e = len > 0 ? take_heads(x) : fail_closed_head(x);
    }
    return e;
}

static enum pst_err
deliver_head(struct plain_exchange *x)
{
    const struct http_exchange *exchange = x->exchange;
    int64_t begun = plain_callback_begin(x);
    enum pst_err e =
        response_walk_head(&x->head, exchange->header, exchange->context);

    if (!e)
        e = exchange->head(exchange->context, x->head.status);
    plain_callback_end(x, begun);
    return plain_fail_callback(x, e);
}

/*
 * Gather the pieces of the body that are in the buffer, so that many small
 * chunks that came together are one piece.
 *   out     set in any case: the pieces before what is wrong
 */
static enum pst_err
gather_body(struct plain_exchange *x, struct response_body *body,
            struct pst_str *out, const char **reason)
{
    struct pst_str bytes = get_unparsed(x);
    char *to = x->buffer->bytes + x->begin;
    struct pst_str piece;
    enum pst_err e;

    *out = (struct pst_str){to, 0};
    for (;;) {
        e = response_body_take(body, &bytes, &piece, reason);
        if (e || piece.len == 0)
            break;
        memmove(to + out->len, piece.ptr, piece.len);
        out->len += piece.len;
    }
    x->begin = x->end - bytes.len;
    return e;
}

/* Deliver what is in the buffer. */
static enum pst_err
deliver_body(struct plain_exchange *x, struct response_body *body)
{
    const char *reason;
    struct pst_str piece;
    enum pst_err broken = gather_body(x, body, &piece, &reason);
    enum pst_err e = PST_OK;

    if (piece.len > 0) {
        int64_t begun = plain_callback_begin(x);

        e = x->exchange->body(x->exchange->context, piece);
        if (!e && x->exchange->flush && !response_body_is_complete(body))
            e = x->exchange->flush(x->exchange->context);
        plain_callback_end(x, begun);
    }
    if (e)
        return plain_fail_callback(x, e);
    return broken ? refuse_response(x, reason) : PST_OK;
}

/* All of the buffer has been delivered. If it was not full, the backend had
 * sent no more, and may be silent for long. */
static void
empty_buffer(struct plain_exchange *x)
{
    if (x->end < sizeof(x->buffer->bytes))
        plain_give_buffer(x);
    x->begin = x->end = 0;
}

static enum pst_err
receive_body(struct plain_exchange *x)
{
    struct response_body body;
    const char *reason;
    size_t len;
    enum pst_err e;

    response_body_init(&body, &x->head);
    for (;;) {
        e = deliver_body(x, &body);
        if (e || response_body_is_complete(&body))
            return e;
        empty_buffer(x);
        plain_begin_phase(x, PLAIN_RESPONDING);
        e = read_more(x, &len);
        if (e)
            return e;
        if (len > 0)
            continue;
        x->is_closed = true;
        e = response_body_close(&body, &reason);
        return e ? refuse_response(x, reason) : PST_OK;
    }
}

enum pst_err
plain_receive(struct plain_exchange *x)
{
    enum pst_err e = receive_head(x);

    if (!e)
        e = deliver_head(x);
    return e ? e : receive_body(x);
}

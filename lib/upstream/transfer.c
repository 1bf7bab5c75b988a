/* SPDX-License-Identifier: ISC */
/*
 * transfer.c - the state of one exchange while it runs: what was sent and
 * received, and which timeout applies.
 *
 * The timeouts are about the backend. Time spent in the exchange's own
 * functions does not count: there a slow client sends or reads.
 */
#include "upstream/transfer.h"

#include "base/clock.h"

#define WAIT_MAX INT64_C(60000) /* milliseconds */

void
transfer_init(struct transfer *transfer, struct pst_arena *arena,
              const struct http_target *target,
              const struct http_exchange *exchange)
{
    *transfer = (struct transfer){.target = target, .exchange = exchange};
    message_head_init(&transfer->head, arena);
}

/* Record the end of a call of ours; the first error is kept. Returns e. */
static enum pst_err
finish_step(struct transfer *transfer, enum pst_err e)
{
    transfer->last_activity = clock_ms();
    if (e && !transfer->err)
        transfer->err = e;
    return e;
}

enum pst_err
transfer_read_body(struct transfer *transfer, char *out, size_t size,
                   size_t *len)
{
    const struct http_exchange *exchange = transfer->exchange;
    int64_t left = exchange->body_length < 0
                       ? INT64_MAX
                       : exchange->body_length - transfer->body_read;
    size_t got = 0;
    enum pst_err e;

    if ((uint64_t)left < size)
        size = (size_t)left;
    if (size == 0 || transfer->has_body_ended) {
        *len = 0;
        return PST_OK;
    }
    e = exchange->read(exchange->context, out, size, &got);
    PST_REQUIRE(e || got <= size);
    if (!e && got == 0 && exchange->body_length >= 0)
        e = PST_MALFORMED;
    if (finish_step(transfer, e))
        return e;
    transfer->body_read += (int64_t)got;
    transfer->has_body_ended = got == 0;
    *len = got;
    return PST_OK;
}

bool
transfer_can_restart(const struct transfer *transfer)
{
    return transfer->body_read == 0;
}

void
transfer_connected(struct transfer *transfer)
{
    transfer->phase = TRANSFER_REQUEST_SENT;
    transfer->last_activity = clock_ms();
}

static enum pst_err
add_head_line(struct transfer *transfer, struct pst_str line)
{
    const struct http_exchange *exchange = transfer->exchange;
    enum pst_err e = message_head_add(&transfer->head, line);

    if (e)
        return e;
    if (transfer->head.status >= 200)
        transfer->phase = TRANSFER_RESPONDING;
    if (!transfer->head.complete)
        return PST_OK;
    e = message_head_walk(&transfer->head, exchange->header, exchange->context);
    return e ? e : exchange->head(exchange->context, transfer->head.status);
}

enum pst_err
transfer_add_line(struct transfer *transfer, struct pst_str line)
{
    if (transfer->head.complete)
        return PST_OK;
    return finish_step(transfer, add_head_line(transfer, line));
}

enum pst_err
transfer_add_body(struct transfer *transfer, struct pst_str piece)
{
    const struct http_exchange *exchange = transfer->exchange;

    if (piece.len == 0)
        return PST_OK;
    if (!transfer->head.complete)
        return finish_step(transfer, PST_UPSTREAM_BROKEN);
    return finish_step(transfer, exchange->body(exchange->context, piece));
}

int64_t
transfer_time_left(const struct transfer *transfer)
{
    int64_t timeout;
    int64_t left;

    if (transfer->phase == TRANSFER_CONNECTING)
        return WAIT_MAX;
    timeout = transfer->phase == TRANSFER_REQUEST_SENT
                  ? transfer->target->first_byte_timeout
                  : transfer->target->between_bytes_timeout;
    left = transfer->last_activity + timeout - clock_ms();
    return left < WAIT_MAX ? left : WAIT_MAX;
}

const char *
transfer_timeout_text(const struct transfer *transfer)
{
    return transfer->phase == TRANSFER_REQUEST_SENT
               ? "no response within the first-byte timeout"
               : "the response stalled for the between-bytes timeout";
}

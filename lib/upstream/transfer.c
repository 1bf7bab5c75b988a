/* SPDX-License-Identifier: ISC */
/*
 * transfer.c - the state of one exchange while it runs: what was sent and
 * received, and which timeout applies.
 *
 * The timeouts are about the backend. Time spent in the exchange's own
 * functions does not count: there a slow client sends or reads.
 */
#include "upstream/transfer.h"

#include <string.h>

#include "base/clock.h"

#define WAIT_MAX INT64_C(60000) /* milliseconds */

void
transfer_init(struct transfer *transfer, struct pst_arena *arena,
              const struct http_target *target,
              const struct http_exchange *exchange, char *buffers)
{
    *transfer = (struct transfer){.target = target,
                                  .exchange = exchange,
                                  .total_deadline = INT64_MAX,
                                  .buffers = buffers};
    if (target->total_timeout > 0)
        transfer->total_deadline = clock_ms() + target->total_timeout;
    message_head_init(&transfer->head, arena);
}

/* Record the end of a call of ours, which began at `begun`; the first error is
 * kept. Returns e. */
static enum pst_err
finish_step(struct transfer *transfer, int64_t begun, enum pst_err e)
{
    transfer->last_activity = clock_ms();
    if (transfer->total_deadline != INT64_MAX)
        transfer->total_deadline += transfer->last_activity - begun;
    if (e && !transfer->err)
        transfer->err = e;
    return e;
}

/* A piece of the body that is in memory, or of one that is read. */
static enum pst_err
read_piece(const struct transfer *transfer, char *out, size_t size, size_t *len)
{
    const struct http_exchange *exchange = transfer->exchange;
    struct pst_str piece;

    if (pst_str_is_absent(exchange->whole_body))
        return exchange->read(exchange->context, out, size, len);
    piece = pst_str_first(
        pst_str_skip(exchange->whole_body, (size_t)transfer->body_read), size);
    memcpy(out, piece.ptr, piece.len);
    *len = piece.len;
    return PST_OK;
}

/* The next bytes of the request body, never more than body_length in sum; *len
 * 0 at its end. PST_MALFORMED: it is shorter. */
static enum pst_err
transfer_read_body(struct transfer *transfer, char *out, size_t size,
                   size_t *len)
{
    const struct http_exchange *exchange = transfer->exchange;
    int64_t left = exchange->body_length < 0
                       ? INT64_MAX
                       : exchange->body_length - transfer->body_read;
    int64_t begun = clock_ms();
    size_t got = 0;
    enum pst_err e;

    if ((uint64_t)left < size)
        size = (size_t)left;
    if (size == 0 || transfer->has_body_ended) {
        *len = 0;
        return PST_OK;
    }
    e = read_piece(transfer, out, size, &got);
    PST_REQUIRE(e || got <= size);
    if (!e && got == 0 && exchange->body_length >= 0)
        e = PST_MALFORMED;
    if (finish_step(transfer, begun, e))
        return e;
    transfer->body_read += (int64_t)got;
    transfer->has_body_ended = got == 0;
    *len = got;
    return PST_OK;
}

bool
transfer_restart(struct transfer *transfer)
{
    const struct http_exchange *exchange = transfer->exchange;

    if (transfer->body_read > 0 &&
        (!exchange->is_repeatable || pst_str_is_absent(exchange->whole_body)))
        return false;
    transfer->body_read = 0;
    return true;
}

enum pst_err
transfer_connected(struct transfer *transfer)
{
    const struct http_exchange *exchange = transfer->exchange;
    int64_t begun = clock_ms();

    transfer->phase = TRANSFER_REQUEST_SENT;
    return finish_step(
        transfer, begun,
        exchange->connected ? exchange->connected(exchange->context) : PST_OK);
}

static enum pst_err
add_head_line(struct transfer *transfer, struct pst_str line)
{
    enum pst_err e = message_head_add(&transfer->head, line);

    if (e)
        return e;
    if (transfer->head.status >= 200)
        transfer->phase = TRANSFER_RESPONDING;
    transfer->has_head_to_tell = transfer->head.complete;
    return PST_OK;
}

/* Tell the exchange the head. */
static enum pst_err
tell_head(struct transfer *transfer)
{
    const struct http_exchange *exchange = transfer->exchange;
    int64_t begun = clock_ms();
    enum pst_err e =
        message_head_walk(&transfer->head, exchange->header, exchange->context);

    transfer->has_head_to_tell = false;
    if (!e)
        e = exchange->head(exchange->context, transfer->head.status);
    return finish_step(transfer, begun, e);
}

enum pst_err
transfer_add_line(struct transfer *transfer, struct pst_str line)
{
    int64_t begun = clock_ms();

    if (transfer->head.complete)
        return PST_OK;
    return finish_step(transfer, begun, add_head_line(transfer, line));
}

enum transfer_answer
transfer_supply(struct transfer *transfer, char *out, size_t size, size_t *len)
{
    const char *upload = transfer->buffers + transfer->upload_at;

    if (!pst_str_is_absent(transfer->exchange->whole_body))
        return transfer_read_body(transfer, out, size, len) == PST_OK
                   ? TRANSFER_DONE
                   : TRANSFER_FAILED;
    if (transfer->upload_len == 0 && !transfer->has_body_ended) {
        transfer->wants_upload = true;
        return TRANSFER_PAUSED;
    }
    *len = size < transfer->upload_len ? size : transfer->upload_len;
    memcpy(out, upload, *len);
    transfer->upload_at += *len;
    transfer->upload_len -= *len;
    return TRANSFER_DONE;
}

enum transfer_answer
transfer_receive(struct transfer *transfer, struct pst_str piece)
{
    if (piece.len == 0)
        return TRANSFER_DONE;
    if (!transfer->head.complete || piece.len > TRANSFER_BUFFER) {
        (void)finish_step(transfer, clock_ms(), PST_UPSTREAM_BROKEN);
        return TRANSFER_FAILED;
    }
    if (transfer->has_head_to_tell || transfer->received_len > 0) {
        transfer->is_refusing = true;
        return TRANSFER_PAUSED;
    }
    memcpy(transfer->buffers + TRANSFER_BUFFER, piece.ptr, piece.len);
    transfer->received_len = piece.len;
    return TRANSFER_DONE;
}

/* Read the next bytes of the request body, as the library has asked. */
static enum pst_err
fill_upload(struct transfer *transfer)
{
    enum pst_err e;

    transfer->upload_at = 0;
    e = transfer_read_body(transfer, transfer->buffers, TRANSFER_BUFFER,
                           &transfer->upload_len);
    transfer->has_body_ended =
        transfer->has_body_ended || (!e && transfer->upload_len == 0);
    return e;
}

/* Pass on what was received of the response body. */
static enum pst_err
pass_received(struct transfer *transfer)
{
    const struct http_exchange *exchange = transfer->exchange;
    struct pst_str piece = {transfer->buffers + TRANSFER_BUFFER,
                            transfer->received_len};
    int64_t begun = clock_ms();
    enum pst_err e = exchange->body(exchange->context, piece);

    /* The library may bring more only now: the body was read from the buffer.
     */
    transfer->received_len = 0;
    if (!e && exchange->flush) /* libcurl does not say whether more is there */
        e = exchange->flush(exchange->context);
    return finish_step(transfer, begun, e);
}

bool
transfer_needs_service(const struct transfer *transfer)
{
    return transfer->err || transfer->has_head_to_tell ||
           transfer->received_len > 0 || transfer->wants_upload ||
           transfer->is_refusing;
}

enum pst_err
transfer_serve(struct transfer *transfer, bool *resumes)
{
    enum pst_err e = transfer->err;

    if (!e && transfer->has_head_to_tell)
        e = tell_head(transfer);
    if (!e && transfer->received_len > 0)
        e = pass_received(transfer);
    if (!e && transfer->wants_upload)
        e = fill_upload(transfer);
    *resumes = transfer->is_refusing || transfer->wants_upload;
    transfer->is_refusing = false;
    transfer->wants_upload = false;
    return e;
}

/* When the current timeout is over (clock_ms()). */
static int64_t
get_phase_deadline(const struct transfer *transfer)
{
    switch (transfer->phase) {
    case TRANSFER_CONNECTING:
        return INT64_MAX;
    case TRANSFER_REQUEST_SENT:
        return transfer->last_activity + transfer->target->first_byte_timeout;
    default:
        return transfer->last_activity +
               transfer->target->between_bytes_timeout;
    }
}

int64_t
transfer_time_left(const struct transfer *transfer)
{
    int64_t deadline = get_phase_deadline(transfer);
    int64_t left;

    if (transfer->total_deadline < deadline)
        deadline = transfer->total_deadline;
    left = deadline - clock_ms();
    return left < WAIT_MAX ? left : WAIT_MAX;
}

const char *
transfer_timeout_text(const struct transfer *transfer)
{
    if (transfer->total_deadline < get_phase_deadline(transfer))
        return "the exchange exceeded the total timeout";
    return transfer->phase == TRANSFER_REQUEST_SENT
               ? "no response within the first-byte timeout"
               : "the response stalled for the between-bytes timeout";
}

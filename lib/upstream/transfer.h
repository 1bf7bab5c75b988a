/* SPDX-License-Identifier: ISC */
/*
 * transfer.h - the state of one exchange while it runs: how much of the request
 * body is sent, how much of the response is read, and which timeout applies.
 *
 * It calls the functions of struct http_exchange. The HTTP library calls it
 * through http_client.c.
 */
#ifndef POSTERN_UPSTREAM_TRANSFER_H
#define POSTERN_UPSTREAM_TRANSFER_H

#include "http/message.h"
#include "upstream/http_target.h"

/* The timeout that applies. */
enum transfer_phase {
    TRANSFER_CONNECTING,   /* the HTTP library's connect timeout */
    TRANSFER_REQUEST_SENT, /* first_byte_timeout: no final status line yet */
    TRANSFER_RESPONDING,   /* between_bytes_timeout */
};

struct transfer {
    const struct http_target *target;
    const struct http_exchange *exchange;
    enum pst_err err; /* the first error of our own functions */
    enum transfer_phase phase;
    int64_t last_activity;  /* milliseconds (clock_ms()) */
    int64_t total_deadline; /* likewise; INT64_MAX: none */
    int64_t body_read;      /* bytes that exchange->read returned */
    bool has_body_ended;
    struct message_head head;
};

void transfer_init(struct transfer *transfer, struct pst_arena *arena,
                   const struct http_target *target,
                   const struct http_exchange *exchange);

/*
 * The next bytes of the request body.
 *   out, size  room for them; never more than body_length in sum
 *   len        set on PST_OK; 0 at the end of the body
 * Returns PST_OK; PST_MALFORMED (the body is shorter than body_length); what
 * exchange->read returned. The error is kept in transfer->err.
 */
PST_MUST_USE enum pst_err transfer_read_body(struct transfer *transfer,
                                             char *out, size_t size,
                                             size_t *len);

/*
 * Send the body again from its start, if this is possible: while none of it was
 * read, since what the client sent is not kept; or a repeatable exchange whose
 * body is in memory. Returns false, with nothing changed, if it is not.
 */
bool transfer_restart(struct transfer *transfer);

/* A connection is ready (new or kept alive); the request goes out now. */
void transfer_connected(struct transfer *transfer);

/*
 * One line of a response head, with or without its line end. Trailers, which
 * come after the body, are ignored: they must not pass for headers.
 * Returns PST_OK; what message_head_add() returns; what exchange->header or
 * exchange->head returned. The error is kept in transfer->err.
 */
PST_MUST_USE enum pst_err transfer_add_line(struct transfer *transfer,
                                            struct pst_str line);

/*
 * One piece of the response body.
 * Returns PST_OK; PST_UPSTREAM_BROKEN (a body before its head); what
 * exchange->body returned. The error is kept in transfer->err.
 */
PST_MUST_USE enum pst_err transfer_add_body(struct transfer *transfer,
                                            struct pst_str piece);

/*
 * Milliseconds until the current timeout; 0 or less: it is over. At most a
 * minute while the HTTP library's own connect timeout applies.
 */
int64_t transfer_time_left(const struct transfer *transfer);

/* Which timeout is over, as text for the log. */
const char *transfer_timeout_text(const struct transfer *transfer);

#endif

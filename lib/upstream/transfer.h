/* SPDX-License-Identifier: ISC */
/*
 * transfer.h - the state of one exchange while it runs: how much of the request
 * body is sent, how much of the response is read, and which timeout applies.
 *
 * It calls the functions of struct http_exchange. The HTTP library calls it
 * through tls_options.c.
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
    bool has_head_to_tell; /* the exchange does not know it yet */

    /* Between the HTTP library, which must not wait, and the exchange. */
    char *buffers;       /* TRANSFER_BUFFER bytes for each direction */
    size_t received_len; /* bytes of the response body, not yet passed on */
    size_t upload_at;    /* bytes of the request body: from here ... */
    size_t upload_len;   /* ... so many */
    bool wants_upload;   /* the library waits for them */
    bool is_refusing;    /* the library waits to deliver more */
};

/* Bytes in each direction; libcurl's largest piece of a body. */
#define TRANSFER_BUFFER ((size_t)16 * 1024)

/*
 * Begin.
 *   buffers  2 * TRANSFER_BUFFER bytes, which the transfer uses
 */
void transfer_init(struct transfer *transfer, struct pst_arena *arena,
                   const struct http_target *target,
                   const struct http_exchange *exchange, char *buffers);

/* Is there something to do for transfer_serve(), or an error? */
bool transfer_needs_service(const struct transfer *transfer);

/*
 * Call the functions of the exchange for what the library has received and
 * asked for. They may wait; the library may go on meanwhile.
 *   resumes  set on PST_OK: the library can go on, when it is called for that
 * Returns PST_OK, or the first error, which is kept in transfer->err.
 */
PST_MUST_USE enum pst_err transfer_serve(struct transfer *transfer,
                                         bool *resumes);

/*
 * Send the body again from its start, if this is possible: while none of it was
 * read, since what the client sent is not kept; or a repeatable exchange whose
 * body is in memory. Returns false, with nothing changed, if it is not.
 */
bool transfer_restart(struct transfer *transfer);

/* What the HTTP library's functions get; none of these waits. */
enum transfer_answer {
    TRANSFER_DONE,
    TRANSFER_PAUSED, /* later, after transfer_serve() */
    TRANSFER_FAILED, /* the error is in transfer->err */
};

/* The next bytes of the request body; *len 0 at its end. */
PST_MUST_USE enum transfer_answer
transfer_supply(struct transfer *transfer, char *out, size_t size, size_t *len);

/* One piece of the response body, at most TRANSFER_BUFFER bytes. */
PST_MUST_USE enum transfer_answer transfer_receive(struct transfer *transfer,
                                                   struct pst_str piece);

/* A connection is ready (new or kept alive); the request goes out now, unless
 * the result is an error, which is kept in transfer->err. */
PST_MUST_USE enum pst_err transfer_connected(struct transfer *transfer);

/*
 * One line of a response head, with or without its line end. Trailers, which
 * come after the body, are ignored: they must not pass for headers.
 * The exchange learns of it in transfer_serve().
 * Returns PST_OK; what message_head_add() returns. The error is kept in
 * transfer->err.
 */
PST_MUST_USE enum pst_err transfer_add_line(struct transfer *transfer,
                                            struct pst_str line);

/*
 * Milliseconds until the current timeout; 0 or less: it is over. At most a
 * minute while the HTTP library's own connect timeout applies.
 */
int64_t transfer_time_left(const struct transfer *transfer);

/* Which timeout is over, as text for the log. */
const char *transfer_timeout_text(const struct transfer *transfer);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * plain_exchange.h - the state of one exchange without TLS while it runs: its
 * request, its response, its deadlines, and why it failed.
 *
 * The deadlines are about the backend. Time spent in the exchange's own
 * functions does not count: there a slow client sends or reads.
 */
#ifndef POSTERN_UPSTREAM_PLAIN_EXCHANGE_H
#define POSTERN_UPSTREAM_PLAIN_EXCHANGE_H

#include "engine/wait.h"
#include "http/response_body.h"
#include "http/response_head.h"
#include "upstream/connection_pool.h"
#include "upstream/http_error.h"
#include "upstream/http_target.h"

#define PLAIN_PIECE_MAX ((size_t)16 * 1024) /* of a body that is read */

/* The timeout that applies. */
enum plain_phase {
    PLAIN_CONNECTING,
    PLAIN_SENDING,    /* first_byte_timeout: the backend does not read */
    PLAIN_WAITING,    /* first_byte_timeout: no final status line yet */
    PLAIN_RESPONDING, /* between_bytes_timeout */
};

/* What is sent. */
struct plain_request {
    struct pst_str head; /* request line and headers, with the empty line */
    bool is_get;
    char *piece;       /* PLAIN_PIECE_MAX bytes; NULL: not needed */
    size_t piece_len;  /* bytes of it that are to be sent */
    bool is_last;      /* nothing of the body follows it */
    int64_t body_read; /* bytes that read() returned */
};

struct plain_exchange {
    const struct http_target *target;
    const struct http_exchange *exchange;
    struct pst_arena *arena;
    struct http_error *error;
    struct connection *connection;
    int64_t now;            /* of clock_ms(), when it was last read */
    int64_t total_deadline; /* WAIT_NO_DEADLINE: none */
    struct wait_limit limit;
    enum plain_phase phase;

    struct plain_request request;
    bool has_sent; /* a byte of the request, on this connection */
    bool is_cut;   /* the backend takes no more of the request */

    struct connection_pool *pool;
    struct response_buffer *buffer; /* NULL: nothing is in it */
    size_t begin;                   /* bytes of the buffer that are parsed */
    size_t end;                     /* bytes that were read */
    size_t used;       /* the largest end since the buffer was taken */
    bool has_received; /* a byte of the response, on this connection */
    bool is_early;     /* it came before the request was sent */
    bool is_closed;    /* the backend closed the connection */
    struct response_scan scan;
    size_t interim_count;
    bool has_head; /* `head` is the final one */
    struct response_head head;
};

/* Set the deadline for a phase that begins now. Reads the clock. */
void plain_begin_phase(struct plain_exchange *x, enum plain_phase phase);

/*
 * Call begin before a function of the exchange, and end after it, so that its
 * time does not count.
 */
int64_t plain_callback_begin(const struct plain_exchange *x);
void plain_callback_end(struct plain_exchange *x, int64_t begun);

/*
 * Take a buffer from the pool, unless there is one. An exchange that waits for
 * its backend needs none, and there may be thousands. Returns PST_OK or
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err plain_take_buffer(struct plain_exchange *x);

/* Give the buffer back to the pool, if there is one; what is in it is lost. */
void plain_give_buffer(struct plain_exchange *x);

/* Report a failed wait, read or write. Returns the error for it. */
enum pst_err plain_fail_errno(struct plain_exchange *x, int error);

/* Report an error that a function of the exchange returned. Returns e. */
enum pst_err plain_fail_callback(struct plain_exchange *x, enum pst_err e);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * fcgi_connection.h - one connection from a web server: its bytes, checked by
 * the filter, and the deadlines of reading and writing.
 */
#ifndef POSTERN_ENGINE_FCGI_CONNECTION_H
#define POSTERN_ENGINE_FCGI_CONNECTION_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "engine/fcgi_filter.h"
#include "engine/loop.h"

struct fcgi_input;

struct fcgi_connection {
    int descriptor;
    struct fcgi_filter filter;
    struct fcgi_input *input;    /* bytes that were read; NULL: none */
    int64_t head_deadline;       /* of clock_ms(); 0: the head has been read */
    int64_t body_wait_ms;        /* how long a body may still be waited for */
    char *read_buffer;           /* libfcgi's, of the request at hand */
    size_t read_len;             /* how much of it was used */
    unsigned char *answer_start; /* in libfcgi's buffer for writing */
    bool has_written;            /* bytes of the answer were sent */
    bool is_broken;              /* reading or writing has failed */
    bool is_aborted;             /* the web server wants no answer any more */

    /* The server's (engine/server_loop.c). */
    void *owner;
    bool is_busy;      /* a fiber serves it */
    bool is_new;       /* nothing has arrived so far */
    int64_t opened_at; /* of clock_ms() */
    struct loop_watch watch;
    TAILQ_ENTRY(fcgi_connection) link;
};

TAILQ_HEAD(fcgi_connection_list, fcgi_connection);

/* On TCP, do not hold small writes back until the web server acknowledges the
 * one before: each part of a stream is written at once. */
void fcgi_connection_set_no_delay(int descriptor, const struct sockaddr *peer);

/*
 * Read until there are bytes for libfcgi, or until what has come belongs to no
 * request.
 * Returns 0, or an errno: EAGAIN (no request has begun: the connection is
 * idle), ETIMEDOUT (a deadline), ECONNRESET (the web server is gone), EPROTO
 * (what it sent is invalid), ECONNABORTED (it has aborted the request), ENOMEM.
 */
PST_MUST_USE int fcgi_connection_fill(struct fcgi_connection *connection);

/*
 * Read what libfcgi may see of the request at hand.
 *   len  set on success; 0: the request is over
 * Returns as fcgi_connection_fill(), but never EAGAIN.
 */
PST_MUST_USE int fcgi_connection_read(struct fcgi_connection *connection,
                                      char *out, size_t size, size_t *len);

/* Write all bytes. Returns 0 or an errno: ETIMEDOUT when the web server has
 * not read for a minute. */
PST_MUST_USE int fcgi_connection_write(struct fcgi_connection *connection,
                                       char *bytes, size_t len);

/*
 * Close a connection in the middle of an answer, so that the web server does
 * not take the part for the whole. Waits for a tenth of a second.
 *   id  of the request
 */
void fcgi_connection_cut(struct fcgi_connection *connection, unsigned id);

/* Has everything that the web server sent for this request been read? */
bool fcgi_connection_is_drained(const struct fcgi_connection *connection);

/* Answer a request that was aborted before libfcgi saw it. Returns as
 * fcgi_connection_write(). */
PST_MUST_USE int
fcgi_connection_answer_abort(struct fcgi_connection *connection);

/* Forget the request at hand: what still comes of it is dropped. */
void fcgi_connection_end_request(struct fcgi_connection *connection);

/* Has a request arrived on an idle connection? Its event is on the way. */
bool fcgi_connection_has_arrived(const struct fcgi_connection *connection);

/*
 * After the end of a body, while its request is handled: has the web server
 * sent an ABORT_REQUEST? Then `is_aborted` is set. Anything else that it has
 * sent stays unread; so an abort behind a body that nobody reads is noticed
 * when it is read on. A connection that is closed is always noticed at once.
 */
bool fcgi_connection_take_abort(struct fcgi_connection *connection);

/*
 * Answer a request for which there is no memory with 503 and Retry-After, if
 * its beginning has arrived, and close the connection. Not in a fiber; does not
 * wait.
 */
void fcgi_connection_refuse(struct fcgi_connection *connection);

/* Has it bytes of a next request? */
bool fcgi_connection_has_more(const struct fcgi_connection *connection);

/*
 * Close the descriptor and free the input.
 *   lingers  first read and discard what still comes, until the other end
 *            closes, for two seconds at most: unread bytes make close(2) reset
 *            the connection, and then the other end can lose the answer
 */
void fcgi_connection_close(struct fcgi_connection *connection, bool lingers);

/* The same for a descriptor that is no connection of the server, as under
 * plain CGI. */
void descriptor_close_lingering(int descriptor);

#endif

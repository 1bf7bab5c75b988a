/* SPDX-License-Identifier: ISC */
/*
 * http_client.h - HTTP exchanges with the backend, many at once.
 *
 * The URL is fixed when the client is made; nothing in a request can change
 * it. Redirects are never followed. Proxies from the environment are never
 * used. Backends of http:// and unix: are reached by our own HTTP/1.1 client,
 * those of https:// by libcurl.
 */
#ifndef POSTERN_UPSTREAM_HTTP_CLIENT_H
#define POSTERN_UPSTREAM_HTTP_CLIENT_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct http_client;

struct http_client_options {
    struct pst_str url;            /* every request goes there */
    const char *ca;                /* PEM file; NULL: the system's */
    int64_t connect_timeout;       /* seconds, each 1 to one year */
    int64_t first_byte_timeout;    /* from the last byte of the request */
    int64_t between_bytes_timeout; /* without the time in our own functions */
    int64_t total_timeout;         /* of an exchange, likewise; 0: none */
};

struct http_header {
    struct pst_str name;
    struct pst_str value;
};

/*
 * One exchange. The functions get `context`. An error that one of them returns
 * ends the exchange, and http_client_run() returns it. The texts that they get
 * are valid during the call.
 */
struct http_exchange {
    struct pst_str method; /* "GET" or "POST" */
    struct pst_str query;  /* query string without "?"; absent: none */
    const struct http_header *headers;
    size_t header_count;

    /* A body that is in memory; body_length is then its length. */
    struct pst_str whole_body;
    int64_t body_length; /* bytes; -1: unknown, sent chunked; 0: no body.
                            A GET never has a body */

    /* To run it twice is harmless, such as a query: it may be sent again when a
     * kept connection turns out to be closed. A GET always is. */
    bool is_repeatable;
    void *context;

    /* Called when there is a connection, before the first byte goes out; and
     * again when the request is sent again. It must not wait. NULL: none. */
    enum pst_err (*connected)(void *context);

    /* Read up to size bytes of the body; *len 0 is its end. Not called for a
     * whole body. */
    enum pst_err (*read)(void *context, char *out, size_t size, size_t *len);

    /* Called for each header of the final response; not for interim (1xx)
     * responses, trailers, or a Content-Length beside a Transfer-Encoding. */
    enum pst_err (*header)(void *context, struct pst_str name,
                           struct pst_str value);

    /* Called once, after the last header and before the body. */
    enum pst_err (*head)(void *context, int status); /* 200..599 */

    /* Called for each piece of the body as it arrives, still in its content
     * encoding. */
    enum pst_err (*body)(void *context, struct pst_str piece);

    /* Called after body() while the end of the body has not arrived, so that
     * what came is not held back. NULL: it need not be known. */
    enum pst_err (*flush)(void *context);

    /* A socket of the client's, or the write end of a pipe: the exchange ends
     * when the other side closes it. -1: none. Unread bytes on it do not
     * matter. */
    int client;
};

/* Why an exchange failed: for the log, never for a client. */
struct http_error {
    char text[256]; /* "" after a success */
};

/*
 * Call once per process, before any thread is started. SIGPIPE is ignored from
 * then on. Returns PST_OK, PST_NO_MEMORY or PST_INTERNAL.
 */
PST_MUST_USE enum pst_err http_client_start(void);
void http_client_stop(void);

/*
 * Make a client for one thread, and for all fibers of it. It keeps connections
 * open between exchanges: at most 256, with https:// 64. One that was not used
 * for 15 s is closed at the next exchange or http_client_close_idle().
 *   out      set on PST_OK; free it with http_client_free()
 *   options  copied
 * For https://, the first client of a process must be made before any thread
 * is started.
 * Returns PST_OK; PST_NO_MEMORY; PST_BAD_CONFIG (a URL that cannot be parsed,
 * or with a user name, password or fragment; a timeout outside its range);
 * PST_INTERNAL (libcurl does not work).
 */
PST_MUST_USE enum pst_err
http_client_new(struct http_client **out,
                const struct http_client_options *options);

/* Free the client and set the pointer to NULL. No exchange may be running. */
void http_client_free(struct http_client **http);

/*
 * Close the connections that were not used for 15 s. Every exchange does so,
 * too: call it now and then where there may be none for long.
 */
void http_client_close_idle(struct http_client *http);

/*
 * Run one exchange to its end. Other fibers may run exchanges on the same
 * client meanwhile, and so may the functions of this one.
 *   arena  what the exchange needs is allocated there
 *   error  set on every result
 * A request is sent a second time, once, and on a new connection, only when a
 * kept connection turns out to be closed before any byte of the response, and
 * either no byte of the request was sent, or it is repeatable and its body was
 * not read by read(). (With https://, libcurl may do so also for one that is
 * not repeatable while none of its body was read.) A kept connection that was
 * idle for more than 4 s is used for repeatable exchanges only.
 * Returns PST_OK; PST_UPSTREAM_DOWN (no connection, or TLS failed);
 * PST_UPSTREAM_BROKEN (not HTTP, or cut off); PST_UPSTREAM_TIMEOUT (any of the
 * timeouts); PST_CLIENT_GONE; PST_NO_MEMORY; PST_BAD_METHOD (neither GET nor
 * POST); PST_MALFORMED (a header or a query that http/message.h refuses, or a
 * body shorter than body_length); what a function of the exchange returned.
 */
PST_MUST_USE enum pst_err http_client_run(struct http_client *http,
                                          struct pst_arena *arena,
                                          const struct http_exchange *exchange,
                                          struct http_error *error);

#endif

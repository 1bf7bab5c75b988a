/* SPDX-License-Identifier: ISC */
/*
 * http_client.h - the door to libcurl: one HTTP exchange with the backend.
 *
 * The address is fixed when the handle is made; nothing in a request can
 * change it. Redirects are never followed, proxies from the environment
 * never used, and every option that belongs to one exchange is set anew for
 * the next (L32: a pooled client that kept another user's token).
 */
#ifndef POSTERN_UPSTREAM_HTTP_CLIENT_H
#define POSTERN_UPSTREAM_HTTP_CLIENT_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct http_client;

struct http_client_options {
    struct pst_str url;            /* where every request goes */
    const char *ca;                /* PEM file, or NULL: the system's */
    int64_t connect_timeout;       /* seconds, each 1..a year */
    int64_t first_byte_timeout;    /* from the request's last byte sent */
    int64_t between_bytes_timeout; /* time inside our functions not counted */
};

struct http_header {
    struct pst_str name;
    struct pst_str value;
};

/*
 * One exchange. The functions get `context`; an error that one of them
 * returns ends the exchange and is http_client_run()'s result.
 */
struct http_exchange {
    struct pst_str method; /* "GET" or "POST" */
    struct pst_str query;  /* query string without "?"; absent: none */
    const struct http_header *headers;
    size_t header_count;
    int64_t body_length; /* bytes; -1: unknown, sent chunked; 0: none.
                            A GET never has one */
    void *context;

    /* Up to size bytes of the body; *len 0 is its end. */
    enum pst_err (*read)(void *context, char *out, size_t size, size_t *len);

    /* Each header of the final answer (interim 1xx answers are dropped, and
     * so are trailers, and a Content-Length beside a Transfer-Encoding). */
    enum pst_err (*header)(void *context, struct pst_str name,
                           struct pst_str value);

    /* Once, after the last header and before the first byte of body. */
    enum pst_err (*head)(void *context, int status); /* 200..599 */

    /* Each piece of the body as it arrives, still in its content encoding. */
    enum pst_err (*body)(void *context, struct pst_str piece);

    /* A socket, or the writing end of a pipe, that tells by hanging up that
     * the client went; -1: none. Unread bytes on it are no sign. */
    int client;
};

/* Once per process, before any thread; SIGPIPE is ignored from then on.
 * PST_OK or PST_INTERNAL. */
PST_MUST_USE enum pst_err http_client_start(void);
void http_client_stop(void);

/*
 * One handle, for one thread; its connection stays open between exchanges.
 *   options  copied
 * Returns PST_OK, PST_NO_MEMORY, PST_BAD_CONFIG (an URL curl refuses, or one
 * with a name, a password or a fragment in it; a timeout out of its range).
 */
PST_MUST_USE enum pst_err
http_client_new(struct http_client **out,
                const struct http_client_options *options);

/* Another handle with the same options. PST_OK, PST_NO_MEMORY, PST_INTERNAL. */
PST_MUST_USE enum pst_err http_client_copy(const struct http_client *http,
                                           struct http_client **out);

void http_client_free(struct http_client **http);

/*
 * Run one exchange to its end.
 * Returns PST_OK, PST_UPSTREAM_DOWN (no connection, TLS refused),
 * PST_UPSTREAM_BROKEN (no HTTP, cut short), PST_UPSTREAM_TIMEOUT (any of the
 * three), PST_CLIENT_GONE, PST_NO_MEMORY, PST_BAD_METHOD (neither GET nor
 * POST), PST_MALFORMED (a header, see http/message.h, or a query that cannot be
 * sent; a body shorter than body_length), or what a function returned. Sent
 * again only when a connection that was kept open turned out dead before a
 * line of answer came and the body can be read again from its start (no
 * byte of it read yet).
 */
PST_MUST_USE enum pst_err http_client_run(struct http_client *http,
                                          struct pst_arena *arena,
                                          const struct http_exchange *exchange);

/* curl's own words about the last failure: for the log, never for a client. */
const char *http_client_error(const struct http_client *http);

#endif

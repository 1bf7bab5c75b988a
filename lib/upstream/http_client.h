/* SPDX-License-Identifier: ISC */
/*
 * http_client.h - one HTTP exchange at a time with the backend. The only
 * user of libcurl.
 *
 * The URL is fixed when the client is made; nothing in a request can change
 * it. Redirects are never followed. Proxies from the environment are never
 * used. Every option of an exchange is set anew for the next one: a pooled
 * client that kept an option would send one user's token for another.
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
};

struct http_header {
    struct pst_str name;
    struct pst_str value;
};

/*
 * One exchange. The functions get `context`. An error that one of them returns
 * ends the exchange, and http_client_run() returns it.
 */
struct http_exchange {
    struct pst_str method; /* "GET" or "POST" */
    struct pst_str query;  /* query string without "?"; absent: none */
    const struct http_header *headers;
    size_t header_count;
    int64_t body_length; /* bytes; -1: unknown, sent chunked; 0: no body.
                            A GET never has a body */
    void *context;

    /* Read up to size bytes of the body; *len 0 is its end. */
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

    /* A socket of the client's, or the write end of a pipe: the exchange ends
     * when the other side closes it. -1: none. Unread bytes on it do not
     * matter. */
    int client;
};

/*
 * Call once per process, before any thread is started. SIGPIPE is ignored from
 * then on. Returns PST_OK or PST_INTERNAL.
 */
PST_MUST_USE enum pst_err http_client_start(void);
void http_client_stop(void);

/*
 * Make a client for one thread. Its connection stays open between exchanges.
 *   out      set on PST_OK; free it with http_client_free()
 *   options  copied
 * Returns PST_OK; PST_NO_MEMORY; PST_BAD_CONFIG (a URL that curl cannot parse,
 * or with a user name, password or fragment; a timeout outside its range).
 */
PST_MUST_USE enum pst_err
http_client_new(struct http_client **out,
                const struct http_client_options *options);

/* Make another client with the same options. Returns PST_OK, PST_NO_MEMORY,
 * PST_INTERNAL. */
PST_MUST_USE enum pst_err http_client_copy(const struct http_client *http,
                                           struct http_client **out);

/* Free the client and set the pointer to NULL. */
void http_client_free(struct http_client **http);

/*
 * Run one exchange to its end.
 *   arena  what the exchange needs is allocated there
 * A request is sent a second time only when a kept-alive connection turns out
 * to be closed before any byte of the response, and none of the body was read
 * yet.
 * Returns PST_OK; PST_UPSTREAM_DOWN (no connection, or TLS failed);
 * PST_UPSTREAM_BROKEN (not HTTP, or cut off); PST_UPSTREAM_TIMEOUT (any of the
 * three timeouts); PST_CLIENT_GONE; PST_NO_MEMORY; PST_BAD_METHOD (neither GET
 * nor POST); PST_MALFORMED (a header or a query that http/message.h refuses,
 * or a body shorter than body_length); what a function of the exchange
 * returned.
 */
PST_MUST_USE enum pst_err http_client_run(struct http_client *http,
                                          struct pst_arena *arena,
                                          const struct http_exchange *exchange);

/* Why the last exchange failed, partly in curl's words: for the log, never for
 * a client. "" after a success. */
const char *http_client_error(const struct http_client *http);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * request.h - the CGI variables as slices, and the body as a stream
 * (RFC 3875; FastCGI gives the same names).
 */
#ifndef POSTERN_SERVER_REQUEST_H
#define POSTERN_SERVER_REQUEST_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

#define REQUEST_ID_LEN 16    /* hex digits */
#define REQUEST_TRACE_LEN 24 /* bytes: trace-id and parent-id */

/* Random bytes a request needs: drawn at once, for it is a system call. */
#define REQUEST_RANDOM_LEN (REQUEST_ID_LEN / 2 + REQUEST_TRACE_LEN)

/* Where the body comes from. */
struct request_source {
    /* Up to size bytes; *len 0 is the end. PST_OK or PST_CLIENT_GONE. */
    enum pst_err (*read)(void *context, char *out, size_t size, size_t *len);
    void *context;
    int descriptor; /* hangs up when the client goes; -1: none */
};

/*
 * One request. Every variable may be absent (L9). Slices point into the
 * server's own strings and live as long as the request.
 */
struct request {
    struct pst_arena *arena;
    const char *const *variables;     /* NAME=value, NULL at the end */
    char id[REQUEST_ID_LEN + 1];      /* random, in logs and error bodies */
    uint8_t trace[REQUEST_TRACE_LEN]; /* random, for a trace we begin */
    bool authorizer; /* FastCGI role: no body, Variable- answers */

    struct pst_str method;       /* REQUEST_METHOD; empty when none or bad */
    struct pst_str query;        /* QUERY_STRING */
    struct pst_str path_info;    /* PATH_INFO */
    struct pst_str content_type; /* whole, with parameters */
    int64_t content_length;      /* bytes; -1: not told; authorizer: 0 */
    struct pst_str remote_addr;

    struct pst_str cookie; /* HTTP_COOKIE, HTTP_AUTHORIZATION, … */
    struct pst_str authorization;
    struct pst_str origin;
    struct pst_str referer;
    struct pst_str sec_fetch_site;
    struct pst_str sec_fetch_mode;
    struct pst_str accept;

    struct request_source source;
    struct pst_str buffered; /* read ahead by request_peek_body() */
    size_t buffered_read;    /* bytes of it given out again */
    int64_t body_read;       /* bytes taken from source */
    int64_t max_body;        /* bytes */
    int64_t max_held;        /* bytes, of all requests together; 0: any */
    int64_t *reserved_bytes; /* of those, this request's; NULL: none yet */
};

/* What gateway/serve.c knows about a request before it is looked at. */
struct request_input {
    const char *const *variables;
    struct request_source source;
    bool authorizer;
    int64_t max_body;
    int64_t max_held; /* bytes that all requests of the process may hold of
                         their bodies (POSTERN_MAX_HELD); 0: any */
};

/*
 * Look at the variables.
 *   random  bytes for the request's id and its trace
 * Returns PST_OK; PST_MALFORMED (no or bad REQUEST_METHOD, a CONTENT_LENGTH
 * that is no number); PST_DUPLICATE (a variable we rely on stands twice:
 * header names that differ only in "-" and "_" meet in CGI, L16, L17);
 * PST_TOO_LARGE (CONTENT_LENGTH above max_body). Whatever it returns, id and
 * what could be read are set, so that the refusal can be logged and answered.
 */
PST_MUST_USE enum pst_err
request_init(struct request *req, struct pst_arena *arena,
             const struct request_input *origin,
             const uint8_t random[static REQUEST_RANDOM_LEN]);

/* A CGI variable by its name, such as "SERVER_NAME"; absent when not there. */
struct pst_str request_variable(const struct request *req, const char *name);

/*
 * A request header by its HTTP name, such as "Accept-Language"; absent when
 * it is not there, and when its variable stands twice, for then neither is to
 * be believed (L17). Content-Type and Content-Length are the variables of
 * those names: their HTTP_ forms are never looked at.
 */
struct pst_str request_header(const struct request *req, struct pst_str name);

/* Is method one of those named, such as "GET, POST"? */
bool request_has_method(const struct request *req, const char *methods);

/* Method is GET, HEAD or OPTIONS (RFC 9110 9.2.1; TRACE is nobody's). */
bool request_has_safe_method(const struct request *req);

/*
 * The media type without parameters, trimmed, as the client spelt it;
 * absent when there is none or it is no type "/" subtype.
 */
struct pst_str request_media_type(const struct request *req);

/*
 * Is the body's charset, where the type names one, UTF-8? JSON has no other,
 * but some backends decode what is asked for, and would read another text.
 */
bool request_has_utf8_charset(const struct request *req);

/* How the body is encoded (RFC 9110 section 8.4). */
enum request_content_coding {
    CONTENT_CODING_NONE,  /* not at all */
    CONTENT_CODING_GZIP,  /* gzip, or x-gzip, once (8.4.1.3) */
    CONTENT_CODING_OTHER, /* anything else: also deflate, which some read with
                     zlib's frame and some without it (8.4.1.2), and two of them
                   */
};

/*
 * By Content-Encoding; one that stands twice is none, and goes nowhere: no
 * backend hears of it either (request_header()).
 */
enum request_content_coding request_content_coding(const struct request *req);

/*
 * Does the client want a page: Sec-Fetch-Mode is navigate, or, where there is
 * none, Accept names text/html.
 */
bool request_is_navigation(const struct request *req);

/*
 * Our own origin, as a browser would spell it: `configured` if present. Else
 *   scheme  https when HTTPS is "on" or "1", or REQUEST_SCHEME is https
 *   host    SERVER_NAME, in lower case, an IPv6 address in brackets
 *   port    as in HTTP_HOST where its host is SERVER_NAME: a mapped port is
 *           known to the browser only, and Host is written by the browser,
 *           not by a page of another site; else SERVER_PORT
 * Absent when it cannot be told, or would not be a canonical origin.
 */
struct pst_str request_own_origin(const struct request *req,
                                  struct pst_str configured);

/*
 * Next piece of the body, what was read ahead first.
 * Returns PST_OK (*len 0 is the end), PST_CLIENT_GONE, PST_TOO_LARGE (over
 * max_body), PST_MALFORMED (shorter than CONTENT_LENGTH said).
 */
PST_MUST_USE enum pst_err request_read_body(struct request *req, char *out,
                                            size_t size, size_t *len);

/*
 * Read ahead up to max bytes and keep them, off the arena, for
 * request_read_body(). May be called again for more, but not once
 * request_read_body() has been, nor after a failure. head  set to what was
 * read; lives as long as the arena all   set true when that is known to be the
 * whole body (a body of unknown length and exactly max bytes is not yet known
 * to have ended) Returns as request_read_body(), PST_NO_MEMORY, and
 * PST_OVERLOADED (all requests together hold max_held bytes).
 */
PST_MUST_USE enum pst_err request_peek_body(struct request *req, size_t max,
                                            struct pst_str *head, bool *all);

/*
 * Count bytes among those that all requests hold together, until the arena is
 * reset: what is made of a body, such as another one.
 * Returns PST_OK, PST_OVERLOADED, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err request_reserve_bytes(struct request *req,
                                                size_t bytes);

/* The whole body, at most max bytes: request_peek_body() or PST_TOO_LARGE. */
PST_MUST_USE enum pst_err
request_read_whole_body(struct request *req, size_t max, struct pst_str *body);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * request.h - one HTTP request: the CGI variables of RFC 3875, which FastCGI
 * uses too, as string views.
 */
#ifndef POSTERN_SERVER_REQUEST_H
#define POSTERN_SERVER_REQUEST_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "server/request_variables.h"

#define REQUEST_ID_LEN 16    /* hex digits */
#define REQUEST_TRACE_LEN 24 /* bytes: trace-id and parent-id */

/* Random bytes that a request needs, drawn in one system call. */
#define REQUEST_RANDOM_LEN (REQUEST_ID_LEN / 2 + REQUEST_TRACE_LEN)

/* Where the body is read from. */
struct request_source {
    /* Read up to size bytes; *len 0 is the end. PST_OK, PST_CLIENT_GONE,
     * PST_BODY_LATE. */
    enum pst_err (*read)(void *context, char *out, size_t size, size_t *len);
    void *context;
    int descriptor; /* hangs up when the client is gone; -1: none */
};

/*
 * One request. Every variable may be absent. Views point into the web server's
 * own strings and live as long as the request.
 */
struct request {
    struct pst_arena *arena;
    struct request_variables variables;
    char id[REQUEST_ID_LEN + 1];      /* random; in logs and error bodies */
    uint8_t trace[REQUEST_TRACE_LEN]; /* random; for a trace begun here */
    bool authorizer; /* FastCGI role: no body, Variable- headers */

    struct pst_str method;       /* REQUEST_METHOD; empty: none or invalid */
    struct pst_str query;        /* QUERY_STRING */
    struct pst_str path_info;    /* PATH_INFO */
    struct pst_str content_type; /* with its parameters */
    int64_t content_length;      /* bytes; -1: unknown; authorizer: 0 */
    struct pst_str remote_addr;

    struct pst_str cookie; /* HTTP_COOKIE, HTTP_AUTHORIZATION, … */
    struct pst_str authorization;
    struct pst_str origin;
    struct pst_str referer;
    struct pst_str sec_fetch_site;
    struct pst_str sec_fetch_mode;
    struct pst_str accept;

    struct request_source source;
    struct pst_str body;     /* read whole; absent: it was not */
    int64_t body_read;       /* bytes read from source */
    int64_t max_body;        /* bytes */
    int64_t max_held;        /* bytes, of all requests together; 0: no limit */
    int64_t *reserved_bytes; /* of those, this request's; NULL: none yet */
};

/* What a request is made from: by engine/fcgi.c and engine/cgi.c. */
struct request_input {
    const char *const *variables;
    struct request_source source;
    bool authorizer;
    int64_t max_body;
    int64_t max_held; /* bytes of their bodies that all requests of the process
                         may hold (POSTERN_MAX_HELD); 0: no limit */
    bool is_overloaded; /* too many requests run: refuse it */
};

/*
 * Make a request from the variables.
 *   random  bytes for the request's id and its trace
 * Returns PST_OK; PST_MALFORMED (REQUEST_METHOD is missing or invalid, or
 * CONTENT_LENGTH is not a number); PST_DUPLICATE (a variable that decisions
 * depend on is set twice: header names that differ only in "-" and "_" become
 * one name in CGI); PST_TOO_LARGE (CONTENT_LENGTH above max_body). Whatever it
 * returns, the id and all valid variables are set, so that the refusal can be
 * logged and answered.
 */
PST_MUST_USE enum pst_err
request_init(struct request *req, struct pst_arena *arena,
             const struct request_input *input,
             const uint8_t random[static REQUEST_RANDOM_LEN]);

/* A CGI variable by its name, such as "SERVER_NAME"; absent when not set. */
struct pst_str request_variable(const struct request *req, const char *name);

/*
 * A request header by its HTTP name, such as "Accept-Language"; absent when
 * it is not set, and when its variable is set twice, because then neither can
 * be trusted. Content-Type and Content-Length are the variables of those
 * names: their HTTP_ forms are never used.
 */
struct pst_str request_header(const struct request *req, struct pst_str name);

/* Is the method one of these, such as "GET, POST"? */
bool request_has_method(const struct request *req, const char *methods);

/* Is the method GET, HEAD or OPTIONS? RFC 9110 section 9.2.1 has TRACE too,
 * which nothing here answers. */
bool request_has_safe_method(const struct request *req);

/*
 * The media type without parameters, as the client wrote it; absent when
 * there is none or it is not type "/" subtype.
 */
struct pst_str request_media_type(const struct request *req);

/*
 * Is the charset of the body UTF-8 or not named? JSON is always UTF-8, but some
 * backends decode by the charset, and would read another text than we did.
 */
bool request_has_utf8_charset(const struct request *req);

/* How the body is encoded (RFC 9110 section 8.4). */
enum request_content_coding {
    CONTENT_CODING_NONE,  /* not encoded */
    CONTENT_CODING_GZIP,  /* gzip, or x-gzip, once (8.4.1.3) */
    CONTENT_CODING_OTHER, /* anything else: several codings; deflate too, which
                             some read with zlib's frame and some without it
                             (8.4.1.2) */
};

/*
 * The coding in Content-Encoding. One that is set twice counts as none, and is
 * not forwarded to a backend either (request_header()).
 */
enum request_content_coding request_content_coding(const struct request *req);

/* Does Accept name this media type itself, in any case, with a weight other
 * than 0? */
bool request_accepts(const struct request *req, struct pst_str type);

/*
 * Does the client want an HTML page? It does if Sec-Fetch-Mode is navigate or,
 * without that header, if Accept contains text/html.
 */
bool request_is_navigation(const struct request *req);

#endif

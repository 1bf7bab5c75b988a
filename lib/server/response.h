/* SPDX-License-Identifier: ISC */
/*
 * response.h - an answer into which no CR, LF or NUL can enter.
 *
 * Headers are set by name, so none stands twice: no second Cache-Control, and
 * no second Set-Cookie of one cookie. Nothing leaves before response_begin();
 * after it, only body does.
 */
#ifndef POSTERN_SERVER_RESPONSE_H
#define POSTERN_SERVER_RESPONSE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"
#include "server/request.h"

#define RESPONSE_HEADERS_MAX 64

/* Where the answer goes. Both return PST_OK or PST_CLIENT_GONE. */
struct response_sink {
    enum pst_err (*write)(void *context, struct pst_str piece);
    enum pst_err (*flush)(void *context);
    void *context;
};

struct response_header {
    struct pst_str name;
    struct pst_str value;
};

struct response {
    struct pst_arena *arena;
    struct response_sink sink;
    int status; /* 200 until set */
    struct response_header headers[RESPONSE_HEADERS_MAX];
    size_t header_count;
    bool begun;
    enum pst_err deferred_error; /* the first header that could not be set */
    struct pst_str challenge;    /* what a 401 asks for where nothing else was
                                     set; outlives the reply */
    char length_digits[24]; /* digits of Content-Length, for response_send() */
};

/* Status 200; Cache-Control: no-store, X-Content-Type-Options: nosniff. */
void response_init(struct response *res, struct pst_arena *arena,
                   const struct response_sink *sink);

/*
 * Back to what response_init() made, but for headers whose names are in `keep`
 * (an array ending in an absent text; NULL: none), so that an error does not
 * carry half of another answer. What response_set_header() ran into is
 * forgotten too. Not after response_begin().
 */
void response_reset(struct response *res, const struct pst_str *keep);

/* 200..599; any other makes response_begin() give PST_INTERNAL. */
void response_set_status(struct response *res, int status);

/*
 * Set a header, in the place of one of that name (in any case).
 *   name   a token, copied into the arena; not Status, which is the server's
 *          own word in CGI, not Location, which only response_redirect() sets,
 *          and not Set-Cookie: response_set_cookie()
 *   value  a field value (HTAB but no CR, LF, NUL or other control byte),
 *          copied too; an empty one is kept, an absent one is malformed
 * Returns PST_OK, PST_MALFORMED, PST_NO_MEMORY, PST_TOO_LARGE (more than
 * RESPONSE_HEADERS_MAX headers, or PST_HEADERS_MAX bytes of them).
 */
PST_MUST_USE enum pst_err response_try_set_header(struct response *res,
                                                  struct pst_str name,
                                                  struct pst_str value);

/* The same, with the outcome kept for response_begin(): for values of our own.
 */
void response_set_header(struct response *res, struct pst_str name,
                         struct pst_str value);

/*
 * Add a Set-Cookie line after all others. One of the same cookie (name, Domain,
 * Path, Partitioned) that was there before is taken away (R37): of what is
 * said of a cookie the last counts. The outcome is kept for response_begin().
 */
void response_set_cookie(struct response *res, struct pst_str line);

/* Take a header away; nothing when it is not there. */
void response_remove_header(struct response *res, struct pst_str name);

/* A header's value, absent when not set; of several cookies the first. */
struct pst_str response_get_header(const struct response *res,
                                   struct pst_str name);

/*
 * Add names ("Origin, Cookie") to Vary, each once; "*" swallows all. Words
 * that are no token are left out: a backend's Vary is merged here too.
 */
void response_add_vary(struct response *res, struct pst_str names);

/*
 * Send Status and the headers, a 401 with WWW-Authenticate, without
 * Content-Length where there can be no body (204, 304), and without
 * Content-Type for 204. Returns PST_OK, PST_CLIENT_GONE, or what
 * response_set_header() ran into, with nothing sent.
 */
PST_MUST_USE enum pst_err response_begin(struct response *res);

/* Send a piece of body; response_begin() first. Nothing for 204 and 304. */
PST_MUST_USE enum pst_err response_write(struct response *res,
                                         struct pst_str piece);

/* Push what was written towards the client now. */
PST_MUST_USE enum pst_err response_flush(struct response *res);

/*
 * A whole answer: status, type, length, body. Takes nothing from the arena,
 * so that a spent one can still be told of.
 *   type  such as "application/json; charset=utf-8"
 */
PST_MUST_USE enum pst_err response_send(struct response *res, int status,
                                        struct pst_str type,
                                        struct pst_str body);

/* response_send() with JSON. */
PST_MUST_USE enum pst_err response_send_json(struct response *res, int status,
                                             struct pst_str body);

/*
 * 303 to a local path, with no body.
 *   target    where it should go; not believed
 *   fallback  local, from the configuration: where it goes when target is
 *             not local (http/redirect.h decides, here and nowhere else)
 */
PST_MUST_USE enum pst_err response_redirect(struct response *res,
                                            struct pst_str target,
                                            struct pst_str fallback);

/* The body of an error, {"errors":[…]}: for page_send_error() and tests. */
void response_emit_error(struct pst_buf *buf, const struct request *req,
                         enum pst_err e);

#endif

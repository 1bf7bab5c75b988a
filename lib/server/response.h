/* SPDX-License-Identifier: ISC */
/*
 * response.h - an answer into which no CR, LF or NUL can enter.
 *
 * Headers are set by name, so none stands twice: no second Cache-Control, and
 * no second Set-Cookie of one cookie. Nothing leaves before reply_begin();
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

#define REPLY_HEADERS_MAX 64

/* Where the answer goes. Both return PST_OK or PST_CLIENT_GONE. */
struct reply_sink {
    enum pst_err (*write)(void *context, struct pst_text piece);
    enum pst_err (*flush)(void *context);
    void *context;
};

struct reply_header {
    struct pst_text name;
    struct pst_text value;
};

struct reply {
    struct pst_arena *arena;
    struct reply_sink sink;
    int status; /* 200 until set */
    struct reply_header headers[REPLY_HEADERS_MAX];
    size_t header_count;
    bool begun;
    enum pst_err refused;      /* the first header that could not be set */
    struct pst_text challenge; /* what a 401 asks for where nothing else was
                                  set; outlives the reply */
    char length[24];           /* digits of Content-Length, for reply_whole() */
};

/* Status 200; Cache-Control: no-store, X-Content-Type-Options: nosniff. */
void reply_init(struct reply *rep, struct pst_arena *arena,
                const struct reply_sink *sink);

/*
 * Back to what reply_init() made, but for headers whose names are in `keep` (an
 * array ending in an absent text; NULL: none), so that an error does not carry
 * half of another answer. What reply_put() ran into is forgotten too. Not after
 * reply_begin().
 */
void reply_reset(struct reply *rep, const struct pst_text *keep);

/* 200..599; any other makes reply_begin() give PST_INTERNAL. */
void reply_set_status(struct reply *rep, int status);

/*
 * Set a header, in the place of one of that name (in any case).
 *   name   a token, copied into the arena; not Status, which is the server's
 *          own word in CGI, not Location, which only reply_redirect() sets,
 *          and not Set-Cookie: reply_put_cookie()
 *   value  a field value (HTAB but no CR, LF, NUL or other control byte),
 *          copied too; an empty one is kept, an absent one is malformed
 * Returns PST_OK, PST_MALFORMED, PST_NO_MEMORY, PST_TOO_LARGE (more than
 * REPLY_HEADERS_MAX headers, or PST_HEADERS_MAX bytes of them).
 */
PST_MUST_USE enum pst_err reply_set(struct reply *rep, struct pst_text name,
                                    struct pst_text value);

/* The same, with the outcome kept for reply_begin(): for values of our own. */
void reply_put(struct reply *rep, struct pst_text name, struct pst_text value);

/*
 * Add a Set-Cookie line after all others. One of the same cookie (name, Domain,
 * Path, Partitioned) that was there before is taken away (R37): of what is
 * said of a cookie the last counts. The outcome is kept for reply_begin().
 */
void reply_put_cookie(struct reply *rep, struct pst_text line);

/* Take a header away; nothing when it is not there. */
void reply_unset(struct reply *rep, struct pst_text name);

/* A header's value, absent when not set; of several cookies the first. */
struct pst_text reply_get(const struct reply *rep, struct pst_text name);

/*
 * Add names ("Origin, Cookie") to Vary, each once; "*" swallows all. Words
 * that are no token are left out: a backend's Vary is merged here too.
 */
void reply_vary(struct reply *rep, struct pst_text names);

/*
 * Send Status and the headers, a 401 with WWW-Authenticate, without
 * Content-Length where there can be no body (204, 304), and without
 * Content-Type for 204. Returns PST_OK, PST_CLIENT_GONE, or what reply_put()
 * ran into, with nothing sent.
 */
PST_MUST_USE enum pst_err reply_begin(struct reply *rep);

/* Send a piece of body; reply_begin() first. Nothing for 204 and 304. */
PST_MUST_USE enum pst_err reply_write(struct reply *rep, struct pst_text piece);

/* Push what was written towards the client now. */
PST_MUST_USE enum pst_err reply_flush(struct reply *rep);

/*
 * A whole answer: status, type, length, body. Takes nothing from the arena,
 * so that a spent one can still be told of.
 *   type  such as "application/json; charset=utf-8"
 */
PST_MUST_USE enum pst_err reply_whole(struct reply *rep, int status,
                                      struct pst_text type,
                                      struct pst_text body);

/* reply_whole() with JSON. */
PST_MUST_USE enum pst_err reply_json(struct reply *rep, int status,
                                     struct pst_text body);

/*
 * 303 to a local path, with no body.
 *   target    where it should go; not believed
 *   fallback  local, from the configuration: where it goes when target is
 *             not local (http/redirect.h decides, here and nowhere else)
 */
PST_MUST_USE enum pst_err reply_redirect(struct reply *rep,
                                         struct pst_text target,
                                         struct pst_text fallback);

/* The body of an error, {"errors":[…]}: for page_error() and tests. */
void reply_emit_error(struct pst_buf *buf, const struct request *req,
                      enum pst_err e);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * response.h - one HTTP response: set its status and headers, then send it with
 * its body.
 *
 * Its headers are set by name (server/response_headers.h). Nothing is sent
 * before response_begin(); after it, only the body is.
 */
#ifndef POSTERN_SERVER_RESPONSE_H
#define POSTERN_SERVER_RESPONSE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"
#include "server/request.h"
#include "server/response_headers.h"

/* Where the response is written. All return PST_OK or PST_CLIENT_GONE. */
struct response_sink {
    enum pst_err (*write)(void *context, struct pst_str piece);
    enum pst_err (*flush)(void *context);
    void *context;
    /* Send what is left and the end of the response, in one piece if possible:
     * nothing is written after it. NULL: flush() does so. */
    enum pst_err (*finish)(void *context);
    /* Forget all that was written. False: some of it was sent. NULL: false. */
    bool (*discard)(void *context);
};

struct response {
    struct pst_arena *arena;
    struct response_sink sink;
    int status; /* 200 until set */
    struct response_header headers[RESPONSE_HEADERS_MAX];
    size_t header_count;
    bool begun;
    enum pst_err deferred_error; /* the first header that could not be set */
    enum pst_err error;          /* what the response tells, for the log */
    struct pst_str challenge;    /* the default WWW-Authenticate of a 401; must
                                    outlive the response */
    char length_digits[24];      /* Content-Length, for response_send() */
};

/* Status 200; Cache-Control: no-store, X-Content-Type-Options: nosniff. */
void response_init(struct response *res, struct pst_arena *arena,
                   const struct response_sink *sink);

/*
 * Undo everything since response_init(), so that an error response contains
 * nothing of another one. Deferred errors are forgotten too. Not after
 * response_begin().
 *   keep_names  headers that stay: an array that ends in an absent text; NULL:
 *               none
 */
void response_reset(struct response *res, const struct pst_str *keep_names);

/* Set the status, 200..599; with any other, response_begin() returns
 * PST_INTERNAL. */
void response_set_status(struct response *res, int status);

/*
 * Send Status and the headers. A 401 gets a WWW-Authenticate; 204 and 304,
 * which have no body, lose Content-Length, and 204 loses Content-Type.
 * Returns PST_OK, PST_CLIENT_GONE, or the first deferred error, and then
 * nothing was sent.
 */
PST_MUST_USE enum pst_err response_begin(struct response *res);

/* Send a piece of the body, after response_begin(). Does nothing for 204 and
 * 304. Returns PST_OK or PST_CLIENT_GONE. */
PST_MUST_USE enum pst_err response_write(struct response *res,
                                         struct pst_str piece);

/* Send what was written to the client now. PST_OK or PST_CLIENT_GONE. */
PST_MUST_USE enum pst_err response_flush(struct response *res);

/* The same for the last time: the response is complete. */
PST_MUST_USE enum pst_err response_finish(struct response *res);

/* Take back a response that has begun, if nothing of it was sent. Returns
 * whether response_reset() may be called now. */
PST_MUST_USE bool response_discard(struct response *res);

/*
 * Send a whole response: status, type, length, body. Uses no memory of the
 * arena, so that the error of a full one can still be sent.
 *   type  such as "application/json; charset=utf-8"
 * Returns as response_begin() and response_write().
 */
PST_MUST_USE enum pst_err response_send(struct response *res, int status,
                                        struct pst_str type,
                                        struct pst_str body);

/* response_send() with JSON. */
PST_MUST_USE enum pst_err response_send_json(struct response *res, int status,
                                             struct pst_str body);

/*
 * Redirect with a 303 to a local path, without a body.
 *   target    the path that was asked for; it is not trusted
 *   fallback  a local path from the configuration, used if target is not
 *             local (http/redirect.h decides it, here and nowhere else: an
 *             open redirect would send users to a stranger's login page)
 * Returns as response_begin().
 */
PST_MUST_USE enum pst_err response_redirect(struct response *res,
                                            struct pst_str target,
                                            struct pst_str fallback);

/* The response tells of this error: keep it for the log, and set the headers
 * that it must have: Retry-After, if the client may try again soon. */
void response_set_error(struct response *res, enum pst_err e);

/* Write the body of an error, {"errors":[…]}. */
void response_emit_error(struct pst_buf *buf, const struct request *req,
                         enum pst_err e);

#endif

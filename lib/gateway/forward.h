/* SPDX-License-Identifier: ISC */
/*
 * forward.h - pass a request to the backend with the session's token, and
 * its answer back: streamed, or held when we have to look at it.
 *
 * Allow-lists both ways (design 2.8). Never passed: cookies, Authorization,
 * Proxy, hop-by-hop headers, and our own names.
 */
#ifndef POSTERN_GATEWAY_FORWARD_H
#define POSTERN_GATEWAY_FORWARD_H

#include "gateway/context.h"
#include "upstream/credentials.h"

/* What goes along with a request beside the token (design 2.8). */
enum forward_headers {
    FORWARD_CLIENT, /* the client's request: its headers that are listed */
    FORWARD_LOGIN,  /* our own, for the client: language and channel */
    FORWARD_WHO,    /* our own, for ourselves: nothing of the client's */
};

/* A request to the backend. */
struct forward_request {
    struct pst_text method;
    struct pst_text query; /* absent: none */
    struct pst_text body;  /* whole; absent: what read() gives, or none */
    struct pst_text type;  /* Content-Type of the body; absent: JSON */
    struct pst_text
        upstream; /* from the session (upstream/credentials.h); absent: none */
    enum forward_headers headers;

    /* A body that is streamed, of unknown length: as request_read(). */
    enum pst_err (*read)(void *context, char *out, size_t size, size_t *len);
    void *context;
};

/* How many headers of the backend's may pass to the client. */
#define FORWARD_BACK_COUNT 9

/* A held answer. Slices live as long as the request's arena. */
struct forward_answer {
    int status;
    struct jar_news news;     /* about the backend's session */
    bool encoded;             /* Content-Encoding other than identity */
    struct pst_text location; /* of a redirect, for the log */
    struct reply_header headers[FORWARD_BACK_COUNT]; /* allowed ones only */
    size_t header_count;
    struct pst_text body;
};

/* Who is told of the answer's head, before anything of it goes out. */
struct forward_follow {
    enum pst_err (*head)(void *context, const struct jar_news *news);
    void *context;
};

/*
 * Send the request and stream the answer into the reply.
 *   follow  may be NULL; an error it returns is the result. It may make a
 *           request of its own: forward_hold()
 * Returns what upstream_run() does, PST_TOO_LARGE among it (the client's body);
 * PST_UPSTREAM_BROKEN for a redirect. rep->begun tells whether anything left.
 */
PST_MUST_USE enum pst_err forward_stream(struct gate *gate, struct request *req,
                                         struct reply *rep,
                                         const struct forward_request *what,
                                         const struct forward_follow *follow);

/*
 * The same, with the answer held: at most PST_HOLD_MAX bytes, and not
 * encoded, as far as the backend heeds that.
 *   answer  to be used on PST_OK only
 * Returns as forward_stream(); PST_UPSTREAM_BROKEN when the answer is larger.
 */
PST_MUST_USE enum pst_err forward_hold(struct gate *gate, struct request *req,
                                       const struct forward_request *what,
                                       struct forward_answer *answer);

/*
 * Send a held answer: its status and allowed headers, with `body` in the
 * place of its own (ETag dropped when they differ: a body that is encoded is
 * to be sent as it is).
 * Returns PST_OK or what reply_begin() and reply_write() do.
 */
PST_MUST_USE enum pst_err forward_relay(struct reply *rep,
                                        const struct forward_answer *answer,
                                        struct pst_text body);

#endif

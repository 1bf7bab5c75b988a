/* SPDX-License-Identifier: ISC */
/*
 * forward.h - pass a request to the backend with the session's token, and
 * its answer back: streamed, or held when we have to look at it.
 *
 * Allow-lists both ways (design 2.8). Never passed: cookies, Authorization,
 * Proxy, hop-by-hop headers, and our own names.
 */
#ifndef GATE_FORWARD_H
#define GATE_FORWARD_H

#include "gate.h"
#include "jar.h"

/* A request to the backend, made by us or passed on. */
struct forward_request {
    struct pst_text method;
    struct pst_text query;    /* absent: none */
    struct pst_text body;     /* absent: the client's, streamed */
    struct pst_text upstream; /* from the session (jar.h); absent: none */

    /* Sees each piece of the client's body before it is sent, if it is not
     * NULL. An error ends the exchange: the piece is not sent, and the backend
     * sees a broken upload, never a complete one. */
    enum pst_err (*watch)(void *context, struct pst_text piece);
    void *watching; /* its context */
    bool own;       /* made by us: of the client's headers, only those
                       about language and channel go along */
};

/* How many headers of the backend's may pass to the client. */
#define FORWARD_BACK_COUNT 9

/* A held answer. Slices live as long as the request's arena. */
struct forward_answer {
    int status;
    struct jar_news news; /* about the backend's session */
    bool encoded;         /* Content-Encoding other than identity */
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
 * Stream the client's request to the backend and the answer into the reply.
 *   follow  may be NULL; an error it returns is the result
 * Returns what upstream_run() does, PST_TOO_LARGE among it (the client's body),
 * or PST_NO_RANDOM. rep->begun tells whether anything left.
 */
PST_MUST_USE enum pst_err forward_stream(struct gate *gate, struct request *req,
                                         struct reply *rep,
                                         const struct forward_request *what,
                                         const struct forward_follow *follow);

/*
 * The same, with the answer held: at most PST_HOLD_MAX octets, and not
 * encoded (Accept-Encoding is not passed).
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

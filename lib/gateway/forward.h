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
    struct pst_str method;
    struct pst_str query; /* absent: none */
    struct pst_str body;  /* whole; absent: what read() gives, or none */
    struct pst_str type;  /* Content-Type of the body; absent: JSON */
    struct pst_str
        upstream; /* from the session (upstream/credentials.h); absent: none */
    enum forward_headers headers;

    /* A body that is streamed, of unknown length: as request_read_body(). */
    enum pst_err (*read)(void *context, char *out, size_t size, size_t *len);
    void *context;
};

/* How many headers of the backend's may pass to the client. */
#define FORWARD_RESPONSE_HEADERS 9

/* A held answer. Slices live as long as the request's arena. */
struct forward_response {
    int status;
    struct credentials_update update; /* about the backend's session */
    bool encoded;                     /* Content-Encoding other than identity */
    struct pst_str location;          /* of a redirect, for the log */
    struct response_header
        headers[FORWARD_RESPONSE_HEADERS]; /* allowed ones only */
    size_t header_count;
    struct pst_str body;
};

/* Who is told of the answer's head, before anything of it goes out. */
struct forward_hook {
    enum pst_err (*head)(void *context,
                         const struct credentials_update *update);
    void *context;
};

/*
 * Send the request and stream the answer into the reply.
 *   hook  may be NULL; an error it returns is the result. It may make a
 *           request of its own: forward_buffered()
 * Returns what http_client_run() does, PST_TOO_LARGE among it (the client's
 * body); PST_UPSTREAM_BROKEN for a redirect. res->begun tells whether anything
 * left.
 */
PST_MUST_USE enum pst_err forward_stream(struct context *ctx,
                                         struct request *req,
                                         struct response *res,
                                         const struct forward_request *outgoing,
                                         const struct forward_hook *hook);

/*
 * The same, with the answer held: at most PST_BUFFERED_BODY_MAX bytes, and not
 * encoded, as far as the backend heeds that.
 *   response  to be used on PST_OK only
 * Returns as forward_stream(); PST_UPSTREAM_BROKEN when the answer is larger.
 */
PST_MUST_USE enum pst_err
forward_buffered(struct context *ctx, struct request *req,
                 const struct forward_request *outgoing,
                 struct forward_response *response);

/*
 * Send a held answer: its status and allowed headers, with `body` in the
 * place of its own (ETag dropped when they differ: a body that is encoded is
 * to be sent as it is).
 * Returns PST_OK or what response_begin() and response_write() do.
 */
PST_MUST_USE enum pst_err
forward_send_response(struct response *res,
                      const struct forward_response *response,
                      struct pst_str body);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * forward.h - send a request to the backend with the session's credentials,
 * and return its response: streamed, or buffered where we have to read it.
 *
 * Headers pass by allow-lists in both directions. Never passed: cookies,
 * Authorization, Proxy, hop-by-hop headers, and our own.
 */
#ifndef POSTERN_GATEWAY_FORWARD_H
#define POSTERN_GATEWAY_FORWARD_H

#include "gateway/context.h"
#include "gateway/forward_response.h"

/* Whose headers go along with a request. */
enum forward_headers {
    FORWARD_CLIENT, /* the client's request: its headers that are listed */
    FORWARD_LOGIN,  /* our own, for the client: language and channel */
    FORWARD_WHO,    /* our own: nothing of the client's */
};

/* A request to the backend. */
struct forward_request {
    struct pst_str method;
    struct pst_str query;    /* absent: none */
    struct pst_str body;     /* whole; absent: what read() returns, or none */
    struct pst_str type;     /* Content-Type of the body; absent: JSON */
    struct pst_str upstream; /* from the session (upstream/credentials.h);
                                absent: none */
    enum forward_headers headers;
    bool has_mutation;  /* else it only reads */
    bool is_detached;   /* goes on when the client has gone */
    bool is_repeatable; /* only queries: it may be sent twice when a kept
                           connection turns out to be closed */

    /* A streamed body of unknown length, like request_read_body(). */
    enum pst_err (*read)(void *context, char *out, size_t size, size_t *len);
    void *context;
};

/* Called with the head of a streamed response, before anything is sent. */
struct forward_hook {
    enum pst_err (*head)(void *context,
                         const struct credentials_update *update);
    void *context;
};

/*
 * Send the request, and stream the response to the client.
 *   hook  may be NULL. An error it returns is the result. It may make a
 *         request of its own with forward_buffered()
 * Returns what http_client_run() returns, such as PST_TOO_LARGE for the
 * client's body; PST_UPSTREAM_BROKEN for a redirect. After an error res->begun
 * says whether a part of the response was sent.
 */
PST_MUST_USE enum pst_err forward_stream(struct context *ctx,
                                         struct request *req,
                                         struct response *res,
                                         const struct forward_request *outgoing,
                                         const struct forward_hook *hook);

/*
 * Send the request, and read the response: at most PST_BUFFERED_BODY_MAX bytes.
 * The backend is asked not to encode it; gzip is decoded all the same.
 *   response  usable on PST_OK only
 * Returns as forward_stream(); PST_UPSTREAM_BROKEN when the body is larger.
 */
PST_MUST_USE enum pst_err
forward_buffered(struct context *ctx, struct request *req,
                 const struct forward_request *outgoing,
                 struct forward_response *response);

#endif

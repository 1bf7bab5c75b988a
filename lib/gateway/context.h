/* SPDX-License-Identifier: ISC */
/*
 * context.h - what one worker carries from request to request.
 */
#ifndef POSTERN_GATEWAY_CONTEXT_H
#define POSTERN_GATEWAY_CONTEXT_H

#include "base/error.h"
#include "crypto/keyring.h"
#include "server/config.h"
#include "server/log.h"
#include "server/request.h"
#include "server/response.h"
#include "store/store.h"
#include "upstream/http_client.h"

struct documents;

struct context {
    const struct config *config;
    const struct pst_keyring *ring;
    struct log *log;
    struct http_client *upstream; /* this worker's own */
    struct http_client
        *upstream_nested;  /* for a request within one (gateway/forward.c);
                          NULL until it is needed */
    bool is_upstream_busy; /* upstream is at work */
    struct store *store;   /* this worker's own; NULL: none */
    struct documents *documents; /* the process's own (gateway/documents.h) */
    int64_t store_answered_at;   /* unix seconds; when it last did */
    int64_t now;                 /* unix seconds, read once for each request */
    enum pst_err (*random)(void *out, size_t len); /* pst_crypto_random() */
};

/*
 * What a program does with one request. An error it returns before the reply
 * has begun becomes the answer (gateway/page.h); after that, the answer is cut
 * off.
 */
typedef enum pst_err handler_fn(struct context *ctx, struct request *req,
                                struct response *res);

#endif

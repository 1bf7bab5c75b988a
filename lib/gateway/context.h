/* SPDX-License-Identifier: ISC */
/*
 * context.h - what a handler gets besides request and response: configuration,
 * keys, and its event loop's connections to backend and store.
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

struct confirmed_sessions;
struct document_lookup;
struct store_lock;

/* One for each request. */
struct context {
    const struct config *config;
    const struct pst_keyring *ring; /* the same one for a whole request */
    struct log *log;
    struct http_client *upstream;      /* its event loop's */
    struct store *store;               /* the same; NULL: none is configured */
    struct document_lookup *documents; /* shared by all loops */
    struct confirmed_sessions *confirmed; /* the same; NULL: no grace */
    struct store_lock *order;   /* gateway/session_order.h; NULL: not held */
    struct store_lock *refresh; /* gateway/session_refresh.h; likewise */
    int64_t now;                /* unix seconds, read once for each request */
    int64_t started_ms;         /* wait_now() at that time; 0: unknown */
    enum pst_err (*random)(void *out, size_t len); /* random_block_get() */
};

/*
 * What a program does with one request. If it returns an error before the
 * response has begun, the error is the answer (gateway/page.h); after that,
 * the answer is cut off.
 */
typedef enum pst_err handler_fn(struct context *ctx, struct request *req,
                                struct response *res);

#endif

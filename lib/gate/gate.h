/* SPDX-License-Identifier: ISC */
/*
 * gate.h - what one worker carries from request to request.
 */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include "config.h"
#include "err.h"
#include "keyring.h"
#include "log.h"
#include "reply.h"
#include "request.h"
#include "store.h"
#include "upstream.h"

struct documents;

struct gate {
    const struct config *config;
    const struct pst_keyring *ring;
    struct log *log;
    struct upstream *upstream;       /* this worker's own */
    struct upstream *upstream_aside; /* for a request within one (forward.c);
                                        NULL until it is needed */
    bool is_exchanging;              /* upstream is at work */
    struct store *store;             /* this worker's own; NULL: none */
    struct documents *documents;     /* the process's own (documents.h) */
    int64_t store_answered;          /* unix seconds; when it last did */
    int64_t now; /* unix seconds, read once for each request */
    enum pst_err (*random)(void *out, size_t len); /* pst_crypt_random() */
};

/*
 * What a program does with one request. An error it returns before the reply
 * has begun becomes the answer (page.h); after that, the answer is cut off.
 */
typedef enum pst_err gate_handler(struct gate *gate, struct request *req,
                                  struct reply *rep);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * keyring_cache.h - the ring in use, changed under running requests: secrets
 * are rotated without a restart and without logging anyone out.
 *
 * A file of secrets is looked at once a second, when a request comes, and on
 * SIGHUP. What is wrong with a new one is logged, and the old one stays.
 */
#ifndef POSTERN_SERVER_KEYRING_CACHE_H
#define POSTERN_SERVER_KEYRING_CACHE_H

#include "base/error.h"
#include "crypto/keyring.h"
#include "server/config.h"
#include "server/log.h"

struct keys;

/* A ring while somebody uses it. */
struct keys_held;

/*
 * Begin with the secrets as their file has them now, or with the
 * configuration's own ring; configuration and log must outlive this.
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
keys_new(struct keys **out, const struct config *config, struct log *log);

/* Nobody may hold a ring any longer. */
void keys_free(struct keys **keys);

/* The ring to use for one request, until keys_give(). now: unix seconds. */
struct keys_held *keys_take(struct keys *keys, int64_t now);
void keys_give(struct keys *keys, struct keys_held *held);
const struct pst_keyring *keys_ring(const struct keys_held *held);

/* Read the file again, whether it looks changed or not. */
void keys_reload(struct keys *keys);

#endif

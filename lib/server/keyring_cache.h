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

struct keyring_cache;

/* A ring while somebody uses it. */
struct keyring_cache_entry;

/*
 * Begin with the secrets as their file has them now, or with the
 * configuration's own ring; configuration and log must outlive this.
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err keyring_cache_new(struct keyring_cache **out,
                                            const struct config *config,
                                            struct log *log);

/* Nobody may hold a ring any longer. */
void keyring_cache_free(struct keyring_cache **cache);

/* The ring to use for one request, until keyring_cache_release(). now: unix
 * seconds. */
struct keyring_cache_entry *keyring_cache_acquire(struct keyring_cache *cache,
                                                  int64_t now);
void keyring_cache_release(struct keyring_cache *cache,
                           struct keyring_cache_entry *entry);
const struct pst_keyring *
keyring_cache_ring(const struct keyring_cache_entry *entry);

/* Read the file again, whether it looks changed or not. */
void keyring_cache_reload(struct keyring_cache *cache);

#endif

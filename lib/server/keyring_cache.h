/* SPDX-License-Identifier: ISC */
/*
 * keyring_cache.h - the keyring in use, reloaded while requests run: secrets
 * are rotated without a restart and without logging anyone out.
 *
 * The file of secrets is checked for a change at most once a second, when a
 * request comes, and read again on SIGHUP. If the new one is wrong, that is
 * logged, and the old keyring stays in use.
 */
#ifndef POSTERN_SERVER_KEYRING_CACHE_H
#define POSTERN_SERVER_KEYRING_CACHE_H

#include "base/error.h"
#include "crypto/keyring.h"
#include "server/config.h"
#include "server/log.h"

struct keyring_cache;

/* A keyring, kept as long as a request uses it. */
struct keyring_cache_entry;

/*
 * Make a cache with the secrets that the file has now or, if it is wrong or
 * there is none, with the configuration's keyring.
 *   config, log  must outlive the cache
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err keyring_cache_new(struct keyring_cache **out,
                                            const struct config *config,
                                            struct log *log);

/* Every entry must have been released. */
void keyring_cache_free(struct keyring_cache **cache);

/* The keyring for one request, until keyring_cache_release(). Any thread.
 *   now  unix seconds */
struct keyring_cache_entry *keyring_cache_acquire(struct keyring_cache *cache,
                                                  int64_t now);
void keyring_cache_release(struct keyring_cache *cache,
                           struct keyring_cache_entry *entry);
const struct pst_keyring *
keyring_cache_ring(const struct keyring_cache_entry *entry);

/* Read the file again, even if it seems unchanged. */
void keyring_cache_reload(struct keyring_cache *cache);

#endif

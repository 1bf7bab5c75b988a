/* SPDX-License-Identifier: ISC */
/*
 * keyring_cache.h - keep the keys of the secret file in memory, and reload them
 * when the file changes.
 *
 * So secrets are rotated without a restart and without ending sessions. The
 * file is checked when a request arrives, at most once a second, and read again
 * on SIGHUP. If a new file is invalid, that is logged, and the old keys stay in
 * use; also while a disk does not answer. A request keeps the keys it has begun
 * with.
 */
#ifndef POSTERN_SERVER_KEYRING_CACHE_H
#define POSTERN_SERVER_KEYRING_CACHE_H

#include "base/error.h"
#include "crypto/keyring.h"
#include "server/config.h"
#include "server/log.h"

struct keyring_cache;

/* A keyring, counted while requests use it. */
struct keyring_cache_entry;

/* How to call a function that may block for as long as a disk does. */
struct keyring_cache_runner {
    /*
     * Call fn(argument) in another thread, and wait for it a little. It may
     * still run afterwards.
     * Returns false if it is never called.
     */
    bool (*run)(void *context, void (*fn)(void *argument), void *argument);
    void *context;
};

/*
 * Make a cache. It begins with the current contents of the secret file, or with
 * the keyring of the configuration if that names no file or the file is now
 * invalid.
 *   config, log  must outlive the cache
 *   runner       likewise, and what it calls must have ended when the cache is
 *                freed. NULL: the file is checked in the thread that acquires
 *                keys
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
keyring_cache_new(struct keyring_cache **out, const struct config *config,
                  struct log *log, const struct keyring_cache_runner *runner);

/* Free the cache; every entry must be released by now. */
void keyring_cache_free(struct keyring_cache **cache);

/*
 * Get the keys for one request; first reloads a file that has changed, unless
 * another request does so. Release them with keyring_cache_release(). Any
 * thread may call these.
 *   now  unix seconds
 */
struct keyring_cache_entry *keyring_cache_acquire(struct keyring_cache *cache,
                                                  int64_t now);
void keyring_cache_release(struct keyring_cache *cache,
                           struct keyring_cache_entry *entry);

/* The keyring of an entry; valid until the entry is released. */
const struct pst_keyring *
keyring_cache_ring(const struct keyring_cache_entry *entry);

/* Read the file again, whether it has changed or not; in a thread that may
 * block. Logs that there is none if the configuration names none. */
void keyring_cache_reload(struct keyring_cache *cache);

#endif

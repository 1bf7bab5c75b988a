/* SPDX-License-Identifier: ISC */
/*
 * keyring_cache.c - keep the keys of the secret file in memory, and reload them
 * when the file changes.
 */
#include "server/keyring_cache.h"

#include <pthread.h>
#include <sys/stat.h>

struct keyring_cache_entry {
    struct pst_keyring *own; /* NULL: ring is the configuration's */
    const struct pst_keyring *ring;
    size_t users; /* acquired and not yet released */
};

struct keyring_cache {
    const struct config *config;
    struct log *log;
    const struct keyring_cache_runner *runner; /* or NULL */

    pthread_mutex_t file_lock; /* held for as long as the disk needs */
    struct stat file_state; /* of the file, just before it was last read; zero:
                               read it at the next check */

    pthread_mutex_t lock; /* guards what follows; never held for long */
    struct keyring_cache_entry *current;
    int64_t checked_at; /* unix seconds */
    bool is_checking;   /* a check has begun, and perhaps the disk hangs */
};

static struct keyring_cache_entry *
keyring_cache_entry_new(const struct pst_keyring *ring, struct pst_keyring *own)
{
    struct keyring_cache_entry *entry = calloc(1, sizeof(*entry));

    if (entry)
        *entry = (struct keyring_cache_entry){.own = own, .ring = ring};
    return entry;
}

static void
keyring_cache_entry_free(struct keyring_cache_entry *entry)
{
    pst_keyring_free(&entry->own);
    free(entry);
}

/* Read the file. Its state is taken before, so that a change meanwhile is
 * noticed at the next check. */
static enum pst_err
keyring_cache_read_file(struct keyring_cache *cache, struct pst_keyring **ring,
                        struct config_error *error)
{
    enum pst_err e;

    if (stat(cache->config->secret_file, &cache->file_state) != 0)
        cache->file_state = (struct stat){0};
    e = config_read_secret(cache->config, ring, error);
    if (e && e != PST_BAD_CONFIG)
        cache->file_state =
            (struct stat){0}; /* the file is not the cause: try again */
    return e;
}

/*
 * Make the first entry. The file may have changed since the configuration was
 * read, so read it again. If it is invalid now, the first check logs that.
 */
static struct keyring_cache_entry *
keyring_cache_first_entry(struct keyring_cache *cache)
{
    struct config_error error = {{0}};
    struct pst_keyring *own = NULL;
    struct keyring_cache_entry *entry;

    if (cache->config->secret_file &&
        keyring_cache_read_file(cache, &own, &error) != PST_OK)
        cache->file_state = (struct stat){0};
    entry = keyring_cache_entry_new(own ? own : cache->config->ring, own);
    if (!entry)
        pst_keyring_free(&own);
    return entry;
}

enum pst_err
keyring_cache_new(struct keyring_cache **out, const struct config *config,
                  struct log *log, const struct keyring_cache_runner *runner)
{
    struct keyring_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return PST_NO_MEMORY;
    cache->config = config;
    cache->log = log;
    cache->runner = runner;
    cache->current = keyring_cache_first_entry(cache);
    if (!cache->current) {
        free(cache);
        return PST_NO_MEMORY;
    }
    pthread_mutex_init(&cache->lock, NULL);
    pthread_mutex_init(&cache->file_lock, NULL);
    *out = cache;
    return PST_OK;
}

void
keyring_cache_free(struct keyring_cache **cache)
{
    if (!*cache)
        return;
    PST_REQUIRE((*cache)->current->users == 0);
    keyring_cache_entry_free((*cache)->current);
    pthread_mutex_destroy(&(*cache)->lock);
    pthread_mutex_destroy(&(*cache)->file_lock);
    free(*cache);
    *cache = NULL;
}

/* Replace the current keyring; `ring` belongs to the cache from now on, also on
 * failure. Under the lock of the file. */
static enum pst_err
keyring_cache_replace(struct keyring_cache *cache, struct pst_keyring *ring)
{
    struct keyring_cache_entry *entry = keyring_cache_entry_new(ring, ring);

    if (!entry) {
        pst_keyring_free(&ring);
        cache->file_state = (struct stat){0};
        return PST_NO_MEMORY;
    }
    pthread_mutex_lock(&cache->lock);
    if (cache->current->users == 0)
        keyring_cache_entry_free(cache->current);
    cache->current = entry;
    pthread_mutex_unlock(&cache->lock);
    return PST_OK;
}

/* Read the file and use its keys, or log why not. Under the lock of the file.
 */
static void
keyring_cache_read_again(struct keyring_cache *cache)
{
    struct config_error error = {{0}};
    struct pst_keyring *ring = NULL;
    enum pst_err e = keyring_cache_read_file(cache, &ring, &error);

    if (!e)
        e = keyring_cache_replace(cache, ring);
    if (!e) {
        LOG_EVENT(cache->log, LEVEL_INFO, "secrets-read",
                  LOG_C_STRING("file", cache->config->secret_file));
        return;
    }
    LOG_EVENT(cache->log, LEVEL_ERROR, "secrets-refused",
              LOG_C_STRING("file", cache->config->secret_file),
              LOG_C_STRING("cause", pst_err_code(e)),
              LOG_C_STRING("reason", error.message),
              LOG_C_STRING("note", "the previous secrets stay in use"));
}

/* Compares the time of the last status change and not of the contents: chmod,
 * or a copy that keeps its times, changes only the former. */
static bool
is_file_changed(const struct stat *a, const struct stat *b)
{
    return a->st_ino != b->st_ino || a->st_dev != b->st_dev ||
           a->st_size != b->st_size || a->st_ctim.tv_sec != b->st_ctim.tv_sec ||
           a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

static void
keyring_cache_end_check(struct keyring_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    cache->is_checking = false;
    pthread_mutex_unlock(&cache->lock);
}

/* Read the file again if it has changed. */
static void
keyring_cache_check_file(void *argument)
{
    struct keyring_cache *cache = argument;
    struct stat now;

    pthread_mutex_lock(&cache->file_lock);
    /* If not, it is being replaced, or missing: keep the keys. */
    if (stat(cache->config->secret_file, &now) == 0 &&
        is_file_changed(&now, &cache->file_state))
        keyring_cache_read_again(cache);
    pthread_mutex_unlock(&cache->file_lock);
    keyring_cache_end_check(cache);
}

/* Must this request check the file? Under the lock. */
static bool
keyring_cache_begin_check(struct keyring_cache *cache, int64_t now)
{
    if (!cache->config->secret_file || now == cache->checked_at ||
        cache->is_checking)
        return false;
    cache->checked_at = now;
    cache->is_checking = true;
    return true;
}

static void
keyring_cache_run_check(struct keyring_cache *cache)
{
    const struct keyring_cache_runner *runner = cache->runner;

    if (!runner)
        keyring_cache_check_file(cache);
    else if (!runner->run(runner->context, keyring_cache_check_file, cache))
        keyring_cache_end_check(cache);
}

struct keyring_cache_entry *
keyring_cache_acquire(struct keyring_cache *cache, int64_t now)
{
    struct keyring_cache_entry *entry;

    pthread_mutex_lock(&cache->lock);
    if (keyring_cache_begin_check(cache, now)) {
        pthread_mutex_unlock(&cache->lock);
        keyring_cache_run_check(cache);
        pthread_mutex_lock(&cache->lock);
    }
    entry = cache->current;
    entry->users++;
    pthread_mutex_unlock(&cache->lock);
    return entry;
}

void
keyring_cache_release(struct keyring_cache *cache,
                      struct keyring_cache_entry *entry)
{
    pthread_mutex_lock(&cache->lock);
    entry->users--;
    if (entry->users == 0 && entry != cache->current)
        keyring_cache_entry_free(entry);
    pthread_mutex_unlock(&cache->lock);
}

const struct pst_keyring *
keyring_cache_ring(const struct keyring_cache_entry *entry)
{
    return entry->ring;
}

void
keyring_cache_reload(struct keyring_cache *cache)
{
    if (!cache->config->secret_file) {
        LOG_EVENT(cache->log, LEVEL_INFO, "hangup",
                  LOG_C_STRING("note", "COOKIE_SESSION_SECRET_FILE is not set: "
                                       "no file to read again"));
        return;
    }
    pthread_mutex_lock(&cache->file_lock);
    keyring_cache_read_again(cache);
    pthread_mutex_unlock(&cache->file_lock);
}

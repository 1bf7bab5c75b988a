/* SPDX-License-Identifier: ISC */
/*
 * keyring_cache.c - rings counted by their users; the one that nobody uses
 * goes.
 */
#include "server/keyring_cache.h"

#include <pthread.h>
#include <sys/stat.h>

struct keys_held {
    struct pst_keyring *own; /* NULL: the configuration's */
    const struct pst_keyring *ring;
    size_t users;
};

struct keys {
    pthread_mutex_t lock;
    const struct config *config;
    struct log *log;
    struct keys_held *current;
    struct stat seen; /* the file as it was before it was last read; zero:
                       * read it at the next look */
    int64_t looked;   /* unix seconds */
};

static struct keys_held *
held_new(const struct pst_keyring *ring, struct pst_keyring *own)
{
    struct keys_held *held = calloc(1, sizeof(*held));

    if (held)
        *held = (struct keys_held){.own = own, .ring = ring};
    return held;
}

static void
held_free(struct keys_held *held)
{
    pst_keyring_free(&held->own);
    free(held);
}

/* Read the file, having looked at it first: what changes meanwhile is seen
 * the next time. */
static enum pst_err
read_file(struct keys *keys, struct pst_keyring **ring, struct config_why *why)
{
    enum pst_err e;

    if (stat(keys->config->secret_file, &keys->seen) != 0)
        keys->seen = (struct stat){0};
    e = config_read_secret(keys->config, ring, why);
    if (e && e != PST_BAD_CONFIG)
        keys->seen = (struct stat){0}; /* not the file's fault: try again */
    return e;
}

/*
 * The ring to begin with. The file may have changed since the configuration
 * was read, and nothing tells which one that was: it is read again. What is
 * wrong with it now is said at the first look.
 */
static struct keys_held *
held_first(struct keys *keys)
{
    struct config_why why = {{0}};
    struct pst_keyring *own = NULL;
    struct keys_held *held;

    if (keys->config->secret_file && read_file(keys, &own, &why) != PST_OK)
        keys->seen = (struct stat){0};
    held = held_new(own ? own : keys->config->ring, own);
    if (!held)
        pst_keyring_free(&own);
    return held;
}

enum pst_err
keys_new(struct keys **out, const struct config *config, struct log *log)
{
    struct keys *keys = calloc(1, sizeof(*keys));

    if (!keys)
        return PST_NO_MEMORY;
    keys->config = config;
    keys->log = log;
    keys->current = held_first(keys);
    if (!keys->current) {
        free(keys);
        return PST_NO_MEMORY;
    }
    pthread_mutex_init(&keys->lock, NULL);
    *out = keys;
    return PST_OK;
}

void
keys_free(struct keys **keys)
{
    if (!*keys)
        return;
    PST_REQUIRE((*keys)->current->users == 0);
    held_free((*keys)->current);
    pthread_mutex_destroy(&(*keys)->lock);
    free(*keys);
    *keys = NULL;
}

/* Under the lock: put a ring, ours from now on, in the place of the current
 * one. */
static enum pst_err
replace(struct keys *keys, struct pst_keyring *ring)
{
    struct keys_held *held = held_new(ring, ring);

    if (!held) {
        pst_keyring_free(&ring);
        keys->seen = (struct stat){0};
        return PST_NO_MEMORY;
    }
    if (keys->current->users == 0)
        held_free(keys->current);
    keys->current = held;
    return PST_OK;
}

/* Under the lock. */
static void
read_again(struct keys *keys)
{
    struct config_why why = {{0}};
    struct pst_keyring *ring = NULL;
    enum pst_err e = read_file(keys, &ring, &why);

    if (!e)
        e = replace(keys, ring);
    if (!e) {
        LOG_EVENT(keys->log, LEVEL_INFO, "secrets-read",
                  LOG_STRING("file", keys->config->secret_file));
        return;
    }
    LOG_EVENT(keys->log, LEVEL_ERROR, "secrets-refused",
              LOG_STRING("file", keys->config->secret_file),
              LOG_STRING("cause", pst_err_code(e)), LOG_STRING("why", why.text),
              LOG_STRING("note", "the secrets from before stay in use"));
}

/* By the time of its state: that of its text stays where only its mode is
 * mended, or where it is copied with its times. */
static bool
is_changed(const struct stat *a, const struct stat *b)
{
    return a->st_ino != b->st_ino || a->st_dev != b->st_dev ||
           a->st_size != b->st_size || a->st_ctim.tv_sec != b->st_ctim.tv_sec ||
           a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

/* Under the lock: has the file changed since it was last read? */
static void
look(struct keys *keys)
{
    struct stat now;

    if (stat(keys->config->secret_file, &now) != 0)
        return; /* being replaced, or gone: what we have stays */
    if (is_changed(&now, &keys->seen))
        read_again(keys);
}

struct keys_held *
keys_take(struct keys *keys, int64_t now)
{
    struct keys_held *held;

    pthread_mutex_lock(&keys->lock);
    if (keys->config->secret_file && now != keys->looked) {
        keys->looked = now;
        look(keys);
    }
    held = keys->current;
    held->users++;
    pthread_mutex_unlock(&keys->lock);
    return held;
}

void
keys_give(struct keys *keys, struct keys_held *held)
{
    pthread_mutex_lock(&keys->lock);
    held->users--;
    if (held->users == 0 && held != keys->current)
        held_free(held);
    pthread_mutex_unlock(&keys->lock);
}

const struct pst_keyring *
keys_ring(const struct keys_held *held)
{
    return held->ring;
}

void
keys_reload(struct keys *keys)
{
    pthread_mutex_lock(&keys->lock);
    if (keys->config->secret_file)
        read_again(keys);
    else
        LOG_EVENT(keys->log, LEVEL_INFO, "hangup",
                  LOG_STRING("note", "the secret is not in a file, so there "
                                     "is nothing to read again"));
    pthread_mutex_unlock(&keys->lock);
}

/* SPDX-License-Identifier: ISC */
/*
 * keys.c - rings counted by their users; the one that nobody uses goes.
 */
#include "keys.h"

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
    struct stat seen; /* the file, as it was when last read or refused */
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

enum pst_err
keys_new(struct keys **out, const struct config *config, struct log *log)
{
    struct keys *keys = calloc(1, sizeof(*keys));

    if (!keys)
        return PST_NO_MEMORY;
    keys->current = held_new(config->ring, NULL);
    if (!keys->current) {
        free(keys);
        return PST_NO_MEMORY;
    }
    pthread_mutex_init(&keys->lock, NULL);
    keys->config = config;
    keys->log = log;
    if (config->secret_file && stat(config->secret_file, &keys->seen) != 0)
        keys->seen = (struct stat){0};
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

/* Under the lock: put a ring in the place of the current one. */
static void
replace(struct keys *keys, struct pst_keyring *ring)
{
    struct keys_held *held = held_new(ring, ring);

    if (!held) {
        pst_keyring_free(&ring);
        return;
    }
    if (keys->current->users == 0)
        held_free(keys->current);
    keys->current = held;
}

/* Under the lock. */
static void
read_again(struct keys *keys)
{
    struct config_why why = {{0}};
    struct pst_keyring *ring = NULL;
    enum pst_err e = config_read_secret(keys->config, &ring, &why);

    if (!e) {
        replace(keys, ring);
        LOG_EVENT(keys->log, LEVEL_INFO, "secrets-read",
                  LOG_STRING("file", keys->config->secret_file));
        return;
    }
    LOG_EVENT(keys->log, LEVEL_ERROR, "secrets-refused",
              LOG_STRING("file", keys->config->secret_file),
              LOG_STRING("cause", pst_err_code(e)), LOG_STRING("why", why.text),
              LOG_STRING("note", "the secrets from before stay in use"));
}

static bool
is_changed(const struct stat *a, const struct stat *b)
{
    return a->st_ino != b->st_ino || a->st_dev != b->st_dev ||
           a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
           a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

/* Under the lock: has the file changed since it was last read? */
static void
look(struct keys *keys)
{
    struct stat now;

    if (stat(keys->config->secret_file, &now) != 0)
        return; /* being replaced, or gone: what we have stays */
    if (!is_changed(&now, &keys->seen))
        return;
    keys->seen = now;
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

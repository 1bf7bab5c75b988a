/* SPDX-License-Identifier: ISC */
/*
 * redis_lease.c - renew the leases that this process holds in Redis.
 */
#include "store/redis_lease.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/blocking.h"
#include "store/redis_store.h"

/* Milliseconds. */
#define RENEW_MS (LOCK_LEASE_MS / 3)
#define CLOSE_TIMEOUT 250

/* Leases that one call renews. */
#define RENEWED_MAX 6

/* KEYS leases; ARGV milliseconds, then the token of each. Returns the sum of
 * 2^(i-1) for each lease i that is ours. */
#define SCRIPT_RENEW                          \
    "local sum=0 for i,k in ipairs(KEYS) do " \
    "if redis.call('GET',k)==ARGV[i+1] then " \
    "redis.call('PEXPIRE',k,ARGV[1]) sum=sum+2^(i-1) end end return sum"

static_assert(2 * RENEWED_MAX + 4 <= REDIS_ARGUMENTS_MAX,
              "a call has a key and a token for each lease");

TAILQ_HEAD(lease_list, store_lock);

static struct {
    pthread_mutex_t lock; /* guards what follows */
    struct lease_list leases;
    struct blocking_pool *pool; /* one thread; it stays for later leases */
    int event;                  /* an eventfd: the thread is to end */
    bool is_running;            /* lease_run() */

    pthread_mutex_t users_lock;
    unsigned users; /* handles, guarded by users_lock */
} renewer = {.lock = PTHREAD_MUTEX_INITIALIZER,
             .leases = TAILQ_HEAD_INITIALIZER(renewer.leases),
             .users_lock = PTHREAD_MUTEX_INITIALIZER};

/* Copies of leases, for one call. */
struct lease_batch {
    struct {
        struct store_id id;
        uint8_t token[sizeof(((struct store_lock *)0)->token)];
    } items[RENEWED_MAX];
    size_t count;
};

/* Copy the leases that are still to be renewed. */
static void
lease_batch_fill(struct lease_batch *batch)
{
    struct store_lock *lock;

    batch->count = 0;
    pthread_mutex_lock(&renewer.lock);
    TAILQ_FOREACH(lock, &renewer.leases, link)
    {
        if (lock->is_renewed)
            continue;
        lock->is_renewed = true;
        batch->items[batch->count].id = lock->place.id;
        memcpy(batch->items[batch->count].token, lock->token,
               sizeof(lock->token));
        if (++batch->count == RENEWED_MAX)
            break;
    }
    pthread_mutex_unlock(&renewer.lock);
}

/* Note the new end of a lease that was not released meanwhile. */
static void
lease_set_end(const uint8_t *token, int64_t end)
{
    struct store_lock *lock;

    TAILQ_FOREACH(lock, &renewer.leases, link)
    {
        if (memcmp(lock->token, token, sizeof(lock->token)) == 0)
            lock->valid_until = end;
    }
}

static void
lease_batch_renew(struct redis_handle *handle, const struct lease_batch *batch)
{
    struct redis_key keys[RENEWED_MAX];
    struct redis_command command;
    int64_t sent_at = clock_ms();
    int64_t ours = 0;

    redis_command_init_script(&command, SCRIPT_RENEW, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        keys[i] = redis_key_make(handle, REDIS_LEASE_KIND, &batch->items[i].id);
        redis_add_key(&command, &keys[i]);
    }
    redis_add_number(&command, LOCK_LEASE_MS);
    for (size_t i = 0; i < batch->count; i++)
        redis_add_bytes(&command, batch->items[i].token,
                        sizeof(batch->items[i].token));
    if (redis_call_script(handle, &command, &ours) != PST_OK)
        return; /* the next try may be in time */
    pthread_mutex_lock(&renewer.lock);
    for (size_t i = 0; i < batch->count; i++)
        lease_set_end(batch->items[i].token,
                      ours >> i & 1 ? sent_at + LOCK_LEASE_MS : 0);
    pthread_mutex_unlock(&renewer.lock);
}

/* Are there leases to renew? If not, this run is over. */
static bool
lease_begin_round(void)
{
    struct store_lock *lock;
    bool has_leases;

    pthread_mutex_lock(&renewer.lock);
    TAILQ_FOREACH(lock, &renewer.leases, link)
    lock->is_renewed = false;
    has_leases = !TAILQ_EMPTY(&renewer.leases);
    renewer.is_running = has_leases;
    pthread_mutex_unlock(&renewer.lock);
    return has_leases;
}

/* In the thread: renew leases as long as there are any. */
static void
lease_run(void *argument)
{
    struct redis_handle *handle = argument;
    struct lease_batch batch;

    for (;;) {
        const struct wait_limit limit = {clock_ms() + RENEW_MS, -1};

        (void)!wait_for(renewer.event, POLLIN, &limit);
        if (!lease_begin_round())
            return;
        for (lease_batch_fill(&batch); batch.count > 0;
             lease_batch_fill(&batch))
            lease_batch_renew(handle, &batch);
    }
}

static void
lease_release(void *argument)
{
    redis_handle_free(argument);
}

/* Make the thread. Called with the lock held. */
static enum pst_err
renewer_open(void)
{
    uint64_t count;
    ssize_t got;

    if (renewer.pool) { /* renewer_close() may have failed */
        got = read(renewer.event, &count, sizeof(count));
        (void)got;
        return PST_OK;
    }
    renewer.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (renewer.event < 0)
        return PST_NO_MEMORY;
    if (blocking_pool_new(&renewer.pool, 1, 2) == PST_OK)
        return PST_OK;
    close(renewer.event);
    return PST_NO_MEMORY;
}

/* Let the thread run. Called with the lock held. */
static enum pst_err
renewer_start(struct store *store)
{
    struct blocking_call call = {lease_run, lease_release, NULL};
    struct redis_handle *own;
    struct store *base;
    enum pst_err e = renewer_open();

    if (!e)
        e = redis_handle_new(&own,
                             redis_handle_url(redis_handle_from_base(store)));
    if (e)
        return e;
    base = redis_handle_base(own);
    memcpy(base->audience, store->audience, sizeof(base->audience));
    base->audience_len = store->audience_len;
    call.argument = own;
    renewer.is_running = blocking_pool_post(renewer.pool, &call);
    return renewer.is_running ? PST_OK : PST_NO_MEMORY;
}

/* End the thread, unless Redis does not answer it. */
static void
renewer_close(void)
{
    const uint64_t one = 1;
    ssize_t written;

    if (!renewer.pool)
        return;
    written = write(renewer.event, &one, sizeof(one));
    (void)written;
    if (!blocking_pool_drain(renewer.pool, clock_ms() + CLOSE_TIMEOUT))
        return;
    blocking_pool_free(&renewer.pool);
    close(renewer.event);
}

void
redis_lease_open(void)
{
    pthread_mutex_lock(&renewer.users_lock);
    renewer.users++;
    pthread_mutex_unlock(&renewer.users_lock);
}

void
redis_lease_close(void)
{
    pthread_mutex_lock(&renewer.users_lock);
    if (--renewer.users == 0)
        renewer_close();
    pthread_mutex_unlock(&renewer.users_lock);
}

enum pst_err
redis_lease_add(struct store *store, struct store_lock *lock)
{
    enum pst_err e = PST_OK;

    pthread_mutex_lock(&renewer.lock);
    if (!renewer.is_running)
        e = renewer_start(store);
    if (!e) {
        lock->is_renewed = true; /* for a while */
        lock->is_leased = true;
        TAILQ_INSERT_TAIL(&renewer.leases, lock, link);
    }
    pthread_mutex_unlock(&renewer.lock);
    return e;
}

void
redis_lease_remove(struct store_lock *lock)
{
    pthread_mutex_lock(&renewer.lock);
    if (lock->is_leased)
        TAILQ_REMOVE(&renewer.leases, lock, link);
    lock->is_leased = false;
    lock->valid_until = 0;
    pthread_mutex_unlock(&renewer.lock);
}

int64_t
redis_lease_end(const struct store_lock *lock)
{
    int64_t end;

    pthread_mutex_lock(&renewer.lock);
    end = lock->valid_until;
    pthread_mutex_unlock(&renewer.lock);
    return end;
}

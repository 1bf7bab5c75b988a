/* SPDX-License-Identifier: ISC */
/*
 * redis_lock.c - locks among machines: a lease in Redis, which its holder
 * renews (store/redis_lease.h). It is a key with the holder's token, which
 * expires by itself when the holder is gone. The token is the fence: who does
 * not have it in Redis any more can neither renew nor release, and sends
 * nothing (store_lock_is_held()). A number that grows would be no better, since
 * no backend compares it.
 *
 * A second key has the token of the one that waits, for a short while. Nobody
 * else gets a lease that is free: so the holder that releases it cannot
 * overtake the one that waits.
 */
#include "base/clock.h"
#include "crypto/crypto.h"
#include "store/redis_lease.h"
#include "store/redis_store.h"
#include "store/store_lock.h"

/* Milliseconds that the second key is kept. A waiter asks more often. */
#define NEXT_MS 250

/* KEYS lease next; ARGV token, milliseconds of the lease and of next. Returns
 * 1: the lease is ours; or 0. */
#define SCRIPT_LOCK                                                \
    "local next=redis.call('GET',KEYS[2]) "                        \
    "if next and next~=ARGV[1] then return 0 end "                 \
    "if redis.call('SET',KEYS[1],ARGV[1],'NX','PX',ARGV[2]) then " \
    "redis.call('DEL',KEYS[2]) return 1 end "                      \
    "redis.call('SET',KEYS[2],ARGV[1],'PX',ARGV[3]) return 0"

/* KEYS lease next; ARGV token. */
#define SCRIPT_UNLOCK                                                          \
    "for i,k in ipairs(KEYS) do "                                              \
    "if redis.call('GET',k)==ARGV[1] then redis.call('DEL',k) end end return " \
    "1"

/* Add what both scripts begin with.
 *   keys  storage; must outlive the command */
static void
lock_add_keys(struct redis_command *command, struct redis_key keys[static 2],
              struct store *store, const struct store_lock *lock)
{
    struct redis_handle *handle = redis_handle_from_base(store);

    keys[0] = redis_key_make(handle, REDIS_LEASE_KIND, &lock->place.id);
    keys[1] = redis_key_make(handle, "order-next", &lock->place.id);
    redis_add_key(command, &keys[0]);
    redis_add_key(command, &keys[1]);
    redis_add_bytes(command, lock->token, sizeof(lock->token));
}

enum pst_err
redis_lock(struct store *store, struct store_lock *lock)
{
    struct redis_command command;
    struct redis_key keys[2];
    int64_t sent_at = clock_ms();
    int64_t is_ours = 0;
    enum pst_err e = PST_OK;

    if (!lock->is_known)
        e = pst_crypto_random(lock->token, sizeof(lock->token));
    if (e)
        return e;
    lock->is_known = true;
    redis_command_init_script(&command, SCRIPT_LOCK, PST_COUNT(keys));
    lock_add_keys(&command, keys, store, lock);
    redis_add_number(&command, LOCK_LEASE_MS);
    redis_add_number(&command, NEXT_MS);
    e = redis_call_script(redis_handle_from_base(store), &command, &is_ours);
    if (e)
        return e;
    if (!is_ours)
        return PST_OVERLOADED;
    lock->valid_until = sent_at + LOCK_LEASE_MS;
    return redis_lease_add(store, lock);
}

bool
redis_is_locked(const struct store_lock *lock)
{
    return clock_ms() < redis_lease_end(lock);
}

/* Where this fails, the keys expire. */
void
redis_unlock(struct store *store, struct store_lock *lock)
{
    struct redis_command command;
    struct redis_key keys[2];
    int64_t unused;

    redis_lease_remove(lock);
    if (!lock->is_known)
        return;
    lock->is_known = false;
    redis_command_init_script(&command, SCRIPT_UNLOCK, PST_COUNT(keys));
    lock_add_keys(&command, keys, store, lock);
    (void)!redis_call_script(redis_handle_from_base(store), &command, &unused);
}

/* SPDX-License-Identifier: ISC */
/*
 * redis_counter.c - the counters of rate limits in Redis.
 */
#include "store/redis_script.h"
#include "store/redis_store.h"

struct counter_keys {
    struct redis_key keys[STORE_COUNTERS_MAX];
};

static void
redis_add_counters(struct redis_handle *handle, struct redis_command *command,
                   const struct store_counters *counters,
                   struct counter_keys *keys)
{
    for (size_t i = 0; i < counters->count; i++) {
        keys->keys[i] =
            redis_key_make(handle, "counter", &counters->items[i].id);
        redis_add_key(command, &keys->keys[i]);
    }
}

enum pst_err
redis_counter_acquire(struct store *base, const struct store_counters *counters,
                      int64_t *retry_after)
{
    struct redis_handle *handle = redis_handle_from_base(base);
    struct counter_keys keys;
    struct redis_command command;
    int64_t wait = 0;
    enum pst_err e;

    redis_command_init_script(&command, SCRIPT_COUNTER_ACQUIRE,
                              counters->count);
    redis_add_counters(handle, &command, counters, &keys);
    redis_add_number(&command, counters->now);
    for (size_t i = 0; i < counters->count; i++) {
        redis_add_number(&command, counters->items[i].rate.limit);
        redis_add_number(&command, counters->items[i].rate.period);
        redis_add_string(&command,
                         counters->items[i].is_count_only ? "1" : "0");
    }
    e = redis_call_script(handle, &command, &wait);
    if (e)
        return e;
    if (wait <= 0)
        return PST_OK;
    *retry_after = wait;
    return PST_THROTTLED;
}

/* The mode argument of SCRIPT_COUNTER_REFUND. */
static const char *
redis_refund_mode(const struct store_counter *counter)
{
    if (counter->reset_all)
        return "all";
    return counter->as_previous ? "before" : "one";
}

enum pst_err
redis_counter_refund(struct store *base, const struct store_counters *counters,
                     int64_t *in_use)
{
    struct redis_handle *handle = redis_handle_from_base(base);
    struct counter_keys keys;
    struct redis_command command;

    redis_command_init_script(&command, SCRIPT_COUNTER_REFUND, counters->count);
    redis_add_counters(handle, &command, counters, &keys);
    redis_add_number(&command, counters->now);
    for (size_t i = 0; i < counters->count; i++) {
        redis_add_number(&command, counters->items[i].rate.limit);
        redis_add_number(&command, counters->items[i].rate.period);
        redis_add_string(&command, redis_refund_mode(&counters->items[i]));
    }
    return redis_call_script(handle, &command, in_use);
}

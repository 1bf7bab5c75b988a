/* SPDX-License-Identifier: ISC */
/*
 * fake_blocking.c - for tests: what engine/blocking.h declares, without
 * threads.
 */
#include "fake_blocking.h"

#define LATER_MAX 8

struct blocking_pool {
    size_t waiting_max;
};

static enum blocking_result next_result = BLOCKING_DONE;
static struct blocking_call later[LATER_MAX];
static size_t later_count;
static bool is_hanging;

void
fake_blocking_expect(enum blocking_result result)
{
    next_result = result;
}

void
fake_blocking_resume(void)
{
    for (size_t i = 0; i < later_count; i++) {
        later[i].run(later[i].argument);
        later[i].release(later[i].argument);
    }
    later_count = 0;
}

void
fake_blocking_hang(bool hangs)
{
    is_hanging = hangs;
}

enum pst_err
blocking_pool_new(struct blocking_pool **out, size_t threads, size_t waiting)
{
    struct blocking_pool *pool = calloc(1, sizeof(*pool));

    PST_REQUIRE(threads > 0);
    if (!pool)
        return PST_NO_MEMORY;
    pool->waiting_max = waiting;
    *out = pool;
    return PST_OK;
}

void
blocking_pool_free(struct blocking_pool **pool)
{
    PST_REQUIRE(!is_hanging);
    fake_blocking_resume();
    free(*pool);
    *pool = NULL;
}

bool
blocking_pool_drain(struct blocking_pool *pool, int64_t deadline)
{
    (void)pool;
    (void)deadline;
    if (!is_hanging)
        fake_blocking_resume();
    return !is_hanging;
}

enum blocking_result
blocking_pool_run(struct blocking_pool *pool, const struct blocking_call *call,
                  int64_t deadline)
{
    enum blocking_result result = next_result;

    (void)pool;
    (void)deadline;
    next_result = BLOCKING_DONE;
    if (result == BLOCKING_DONE) {
        fake_blocking_resume(); /* what came before it */
        call->run(call->argument);
    } else if (result == BLOCKING_ABANDONED) {
        PST_REQUIRE(later_count < LATER_MAX);
        later[later_count++] = *call;
    } else {
        call->release(call->argument);
    }
    return result;
}

bool
blocking_pool_post(struct blocking_pool *pool, const struct blocking_call *call)
{
    (void)pool;
    if (next_result == BLOCKING_REFUSED || later_count == LATER_MAX) {
        next_result = BLOCKING_DONE;
        call->release(call->argument);
        return false;
    }
    later[later_count++] = *call;
    return true;
}

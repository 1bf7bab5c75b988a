/* SPDX-License-Identifier: ISC */
/*
 * redis_link.c - the connection of a handle to its server: it is made when it
 * is needed, and again when it has broken.
 */
#include "store/redis_link.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "crypto/crypto.h"
#include "engine/loop.h"

/* Milliseconds. The pause after a failure doubles with each further one. */
#define RETRY_DELAY 250
#define RETRY_DELAY_MAX 2000

/* A fiber that waits until another one has connected. */
struct redis_waiter {
    LIST_ENTRY(redis_waiter) link;
    struct fiber *fiber;
};

/* Does this error mean that the connection is of no more use? */
static bool
redis_is_fatal_error(const char *error)
{
    static const char *const fatal_errors[] = {
        "NOAUTH", "WRONGPASS", "READONLY", "MASTERDOWN", "CLUSTERDOWN"};

    for (size_t i = 0; i < PST_COUNT(fatal_errors); i++) {
        if (strncmp(error, fatal_errors[i], strlen(fatal_errors[i])) == 0)
            return true;
    }
    return false;
}

static bool
redis_has_fatal_error(const struct redis_batch *batch)
{
    for (size_t i = 0; i < batch->replied; i++) {
        const char *error = redis_reply_error(batch->replies[i]);

        if (error && redis_is_fatal_error(error))
            return true;
    }
    return false;
}

/* The server is gone: let calls fail at once for a while. Not all handles
 * connect again at the same instant. */
static void
redis_back_off(struct redis_link *link, const struct redis_error *error)
{
    int64_t delay = link->retry_delay * 2;
    uint16_t random = 0;

    if (clock_ms() < link->retry_at)
        return; /* another call failed with this one */
    link->retry_delay = delay == 0                ? RETRY_DELAY
                        : delay > RETRY_DELAY_MAX ? RETRY_DELAY_MAX
                                                  : delay;
    (void)!pst_crypto_random(&random, sizeof(random));
    link->retry_at =
        clock_ms() + link->retry_delay + random % (link->retry_delay / 2);
    link->reason = *error;
}

/* The next call connects again. Calls that use it still get their replies. */
static void
redis_link_drop(struct redis_link *link,
                const struct redis_connection *connection)
{
    if (link->connection == connection)
        redis_connection_release(&link->connection);
}

/* Connecting. */

/* Wait until another fiber has connected, or could not. Returns false at the
 * deadline. */
static bool
redis_wait_for_other(struct redis_link *link, int64_t deadline)
{
    struct redis_waiter waiter = {.fiber = fiber_current()};
    int cause;

    PST_REQUIRE(waiter.fiber && loop_current());
    LIST_INSERT_HEAD(&link->waiters, &waiter, link);
    cause = loop_wait(loop_current(), -1, 0, -1, deadline);
    LIST_REMOVE(&waiter, link);
    return cause != ETIMEDOUT;
}

static void
redis_link_connect(struct redis_link *link, int64_t deadline,
                   struct redis_error *error)
{
    const struct redis_waiter *waiter;

    link->is_connecting = true;
    link->connection = redis_connect(&link->target, deadline, error);
    link->is_connecting = false;
    if (!link->connection)
        redis_back_off(link, error);
    LIST_FOREACH(waiter, &link->waiters, link)
    loop_wake_fiber(loop_current(), waiter->fiber);
}

/* Get the connection, which the caller releases. Returns NULL when there is
 * none. */
static struct redis_connection *
redis_link_take(struct redis_link *link, int64_t deadline,
                struct redis_error *error)
{
    if (link->connection && !redis_connection_is_open(link->connection))
        redis_connection_release(&link->connection);
    while (link->is_connecting) {
        if (!redis_wait_for_other(link, deadline)) {
            redis_error_set(error, "cannot connect: ", strerror(ETIMEDOUT));
            return NULL;
        }
    }
    if (!link->connection && clock_ms() < link->retry_at) {
        *error = link->reason;
        return NULL;
    }
    if (!link->connection)
        redis_link_connect(link, deadline, error);
    return link->connection ? redis_connection_hold(link->connection) : NULL;
}

/* Calls. */

/* What to do after one attempt. */
enum redis_verdict {
    REDIS_SUCCEEDED,
    REDIS_FAILED,
    REDIS_REPEAT,
    REDIS_STALE /* it succeeded, but another server is the master now */
};

static enum redis_verdict
redis_link_try(struct redis_link *link, struct redis_batch *batch,
               int64_t deadline, struct redis_error *error)
{
    struct redis_connection *connection =
        redis_link_take(link, deadline, error);
    enum redis_outcome outcome;
    bool has_fatal_error;
    bool may_be_old;
    bool is_broken;

    if (!connection)
        return REDIS_FAILED;
    may_be_old = redis_connection_has_answered(connection);
    outcome = redis_connection_exchange(connection, batch, deadline, error);
    is_broken = !redis_connection_is_open(connection);
    has_fatal_error = outcome == REDIS_DONE && redis_has_fatal_error(batch);
    if (is_broken || has_fatal_error)
        redis_link_drop(link, connection);
    redis_connection_release(&connection);
    if (outcome == REDIS_DONE) {
        link->retry_delay = 0;
        return has_fatal_error ? REDIS_STALE : REDIS_SUCCEEDED;
    }
    if (is_broken && (outcome == REDIS_TIMED_OUT || !may_be_old))
        redis_back_off(link, error);
    return may_be_old && (outcome == REDIS_UNSENT ||
                          (outcome == REDIS_LOST && batch->is_read_only))
               ? REDIS_REPEAT
               : REDIS_FAILED;
}

bool
redis_link_exchange(struct redis_link *link, struct redis_batch *batch,
                    int64_t deadline, struct redis_error *error)
{
    enum redis_verdict verdict = redis_link_try(link, batch, deadline, error);

    /* A server that is no longer the master has executed no write. */
    if (verdict == REDIS_REPEAT ||
        (verdict == REDIS_STALE && link->target.url->sentinel_count > 0)) {
        redis_batch_rewind(batch);
        verdict = redis_link_try(link, batch, deadline, error);
    }
    return verdict == REDIS_SUCCEEDED || verdict == REDIS_STALE;
}

void
redis_link_close(struct redis_link *link)
{
    redis_connection_release(&link->connection);
}

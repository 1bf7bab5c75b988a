/* SPDX-License-Identifier: ISC */
/*
 * lock_queue.c - the queue of one process for each lock.
 */
#include "store/lock_queue.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"

#define BUCKETS 256

/* Milliseconds between looks of a thread that is no loop's. Only tests have
 * more than one of them. */
#define THREAD_DELAY 1

TAILQ_HEAD(lock_bucket, lock_place);

static pthread_mutex_t buckets_lock = PTHREAD_MUTEX_INITIALIZER;

/* The places of all queues, oldest first. Ids are hashes, so their first byte
 * spreads them evenly. */
static struct lock_bucket buckets[BUCKETS];

static struct lock_bucket *
lock_bucket_of(const struct store_id *id)
{
    struct lock_bucket *bucket = &buckets[id->bytes[0]];

    if (!bucket->tqh_last)
        TAILQ_INIT(bucket);
    return bucket;
}

/* The first place in the queue of an id; NULL: there is none. Called with the
 * lock held. */
static struct lock_place *
lock_queue_first(const struct store_id *id)
{
    struct lock_place *place;

    TAILQ_FOREACH(place, lock_bucket_of(id), link)
    {
        if (store_id_equal(&place->id, id))
            return place;
    }
    return NULL;
}

/* The turn has come; in the thread of the fiber that waits. */
static void
lock_place_wake(struct loop_task *task)
{
    struct lock_place *place = task->owner;

    place->has_woken = true;
    loop_wake_fiber(place->loop, place->fiber);
}

static int
lock_queue_wait_in_fiber(struct lock_place *place,
                         const struct wait_limit *limit)
{
    int error = 0;

    while (!place->has_woken && !error)
        error = loop_wait(place->loop, -1, 0, limit->client, limit->deadline);
    return error;
}

static bool
lock_place_is_first(const struct lock_place *place)
{
    bool is_first;

    pthread_mutex_lock(&buckets_lock);
    is_first = place->is_first;
    pthread_mutex_unlock(&buckets_lock);
    return is_first;
}

static int
lock_queue_wait_in_thread(const struct lock_place *place,
                          const struct wait_limit *limit)
{
    int error = 0;

    while (!lock_place_is_first(place) && !error) {
        const struct wait_limit pause = {clock_ms() + THREAD_DELAY,
                                         limit->client};

        error = clock_ms() < limit->deadline ? wait_until(&pause) : ETIMEDOUT;
    }
    return error;
}

/* Leave a queue before our turn. */
static void
lock_queue_give_up(struct lock_place *place)
{
    bool is_first;

    pthread_mutex_lock(&buckets_lock);
    is_first = place->is_first;
    if (!is_first)
        TAILQ_REMOVE(lock_bucket_of(&place->id), place, link);
    pthread_mutex_unlock(&buckets_lock);
    if (!is_first)
        return;
    /* The turn has just come, and the loop has our task. */
    while (place->loop && !place->has_woken)
        (void)!loop_wait(place->loop, -1, 0, -1, INT64_MAX);
    lock_queue_leave(place);
}

int
lock_queue_enter(struct lock_place *place, const struct store_id *id,
                 const struct wait_limit *limit, bool *has_waited)
{
    int error = 0;

    *place = (struct lock_place){.id = *id, .fiber = fiber_current()};
    place->loop = place->fiber ? loop_current() : NULL;
    place->wake = (struct loop_task){.run = lock_place_wake, .owner = place};
    pthread_mutex_lock(&buckets_lock);
    place->is_first = !lock_queue_first(id);
    *has_waited = !place->is_first;
    TAILQ_INSERT_TAIL(lock_bucket_of(id), place, link);
    pthread_mutex_unlock(&buckets_lock);
    if (*has_waited)
        error = place->loop ? lock_queue_wait_in_fiber(place, limit)
                            : lock_queue_wait_in_thread(place, limit);
    if (error)
        lock_queue_give_up(place);
    return error;
}

void
lock_queue_leave(struct lock_place *place)
{
    struct lock_place *next;

    pthread_mutex_lock(&buckets_lock);
    TAILQ_REMOVE(lock_bucket_of(&place->id), place, link);
    next = place->is_first ? lock_queue_first(&place->id) : NULL;
    if (next) {
        next->is_first = true;
        if (next->loop)
            loop_notify(next->loop, &next->wake);
    }
    pthread_mutex_unlock(&buckets_lock);
}

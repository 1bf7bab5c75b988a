/* SPDX-License-Identifier: ISC */
/*
 * timers.c - a set of timers, of which the one that expires first is known.
 */
#include "engine/timers.h"

#include <string.h>

void
timers_init(struct timers *timers)
{
    *timers = (struct timers){0};
}

void
timers_fini(struct timers *timers)
{
    free(timers->heap);
}

enum pst_err
timers_reserve(struct timers *timers, size_t count)
{
    size_t size = timers->size ? timers->size : 64;
    struct timer **heap;

    if (count <= timers->size)
        return PST_OK;
    while (size < count)
        size *= 2;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    heap = realloc(timers->heap, size * sizeof(*heap));
    if (!heap)
        return PST_NO_MEMORY;
    timers->heap = heap;
    timers->size = size;
    return PST_OK;
}

/* Put a timer at a place of the heap, counted from 1. */
static void
timers_put(struct timers *timers, struct timer *timer, size_t place)
{
    timers->heap[place - 1] = timer;
    timer->place = place;
}

/* Move a timer up while it expires before its parent. */
static void
timers_lift(struct timers *timers, struct timer *timer, size_t place)
{
    while (place > 1 && timers->heap[place / 2 - 1]->at > timer->at) {
        timers_put(timers, timers->heap[place / 2 - 1], place);
        place /= 2;
    }
    timers_put(timers, timer, place);
}

/* Move a timer down while a child expires before it. */
static void
timers_lower(struct timers *timers, struct timer *timer, size_t place)
{
    size_t child = place * 2;

    while (child <= timers->count) {
        if (child < timers->count &&
            timers->heap[child]->at < timers->heap[child - 1]->at)
            child++;
        if (timers->heap[child - 1]->at >= timer->at)
            break;
        timers_put(timers, timers->heap[child - 1], place);
        place = child;
        child *= 2;
    }
    timers_put(timers, timer, place);
}

void
timers_set(struct timers *timers, struct timer *timer, int64_t at)
{
    timers_clear(timers, timer);
    PST_REQUIRE(timers->count < timers->size);
    timer->at = at;
    timers->count++;
    timers_lift(timers, timer, timers->count);
}

void
timers_clear(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;
    struct timer *last;

    if (place == 0)
        return;
    timer->place = 0;
    last = timers->heap[timers->count - 1];
    timers->count--;
    if (last == timer)
        return;
    if (place > 1 && timers->heap[place / 2 - 1]->at > last->at)
        timers_lift(timers, last, place);
    else
        timers_lower(timers, last, place);
}

int64_t
timers_first(const struct timers *timers)
{
    return timers->count > 0 ? timers->heap[0]->at : INT64_MAX;
}

void
timers_run(struct timers *timers, int64_t now)
{
    while (timers->count > 0 && timers->heap[0]->at <= now) {
        struct timer *timer = timers->heap[0];

        timers_clear(timers, timer);
        timer->on_expire(timer);
    }
}

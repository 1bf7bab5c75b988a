/* SPDX-License-Identifier: ISC */
/*
 * loop_fiber.c - the fibers of an event loop: start them, let them wait, and
 * keep them for later.
 */
#include <errno.h>

#include "engine/loop_state.h"

#define IDLE_FIBERS_MAX 256 /* kept for later requests */

/* A fiber whose descriptors are always ready lets others run after so many
 * waits. */
#define QUICK_WAITS_MAX 32

static void
loop_fiber_free(struct loop_fiber *fiber)
{
    fiber_free(&fiber->fiber);
    free(fiber);
}

/* One that was woken is still in the list of those. */
void
loop_free_idle_fibers(struct loop *loop, size_t count)
{
    struct loop_fiber **place = &loop->idle;

    while (*place && loop->idle_count > count) {
        struct loop_fiber *fiber = *place;

        if (fiber->is_woken) {
            place = &fiber->next_idle;
            continue;
        }
        *place = fiber->next_idle;
        loop->idle_count--;
        loop_fiber_free(fiber);
    }
}

void
loop_run_fiber(struct loop *loop, struct loop_fiber *fiber)
{
    if (fiber_resume(fiber->fiber))
        return;
    loop->busy_count--;
    if (loop->idle_count >= IDLE_FIBERS_MAX && !fiber->is_woken) {
        loop_fiber_free(fiber);
        return;
    }
    fiber->next_idle = loop->idle;
    loop->idle = fiber;
    loop->idle_count++;
}

static void
on_deadline(struct timer *timer)
{
    struct loop_fiber *fiber = timer->owner;

    fiber->is_expired = true;
    loop_run_fiber(fiber->loop, fiber);
}

static struct loop_fiber *
loop_take_fiber(struct loop *loop)
{
    struct loop_fiber *fiber = loop->idle;

    if (fiber) {
        loop->idle = fiber->next_idle;
        loop->idle_count--;
        return fiber;
    }
    /* All others are busy. */
    if (timers_reserve(&loop->timers, loop->busy_count + 1 + LOOP_TIMERS_MAX) !=
        PST_OK)
        return NULL;
    fiber = calloc(1, sizeof(*fiber));
    if (!fiber)
        return NULL;
    if (fiber_new(&fiber->fiber, fiber) != PST_OK) {
        free(fiber);
        return NULL;
    }
    fiber->loop = loop;
    fiber->timer = (struct timer){.on_expire = on_deadline, .owner = fiber};
    return fiber;
}

enum pst_err
loop_start_fiber(struct loop *loop, fiber_fn *fn, void *argument)
{
    struct loop_fiber *fiber = loop_take_fiber(loop);

    PST_REQUIRE(!fiber_current());
    if (!fiber)
        return PST_NO_MEMORY;
    loop->busy_count++;
    fiber_assign(fiber->fiber, fn, argument);
    loop_run_fiber(loop, fiber);
    return PST_OK;
}

size_t
loop_fiber_count(const struct loop *loop)
{
    return loop->busy_count;
}

void
loop_wake_fiber(struct loop *loop, struct fiber *fiber)
{
    struct loop_fiber *woken = fiber_owner(fiber);

    if (woken->is_woken)
        return;
    woken->is_woken = true;
    woken->next_woken = NULL;
    *loop->woken_end = woken;
    loop->woken_end = &woken->next_woken;
}

void
loop_run_woken(struct loop *loop)
{
    struct loop_fiber *list = loop->woken;

    loop->woken = NULL;
    loop->woken_end = &loop->woken;
    while (list) {
        struct loop_fiber *fiber = list;

        list = fiber->next_woken;
        fiber->is_woken = false;
        if (fiber_is_busy(fiber->fiber))
            loop_run_fiber(loop, fiber);
    }
}

/* Has what a fiber waits for happened? Returns 0, ECANCELED, or ETIMEDOUT as
 * far as the timer has found out; EAGAIN: not yet. */
static int
loop_wait_result(const struct slot *slot, const struct slot *client,
                 const struct loop_fiber *fiber)
{
    if (slot && (slot->ready & slot->wanted))
        return 0;
    if (client && (client->is_cancelled || (client->ready & LOOP_CLIENT_GONE)))
        return ECANCELED;
    return fiber->is_expired ? ETIMEDOUT : EAGAIN;
}

/* Suspend the fiber until something happens that it waits for. */
static int
loop_suspend(struct loop *loop, struct loop_fiber *fiber, struct slot *slot,
             struct slot *client, int64_t deadline)
{
    int result;

    if (slot)
        slot->fiber = fiber;
    if (client)
        client->client = fiber;
    if (deadline != INT64_MAX)
        timers_set(&loop->timers, &fiber->timer, deadline);
    do {
        fiber_suspend();
        result = loop_wait_result(slot, client, fiber);
    } while (result == EAGAIN && slot);
    timers_clear(&loop->timers, &fiber->timer);
    if (slot)
        slot->fiber = NULL;
    if (client)
        client->client = NULL;
    return result == EAGAIN ? 0 : result;
}

/* After a wait that was over at once: let the others run now and then. */
static void
loop_share(struct loop *loop, struct loop_fiber *fiber)
{
    fiber->quick_waits++;
    if (fiber->quick_waits < QUICK_WAITS_MAX)
        return;
    fiber->quick_waits = 0;
    loop_wake_fiber(loop, fiber->fiber);
    while (fiber->is_woken)
        fiber_suspend();
}

int
loop_wait(struct loop *loop, int descriptor, uint32_t events, int client,
          int64_t deadline)
{
    struct loop_fiber *fiber = fiber_owner(fiber_current());
    struct slot *client_slot = NULL;
    struct slot *slot = NULL;
    int result;

    if (descriptor >= 0) {
        result = loop_register(loop, descriptor, events | EPOLLRDHUP | EPOLLET);
        if (result)
            return result == EPERM ? 0 : result; /* a file is always ready */
        slot = loop_slot(loop, descriptor);
        PST_REQUIRE(!slot->fiber);
        slot->wanted = events | EPOLLHUP | EPOLLERR;
        if (events & EPOLLIN)
            slot->wanted |= EPOLLRDHUP;
    }
    if (client >= 0 && client != descriptor) {
        (void)!loop_register(loop, client, EPOLLRDHUP | EPOLLET);
        client_slot = loop_slot(loop, client);
    }
    fiber->is_expired = false;
    result = loop_wait_result(slot, client_slot, fiber);
    if (result != EAGAIN) {
        loop_share(loop, fiber);
        return result;
    }
    fiber->quick_waits = 0;
    return loop_suspend(loop, fiber, slot, client_slot, deadline);
}

void
loop_cancel(struct loop *loop, int client)
{
    struct slot *slot = loop_slot(loop, client);

    slot->is_cancelled = true;
    if (slot->client)
        loop_run_fiber(loop, slot->client);
}

void
loop_restore(struct loop *loop, int client)
{
    loop_slot(loop, client)->is_cancelled = false;
}

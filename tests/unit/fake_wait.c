/* SPDX-License-Identifier: ISC */
/*
 * fake_wait.c - for tests: waits in epoll_wait(2) and poll(2) that let the time
 * pass at once.
 */
#include "fake_wait.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake_clock.h"

static atomic_bool skips = true;
static atomic_size_t count;
static bool (*hook_before)(void);

void
fake_wait_set_skipping(bool is_skipping)
{
    skips = is_skipping;
}

size_t
fake_wait_count(void)
{
    return count;
}

void
fake_wait_set_hook(bool (*hook)(void))
{
    hook_before = hook;
}

/* Nothing is ready: has the hook changed that? */
static bool
is_changed(void)
{
    return hook_before && hook_before();
}

/* Let the time pass, if the wait need not be real. */
static bool
skip_time(int timeout)
{
    if (timeout < 0 || (timeout > 0 && !skips))
        return false;
    fake_clock_advance(timeout);
    return true;
}

int skipping_epoll_wait(int epoll, struct epoll_event *events, int max,
                        int timeout) __asm__("epoll_wait");

int
skipping_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    int ready;

    count += timeout > 0;
    do
        ready = epoll_pwait(epoll, events, max, 0, NULL);
    while (ready == 0 && timeout != 0 && is_changed());
    if (ready != 0 || skip_time(timeout))
        return ready;
    return epoll_pwait(epoll, events, max, timeout, NULL);
}

/* poll(2) by another name. */
static int
really_poll(struct pollfd *list, nfds_t len, int ms)
{
    const struct timespec span = {ms / 1000, ms % 1000 * 1000000L};

    return (int)syscall(SYS_ppoll, list, len, ms >= 0 ? &span : NULL, NULL, 0);
}

int skipping_poll(struct pollfd *list, nfds_t len, int timeout) __asm__("poll");

int
skipping_poll(struct pollfd *list, nfds_t len, int timeout)
{
    int ready;

    count += timeout > 0;
    do
        ready = really_poll(list, len, 0);
    while (ready == 0 && timeout != 0 && is_changed());
    if (ready != 0 || skip_time(timeout))
        return ready;
    return really_poll(list, len, timeout);
}

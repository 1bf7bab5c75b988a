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
static void (*hook_before)(void);

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
fake_wait_set_hook(void (*hook)(void))
{
    hook_before = hook;
}

/* Let the time pass, when nothing else has happened. */
static void
skip_time(int ready, int timeout)
{
    if (ready != 0)
        return;
    if (hook_before)
        hook_before();
    fake_clock_advance(timeout);
}

int skipping_epoll_wait(int epoll, struct epoll_event *events, int max,
                        int timeout) __asm__("epoll_wait");

int
skipping_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    bool is_skipped = skips && timeout > 0;
    int ready;

    count += timeout > 0;
    ready = epoll_pwait(epoll, events, max, is_skipped ? 0 : timeout, NULL);
    if (is_skipped)
        skip_time(ready, timeout);
    return ready;
}

int skipping_poll(struct pollfd *list, nfds_t len, int timeout) __asm__("poll");

int
skipping_poll(struct pollfd *list, nfds_t len, int timeout)
{
    bool is_skipped = skips && timeout > 0;
    int ms = is_skipped ? 0 : timeout;
    const struct timespec span = {ms / 1000, ms % 1000 * 1000000L};
    int ready;

    count += timeout > 0;
    ready = (int)syscall(SYS_ppoll, list, len, ms >= 0 ? &span : NULL, NULL, 0);
    if (is_skipped)
        skip_time(ready, timeout);
    return ready;
}

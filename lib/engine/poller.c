/* SPDX-License-Identifier: ISC */
/*
 * poller.c - wait for events on descriptors, with epoll(7).
 */
#include "engine/poller.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 64 /* handled after one epoll_wait(2) */

static bool
poller_control(struct poller *poller, int operation, struct poller_watch *watch,
               uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(poller->epoll, operation, watch->descriptor, &event) == 0;
}

/* Reset the counter; returning from poller_wait() is the effect. */
static void
on_wakeup_event(struct poller_watch *watch, uint32_t events)
{
    uint64_t count;
    ssize_t got = read(watch->descriptor, &count, sizeof(count));

    (void)events;
    (void)got;
}

bool
poller_open(struct poller *poller)
{
    poller->wakeup = (struct poller_watch){
        .descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .on_event = on_wakeup_event,
    };
    poller->epoll = epoll_create1(EPOLL_CLOEXEC);
    return poller->epoll >= 0 && poller->wakeup.descriptor >= 0 &&
           poller_add(poller, &poller->wakeup, EPOLLIN);
}

void
poller_close(struct poller *poller)
{
    if (poller->wakeup.descriptor >= 0)
        close(poller->wakeup.descriptor);
    if (poller->epoll >= 0)
        close(poller->epoll);
}

bool
poller_add(struct poller *poller, struct poller_watch *watch, uint32_t events)
{
    return poller_control(poller, EPOLL_CTL_ADD, watch, events);
}

bool
poller_rearm(struct poller *poller, struct poller_watch *watch, uint32_t events)
{
    return poller_control(poller, EPOLL_CTL_MOD, watch, events);
}

void
poller_remove(struct poller *poller, struct poller_watch *watch)
{
    poller_control(poller, EPOLL_CTL_DEL, watch, 0);
}

void
poller_wake(struct poller *poller)
{
    const uint64_t one = 1;
    ssize_t written = write(poller->wakeup.descriptor, &one, sizeof(one));

    (void)written; /* it fails where the counter is full: that wakes too */
}

void
poller_wait(struct poller *poller, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(poller->epoll, events, EVENTS_MAX, timeout_ms);

    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < count; i++) {
            struct poller_watch *watch = events[i].data.ptr;

            if (!watch || (pass == 0 && !watch->is_urgent))
                continue;
            events[i].data.ptr = NULL; /* the handler may free it */
            watch->on_event(watch, events[i].events);
        }
}

/* SPDX-License-Identifier: ISC */
/*
 * poller.h - wait for events on descriptors, with epoll(7).
 */
#ifndef POSTERN_ENGINE_POLLER_H
#define POSTERN_ENGINE_POLLER_H

#include "base/base.h"

/* One watched descriptor. */
struct poller_watch {
    int descriptor;
    bool is_urgent; /* handled before the others of the same wait */
    void *owner;    /* the caller's, for on_event() */

    /* events: EPOLLIN and so on */
    void (*on_event)(struct poller_watch *watch, uint32_t events);
};

struct poller {
    int epoll;
    struct poller_watch wakeup; /* an eventfd */
};

/*
 * Open a poller in the caller's storage. Returns false, with errno set, when
 * descriptors or memory have run out. Close it with poller_close() in both
 * cases.
 */
PST_MUST_USE bool poller_open(struct poller *poller);

/* Close what poller_open() opened; watched descriptors stay open. */
void poller_close(struct poller *poller);

/*
 * Watch a descriptor, or watch it again after an event has disarmed it
 * (EPOLLONESHOT), or stop watching it. Any thread may call these.
 *   watch   must stay where it is while it is watched
 *   events  epoll's, such as EPOLLIN | EPOLLONESHOT
 * poller_add() and poller_rearm() return false with errno set on failure.
 */
PST_MUST_USE bool poller_add(struct poller *poller, struct poller_watch *watch,
                             uint32_t events);
PST_MUST_USE bool poller_rearm(struct poller *poller,
                               struct poller_watch *watch, uint32_t events);
void poller_remove(struct poller *poller, struct poller_watch *watch);

/* Make poller_wait() return. Any thread may call this. */
void poller_wake(struct poller *poller);

/*
 * Wait for events and call on_event() for each, urgent ones first. An
 * on_event() may free its own watch. One that is not urgent may also free
 * urgent ones, since their events have been handled by then.
 *   timeout_ms  milliseconds; -1: no limit
 */
void poller_wait(struct poller *poller, int timeout_ms);

#endif

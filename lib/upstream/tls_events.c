/* SPDX-License-Identifier: ISC */
/*
 * tls_events.c - tell libcurl when its sockets are ready and its time has come;
 * and wait until it has done something for an exchange.
 */
#include "upstream/tls_events.h"

#include <errno.h>

#include "base/clock.h"

/* Has something happened that the fiber waits for? */
static bool
needs_waking(const struct tls_handle *handle)
{
    return handle->waiter &&
           (handle->is_done || transfer_needs_service(handle->transfer) ||
            handle->transfer->phase != handle->phase);
}

void
tls_events_update(struct tls_session *session)
{
    struct tls_handle *handle;

    if (!session->loop)
        return;
    TAILQ_FOREACH(handle, &session->running, link)
    {
        if (needs_waking(handle))
            loop_wake_fiber(session->loop, handle->waiter);
    }
    if (session->timer == INT64_MAX)
        loop_clear_timer(session->loop, &session->loop_timer);
    else
        loop_set_timer(session->loop, &session->loop_timer, session->timer);
}

/* Tell libcurl which sockets are ready, and whether its time has come. */
static void
report_events(struct tls_session *session, const struct epoll_event *events,
              int count)
{
    for (int i = 0; i < count; i++)
        tls_session_call(session, events[i].data.fd, events[i].events);
    if (clock_ms() >= session->timer)
        tls_session_call(session, -1, 0);
    tls_events_update(session);
}

static void
on_sockets_ready(struct loop_watch *watch, uint32_t unused)
{
    const struct wait_limit now = {.deadline = clock_ms(), .client = -1};
    struct tls_session *session = watch->owner;
    struct epoll_event events[SOCKET_SET_EVENTS_MAX];
    int count = 0;

    (void)unused;
    if (socket_set_wait(&session->sockets, &now, events, &count) == 0)
        report_events(session, events, count);
}

static void
on_time(struct timer *timer)
{
    report_events(timer->owner, NULL, 0);
}

enum pst_err
tls_events_attach(struct tls_session *session)
{
    struct loop *loop = fiber_current() ? loop_current() : NULL;

    if (!loop || session->loop)
        return PST_OK;
    session->watch = (struct loop_watch){on_sockets_ready, session};
    session->loop_timer =
        (struct timer){.on_expire = on_time, .owner = session};
    if (!loop_watch(loop, session->sockets.epoll, &session->watch, EPOLLIN))
        return PST_NO_MEMORY;
    session->loop = loop;
    return PST_OK;
}

void
tls_events_detach(struct tls_session *session)
{
    if (session->loop && session->loop == loop_current()) {
        loop_clear_timer(session->loop, &session->loop_timer);
        loop_unwatch(session->loop, session->sockets.epoll);
    }
    session->loop = NULL;
}

/* Wait in the loop, which calls libcurl. */
static int
wait_in_fiber(struct tls_handle *handle, const struct wait_limit *limit)
{
    int error;

    handle->waiter = fiber_current();
    handle->phase = handle->transfer->phase;
    error =
        loop_wait(handle->session->loop, -1, 0, limit->client, limit->deadline);
    handle->waiter = NULL;
    return error == ETIMEDOUT ? 0 : error;
}

int
tls_events_wait(struct tls_handle *handle, int64_t deadline)
{
    struct tls_session *session = handle->session;
    struct wait_limit limit = {.deadline = deadline,
                               .client = handle->transfer->exchange->client};
    struct epoll_event events[SOCKET_SET_EVENTS_MAX];
    int count = 0;
    int error;

    if (session->loop && fiber_current())
        return wait_in_fiber(handle, &limit);
    if (session->timer < limit.deadline)
        limit.deadline = session->timer;
    error = socket_set_wait(&session->sockets, &limit, events, &count);
    if (!error)
        report_events(session, events, count);
    return error;
}

/* SPDX-License-Identifier: ISC */
/*
 * client_watch.c - notice that a client hangs up, with an epoll instance that
 * watches one descriptor.
 */
#include "upstream/client_watch.h"

#include <sys/epoll.h>
#include <unistd.h>

enum pst_err
client_watch_init(struct client_watch *watch)
{
    watch->client = -1;
    watch->epoll = epoll_create1(EPOLL_CLOEXEC);
    return watch->epoll < 0 ? PST_NO_MEMORY : PST_OK;
}

void
client_watch_fini(struct client_watch *watch)
{
    if (watch->epoll >= 0)
        (void)close(watch->epoll);
    watch->epoll = -1;
    watch->client = -1;
}

void
client_watch_start(struct client_watch *watch, int client)
{
    struct epoll_event event = {.events = EPOLLRDHUP};

    client_watch_stop(watch);
    if (client >= 0 &&
        epoll_ctl(watch->epoll, EPOLL_CTL_ADD, client, &event) == 0)
        watch->client = client;
}

void
client_watch_stop(struct client_watch *watch)
{
    if (watch->client >= 0)
        (void)epoll_ctl(watch->epoll, EPOLL_CTL_DEL, watch->client, NULL);
    watch->client = -1;
}

bool
client_watch_is_active(const struct client_watch *watch)
{
    return watch->client >= 0;
}

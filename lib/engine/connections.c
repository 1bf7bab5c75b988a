/* SPDX-License-Identifier: ISC */
/*
 * connections.c - the set of open connections: watch the idle ones, and pass
 * each that has bytes to read to a thread.
 *
 * An idle connection is in a list and watched for one event. Only the thread
 * that waits in the poller removes connections from that list.
 */
#include "engine/connections.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"

/* Seconds that a read(2) or write(2) may wait for the web server. */
#define PEER_TIMEOUT 60

#define LINGER_MS 2000

/* An idle connection's next event disarms the watch. */
#define CONNECTION_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLONESHOT)

struct connection {
    struct connections *connections;
    struct poller_watch watch;
    struct thread_pool_job job;
};

struct connections {
    struct poller *poller;
    struct thread_pool *thread_pool;
    size_t limit;

    pthread_mutex_t lock;         /* protects all below */
    struct thread_pool_list idle; /* longest idle first */
    size_t count;                 /* idle, and with a thread */
    bool is_draining;
};

enum pst_err
connections_new(struct connections **out, struct poller *poller,
                struct thread_pool *thread_pool, size_t limit)
{
    struct connections *connections = calloc(1, sizeof(*connections));

    if (!connections)
        return PST_NO_MEMORY;
    connections->poller = poller;
    connections->thread_pool = thread_pool;
    connections->limit = limit;
    TAILQ_INIT(&connections->idle);
    pthread_mutex_init(&connections->lock, NULL);
    *out = connections;
    return PST_OK;
}

void
connections_free(struct connections **connections)
{
    struct connections *old = *connections;

    *connections = NULL;
    if (!old)
        return;
    PST_REQUIRE(old->count == 0);
    pthread_mutex_destroy(&old->lock);
    free(old);
}

/* As recv(2): 1 when there are bytes, 0 when the other end has closed, -1. */
static ssize_t
connection_peek(const struct connection *connection)
{
    char byte;

    return recv(connection->watch.descriptor, &byte, 1,
                MSG_PEEK | MSG_DONTWAIT);
}

/* Free a connection that is in no list. Under the lock. */
static void
connection_free(struct connection *connection, bool is_open)
{
    if (is_open)
        close(connection->watch.descriptor);
    connection->connections->count--;
    free(connection);
}

/* A connection has bytes to read, has failed, or was closed. */
static void
on_connection_event(struct poller_watch *watch, uint32_t events)
{
    struct connection *connection = watch->owner;
    struct connections *connections = connection->connections;
    bool has_ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 &&
                     connection_peek(connection) == 0;

    pthread_mutex_lock(&connections->lock);
    TAILQ_REMOVE(&connections->idle, &connection->job, link);
    if (has_ended)
        connection_free(connection, true);
    pthread_mutex_unlock(&connections->lock);
    if (!has_ended)
        thread_pool_submit(connections->thread_pool, &connection->job);
}

void
connections_add(struct connections *connections, int descriptor, bool is_tcp)
{
    const struct timeval limit = {.tv_sec = PEER_TIMEOUT};
    const int on = 1;
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection) {
        close(descriptor);
        return;
    }
    connection->connections = connections;
    connection->watch.descriptor = descriptor;
    connection->watch.is_urgent = true; /* the others may free idle ones */
    connection->watch.owner = connection;
    connection->watch.on_event = on_connection_event;
    connection->job.descriptor = descriptor;
    connection->job.owner = connection;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (is_tcp)
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    pthread_mutex_lock(&connections->lock);
    connections->count++;
    if (poller_add(connections->poller, &connection->watch, CONNECTION_EVENTS))
        TAILQ_INSERT_TAIL(&connections->idle, &connection->job, link);
    else
        connection_free(connection, true);
    pthread_mutex_unlock(&connections->lock);
}

/*
 * Close the connection that has been idle longest. If a request has arrived
 * on it meanwhile, a thread gets it instead. Under the lock. Returns whether
 * it was closed.
 */
static bool
connections_close_oldest(struct connections *connections)
{
    struct thread_pool_job *job = TAILQ_FIRST(&connections->idle);
    struct connection *oldest = job->owner;

    TAILQ_REMOVE(&connections->idle, job, link);
    if (connection_peek(oldest) == 1) {
        poller_remove(connections->poller, &oldest->watch);
        thread_pool_submit(connections->thread_pool, job);
        return false;
    }
    connection_free(oldest, true);
    return true;
}

bool
connections_make_room(struct connections *connections, bool is_short)
{
    bool has_room;

    pthread_mutex_lock(&connections->lock);
    has_room = !is_short && connections->count < connections->limit;
    while (!has_room && !TAILQ_EMPTY(&connections->idle))
        has_room = connections_close_oldest(connections);
    pthread_mutex_unlock(&connections->lock);
    return has_room;
}

void
connections_drain(struct connections *connections)
{
    pthread_mutex_lock(&connections->lock);
    while (!TAILQ_EMPTY(&connections->idle))
        connections_close_oldest(connections);
    connections->is_draining = true;
    pthread_mutex_unlock(&connections->lock);
}

size_t
connections_count(struct connections *connections)
{
    size_t count;

    pthread_mutex_lock(&connections->lock);
    count = connections->count;
    pthread_mutex_unlock(&connections->lock);
    return count;
}

/* Watch a connection again; connections_close_oldest() may have stopped
 * watching it. */
static bool
connection_watch(struct connection *connection)
{
    struct poller *poller = connection->connections->poller;

    return poller_rearm(poller, &connection->watch, CONNECTION_EVENTS) ||
           poller_add(poller, &connection->watch, CONNECTION_EVENTS);
}

void
connections_finish_job(struct connections *connections,
                       struct thread_pool_job *job, bool is_open)
{
    struct connection *connection = job->owner;
    bool was_full;

    pthread_mutex_lock(&connections->lock);
    was_full = connections->count >= connections->limit;
    if (is_open && !connections->is_draining && connection_watch(connection))
        TAILQ_INSERT_TAIL(&connections->idle, job, link);
    else
        connection_free(connection, is_open);
    pthread_mutex_unlock(&connections->lock);
    if (was_full)
        poller_wake(connections->poller);
}

void
connection_close_lingering(int descriptor)
{
    struct pollfd readable = {.fd = descriptor, .events = POLLIN};
    int64_t left = LINGER_MS;
    int64_t deadline = clock_ms() + left;
    char discarded[1024];

    shutdown(descriptor, SHUT_WR);
    /* poll(2) would wait for ever if `left` were below 0. */
    while (left > 0 && poll(&readable, 1, (int)left) > 0 &&
           recv(descriptor, discarded, sizeof(discarded), MSG_DONTWAIT) > 0)
        left = deadline - clock_ms();
    close(descriptor);
}

/* SPDX-License-Identifier: ISC */
/*
 * connections.c - a dispatcher that waits in epoll for sockets and idle
 * connections.
 *
 * A connection is either idle (in the list, and watched for one event) or
 * with the crew. Only the dispatcher takes connections out of the list, and
 * it looks at what epoll said of them before anything else, so that none is
 * gone when its turn comes.
 */
#include "engine/connections.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"

#define IDLE_THREAD_TIMEOUT 10 /* seconds until a worker without work ends */
#define PEER_TIMEOUT 60     /* seconds: half a request holds a worker so long */
#define RETRY_MS 100        /* when descriptors or threads have run out */
#define ABORT_GRACE_MS 1000 /* for workers whose connection was cut */
#define LOG_INTERVAL_MS 10000   /* between two lines about the same trouble */
#define EVENTS_MAX 64           /* in one go */
#define ACCEPTS_MAX 64          /* in one go */
#define DESCRIPTORS_RESERVED 32 /* sockets, log, epoll, libraries */
#define DESCRIPTORS_PER_WORKER                          \
    8 /* of a worker: curl's own, backend, store, names \
       */

/* How a connection is watched: its next event disarms it. */
#define CONNECTION_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLONESHOT)

struct connections;

/* What epoll watches: a connection, or one of the dispatcher's own. */
struct watch {
    bool is_connection;
    struct thread_pool_job job; /* its descriptor */
    void (*on_event)(struct connections *connections, struct watch *watch,
                     uint32_t events);
};

struct connections {
    const struct connections_options *options;
    struct thread_pool *thread_pool;
    int epoll;
    struct watch signals;
    struct watch dispatcher_wakeup; /* an eventfd: look again */
    struct watch sockets[LISTEN_SOCKETS_MAX];
    size_t connection_limit;
    bool is_accepting;      /* the sockets are watched */
    int64_t resume_at;      /* not before, in ticks: the system was short */
    bool is_aborted;        /* draining has taken too long */
    int64_t deadline;       /* of draining: monotonic milliseconds */
    int64_t full_logged_at; /* when the log last heard of it */

    pthread_mutex_t lock;         /* over all below */
    struct thread_pool_list idle; /* longest idle first */
    size_t count;                 /* idle, and with the crew */
    bool is_draining;             /* written by the dispatcher only */
};

static bool
epoll_set(struct connections *connections, int operation, struct watch *watch,
          uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(connections->epoll, operation, watch->job.descriptor,
                     &event) == 0;
}

/* Make the dispatcher look again. */
static void
dispatcher_wakeup(void *owner)
{
    const uint64_t one = 1;
    struct connections *connections = owner;
    ssize_t written =
        write(connections->dispatcher_wakeup.job.descriptor, &one, sizeof(one));

    (void)written; /* a counter that is full wakes as well */
}

/* What recv(2) would give: 1 byte, 0 when the other end has closed, -1. */
static ssize_t
connection_peek(const struct watch *connection)
{
    char byte;

    return recv(connection->job.descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

/* Forget a connection that is nowhere any more. Under the lock. */
static void
connection_drop(struct connections *connections, struct watch *connection,
                bool is_open)
{
    if (is_open)
        close(connection->job.descriptor);
    free(connection);
    connections->count--;
}

/* The crew has heard a connection: wait for its next request. */
static void
connection_handled(void *owner, struct thread_pool_job *job, bool is_open)
{
    struct connections *connections = owner;
    struct watch *connection = job->owner;
    bool was_full;

    pthread_mutex_lock(&connections->lock);
    was_full = connections->count >= connections->connection_limit;
    if (is_open && !connections->is_draining &&
        (epoll_set(connections, EPOLL_CTL_MOD, connection, CONNECTION_EVENTS) ||
         epoll_set(connections, EPOLL_CTL_ADD, connection, CONNECTION_EVENTS)))
        TAILQ_INSERT_TAIL(&connections->idle, job, link);
    else
        connection_drop(connections, connection, is_open);
    pthread_mutex_unlock(&connections->lock);
    if (was_full)
        dispatcher_wakeup(connections);
}

/*
 * Take the connection that was idle longest out of the list and close it;
 * but if it has something to say, it is heard. Under the lock. Returns
 * whether it was closed.
 */
static bool
connections_close_oldest(struct connections *connections)
{
    struct thread_pool_job *oldest = TAILQ_FIRST(&connections->idle);

    TAILQ_REMOVE(&connections->idle, oldest, link);
    if (connection_peek(oldest->owner) == 1) {
        epoll_set(connections, EPOLL_CTL_DEL, oldest->owner, 0);
        thread_pool_submit(connections->thread_pool, oldest);
        return false;
    }
    connection_drop(connections, oldest->owner, true);
    return true;
}

static void
on_connection_event(struct connections *connections, struct watch *connection,
                    uint32_t events)
{
    bool has_ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 &&
                     connection_peek(connection) == 0;

    pthread_mutex_lock(&connections->lock);
    TAILQ_REMOVE(&connections->idle, &connection->job, link);
    if (has_ended)
        connection_drop(connections, connection, true);
    pthread_mutex_unlock(&connections->lock);
    if (!has_ended)
        thread_pool_submit(connections->thread_pool, &connection->job);
}

/*
 * Is there room for another connection? Closes the one that was idle longest
 * when there is none, or when the system itself is short of descriptors: a
 * web server opens another when it needs one.
 */
static bool
connections_make_room(struct connections *connections, bool is_short)
{
    bool has_room;

    pthread_mutex_lock(&connections->lock);
    has_room = !is_short && connections->count < connections->connection_limit;
    while (!has_room && !TAILQ_EMPTY(&connections->idle))
        has_room = connections_close_oldest(connections);
    pthread_mutex_unlock(&connections->lock);
    return has_room;
}

static void
connections_stop_accepting(struct connections *connections)
{
    for (size_t i = 0; i < connections->options->sockets->count; i++)
        epoll_set(connections, EPOLL_CTL_DEL, &connections->sockets[i], 0);
    connections->is_accepting = false;
}

/* Nothing more can be taken in until something ends. */
static void
connections_pause_accepting(struct connections *connections)
{
    int64_t now = clock_ms();
    size_t count;

    connections_stop_accepting(connections);
    if (connections->full_logged_at != 0 &&
        now - connections->full_logged_at < LOG_INTERVAL_MS)
        return;
    connections->full_logged_at = now;
    pthread_mutex_lock(&connections->lock);
    count = connections->count;
    pthread_mutex_unlock(&connections->lock);
    LOG_EVENT(connections->options->log, LEVEL_WARNING, "full",
              LOG_NUMBER("connections", (int64_t)count));
}

/* Take a new connection in; it is closed when that cannot be. */
static void
connection_add(struct connections *connections, int descriptor,
               const struct sockaddr_storage *peer)
{
    const struct timeval limit = {.tv_sec = PEER_TIMEOUT};
    const int on = 1;
    struct watch *connection = NULL;

    if (listen_peers_allow(connections->options->peers, peer))
        connection = calloc(1, sizeof(*connection));
    if (!connection) {
        close(descriptor);
        return;
    }
    connection->is_connection = true;
    connection->on_event = on_connection_event;
    connection->job.descriptor = descriptor;
    connection->job.owner = connection;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (peer->ss_family == AF_INET || peer->ss_family == AF_INET6)
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    pthread_mutex_lock(&connections->lock);
    connections->count++;
    if (epoll_set(connections, EPOLL_CTL_ADD, connection, CONNECTION_EVENTS))
        TAILQ_INSERT_TAIL(&connections->idle, &connection->job, link);
    else
        connection_drop(connections, connection, true);
    pthread_mutex_unlock(&connections->lock);
}

/* Accept one connection; false when there is no other, or no room for it. */
static bool
connection_accept(struct connections *connections, int socket)
{
    struct sockaddr_storage peer = {0};
    struct sockaddr *address = (void *)&peer;
    socklen_t len = sizeof(peer);
    int descriptor = accept4(socket, address, &len, SOCK_CLOEXEC);
    bool has_room = false;

    if (descriptor >= 0) {
        has_room = connections_make_room(connections, false);
        connection_add(connections, descriptor, &peer);
    } else if (errno == EAGAIN) {
        return false;
    } else if (errno == EINTR || errno == ECONNABORTED) {
        has_room = true;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
               errno == ENOMEM) {
        has_room = connections_make_room(connections, true);
        connections->resume_at = clock_ms() + RETRY_MS;
    }
    if (!has_room)
        connections_pause_accepting(connections);
    return has_room;
}

/* Accept what waits at a socket, `left` at most. */
static void
connections_accept(struct connections *connections, int socket, int left)
{
    while (left > 0 && connection_accept(connections, socket))
        left--;
}

static void
on_listening_socket_event(struct connections *connections, struct watch *watch,
                          uint32_t events)
{
    (void)events;
    if (connections->is_draining)
        return; /* it was closed a moment ago */
    connections_accept(connections, watch->job.descriptor, ACCEPTS_MAX);
}

static bool
connections_start_accepting(struct connections *connections)
{
    const struct listen_sockets *sockets = connections->options->sockets;

    for (size_t i = 0; i < sockets->count; i++) {
        connections->sockets[i].job.descriptor = sockets->list[i].descriptor;
        connections->sockets[i].on_event = on_listening_socket_event;
        /* Where the one after it failed the last time, it is there already. */
        if (!epoll_set(connections, EPOLL_CTL_ADD, &connections->sockets[i],
                       EPOLLIN | EPOLLEXCLUSIVE) &&
            errno != EEXIST)
            return false;
    }
    connections->is_accepting = true;
    return true;
}

static void
connections_begin_drain(struct connections *connections)
{
    struct listen_sockets *sockets = connections->options->sockets;

    /* What has reached a socket of ours would be refused without a word; the
     * others outlive us, and what waits there with them. No more can have
     * waited than listen(2) was told: what comes later must not hold us up. */
    for (size_t i = 0; i < sockets->count; i++)
        if (sockets->list[i].is_ours)
            connections_accept(connections, sockets->list[i].descriptor,
                               SOMAXCONN + 1);
    connections_stop_accepting(connections);
    listen_close(sockets);
    connections->deadline = clock_ms() + connections->options->drain * 1000;
    pthread_mutex_lock(&connections->lock);
    while (!TAILQ_EMPTY(&connections->idle))
        connections_close_oldest(connections);
    connections->is_draining = true;
    pthread_mutex_unlock(&connections->lock);
    thread_pool_shutdown(connections->thread_pool);
}

static void
on_signals_event(struct connections *connections, struct watch *watch,
                 uint32_t events)
{
    struct log *log = connections->options->log;
    struct signalfd_siginfo info;

    (void)events;
    while (read(watch->job.descriptor, &info, sizeof(info)) > 0) {
        if (info.ssi_signo == SIGHUP) {
            if (connections->options->on_hangup)
                connections->options->on_hangup(
                    connections->options->work->context);
        } else if (connections->is_draining) {
            connections->deadline = clock_ms();
        } else {
            LOG_EVENT(log, LEVEL_INFO, "draining",
                      LOG_NUMBER("signal", info.ssi_signo),
                      LOG_NUMBER("seconds", connections->options->drain));
            connections_begin_drain(connections);
        }
    }
}

static void
on_wakeup_event(struct connections *connections, struct watch *watch,
                uint32_t events)
{
    uint64_t count;
    ssize_t got = read(watch->job.descriptor, &count, sizeof(count));

    (void)connections;
    (void)events;
    (void)got; /* the dispatcher looks at everything anyway */
}

/* Wait for events and handle them: connections first, since the others may
 * close idle ones. */
static void
dispatcher_step(struct connections *connections, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(connections->epoll, events, EVENTS_MAX, timeout_ms);

    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < count; i++) {
            struct watch *watch = events[i].data.ptr;

            if (!watch || (pass == 0 && !watch->is_connection))
                continue;
            events[i].data.ptr = NULL;
            watch->on_event(connections, watch, events[i].events);
        }
}

static enum connections_result
dispatcher_run(struct connections *connections)
{
    while (!connections->is_draining ||
           thread_pool_join(connections->thread_pool) > 0) {
        bool is_short = !thread_pool_ensure(connections->thread_pool);

        if (connections->is_draining) {
            if (clock_ms() >= connections->deadline) {
                if (connections->is_aborted)
                    return CONNECTIONS_ABORTED;
                thread_pool_abort(connections->thread_pool);
                connections->is_aborted = true;
                connections->deadline = clock_ms() + ABORT_GRACE_MS;
            }
            is_short = true;
        } else if (!connections->is_accepting &&
                   (clock_ms() < connections->resume_at ||
                    !connections_make_room(connections, false) ||
                    !connections_start_accepting(connections))) {
            is_short = true;
        }
        dispatcher_step(connections, is_short ? RETRY_MS : -1);
        thread_pool_join(connections->thread_pool);
    }
    return CONNECTIONS_DRAINED;
}

static void
handled_signals_init(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGHUP);
}

void
connections_block_signals(void)
{
    sigset_t set;

    handled_signals_init(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void
connections_unblock_signals(void)
{
    sigset_t set;

    handled_signals_init(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Raise the limit of descriptors, and leave what workers need of it. */
static size_t
connection_limit(int64_t workers)
{
    struct rlimit limit;
    size_t reserved =
        DESCRIPTORS_RESERVED + (size_t)workers * DESCRIPTORS_PER_WORKER;
    size_t total;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return reserved;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    total = (size_t)limit.rlim_cur;
    return total / 2 > reserved ? total - reserved : total / 2;
}

static bool
connections_open(struct connections *connections)
{
    const struct thread_pool_owner owner = {connections, connection_handled,
                                            dispatcher_wakeup};
    const struct connections_options *options = connections->options;
    sigset_t set;

    handled_signals_init(&set);
    connections->epoll = epoll_create1(EPOLL_CLOEXEC);
    connections->signals.on_event = on_signals_event;
    connections->signals.job.descriptor =
        signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    connections->dispatcher_wakeup.on_event = on_wakeup_event;
    connections->dispatcher_wakeup.job.descriptor =
        eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return connections->epoll >= 0 &&
           connections->signals.job.descriptor >= 0 &&
           connections->dispatcher_wakeup.job.descriptor >= 0 &&
           epoll_set(connections, EPOLL_CTL_ADD, &connections->signals,
                     EPOLLIN) &&
           epoll_set(connections, EPOLL_CTL_ADD,
                     &connections->dispatcher_wakeup, EPOLLIN) &&
           thread_pool_new(&connections->thread_pool, (size_t)options->workers,
                           IDLE_THREAD_TIMEOUT, options->work,
                           &owner) == PST_OK &&
           connections_start_accepting(connections);
}

static void
connections_close(struct connections *connections)
{
    const int own[] = {connections->epoll, connections->signals.job.descriptor,
                       connections->dispatcher_wakeup.job.descriptor};

    for (size_t i = 0; i < PST_COUNT(own); i++)
        if (own[i] >= 0)
            close(own[i]);
    thread_pool_free(&connections->thread_pool);
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}

enum connections_result
connections_run(const struct connections_options *options)
{
    struct connections *connections = calloc(1, sizeof(*connections));
    enum connections_result result = CONNECTIONS_FAILED;
    int saved_errno;

    PST_REQUIRE(options->sockets->count > 0 && options->workers > 0);
    if (!connections)
        return CONNECTIONS_FAILED;
    connections->options = options;
    connections->connection_limit = connection_limit(options->workers);
    TAILQ_INIT(&connections->idle);
    pthread_mutex_init(&connections->lock, NULL);
    if (connections_open(connections))
        result = dispatcher_run(connections);
    saved_errno = errno;
    if (result == CONNECTIONS_FAILED)
        listen_close(options->sockets);
    if (result != CONNECTIONS_ABORTED) /* else workers still look at it */
        connections_close(connections);
    errno = saved_errno;
    return result;
}

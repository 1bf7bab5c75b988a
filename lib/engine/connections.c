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

#define WORKER_IDLE 10     /* seconds until a worker without work ends */
#define PEER_TIMEOUT 60    /* seconds: half a request holds a worker so long */
#define RETRY_MS 100       /* when descriptors or threads have run out */
#define CUT_GRACE_MS 1000  /* for workers whose connection was cut */
#define SAY_AGAIN_MS 10000 /* between two lines about the same trouble */
#define EVENTS_MAX 64      /* in one go */
#define ACCEPTS_MAX 64     /* in one go */
#define DESCRIPTORS_SPARE 32 /* sockets, log, epoll, libraries */
#define DESCRIPTORS_EACH                                \
    8 /* of a worker: curl's own, backend, store, names \
       */

/* How a connection is watched: its next event disarms it. */
#define ONE_EVENT (EPOLLIN | EPOLLRDHUP | EPOLLONESHOT)

struct pool;

/* What epoll watches: a connection, or one of the dispatcher's own. */
struct watch {
    bool is_connection;
    struct crew_item item; /* its descriptor */
    void (*on_event)(struct pool *pool, struct watch *watch, uint32_t events);
};

struct pool {
    const struct pool_options *options;
    struct crew *crew;
    int epoll;
    struct watch signals;
    struct watch wake; /* an eventfd: look again */
    struct watch sockets[LISTEN_SOCKETS_MAX];
    size_t connections_max;
    bool is_accepting; /* the sockets are watched */
    int64_t resume;    /* not before, in ticks: the system was short */
    bool is_cut;       /* draining has taken too long */
    int64_t deadline;  /* of draining: monotonic milliseconds */
    int64_t said_full; /* when the log last heard of it */

    pthread_mutex_t lock;  /* over all below */
    struct crew_list idle; /* longest idle first */
    size_t connections;    /* idle, and with the crew */
    bool is_draining;      /* written by the dispatcher only */
};

static bool
epoll_set(struct pool *pool, int operation, struct watch *watch,
          uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(pool->epoll, operation, watch->item.descriptor, &event) ==
           0;
}

/* Make the dispatcher look again. */
static void
wake(void *giver)
{
    const uint64_t one = 1;
    struct pool *pool = giver;
    ssize_t written = write(pool->wake.item.descriptor, &one, sizeof(one));

    (void)written; /* a counter that is full wakes as well */
}

/* What recv(2) would give: 1 byte, 0 when the other end has closed, -1. */
static ssize_t
connection_peek(const struct watch *connection)
{
    char octet;

    return recv(connection->item.descriptor, &octet, 1,
                MSG_PEEK | MSG_DONTWAIT);
}

/* Forget a connection that is nowhere any more. Under the lock. */
static void
connection_drop(struct pool *pool, struct watch *connection, bool is_open)
{
    if (is_open)
        close(connection->item.descriptor);
    free(connection);
    pool->connections--;
}

/* The crew has heard a connection: wait for its next request. */
static void
connection_heard(void *giver, struct crew_item *item, bool is_open)
{
    struct pool *pool = giver;
    struct watch *connection = item->giver;
    bool was_full;

    pthread_mutex_lock(&pool->lock);
    was_full = pool->connections >= pool->connections_max;
    if (is_open && !pool->is_draining &&
        (epoll_set(pool, EPOLL_CTL_MOD, connection, ONE_EVENT) ||
         epoll_set(pool, EPOLL_CTL_ADD, connection, ONE_EVENT)))
        TAILQ_INSERT_TAIL(&pool->idle, item, link);
    else
        connection_drop(pool, connection, is_open);
    pthread_mutex_unlock(&pool->lock);
    if (was_full)
        wake(pool);
}

/*
 * Take the connection that was idle longest out of the list and close it;
 * but if it has something to say, it is heard. Under the lock. Returns
 * whether it was closed.
 */
static bool
retire_oldest(struct pool *pool)
{
    struct crew_item *oldest = TAILQ_FIRST(&pool->idle);

    TAILQ_REMOVE(&pool->idle, oldest, link);
    if (connection_peek(oldest->giver) == 1) {
        epoll_set(pool, EPOLL_CTL_DEL, oldest->giver, 0);
        crew_give(pool->crew, oldest);
        return false;
    }
    connection_drop(pool, oldest->giver, true);
    return true;
}

static void
on_connection(struct pool *pool, struct watch *connection, uint32_t events)
{
    bool has_ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 &&
                     connection_peek(connection) == 0;

    pthread_mutex_lock(&pool->lock);
    TAILQ_REMOVE(&pool->idle, &connection->item, link);
    if (has_ended)
        connection_drop(pool, connection, true);
    pthread_mutex_unlock(&pool->lock);
    if (!has_ended)
        crew_give(pool->crew, &connection->item);
}

/*
 * Is there room for another connection? Closes the one that was idle longest
 * when there is none, or when the system itself is short of descriptors: a
 * web server opens another when it needs one.
 */
static bool
make_room(struct pool *pool, bool is_short)
{
    bool has_room;

    pthread_mutex_lock(&pool->lock);
    has_room = !is_short && pool->connections < pool->connections_max;
    while (!has_room && !TAILQ_EMPTY(&pool->idle))
        has_room = retire_oldest(pool);
    pthread_mutex_unlock(&pool->lock);
    return has_room;
}

static void
stop_accepting(struct pool *pool)
{
    for (size_t i = 0; i < pool->options->sockets->count; i++)
        epoll_set(pool, EPOLL_CTL_DEL, &pool->sockets[i], 0);
    pool->is_accepting = false;
}

/* Nothing more can be taken in until something ends. */
static void
pause_accepting(struct pool *pool)
{
    int64_t now = ticks_ms();
    size_t connections;

    stop_accepting(pool);
    if (pool->said_full != 0 && now - pool->said_full < SAY_AGAIN_MS)
        return;
    pool->said_full = now;
    pthread_mutex_lock(&pool->lock);
    connections = pool->connections;
    pthread_mutex_unlock(&pool->lock);
    LOG_EVENT(pool->options->log, LEVEL_WARNING, "full",
              LOG_NUMBER("connections", (int64_t)connections));
}

/* Take a new connection in; it is closed when that cannot be. */
static void
admit(struct pool *pool, int descriptor, const struct sockaddr_storage *peer)
{
    const struct timeval limit = {.tv_sec = PEER_TIMEOUT};
    const int on = 1;
    struct watch *connection = NULL;

    if (listen_peers_allow(pool->options->peers, peer))
        connection = calloc(1, sizeof(*connection));
    if (!connection) {
        close(descriptor);
        return;
    }
    connection->is_connection = true;
    connection->on_event = on_connection;
    connection->item.descriptor = descriptor;
    connection->item.giver = connection;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (peer->ss_family == AF_INET || peer->ss_family == AF_INET6)
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    pthread_mutex_lock(&pool->lock);
    pool->connections++;
    if (epoll_set(pool, EPOLL_CTL_ADD, connection, ONE_EVENT))
        TAILQ_INSERT_TAIL(&pool->idle, &connection->item, link);
    else
        connection_drop(pool, connection, true);
    pthread_mutex_unlock(&pool->lock);
}

/* Accept one connection; false when there is no other, or no room for it. */
static bool
accept_one(struct pool *pool, int socket)
{
    struct sockaddr_storage peer = {0};
    struct sockaddr *address = (void *)&peer;
    socklen_t len = sizeof(peer);
    int descriptor = accept4(socket, address, &len, SOCK_CLOEXEC);
    bool has_room = false;

    if (descriptor >= 0) {
        has_room = make_room(pool, false);
        admit(pool, descriptor, &peer);
    } else if (errno == EAGAIN) {
        return false;
    } else if (errno == EINTR || errno == ECONNABORTED) {
        has_room = true;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
               errno == ENOMEM) {
        has_room = make_room(pool, true);
        pool->resume = ticks_ms() + RETRY_MS;
    }
    if (!has_room)
        pause_accepting(pool);
    return has_room;
}

/* Accept what waits at a socket, `left` at most. */
static void
accept_some(struct pool *pool, int socket, int left)
{
    while (left > 0 && accept_one(pool, socket))
        left--;
}

static void
on_socket(struct pool *pool, struct watch *watch, uint32_t events)
{
    (void)events;
    if (pool->is_draining)
        return; /* it was closed a moment ago */
    accept_some(pool, watch->item.descriptor, ACCEPTS_MAX);
}

static bool
start_accepting(struct pool *pool)
{
    const struct listen_sockets *sockets = pool->options->sockets;

    for (size_t i = 0; i < sockets->count; i++) {
        pool->sockets[i].item.descriptor = sockets->list[i].descriptor;
        pool->sockets[i].on_event = on_socket;
        /* Where the one after it failed the last time, it is there already. */
        if (!epoll_set(pool, EPOLL_CTL_ADD, &pool->sockets[i],
                       EPOLLIN | EPOLLEXCLUSIVE) &&
            errno != EEXIST)
            return false;
    }
    pool->is_accepting = true;
    return true;
}

static void
begin_drain(struct pool *pool)
{
    struct listen_sockets *sockets = pool->options->sockets;

    /* What has reached a socket of ours would be refused without a word; the
     * others outlive us, and what waits there with them. No more can have
     * waited than listen(2) was told: what comes later must not hold us up. */
    for (size_t i = 0; i < sockets->count; i++)
        if (sockets->list[i].is_ours)
            accept_some(pool, sockets->list[i].descriptor, SOMAXCONN + 1);
    stop_accepting(pool);
    listen_close(sockets);
    pool->deadline = ticks_ms() + pool->options->drain * 1000;
    pthread_mutex_lock(&pool->lock);
    while (!TAILQ_EMPTY(&pool->idle))
        retire_oldest(pool);
    pool->is_draining = true;
    pthread_mutex_unlock(&pool->lock);
    crew_dismiss(pool->crew);
}

static void
on_signals(struct pool *pool, struct watch *watch, uint32_t events)
{
    struct log *log = pool->options->log;
    struct signalfd_siginfo info;

    (void)events;
    while (read(watch->item.descriptor, &info, sizeof(info)) > 0) {
        if (info.ssi_signo == SIGHUP) {
            if (pool->options->hangup)
                pool->options->hangup(pool->options->work->context);
        } else if (pool->is_draining) {
            pool->deadline = ticks_ms();
        } else {
            LOG_EVENT(log, LEVEL_INFO, "draining",
                      LOG_NUMBER("signal", info.ssi_signo),
                      LOG_NUMBER("seconds", pool->options->drain));
            begin_drain(pool);
        }
    }
}

static void
on_wake(struct pool *pool, struct watch *watch, uint32_t events)
{
    uint64_t count;
    ssize_t got = read(watch->item.descriptor, &count, sizeof(count));

    (void)pool;
    (void)events;
    (void)got; /* the dispatcher looks at everything anyway */
}

/* Wait for events and handle them: connections first, since the others may
 * close idle ones. */
static void
dispatch(struct pool *pool, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(pool->epoll, events, EVENTS_MAX, timeout_ms);

    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < count; i++) {
            struct watch *watch = events[i].data.ptr;

            if (!watch || (pass == 0 && !watch->is_connection))
                continue;
            events[i].data.ptr = NULL;
            watch->on_event(pool, watch, events[i].events);
        }
}

static enum pool_end
dispatch_all(struct pool *pool)
{
    while (!pool->is_draining || crew_reap(pool->crew) > 0) {
        bool is_short = !crew_call(pool->crew);

        if (pool->is_draining) {
            if (ticks_ms() >= pool->deadline) {
                if (pool->is_cut)
                    return POOL_CUT;
                crew_cut(pool->crew);
                pool->is_cut = true;
                pool->deadline = ticks_ms() + CUT_GRACE_MS;
            }
            is_short = true;
        } else if (!pool->is_accepting &&
                   (ticks_ms() < pool->resume || !make_room(pool, false) ||
                    !start_accepting(pool))) {
            is_short = true;
        }
        dispatch(pool, is_short ? RETRY_MS : -1);
        crew_reap(pool->crew);
    }
    return POOL_DRAINED;
}

static void
set_of_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGHUP);
}

void
pool_block_signals(void)
{
    sigset_t set;

    set_of_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void
pool_unblock_signals(void)
{
    sigset_t set;

    set_of_signals(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Raise the limit of descriptors, and leave what workers need of it. */
static size_t
connections_max(int64_t workers)
{
    struct rlimit limit;
    size_t reserved = DESCRIPTORS_SPARE + (size_t)workers * DESCRIPTORS_EACH;
    size_t all;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return reserved;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    all = (size_t)limit.rlim_cur;
    return all / 2 > reserved ? all - reserved : all / 2;
}

static bool
pool_open(struct pool *pool)
{
    const struct crew_giver giver = {pool, connection_heard, wake};
    const struct pool_options *options = pool->options;
    sigset_t set;

    set_of_signals(&set);
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    pool->signals.on_event = on_signals;
    pool->signals.item.descriptor =
        signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    pool->wake.on_event = on_wake;
    pool->wake.item.descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return pool->epoll >= 0 && pool->signals.item.descriptor >= 0 &&
           pool->wake.item.descriptor >= 0 &&
           epoll_set(pool, EPOLL_CTL_ADD, &pool->signals, EPOLLIN) &&
           epoll_set(pool, EPOLL_CTL_ADD, &pool->wake, EPOLLIN) &&
           crew_new(&pool->crew, (size_t)options->workers, WORKER_IDLE,
                    options->work, &giver) == PST_OK &&
           start_accepting(pool);
}

static void
pool_close(struct pool *pool)
{
    const int own[] = {pool->epoll, pool->signals.item.descriptor,
                       pool->wake.item.descriptor};

    for (size_t i = 0; i < PST_COUNT(own); i++)
        if (own[i] >= 0)
            close(own[i]);
    crew_free(&pool->crew);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

enum pool_end
pool_run(const struct pool_options *options)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    enum pool_end end = POOL_FAILED;
    int why;

    PST_REQUIRE(options->sockets->count > 0 && options->workers > 0);
    if (!pool)
        return POOL_FAILED;
    pool->options = options;
    pool->connections_max = connections_max(options->workers);
    TAILQ_INIT(&pool->idle);
    pthread_mutex_init(&pool->lock, NULL);
    if (pool_open(pool))
        end = dispatch_all(pool);
    why = errno;
    if (end == POOL_FAILED)
        listen_close(options->sockets);
    if (end != POOL_CUT) /* else workers still look at it */
        pool_close(pool);
    errno = why;
    return end;
}

/* SPDX-License-Identifier: ISC */
/*
 * dispatcher.c - the main loop of a server: accept connections, pass each that
 * has bytes to read to a thread, and stop on a signal.
 */
#include "engine/dispatcher.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/connections.h"
#include "engine/poller.h"

#define IDLE_THREAD_TIMEOUT 10  /* seconds until a thread without work ends */
#define RETRY_MS 100            /* while descriptors or threads are short */
#define ABORT_GRACE_MS 1000     /* for threads whose connection was shut down */
#define LOG_INTERVAL_MS 10000   /* between two lines about the same trouble */
#define ACCEPTS_MAX 64          /* for one event of a listening socket */
#define DESCRIPTORS_RESERVED 32 /* sockets, log, epoll, libraries */

/* Of one thread: libcurl's own, backend, store, name resolution. */
#define DESCRIPTORS_PER_THREAD 8

struct dispatcher {
    const struct dispatcher_options *options;
    struct poller poller;
    struct thread_pool *thread_pool;
    struct connections *connections;
    struct poller_watch signals;
    struct poller_watch sockets[LISTEN_SOCKETS_MAX];
    bool is_accepting;      /* the sockets are watched */
    int64_t resume_at;      /* accept no earlier: monotonic milliseconds */
    bool is_draining;       /* it accepts no more */
    bool is_aborted;        /* draining has taken too long */
    int64_t deadline;       /* of draining: monotonic milliseconds */
    int64_t full_logged_at; /* when that was last logged; 0: never */
};

/* A thread has finished with a connection. Called in that thread. */
static void
on_job_done(void *owner, struct thread_pool_job *job, bool is_open)
{
    struct dispatcher *dispatcher = owner;

    connections_finish_job(dispatcher->connections, job, is_open);
}

static void
on_thread_end(void *owner)
{
    struct dispatcher *dispatcher = owner;

    poller_wake(&dispatcher->poller);
}

static void
dispatcher_stop_accepting(struct dispatcher *dispatcher)
{
    for (size_t i = 0; i < dispatcher->options->sockets->count; i++)
        poller_remove(&dispatcher->poller, &dispatcher->sockets[i]);
    dispatcher->is_accepting = false;
}

/* Stop accepting until a connection is closed or a descriptor is free. */
static void
dispatcher_pause_accepting(struct dispatcher *dispatcher)
{
    int64_t now = clock_ms();
    size_t count = connections_count(dispatcher->connections);

    dispatcher_stop_accepting(dispatcher);
    if (dispatcher->full_logged_at != 0 &&
        now - dispatcher->full_logged_at < LOG_INTERVAL_MS)
        return;
    dispatcher->full_logged_at = now;
    LOG_EVENT(dispatcher->options->log, LEVEL_WARNING, "connections-full",
              LOG_NUMBER("connections", (int64_t)count),
              LOG_C_STRING("reason", "the limit on open files or connections "
                                     "is reached: raise LimitNOFILE"));
}

/* Accept one connection; false when there is no other, or no room for it. */
static bool
dispatcher_accept_one(struct dispatcher *dispatcher, int socket)
{
    struct connections *connections = dispatcher->connections;
    struct sockaddr_storage peer = {0};
    struct sockaddr *address = (void *)&peer;
    socklen_t len = sizeof(peer);
    int descriptor = accept4(socket, address, &len, SOCK_CLOEXEC);
    bool has_room = false;

    if (descriptor >= 0) {
        has_room = connections_make_room(connections, false);
        if (peer_list_allows(dispatcher->options->peers, &peer))
            connections_add(connections, descriptor, peer.ss_family != AF_UNIX);
        else
            close(descriptor);
    } else if (errno == EAGAIN) {
        return false;
    } else if (errno == EINTR || errno == ECONNABORTED) {
        has_room = true;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
               errno == ENOMEM) {
        has_room = connections_make_room(connections, true);
        dispatcher->resume_at = clock_ms() + RETRY_MS;
    }
    if (!has_room)
        dispatcher_pause_accepting(dispatcher);
    return has_room;
}

/* Accept the connections that wait at a socket, `max` at most. */
static void
dispatcher_accept(struct dispatcher *dispatcher, int socket, int max)
{
    while (max > 0 && dispatcher_accept_one(dispatcher, socket))
        max--;
}

static void
on_listening_socket_event(struct poller_watch *watch, uint32_t events)
{
    struct dispatcher *dispatcher = watch->owner;

    (void)events;
    if (!dispatcher->is_draining) /* else the socket has just been closed */
        dispatcher_accept(dispatcher, watch->descriptor, ACCEPTS_MAX);
}

static bool
dispatcher_start_accepting(struct dispatcher *dispatcher)
{
    const struct listen_sockets *sockets = dispatcher->options->sockets;

    for (size_t i = 0; i < sockets->count; i++) {
        dispatcher->sockets[i] = (struct poller_watch){
            .descriptor = sockets->list[i].descriptor,
            .owner = dispatcher,
            .on_event = on_listening_socket_event,
        };
        /* EEXIST: an earlier call failed at a later socket. */
        if (!poller_add(&dispatcher->poller, &dispatcher->sockets[i],
                        EPOLLIN | EPOLLEXCLUSIVE) &&
            errno != EEXIST)
            return false;
    }
    dispatcher->is_accepting = true;
    return true;
}

static void
dispatcher_begin_drain(struct dispatcher *dispatcher)
{
    struct listen_sockets *sockets = dispatcher->options->sockets;

    /* Closing a socket of our own refuses the connections that wait there, so
     * accept them first. No more than SOMAXCONN can have waited: whoever
     * connects meanwhile must not delay us. Inherited sockets stay open in
     * other processes, which accept what waits. */
    for (size_t i = 0; i < sockets->count; i++)
        if (sockets->list[i].is_ours)
            dispatcher_accept(dispatcher, sockets->list[i].descriptor,
                              SOMAXCONN + 1);
    dispatcher_stop_accepting(dispatcher);
    listen_close(sockets);
    dispatcher->is_draining = true;
    dispatcher->deadline = clock_ms() + dispatcher->options->drain * 1000;
    connections_drain(dispatcher->connections);
    thread_pool_shutdown(dispatcher->thread_pool);
}

static void
on_signals_event(struct poller_watch *watch, uint32_t events)
{
    struct dispatcher *dispatcher = watch->owner;
    const struct dispatcher_options *options = dispatcher->options;
    struct signalfd_siginfo info;

    (void)events;
    while (read(watch->descriptor, &info, sizeof(info)) > 0) {
        if (info.ssi_signo == SIGHUP) {
            if (options->on_hangup)
                options->on_hangup(options->on_hangup_context);
        } else if (dispatcher->is_draining) {
            dispatcher->deadline = clock_ms();
        } else {
            LOG_EVENT(options->log, LEVEL_INFO, "draining",
                      LOG_NUMBER("signal", info.ssi_signo),
                      LOG_NUMBER("seconds", options->drain));
            dispatcher_begin_drain(dispatcher);
        }
    }
}

/* Resume accepting if there is room again. Returns whether it accepts. */
static bool
dispatcher_try_accepting(struct dispatcher *dispatcher)
{
    return dispatcher->is_accepting ||
           (clock_ms() >= dispatcher->resume_at &&
            connections_make_room(dispatcher->connections, false) &&
            dispatcher_start_accepting(dispatcher));
}

/* While draining: shut the connections down at the deadline. Returns false
 * when even that has not ended all threads in time. */
static bool
dispatcher_check_deadline(struct dispatcher *dispatcher)
{
    if (clock_ms() < dispatcher->deadline)
        return true;
    if (dispatcher->is_aborted)
        return false;
    thread_pool_abort(dispatcher->thread_pool);
    dispatcher->is_aborted = true;
    dispatcher->deadline = clock_ms() + ABORT_GRACE_MS;
    return true;
}

static enum dispatcher_result
dispatcher_loop(struct dispatcher *dispatcher)
{
    while (!dispatcher->is_draining ||
           thread_pool_join(dispatcher->thread_pool) > 0) {
        bool must_retry = !thread_pool_ensure(dispatcher->thread_pool);

        if (dispatcher->is_draining) {
            if (!dispatcher_check_deadline(dispatcher))
                return DISPATCHER_ABORTED;
            must_retry = true;
        } else if (!dispatcher_try_accepting(dispatcher)) {
            must_retry = true;
        }
        poller_wait(&dispatcher->poller, must_retry ? RETRY_MS : -1);
        thread_pool_join(dispatcher->thread_pool);
    }
    return DISPATCHER_DRAINED;
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
dispatcher_block_signals(void)
{
    sigset_t set;

    handled_signals_init(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void
dispatcher_unblock_signals(void)
{
    sigset_t set;

    handled_signals_init(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Raise the limit of descriptors as far as possible. Returns how many of them
 * are left for connections. */
static size_t
connection_limit(int64_t workers)
{
    struct rlimit limit;
    size_t reserved =
        DESCRIPTORS_RESERVED + (size_t)workers * DESCRIPTORS_PER_THREAD;
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
dispatcher_open(struct dispatcher *dispatcher)
{
    const struct dispatcher_options *options = dispatcher->options;
    const struct thread_pool_owner owner = {dispatcher, on_job_done,
                                            on_thread_end};
    sigset_t set;

    handled_signals_init(&set);
    dispatcher->signals = (struct poller_watch){
        .descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
        .owner = dispatcher,
        .on_event = on_signals_event,
    };
    return poller_open(&dispatcher->poller) &&
           dispatcher->signals.descriptor >= 0 &&
           poller_add(&dispatcher->poller, &dispatcher->signals, EPOLLIN) &&
           thread_pool_new(&dispatcher->thread_pool, (size_t)options->workers,
                           IDLE_THREAD_TIMEOUT, options->work,
                           &owner) == PST_OK &&
           connections_new(&dispatcher->connections, &dispatcher->poller,
                           dispatcher->thread_pool,
                           connection_limit(options->workers)) == PST_OK &&
           dispatcher_start_accepting(dispatcher);
}

static void
dispatcher_close(struct dispatcher *dispatcher)
{
    connections_free(&dispatcher->connections);
    thread_pool_free(&dispatcher->thread_pool);
    if (dispatcher->signals.descriptor >= 0)
        close(dispatcher->signals.descriptor);
    poller_close(&dispatcher->poller);
    free(dispatcher);
}

enum dispatcher_result
dispatcher_run(const struct dispatcher_options *options)
{
    struct dispatcher *dispatcher = calloc(1, sizeof(*dispatcher));
    enum dispatcher_result result = DISPATCHER_FAILED;
    int saved_errno;

    PST_REQUIRE(options->sockets->count > 0 && options->workers > 0);
    if (!dispatcher)
        return DISPATCHER_FAILED;
    dispatcher->options = options;
    if (dispatcher_open(dispatcher))
        result = dispatcher_loop(dispatcher);
    saved_errno = errno;
    if (result == DISPATCHER_FAILED)
        listen_close(options->sockets);
    if (result != DISPATCHER_ABORTED) /* else threads still use it */
        dispatcher_close(dispatcher);
    errno = saved_errno;
    return result;
}

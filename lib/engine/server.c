/* SPDX-License-Identifier: ISC */
/*
 * server.c - serve FastCGI requests on sockets until a signal: event loops, one
 * thread each, which share the sockets.
 */
#include "engine/server.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "engine/server_loop.h"

#define DESCRIPTORS_RESERVED 64 /* sockets, log, store, libraries */

/* Seconds for the other loops to end once all should have. */
#define JOIN_TIMEOUT 5

struct server_main;

/* A loop and its thread. */
struct server_thread {
    struct server_main *server;
    struct server_loop loop;
    pthread_t thread;
    sem_t is_open;             /* posted when it serves, or has failed to */
    sem_t may_end;             /* posted when nobody will notify it any more */
    struct loop_task end_task; /* tells the first loop that this one ended */
    enum pst_err error;
    sem_t has_ended; /* posted at its end, if it did not hang */
    bool is_drained;
};

/* What the first loop, which runs in the main thread, does for all. */
struct server_main {
    struct server server;
    struct server_thread *threads;
    size_t count;   /* of threads; the first one is the main thread */
    size_t running; /* loops of other threads */
    int signals;    /* a signalfd */
    struct loop_watch signal_watch;
    bool is_draining;
};

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
server_block_signals(void)
{
    sigset_t set;

    handled_signals_init(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void
server_unblock_signals(void)
{
    sigset_t set;

    handled_signals_init(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void
server_hold_signals(sigset_t *before)
{
    sigset_t set;

    handled_signals_init(&set);
    pthread_sigmask(SIG_BLOCK, &set, before);
}

void
server_release_signals(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

bool
server_begin_request(void *context)
{
    struct server *server = context;

    if (atomic_fetch_add(&server->requests, 1) < server->options->max_requests)
        return true;
    atomic_fetch_sub(&server->requests, 1);
    return false;
}

void
server_end_request(void *context)
{
    struct server *server = context;

    atomic_fetch_sub(&server->requests, 1);
}

/* Let every loop finish; the second time, at once. */
static void
server_drain(struct server_main *server)
{
    for (size_t i = 0; i < server->count; i++) {
        struct server_loop *loop = &server->threads[i].loop;

        loop_notify(loop->loop, server->is_draining ? &loop->abort_task
                                                    : &loop->drain_task);
    }
    server->is_draining = true;
}

static void
on_signal(struct loop_watch *watch, uint32_t events)
{
    struct server_main *server = watch->owner;
    const struct engine_handler *handler = server->server.handler;
    const struct server_options *options = server->server.options;
    struct signalfd_siginfo info;

    (void)events;
    while (read(server->signals, &info, sizeof(info)) > 0) {
        if (info.ssi_signo == SIGHUP) {
            if (handler->reload)
                handler->reload(handler->context);
            continue;
        }
        if (!server->is_draining)
            LOG_EVENT(options->log, LEVEL_INFO, "draining",
                      LOG_NUMBER("signal", info.ssi_signo),
                      LOG_NUMBER("seconds", options->drain));
        server_drain(server);
    }
}

/* Another loop has ended; in the main thread. */
static void
run_end(struct loop_task *task)
{
    struct server_main *server = task->owner;

    server->running--;
    if (server->running == 0 && server->threads[0].loop.count == 0)
        loop_stop(server->threads[0].loop.loop);
}

static void *
run_thread(void *argument)
{
    struct server_thread *thread = argument;
    bool is_drained = false;

    if (thread->error == PST_OK)
        thread->error = server_loop_open(&thread->loop, thread->loop.server);
    sem_post(&thread->is_open);
    if (thread->error == PST_OK) {
        is_drained = server_loop_run(&thread->loop);
        loop_notify(thread->server->threads[0].loop.loop, &thread->end_task);
    }
    while (thread->error == PST_OK && sem_wait(&thread->may_end) != 0)
        continue;
    if (is_drained || thread->error)
        server_loop_close(&thread->loop);
    thread->is_drained = is_drained;
    sem_post(&thread->has_ended);
    return NULL;
}

/* Start a thread, and wait until its loop serves. */
static enum pst_err
server_start_thread(struct server_main *server, struct server_thread *thread)
{
    thread->server = server;
    thread->loop.server = &server->server;
    thread->end_task = (struct loop_task){.run = run_end, .owner = server};
    sem_init(&thread->is_open, 0, 0);
    sem_init(&thread->may_end, 0, 0);
    sem_init(&thread->has_ended, 0, 0);
    if (pthread_create(&thread->thread, NULL, run_thread, thread) != 0)
        return PST_NO_MEMORY;
    while (sem_wait(&thread->is_open) != 0)
        continue;
    if (thread->error)
        pthread_join(thread->thread, NULL);
    return thread->error;
}

/* Open the first loop here, and the signals, and start the other threads. */
static enum pst_err
server_open(struct server_main *server, size_t loops)
{
    enum pst_err e =
        server_loop_open(&server->threads[0].loop, &server->server);
    sigset_t set;

    server->count = 1;
    handled_signals_init(&set);
    server->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    server->signal_watch =
        (struct loop_watch){.on_event = on_signal, .owner = server};
    if (!e && (server->signals < 0 ||
               !loop_watch(server->threads[0].loop.loop, server->signals,
                           &server->signal_watch, EPOLLIN)))
        e = PST_NO_MEMORY;
    while (!e && server->count < loops) {
        e = server_start_thread(server, &server->threads[server->count]);
        if (!e) {
            server->count++;
            server->running++;
        }
    }
    return e;
}

/* Wait for the other threads. Returns whether all have finished. */
static bool
server_join(struct server_main *server)
{
    bool is_drained = true;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += JOIN_TIMEOUT;
    for (size_t i = 1; i < server->count; i++) {
        struct server_thread *thread = &server->threads[i];

        sem_post(&thread->may_end);
        if (sem_clockwait(&thread->has_ended, CLOCK_MONOTONIC, &until) == 0 &&
            pthread_join(thread->thread, NULL) == 0 && thread->is_drained)
            continue;
        is_drained = false;
    }
    return is_drained;
}

/* Serve to the end. When the first loop has finished, it goes on handling
 * signals until the others have too, or the time for that is over. Returns
 * whether every request has finished. */
static bool
server_serve(struct server_main *server)
{
    const struct listen_sockets *sockets = server->server.options->sockets;
    struct log *log = server->server.options->log;
    struct server_loop *first = &server->threads[0].loop;
    bool is_drained;

    for (size_t i = 0; i < sockets->count; i++)
        LOG_EVENT(log, LEVEL_INFO, "listening",
                  LOG_C_STRING("socket", sockets->list[i].name));
    LOG_EVENT(log, LEVEL_INFO, "ready",
              LOG_C_STRING("socket", sockets->list[0].name),
              LOG_NUMBER("loops", (int64_t)server->count));
    is_drained = server_loop_run(first);
    while (is_drained && server->running > 0 && first->drain_deadline.place > 0)
        loop_run(first->loop);
    return server_join(server) && is_drained;
}

/* How many connections one loop may have: it needs as many to the backend. */
static size_t
connection_limit(size_t loops)
{
    struct rlimit limit = {0, 0};
    size_t total;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    total = (size_t)limit.rlim_max; /* each loop raises its limit to that */
    total = total > 2 * DESCRIPTORS_RESERVED ? total - DESCRIPTORS_RESERVED
                                             : total / 2;
    return total / 2 > loops ? total / 2 / loops : 1;
}

/* Why the server could not start. */
static const char *
server_failure_text(enum pst_err e)
{
    return e == PST_INTERNAL
               ? "this libfcgi does not let its socket functions be replaced: "
                 "link the programs with libfcgi.a"
               : "out of memory or file descriptors (ulimit -n)";
}

int
server_run(const struct server_options *options,
           const struct engine_handler *handler)
{
    size_t loops = (size_t)options->loops;
    struct server_main server = {
        .server = {.options = options,
                   .handler = handler,
                   .connection_limit = connection_limit(loops)},
        .signals = -1};
    enum pst_err e = fcgi_init();
    bool is_drained;

    PST_REQUIRE(options->sockets->count > 0 && loops > 0);
    server.threads = calloc(loops, sizeof(*server.threads));
    if (!e && !server.threads)
        e = PST_NO_MEMORY;
    if (!e)
        e = server_open(&server, loops);
    if (e) {
        LOG_EVENT(options->log, LEVEL_ERROR, "start-failed",
                  LOG_C_STRING("reason", server_failure_text(e)));
        listen_close(options->sockets);
        if (server.count > 1)
            _exit(EX_OSERR); /* other loops still use what we would free */
        if (server.count > 0)
            server_loop_close(&server.threads[0].loop);
        if (server.signals >= 0)
            close(server.signals);
        free(server.threads);
        return EX_OSERR;
    }
    is_drained = server_serve(&server);
    LOG_EVENT(options->log, LEVEL_INFO, "stopped",
              LOG_C_STRING("how", is_drained ? "drained" : "aborted"));
    if (!is_drained)
        _exit(EX_OK); /* what hangs still uses what we would free */
    server_loop_close(&server.threads[0].loop);
    close(server.signals);
    free(server.threads);
    return EX_OK;
}

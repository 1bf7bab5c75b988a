/* SPDX-License-Identifier: ISC */
/*
 * server_loop.c - one event loop of a server: accept connections, start a fiber
 * for each that has bytes to read, and finish when the server stops.
 */
#include "engine/server_loop.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/wait.h"

#define RETRY_MS 100          /* while descriptors are short */
#define NEW_GRACE_MS 1000     /* for the first request of a connection */
#define ABORT_GRACE_MS 1000   /* for fibers whose connection was shut down */
#define LOG_INTERVAL_MS 10000 /* between two lines about the same trouble */
#define ACCEPTS_MAX 8         /* for one event: other loops want some too */

static void
server_loop_remove(struct server_loop *loop, struct fcgi_connection *connection)
{
    struct fcgi_connection_list *list =
        connection->is_busy ? &loop->busy : &loop->idle;

    TAILQ_REMOVE(list, connection, link);
    loop->count--;
    free(connection);
}

/* Stop the loop when it has nothing more to finish. */
static void
server_loop_check_end(struct server_loop *loop)
{
    if (loop->is_draining && loop->count == 0)
        loop_stop(loop->loop);
}

static void server_loop_start_accepting(struct server_loop *loop);

/* A connection has been closed by its fiber, or is idle again. */
static void
server_loop_release(struct server_loop *loop,
                    struct fcgi_connection *connection, bool is_open)
{
    if (is_open && loop->is_draining) {
        fcgi_connection_close(connection, false);
        is_open = false;
    }
    if (is_open) {
        TAILQ_REMOVE(&loop->busy, connection, link);
        connection->is_busy = false;
        TAILQ_INSERT_TAIL(&loop->idle, connection, link);
        return;
    }
    server_loop_remove(loop, connection);
    if (!loop->is_draining && !loop->is_accepting)
        server_loop_start_accepting(loop);
    server_loop_check_end(loop);
}

/* The fiber of a connection. At the end, a request may have arrived that the
 * loop does not know of yet. */
static void
serve(void *argument)
{
    struct fcgi_connection *connection = argument;
    struct server_loop *loop = connection->owner;
    bool is_open = fcgi_serve_connection(&loop->service, connection);

    while (is_open && loop->is_draining &&
           fcgi_connection_has_arrived(connection))
        is_open = fcgi_serve_connection(&loop->service, connection);
    server_loop_release(loop, connection, is_open);
}

/* An idle connection has bytes to read, or was closed by the web server. */
static void
on_connection_event(struct loop_watch *watch, uint32_t events)
{
    struct fcgi_connection *connection = watch->owner;
    struct server_loop *loop = connection->owner;

    (void)events;
    if (connection->is_busy) {
        /* Its fiber waits for something else, such as the backend. */
        if (fcgi_connection_take_abort(connection))
            loop_cancel(loop->loop, connection->descriptor);
        return;
    }
    TAILQ_REMOVE(&loop->idle, connection, link);
    connection->is_busy = true;
    connection->is_new = false;
    TAILQ_INSERT_TAIL(&loop->busy, connection, link);
    if (fcgi_has_memory() &&
        loop_start_fiber(loop->loop, serve, connection) == PST_OK)
        return;
    LOG_EVENT(loop->service.log, LEVEL_ERROR, "request-lost",
              LOG_C_STRING("reason", "out of memory"));
    fcgi_connection_refuse(connection);
    server_loop_release(loop, connection, false);
}

static void
server_loop_add(struct server_loop *loop, int descriptor)
{
    struct fcgi_connection *connection = calloc(1, sizeof(*connection));

    if (!connection) {
        close(descriptor);
        return;
    }
    connection->descriptor = descriptor;
    connection->owner = loop;
    connection->is_new = true;
    connection->opened_at = wait_now();
    connection->watch = (struct loop_watch){.on_event = on_connection_event,
                                            .owner = connection};
    if (!loop_watch(loop->loop, descriptor, &connection->watch,
                    EPOLLIN | EPOLLRDHUP | EPOLLET)) {
        wait_close(descriptor);
        free(connection);
        return;
    }
    TAILQ_INSERT_TAIL(&loop->idle, connection, link);
    loop->count++;
}

/* Was it just accepted? A web server takes it for a failure when it is closed
 * before it has sent its request. */
static bool
is_fresh(const struct fcgi_connection *connection)
{
    return connection->is_new &&
           clock_ms() - connection->opened_at < NEW_GRACE_MS;
}

/*
 * Is there room for another connection? If not, the one that has been idle
 * longest is closed: a web server opens another when it needs one.
 *   is_short  the system itself has run out of descriptors: close one anyway
 */
static bool
server_loop_make_room(struct server_loop *loop, bool is_short)
{
    struct fcgi_connection *oldest = TAILQ_FIRST(&loop->idle);

    if (loop->count < loop->limit && !is_short)
        return true;
    while (oldest && (is_fresh(oldest) || fcgi_connection_has_arrived(oldest)))
        oldest = TAILQ_NEXT(oldest, link);
    if (!oldest)
        return false;
    fcgi_connection_close(oldest, false);
    server_loop_remove(loop, oldest);
    return true;
}

static void
server_loop_stop_accepting(struct server_loop *loop)
{
    const struct listen_sockets *sockets = loop->server->options->sockets;

    if (!loop->is_accepting)
        return;
    for (size_t i = 0; i < sockets->count; i++)
        loop_unwatch(loop->loop, sockets->list[i].descriptor);
    loop->is_accepting = false;
}

/* Stop accepting until a connection is closed or a descriptor is free. */
static void
server_loop_pause(struct server_loop *loop)
{
    int64_t now = clock_ms();

    server_loop_stop_accepting(loop);
    if (!loop->is_draining)
        loop_set_timer(loop->loop, &loop->retry, now + RETRY_MS);
    if (loop->full_logged_at != 0 &&
        now - loop->full_logged_at < LOG_INTERVAL_MS)
        return;
    loop->full_logged_at = now;
    LOG_EVENT(loop->service.log, LEVEL_WARNING, "connections-full",
              LOG_NUMBER("connections", (int64_t)loop->count),
              LOG_C_STRING("reason", "the limit on open files or connections "
                                     "is reached: raise LimitNOFILE"));
}

/* Accept one connection; false when there is no other, or no room for it. */
static bool
server_loop_accept_one(struct server_loop *loop, int socket)
{
    struct sockaddr_storage peer = {0};
    struct sockaddr *address = (void *)&peer;
    socklen_t len = sizeof(peer);
    int descriptor =
        accept4(socket, address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                    errno == ENOMEM;

    if (descriptor < 0 && !is_short)
        return errno == EINTR || errno == ECONNABORTED;
    if (descriptor < 0) {
        (void)server_loop_make_room(loop, true);
        server_loop_pause(loop);
        return false;
    }
    if (peer_list_allows(loop->server->options->peers, &peer)) {
        fcgi_connection_set_no_delay(descriptor, address);
        server_loop_add(loop, descriptor);
    } else {
        close(descriptor);
    }
    if (server_loop_make_room(loop, false))
        return true;
    server_loop_pause(loop);
    return false;
}

/* Accept the connections that wait at the sockets, `max` at most at each. */
static void
server_loop_accept(struct server_loop *loop, bool only_ours, int max)
{
    const struct listen_sockets *sockets = loop->server->options->sockets;

    for (size_t i = 0; i < sockets->count; i++) {
        int left = only_ours && !sockets->list[i].is_ours ? 0 : max;

        while (left > 0 &&
               server_loop_accept_one(loop, sockets->list[i].descriptor))
            left--;
    }
}

static void
on_socket_event(struct loop_watch *watch, uint32_t events)
{
    struct server_loop *loop = watch->owner;

    (void)events;
    if (loop->is_accepting)
        server_loop_accept(loop, false, ACCEPTS_MAX);
}

static void
server_loop_start_accepting(struct server_loop *loop)
{
    const struct listen_sockets *sockets = loop->server->options->sockets;

    loop->is_accepting = true;
    loop_clear_timer(loop->loop, &loop->retry);
    for (size_t i = 0; i < sockets->count && loop->is_accepting; i++)
        if (!loop_watch(loop->loop, sockets->list[i].descriptor,
                        &loop->accept_watch, EPOLLIN | EPOLLEXCLUSIVE))
            server_loop_pause(loop);
}

/* Close the idle connections.
 *   spares_new  but those on which no request has arrived so far: the web
 *               server may be about to send it */
static void
server_loop_close_idle(struct server_loop *loop, bool spares_new)
{
    struct fcgi_connection *next;

    for (struct fcgi_connection *connection = TAILQ_FIRST(&loop->idle);
         connection; connection = next) {
        next = TAILQ_NEXT(connection, link);
        if ((spares_new && connection->is_new) ||
            fcgi_connection_has_arrived(connection))
            continue;
        fcgi_connection_close(connection, false);
        server_loop_remove(loop, connection);
    }
    server_loop_check_end(loop);
}

static void
on_retry(struct timer *timer)
{
    struct server_loop *loop = timer->owner;

    if (loop->is_draining)
        server_loop_close_idle(loop, false);
    else if (!loop->is_accepting && server_loop_make_room(loop, false))
        server_loop_start_accepting(loop);
    else if (!loop->is_accepting)
        loop_set_timer(loop->loop, timer, clock_ms() + RETRY_MS);
}

/* Shut the connections down; a second time, give up. */
static void
on_drain_deadline(struct timer *timer)
{
    struct server_loop *loop = timer->owner;
    struct fcgi_connection *connection;

    if (loop->is_aborted) {
        loop_stop(loop->loop);
        return;
    }
    loop->is_aborted = true;
    TAILQ_FOREACH(connection, &loop->busy, link)
    shutdown(connection->descriptor, SHUT_RDWR);
    loop_set_timer(loop->loop, timer, clock_ms() + ABORT_GRACE_MS);
}

static void
run_abort(struct loop_task *task)
{
    struct server_loop *loop = task->owner;

    if (loop->is_draining && !loop->is_aborted)
        on_drain_deadline(&loop->drain_deadline);
}

/*
 * Begin to finish. Closing a socket of our own refuses the connections that
 * wait there, so accept them first: no more than SOMAXCONN can have waited, and
 * whoever connects meanwhile must not delay us. Inherited sockets stay open in
 * other processes, which accept what waits.
 */
static void
run_drain(struct loop_task *task)
{
    struct server_loop *loop = task->owner;
    int64_t drain = loop->server->options->drain;

    if (loop->is_draining)
        return;
    server_loop_accept(loop, true, SOMAXCONN + 1);
    server_loop_stop_accepting(loop);
    if (atomic_fetch_sub(&loop->server->accepting, 1) == 1)
        listen_close(loop->server->options->sockets);
    loop->is_draining = true;
    loop_set_timer(loop->loop, &loop->drain_deadline,
                   clock_ms() + drain * 1000);
    loop_set_timer(loop->loop, &loop->retry, clock_ms() + NEW_GRACE_MS);
    server_loop_close_idle(loop, true);
}

enum pst_err
server_loop_open(struct server_loop *loop, struct server *server)
{
    const struct server_options *options = server->options;

    *loop = (struct server_loop){
        .server = server,
        .service = {.handler = server->handler,
                    .log = options->log,
                    .body_timeout_ms = options->body_timeout * 1000,
                    .begin_request = server_begin_request,
                    .end_request = server_end_request,
                    .context = server},
        .accept_watch = {.on_event = on_socket_event, .owner = loop},
        .retry = {.on_expire = on_retry, .owner = loop},
        .drain_task = {.run = run_drain, .owner = loop},
        .abort_task = {.run = run_abort, .owner = loop},
        .drain_deadline = {.on_expire = on_drain_deadline, .owner = loop},
    };
    TAILQ_INIT(&loop->idle);
    TAILQ_INIT(&loop->busy);
    if (loop_new(&loop->loop) != PST_OK)
        return PST_NO_MEMORY;
    loop->limit = server->connection_limit;
    loop->service.state = server->handler->new_state(server->handler->context);
    if (!loop->service.state)
        return PST_NO_MEMORY;
    atomic_fetch_add(&server->accepting, 1);
    server_loop_start_accepting(loop);
    return loop->is_accepting ? PST_OK : PST_NO_MEMORY;
}

bool
server_loop_run(struct server_loop *loop)
{
    loop_run(loop->loop);
    return loop->count == 0;
}

void
server_loop_close(struct server_loop *loop)
{
    if (loop->service.state)
        loop->server->handler->free_state(loop->service.state);
    loop_free(&loop->loop);
}

/* SPDX-License-Identifier: ISC */
/*
 * redis_connection.c - one connection to Redis, which many calls use at a time:
 * what they send is written together, and replies are matched with them in
 * order.
 */
#include "store/redis_connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "engine/loop.h"
#include "engine/wait.h"
#include "store/redis_output.h"

#define INPUT_SIZE (16 * 1024)
#define EXCHANGES_MAX (64 * 1024)

/* A long reply lets the loop do other things after so many reads, for so many
 * milliseconds. */
#define READS_MAX 4
#define READ_PAUSE 1

/* The commands of one call. In the order in which they are sent. */
struct redis_exchange {
    STAILQ_ENTRY(redis_exchange) link;
    struct redis_batch *batch; /* NULL: its caller has left */
    struct fiber *fiber;       /* the caller; NULL: it is in poll(2) */
    size_t missing;            /* replies */
    uint64_t begin;            /* how many bytes are sent before it */
    uint64_t received;         /* how many bytes had been received before */
    bool is_over;              /* it has left the queue */
    enum redis_outcome outcome;
};

struct redis_connection {
    int socket; /* -1: broken */
    unsigned holders;
    struct redis_reader *reader;
    struct loop *loop; /* watches the socket; NULL: not yet */
    struct loop_watch watch;
    struct timer turn; /* expires at the end of this turn of the loop */
    STAILQ_HEAD(, redis_exchange) exchanges;
    size_t exchange_count;
    struct redis_output output;
    uint64_t received;   /* bytes */
    bool has_more_input; /* a read was put off */
    bool is_ending;      /* the server has closed it: read to the end */
    struct redis_error error;
    char input[INPUT_SIZE];
};

/* Opening and closing. */

static void on_event(struct loop_watch *watch, uint32_t events);
static void on_turn(struct timer *timer);

struct redis_connection *
redis_connection_new(int socket)
{
    struct redis_connection *connection = calloc(1, sizeof(*connection));
    struct redis_reader *reader = redis_reader_new();

    if (!connection || !reader) {
        free(connection);
        redis_reader_free(reader);
        wait_close(socket);
        return NULL;
    }
    connection->socket = socket;
    connection->holders = 1;
    connection->reader = reader;
    connection->watch =
        (struct loop_watch){.on_event = on_event, .owner = connection};
    connection->turn =
        (struct timer){.on_expire = on_turn, .owner = connection};
    STAILQ_INIT(&connection->exchanges);
    return connection;
}

/* Take the first exchange off the queue, and let its caller go on. */
static void
redis_end_exchange(struct redis_connection *connection,
                   enum redis_outcome outcome)
{
    struct redis_exchange *exchange = STAILQ_FIRST(&connection->exchanges);

    STAILQ_REMOVE_HEAD(&connection->exchanges, link);
    connection->exchange_count--;
    if (!exchange->batch) {
        free(exchange);
        return;
    }
    exchange->is_over = true;
    exchange->outcome = outcome;
    if (exchange->fiber)
        loop_wake_fiber(connection->loop, exchange->fiber);
}

/* Close the socket. Exchanges that are not over never will be. */
static void
redis_close(struct redis_connection *connection)
{
    if (connection->socket < 0)
        return;
    wait_close(connection->socket);
    connection->socket = -1;
    if (connection->loop && connection->loop == loop_current())
        loop_clear_timer(connection->loop, &connection->turn);
    while (!STAILQ_EMPTY(&connection->exchanges))
        redis_end_exchange(connection,
                           STAILQ_FIRST(&connection->exchanges)->begin >=
                                   connection->output.sent
                               ? REDIS_UNSENT
                               : REDIS_LOST);
}

static void
redis_break(struct redis_connection *connection, const char *what,
            const char *cause)
{
    redis_error_set(&connection->error, what, cause);
    redis_close(connection);
}

struct redis_connection *
redis_connection_hold(struct redis_connection *connection)
{
    connection->holders++;
    return connection;
}

void
redis_connection_release(struct redis_connection **connection)
{
    struct redis_connection *released = *connection;

    *connection = NULL;
    if (!released || --released->holders > 0)
        return;
    redis_close(released);
    redis_reader_free(released->reader);
    redis_output_free(&released->output);
    free(released);
}

bool
redis_connection_is_open(const struct redis_connection *connection)
{
    return connection->socket >= 0;
}

bool
redis_connection_has_answered(const struct redis_connection *connection)
{
    return connection->received > 0;
}

/* Receiving. */

/* Give the replies that are complete to their callers. Returns false when the
 * connection has broken. */
static bool
redis_match_replies(struct redis_connection *connection)
{
    struct redis_exchange *exchange;
    struct redisReply *reply;

    for (;;) {
        if (!redis_reader_next(connection->reader, &reply)) {
            redis_break(connection,
                        "sent something that is not a Redis reply: ",
                        redis_reader_error(connection->reader));
            return false;
        }
        exchange = STAILQ_FIRST(&connection->exchanges);
        if (!reply && (exchange || redis_reader_is_empty(connection->reader)))
            return true;
        if (!exchange || exchange->begin >= connection->output.sent) {
            /* The next call would take it for its own. */
            redis_reply_free(reply);
            redis_break(connection, "sent a reply to no command", "");
            return false;
        }
        if (exchange->batch)
            exchange->batch->replies[exchange->batch->replied++] = reply;
        else
            redis_reply_free(reply);
        if (--exchange->missing == 0)
            redis_end_exchange(connection, REDIS_DONE);
    }
}

/* Receive some bytes. Returns whether there may be more. */
static bool
redis_receive_some(struct redis_connection *connection)
{
    ssize_t len =
        recv(connection->socket, connection->input, INPUT_SIZE, MSG_DONTWAIT);

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (len <= 0) {
        redis_break(connection, "connection lost: ",
                    len == 0 ? "closed by the server" : strerror(errno));
        return false;
    }
    connection->received += (uint64_t)len;
    if (!redis_reader_feed(connection->reader, connection->input,
                           (size_t)len)) {
        redis_break(connection, "sent something that is not a Redis reply: ",
                    redis_reader_error(connection->reader));
        return false;
    }
    return redis_match_replies(connection) &&
           (len == INPUT_SIZE || connection->is_ending);
}

static void
redis_receive(struct redis_connection *connection)
{
    connection->has_more_input = true;
    for (int i = 0; i < READS_MAX && connection->has_more_input; i++)
        connection->has_more_input = redis_receive_some(connection);
    if (connection->has_more_input && connection->loop)
        loop_set_timer(connection->loop, &connection->turn,
                       clock_ms() + READ_PAUSE);
}

/* Sending. */

/* Send what the socket takes. */
static void
redis_send(struct redis_connection *connection)
{
    int cause = redis_output_send(&connection->output, connection->socket);

    if (cause == EAGAIN &&
        (!connection->loop ||
         loop_watch(connection->loop, connection->socket, &connection->watch,
                    EPOLLIN | EPOLLRDHUP | EPOLLOUT | EPOLLET)))
        return;
    if (cause)
        redis_break(connection, "connection lost: ", strerror(cause));
}

/* Add the commands to those that are sent next. Returns NULL when there is no
 * memory, or too many wait. */
static struct redis_exchange *
redis_add_exchange(struct redis_connection *connection,
                   struct redis_batch *batch)
{
    struct redis_exchange *exchange = calloc(1, sizeof(*exchange));
    uint64_t begin = connection->output.added;

    if (!exchange || connection->exchange_count == EXCHANGES_MAX ||
        !redis_output_add(&connection->output, batch)) {
        free(exchange);
        return NULL;
    }
    exchange->batch = batch;
    exchange->missing = batch->count;
    exchange->begin = begin;
    exchange->received = connection->received;
    STAILQ_INSERT_TAIL(&connection->exchanges, exchange, link);
    connection->exchange_count++;
    return exchange;
}

/* In the loop, outside of fibers. */

static void
on_event(struct loop_watch *watch, uint32_t events)
{
    struct redis_connection *connection = watch->owner;

    connection->is_ending = connection->is_ending ||
                            (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    redis_receive(connection);
    if (connection->socket >= 0 && (events & EPOLLOUT))
        redis_send(connection);
}

/* At the end of a turn: what the fibers of this turn say is sent in one
 * piece. */
static void
on_turn(struct timer *timer)
{
    struct redis_connection *connection = timer->owner;

    if (connection->has_more_input)
        redis_receive(connection);
    if (connection->socket >= 0)
        redis_send(connection);
}

/* Waiting. */

/* In a fiber: let the loop watch the socket. */
static void
redis_watch(struct redis_connection *connection)
{
    connection->loop = loop_current();
    if (!loop_watch(connection->loop, connection->socket, &connection->watch,
                    EPOLLIN | EPOLLRDHUP | EPOLLET))
        redis_break(connection, "cannot be waited for: ", strerror(errno));
}

static void
redis_wait_in_fiber(struct redis_connection *connection,
                    struct redis_exchange *exchange, int64_t deadline)
{
    int cause = 0;

    exchange->fiber = fiber_current();
    if (!connection->loop)
        redis_watch(connection);
    if (connection->socket >= 0)
        loop_set_timer(connection->loop, &connection->turn, 0);
    while (!exchange->is_over && cause != ETIMEDOUT)
        cause = loop_wait(connection->loop, -1, 0, -1, deadline);
}

static void
redis_wait_in_poll(struct redis_connection *connection,
                   const struct redis_exchange *exchange, int64_t deadline)
{
    const struct wait_limit limit = {.deadline = deadline, .client = -1};
    int cause = 0;

    /* Look first: when the server has closed it, nothing is sent. */
    redis_receive(connection);
    while (!exchange->is_over && cause == 0) {
        redis_send(connection);
        if (!exchange->is_over)
            cause = wait_for(
                connection->socket,
                connection->output.len > 0 ? POLLIN | POLLOUT : POLLIN, &limit);
        if (cause == 0 && !exchange->is_over)
            redis_receive(connection);
    }
}

/* At the deadline. */
static void
redis_abandon(struct redis_connection *connection,
              struct redis_exchange *exchange)
{
    if (connection->received > exchange->received) {
        redis_error_set(&connection->error,
                        "does not answer: ", strerror(ETIMEDOUT));
        exchange->batch = NULL;
        exchange->fiber = NULL;
        return;
    }
    redis_break(connection, "does not answer: ", strerror(ETIMEDOUT));
    free(exchange);
}

enum redis_outcome
redis_connection_exchange(struct redis_connection *connection,
                          struct redis_batch *batch, int64_t deadline,
                          struct redis_error *error)
{
    struct redis_exchange *exchange = NULL;
    enum redis_outcome outcome = REDIS_UNSENT;

    if (connection->socket >= 0) {
        exchange = redis_add_exchange(connection, batch);
        if (!exchange)
            redis_error_set(&connection->error,
                            "out of memory, or too many calls wait", "");
    }
    if (exchange) {
        if (fiber_current() && loop_current())
            redis_wait_in_fiber(connection, exchange, deadline);
        else
            redis_wait_in_poll(connection, exchange, deadline);
        if (exchange->is_over) {
            outcome = exchange->outcome;
            free(exchange);
        } else {
            outcome = REDIS_TIMED_OUT;
            redis_abandon(connection, exchange);
        }
    }
    if (outcome != REDIS_DONE)
        *error = connection->error;
    return outcome;
}

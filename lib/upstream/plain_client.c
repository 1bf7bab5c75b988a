/* SPDX-License-Identifier: ISC */
/*
 * plain_client.c - our own HTTP/1.1 client: choose a connection, run the
 * exchange, keep the connection or close it, and decide whether to try again.
 */
#include "upstream/plain_client.h"

#include "upstream/plain_connect.h"
#include "upstream/plain_exchange.h"
#include "upstream/plain_request.h"
#include "upstream/plain_response.h"

/* Milliseconds that a connection to a name is used, so that a change of its
 * address is followed: our choice. */
#define NAMED_AGE_MAX 60000

void
plain_client_init(struct plain_client *client, const struct http_target *target)
{
    client->target = target;
    connection_pool_init(&client->pool);
}

void
plain_client_fini(struct plain_client *client)
{
    connection_pool_fini(&client->pool);
}

static bool
is_repeatable(const struct plain_exchange *x)
{
    return x->request.is_get || x->exchange->is_repeatable;
}

/*
 * Take a kept connection; x->connection stays NULL when there is none that is
 * good for this exchange. One on which bytes have come is never used: they are
 * not the response to this exchange, but perhaps somebody else's. The loop may
 * not know of them yet, so that is worth a system call. What comes later, but
 * before the request was sent, is refused by plain_response.c.
 */
static void
take_kept_connection(struct plain_client *client, struct plain_exchange *x)
{
    int64_t idle_max =
        is_repeatable(x) ? CONNECTION_IDLE_MAX : CONNECTION_IDLE_ONE_SHOT_MAX;

    for (;;) {
        x->connection = connection_pool_take(&client->pool, x->now, idle_max);
        if (!x->connection || connection_is_usable(x->connection))
            return;
        connection_close(&x->connection);
    }
}

/* May the connection carry another exchange? */
static bool
is_connection_good(const struct plain_exchange *x)
{
    return x->head.keeps_open && !x->is_closed && x->begin == x->end &&
           (x->target->has_fixed_address ||
            x->now - x->connection->opened_at < NAMED_AGE_MAX);
}

/* One attempt, on a connection that is there or a new one. */
static enum pst_err
run_attempt(struct plain_client *client, struct plain_exchange *x)
{
    bool is_whole = false;
    enum pst_err e = x->connection ? PST_OK : plain_connect(x);

    if (!e && x->exchange->connected)
        e = plain_fail_callback(x,
                                x->exchange->connected(x->exchange->context));
    if (!e)
        e = plain_send(x, &is_whole);
    if (!e)
        e = plain_receive(x);
    if (!e && is_whole && is_connection_good(x)) {
        connection_pool_keep(&client->pool, x->connection, wait_now());
        x->connection = NULL;
    }
    return e;
}

/* Did a kept connection turn out to be closed, and may the request be sent
 * again? A backend may have run what it got. */
static bool
may_try_again(const struct plain_exchange *x, bool was_kept)
{
    return was_kept && x->is_closed && !x->has_received &&
           (!x->has_sent || is_repeatable(x));
}

static enum pst_err
run_exchange(struct plain_client *client, struct plain_exchange *x)
{
    bool was_kept;
    enum pst_err e;

    /* The backend may answer an upload before it has read all of it, and what
     * the client sends cannot be sent again: it gets a new connection. */
    if (plain_has_body_in_memory(x))
        take_kept_connection(client, x);
    was_kept = x->connection != NULL;
    e = run_attempt(client, x);
    if (e && may_try_again(x, was_kept)) {
        connection_close(&x->connection);
        x->has_sent = x->is_closed = x->is_cut = false;
        x->error->text[0] = '\0';
        e = run_attempt(client, x);
    }
    connection_close(&x->connection);
    return e;
}

enum pst_err
plain_client_run(struct plain_client *client, struct pst_arena *arena,
                 const struct http_exchange *exchange, struct http_error *error)
{
    struct plain_exchange x = {
        .target = client->target,
        .exchange = exchange,
        .arena = arena,
        .error = error,
        .now = wait_now(),
        .total_deadline = WAIT_NO_DEADLINE,
        .limit = {.client = exchange->client},
        .pool = &client->pool,
    };
    enum pst_err e;

    error->text[0] = '\0';
    if (client->target->total_timeout > 0)
        x.total_deadline = x.now + client->target->total_timeout;
    e = plain_request_init(&x);
    if (e)
        return e;
    e = run_exchange(client, &x);
    plain_give_buffer(&x);
    return e;
}

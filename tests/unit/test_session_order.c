/* SPDX-License-Identifier: ISC */
/*
 * test_session_order.c - which requests wait for others of their session, and
 * what happens to those that wait in vain; also through the programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/session_order.h"
#include "gateway/session_registry.h"
#include "login_flows.h"
#include "programs.h"
#include "store/store_lock.h"
#include "store/store_operations.h"
#include "stores.h"

#define SET_COOKIE "Set-Cookie: "

static struct fixture fix;
static struct stores stores;
static struct fixture_session known;

static void
init(const char *const *settings)
{
    fixture_init(&fix, settings);
    stores_start(&stores, STORE_LMDB, NULL);
    fix.ctx.store = stores_open(&stores, "test");
    fix.config->ordered = true;
    fixture_begin(&fix, false, &known);
}

static int
set_up(void **state)
{
    static const char *const settings[] = {
        "POSTERN_LOGIN_FLOOR=0", "POSTERN_LOGIN_PER_ACCOUNT=1/15m", NULL};

    (void)state;
    init(settings);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    session_order_end(&fix.ctx);
    store_close(&fix.ctx.store);
    stores_stop(&stores);
    fixture_fini(&fix);
    return 0;
}

/* Another request of the session that is at the backend. */
static void
hold(struct store_lock *lock)
{
    const struct wait_limit limit = {WAIT_NO_DEADLINE, -1};
    struct store_id sid;
    bool has_waited;

    *lock = (struct store_lock){.store = NULL};
    store_id_sid(known.auth.session.sid, &sid);
    assert_int_equal(
        store_lock_acquire(fix.ctx.store, lock, &sid, &limit, &has_waited),
        PST_OK);
    assert_false(has_waited);
}

static void
test_begin_and_end(void **state)
{
    struct auth nobody = {.has_session = false};
    struct store_lock other;
    bool has_waited = true;

    (void)state;
    /* Nothing to order. */
    assert_int_equal(
        session_order_begin(&fix.ctx, &fix.req, &nobody, &has_waited), PST_OK);
    assert_false(has_waited);
    assert_int_equal(session_order_check(&fix.ctx, &fix.req), PST_OK);
    fix.config->ordered = false;
    assert_int_equal(
        session_order_begin(&fix.ctx, &fix.req, &known.auth, &has_waited),
        PST_OK);
    hold(&other); /* it is free */
    store_lock_release(&other);
    session_order_end(&fix.ctx);

    fix.config->ordered = true;
    assert_int_equal(
        session_order_begin(&fix.ctx, &fix.req, &known.auth, &has_waited),
        PST_OK);
    assert_false(has_waited);
    assert_true(store_lock_is_held(fix.ctx.order));
    assert_int_equal(session_order_check(&fix.ctx, &fix.req), PST_OK);
    session_order_end(&fix.ctx);
    hold(&other);
    store_lock_release(&other);
    session_order_end(&fix.ctx);
}

static void
test_waiting_in_vain(void **state)
{
    struct store_lock other;
    bool has_waited;
    int client[2];

    (void)state;
    fixture_open_log(&fix);
    hold(&other);
    assert_int_equal(
        session_order_begin(&fix.ctx, &fix.req, &known.auth, &has_waited),
        PST_OVERLOADED);
    assert_non_null(
        strstr(fixture_read_log(&fix), "POSTERN_FIRST_BYTE_TIMEOUT"));
    assert_int_equal(pipe(client), 0);
    close(client[0]);
    fix.req.source.descriptor = client[1];
    assert_int_equal(
        session_order_begin(&fix.ctx, &fix.req, &known.auth, &has_waited),
        PST_CLIENT_GONE);
    close(client[1]);
    store_lock_release(&other);
}

/* A lease that ran out: nothing is sent any more. */
static bool
is_not_locked(const struct store_lock *lock)
{
    (void)lock;
    return false;
}

static void
test_lost_lock(void **state)
{
    struct store_operations broken = *fix.ctx.store->backend;
    const struct flow flow = {.body = "{\"query\":\"{a}\"}",
                              .variables = {known.cookie},
                              .status = 503,
                              .exchanges = 0};

    (void)state;
    broken.is_locked = is_not_locked;
    fix.ctx.store->backend = &broken;
    fixture_open_log(&fix);
    flow_check(&fix, program_query, &flow);
    assert_non_null(strstr(fixture_read_log(&fix), "lease"));
    session_order_end(&fix.ctx);
    fix.ctx.store->backend = &store_lmdb;
}

/* Run a flow, and report whether it kept the lock until its end. */
static bool
is_ordered_by(handler_fn *program, const struct flow *flow)
{
    bool is_held;

    flow_check(&fix, program, flow);
    is_held = fix.ctx.order && store_lock_is_held(fix.ctx.order);
    session_order_end(&fix.ctx);
    return is_held;
}

#define ANSWER                                                         \
    {                                                                  \
        .status = 200, .headers = {JSON_TYPE}, .body = "{\"data\":{}}" \
    }
#define STREAM(type)                                       \
    {                                                      \
        .status = 200, .headers = {"Content-Type: " type}, \
        .body = "event: next\ndata: {}\n\n"                \
    }

static void
test_queries(void **state)
{
    static const struct {
        struct flow flow;
        bool want;
    } rows[] = {
        {{.body = "{\"query\":\"{a}\"}", .answers = {ANSWER}}, true},
        {{.body = "{\"query\":\"mutation{a}\"}", .answers = {ANSWER}}, true},
        {{.body = "[{\"query\":\"mutation{a}\"},{\"query\":\"{\"}]",
          .answers = {ANSWER}},
         true},
        {{.variables = {FLOW_GET, "QUERY_STRING=query={a}"},
          .answers = {ANSWER}},
         false},
        /* Streams of events. */
        {{.body = "{\"query\":\"{a}\"}",
          .answers = {STREAM("text/event-stream; charset=utf-8")}},
         false},
        {{.body = "{\"query\":\"subscription{a}\"}",
          .answers = {STREAM("Multipart/Mixed; boundary=-")}},
         false},
        {{.body = "{\"query\":\"mutation{a}\"}",
          .answers = {STREAM("text/event-stream")}},
         true},
        {{.body = "[{\"query\":\"{a}\"},{\"query\":\"mutation{a}\"}]",
          .answers = {STREAM("text/event-stream")}},
         true},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct flow flow = rows[i].flow;

        flow.status = 200;
        flow.exchanges = 1;
        flow.variables[flow.variables[0] ? 2 : 0] = known.cookie;
        if (is_ordered_by(program_query, &flow) != rows[i].want)
            fail_msg("row %zu", i);
    }
}

/* While another one is at the backend: what needs no backend, or is a GET, is
 * answered. */
static void
test_held_queries(void **state)
{
    const struct flow rows[] = {
        {.body = "{\"query\":\"{a}\"}", .status = 503},
        {.body = "{\"query\":\"{\"}", .status = 200},
        {.variables = {FLOW_GET, "QUERY_STRING=query={a}"},
         .answers = {ANSWER},
         .status = 200,
         .exchanges = 1},
    };
    struct store_lock other;

    (void)state;
    hold(&other);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct flow flow = rows[i];

        flow.variables[2] = known.cookie;
        if (!flow.variables[0]) {
            flow.variables[0] = known.cookie;
            flow.variables[2] = NULL;
        }
        flow_check(&fix, program_query, &flow);
    }
    store_lock_release(&other);
}

/* Waiting for another one that ends the session: it is released when this one
 * has begun to wait. */
static struct store_lock *ending;

static enum pst_err
end_session_and_lock(struct store *store, struct store_lock *lock)
{
    struct store_id sid;

    if (!ending)
        return store_lmdb.lock(store, lock);
    store_id_sid(known.auth.session.sid, &sid);
    assert_int_equal(
        store_revoke(store, &sid, NULL, FIXTURE_NOW + 1000, FIXTURE_NOW),
        PST_OK);
    ending = NULL;
    return PST_OVERLOADED;
}

static void
test_ended_meanwhile(void **state)
{
    struct store_operations operations = store_lmdb;
    struct store_lock other;
    const struct flow flow = {.body = "{\"query\":\"mutation{a}\"}",
                              .variables = {known.cookie},
                              .status = 503,
                              .exchanges = 0};

    (void)state;
    operations.lock = end_session_and_lock;
    fix.ctx.store->backend = &operations;
    ending = &other;
    flow_check(&fix, program_query, &flow);
    assert_int_equal(fixture_count(&fix, "Set-Cookie"), 0);
    session_order_end(&fix.ctx);
    fix.ctx.store->backend = &store_lmdb;
}

/* An attempt that never reached the backend is no guess: the limit is one. */
static void
test_login(void **state)
{
    struct flow flow = {.body = CREDENTIALS,
                        .variables = {known.cookie},
                        .answers = {GRANTED},
                        .status = 503};
    struct store_lock other;

    (void)state;
    hold(&other);
    flow_check(&fix, program_login, &flow);
    store_lock_release(&other);
    flow.status = 200;
    flow.exchanges = 1;
    assert_true(is_ordered_by(program_login, &flow));
}

/* A logout that cannot wait goes ahead. */
static void
test_logout(void **state)
{
    struct flow flow = {.body = "{}",
                        .variables = {known.cookie},
                        .answers = {ANSWER},
                        .status = 200,
                        .exchanges = 1};
    struct store_lock other;

    (void)state;
    hold(&other);
    flow_check(&fix, program_logout, &flow);
    store_lock_release(&other);
    fixture_begin(&fix, false, &known);
    assert_true(is_ordered_by(program_logout, &flow));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_begin_and_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiting_in_vain, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_lost_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_queries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_held_queries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ended_meanwhile, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_login, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_logout, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_session_open.c - which of several cookies is the session (design 2.1,
 * R40, U32), and what opening one token says.
 */
#include "gateway/session_open.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "gateway/session_registry.h"
#include "gateway/token_transport.h"
#include "store/store_operations.h"
#include "stores.h"

/* What a cookie holds. A and B are two sessions, LATER and AGAIN copies of A
 * that were sealed after it: one seen later, one seen at the same time but
 * begun later. */
enum what { A, LATER, AGAIN, B, C_REVOKED, D_EXPIRED, GARBAGE, NOTHING, WHATS };

static struct fixture fix;
static struct stores stores;
static char tokens[WHATS][4200];

static struct pst_session
session_of(uint8_t sid, int64_t iat, int64_t seen)
{
    return (struct pst_session){
        .sid = {sid},
        .sub = PST_STR("7"),
        .name = PST_STR("a"),
        .iat = iat,
        .seen = seen,
        .exp = iat + 12 * 3600,
        .who = PST_STR("{}"),
        .upstream = PST_STR("\"secret\""),
    };
}

static void
seal(enum what what, const struct pst_session *session)
{
    struct transport issued;
    const char *value;

    assert_int_equal(transport_issue(&fix.ctx, fix.arena, TOKEN_METHOD_COOKIE,
                                     session, &issued),
                     PST_OK);
    value = memchr(issued.cookie.ptr, '=', issued.cookie.len);
    assert_non_null(value);
    snprintf(tokens[what], sizeof(tokens[what]), "%.*s",
             (int)strcspn(value + 1, ";"), value + 1);
}

static int
set_up(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=GET", NULL};
    const int64_t now = FIXTURE_NOW;
    struct pst_session a = session_of(1, now - 100, now - 100);
    struct pst_session later = session_of(1, now - 100, now - 50);
    struct pst_session again = session_of(1, now - 99, now - 50);
    struct pst_session b = session_of(2, now - 10, now - 10);
    struct pst_session revoked = session_of(3, now - 10, now - 10);
    struct pst_session expired = session_of(4, now - 9999, now - 9999);

    (void)state;
    fixture_init(&fix, NULL);
    stores_start(&stores, STORE_LMDB, NULL);
    fix.ctx.store = stores_open(&stores, "test");
    fixture_request(&fix, variables, NULL);
    seal(A, &a);
    seal(LATER, &later);
    seal(AGAIN, &again);
    seal(B, &b);
    seal(C_REVOKED, &revoked);
    seal(D_EXPIRED, &expired);
    snprintf(tokens[GARBAGE], sizeof(tokens[GARBAGE]), "x.y.z");
    assert_int_equal(registry_revoke(&fix.ctx, &fix.req, &revoked), PST_OK);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    store_close(&fix.ctx.store);
    stores_stop(&stores);
    fixture_fini(&fix);
    return 0;
}

static enum pst_err
open_these(const enum what *what, size_t count, struct session_opened *out)
{
    static const char *const variables[] = {"REQUEST_METHOD=GET", NULL};
    struct session_cookies cookies = {.count = {0}};

    fixture_request(&fix, variables, NULL);
    for (size_t i = 0; i < count && i < SESSION_COOKIES_MAX; i++)
        cookies.values[SESSION_COOKIES_USER][i] = pst_str_from(tokens[what[i]]);
    cookies.count[SESSION_COOKIES_USER] = count;
    return session_open_cookies(&fix.ctx, &fix.req, &cookies,
                                SESSION_COOKIES_USER, out);
}

static void
test_chosen(void **state)
{
    static const struct {
        const char *name;
        enum what sent[5]; /* NOTHING at the end */
        enum pst_err want;
        int64_t seen; /* of the chosen one; seconds before now */
        int64_t iat;
    } rows[] = {
        {"none", {NOTHING}, PST_NO_SESSION, 0, 0},
        {"one", {A, NOTHING}, PST_OK, 100, 100},
        {"one that does not open", {GARBAGE, NOTHING}, PST_FORGED, 0, 0},
        {"one that has ended", {C_REVOKED, NOTHING}, PST_REVOKED, 0, 0},
        {"one that expired", {D_EXPIRED, NOTHING}, PST_EXPIRED, 0, 0},
        {"one and garbage", {GARBAGE, A, NOTHING}, PST_OK, 100, 100},
        {"one and its predecessor", {C_REVOKED, B, NOTHING}, PST_OK, 10, 10},
        {"one and an older",
         {B, D_EXPIRED, C_REVOKED, NOTHING},
         PST_OK,
         10,
         10},
        {"twice the same", {A, A, NOTHING}, PST_OK, 100, 100},
        {"a copy seen later", {A, LATER, NOTHING}, PST_OK, 50, 100},
        {"a copy seen earlier", {LATER, A, NOTHING}, PST_OK, 50, 100},
        {"a copy begun later", {LATER, AGAIN, NOTHING}, PST_OK, 50, 99},
        {"a copy begun earlier", {AGAIN, LATER, NOTHING}, PST_OK, 50, 99},
        {"three copies", {A, AGAIN, LATER, NOTHING}, PST_OK, 50, 99},
        {"two sessions", {A, B, NOTHING}, PST_DUPLICATE, 0, 0},
        {"two sessions, the other way", {B, A, NOTHING}, PST_DUPLICATE, 0, 0},
        {"two sessions and a copy",
         {A, B, LATER, NOTHING},
         PST_DUPLICATE,
         0,
         0},
        {"two sessions and garbage",
         {A, GARBAGE, B, NOTHING},
         PST_DUPLICATE,
         0,
         0},
        {"none that opens", {GARBAGE, C_REVOKED, NOTHING}, PST_REVOKED, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct session_opened opened;
        size_t count = 0;
        enum pst_err e;

        while (rows[i].sent[count] != NOTHING)
            count++;
        e = open_these(rows[i].sent, count, &opened);
        if (e != rows[i].want ||
            (!e && (!opened.is_set || opened.is_unchecked ||
                    opened.session.seen != FIXTURE_NOW - rows[i].seen ||
                    opened.session.iat != FIXTURE_NOW - rows[i].iat)))
            fail_msg("%s: %s", rows[i].name, pst_err_code(e));
        if (e == PST_DUPLICATE && opened.is_set)
            fail_msg("%s: one of them was chosen", rows[i].name);
    }
}

/* L6, L7: what a client can make us open is bounded, and fits a request. */
static void
test_many(void **state)
{
    enum what sent[SESSION_COOKIES_MAX + 1];
    struct session_opened opened;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(sent); i++)
        sent[i] = LATER;
    assert_int_equal(open_these(sent, SESSION_COOKIES_MAX, &opened), PST_OK);
    assert_int_equal(open_these(sent, SESSION_COOKIES_MAX + 1, &opened),
                     PST_DUPLICATE);
    /* The largest that a browser keeps. */
    memset(tokens[GARBAGE], 'A', 4096 - 20);
    memcpy(tokens[GARBAGE], tokens[B], strcspn(tokens[B], ".") + 2);
    tokens[GARBAGE][4096 - 20] = '\0';
    for (size_t i = 0; i + 1 < SESSION_COOKIES_MAX; i++)
        sent[i] = GARBAGE;
    assert_int_equal(open_these(sent, SESSION_COOKIES_MAX, &opened), PST_OK);
}

static enum pst_err
check_nothing(struct store *store, const struct store_id *sid,
              const struct store_id *subject, int64_t iat)
{
    (void)sid;
    (void)subject;
    (void)iat;
    return store_set_error(store, "it is away");
}

/* Two sessions in one request are logged, with the cookie's name and their
 * number, but not a session's values. */
static void
test_conflict_is_logged(void **state)
{
    static const enum what sent[] = {A, B};
    struct session_opened opened;
    const char *log;

    (void)state;
    fixture_open_log(&fix);
    assert_int_equal(open_these(sent, 1, &opened), PST_OK);
    assert_null(strstr(fixture_read_log(&fix), "session-cookies-conflict"));
    assert_int_equal(open_these(sent, 2, &opened), PST_DUPLICATE);
    log = fixture_read_log(&fix);
    assert_non_null(strstr(log, "level=warning"));
    assert_non_null(strstr(log, "event=session-cookies-conflict"));
    assert_non_null(strstr(log, " cookie=__Host-Http-session count=2\n"));
    assert_null(strstr(log, tokens[A]));
}

/* A failure is not "no session": the caller must not go on without it. */
static void
test_failures(void **state)
{
    static const enum what sent[] = {GARBAGE, A, B};
    static const char *const variables[] = {"REQUEST_METHOD=GET", NULL};
    struct session_cookies cookies = {.count = {1}};
    const struct store_operations *good = fix.ctx.store->backend;
    struct store_operations broken = *good;
    struct session_opened opened;
    size_t n = 0;
    enum pst_err e;

    (void)state;
    cookies.values[SESSION_COOKIES_USER][0] = pst_str_from(tokens[A]);
    do {
        fixture_request(&fix, variables, NULL);
        pst_arena_fail_at(fix.arena, ++n);
        e = session_open_cookies(&fix.ctx, &fix.req, &cookies,
                                 SESSION_COOKIES_USER, &opened);
        assert_true(!e || e == PST_NO_MEMORY);
    } while (e && n < 100);
    assert_true(n > 2 && n < 100);
    broken.check = check_nothing;
    fix.ctx.store->backend = &broken;
    assert_int_equal(open_these(sent, 3, &opened), PST_STORE_DOWN);
    assert_true(opened.is_set && opened.is_unchecked);
    assert_int_equal(open_these(sent, 1, &opened), PST_FORGED);
    fix.ctx.store->backend = good;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chosen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_conflict_is_logged, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("session_open", tests, NULL, NULL);
}

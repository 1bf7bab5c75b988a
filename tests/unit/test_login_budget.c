/* SPDX-License-Identifier: ISC */
/*
 * test_login_budget.c - limits of login attempts and password checks
 * (design 2.5, "Throttling").
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "gateway/login_budget.h"
#include "stores.h"

#define ADDRESS "REMOTE_ADDR=192.0.2.1"

static struct fixture fix;
static struct stores stores;

static void
set_up(const char *account, const char *address)
{
    const char *const settings[] = {account, address, NULL};

    fixture_init(&fix, settings);
    stores_start(&stores, STORE_LMDB, NULL);
    fix.ctx.store = stores_open(&stores, "test");
}

static void
tear_down(void)
{
    store_close(&fix.ctx.store);
    stores_stop(&stores);
    fixture_fini(&fix);
}

static enum pst_err
acquire(struct login_budget *budget, struct pst_str name, const char *cookie)
{
    const char *const variables[] = {"REQUEST_METHOD=POST", ADDRESS, cookie,
                                     NULL};

    fixture_request(&fix, variables, NULL);
    return login_budget_acquire(budget, &fix.ctx, &fix.req, &fix.res, name);
}

enum deed { FAIL, REFUND, RESET };

/* The outcome of two attempts decides whether a third is allowed. */
static void
test_deeds(void **state)
{
    static const struct {
        const char *name; /* NULL: a login without a name */
        enum deed deed;
        bool has_third;
    } rows[] = {
        {"ana", FAIL, false},
        {"ana", REFUND, true},
        {"ana", RESET, true},
        {"", FAIL, false},
        {"", REFUND, true},
        {NULL, FAIL, false},
        {NULL, REFUND, true},
        /* Without a name no password was checked. */
        {NULL, RESET, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str name =
            rows[i].name ? pst_str_from(rows[i].name) : PST_STR_NONE;
        struct login_budget budget;

        set_up("POSTERN_LOGIN_PER_ACCOUNT=2/15m",
               rows[i].name ? "POSTERN_LOGIN_PER_ADDRESS=off"
                            : "POSTERN_LOGIN_PER_ADDRESS=2/15m");
        for (int n = 0; n < 2; n++) {
            assert_int_equal(acquire(&budget, name, NULL), PST_OK);
            if (rows[i].deed == REFUND)
                login_budget_refund(&budget);
            if (rows[i].deed == RESET)
                login_budget_reset(&budget, &fix.res, true);
        }
        if (acquire(&budget, name, NULL) !=
            (rows[i].has_third ? PST_OK : PST_THROTTLED))
            fail_msg("row %zu", i);
        assert_int_equal(fixture_count(&fix, "Retry-After"),
                         !rows[i].has_third);
        tear_down();
    }
}

/* A name that is not UTF-8 is refused, and no attempt is taken. */
static void
test_malformed(void **state)
{
    struct login_budget budget;

    (void)state;
    set_up("POSTERN_LOGIN_PER_ACCOUNT=1/15m",
           "POSTERN_LOGIN_PER_ADDRESS=1/15m");
    for (int i = 0; i < 3; i++)
        assert_int_equal(acquire(&budget, PST_STR("a\xff"), NULL),
                         PST_MALFORMED);
    assert_int_equal(acquire(&budget, PST_STR("a"), NULL), PST_OK);
    tear_down();
}

/* A browser that has logged in under a name has its own budget. So guesses by
 * others do not lock out the owner. This needs a session cookie and a limit. */
static void
test_device(void **state)
{
    static const struct {
        const char *limit;
        bool by_cookie;
        size_t cookies;
    } rows[] = {
        {"POSTERN_LOGIN_PER_ACCOUNT=1/15m", true, 1},
        {"POSTERN_LOGIN_PER_ACCOUNT=1/15m", false, 0},
        {"POSTERN_LOGIN_PER_ACCOUNT=off", true, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct login_budget budget;
        char cookie[2048];
        const char *line;

        set_up(rows[i].limit, "POSTERN_LOGIN_PER_ADDRESS=off");
        assert_int_equal(acquire(&budget, PST_STR("ana"), NULL), PST_OK);
        login_budget_reset(&budget, &fix.res, rows[i].by_cookie);
        assert_int_equal(fixture_count(&fix, "Set-Cookie"), rows[i].cookies);
        line = fixture_header(&fix, "Set-Cookie");
        if (line) {
            assert_non_null(strstr(line, "__Host-Http-session-device="));
            (void)snprintf(cookie, sizeof(cookie), "HTTP_COOKIE=%.*s",
                           (int)strcspn(line, ";"), line);
            /* Others use up the account's budget. */
            assert_int_equal(acquire(&budget, PST_STR("ana"), NULL), PST_OK);
            assert_int_equal(acquire(&budget, PST_STR("ana"), NULL),
                             PST_THROTTLED);
            assert_int_equal(acquire(&budget, PST_STR("Ana"), cookie),
                             PST_THROTTLED);
            assert_int_equal(acquire(&budget, PST_STR("ana"), cookie), PST_OK);
            assert_int_equal(acquire(&budget, PST_STR("ana"), cookie),
                             PST_THROTTLED);
        }
        tear_down();
    }
}

/* Names are compared byte for byte. */
static void
test_is_named(void **state)
{
    static const struct {
        const char *ours;
        const char *theirs;
        bool want;
    } rows[] = {
        {"ana", "ana", true},
        {"ana", "ANA", false},
        {"ana", "\xc3\x81na", false},
        {"ana", "bob", false},
        {"ana", "", false},
        {"", "ana", false},
        {"", "", false},
        {"ana", "\xff", false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct login_budget budget = {.name = pst_str_from(rows[i].ours)};

        if (login_budget_has_name(&budget, pst_str_from(rows[i].theirs)) !=
            rows[i].want)
            fail_msg("%s, %s", rows[i].ours, rows[i].theirs);
    }
}

/* Sessions that begin without a password have their own counter. */
static void
test_address(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", ADDRESS,
                                            NULL};
    struct login_budget budget;

    (void)state;
    set_up("POSTERN_LOGIN_PER_ACCOUNT=off", "POSTERN_LOGIN_PER_ADDRESS=2/15m");
    for (int i = 0; i < 4; i++) {
        fixture_request(&fix, variables, NULL);
        assert_int_equal(
            login_budget_acquire_address(&fix.ctx, &fix.req, &fix.res),
            i < 2 ? PST_OK : PST_THROTTLED);
        assert_int_equal(fixture_count(&fix, "Retry-After"), i >= 2);
        /* A slot is free again after half of the 15 minutes. */
        if (i >= 2)
            assert_string_equal(fixture_header(&fix, "Retry-After"), "450");
    }
    assert_int_equal(acquire(&budget, PST_STR("ana"), NULL), PST_OK);
    tear_down();
}

/* Password checks count by the session's subject, separately from logins under
 * that name. Without a session they count by address. */
static void
test_password(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", ADDRESS,
                                            NULL};
    struct auth auths[] = {
        {.has_session = true, .session = {.sub = {"ana", 3}}},
        {.has_session = true, .session = {.sub = {"bob", 3}}},
        {.has_session = true, .session = {.sub = {"", 0}}},
        {.has_session = false},
    };
    static const int allowed[] = {2, 2, 2, 0};
    struct login_budget budget;

    (void)state;
    set_up("POSTERN_LOGIN_PER_ACCOUNT=2/15m",
           "POSTERN_LOGIN_PER_ADDRESS=2/15m");
    for (size_t i = 0; i < PST_COUNT(auths); i++) {
        for (int n = 0; n < 3; n++) {
            enum pst_err e;

            /* A guest has the attempts that the address has left. */
            if (auths[i].session.sub.len == 0 && n >= allowed[i] &&
                allowed[i] > 0)
                continue;
            fixture_request(&fix, variables, NULL);
            e = login_budget_acquire_password(&fix.ctx, &fix.req, &fix.res,
                                              &auths[i]);
            if (e != (n < allowed[i] ? PST_OK : PST_THROTTLED))
                fail_msg("session %zu, %d: %s", i, n, pst_err_code(e));
        }
    }
    tear_down();
    set_up("POSTERN_LOGIN_PER_ACCOUNT=1/15m", "POSTERN_LOGIN_PER_ADDRESS=off");
    fixture_request(&fix, variables, NULL);
    assert_int_equal(
        login_budget_acquire_password(&fix.ctx, &fix.req, &fix.res, &auths[0]),
        PST_OK);
    assert_int_equal(acquire(&budget, PST_STR("ana"), NULL), PST_OK);
    tear_down();
}

/* Without a store, no attempt is counted or refused. */
static void
test_no_store(void **state)
{
    static const char *const settings[] = {"POSTERN_LOGIN_PER_ACCOUNT=1/15m",
                                           NULL};
    struct login_budget budget;

    (void)state;
    fixture_init(&fix, settings);
    for (int i = 0; i < 3; i++)
        assert_int_equal(acquire(&budget, PST_STR("ana"), NULL), PST_OK);
    login_budget_refund(&budget);
    login_budget_reset(&budget, &fix.res, true);
    assert_int_equal(fixture_count(&fix, "Set-Cookie"), 0);
    assert_int_equal(login_budget_acquire_address(&fix.ctx, &fix.req, &fix.res),
                     PST_OK);
    fixture_fini(&fix);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deeds),    cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_device),   cmocka_unit_test(test_is_named),
        cmocka_unit_test(test_address),  cmocka_unit_test(test_password),
        cmocka_unit_test(test_no_store),
    };

    return cmocka_run_group_tests_name("login_throttle", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_config_cookie.c - the session's cookie, as its variables make it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/config_cookie.h"

#define DAY 86400

struct row {
    const char *name;
    struct pst_cookie in;
    const char *want;     /* the name it gets; NULL: refused */
    const char *variable; /* to blame */
    const char *error;    /* part of the sentence */
};

#define NAME(text) .name = {"" text, sizeof(text) - 1}
#define ROOT .path = {"/", 1}
#define SHOP .path = {"/shop", 5}
#define EXAMPLE .domain = {"a.example", 9}

static const struct row rows[] = {
    {"R31: host prefix",
     {NAME("a"), ROOT, .secure = true},
     "__Host-Http-a",
     NULL,
     NULL},
    {"R30: secure prefix for a path",
     {NAME("a"), SHOP, .secure = true},
     "__Secure-a",
     NULL,
     NULL},
    {"R30: secure prefix for a domain",
     {NAME("a"), ROOT, EXAMPLE, .secure = true},
     "__Secure-a",
     NULL,
     NULL},
    {"no prefix without Secure", {NAME("a"), ROOT}, "a", NULL, NULL},
    {"secure prefix is kept",
     {NAME("__Secure-a"), ROOT, .secure = true},
     "__Secure-a",
     NULL,
     NULL},
    {"R32: host http prefix is kept",
     {NAME("__Host-Http-a"), ROOT, .secure = true},
     "__Host-Http-a",
     NULL,
     NULL},
    {"http prefix is kept",
     {NAME("__Http-a"), SHOP, .secure = true},
     "__Http-a",
     NULL,
     NULL},
    {"an underscore is not a prefix",
     {NAME("__a"), ROOT, .secure = true},
     "__Host-Http-__a",
     NULL,
     NULL},
    {"None with Secure",
     {NAME("a"), ROOT, .secure = true, .same_site = PST_SAME_SITE_NONE},
     "__Host-Http-a",
     NULL,
     NULL},
    {"R43: Partitioned as it must be",
     {NAME("a"), ROOT, .secure = true, .partitioned = true,
      .same_site = PST_SAME_SITE_NONE},
     "__Host-Http-a",
     NULL,
     NULL},
    {"R41: prefix in another case",
     {NAME("__HOST-a"), ROOT, .secure = true},
     NULL,
     "POSTERN_COOKIE_NAME",
     "__Host-"},
    {"R41: another prefix in another case",
     {NAME("__secure-a"), ROOT, .secure = true},
     NULL,
     "POSTERN_COOKIE_NAME",
     "__Secure-"},
    {"only a prefix",
     {NAME("__Host-"), ROOT, .secure = true},
     NULL,
     "POSTERN_COOKIE_NAME",
     "is only a prefix"},
    {"only the long prefix",
     {NAME("__Host-Http-"), ROOT, .secure = true},
     NULL,
     "POSTERN_COOKIE_NAME",
     "is only a prefix"},
    {"host prefix with a path",
     {NAME("__Host-a"), SHOP, .secure = true},
     NULL,
     "POSTERN_COOKIE_NAME",
     "__Host-"},
    {"host prefix with a domain",
     {NAME("__Host-a"), ROOT, EXAMPLE, .secure = true},
     NULL,
     "POSTERN_COOKIE_NAME",
     "__Host-"},
    {"secure prefix without Secure",
     {NAME("__Secure-a"), ROOT},
     NULL,
     "POSTERN_COOKIE_NAME",
     "__Secure-"},
    {"http prefix without Secure",
     {NAME("__Http-a"), ROOT},
     NULL,
     "POSTERN_COOKIE_NAME",
     "__Http-"},
    {"None without Secure",
     {NAME("a"), ROOT, .same_site = PST_SAME_SITE_NONE},
     NULL,
     "POSTERN_COOKIE_SAMESITE",
     "POSTERN_COOKIE_SECURE"},
    {"R43: Partitioned without Secure",
     {NAME("a"), ROOT, .partitioned = true},
     NULL,
     "POSTERN_COOKIE_PARTITIONED",
     "POSTERN_COOKIE_SECURE"},
    {"R43: Partitioned with Lax",
     {NAME("a"), ROOT, .secure = true, .partitioned = true,
      .same_site = PST_SAME_SITE_LAX},
     NULL,
     "POSTERN_COOKIE_PARTITIONED",
     "POSTERN_COOKIE_SAMESITE"},
};

static void
cookies_are_finished(void **state)
{
    struct pst_arena *arena = NULL;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 65536), PST_OK);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct pst_cookie cookie = row->in;
        struct config_error error = {""};
        const char *variable = "";
        enum pst_err e =
            config_cookie_prepare(arena, &cookie, DAY, &variable, &error);

        if (row->want
                ? e != PST_OK || !cookie.http_only || cookie.has_max_age ||
                      !pst_str_equal(cookie.name, pst_str_from(row->want))
                : e != PST_BAD_CONFIG || strcmp(variable, row->variable) != 0 ||
                      !strstr(error.message, row->error))
            fail_msg("%s: %.*s %s %s", row->name, (int)cookie.name.len,
                     cookie.name.ptr, variable, error.message);
    }
    pst_arena_free(&arena);
}

/* The name is the audience too, and 255 bytes are the most of that. */
static void
name_is_bounded(void **state)
{
    static char storage[5000];
    static const size_t lengths[] = {243, 244, 4096, 5000};
    struct pst_arena *arena = NULL;

    (void)state;
    memset(storage, 'a', sizeof(storage));
    assert_int_equal(pst_arena_new(&arena, 65536), PST_OK);
    for (size_t i = 0; i < PST_COUNT(lengths); i++) {
        struct pst_cookie cookie = {
            .name = {storage, lengths[i]}, ROOT, .secure = true};
        struct config_error error = {""};
        const char *variable = "";
        enum pst_err e =
            config_cookie_prepare(arena, &cookie, DAY, &variable, &error);

        if (e != (i == 0 ? PST_OK : PST_BAD_CONFIG))
            fail_msg("%zu bytes: %s", lengths[i], error.message);
    }
    pst_arena_free(&arena);
}

/* R38: the longest age that the cookie will be given is looked at as well. */
static void
age_is_checked(void **state)
{
    struct pst_arena *arena = NULL;
    struct pst_cookie cookie = {NAME("a"), ROOT};
    struct config_error error = {""};
    const char *variable = "";

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 4096), PST_OK);
    assert_int_equal(
        config_cookie_prepare(arena, &cookie, 400 * DAY, &variable, &error),
        PST_OK);
    assert_int_equal(
        config_cookie_prepare(arena, &cookie, 400 * DAY + 1, &variable, &error),
        PST_BAD_CONFIG);
    pst_arena_fail_at(arena, 1);
    assert_int_equal(
        config_cookie_prepare(arena, &cookie, DAY, &variable, &error),
        PST_NO_MEMORY);
    pst_arena_free(&arena);
}

static void
names_beside_it(void **state)
{
    static const struct {
        const char *name;
        const char *guest;
        const char *legacy;
    } cases[] = {
        {"__Host-Http-a", "__Host-Http-a-guest", "__Host-a"},
        {"__Host-a", "__Host-a-guest", NULL},
        {"__Secure-a", "__Secure-a-guest", NULL},
        {"a", "a-guest", NULL},
    };
    struct pst_arena *arena = NULL;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 65536), PST_OK);
    for (size_t i = 0; i < PST_COUNT(cases); i++) {
        struct pst_str guest;
        struct pst_str legacy;

        assert_int_equal(config_cookie_derive_names(arena,
                                                    pst_str_from(cases[i].name),
                                                    &guest, &legacy),
                         PST_OK);
        assert_true(pst_str_equal(guest, pst_str_from(cases[i].guest)));
        assert_true(pst_str_equal(legacy, pst_str_from(cases[i].legacy)));
        assert_true(pst_str_is_absent(legacy) == !cases[i].legacy);
        for (size_t n = 1; n <= (cases[i].legacy ? 2 : 1); n++) {
            pst_arena_fail_at(arena, n);
            assert_int_equal(
                config_cookie_derive_names(arena, pst_str_from(cases[i].name),
                                           &guest, &legacy),
                PST_NO_MEMORY);
        }
        pst_arena_fail_at(arena, 0);
    }
    pst_arena_free(&arena);
}

struct check_row {
    const char *name;
    config_check_fn *check;
    const char *value;
    const char *error; /* part of the sentence; NULL: taken */
};

static const struct check_row checked[] = {
    {"cookie name", config_check_cookie_name, "session", NULL},
    {"cookie name with a prefix", config_check_cookie_name, "__Host-a", NULL},
    {"cookie name beyond ASCII", config_check_cookie_name, "\xc3\xbc", "token"},
    {"cookie domain", config_check_cookie_domain, "shop.example", NULL},
    {"cookie domain that is a number", config_check_cookie_domain, "10.1",
     "host name"},
    {"cookie path", config_check_cookie_path, "/shop", NULL},
    {"L31: cookie path with CR", config_check_cookie_path, "/\r",
     "must begin with /"},
};

static void
attributes_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(checked); i++) {
        const struct check_row *row = &checked[i];
        struct config_error error = {""};
        enum pst_err e = row->check(pst_str_from(row->value), &error);

        if (row->error
                ? e != PST_BAD_CONFIG || !strstr(error.message, row->error)
                : e != PST_OK)
            fail_msg("%s: %s %s", row->name, pst_err_code(e), error.message);
    }
}

static void
long_domains_are_refused(void **state)
{
    char storage[64];
    struct config_error error;

    (void)state;
    memset(storage, 'a', sizeof(storage));
    assert_int_equal(
        config_check_cookie_domain((struct pst_str){storage, 63}, &error),
        PST_OK);
    assert_int_equal(
        config_check_cookie_domain((struct pst_str){storage, 64}, &error),
        PST_BAD_CONFIG);
}

/* A password in a value never comes out in a sentence about it. */
static void
sentences_do_not_repeat_passwords(void **state)
{
    static config_check_fn *const checks[] = {
        config_check_cookie_name,
        config_check_cookie_domain,
        config_check_cookie_path,
    };
    struct pst_str value = PST_STR("https://me:pa55word@shop.example/a b");

    (void)state;
    for (size_t i = 0; i < PST_COUNT(checks); i++) {
        struct config_error error = {""};

        if (checks[i](value, &error) != PST_BAD_CONFIG || !*error.message ||
            strstr(error.message, "pa55word"))
            fail_msg("check %zu: %s", i, error.message);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookies_are_finished),
        cmocka_unit_test(name_is_bounded),
        cmocka_unit_test(age_is_checked),
        cmocka_unit_test(names_beside_it),
        cmocka_unit_test(attributes_are_checked),
        cmocka_unit_test(long_domains_are_refused),
        cmocka_unit_test(sentences_do_not_repeat_passwords),
    };

    return cmocka_run_group_tests_name("config_cookie", tests, NULL, NULL);
}

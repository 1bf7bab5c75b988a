/* SPDX-License-Identifier: ISC */
/*
 * test_known_device.c - which device has its own login budget, and for which
 * user (design 2.5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/token.h"
#include "fixture.h"
#include "gateway/known_device.h"

#define COOKIE "__Host-Http-session-device"
#define DAY 86400

static struct fixture fix;
static struct pst_arena *arena; /* lives through requests */
static char header[PST_COOKIE_MAX + 64];

static int
set_up(void **state)
{
    (void)state;
    fixture_init(&fix, NULL);
    assert_int_equal(pst_arena_new(&arena, PST_ARENA_SIZE), PST_OK);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    fixture_fini(&fix);
    return 0;
}

/* The Cookie header of the device after a login; it stays in `header`. */
static struct pst_str
log_in(const struct known_device *before, const char *name)
{
    struct pst_str line = PST_STR_NONE;
    size_t end;

    assert_int_equal(
        known_device_issue(&fix.ctx, arena, before, pst_str_from(name), &line),
        PST_OK);
    end = pst_str_index(line, ';');
    assert_true(end < sizeof(header));
    memcpy(header, line.ptr, end);
    return (struct pst_str){header, end};
}

static struct known_device
open_device(struct pst_str cookies)
{
    struct known_device device;

    memset(&device, 0xAA, sizeof(device));
    assert_int_equal(known_device_open(&fix.ctx, arena, cookies, &device),
                     PST_OK);
    return device;
}

static bool
knows(const struct known_device *device, const char *name)
{
    return known_device_id(device, pst_str_from(name)).len == PST_SID_LEN;
}

static const struct known_device nothing;

static void
test_cookie_line(void **state)
{
    struct pst_str line = PST_STR_NONE;

    (void)state;
    assert_int_equal(
        known_device_issue(&fix.ctx, arena, &nothing, PST_STR("ada"), &line),
        PST_OK);
    assert_true(pst_str_starts(line, PST_STR(COOKIE "=ey")));
    assert_true(pst_str_ends(line, PST_STR("; Path=/; Max-Age=34560000; "
                                           "HttpOnly; Secure; "
                                           "SameSite=Lax")));
    assert_false(pst_str_contains(line, PST_STR("ada")));
    assert_true(line.len < 600);
}

/* By the very bytes: what a backend may take for the same is another. */
static void
test_identical_name(void **state)
{
    static const char *const others[] = {"victi", "victim ", "Victim",
                                         "v\xC3\xAD"
                                         "ctim",
                                         ""};
    struct known_device device = open_device(log_in(&nothing, "victim"));

    (void)state;
    assert_true(device.is_known);
    assert_true(knows(&device, "victim"));
    assert_memory_equal(known_device_id(&device, PST_STR("victim")).ptr,
                        device.id, PST_SID_LEN);
    for (size_t i = 0; i < PST_COUNT(others); i++)
        if (knows(&device, others[i]))
            fail_msg("it knows '%s'", others[i]);
}

/* A household: the same device, up to four names, the newest stays. */
static void
test_several_names(void **state)
{
    static const char *const names[] = {"ann", "ben", "cy", "ben", "di", "ed"};
    struct known_device device = nothing;
    uint8_t id[PST_SID_LEN];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(names); i++) {
        device = open_device(log_in(&device, names[i]));
        if (i == 0)
            memcpy(id, device.id, sizeof(id));
        assert_memory_equal(device.id, id, sizeof(id));
        assert_true(knows(&device, names[i]));
    }
    assert_int_equal(device.name_count, KNOWN_DEVICE_NAMES_MAX);
    assert_false(knows(&device, "ann"));
    assert_true(knows(&device, "ben") && knows(&device, "cy") &&
                knows(&device, "di") && knows(&device, "ed"));
}

static void
test_every_device_is_another(void **state)
{
    struct known_device one = open_device(log_in(&nothing, "ada"));
    struct known_device two = open_device(log_in(&nothing, "ada"));

    (void)state;
    assert_memory_not_equal(one.id, two.id, PST_SID_LEN);
}

static void
expect_unknown(const char *row, struct pst_str cookies)
{
    struct known_device device = open_device(cookies);

    if (device.is_known || device.name_count > 0 || knows(&device, "ada"))
        fail_msg("row '%s': it is known", row);
}

static void
test_not_ours(void **state)
{
    static char twice[2 * sizeof(header)];
    struct pst_str cookie = log_in(&nothing, "ada");
    int len = snprintf(twice, sizeof(twice), "%.*s; %.*s", (int)cookie.len,
                       cookie.ptr, (int)cookie.len, cookie.ptr);

    (void)state;
    expect_unknown("absent", PST_STR_NONE);
    expect_unknown("another", PST_STR("a=b"));
    expect_unknown("empty", PST_STR(COOKIE "="));
    expect_unknown("nonsense", PST_STR(COOKIE "=abc.def"));
    expect_unknown("twice", (struct pst_str){twice, (size_t)len});
    expect_unknown("cut", pst_str_first(cookie, cookie.len - 1));
    header[cookie.len - 5] ^= 1;
    expect_unknown("changed", cookie);
    header[cookie.len - 5] ^= 1;
    assert_true(open_device(cookie).is_known);
}

static void
test_time(void **state)
{
    static const struct {
        const char *row;
        int64_t after; /* seconds */
        bool is_known;
    } rows[] = {
        {"at once", 0, true},
        {"a clock that is behind", -PST_CLOCK_SKEW_MAX, true},
        {"too far behind", -PST_CLOCK_SKEW_MAX - 1, false},
        {"a year", 365 * DAY, true},
        {"the last second", 400 * DAY - 1, true},
        {"over", 400 * DAY, false},
    };
    struct pst_str cookie = log_in(&nothing, "ada");
    int64_t made = fix.ctx.now;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        fix.ctx.now = made + rows[i].after;
        if (open_device(cookie).is_known != rows[i].is_known)
            fail_msg("row '%s'", rows[i].row);
    }
}

/* Sealed by us, but for something else, or not what we would seal. */
static void
test_claims(void **state)
{
#define ID "AAAAAAAAAAAAAAAAAAAAAA"
    static const struct {
        const char *row;
        enum pst_purpose purpose;
        const char *claims;
        bool is_known;
    } rows[] = {
        {"good", PST_PURPOSE_DEVICE,
         "{\"v\":1,\"device\":\"" ID "\",\"iat\":1700000000,\"names\":[]}",
         true},
        {"another purpose", PST_PURPOSE_COOKIE,
         "{\"v\":1,\"device\":\"" ID "\",\"iat\":1700000000,\"names\":[]}",
         false},
        {"another version", PST_PURPOSE_DEVICE,
         "{\"v\":2,\"device\":\"" ID "\",\"iat\":1700000000,\"names\":[]}",
         false},
        {"a short id", PST_PURPOSE_DEVICE,
         "{\"v\":1,\"device\":\"AAAA\",\"iat\":1700000000,\"names\":[]}",
         false},
        {"no time", PST_PURPOSE_DEVICE,
         "{\"v\":1,\"device\":\"" ID "\",\"names\":[]}", false},
        {"a short name", PST_PURPOSE_DEVICE,
         "{\"v\":1,\"device\":\"" ID
         "\",\"iat\":1700000000,\"names\":[\"AAAA\"]}",
         false},
        {"no JSON", PST_PURPOSE_DEVICE, "{", false},
    };
    static const uint8_t nonce[PST_NONCE_LEN];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct pst_token_use use = {fix.ctx.ring, rows[i].purpose,
                                          PST_TOKEN_SEALED};
        struct pst_str cookie;
        struct pst_buf buf;

        pst_buf_init(&buf, header, sizeof(header));
        pst_buf_add_string(&buf, COOKIE "=");
        assert_int_equal(pst_token_seal(&use, fix.ctx.now, nonce,
                                        pst_str_from(rows[i].claims), &buf),
                         PST_OK);
        assert_int_equal(pst_buf_finish(&buf, &cookie), PST_OK);
        if (open_device(cookie).is_known != rows[i].is_known)
            fail_msg("row '%s'", rows[i].row);
    }
}

static void
test_failures(void **state)
{
    struct pst_str cookie = log_in(&nothing, "ada");
    struct pst_str line = PST_STR_NONE;
    struct known_device device;
    enum pst_err e = PST_NO_MEMORY;

    (void)state;
    for (size_t n = 1; e == PST_NO_MEMORY && n < 1000; n++) {
        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = known_device_open(&fix.ctx, arena, cookie, &device);
    }
    assert_int_equal(e, PST_OK);
    assert_true(device.is_known && knows(&device, "ada"));
    e = PST_NO_MEMORY;
    for (size_t n = 1; e == PST_NO_MEMORY && n < 1000; n++) {
        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = known_device_issue(&fix.ctx, arena, &device, PST_STR("ben"), &line);
    }
    assert_int_equal(e, PST_OK);
    assert_true(pst_str_starts(line, PST_STR(COOKIE "=")));
    pst_arena_reset(arena);
    fixture_break_random(&fix);
    assert_int_equal(
        known_device_issue(&fix.ctx, arena, &nothing, PST_STR("ben"), &line),
        PST_NO_RANDOM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cookie_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_identical_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_several_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_device_is_another, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_not_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_claims, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}

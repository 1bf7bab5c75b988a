/* SPDX-License-Identifier: ISC */
/*
 * test_refresh.c - the claim with the refresh token, and when a token is due.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/refresh.h"

#define T(text)                     \
    {                               \
        (text), sizeof(text "") - 1 \
    }

static struct pst_session
session_of(int64_t begun, int64_t end)
{
    return (struct pst_session){
        .refresh = PST_STR("\"r\""), .token_begun = begun, .token_end = end};
}

static void
test_due(void **state)
{
    static const struct {
        int64_t life, due; /* seconds after it began */
    } rows[] = {{1, 0},     {2, 1},     {3, 2},     {5, 4},      {7, 6},
                {8, 6},     {12, 9},    {60, 45},   {239, 180},  {240, 180},
                {241, 181}, {300, 240}, {900, 840}, {3600, 3540}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session session = session_of(1000, 1000 + rows[i].life);
        int64_t due = 1000 + rows[i].due;

        if (pst_refresh_is_due(&session, due - 1) ||
            !pst_refresh_is_due(&session, due) ||
            !pst_refresh_is_due(&session, due + 100000))
            fail_msg("a life of %d s", (int)rows[i].life);
        assert_false(pst_refresh_is_overdue(&session, session.token_end - 1));
        assert_true(pst_refresh_is_overdue(&session, session.token_end));
        session.refresh = PST_STR_NONE;
        assert_false(pst_refresh_is_due(&session, session.token_end + 9));
        assert_false(pst_refresh_is_overdue(&session, session.token_end + 9));
    }
}

static void
test_newer(void **state)
{
    const struct pst_session a = session_of(10, 20);

    (void)state;
    assert_false(pst_refresh_is_newer(&a, &a));
    assert_true(
        pst_refresh_is_newer(&(struct pst_session){.token_begun = 11}, &a));
    assert_false(pst_refresh_is_newer(
        &(struct pst_session){.token_begun = 9, .token_end = 99}, &a));
    assert_true(pst_refresh_is_newer(
        &(struct pst_session){.token_begun = 10, .token_end = 21}, &a));
    /* In the same second, or with a clock that is behind. */
    assert_int_equal(pst_refresh_begin(&a, 11), 11);
    assert_int_equal(pst_refresh_begin(&a, 10), 11);
    assert_int_equal(pst_refresh_begin(&a, 1), 11);
}

static void
test_emit_and_parse(void **state)
{
    static const struct {
        struct pst_str text;
        enum pst_err want;
    } rows[] = {
        {T("{\"token\":\"r\",\"begun\":1,\"end\":2}"), PST_OK},
        {T("{\"end\":2,\"begun\":0,\"token\":\"\\u0072\"}"), PST_OK},
        {T("{}"), PST_FORGED},
        {T("{\"token\":\"r\",\"begun\":1}"), PST_FORGED},
        {T("{\"token\":\"r\",\"end\":2}"), PST_FORGED},
        {T("{\"begun\":1,\"end\":2}"), PST_FORGED},
        {T("{\"token\":\"r\",\"begun\":1,\"end\":2,\"x\":3}"), PST_FORGED},
        {T("{\"token\":\"r\",\"begun\":1,\"ends\":2}"), PST_FORGED},
        {T("{\"token\":\"\",\"begun\":1,\"end\":2}"), PST_FORGED},
        {T("{\"token\":7,\"begun\":1,\"end\":2}"), PST_FORGED},
        {T("{\"token\":[\"r\"],\"begun\":1,\"end\":2}"), PST_FORGED},
        {T("{\"token\":\"r\",\"begun\":2,\"end\":2}"), PST_FORGED},
        {T("{\"token\":\"r\",\"begun\":-1,\"end\":2}"), PST_FORGED},
        {T("{\"token\":\"r\",\"begun\":-0,\"end\":2}"), PST_FORGED},
        {T("{\"token\":\"r\",\"begun\":1.0,\"end\":2}"), PST_FORGED},
        {T("{\"token\":\"r\",\"begun\":1,\"end\":\"2\"}"), PST_FORGED},
    };
    char storage[64];
    struct pst_session parsed = {0};
    const struct pst_session session = session_of(3, 4);
    struct pst_buf buf;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session out = {0};

        if (pst_refresh_parse(rows[i].text, &out) != rows[i].want)
            fail_msg("%s", rows[i].text.ptr);
    }
    assert_int_equal(pst_refresh_parse(PST_STR_NONE, &parsed), PST_OK);
    assert_true(pst_str_is_absent(parsed.refresh));
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_refresh_emit(&buf, &session);
    assert_true(pst_str_equal(
        pst_buf_str(&buf), PST_STR("{\"token\":\"r\",\"begun\":3,\"end\":4}")));
    assert_int_equal(pst_refresh_parse(pst_buf_str(&buf), &parsed), PST_OK);
    assert_true(pst_str_equal(parsed.refresh, session.refresh));
    assert_int_equal(parsed.token_begun, 3);
    assert_int_equal(parsed.token_end, 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_newer),
        cmocka_unit_test(test_emit_and_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

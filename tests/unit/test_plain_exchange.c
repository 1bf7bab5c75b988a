/* SPDX-License-Identifier: ISC */
/*
 * test_plain_exchange.c - the deadline of each phase of an exchange, and what a
 * failure is called.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "base/clock.h"
#include "fake_clock.h"
#include "upstream/plain_exchange.h"

static const struct http_target target = {.connect_timeout = 1000,
                                          .first_byte_timeout = 20000,
                                          .between_bytes_timeout = 300000};
static struct http_error error;

static struct plain_exchange
make_exchange(int64_t total)
{
    return (struct plain_exchange){
        .target = &target, .error = &error, .total_deadline = total};
}

static void
test_deadlines(void **state)
{
    static const struct {
        enum plain_phase phase;
        int64_t timeout;
        const char *text;
    } rows[] = {
        {PLAIN_CONNECTING, 1000, "connect timeout"},
        {PLAIN_SENDING, 20000, "did not read the request"},
        {PLAIN_WAITING, 20000, "no response within the first-byte timeout"},
        {PLAIN_RESPONDING, 300000, "between-bytes timeout"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct plain_exchange x = make_exchange(WAIT_NO_DEADLINE);

        fake_clock_advance(7);
        plain_begin_phase(&x, rows[i].phase);
        assert_int_equal(x.now, clock_ms());
        assert_int_equal(x.limit.deadline, clock_ms() + rows[i].timeout);
        assert_int_equal(plain_fail_errno(&x, ETIMEDOUT), PST_UPSTREAM_TIMEOUT);
        assert_non_null(strstr(error.text, rows[i].text));
        /* A later total deadline changes nothing, an earlier one counts. */
        x.total_deadline = clock_ms() + rows[i].timeout + 1;
        plain_begin_phase(&x, rows[i].phase);
        assert_int_equal(x.limit.deadline, clock_ms() + rows[i].timeout);
        x.total_deadline = clock_ms() + 5;
        plain_begin_phase(&x, rows[i].phase);
        assert_int_equal(x.limit.deadline, clock_ms() + 5);
        assert_int_equal(plain_fail_errno(&x, ETIMEDOUT), PST_UPSTREAM_TIMEOUT);
        assert_non_null(strstr(error.text, "total timeout"));
    }
}

/* The time in functions of the exchange does not count. */
static void
test_callbacks(void **state)
{
    struct plain_exchange x = make_exchange(5000);
    int64_t begun;

    (void)state;
    begun = plain_callback_begin(&x);
    fake_clock_advance(300);
    plain_callback_end(&x, begun);
    assert_int_equal(x.total_deadline, 5300);
    x.total_deadline = WAIT_NO_DEADLINE;
    begun = plain_callback_begin(&x);
    fake_clock_advance(300);
    plain_callback_end(&x, begun);
    assert_true(x.total_deadline == WAIT_NO_DEADLINE);
}

static void
test_errors(void **state)
{
    static const struct {
        enum plain_phase phase;
        int error;
        enum pst_err want;
        bool is_closed;
    } rows[] = {
        {PLAIN_CONNECTING, ECONNREFUSED, PST_UPSTREAM_DOWN, false},
        {PLAIN_CONNECTING, ECONNRESET, PST_UPSTREAM_DOWN, false},
        {PLAIN_CONNECTING, ENOENT, PST_UPSTREAM_DOWN, false},
        {PLAIN_CONNECTING, EMFILE, PST_NO_MEMORY, false},
        {PLAIN_CONNECTING, ECANCELED, PST_CLIENT_GONE, false},
        {PLAIN_SENDING, EPIPE, PST_UPSTREAM_BROKEN, true},
        {PLAIN_WAITING, ECONNRESET, PST_UPSTREAM_BROKEN, true},
        {PLAIN_WAITING, EIO, PST_UPSTREAM_BROKEN, false},
        {PLAIN_RESPONDING, ENOMEM, PST_NO_MEMORY, false},
        {PLAIN_RESPONDING, ECANCELED, PST_CLIENT_GONE, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct plain_exchange x = make_exchange(WAIT_NO_DEADLINE);

        x.phase = rows[i].phase;
        error.text[0] = '\0';
        assert_int_equal(plain_fail_errno(&x, rows[i].error), rows[i].want);
        assert_int_equal(x.is_closed, rows[i].is_closed);
        assert_true(error.text[0] != '\0');
    }
}

static void
test_callback_errors(void **state)
{
    struct plain_exchange x = make_exchange(WAIT_NO_DEADLINE);

    (void)state;
    error.text[0] = '\0';
    assert_int_equal(plain_fail_callback(&x, PST_OK), PST_OK);
    assert_string_equal(error.text, "");
    assert_int_equal(plain_fail_callback(&x, PST_TOO_LARGE), PST_TOO_LARGE);
    assert_string_equal(error.text, pst_err_text(PST_TOO_LARGE));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_callbacks),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_callback_errors),
    };

    return cmocka_run_group_tests_name("plain_exchange", tests, NULL, NULL);
}

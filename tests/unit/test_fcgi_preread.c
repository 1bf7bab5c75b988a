/* SPDX-License-Identifier: ISC */
/*
 * test_fcgi_preread.c - a head is waited for, and stays where it is for
 * libfcgi.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/fcgi_preread.h"
#include "fake_clock.h"

static const char begin[] = "\1\1\0\1\0\10\0\0"
                            "\0\1\0\0\0\0\0\0";
static const char end[] = "\1\4\0\1\0\0\0\0";
static const char abort_record[] = "\1\2\0\1\0\0\0\0";
static const char get_values[] = "\1\11\0\0\0\0\0\0";
static const char no_values[] = "\1\12\0\0\0\0\0\0";

static struct fcgi_preread preread;
static int ends[2];

/* In the place of the C library's: nobody sends anything meanwhile, so that
 * only the clock goes on. */
int
ppoll(struct pollfd *list, nfds_t count, const struct timespec *span,
      const sigset_t *mask)
{
    int ready = poll(list, count, 0);

    assert_null(mask);
    if (ready == 0)
        fake_clock_advance(span->tv_nsec / 1000000 + 1);
    return ready;
}

static int
set_up(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

static int
tear_down(void **state)
{
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* Send a string literal's bytes from the other end. */
#define SAY(literal)                                               \
    assert_int_equal(write(ends[1], literal, sizeof(literal) - 1), \
                     sizeof(literal) - 1)

static void
assert_wiped(void)
{
    for (size_t i = 0; i < sizeof(preread.bytes); i++)
        assert_int_equal(preread.bytes[i], 0);
}

static void
test_head_stays_there(void **state)
{
    char bytes[64];

    (void)state;
    SAY(begin);
    SAY(end);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 0),
                     FCGI_PREREAD_REQUEST);
    assert_int_equal(recv(ends[0], bytes, sizeof(bytes), 0),
                     sizeof(begin) + sizeof(end) - 2);
    assert_memory_equal(bytes, begin, sizeof(begin) - 1);
    assert_wiped();
}

static void
test_head_without_end_is_given_up(void **state)
{
    int64_t begun = clock_ms();

    (void)state;
    SAY(begin);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 3000),
                     FCGI_PREREAD_CLOSE);
    assert_in_range(clock_ms() - begun, 3000, 3100);
    assert_wiped();
}

/* A limit of a minute, were it not for the other end's closing. */
static void
test_head_cut_off(void **state)
{
    (void)state;
    SAY(begin);
    shutdown(ends[1], SHUT_WR);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 60000),
                     FCGI_PREREAD_CLOSE);
}

static void
test_whole_head_before_closing(void **state)
{
    (void)state;
    SAY(begin);
    SAY(end);
    shutdown(ends[1], SHUT_WR);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 60000),
                     FCGI_PREREAD_REQUEST);
}

static void
test_closed_at_once(void **state)
{
    (void)state;
    shutdown(ends[1], SHUT_WR);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 60000),
                     FCGI_PREREAD_CLOSE);
}

static void
test_nonsense(void **state)
{
    (void)state;
    SAY("GET / HTTP/1.1\r\n");
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 60000),
                     FCGI_PREREAD_CLOSE);
    assert_wiped();
}

static void
test_late_record_is_passed_over(void **state)
{
    (void)state;
    SAY(abort_record);
    SAY(begin);
    SAY(end);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 0),
                     FCGI_PREREAD_IDLE);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 0),
                     FCGI_PREREAD_REQUEST);
}

static void
test_management_is_answered(void **state)
{
    char bytes[64];

    (void)state;
    SAY(get_values);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 0),
                     FCGI_PREREAD_IDLE);
    assert_int_equal(recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT),
                     sizeof(no_values) - 1);
    assert_memory_equal(bytes, no_values, sizeof(no_values) - 1);
    assert_int_equal(recv(ends[0], bytes, 1, MSG_DONTWAIT), -1);
    assert_wiped();
}

/* A head that never ends is no reason to wait, nor to overflow. */
static void
test_head_too_large(void **state)
{
    static char record[8 + 0xffff] = "\1\4\0\1\377\377";
    int size = 1 << 20;

    (void)state;
    /* One value of 65,000 bytes, then others as long. */
    memcpy(record + 8, "\0\200\0\375\350", 5);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    SAY(begin);
    assert_int_equal(send(ends[1], record, sizeof(record), MSG_DONTWAIT),
                     sizeof(record));
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 60000),
                     FCGI_PREREAD_CLOSE);
    assert_wiped();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_head_stays_there, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_head_without_end_is_given_up,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whole_head_before_closing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_closed_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nonsense, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late_record_is_passed_over, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_management_is_answered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_head_too_large, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_fcgi_record.c - libfcgi gets complete, valid heads only (L44), and they
 * are waited for without being read.
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
#include "engine/fcgi_record.h"
#include "fake_clock.h"

/* Records with id 1; lengths as the letters say. */
#define BEGIN           \
    "\1\1\0\1\0\10\0\0" \
    "\0\1\1\0\0\0\0\0"
#define PARAMS(high, low) "\1\4\0\1" high low "\0\0"
#define END PARAMS("\0", "\0")
#define STDIN_END "\1\5\0\1\0\0\0\0"

#define ROW(name, bytes, want)                  \
    {                                           \
        name, bytes, sizeof(bytes) - 1, want, 0 \
    }
#define ROW_LEN(name, bytes, want, len)           \
    {                                             \
        name, bytes, sizeof(bytes) - 1, want, len \
    }

static const struct {
    const char *name;
    const char *bytes;
    size_t len;
    enum fcgi_record_status want;
    size_t want_len;
} rows[] = {
    ROW("nothing", "", FCGI_RECORD_INCOMPLETE),
    ROW("part of a header", "\1\1\0", FCGI_RECORD_INCOMPLETE),
    ROW("no variables", BEGIN END, FCGI_RECORD_COMPLETE),
    ROW("and a body", BEGIN END STDIN_END, FCGI_RECORD_COMPLETE),
    ROW("one variable", BEGIN PARAMS("\0", "\6") "\1\3Aabc" END,
        FCGI_RECORD_COMPLETE),
    ROW("empty name and value", BEGIN PARAMS("\0", "\2") "\0\0" END,
        FCGI_RECORD_COMPLETE),
    ROW("long form of short lengths",
        BEGIN PARAMS("\0", "\14") "\x80\0\0\1\x80\0\0\3Aabc" END,
        FCGI_RECORD_COMPLETE),
    ROW("pair cut by records",
        BEGIN PARAMS("\0", "\1") "\1" PARAMS("\0", "\2") "\3A" PARAMS(
            "\0", "\3") "abc" END,
        FCGI_RECORD_COMPLETE),
    ROW("length cut by records",
        BEGIN PARAMS("\0", "\2") "\x80\0" PARAMS("\0", "\3") "\0\1\0" PARAMS(
            "\0", "\1") "A" END,
        FCGI_RECORD_COMPLETE),
    ROW("padding",
        BEGIN "\1\4\0\1\0\2\6\0"
              "\0\0"
              "padded" END,
        FCGI_RECORD_COMPLETE),
    ROW("authorizer",
        "\1\1\0\1\0\10\0\0"
        "\0\2\0\0\0\0\0\0" END,
        FCGI_RECORD_COMPLETE),
    ROW("another request's records between",
        BEGIN "\1\1\0\2\0\10\0\0"
              "\0\1\0\0\0\0\0\0"
              "\1\4\0\2\0\1\0\0"
              "x" END,
        FCGI_RECORD_COMPLETE),

    ROW("no end of variables", BEGIN PARAMS("\0", "\6") "\1\3Aabc",
        FCGI_RECORD_INCOMPLETE),
    ROW("record cut off", BEGIN PARAMS("\0", "\6") "\1\3Aab",
        FCGI_RECORD_INCOMPLETE),
    ROW("padding cut off",
        BEGIN "\1\4\0\1\0\0\3\0"
              "xx",
        FCGI_RECORD_INCOMPLETE),

    ROW("name cut off", BEGIN PARAMS("\0", "\3") "\2\0A" END,
        FCGI_RECORD_INVALID),
    ROW("value cut off", BEGIN PARAMS("\0", "\3") "\1\1A" END,
        FCGI_RECORD_INVALID),
    ROW("only one length", BEGIN PARAMS("\0", "\1") "\0" END,
        FCGI_RECORD_INVALID),
    ROW("half a length", BEGIN PARAMS("\0", "\2") "\x80\0" END,
        FCGI_RECORD_INVALID),
    ROW("lengths of a gigabyte",
        BEGIN PARAMS("\0", "\10") "\xc0\0\0\0\xc0\0\0\0", FCGI_RECORD_INVALID),
    ROW("greatest lengths",
        BEGIN PARAMS("\0", "\10") "\xff\xff\xff\xff\xff\xff\xff\xff",
        FCGI_RECORD_INVALID),
    ROW("name longer than any head", BEGIN PARAMS("\0", "\4") "\x80\1\0\1",
        FCGI_RECORD_INVALID),
    ROW("version 0", "\0\1\0\1\0\10\0\0", FCGI_RECORD_INVALID),
    ROW("version 2 later", BEGIN "\2", FCGI_RECORD_INVALID),
    ROW("HTTP", "GET / HTTP/1.1\r\n\r\n", FCGI_RECORD_INVALID),
    ROW("id 0",
        "\1\1\0\0\0\10\0\0"
        "\0\1\0\0\0\0\0\0" END,
        FCGI_RECORD_INVALID),
    ROW("short BEGIN_REQUEST",
        "\1\1\0\1\0\7\0\0"
        "\0\1\0\0\0\0\0",
        FCGI_RECORD_INVALID),
    ROW("filter",
        "\1\1\0\1\0\10\0\0"
        "\0\3\0\0\0\0\0\0" END,
        FCGI_RECORD_INVALID),
    ROW("role 257",
        "\1\1\0\1\0\10\0\0"
        "\1\1\0\0\0\0\0\0" END,
        FCGI_RECORD_INVALID),
    ROW("STDIN among the variables", BEGIN STDIN_END, FCGI_RECORD_INVALID),
    ROW("aborted", BEGIN "\1\2\0\1\0\0\0\0", FCGI_RECORD_INVALID),
    ROW("begun twice", BEGIN BEGIN, FCGI_RECORD_INVALID),
    ROW("management in between", BEGIN "\1\11\0\0\0\0\0\0",
        FCGI_RECORD_INVALID),

    ROW_LEN("late abort", "\1\2\0\1\0\0\0\0" BEGIN, FCGI_RECORD_STALE, 8),
    ROW_LEN("late body",
            "\1\5\0\1\0\3\5\0"
            "abc"
            "12345"
            "x",
            FCGI_RECORD_STALE, 16),
    ROW_LEN("GET_VALUES",
            "\1\11\0\0\0\2\0\0"
            "\0\0" BEGIN,
            FCGI_RECORD_MANAGEMENT, 10),
    ROW_LEN("management of no known type", "\1\77\0\0\0\0\0\0",
            FCGI_RECORD_MANAGEMENT, 8),
    ROW("part of GET_VALUES",
        "\1\11\0\0\0\2\0\0"
        "\0",
        FCGI_RECORD_INCOMPLETE),
};

static struct pst_bytes
bytes_of(const char *bytes, size_t len)
{
    return pst_str_bytes((struct pst_str){bytes, len});
}

static void
test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        size_t len = 0;
        enum fcgi_record_status got =
            fcgi_record_check(bytes_of(rows[i].bytes, rows[i].len), &len);

        if (got != rows[i].want || len != rows[i].want_len)
            fail_msg("row '%s': status %d, %zu bytes", rows[i].name, (int)got,
                     len);
    }
}

/* Each beginning of a valid head is incomplete and not invalid. Each is in an
 * allocation of its own, so that reading beyond it is detected. */
static void
test_every_beginning(void **state)
{
    static const char head[] = BEGIN "\1\4\0\1\0\15\2\0"
                                     "\1\3Aabc\x80\0\0\1\1Bb"
                                     "pp" END;
    size_t whole = sizeof(head) - 1;

    (void)state;
    for (size_t len = 0; len <= whole; len++) {
        char *copy = malloc(len + 1);
        size_t untouched = 77;
        enum fcgi_record_status want =
            len < whole ? FCGI_RECORD_INCOMPLETE : FCGI_RECORD_COMPLETE;
        enum fcgi_record_status got;

        assert_non_null(copy);
        memcpy(copy, head, len);
        got = fcgi_record_check(bytes_of(copy, len), &untouched);
        free(copy);
        if (got != want || untouched != 77)
            fail_msg("%zu bytes: status %d", len, (int)got);
    }
}

static const char begin_request[] = "\1\1\0\1\0\10\0\0"
                                    "\0\1\0\0\0\0\0\0";
static const char end_of_params[] = "\1\4\0\1\0\0\0\0";
static const char abort_record[] = "\1\2\0\1\0\0\0\0";
static const char get_values[] = "\1\11\0\0\0\0\0\0";
static const char no_values[] = "\1\12\0\0\0\0\0\0";

static struct fcgi_preread preread;
static int ends[2];

/* Replaces the C library's: when nothing has happened, time passes at once. */
int
ppoll(struct pollfd *list, nfds_t count, const struct timespec *timeout,
      const sigset_t *mask)
{
    int ready = poll(list, count, 0);

    assert_null(mask);
    if (ready == 0)
        fake_clock_advance(timeout->tv_nsec / 1000000 + 1);
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
#define SEND(literal)                                              \
    assert_int_equal(write(ends[1], literal, sizeof(literal) - 1), \
                     sizeof(literal) - 1)

static void
assert_wiped(void)
{
    for (size_t i = 0; i < sizeof(preread.bytes); i++)
        assert_int_equal(preread.bytes[i], 0);
}

static void
test_head_is_not_read(void **state)
{
    char bytes[64];

    (void)state;
    SEND(begin_request);
    SEND(end_of_params);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 0),
                     FCGI_PREREAD_REQUEST);
    assert_int_equal(recv(ends[0], bytes, sizeof(bytes), 0),
                     sizeof(begin_request) + sizeof(end_of_params) - 2);
    assert_memory_equal(bytes, begin_request, sizeof(begin_request) - 1);
    assert_wiped();
}

static void
test_incomplete_head_times_out(void **state)
{
    int64_t begun = clock_ms();

    (void)state;
    SEND(begin_request);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 3000),
                     FCGI_PREREAD_CLOSE);
    assert_in_range(clock_ms() - begun, 3000, 3100);
    assert_wiped();
}

/* The other end closes: that ends a wait of up to a minute. */
static void
test_head_cut_off(void **state)
{
    (void)state;
    SEND(begin_request);
    shutdown(ends[1], SHUT_WR);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 60000),
                     FCGI_PREREAD_CLOSE);
}

static void
test_whole_head_before_closing(void **state)
{
    (void)state;
    SEND(begin_request);
    SEND(end_of_params);
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
test_other_protocol(void **state)
{
    (void)state;
    SEND("GET / HTTP/1.1\r\n");
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 60000),
                     FCGI_PREREAD_CLOSE);
    assert_wiped();
}

static void
test_stale_record_is_skipped(void **state)
{
    (void)state;
    SEND(abort_record);
    SEND(begin_request);
    SEND(end_of_params);
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
    SEND(get_values);
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 0),
                     FCGI_PREREAD_IDLE);
    assert_int_equal(recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT),
                     sizeof(no_values) - 1);
    assert_memory_equal(bytes, no_values, sizeof(no_values) - 1);
    assert_int_equal(recv(ends[0], bytes, 1, MSG_DONTWAIT), -1);
    assert_wiped();
}

/* The buffer is full and the head still incomplete. */
static void
test_head_too_large(void **state)
{
    static char record[8 + 0xffff] = "\1\4\0\1\377\377";
    int size = 1 << 20;

    (void)state;
    /* One value of 65,000 bytes, then others as long. */
    memcpy(record + 8, "\0\200\0\375\350", 5);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    SEND(begin_request);
    assert_int_equal(send(ends[1], record, sizeof(record), MSG_DONTWAIT),
                     sizeof(record));
    assert_int_equal(fcgi_preread_wait(&preread, ends[0], 60000),
                     FCGI_PREREAD_CLOSE);
    assert_wiped();
}

#define ANSWER(name, bytes, want)                              \
    {                                                          \
        name, bytes, sizeof(bytes) - 1, want, sizeof(want) - 1 \
    }

static void
test_answers(void **state)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
        const char *want;
        size_t want_len;
    } answers[] = {
        ANSWER("nothing asked", "\1\11\0\0\0\0\0\0", "\1\12\0\0\0\0\0\0"),
        ANSWER("multiplexing", "\1\11\0\0\0\21\0\0\17\0FCGI_MPXS_CONNS",
               "\1\12\0\0\0\22\0\0\17\1FCGI_MPXS_CONNS0"),
        ANSWER("after something else",
               "\1\11\0\0\0\26\0\0\2\1ABx\17\0FCGI_MPXS_CONNS",
               "\1\12\0\0\0\22\0\0\17\1FCGI_MPXS_CONNS0"),
        ANSWER("something else", "\1\11\0\0\0\20\0\0\16\0FCGI_MAX_CONNS",
               "\1\12\0\0\0\0\0\0"),
        ANSWER("a name cut off", "\1\11\0\0\0\14\0\0\17\0FCGI_MPXS_",
               "\1\12\0\0\0\0\0\0"),
        ANSWER("a long length", "\1\11\0\0\0\4\0\0\377\377\377\377",
               "\1\12\0\0\0\0\0\0"),
        ANSWER("no known type", "\1\52\0\0\0\0\0\0",
               "\1\13\0\0\0\10\0\0"
               "\52\0\0\0\0\0\0\0"),
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(answers); i++) {
        char got[64];
        ssize_t len;

        assert_int_equal(write(ends[1], answers[i].bytes, answers[i].len),
                         answers[i].len);
        assert_int_equal(fcgi_preread_wait(&preread, ends[0], 0),
                         FCGI_PREREAD_IDLE);
        len = recv(ends[1], got, sizeof(got), MSG_DONTWAIT);
        if (len != (ssize_t)answers[i].want_len ||
            memcmp(got, answers[i].want, answers[i].want_len) != 0)
            fail_msg("row '%s': %zd bytes", answers[i].name, len);
    }
}

#define CONNECTION_TEST(test) \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_every_beginning),
        CONNECTION_TEST(test_head_is_not_read),
        CONNECTION_TEST(test_incomplete_head_times_out),
        CONNECTION_TEST(test_head_cut_off),
        CONNECTION_TEST(test_whole_head_before_closing),
        CONNECTION_TEST(test_closed_at_once),
        CONNECTION_TEST(test_other_protocol),
        CONNECTION_TEST(test_stale_record_is_skipped),
        CONNECTION_TEST(test_management_is_answered),
        CONNECTION_TEST(test_head_too_large),
        CONNECTION_TEST(test_answers),
    };

    return cmocka_run_group_tests_name("fcgi_record", tests, NULL, NULL);
}

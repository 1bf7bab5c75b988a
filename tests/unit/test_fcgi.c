/* SPDX-License-Identifier: ISC */
/*
 * test_fcgi.c - the FastCGI requests of one connection: bodies, roles, kept
 * connections and cut answers. More is in tests/e2e/test_serve.py. The web
 * server is another fiber of the same loop.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/fcgi.h"
#include "engine/wait.h"
#include "fake_wait.h"
#include "fcgi_client.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */
#define BODY_TIMEOUT_MS 30000
#define HEAD_TIMEOUT_MS 10000

static struct loop *loop;
static struct fcgi_connection connection;
static int client;   /* the web server's end */
static bool is_open; /* the server's end */
static int state_of_handler;

/* What the handler found. */
static size_t handled;
static size_t pieces; /* reads of a body that got something */
static enum pst_err body_error;
static int64_t body_ended_at;

/* How many requests have begun, have ended, and may run at once. */
static int begun;
static int ended;
static int requests_max;

static bool
begin_request(void *context)
{
    assert_ptr_equal(context, &loop);
    if (begun - ended >= requests_max)
        return false;
    begun++;
    return true;
}

static void
end_request(void *context)
{
    assert_ptr_equal(context, &loop);
    ended++;
}

/* The value of DO; libfcgi adds variables of its own. */
static const char *
find_order(const struct request_input *input)
{
    for (size_t i = 0; input->variables[i]; i++)
        if (strncmp(input->variables[i], "DO=", 3) == 0)
            return input->variables[i] + 3;
    return "none";
}

/* Read a body to its end; returns its length. */
static size_t
read_body(const struct request_input *input)
{
    char piece[2000];
    size_t total = 0;
    size_t len = 0;

    do {
        body_error = input->source.read(input->source.context, piece,
                                        sizeof(piece), &len);
        if (body_error != PST_OK)
            break;
        total += len;
        pieces += len > 0;
    } while (len > 0);
    body_ended_at = clock_ms();
    return total;
}

/* "read" answers with the length of the body, and aborts if it has no end;
 * "late" answers with its error; "skip" does not read it; "fail" begins a
 * response and aborts; "much" writes more than fits; "undo" takes back what
 * was not sent; "none" is no order. */
static bool
handle(void *state, const struct request_input *input,
       const struct response_sink *sink)
{
    const char *what = find_order(input);
    static char answer[1 << 20];

    assert_ptr_equal(state, &state_of_handler);
    assert_int_equal(input->source.descriptor, connection.descriptor);
    handled++;
    snprintf(answer, sizeof(answer), "%s", what);
    if (strcmp(what, "read") == 0) {
        snprintf(answer, sizeof(answer), "%zu", read_body(input));
        if (body_error != PST_OK)
            return false;
    }
    if (strcmp(what, "late") == 0) {
        read_body(input);
        snprintf(answer, sizeof(answer), "%s", pst_err_code(body_error));
    }
    if (input->authorizer)
        snprintf(answer, sizeof(answer), "authorizer");
    if (input->is_overloaded)
        snprintf(answer, sizeof(answer), "overloaded");
    if (strcmp(what, "undo") == 0) {
        assert_int_equal(sink->write(sink->context, PST_STR("half")), PST_OK);
        assert_true(sink->discard(sink->context));
        assert_int_equal(sink->write(sink->context, PST_STR("an ")), PST_OK);
        assert_true(sink->discard(sink->context));
    }
    if (strcmp(what, "sent") == 0) {
        assert_int_equal(sink->write(sink->context, PST_STR("half ")), PST_OK);
        assert_int_equal(sink->flush(sink->context), PST_OK);
        assert_false(sink->discard(sink->context));
    }
    if (strcmp(what, "much") == 0) {
        memset(answer, 'm', sizeof(answer));
        return sink->write(sink->context,
                           (struct pst_str){answer, sizeof(answer)}) ==
                   PST_OK &&
               sink->flush(sink->context) == PST_OK;
    }
    return sink->write(sink->context, pst_str_from(answer)) == PST_OK &&
           sink->flush(sink->context) == PST_OK && strcmp(what, "fail") != 0;
}

static const struct engine_handler handler = {.handle = handle};
static struct log *no_log; /* to /dev/null */

/* The fiber of the connection: as engine/server_loop.c, it serves when
 * something has arrived. */
static void
serve(void *argument)
{
    const struct wait_limit unlimited = {WAIT_NO_DEADLINE, -1};
    const struct fcgi_service service = {.handler = &handler,
                                         .state = &state_of_handler,
                                         .log = no_log,
                                         .body_timeout_ms = BODY_TIMEOUT_MS,
                                         .begin_request = begin_request,
                                         .end_request = end_request,
                                         .context = &loop};

    while (wait_for(connection.descriptor, POLLIN, &unlimited) == 0 &&
           fcgi_serve_connection(&service, argument))
        assert_null(connection.input); /* an idle one costs no memory */
    is_open = false;
    assert_int_equal(connection.descriptor, -1);
    assert_null(connection.input);
    if (loop_fiber_count(loop) == 1)
        loop_stop(loop);
}

/* The web server's fiber. It closes its end at last, if it has not yet. */
static void
run_client(void *argument)
{
    void (*const *scenario)(void) = argument;

    (*scenario)();
    if (client >= 0)
        wait_close(client);
    if (loop_fiber_count(loop) == 1)
        loop_stop(loop);
}

static void
run(void (*scenario)(void))
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends),
                     0);
    connection = (struct fcgi_connection){.descriptor = ends[0]};
    client = ends[1];
    is_open = true;
    handled = pieces = 0;
    begun = ended = 0;
    requests_max = 10;
    body_error = PST_OK;
    fake_wait_set_hook(NULL);
    assert_int_equal(loop_new(&loop), PST_OK);
    assert_int_equal(loop_start_fiber(loop, serve, &connection), PST_OK);
    assert_int_equal(loop_start_fiber(loop, run_client, &scenario), PST_OK);
    loop_run(loop);
    assert_int_equal(loop_fiber_count(loop), 0);
    loop_free(&loop);
    assert_false(is_open);
    assert_int_equal(begun, ended);
}

/* The connection must have ended. */
static void
expect_closed(void)
{
    fcgi_client_expect_closed(client);
    client = -1;
}

static void
keep_connection(void)
{
    for (int i = 0; i < 3; i++) {
        SEND(client, BEGIN(KEEP) DO("read") PARAMS_END);
        fcgi_client_send_body(client, 120000);
        fcgi_client_expect(client, "120000");
    }
    SEND(client, BEGIN(CLOSE) DO("read") PARAMS_END STDIN_END);
    fcgi_client_expect(client, "0");
    expect_closed();
    assert_int_equal(handled, 4);
}

static void
test_kept_connection(void **state)
{
    (void)state;
    run(keep_connection);
}

/* Two requests in one piece. */
static void
send_together(void)
{
    SEND(client, BEGIN(KEEP) DO("read") PARAMS_END STDIN_END BEGIN(KEEP)
                     DO("skip") PARAMS_END STDIN_END);
    fcgi_client_expect(client, "0");
    fcgi_client_expect(client, "skip");
}

static void
test_requests_together(void **state)
{
    (void)state;
    run(send_together);
}

/* A request in pieces of one byte. */
static void
send_bytewise(void)
{
    static const char request[] =
        BEGIN(KEEP) DO("read") PARAMS_END "\1\5\0\1\0\2\3\0abpad" STDIN_END;

    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < sizeof(request) - 1; i++) {
            const struct wait_limit soon = {clock_ms() + 1, -1};

            fcgi_client_send(client, request + i, 1);
            assert_int_equal(wait_until(&soon), 0); /* it has been read */
        }
        fcgi_client_expect(client, "2");
    }
}

static void
test_bytewise(void **state)
{
    (void)state;
    run(send_bytewise);
}

/*
 * A body that the handler does not read: the answer has its end at once, and
 * what comes of the body is dropped, so that the next request on the connection
 * begins at a record.
 */
static void
send_unread_body(void)
{
    for (int i = 0; i < 3; i++) {
        SEND(client, BEGIN(KEEP) DO("skip") PARAMS_END "\1\5\0\1\0\5\0\0ab");
        fcgi_client_expect(client, "skip");
        SEND(client, "cde");
        fcgi_client_send_body(client, 120000);
        SEND(client, BEGIN(KEEP) DO("read") PARAMS_END);
        fcgi_client_send_body(client, 20000);
        fcgi_client_expect(client, "20000");
    }
    assert_int_equal(handled, 6);
}

static void
test_unread_body_is_dropped(void **state)
{
    (void)state;
    run(send_unread_body);
}

/* The same on a connection that is then closed: the web server gets the whole
 * answer and no ECONNRESET, also when it sends much more. */
static void
close_with_unread_body(void)
{
    SEND(client, BEGIN(CLOSE) DO("skip") PARAMS_END);
    fcgi_client_send_body(client, 120000);
    fcgi_client_expect(client, "skip");
    fcgi_client_send_body(client, 3000000);
    expect_closed();
}

static void
test_unread_body_before_closing(void **state)
{
    (void)state;
    run(close_with_unread_body);
}

/* A body arrives in pieces. Each is delivered at once. */
static void
send_slowly(void)
{
    SEND(client, BEGIN(KEEP) DO("read") PARAMS_END);
    for (size_t i = 1; i <= 5; i++) {
        const struct wait_limit soon = {clock_ms() + 1000, -1};

        SEND(client, "\1\5\0\1\0\1\0\0x");
        assert_int_equal(wait_until(&soon), 0);
        assert_int_equal(pieces, i);
    }
    SEND(client, STDIN_END);
    fcgi_client_expect(client, "5");
}

static void
test_slow_body(void **state)
{
    (void)state;
    run(send_slowly);
}

/* A body that comes too slowly as a whole, byte by byte. The request is
 * answered, and its rest is dropped. */
static void
send_too_slowly(void)
{
    int64_t started = clock_ms();

    SEND(client, BEGIN(KEEP) DO("late") PARAMS_END);
    while (body_error == PST_OK) {
        const struct wait_limit soon = {clock_ms() + 700, -1};

        SEND(client, "\1\5\0\1\0\1\0\0x");
        assert_int_equal(wait_until(&soon), 0);
        assert_true(clock_ms() - started < 2 * BODY_TIMEOUT_MS);
    }
    assert_int_equal(body_error, PST_BODY_LATE);
    assert_int_equal(body_ended_at - started, BODY_TIMEOUT_MS);
    fcgi_client_expect(client, pst_err_code(PST_BODY_LATE));
    SEND(client, STDIN_END BEGIN(KEEP) DO("skip") PARAMS_END STDIN_END);
    fcgi_client_expect(client, "skip");
}

static void
test_late_body(void **state)
{
    (void)state;
    run(send_too_slowly);
}

/* The next request has time of its own. */
static void
send_slowly_again(void)
{
    for (int i = 0; i < 3; i++) {
        struct wait_limit limit = {clock_ms() + BODY_TIMEOUT_MS - 1000, -1};

        SEND(client, BEGIN(KEEP) DO("read") PARAMS_END);
        assert_int_equal(wait_until(&limit), 0);
        SEND(client, STDIN_END);
        fcgi_client_expect(client, "0");
        limit.deadline += 1000 * 3600; /* idle for an hour */
        assert_int_equal(wait_until(&limit), 0);
    }
}

static void
test_time_of_each_request(void **state)
{
    (void)state;
    run(send_slowly_again);
}

/* A head that does not come to its end: the connection is closed. */
static void
send_head_slowly(void)
{
    int64_t started = clock_ms();

    SEND(client, BEGIN(KEEP) "\1\4\0\1\0\10\0\0\2\4D");
    expect_closed();
    assert_int_equal(clock_ms() - started, HEAD_TIMEOUT_MS);
    assert_int_equal(handled, 0);
}

static void
test_late_head(void **state)
{
    (void)state;
    run(send_head_slowly);
}

/* Part of a header only. */
static void
send_part_of_header(void)
{
    int64_t started = clock_ms();

    SEND(client, "\1\1\0");
    expect_closed();
    assert_int_equal(clock_ms() - started, HEAD_TIMEOUT_MS);
}

static void
test_late_header(void **state)
{
    (void)state;
    run(send_part_of_header);
}

/*
 * The connection ends, or turns invalid, in the middle of a body: the handler
 * gets an error. With errno 0, libfcgi would take the part for the whole.
 */
static void
cut_body(void)
{
    SEND(client, BEGIN(KEEP) DO("read") PARAMS_END "\1\5\0\1\0\5\0\0ab");
    shutdown(client, SHUT_WR);
    errno = 0;
    expect_closed();
    assert_int_equal(handled, 1);
    assert_int_equal(body_error, PST_CLIENT_GONE);
}

static void
send_invalid_body(void)
{
    const struct wait_limit soon = {clock_ms() + 1, -1};

    SEND(client, BEGIN(KEEP) DO("read") PARAMS_END "\1\5\0\1\0\2\0\0ab");
    assert_int_equal(wait_until(&soon), 0);
    SEND(client, "\1\4\0\1\0\0\0\0");
    expect_closed();
    assert_int_equal(handled, 1);
    assert_int_equal(body_error, PST_CLIENT_GONE);
}

static void
test_cut_body(void **state)
{
    (void)state;
    run(cut_body);
    run(send_invalid_body);
}

/* An aborted request is ended, at any time, and the connection stays. */
static void
abort_requests(void)
{
    const struct wait_limit soon = {clock_ms() + 1, -1};
    char answer[ANSWER_MAX];

    SEND(client, BEGIN(KEEP) DO("read") ABORT);
    assert_true(fcgi_client_receive_answer(client, answer));
    assert_int_equal(handled, 0);
    SEND(client, BEGIN(KEEP) DO("read") PARAMS_END "\1\5\0\1\0\2\0\0ab");
    assert_int_equal(wait_until(&soon), 0);
    SEND(client, ABORT);
    assert_true(fcgi_client_receive_answer(client, answer));
    assert_string_equal(answer, "");
    assert_int_equal(body_error, PST_CLIENT_GONE);
    handled = 0;
    SEND(client, BEGIN(KEEP) DO("skip") PARAMS_END STDIN_END ABORT);
    assert_true(fcgi_client_receive_answer(client, answer));
    assert_string_equal(answer, "");
    assert_int_equal(handled, 0);
    SEND(client, BEGIN(KEEP) DO("read") PARAMS_END STDIN_END);
    fcgi_client_expect(client, "0");
}

static void
test_aborted(void **state)
{
    (void)state;
    run(abort_requests);
}

/* The same when libfcgi has seen a part of the head. */
static void
abort_in_head(void)
{
    const struct wait_limit soon = {clock_ms() + 1, -1};
    char answer[ANSWER_MAX];

    SEND(client, BEGIN(KEEP) DO("read"));
    assert_int_equal(wait_until(&soon), 0);
    SEND(client, ABORT);
    assert_true(fcgi_client_receive_answer(client, answer));
    SEND(client, BEGIN(KEEP) DO("skip") PARAMS_END STDIN_END);
    fcgi_client_expect(client, "skip");
    assert_int_equal(handled, 1);
}

static void
test_aborted_in_head(void **state)
{
    (void)state;
    run(abort_in_head);
}

/* A question just before an abort, in the same piece, is answered. */
static void
ask_and_abort(void)
{
    uint8_t answer[24];

    SEND(client, BEGIN(KEEP) "\1\11\0\0\0\0\0\0" ABORT);
    assert_true(fcgi_client_receive(client, answer, sizeof(answer)));
    assert_memory_equal(answer, "\1\12\0\0\0\0\0\0\1\3\0\1", 12);
}

static void
test_question_before_abort(void **state)
{
    (void)state;
    run(ask_and_abort);
}

/* An authorizer's request ends with its variables; the connection stays. */
static void
authorize(void)
{
    SEND(client, BEGIN_AUTHORIZER(KEEP) DO("skip") PARAMS_END);
    fcgi_client_expect(client, "authorizer");
    SEND(client, STDIN_END BEGIN_AUTHORIZER(KEEP) DO("read") PARAMS_END);
    fcgi_client_expect(client, "authorizer");
    SEND(client, BEGIN_AUTHORIZER(CLOSE) PARAMS_END);
    fcgi_client_expect(client, "authorizer");
    expect_closed();
}

static void
test_authorizer(void **state)
{
    (void)state;
    run(authorize);
}

/* The web server must not take a part of an answer for all of it: it has no
 * end, and the connection closes, but only after a moment. */
static void
get_cut_answer(void)
{
    int64_t started = clock_ms();
    char answer[ANSWER_MAX];

    SEND(client, BEGIN(KEEP) DO("fail") PARAMS_END STDIN_END);
    assert_false(fcgi_client_receive_answer(client, answer));
    assert_string_equal(answer, "fail");
    assert_in_range(clock_ms() - started, 50, 500);
}

static void
test_cut_answer_has_no_end(void **state)
{
    (void)state;
    run(get_cut_answer);
}

/* libfcgi's buffer is 8 KiB: what it still holds can be taken back. */
static void
take_back(void)
{
    for (int i = 0; i < 2; i++) {
        SEND(client, BEGIN(KEEP) DO("undo") PARAMS_END STDIN_END);
        fcgi_client_expect(client, "undo");
        SEND(client, BEGIN(KEEP) DO("sent") PARAMS_END STDIN_END);
        fcgi_client_expect(client, "half sent");
    }
}

static void
test_unsent_answer_is_discarded(void **state)
{
    (void)state;
    run(take_back);
}

/* A web server that does not read: after a minute, the request is over. */
static void
read_nothing(void)
{
    struct wait_limit limit = {clock_ms() + 59000, -1};

    SEND(client, BEGIN(KEEP) DO("much") PARAMS_END STDIN_END);
    assert_int_equal(wait_until(&limit), 0);
    assert_true(is_open);
    limit.deadline += 2000;
    assert_int_equal(wait_until(&limit), 0);
    assert_false(is_open);
}

static void
test_answer_is_not_read(void **state)
{
    (void)state;
    run(read_nothing);
}

static void
overload(void)
{
    requests_max = 0;
    SEND(client, BEGIN(KEEP) DO("skip") PARAMS_END STDIN_END);
    fcgi_client_expect(client, "overloaded");
    requests_max = 1;
    SEND(client, BEGIN(KEEP) DO("skip") PARAMS_END STDIN_END);
    fcgi_client_expect(client, "skip");
    assert_int_equal(ended, 1);
}

static void
test_overloaded(void **state)
{
    (void)state;
    run(overload);
}

static void
speak_http(void)
{
    SEND(client, "GET / HTTP/1.1\r\n\r\n");
    assert_false(fcgi_client_receive(client, (uint8_t[1]){0}, 1));
    assert_int_equal(handled, 0);
}

static void
test_other_protocol(void **state)
{
    (void)state;
    run(speak_http);
}

/* L62: a management record between requests, and within one. */
static void
ask(void)
{
    static const char question[] = "\1\11\0\0\0\0\0\0";
    uint8_t answer[8];

    for (int i = 0; i < 2; i++) {
        SEND(client, "\1\11\0\0\0\0\0\0");
        assert_true(fcgi_client_receive(client, answer, sizeof(answer)));
        assert_memory_equal(answer, "\1\12\0\0\0\0\0\0", sizeof(answer));
        SEND(client, BEGIN(KEEP) DO("read") PARAMS_END);
        fcgi_client_send(client, question, sizeof(question) - 1);
        assert_true(fcgi_client_receive(client, answer, sizeof(answer)));
        assert_memory_equal(answer, "\1\12\0\0\0\0\0\0", sizeof(answer));
        SEND(client, STDIN_END);
        fcgi_client_expect(client, "0");
    }
}

static void
test_management_records(void **state)
{
    (void)state;
    run(ask);
}

/* Roles that nobody has, and requests side by side, cost no connection. */
static void
be_refused(void)
{
    uint8_t answer[16];

    SEND(client, "\1\1\0\1\0\10\0\0\0\3\1\0\0\0\0\0");
    assert_true(fcgi_client_receive(client, answer, sizeof(answer)));
    assert_memory_equal(answer, "\1\3\0\1\0\10\0\0\0\0\0\0\3\0\0\0", 16);
    SEND(client,
         BEGIN(KEEP) DO("read") PARAMS_END "\1\1\0\2\0\10\0\0\0\1\1\0\0\0\0\0");
    assert_true(fcgi_client_receive(client, answer, sizeof(answer)));
    assert_memory_equal(answer, "\1\3\0\2\0\10\0\0\0\0\0\0\1\0\0\0", 16);
    SEND(client, STDIN_END);
    fcgi_client_expect(client, "0");
}

static void
test_refused_requests(void **state)
{
    (void)state;
    run(be_refused);
}

/* L44: variables that libfcgi would misread end the connection. */
static void
send_invalid_head(void)
{
    SEND(client, BEGIN(KEEP) "\1\4\0\1\0\10\0\0\xc0\0\0\0\xc0\0\0\0");
    expect_closed();
    assert_int_equal(handled, 0);
}

static void
test_invalid_head(void **state)
{
    (void)state;
    run(send_invalid_head);
}

static int
set_up_group(void **state)
{
    (void)state;
    if (fcgi_init() != PST_OK)
        return -1;
    return log_open(&no_log, "/dev/null", LOG_LOGFMT, LEVEL_DEBUG, "test") ==
                   PST_OK
               ? 0
               : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_connection),
        cmocka_unit_test(test_requests_together),
        cmocka_unit_test(test_bytewise),
        cmocka_unit_test(test_unread_body_is_dropped),
        cmocka_unit_test(test_unread_body_before_closing),
        cmocka_unit_test(test_slow_body),
        cmocka_unit_test(test_late_body),
        cmocka_unit_test(test_time_of_each_request),
        cmocka_unit_test(test_late_head),
        cmocka_unit_test(test_late_header),
        cmocka_unit_test(test_cut_body),
        cmocka_unit_test(test_aborted),
        cmocka_unit_test(test_aborted_in_head),
        cmocka_unit_test(test_question_before_abort),
        cmocka_unit_test(test_authorizer),
        cmocka_unit_test(test_cut_answer_has_no_end),
        cmocka_unit_test(test_unsent_answer_is_discarded),
        cmocka_unit_test(test_answer_is_not_read),
        cmocka_unit_test(test_overloaded),
        cmocka_unit_test(test_other_protocol),
        cmocka_unit_test(test_management_records),
        cmocka_unit_test(test_refused_requests),
        cmocka_unit_test(test_invalid_head),
    };

    alarm(TIMEOUT);
    return cmocka_run_group_tests_name("fcgi", tests, set_up_group, NULL);
}

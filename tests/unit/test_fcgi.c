/* SPDX-License-Identifier: ISC */
/*
 * test_fcgi.c - FastCGI requests on a socket: bodies, roles, kept connections
 * and cut answers. More is in tests/e2e/test_serve.py.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/limits.h"
#include "engine/dispatcher.h"
#include "engine/fcgi.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */
#define TYPE_END_REQUEST 3
#define TYPE_STDOUT 6
#define KEEP "\1"
#define CLOSE "\0"

/* Records of a request with id 1. */
#define BEGIN(keep) "\1\1\0\1\0\10\0\0\0\1" keep "\0\0\0\0\0"
#define BEGIN_AUTHORIZER(keep) "\1\1\0\1\0\10\0\0\0\2" keep "\0\0\0\0\0"
#define PARAMS_END "\1\4\0\1\0\0\0\0"
#define STDIN_END "\1\5\0\1\0\0\0\0"
/* The handler obeys this variable, whose value has four bytes. */
#define DO(what) "\1\4\0\1\0\10\0\0\2\4DO" what

static char folder[] = "/tmp/test_fcgi_XXXXXX";
static char address[80];
static struct listen_sockets sockets;
static const struct peer_list everybody;
static pthread_t thread;
static int status;
static sem_t reloads;          /* posted by reload() */
static sem_t pieces;           /* posted by "slow" */
static atomic_int abort_delay; /* milliseconds; 0: there was none */

/* Replaces the C library's: the delay before a connection is aborted passes at
 * once. */
int poll_without_delay(struct pollfd *list, nfds_t count,
                       int timeout) __asm__("poll");

int
poll_without_delay(struct pollfd *list, nfds_t count, int timeout)
{
    const struct timespec span = {timeout / 1000, timeout % 1000 * 1000000L};
    bool is_limited = timeout >= 0;

    if (list->events == POLLRDHUP) {
        abort_delay = timeout;
        return 0;
    }
    return (int)syscall(SYS_ppoll, list, count, is_limited ? &span : NULL, NULL,
                        0);
}

/* The value of DO; libfcgi adds variables of its own. */
static const char *
find_order(const struct request_input *input)
{
    for (size_t i = 0; input->variables[i]; i++)
        if (strncmp(input->variables[i], "DO=", 3) == 0)
            return input->variables[i] + 3;
    fail_msg("no variable DO");
    return "";
}

/* "read" answers with the length of the body, "slow" does so too and posts
 * `pieces` for each piece, "skip" does not read it, "fail" begins a response
 * and aborts. An authorizer's response names the role. */
static bool
handle(void *state, const struct request_input *input,
       const struct response_sink *sink)
{
    const char *what = find_order(input);
    bool is_slow = strcmp(what, "slow") == 0;
    char answer[64] = "skip";
    char piece[2000];
    size_t total = 0;
    size_t len = 0;

    assert_ptr_equal(state, folder);
    assert_true(input->source.descriptor >= 0);
    if (is_slow || strcmp(what, "read") == 0) {
        do {
            if (input->source.read(input->source.context, piece, sizeof(piece),
                                   &len) != PST_OK)
                return false;
            total += len;
            if (is_slow)
                assert_int_equal(sem_post(&pieces), 0);
        } while (len > 0);
        snprintf(answer, sizeof(answer), "%zu", total);
    }
    if (input->authorizer)
        snprintf(answer, sizeof(answer), "authorizer");
    return sink->write(sink->context, pst_str_from(answer)) == PST_OK &&
           sink->flush(sink->context) == PST_OK && strcmp(what, "fail") != 0;
}

static void *
new_state(void *context)
{
    return context;
}

static void
free_state(void *state)
{
    assert_ptr_equal(state, folder);
}

static void
reload(void *context)
{
    assert_ptr_equal(context, folder);
    assert_int_equal(sem_post(&reloads), 0);
}

static void *
run(void *argument)
{
    static const struct engine_handler handler = {folder, new_state, handle,
                                                  free_state, reload};
    const struct fcgi_options options = {
        .sockets = &sockets, .peers = &everybody, .workers = 2, .drain = 5};

    (void)argument;
    status = fcgi_serve(&options, &handler);
    return NULL;
}

static int
set_up(void **state)
{
    char error[LISTEN_ERROR_MAX];

    (void)state;
    if (listen_open(&sockets, address, error) != PST_OK)
        return -1;
    return pthread_create(&thread, NULL, run, NULL);
}

static int
tear_down(void **state)
{
    (void)state;
    kill(getpid(), SIGTERM);
    pthread_join(thread, NULL);
    return status;
}

static int
connect_one(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const struct sockaddr *any = (const void *)&name;
    const struct timeval limit = {.tv_sec = 10};
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const char *path = address + strlen("unix:");

    memcpy(name.sun_path, path, strlen(path) + 1);
    assert_true(descriptor >= 0);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(descriptor, any, sizeof(name)), 0);
    return descriptor;
}

static void
send_bytes(int descriptor, const void *bytes, size_t len)
{
    assert_int_equal(send(descriptor, bytes, len, MSG_NOSIGNAL), len);
}

/* Send a literal, which may contain NULs. */
#define SEND(descriptor, literal) \
    send_bytes(descriptor, literal, sizeof(literal) - 1)

/* Send a body of so many bytes, in records of 10,000, and its end. */
static void
send_body(int descriptor, size_t len)
{
    static const uint8_t header[8] = {1, 5, 0, 1, 10000 >> 8, 10000 & 0xff};
    static const char content[10000];

    for (; len > 0; len -= sizeof(content)) {
        send_bytes(descriptor, header, sizeof(header));
        send_bytes(descriptor, content, sizeof(content));
    }
    SEND(descriptor, STDIN_END);
}

/* Receive exactly so many bytes; false when the connection has ended. */
static bool
receive(int descriptor, uint8_t *out, size_t len)
{
    return recv(descriptor, out, len, MSG_WAITALL) == (ssize_t)len;
}

/* Receive the answer to a request. Returns whether it has an END_REQUEST. */
static bool
receive_answer(int descriptor, char out[static 256])
{
    uint8_t header[8];
    size_t len = 0;

    out[0] = '\0';
    while (receive(descriptor, header, sizeof(header))) {
        size_t content = (size_t)header[4] << 8 | header[5];
        uint8_t padded[512];

        assert_true(content + header[6] <= sizeof(padded));
        assert_true(receive(descriptor, padded, content + header[6]));
        if (header[1] == TYPE_END_REQUEST)
            return true;
        if (header[1] != TYPE_STDOUT)
            continue;
        assert_true(len + content < 256);
        memcpy(out + len, padded, content);
        len += content;
        out[len] = '\0';
    }
    return false;
}

static void
assert_answer(int descriptor, const char *want)
{
    char answer[256];

    if (!receive_answer(descriptor, answer) || strcmp(answer, want) != 0)
        fail_msg("'%s' and not '%s', or the answer has no end", answer, want);
}

static void
assert_closed(int descriptor)
{
    char byte;

    assert_int_equal(recv(descriptor, &byte, 1, 0), 0);
    close(descriptor);
}

static void
test_kept_connection(void **state)
{
    int descriptor = connect_one();

    (void)state;
    for (int i = 0; i < 3; i++) {
        SEND(descriptor, BEGIN(KEEP) DO("read") PARAMS_END);
        send_body(descriptor, 120000);
        assert_answer(descriptor, "120000");
    }
    SEND(descriptor, BEGIN(CLOSE) DO("read") PARAMS_END STDIN_END);
    assert_answer(descriptor, "0");
    assert_closed(descriptor);
}

/*
 * A body that the handler does not read is read after the answer, so that the
 * next request on the connection begins at a record. Without that, libfcgi has
 * read a part of the body, and the rest looks like an invalid record.
 */
static void
test_unread_body_is_drained(void **state)
{
    int descriptor = connect_one();

    (void)state;
    for (int i = 0; i < 3; i++) {
        SEND(descriptor, BEGIN(KEEP) DO("skip") PARAMS_END);
        send_body(descriptor, 120000);
        assert_answer(descriptor, "skip");
        SEND(descriptor, BEGIN(KEEP) DO("read") PARAMS_END);
        send_body(descriptor, 20000);
        assert_answer(descriptor, "20000");
    }
    close(descriptor);
}

/* The same on a connection that is then closed: the web server gets the whole
 * answer and no ECONNRESET. */
static void
test_unread_body_before_closing(void **state)
{
    int descriptor = connect_one();

    (void)state;
    SEND(descriptor, BEGIN(CLOSE) DO("skip") PARAMS_END);
    send_body(descriptor, 120000);
    assert_answer(descriptor, "skip");
    assert_closed(descriptor);
}

/* A body that is too long to be read to the end: the connection is closed, but
 * what still arrives is discarded until then, so that the answer is not lost.
 */
static void
test_long_unread_body(void **state)
{
    int descriptor = connect_one();

    (void)state;
    SEND(descriptor, BEGIN(KEEP) DO("skip") PARAMS_END);
    send_body(descriptor, (PST_BUFFERED_BODY_MAX / 10000 + 20) * 10000);
    assert_answer(descriptor, "skip");
    shutdown(descriptor, SHUT_WR);
    assert_closed(descriptor);
}

/* A body arrives in pieces. Each is delivered at once. */
static void
test_slow_body(void **state)
{
    int descriptor = connect_one();

    (void)state;
    SEND(descriptor, BEGIN(KEEP) DO("slow") PARAMS_END);
    for (int i = 0; i < 5; i++) {
        SEND(descriptor, "\1\5\0\1\0\1\0\0x");
        assert_int_equal(sem_wait(&pieces), 0);
    }
    SEND(descriptor, STDIN_END);
    assert_answer(descriptor, "5");
    close(descriptor);
}

/* Its input may have no end, so the connection is closed. */
static void
test_authorizer(void **state)
{
    int descriptor = connect_one();

    (void)state;
    SEND(descriptor, BEGIN_AUTHORIZER(KEEP) DO("skip") PARAMS_END);
    assert_answer(descriptor, "authorizer");
    assert_closed(descriptor);
}

/* The web server must not take a part of an answer for all of it. */
static void
test_cut_answer_has_no_end(void **state)
{
    int descriptor = connect_one();
    char answer[256];

    (void)state;
    abort_delay = 0;
    SEND(descriptor, BEGIN(KEEP) DO("fail") PARAMS_END STDIN_END);
    assert_false(receive_answer(descriptor, answer));
    assert_string_equal(answer, "skip");
    assert_true(abort_delay > 0);
    close(descriptor);
}

static void
test_other_protocol(void **state)
{
    int descriptor = connect_one();

    (void)state;
    SEND(descriptor, "GET / HTTP/1.1\r\n\r\n");
    assert_false(receive(descriptor, (uint8_t[1]){0}, 1));
    close(descriptor);
}

static void
test_management_record_between_requests(void **state)
{
    int descriptor = connect_one();
    uint8_t answer[8];

    (void)state;
    for (int i = 0; i < 2; i++) {
        SEND(descriptor, "\1\11\0\0\0\0\0\0");
        assert_true(receive(descriptor, answer, sizeof(answer)));
        assert_memory_equal(answer, "\1\12\0\0\0\0\0\0", sizeof(answer));
        SEND(descriptor, BEGIN(KEEP) DO("read") PARAMS_END STDIN_END);
        assert_answer(descriptor, "0");
    }
    close(descriptor);
}

static void
test_hangup_reloads(void **state)
{
    int more;

    (void)state;
    kill(getpid(), SIGHUP);
    assert_int_equal(sem_wait(&reloads), 0);
    assert_int_equal(sem_getvalue(&reloads, &more), 0);
    assert_int_equal(more, 0);
}

#define FCGI_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FCGI_TEST(test_kept_connection),
        FCGI_TEST(test_unread_body_is_drained),
        FCGI_TEST(test_unread_body_before_closing),
        FCGI_TEST(test_long_unread_body),
        FCGI_TEST(test_slow_body),
        FCGI_TEST(test_authorizer),
        FCGI_TEST(test_cut_answer_has_no_end),
        FCGI_TEST(test_other_protocol),
        FCGI_TEST(test_management_record_between_requests),
        FCGI_TEST(test_hangup_reloads),
    };
    int failed;

    alarm(TIMEOUT);
    if (sem_init(&reloads, 0, 0) != 0 || sem_init(&pieces, 0, 0) != 0)
        return 1;
    dispatcher_block_signals();
    if (!mkdtemp(folder))
        return 1;
    snprintf(address, sizeof(address), "unix:%s/socket", folder);
    failed = cmocka_run_group_tests_name("fcgi", tests, NULL, NULL);
    rmdir(folder);
    return failed;
}

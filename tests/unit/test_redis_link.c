/* SPDX-License-Identifier: ISC */
/*
 * test_redis_link.c - the fibers of a loop share one connection to Redis:
 * each gets its own replies and its own error; when the connection breaks, what
 * may have been executed is not sent again.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/crypto.h"
#include "engine/loop.h"
#include "fake_clock.h"
#include "fake_wait.h"
#include "stores.h"

#define FIBERS 200
#define CALL_TIMEOUT 1000 /* milliseconds: the store's own */

static struct stores stores;
static struct store *store;
static struct loop *loop;
static pid_t server; /* 0: none */

/* What the fibers do, and what came of it. */
static enum pst_err (*call)(unsigned n);
static enum pst_err results[FIBERS];
static char reasons[FIBERS][64]; /* the beginning of store_error() */
static unsigned left;

static void
run_call(void *argument)
{
    unsigned n = (unsigned)(uintptr_t)argument;

    results[n] = call(n);
    if (results[n] == PST_STORE_DOWN)
        (void)snprintf(reasons[n], sizeof(reasons[n]), "%.60s",
                       strstr(store_error(store), ": "));
    if (--left == 0)
        loop_stop(loop);
}

/* Run so many fibers to their end. */
static void
run(enum pst_err (*function)(unsigned n), unsigned count)
{
    call = function;
    left = count;
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(loop_start_fiber(loop, run_call, (void *)(uintptr_t)i),
                         PST_OK);
    if (left > 0)
        loop_run(loop);
}

/* How many of the results are this one. */
static unsigned
count_of(enum pst_err want, unsigned count)
{
    unsigned found = 0;

    for (unsigned i = 0; i < count; i++)
        found += results[i] == want;
    return found;
}

static enum pst_err
check(unsigned n)
{
    struct store_id sid = stores_id(n);
    struct store_id subject = stores_id(n + 1000);

    return store_check(store, &sid, &subject, NOW);
}

static enum pst_err
end(unsigned n)
{
    struct store_id sid = stores_id(n);

    return store_revoke(store, &sid, NULL, NOW + 3600, NOW);
}

static enum pst_err
end_even(unsigned n)
{
    return n % 2 == 0 ? end(n) : PST_OK;
}

/* Reads and writes by turns. */
static enum pst_err
check_or_end(unsigned n)
{
    return n % 2 == 0 ? check(n) : end(n);
}

static int
set_up(void **state)
{
    (void)state;
    memset(&stores, 0, sizeof(stores));
    fake_wait_set_skipping(false);
    fake_wait_set_hook(NULL);
    if (pst_crypto_init() != PST_OK || loop_new(&loop) != PST_OK)
        return -1;
    return signal(SIGPIPE, SIG_DFL) == SIG_ERR ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    store_close(&store);
    loop_free(&loop);
    if (server > 0) {
        (void)kill(server, SIGKILL);
        (void)waitpid(server, NULL, 0);
        server = 0;
    }
    if (stores.redis > 0)
        (void)kill(stores.redis, SIGCONT);
    if (stores.folder[0] != '\0')
        stores_stop(&stores);
    return 0;
}

static void
start(void)
{
    stores_start(&stores, STORE_REDIS, NULL);
    store = stores_open(&stores, "shop");
}

/* Replies are not mixed up, and there is one connection, which the first calls
 * wait for together. */
static void
test_one_connection(void **state)
{
    long before;

    (void)state;
    start();
    before = stores_info(&stores, "stats", "total_connections_received:");
    run(end_even, FIBERS);
    assert_int_equal(count_of(PST_OK, FIBERS), FIBERS);
    for (int i = 0; i < 3; i++) {
        run(check, FIBERS);
        for (unsigned n = 0; n < FIBERS; n++)
            assert_int_equal(results[n], n % 2 == 0 ? PST_REVOKED : PST_OK);
    }
    assert_int_equal(
        stores_info(&stores, "stats", "total_connections_received:"),
        before + 2);
}

/* Each call has its own error. */
static void
test_own_errors(void **state)
{
    char answer[64];

    (void)state;
    start();
    run(check, FIBERS);
    stores_say(&stores, "CONFIG SET maxmemory 1", answer, sizeof(answer));
    run(check_or_end, FIBERS);
    for (unsigned n = 0; n < FIBERS; n++) {
        assert_int_equal(results[n], n % 2 == 0 ? PST_OK : PST_STORE_DOWN);
        if (n % 2 == 1)
            assert_non_null(strstr(reasons[n], "replied: OOM"));
    }
}

static enum pst_err
put_large(unsigned n)
{
    static uint8_t bytes[STORE_SPILL_MAX];
    struct store_id sid = stores_id(n);

    return store_spill_put(
        store, &sid, (struct pst_bytes){bytes, sizeof(bytes)}, NOW + 60, NOW);
}

static enum pst_err
get_large(unsigned n)
{
    struct store_id sid = stores_id(n);
    struct pst_arena *arena = NULL;
    struct pst_bytes blob = {NULL, 0};
    enum pst_err e = pst_arena_new(&arena, 2 * STORE_SPILL_MAX);

    if (!e)
        e = store_spill_get(store, &sid, NOW, arena, &blob);
    if (!e && blob.len != STORE_SPILL_MAX)
        e = PST_INTERNAL;
    pst_arena_free(&arena);
    return e;
}

/* Before each wait: real time passes, too. */
static bool
pass_time(void)
{
    fake_clock_advance(1);
    return false;
}

/* More than a socket takes at once, in both directions. */
static void
test_large(void **state)
{
    (void)state;
    start();
    fake_wait_set_hook(pass_time);
    run(put_large, FIBERS / 2);
    assert_int_equal(count_of(PST_OK, FIBERS / 2), FIBERS / 2);
    run(get_large, FIBERS / 2);
    assert_int_equal(count_of(PST_OK, FIBERS / 2), FIBERS / 2);
}

/* Stop Redis, and wait until it is. */
static void
stop(void)
{
    int status = 0;

    assert_int_equal(kill(stores.redis, SIGSTOP), 0);
    assert_int_equal(waitpid(stores.redis, &status, WUNTRACED), stores.redis);
    assert_true(WIFSTOPPED(status));
}

static void
test_hung(void **state)
{
    int64_t begin;

    (void)state;
    start();
    run(check, 1);
    stop();
    fake_wait_set_skipping(true);
    begin = clock_ms();
    run(check_or_end, FIBERS);
    assert_int_equal(count_of(PST_STORE_DOWN, FIBERS), FIBERS);
    assert_int_equal(clock_ms() - begin, CALL_TIMEOUT);
    assert_non_null(strstr(reasons[7], "does not answer"));
    run(check, FIBERS);
    assert_int_equal(count_of(PST_STORE_DOWN, FIBERS), FIBERS);
    assert_int_equal(clock_ms() - begin, CALL_TIMEOUT); /* at once */
    assert_non_null(strstr(reasons[7], "does not answer"));
    fake_clock_advance(3000);
    assert_int_equal(kill(stores.redis, SIGCONT), 0);
    fake_wait_set_skipping(false);
    run(check_or_end, FIBERS);
    assert_int_equal(count_of(PST_OK, FIBERS), FIBERS);
}

/* Servers of our own. */

/* Listen on a free port, and open a store there. */
static int
listen_for_store(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    char url[64];

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size),
                     0);
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u",
                   ntohs(address.sin_port));
    store = stores_open_url(url, "shop");
    return listener;
}

/* Run a server in a process of its own. */
static void
serve(void (*function)(int listener, int report), int report)
{
    int listener = listen_for_store();

    server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        function(listener, report);
        _exit(0);
    }
    close(listener);
}

/* Read commands until so many have come. Returns how many came; fewer at the
 * end. */
static unsigned
read_commands(int client, unsigned want, int report)
{
    char byte;
    unsigned count = 0;

    while (count < want && read(client, &byte, 1) == 1) {
        if (byte != '*')
            continue;
        (void)!write(report, "x", 1);
        count++;
    }
    return count;
}

/* Answer the first check; close when so many more commands have begun. Answer
 * all on the next connection. */
static void
break_once(int listener, int report)
{
    int client = accept(listener, NULL, NULL);

    (void)read_commands(client, 2, report);
    (void)!write(client, "$-1\r\n$-1\r\n", 10);
    (void)read_commands(client, 6, report);
    close(client);
    client = accept(listener, NULL, NULL);
    while (read_commands(client, 1, report) == 1)
        (void)!write(client, "$-1\r\n", 5);
}

/* Four calls are sent together: two reads (of two commands) and two writes. The
 * reads are sent again. */
static void
test_no_repeat(void **state)
{
    char bytes[64];
    int report[2];

    (void)state;
    assert_int_equal(pipe(report), 0);
    serve(break_once, report[1]);
    run(check, 1);
    assert_int_equal(results[0], PST_OK);
    run(check_or_end, 4);
    assert_int_equal(results[0], PST_OK);
    assert_int_equal(results[1], PST_STORE_DOWN);
    assert_int_equal(results[2], PST_OK);
    assert_int_equal(results[3], PST_STORE_DOWN);
    assert_non_null(strstr(reasons[1], "connection lost"));
    store_close(&store);
    assert_int_equal(kill(server, SIGKILL), 0);
    close(report[1]);
    assert_int_equal(read(report[0], bytes, sizeof(bytes)), 2 + 6 + 4);
    close(report[0]);
}

/* Close each connection once it was used. */
static void
close_after_each(int listener, int report)
{
    for (;;) {
        int client = accept(listener, NULL, NULL);

        (void)read_commands(client, 2, report);
        (void)!write(client, "$-1\r\n$-1\r\n", 10);
        close(client);
        (void)!write(report, ".", 1);
    }
}

/* A connection that was closed while nobody used it fails no call, not even in
 * the turn of the loop in which that is noticed. */
static void
test_closed_meanwhile(void **state)
{
    int report[2];
    char bytes[3];

    (void)state;
    assert_int_equal(pipe(report), 0);
    serve(close_after_each, report[1]);
    for (int i = 0; i < 5; i++) {
        run(check, 1);
        assert_int_equal(results[0], PST_OK);
        for (size_t j = 0; j < sizeof(bytes); j++)
            assert_int_equal(read(report[0], bytes + j, 1), 1);
        assert_memory_equal(bytes, "xx.", 3);
    }
    close(report[0]);
    close(report[1]);
}

/* Answer two checks, and close at once after the second; answer a write on the
 * next connection. */
static void
close_after_reply(int listener, int report)
{
    int client = accept(listener, NULL, NULL);

    char byte;

    for (int i = 0; i < 2; i++) {
        (void)read_commands(client, 2, report);
        if (i == 1)
            (void)!read(report, &byte, 1);
        (void)!write(client, "$-1\r\n$-1\r\n", 10);
    }
    /* close() would reset the connection: not all was read. */
    (void)!shutdown(client, SHUT_WR);
    (void)!write(report, ".", 1);
    client = accept(listener, NULL, NULL);
    while (read_commands(client, 1, report) == 1)
        (void)!write(client, ":1\r\n", 4);
}

static int closed_report;

/* Before the wait for the reply: wait until the connection is closed, too. */
static bool
wait_until_closed(void)
{
    char byte = 'x';

    assert_int_equal(write(closed_report, "g", 1), 1);
    while (byte == 'x' && read(closed_report, &byte, 1) == 1)
        ;
    fake_wait_set_hook(NULL);
    return true;
}

/* The reply and the end come as one event: both are noticed. */
static void
test_reply_and_end(void **state)
{
    int report[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, report), 0);
    closed_report = report[0];
    serve(close_after_reply, report[1]);
    run(check, 1);
    fake_wait_set_hook(wait_until_closed);
    run(check, 1);
    assert_int_equal(results[0], PST_OK);
    run(end, 1);
    assert_int_equal(results[0], PST_OK);
    close(report[0]);
    close(report[1]);
}

/* One long reply, in which each element is small. */
static void
answer_at_length(int listener, int report)
{
    static char bytes[16384 * 8];
    int client = accept(listener, NULL, NULL);

    for (;;) {
        size_t len = 0;

        if (read_commands(client, 2, report) < 2)
            return;
        len += (size_t)snprintf(bytes, sizeof(bytes), "*16384\r\n");
        for (int i = 0; i < 16384; i++)
            len += (size_t)snprintf(bytes + len, 8, ":%d\r\n", i % 10);
        (void)!write(client, bytes, len);
        (void)!write(client, "$-1\r\n", 5);
    }
}

static enum pst_err
ignore_session(void *context, const struct store_session *session)
{
    (void)context;
    (void)session;
    return PST_OK;
}

static enum pst_err
list(unsigned n)
{
    struct store_id subject = stores_id(n);

    return store_session_walk(store, &subject, NOW, ignore_session, NULL);
}

/* The fields are numbers, so the reply is wrong: but it was read in pieces. */
static void
test_long_reply(void **state)
{
    (void)state;
    serve(answer_at_length, -1);
    run(list, 1);
    assert_int_equal(results[0], PST_STORE_DOWN);
    assert_non_null(strstr(reasons[0], "unexpected type"));
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_one_connection), TEST(test_own_errors),
        TEST(test_large),          TEST(test_hung),
        TEST(test_no_repeat),      TEST(test_closed_meanwhile),
        TEST(test_reply_and_end),  TEST(test_long_reply),
    };

    if (!stores_can_start(STORE_REDIS))
        return STORES_SKIPPED;
    return cmocka_run_group_tests_name("redis_link", tests, NULL, NULL);
}

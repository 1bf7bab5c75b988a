/* SPDX-License-Identifier: ISC */
/*
 * test_server_loop.c - one event loop of a server accepts connections, keeps
 * idle ones within a limit, and finishes. The web server is another fiber of
 * the same loop, so that nothing depends on time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/server_loop.h"
#include "engine/wait.h"
#include "failing.h"
#include "fake_wait.h"
#include "fcgi_client.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */
#define MANY 40
#define CROWD 300 /* more than are accepted for one event */
#define DRAIN 5   /* seconds */

static char folder[] = "/tmp/test_server_loop_XXXXXX";
static char address[80];
static char other_address[80];
static struct listen_sockets sockets;
static struct peer_list peers;
static struct log *no_log; /* to /dev/null */
static struct server server;
static struct server_loop server_loop;
static bool is_client_done;
static bool is_over; /* server_loop_run() has returned */
static bool is_drained;
static size_t states; /* made and not freed */

static size_t accepts_failed; /* how many more accept4() will fail */
static size_t accept_count;   /* calls that failed */
static size_t adds_spared;    /* so many EPOLL_CTL_ADD succeed ... */
static size_t adds_failed;    /* ... and then so many fail */

/* Replaces the C library's: no descriptor is free. */
int scarce_accept(int socket, struct sockaddr *peer, socklen_t *len,
                  int flags) __asm__("accept4");

int
scarce_accept(int socket, struct sockaddr *peer, socklen_t *len, int flags)
{
    if (accepts_failed == 0)
        return (int)syscall(SYS_accept4, socket, peer, len, flags);
    accepts_failed--;
    accept_count++;
    errno = EMFILE;
    return -1;
}

/* Replaces the C library's: the kernel has no memory for a watch. */
int scarce_watch(int epoll, int operation, int descriptor,
                 struct epoll_event *event) __asm__("epoll_ctl");

int
scarce_watch(int epoll, int operation, int descriptor,
             struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && adds_failed > 0) {
        if (adds_spared == 0) {
            adds_failed--;
            errno = ENOMEM;
            return -1;
        }
        adds_spared--;
    }
    return (int)syscall(SYS_epoll_ctl, epoll, operation, descriptor, event);
}

static void *
new_state(void *context)
{
    states += context != NULL;
    return context;
}

static void
free_state(void *state)
{
    assert_ptr_equal(state, folder);
    states--;
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

static struct fiber *sleeper;
static bool is_woken;

static void
sleep_until_woken(void)
{
    sleeper = fiber_current();
    is_woken = false;
    while (!is_woken)
        assert_int_equal(loop_wait(loop_current(), -1, 0, -1, INT64_MAX), 0);
}

/* "echo" answers; "read" does so at the end of the body, and "wake" when it is
 * woken; "hang" waits for an hour, whatever happens; "wait" does so unless the
 * web server is gone. */
static bool
handle(void *state, const struct request_input *input,
       const struct response_sink *sink)
{
    const char *what = find_order(input);
    struct wait_limit hour = {clock_ms() + 3600000, -1};
    char byte;
    size_t len = 1;

    assert_ptr_equal(state, folder);
    if (input->is_overloaded)
        what = "overloaded";
    if (strcmp(what, "hang") == 0)
        assert_int_equal(wait_until(&hour), 0);
    if (strcmp(what, "wake") == 0)
        sleep_until_woken();
    hour.client = input->source.descriptor;
    if (strcmp(what, "wait") == 0)
        return wait_until(&hour) == 0;
    while (strcmp(what, "read") == 0 && len > 0)
        if (input->source.read(input->source.context, &byte, 1, &len) != PST_OK)
            return false;
    return sink->write(sink->context, pst_str_from(what)) == PST_OK &&
           sink->flush(sink->context) == PST_OK;
}

static struct engine_handler handler = {
    .context = folder,
    .new_state = new_state,
    .handle = handle,
    .free_state = free_state,
};
static struct server_options options = {.sockets = &sockets,
                                        .peers = &peers,
                                        .loops = 1,
                                        .max_requests = 100,
                                        .body_timeout = 7200,
                                        .drain = DRAIN};

static void
drain(void)
{
    loop_notify(server_loop.loop, &server_loop.drain_task);
}

/* The web server's fiber. */
static void
run_client(void *argument)
{
    void (*const *scenario)(void) = argument;

    (*scenario)();
    is_client_done = true;
    if (is_over)
        loop_stop(server_loop.loop);
    else
        drain();
}

/* Open a loop that listens at one address, or at two. */
static void
open_loop(const char *first, const char *second)
{
    struct listen_sockets more;
    char reason[LISTEN_ERROR_MAX];

    fake_wait_set_hook(NULL);
    is_client_done = is_over = false;
    accept_count = 0;
    options.log = no_log;
    options.max_requests = 100;
    server = (struct server){
        .options = &options, .handler = &handler, .connection_limit = 1000};
    assert_int_equal(listen_open(&sockets, first, reason), PST_OK);
    if (second) {
        assert_int_equal(listen_open(&more, second, reason), PST_OK);
        sockets.list[sockets.count++] = more.list[0];
    }
    assert_int_equal(server_loop_open(&server_loop, &server), PST_OK);
    assert_int_equal(states, 1);
}

/* Run to the end, and the scenario with it. */
static void
run_loop(void (*scenario)(void))
{
    assert_int_equal(loop_start_fiber(server_loop.loop, run_client, &scenario),
                     PST_OK);
    is_drained = server_loop_run(&server_loop);
    is_over = true;
    while (!is_client_done || server_loop.count > 0)
        loop_run(server_loop.loop);
    server_loop_close(&server_loop);
    assert_int_equal(states, 0);
    assert_int_equal(server.requests, 0);
    assert_int_not_equal(access(address + 5, F_OK), 0);
}

static void
run(void (*scenario)(void))
{
    open_loop(address, NULL);
    run_loop(scenario);
    assert_true(is_drained);
}

static int
connect_to(const char *where)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const struct sockaddr *any = (const void *)&name;
    int descriptor =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(name.sun_path, where + 5, strlen(where + 5) + 1);
    assert_true(descriptor >= 0);
    assert_int_equal(connect(descriptor, any, sizeof(name)), 0);
    return descriptor;
}

static int
connect_one(void)
{
    return connect_to(address);
}

static void
send_echo(int descriptor)
{
    SEND(descriptor, BEGIN(KEEP) DO("echo") PARAMS_END STDIN_END);
}

static void
echo(int descriptor)
{
    send_echo(descriptor);
    fcgi_client_expect(descriptor, "echo");
}

/* A request that ends when the body does. */
static void
send_read(int descriptor)
{
    SEND(descriptor, BEGIN(KEEP) DO("read") PARAMS_END);
}

static void
finish_read(int descriptor)
{
    SEND(descriptor, STDIN_END);
    fcgi_client_expect(descriptor, "read");
}

/* Let the loop handle what has happened. */
static void
pass(int64_t ms)
{
    const struct wait_limit limit = {clock_ms() + ms, -1};

    assert_int_equal(wait_until(&limit), 0);
}

static void
use_one(void)
{
    int descriptor = connect_one();

    for (int i = 0; i < 100; i++)
        echo(descriptor);
    assert_int_equal(server_loop.count, 1);
    SEND(descriptor, BEGIN(CLOSE) DO("echo") PARAMS_END STDIN_END);
    fcgi_client_expect(descriptor, "echo");
    fcgi_client_expect_closed(descriptor);
    assert_int_equal(server_loop.count, 0);
}

static void
test_one_connection(void **state)
{
    (void)state;
    run(use_one);
}

/* Idle connections hold no fiber; each is served when it is used. */
static void
use_many(void)
{
    int descriptors[MANY];

    for (size_t i = 0; i < MANY; i++)
        descriptors[i] = connect_one();
    pass(1);
    assert_int_equal(server_loop.count, MANY);
    assert_int_equal(loop_fiber_count(server_loop.loop), 1);
    for (size_t i = MANY; i > 0; i--)
        echo(descriptors[i - 1]);
    for (int turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < MANY; i++)
            send_echo(descriptors[i]);
        for (size_t i = 0; i < MANY; i++)
            fcgi_client_expect(descriptors[i], "echo");
    }
    for (size_t i = 0; i < MANY; i++)
        send_read(descriptors[i]);
    pass(1);
    assert_int_equal(loop_fiber_count(server_loop.loop), MANY + 1);
    for (size_t i = 0; i < MANY; i++)
        finish_read(descriptors[i]);
    for (size_t i = 0; i < MANY; i++)
        wait_close(descriptors[i]);
    pass(1);
    assert_int_equal(server_loop.count, 0);
}

static void
test_many_connections(void **state)
{
    (void)state;
    run(use_many);
}

/* A request that waits is aborted; its connection stays. */
static void
abort_one(void)
{
    int64_t begun = clock_ms();
    int descriptor = connect_one();

    for (size_t i = 0; i < 2; i++) {
        SEND(descriptor, BEGIN(KEEP) DO("wait") PARAMS_END STDIN_END);
        pass(1);
        SEND(descriptor, ABORT);
        fcgi_client_expect(descriptor, "");
        echo(descriptor);
    }
    assert_in_range(clock_ms() - begun, 0, 1000);
    wait_close(descriptor);
}

static void
test_abort(void **state)
{
    (void)state;
    run(abort_one);
}

/* At the limit, the connection that has been idle longest is closed. */
static void
reach_limit(void)
{
    int descriptors[3];

    server_loop.limit = 3;
    for (size_t i = 0; i < 2; i++) {
        descriptors[i] = connect_one();
        echo(descriptors[i]);
    }
    echo(descriptors[0]); /* now the second one is the oldest */
    descriptors[2] = connect_one();
    echo(descriptors[2]);
    fcgi_client_expect_closed(descriptors[1]);
    echo(descriptors[0]);
    assert_int_equal(server_loop.count, 2);
    wait_close(descriptors[0]);
    wait_close(descriptors[2]);
}

static void
test_oldest_makes_room(void **state)
{
    (void)state;
    run(reach_limit);
}

/* A request has arrived on the oldest: it is handled, the next one closed. */
static void
reach_limit_with_request(void)
{
    int descriptors[3];

    server_loop.limit = 3;
    for (size_t i = 0; i < 2; i++) {
        descriptors[i] = connect_one();
        echo(descriptors[i]);
    }
    descriptors[2] = connect_one();
    send_echo(descriptors[0]);
    fcgi_client_expect(descriptors[0], "echo");
    fcgi_client_expect_closed(descriptors[1]);
    echo(descriptors[0]);
    echo(descriptors[2]);
    wait_close(descriptors[0]);
    wait_close(descriptors[2]);
}

static void
test_oldest_has_a_request(void **state)
{
    (void)state;
    run(reach_limit_with_request);
}

/* A connection that has just been accepted is not closed: its request is on the
 * way. Later, it is. */
static void
reach_limit_with_new(void)
{
    int descriptors[3];

    server_loop.limit = 3;
    for (size_t i = 0; i < 3; i++)
        descriptors[i] = connect_one();
    pass(900);
    assert_int_equal(server_loop.count, 3);
    pass(200);
    assert_int_equal(server_loop.count, 2);
    fcgi_client_expect_closed(descriptors[0]);
    echo(descriptors[1]);
    echo(descriptors[2]);
    wait_close(descriptors[1]);
    wait_close(descriptors[2]);
}

static void
test_newest_are_spared(void **state)
{
    (void)state;
    run(reach_limit_with_new);
}

/* All connections are busy: another one waits until one of them is done. */
static void
be_full(void)
{
    int descriptors[4];

    server_loop.limit = 3;
    for (size_t i = 0; i < 3; i++) {
        descriptors[i] = connect_one();
        send_read(descriptors[i]);
        pass(1);
    }
    descriptors[3] = connect_one();
    send_echo(descriptors[3]);
    pass(1000);
    assert_int_equal(server_loop.count, 3);
    SEND(descriptors[0], STDIN_END);
    fcgi_client_expect(descriptors[0], "read");
    fcgi_client_expect(descriptors[3], "echo");
    fcgi_client_expect_closed(descriptors[0]);
    finish_read(descriptors[1]);
    finish_read(descriptors[2]);
    for (size_t i = 1; i < 4; i++)
        wait_close(descriptors[i]);
}

static void
test_no_room(void **state)
{
    (void)state;
    run(be_full);
}

/* The request of a connection that was just accepted is still on the way: it
 * must not be closed to make room. One that stays silent is. */
static void
be_full_with_new_one(void)
{
    int busy = connect_one();
    int accepted;

    server_loop.limit = 2;
    send_read(busy);
    pass(1);
    accepted = connect_one();
    pass(500);
    echo(accepted);
    wait_close(accepted);
    accepted = connect_one();
    pass(500);
    assert_int_equal(server_loop.count, 2);
    pass(1000);
    assert_int_equal(server_loop.count, 1);
    fcgi_client_expect_closed(accepted);
    finish_read(busy);
    wait_close(busy);
}

static void
test_new_one_has_no_request_yet(void **state)
{
    (void)state;
    run(be_full_with_new_one);
}

/* While descriptors are short, accepting is tried now and then, not all the
 * time. An idle connection is closed for each attempt. */
static void
be_short(void)
{
    int64_t begun = clock_ms();
    int idle = connect_one();
    int descriptor;

    echo(idle);
    accepts_failed = 10;
    descriptor = connect_one();
    echo(descriptor);
    fcgi_client_expect_closed(idle);
    assert_int_equal(accept_count, 10);
    assert_in_range(clock_ms() - begun, 900, 1000);
    wait_close(descriptor);
}

static void
test_short_of_descriptors(void **state)
{
    (void)state;
    run(be_short);
}

/* After a pause, the first of two sockets is watched again, and the second one
 * fails. The next attempt must not fail because of the first. */
static void
watch_one_of_two(void)
{
    int first;
    int second;

    accepts_failed = 1;
    adds_spared = 2; /* the client's own watches */
    first = connect_one();
    send_echo(first);
    adds_spared = 1;
    adds_failed = 1;
    pass(350);
    assert_int_equal(adds_failed, 0);
    fcgi_client_expect(first, "echo");
    second = connect_to(other_address);
    echo(second);
    wait_close(first);
    wait_close(second);
}

static void
test_one_socket_of_two_is_watched(void **state)
{
    (void)state;
    open_loop(address, other_address);
    run_loop(watch_one_of_two);
    assert_true(is_drained);
}

static int
connect_by_tcp(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    struct sockaddr *any = (void *)&name;
    socklen_t len = sizeof(name);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(getsockname(sockets.list[0].descriptor, any, &len), 0);
    assert_int_equal(connect(descriptor, any, len), 0);
    return descriptor;
}

/* Parts of a stream are not held back. */
static void
use_tcp(void)
{
    int descriptor = connect_by_tcp();
    socklen_t len = sizeof(int);
    int is_set = 0;

    pass(1);
    assert_int_equal(server_loop.count, 1);
    assert_int_equal(getsockopt(TAILQ_FIRST(&server_loop.idle)->descriptor,
                                IPPROTO_TCP, TCP_NODELAY, &is_set, &len),
                     0);
    assert_int_not_equal(is_set, 0);
    close(descriptor);
}

static void
test_tcp(void **state)
{
    (void)state;
    open_loop("127.0.0.1:0", NULL);
    run_loop(use_tcp);
    assert_true(is_drained);
}

/* No address of the list may be this one. */
static void
connect_from_elsewhere(void)
{
    int descriptor = connect_by_tcp();

    fcgi_client_expect_closed(descriptor);
    assert_int_equal(server_loop.count, 0);
}

static void
test_peer_list(void **state)
{
    (void)state;
    assert_int_equal(peer_list_parse(&peers, PST_STR("192.0.2.1")), PST_OK);
    open_loop("127.0.0.1:0", NULL);
    run_loop(connect_from_elsewhere);
    peers = (struct peer_list){.count = 0};
}

static void
overload(void)
{
    int descriptors[2] = {connect_one(), connect_one()};

    options.max_requests = 1;
    send_read(descriptors[0]);
    pass(1);
    send_echo(descriptors[1]);
    fcgi_client_expect(descriptors[1], "overloaded");
    finish_read(descriptors[0]);
    echo(descriptors[1]);
    wait_close(descriptors[0]);
    wait_close(descriptors[1]);
}

static void
test_too_many_requests(void **state)
{
    (void)state;
    run(overload);
}

/* libfcgi aborts the program when it has no memory: it does not get the
 * request. */
static void
have_no_memory(void)
{
    char answer[ANSWER_MAX];
    int descriptor = connect_one();

    echo(descriptor); /* its fiber is kept: no memory is needed for one */
    send_echo(descriptor);
    failing_at(1);
    assert_true(fcgi_client_receive_answer(descriptor, answer));
    assert_true(failing_has_failed());
    assert_non_null(strstr(answer, "Status: 503 "));
    assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
    fcgi_client_expect_closed(descriptor);
    descriptor = connect_one();
    echo(descriptor);
    wait_close(descriptor);
}

static void
test_no_memory(void **state)
{
    (void)state;
    run(have_no_memory);
}

/* The end: what is idle is closed at once, what runs is finished. */
static void
drain_some(void)
{
    int idle = connect_one();
    int busy[2] = {connect_one(), connect_one()};
    int64_t begun;

    echo(idle);
    send_read(busy[0]);
    send_read(busy[1]);
    pass(1);
    begun = clock_ms();
    drain();
    fcgi_client_expect_closed(idle);
    pass(2000);
    finish_read(busy[0]);
    fcgi_client_expect_closed(busy[0]);
    assert_false(is_over);
    finish_read(busy[1]);
    fcgi_client_expect_closed(busy[1]);
    assert_in_range(clock_ms() - begun, 2000, 2100);
}

static void
test_drain(void **state)
{
    (void)state;
    run(drain_some);
}

/* The next request arrives while one runs, and the loop has not heard of it
 * when that one ends. */
static void
drain_pipelined(void)
{
    int idle = connect_one();
    int busy = connect_one();

    echo(idle);
    SEND(busy, BEGIN(KEEP) DO("wake") PARAMS_END STDIN_END);
    pass(1);
    drain();
    fcgi_client_expect_closed(idle);
    send_echo(busy);
    is_woken = true;
    loop_wake_fiber(server_loop.loop, sleeper);
    fcgi_client_expect(busy, "wake");
    fcgi_client_expect(busy, "echo");
    fcgi_client_expect_closed(busy);
}

static void
test_drain_of_pipelined_requests(void **state)
{
    (void)state;
    run(drain_pipelined);
}

/* A connection on which nothing has arrived so far has a second for it. */
static void
drain_new(void)
{
    int used = connect_one();
    int unused = connect_one();
    int64_t begun;

    pass(1);
    begun = clock_ms();
    drain();
    pass(500);
    send_echo(used);
    fcgi_client_expect(used, "echo");
    fcgi_client_expect_closed(used);
    fcgi_client_expect_closed(unused);
    assert_in_range(clock_ms() - begun, 1000, 1100);
}

static void
test_drain_of_new_connections(void **state)
{
    (void)state;
    run(drain_new);
}

/* All connections that wait at our socket at the end are served. Once only the
 * first 64 were. */
static int crowd[CROWD];

static void
drain_crowd(void)
{
    for (size_t i = 0; i < CROWD; i++) {
        fcgi_client_expect(crowd[i], "echo");
        fcgi_client_expect_closed(crowd[i]);
    }
}

static void
test_drain_of_a_crowd(void **state)
{
    (void)state;
    open_loop(address, NULL);
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = connect_one();
        send_echo(crowd[i]);
    }
    drain();
    run_loop(drain_crowd);
    assert_true(is_drained);
}

/* A request that waits for its web server is not waited for after the time. */
static void
drain_slow(void)
{
    int descriptor = connect_one();
    int64_t begun;

    send_read(descriptor);
    pass(1);
    begun = clock_ms();
    drain();
    assert_false(fcgi_client_receive(descriptor, (char[1]){0}, 1));
    assert_int_equal(clock_ms() - begun, 1000 * DRAIN);
    wait_close(descriptor);
}

static void
test_drain_ends(void **state)
{
    (void)state;
    run(drain_slow);
}

/* A second signal ends that time early. */
static void
drain_twice(void)
{
    int descriptor = connect_one();
    int64_t begun;

    send_read(descriptor);
    pass(1);
    begun = clock_ms();
    drain();
    pass(1000);
    loop_notify(server_loop.loop, &server_loop.abort_task);
    assert_false(fcgi_client_receive(descriptor, (char[1]){0}, 1));
    assert_in_range(clock_ms() - begun, 1000, 1200);
    wait_close(descriptor);
}

static void
drain_twice_at_once(void)
{
    int descriptor = connect_one();
    int64_t begun;

    send_read(descriptor);
    pass(1);
    begun = clock_ms();
    drain();
    loop_notify(server_loop.loop, &server_loop.abort_task);
    assert_false(fcgi_client_receive(descriptor, (char[1]){0}, 1));
    assert_in_range(clock_ms() - begun, 0, 200);
    wait_close(descriptor);
}

static void
test_second_signal(void **state)
{
    (void)state;
    run(drain_twice);
    run(drain_twice_at_once);
}

/* A request that hangs is given up. */
static void
drain_stuck(void)
{
    int descriptor = connect_one();

    SEND(descriptor, BEGIN(KEEP) DO("hang") PARAMS_END STDIN_END);
    pass(1);
    drain();
    pass(1000 * DRAIN + 900);
    assert_false(is_over);
    pass(200);
    assert_true(is_over);
    wait_close(descriptor);
}

static void
test_stuck(void **state)
{
    (void)state;
    open_loop(address, NULL);
    run_loop(drain_stuck);
    assert_false(is_drained);
}

static void *
no_state(void *context)
{
    (void)context;
    return NULL;
}

static void
test_no_state(void **state)
{
    char reason[LISTEN_ERROR_MAX];

    (void)state;
    handler.new_state = no_state;
    assert_int_equal(listen_open(&sockets, address, reason), PST_OK);
    server = (struct server){
        .options = &options, .handler = &handler, .connection_limit = 1000};
    assert_int_equal(server_loop_open(&server_loop, &server), PST_NO_MEMORY);
    server_loop_close(&server_loop);
    listen_close(&sockets);
    handler.new_state = new_state;
}

static int
set_up_group(void **state)
{
    (void)state;
    if (fcgi_init() != PST_OK || !mkdtemp(folder))
        return -1;
    snprintf(address, sizeof(address), "unix:%s/socket", folder);
    snprintf(other_address, sizeof(other_address), "unix:%s/other", folder);
    return log_open(&no_log, "/dev/null", LOG_LOGFMT, LEVEL_DEBUG, "test") ==
                   PST_OK
               ? 0
               : -1;
}

static int
tear_down_group(void **state)
{
    (void)state;
    log_close(&no_log);
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_connection),
        cmocka_unit_test(test_many_connections),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_oldest_makes_room),
        cmocka_unit_test(test_oldest_has_a_request),
        cmocka_unit_test(test_newest_are_spared),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_new_one_has_no_request_yet),
        cmocka_unit_test(test_short_of_descriptors),
        cmocka_unit_test(test_one_socket_of_two_is_watched),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_peer_list),
        cmocka_unit_test(test_too_many_requests),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_of_pipelined_requests),
        cmocka_unit_test(test_drain_of_new_connections),
        cmocka_unit_test(test_drain_of_a_crowd),
        cmocka_unit_test(test_drain_ends),
        cmocka_unit_test(test_second_signal),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_no_state),
    };

    alarm(TIMEOUT);
    return cmocka_run_group_tests_name("server_loop", tests, set_up_group,
                                       tear_down_group);
}

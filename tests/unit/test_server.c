/* SPDX-License-Identifier: ISC */
/*
 * test_server.c - a server with several loops, from its start to the signal
 * that ends it. What one loop does is in test_server_loop.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "engine/server.h"
#include "fake_wait.h"
#include "fcgi_client.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */
#define LOOPS 3
#define MANY 40

static char folder[] = "/tmp/test_server_XXXXXX";
static char address[80];
static struct listen_sockets sockets;
static const struct peer_list everybody;
static pthread_t thread; /* in which server_run() is called */
static atomic_bool is_child;
static int status;
static atomic_size_t states;      /* made so far */
static atomic_size_t freed;       /* of them */
static atomic_size_t running;     /* requests "read" */
static atomic_size_t early_joins; /* while such requests ran */

/* Pipes, which tests and handlers use to wait for each other. */
static int reports[2]; /* handlers write a byte to it */
static int gate[2];    /* "pick" reads one from it */

/* Replaces the C library's: the time for a thread to end is over at once, in a
 * child process; elsewhere it is not limited. */
int
pthread_clockjoin_np(pthread_t joined, void **result, clockid_t clock,
                     const struct timespec *until)
{
    (void)clock;
    (void)until;
    if (is_child)
        return ETIMEDOUT;
    early_joins += running;
    return pthread_join(joined, result);
}

static void *
new_state(void *context)
{
    states++;
    return context;
}

static void
free_state(void *state)
{
    assert_ptr_equal(state, folder);
    freed++;
}

static void
report(char byte)
{
    assert_int_equal(write(reports[1], &byte, 1), 1);
}

static void
await_report(char byte)
{
    char got = 0;

    assert_int_equal(read(reports[0], &got, 1), 1);
    assert_int_equal(got, byte);
}

static void
reload(void *context)
{
    assert_ptr_equal(context, folder);
    report('r');
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

/* Block the whole loop until the gate opens: others must accept what comes. */
static void
block(void)
{
    char byte;

    report('b');
    assert_int_equal(read(gate[0], &byte, 1), 1);
}

/* Hang for ever in the loop of another thread than the first. That one waits
 * for it, and lets time pass from then on. */
static void
hang(void)
{
    static atomic_bool hangs;

    report('b');
    if (getpid() != gettid()) {
        hangs = true;
        for (;;)
            pause();
    }
    while (!hangs)
        sched_yield();
    report('m');
    fake_wait_set_skipping(true);
}

/* "echo" answers; "pick" blocks its loop; "hang" hangs; "read" reads the
 * body. */
static bool
handle(void *state, const struct request_input *input,
       const struct response_sink *sink)
{
    const char *what = find_order(input);
    bool is_whole = true;
    char byte;
    size_t len = 1;

    assert_ptr_equal(state, folder);
    if (strcmp(what, "pick") == 0)
        block();
    if (strcmp(what, "hang") == 0)
        hang();
    if (strcmp(what, "read") == 0) {
        running++;
        report('b');
        while (is_whole && len > 0)
            is_whole = input->source.read(input->source.context, &byte, 1,
                                          &len) == PST_OK;
        running--;
    }
    return is_whole &&
           sink->write(sink->context, pst_str_from(what)) == PST_OK &&
           sink->flush(sink->context) == PST_OK;
}

static struct engine_handler handler = {
    .context = folder,
    .new_state = new_state,
    .handle = handle,
    .free_state = free_state,
    .reload = reload,
};
static struct server_options options = {.sockets = &sockets,
                                        .peers = &everybody,
                                        .loops = LOOPS,
                                        .max_requests = 100,
                                        .body_timeout = 7200,
                                        .drain = 30};

static void *
run(void *argument)
{
    (void)argument;
    status = server_run(&options, &handler);
    return NULL;
}

static int
set_up(void **state)
{
    char error[LISTEN_ERROR_MAX];

    (void)state;
    fake_wait_set_skipping(false);
    states = freed = running = early_joins = 0;
    options.loops = LOOPS;
    if (pipe(reports) != 0 || pipe(gate) != 0)
        return -1;
    return listen_open(&sockets, address, error) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        close(reports[i]);
        close(gate[i]);
    }
    return 0;
}

static void
start(void)
{
    assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
}

/* Send a signal and wait for server_run() to return. */
static void
stop(int number)
{
    kill(getpid(), number);
    pthread_join(thread, NULL);
    assert_int_equal(status, EX_OK);
    assert_int_equal(states, options.loops);
    assert_int_equal(freed, options.loops);
    assert_int_not_equal(access(address + 5, F_OK), 0);
}

static int
connect_one(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const struct sockaddr *any = (const void *)&name;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(name.sun_path, address + 5, strlen(address + 5) + 1);
    assert_true(descriptor >= 0);
    assert_int_equal(connect(descriptor, any, sizeof(name)), 0);
    return descriptor;
}

static void
echo(int descriptor)
{
    SEND(descriptor, BEGIN(KEEP) DO("echo") PARAMS_END STDIN_END);
    fcgi_client_expect(descriptor, "echo");
}

/* Begin requests until all loops are blocked but one, which has the last
 * request: its body is not sent. The first loop is among the blocked. */
static void
occupy(int descriptors[static LOOPS])
{
    for (size_t i = 0; i < LOOPS - 1; i++) {
        descriptors[i] = connect_one();
        SEND(descriptors[i], BEGIN(KEEP) DO("pick") PARAMS_END STDIN_END);
        await_report('b');
    }
    descriptors[LOOPS - 1] = connect_one();
    SEND(descriptors[LOOPS - 1], BEGIN(KEEP) DO("read") PARAMS_END);
    await_report('b');
}

/* Unblock the loops. */
static void
open_gate(int descriptors[static LOOPS])
{
    assert_int_equal(write(gate[1], "xxxxxxxx", LOOPS - 1), LOOPS - 1);
    for (size_t i = 0; i < LOOPS - 1; i++) {
        fcgi_client_expect(descriptors[i], "pick");
        fcgi_client_expect_closed(descriptors[i]);
    }
}

static void
test_all_loops_serve(void **state)
{
    int descriptors[MANY];

    (void)state;
    start();
    for (size_t i = 0; i < MANY; i++)
        descriptors[i] = connect_one();
    for (int turn = 0; turn < 20; turn++)
        for (size_t i = 0; i < MANY; i++)
            echo(descriptors[i]);
    for (size_t i = 0; i < MANY; i++)
        close(descriptors[i]);
    stop(SIGTERM);
}

static void
test_signals(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGUSR1};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(signals); i++) {
        int descriptor;

        if (i > 0)
            assert_int_equal(set_up(NULL), 0);
        options.loops = 1;
        start();
        descriptor = connect_one();
        echo(descriptor);
        stop(signals[i]);
        fcgi_client_expect_closed(descriptor);
        if (i + 1 < PST_COUNT(signals))
            tear_down(NULL);
    }
}

static void
test_hangup_reloads(void **state)
{
    int descriptor = connect_one();

    (void)state;
    start();
    for (int i = 0; i < 3; i++) {
        kill(getpid(), SIGHUP);
        await_report('r');
        echo(descriptor);
    }
    close(descriptor);
    stop(SIGTERM);
}

static void
test_hangup_without_reload(void **state)
{
    int descriptor = connect_one();

    (void)state;
    handler.reload = NULL;
    start();
    kill(getpid(), SIGHUP);
    echo(descriptor);
    close(descriptor);
    stop(SIGTERM);
    handler.reload = reload;
}

/*
 * A request runs in one loop, and the others have nothing to do: they wait for
 * it. Once the first loop waited for five seconds only.
 */
static void
test_drain_waits_for_all_loops(void **state)
{
    int descriptors[LOOPS];

    (void)state;
    start();
    occupy(descriptors);
    kill(getpid(), SIGTERM);
    open_gate(descriptors);
    SEND(descriptors[LOOPS - 1], STDIN_END);
    fcgi_client_expect(descriptors[LOOPS - 1], "read");
    fcgi_client_expect_closed(descriptors[LOOPS - 1]);
    pthread_join(thread, NULL);
    assert_int_equal(status, EX_OK);
    assert_int_equal(early_joins, 0);
    assert_int_equal(freed, LOOPS);
}

/* The second signal reaches the loop that still works, though the first loop
 * has finished. */
static void
test_second_signal(void **state)
{
    int descriptors[LOOPS];

    (void)state;
    start();
    occupy(descriptors);
    kill(getpid(), SIGTERM);
    open_gate(descriptors);
    kill(getpid(), SIGTERM);
    assert_false(fcgi_client_receive(descriptors[LOOPS - 1], (char[1]){0}, 1));
    close(descriptors[LOOPS - 1]);
    pthread_join(thread, NULL);
    assert_int_equal(status, EX_OK);
    assert_int_equal(early_joins, 0);
}

/* One loop hangs at the end, with a request that never returns: the process
 * ends anyway, with success. In a process of its own. */
static void
test_stuck_loop(void **state)
{
    int descriptors[2];
    int result = -1;
    pid_t child;

    (void)state;
    options.loops = 2;
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(TIMEOUT);
        is_child = true;
        _exit(server_run(&options, &handler) == EX_OK ? 1 : 2);
    }
    for (size_t i = 0; i < 2; i++) {
        descriptors[i] = connect_one();
        SEND(descriptors[i], BEGIN(KEEP) DO("hang") PARAMS_END STDIN_END);
        await_report('b');
    }
    await_report('m'); /* the first loop goes on */
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), EX_OK);
    close(descriptors[0]);
    close(descriptors[1]);
    listen_close(&sockets);
}

static void *
no_state(void *context)
{
    (void)context;
    return NULL;
}

static void
test_cannot_start(void **state)
{
    (void)state;
    options.loops = 1;
    handler.new_state = no_state;
    assert_int_equal(server_run(&options, &handler), EX_OSERR);
    assert_int_not_equal(access(address + 5, F_OK), 0);
    handler.new_state = new_state;
}

static void
test_blocked_signals(void **state)
{
    sigset_t set;

    (void)state;
    server_unblock_signals();
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    assert_false(sigismember(&set, SIGTERM) || sigismember(&set, SIGHUP));
    server_block_signals();
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    assert_true(sigismember(&set, SIGTERM) && sigismember(&set, SIGINT));
    assert_true(sigismember(&set, SIGUSR1) && sigismember(&set, SIGHUP));
}

#define SERVER_TEST(test) \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocked_signals),
        SERVER_TEST(test_all_loops_serve),
        SERVER_TEST(test_signals),
        SERVER_TEST(test_hangup_reloads),
        SERVER_TEST(test_hangup_without_reload),
        SERVER_TEST(test_drain_waits_for_all_loops),
        SERVER_TEST(test_second_signal),
        SERVER_TEST(test_stuck_loop),
        SERVER_TEST(test_cannot_start),
    };
    int failed;

    alarm(TIMEOUT);
    signal(SIGPIPE, SIG_IGN);
    server_block_signals();
    if (!mkdtemp(folder))
        return 1;
    snprintf(address, sizeof(address), "unix:%s/socket", folder);
    failed = cmocka_run_group_tests_name("server", tests, NULL, NULL);
    rmdir(folder);
    return failed;
}

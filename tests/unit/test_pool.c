/* SPDX-License-Identifier: ISC */
/*
 * test_pool.c - connections are heard whenever they speak, and cost nothing
 * while they are silent. FastCGI does not come into it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pool.h"

#define MANY 40

static char folder[] = "/tmp/test_pool_XXXXXX";
static char address[80];
static struct listen_sockets sockets;
static pthread_t thread;
static enum pool_end how;

static void
pause_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

static atomic_size_t begun; /* workers */

static void *
begin(void *context)
{
    begun++;
    return context;
}

static void
end(void *state)
{
    (void)state;
}

/*
 * One octet is a request: 'e' is echoed, 'c' closes, 's' sleeps for a while
 * and is echoed, 'w' waits for another octet, 'h' hangs.
 */
static bool
hear(void *state, int descriptor)
{
    char octet = 0;
    ssize_t got = read(descriptor, &octet, 1);

    (void)state;
    if (got == 1 && octet == 's')
        pause_ms(300);
    if (got == 1 && octet == 'h')
        pause_ms(4000);
    if (got == 1 && octet == 'w')
        got = read(descriptor, &octet, 1);
    if (got == 1 && octet != 'c' && write(descriptor, &octet, 1) == 1)
        return true;
    close(descriptor);
    return false;
}

static const struct crew_work work = {folder, begin, hear, end};
static const struct listen_peers everybody;

static void *
run(void *argument)
{
    const struct pool_options *options = argument;

    how = pool_run(options);
    return NULL;
}

static struct pool_options options = {.sockets = &sockets,
                                      .peers = &everybody,
                                      .work = &work,
                                      .workers = 2,
                                      .drain = 5};

static int
start(int64_t drain)
{
    char why[LISTEN_WHY_MAX];

    options.drain = drain;
    if (listen_open(&sockets, address, why) != PST_OK)
        return -1;
    return pthread_create(&thread, NULL, run, &options);
}

static int
set_up(void **state)
{
    (void)state;
    return start(5);
}

static int
set_up_hasty(void **state)
{
    (void)state;
    return start(0);
}

/* End it as `number` does; how it came back. */
static enum pool_end
stop(int number)
{
    kill(getpid(), number);
    pthread_join(thread, NULL);
    return how;
}

static int
connect_one(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const struct sockaddr *any = (const void *)&name;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {.tv_sec = 10};

    memcpy(name.sun_path, address + 5, strlen(address + 5) + 1);
    assert_true(descriptor >= 0);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(descriptor, any, sizeof(name)), 0);
    return descriptor;
}

static void
say(int descriptor, char octet)
{
    assert_int_equal(send(descriptor, &octet, 1, MSG_NOSIGNAL), 1);
}

static void
assert_says(int descriptor, char octet)
{
    char got = 0;

    assert_int_equal(recv(descriptor, &got, 1, 0), 1);
    assert_int_equal(got, octet);
}

static void
assert_closed(int descriptor)
{
    char got;
    ssize_t len = recv(descriptor, &got, 1, 0);

    if (len > 0 || (len < 0 && errno == EAGAIN))
        fail_msg("not closed: %zd", len);
    close(descriptor);
}

static void
test_one_connection(void **state)
{
    int descriptor = connect_one();

    (void)state;
    for (int i = 0; i < 100; i++) {
        say(descriptor, 'e');
        assert_says(descriptor, 'e');
    }
    say(descriptor, 'c');
    assert_closed(descriptor);
    assert_int_equal(stop(SIGTERM), POOL_DRAINED);
}

static void
test_silence_costs_nothing(void **state)
{
    int descriptors[MANY];

    (void)state;
    for (size_t i = 0; i < MANY; i++)
        descriptors[i] = connect_one();
    for (size_t i = MANY; i > 0; i--) {
        say(descriptors[i - 1], 'e');
        assert_says(descriptors[i - 1], 'e');
    }
    for (size_t i = 0; i < MANY; i++)
        close(descriptors[i]);
    assert_int_equal(stop(SIGINT), POOL_DRAINED);
}

/* What all say at once is heard by two, in turn. */
static void
test_all_at_once(void **state)
{
    int descriptors[MANY];

    (void)state;
    for (size_t i = 0; i < MANY; i++)
        descriptors[i] = connect_one();
    for (int turn = 0; turn < 20; turn++) {
        for (size_t i = 0; i < MANY; i++)
            say(descriptors[i], 'e');
        for (size_t i = 0; i < MANY; i++)
            assert_says(descriptors[i], 'e');
    }
    for (size_t i = 0; i < MANY; i++)
        close(descriptors[i]);
    assert_int_equal(stop(SIGUSR1), POOL_DRAINED);
}

/* Nobody is called to hear that there is nothing to hear. */
static void
test_silent_closing(void **state)
{
    (void)state;
    begun = 0;
    for (size_t i = 0; i < MANY; i++)
        close(connect_one());
    pause_ms(50);
    assert_int_equal(begun, 0);
    assert_int_equal(stop(SIGTERM), POOL_DRAINED);
}

static void
test_hangup_signal_changes_nothing(void **state)
{
    int descriptor = connect_one();

    (void)state;
    kill(getpid(), SIGHUP);
    say(descriptor, 'e');
    assert_says(descriptor, 'e');
    close(descriptor);
    assert_int_equal(stop(SIGTERM), POOL_DRAINED);
}

static void
test_drain(void **state)
{
    int idle = connect_one();
    int busy = connect_one();
    int next = connect_one();
    int last = connect_one();

    (void)state;
    say(idle, 'e');
    assert_says(idle, 'e');
    say(busy, 's');
    say(next, 's');
    say(last, 's'); /* waits for one of two */
    pause_ms(50);
    kill(getpid(), SIGTERM);
    assert_closed(idle);
    assert_says(busy, 's');
    assert_says(next, 's');
    assert_says(last, 's');
    assert_closed(busy);
    assert_closed(next);
    assert_closed(last);
    pthread_join(thread, NULL);
    assert_int_equal(how, POOL_DRAINED);
    assert_int_not_equal(access(address + 5, F_OK), 0);
}

/* A worker that waits for its client is not waited for any longer. */
static void
test_drain_ends(void **state)
{
    int descriptor = connect_one();

    (void)state;
    say(descriptor, 'w');
    pause_ms(50);
    assert_int_equal(stop(SIGTERM), POOL_DRAINED);
    assert_closed(descriptor);
}

static void
test_second_signal(void **state)
{
    int descriptor = connect_one();

    (void)state;
    say(descriptor, 'w');
    pause_ms(50);
    kill(getpid(), SIGTERM);
    pause_ms(50);
    assert_int_equal(stop(SIGTERM), POOL_DRAINED);
    assert_closed(descriptor);
}

/* In a process of its own, which a thread that hangs does not survive. */
static void
test_cut(void **state)
{
    char why[LISTEN_WHY_MAX];
    enum pool_end end_of_child = POOL_FAILED;
    int descriptor;
    int told[2];
    pid_t child;

    (void)state;
    options.drain = 0;
    assert_int_equal(pipe(told), 0);
    assert_int_equal(listen_open(&sockets, address, why), PST_OK);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        how = pool_run(&options);
        if (write(told[1], &how, sizeof(how)) == (ssize_t)sizeof(how))
            execl("/bin/true", "true", NULL); /* ends all threads */
        _exit(1);
    }
    descriptor = connect_one();
    say(descriptor, 'h');
    pause_ms(100);
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(read(told[0], &end_of_child, sizeof(end_of_child)),
                     sizeof(end_of_child));
    assert_int_equal(end_of_child, POOL_CUT);
    assert_closed(descriptor);
    close(told[0]);
    close(told[1]);
    listen_close(&sockets);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_connection, set_up),
        cmocka_unit_test_setup(test_silence_costs_nothing, set_up),
        cmocka_unit_test_setup(test_all_at_once, set_up),
        cmocka_unit_test_setup(test_silent_closing, set_up),
        cmocka_unit_test_setup(test_hangup_signal_changes_nothing, set_up),
        cmocka_unit_test_setup(test_drain, set_up),
        cmocka_unit_test_setup(test_drain_ends, set_up_hasty),
        cmocka_unit_test_setup(test_second_signal, set_up),
        cmocka_unit_test(test_cut),
    };
    int failed;

    pool_block_signals();
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return 1;
    snprintf(address, sizeof(address), "unix:%s/socket", folder);
    failed = cmocka_run_group_tests_name("pool", tests, NULL, NULL);
    rmdir(folder);
    return failed;
}

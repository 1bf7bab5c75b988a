/* SPDX-License-Identifier: ISC */
/*
 * test_dispatcher.c - requests reach threads, idle connections cost nothing,
 * and signals end it all. Without FastCGI: a request is one byte.
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
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/dispatcher.h"
#include "fake_clock.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */
#define MANY 40
#define CROWD 300 /* more than are accepted for one event */

static char folder[] = "/tmp/test_dispatcher_XXXXXX";
static char address[80];
static char other_address[80];
static char log_path[80];
static struct listen_sockets sockets;
static pthread_t thread;
static enum dispatcher_result result;

/* What the replaced functions and the callbacks counted; under the lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t requests;    /* how often handle_byte() has read a byte */
    size_t releases;    /* 1 or more: requests 's' are echoed */
    size_t stateless;   /* how often new_state() has failed */
    size_t hangups;     /* how often on_hangup() was called */
    size_t timed_waits; /* how often epoll_wait() had a time limit */
    size_t refusals;    /* how often accept4() had no descriptors */
    int64_t skipped;    /* milliseconds that epoll_wait() did not wait */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER};

static void
count(size_t *number)
{
    pthread_mutex_lock(&seen.lock);
    (*number)++;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

static size_t
number_of(const size_t *number)
{
    size_t now;

    pthread_mutex_lock(&seen.lock);
    now = *number;
    pthread_mutex_unlock(&seen.lock);
    return now;
}

/* Wait until one of the counters above has this value. */
static void
await(const size_t *number, size_t wanted)
{
    pthread_mutex_lock(&seen.lock);
    while (*number < wanted)
        pthread_cond_wait(&seen.changed, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
}

static atomic_size_t begun;          /* threads */
static atomic_size_t states_missing; /* how often new_state() will fail */

static void *
new_state(void *context)
{
    if (states_missing > 0) {
        states_missing--;
        count(&seen.stateless);
        return NULL;
    }
    begun++;
    return context;
}

static void
free_state(void *state)
{
    (void)state;
}

static int hang_report = -1; /* 'h' is written to it before the thread hangs */

/*
 * Requests: 'e' is echoed, 'c' closes, 's' is echoed after a release, 'w'
 * waits for another byte, 'h' hangs.
 */
static bool
handle_byte(void *state, int descriptor)
{
    char byte = 0;
    ssize_t got = read(descriptor, &byte, 1);

    (void)state;
    count(&seen.requests);
    if (got == 1 && byte == 's') {
        await(&seen.releases, 1);
    } else if (got == 1 && byte == 'h') {
        assert_int_equal(write(hang_report, &byte, 1), 1);
        await(&seen.releases, SIZE_MAX);
    }
    if (got == 1 && byte == 'w')
        got = read(descriptor, &byte, 1);
    if (got == 1 && byte != 'c' && write(descriptor, &byte, 1) == 1)
        return true;
    close(descriptor);
    return false;
}

static atomic_bool is_scarce;      /* accept4() has no descriptors */
static atomic_size_t accepts_lost; /* how many more accept4() will lose */
static atomic_size_t adds_spared;  /* so many EPOLL_CTL_ADD succeed ... */
static atomic_size_t adds_failed;  /* ... and then so many fail */

/* Replaces the C library's function: a connection arrives without a free
 * descriptor, or is closed at once. */
int scarce_accept(int socket, struct sockaddr *peer, socklen_t *len,
                  int flags) __asm__("accept4");

int
scarce_accept(int socket, struct sockaddr *peer, socklen_t *len, int flags)
{
    int descriptor;

    if (is_scarce) {
        count(&seen.refusals);
        errno = EMFILE;
        return -1;
    }
    descriptor = (int)syscall(SYS_accept4, socket, peer, len, flags);
    if (descriptor < 0 || accepts_lost == 0)
        return descriptor;
    accepts_lost--;
    close(descriptor);
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

static atomic_bool is_time_skipped; /* epoll_wait() need not really wait */

/* Replaces the C library's: time can pass at once. */
int skipping_wait(int epoll, struct epoll_event *events, int max,
                  int timeout) __asm__("epoll_wait");

int
skipping_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    bool is_skipped = is_time_skipped && timeout > 0;
    int got;

    if (timeout >= 0)
        count(&seen.timed_waits);
    got = epoll_pwait(epoll, events, max, is_skipped ? 0 : timeout, NULL);
    if (is_skipped && got == 0) {
        fake_clock_advance(timeout);
        pthread_mutex_lock(&seen.lock);
        seen.skipped += timeout;
        pthread_cond_broadcast(&seen.changed);
        pthread_mutex_unlock(&seen.lock);
    }
    return got;
}

static void
on_hangup(void *context)
{
    assert_ptr_equal(context, folder);
    count(&seen.hangups);
}

static const struct thread_pool_work work = {folder, new_state, handle_byte,
                                             free_state};
static const struct peer_list everybody;

static void *
run(void *argument)
{
    const struct dispatcher_options *options = argument;

    result = dispatcher_run(options);
    return NULL;
}

static struct dispatcher_options options = {.sockets = &sockets,
                                            .peers = &everybody,
                                            .work = &work,
                                            .workers = 2,
                                            .drain = 5,
                                            .on_hangup = on_hangup,
                                            .on_hangup_context = folder};

static void
reset(void)
{
    seen.requests = seen.releases = seen.stateless = seen.hangups = 0;
    seen.timed_waits = seen.refusals = 0;
    seen.skipped = 0;
    is_time_skipped = false;
    options.on_hangup = on_hangup;
}

static int
start(int64_t drain)
{
    char reason[LISTEN_ERROR_MAX];

    options.drain = drain;
    if (listen_open(&sockets, address, reason) != PST_OK)
        return -1;
    return pthread_create(&thread, NULL, run, &options);
}

static int
set_up(void **state)
{
    (void)state;
    reset();
    return start(5);
}

static int
set_up_without_hangup(void **state)
{
    (void)state;
    reset();
    options.on_hangup = NULL;
    return start(5);
}

static int
set_up_without_drain(void **state)
{
    (void)state;
    reset();
    return start(0);
}

/* Wait until the dispatcher has handled all earlier events. */
static void
wait_for_dispatcher(void)
{
    size_t before = number_of(&seen.hangups);

    kill(getpid(), SIGHUP);
    await(&seen.hangups, before + 1);
}

/* Send a signal and wait for dispatcher_run() to return. */
static enum dispatcher_result
stop(int number)
{
    kill(getpid(), number);
    pthread_join(thread, NULL);
    return result;
}

static int
connect_to(const char *where)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const struct sockaddr *any = (const void *)&name;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {.tv_sec = 10};

    memcpy(name.sun_path, where + 5, strlen(where + 5) + 1);
    assert_true(descriptor >= 0);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(descriptor, any, sizeof(name)), 0);
    return descriptor;
}

static int
connect_one(void)
{
    return connect_to(address);
}

static void
send_byte(int descriptor, char byte)
{
    assert_int_equal(send(descriptor, &byte, 1, MSG_NOSIGNAL), 1);
}

static void
assert_receives(int descriptor, char byte)
{
    char got = 0;

    assert_int_equal(recv(descriptor, &got, 1, 0), 1);
    assert_int_equal(got, byte);
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
        send_byte(descriptor, 'e');
        assert_receives(descriptor, 'e');
    }
    send_byte(descriptor, 'c');
    assert_closed(descriptor);
    assert_int_equal(stop(SIGTERM), DISPATCHER_DRAINED);
}

static void
test_idle_connections_hold_no_thread(void **state)
{
    int descriptors[MANY];

    (void)state;
    for (size_t i = 0; i < MANY; i++)
        descriptors[i] = connect_one();
    for (size_t i = MANY; i > 0; i--) {
        send_byte(descriptors[i - 1], 'e');
        assert_receives(descriptors[i - 1], 'e');
    }
    for (size_t i = 0; i < MANY; i++)
        close(descriptors[i]);
    assert_int_equal(stop(SIGINT), DISPATCHER_DRAINED);
}

/* Two threads handle what all connections send at once. */
static void
test_all_at_once(void **state)
{
    int descriptors[MANY];

    (void)state;
    for (size_t i = 0; i < MANY; i++)
        descriptors[i] = connect_one();
    for (int turn = 0; turn < 20; turn++) {
        for (size_t i = 0; i < MANY; i++)
            send_byte(descriptors[i], 'e');
        for (size_t i = 0; i < MANY; i++)
            assert_receives(descriptors[i], 'e');
    }
    for (size_t i = 0; i < MANY; i++)
        close(descriptors[i]);
    assert_int_equal(stop(SIGUSR1), DISPATCHER_DRAINED);
}

/* No thread starts for connections that send nothing. */
static void
test_closing_starts_no_thread(void **state)
{
    (void)state;
    begun = 0;
    for (size_t i = 0; i < MANY; i++)
        close(connect_one());
    wait_for_dispatcher(); /* it has accepted them ... */
    wait_for_dispatcher(); /* ... and noticed that they are closed */
    assert_int_equal(stop(SIGTERM), DISPATCHER_DRAINED);
    assert_int_equal(begun, 0);
}

static void
test_hangup_signal_changes_nothing(void **state)
{
    int descriptor = connect_one();

    (void)state;
    kill(getpid(), SIGHUP);
    send_byte(descriptor, 'e');
    assert_receives(descriptor, 'e');
    close(descriptor);
    assert_int_equal(stop(SIGTERM), DISPATCHER_DRAINED);
}

static void
test_drain(void **state)
{
    int idle = connect_one();
    int busy = connect_one();
    int next = connect_one();
    int last = connect_one();

    (void)state;
    send_byte(idle, 'e');
    assert_receives(idle, 'e');
    send_byte(busy, 's');
    send_byte(next, 's');
    await(&seen.requests, 3);
    send_byte(last, 's'); /* waits for one of the two threads */
    wait_for_dispatcher();
    kill(getpid(), SIGTERM);
    assert_closed(idle);
    count(&seen.releases);
    assert_receives(busy, 's');
    assert_receives(next, 's');
    assert_receives(last, 's');
    assert_closed(busy);
    assert_closed(next);
    assert_closed(last);
    pthread_join(thread, NULL);
    assert_int_equal(result, DISPATCHER_DRAINED);
    assert_int_not_equal(access(address + 5, F_OK), 0);
}

/* Is this in the log? Empties the log. */
static bool
log_holds(const char *words)
{
    static char text[4096];
    FILE *file = fopen(log_path, "r");
    size_t len;

    assert_non_null(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    assert_int_equal(truncate(log_path, 0), 0);
    return strstr(text, words) != NULL;
}

/*
 * All connections that wait at our socket when the signal arrives are served.
 * Once only the first 64 were. And the socket's own event, which came together
 * with the signal's, met a closed descriptor, and was logged as "full".
 */
static void
test_drain_of_a_crowd(void **state)
{
    static int descriptors[CROWD];
    char reason[LISTEN_ERROR_MAX];

    (void)state;
    reset();
    assert_int_equal(
        log_open(&options.log, log_path, LOG_LOGFMT, LEVEL_INFO, "test"),
        PST_OK);
    options.drain = 5;
    assert_int_equal(listen_open(&sockets, address, reason), PST_OK);
    for (size_t i = 0; i < CROWD; i++) {
        descriptors[i] = connect_one();
        send_byte(descriptors[i], 'e');
    }
    kill(getpid(), SIGTERM);
    assert_int_equal(pthread_create(&thread, NULL, run, &options), 0);
    for (size_t i = 0; i < CROWD; i++) {
        assert_receives(descriptors[i], 'e');
        assert_closed(descriptors[i]);
    }
    pthread_join(thread, NULL);
    assert_int_equal(result, DISPATCHER_DRAINED);
    log_close(&options.log);
    assert_false(log_holds("event=connections-full"));
}

/*
 * A request waits for a thread that could not start, and at the same time
 * accepting resumes after a pause. The dispatcher once forgot the first, and
 * slept until something else happened.
 */
static void
test_no_thread_and_no_descriptor(void **state)
{
    int descriptor = connect_one();

    (void)state;
    states_missing = 1;
    send_byte(descriptor, 'e');
    await(&seen.stateless, 1);
    await(&seen.timed_waits, 1); /* until a thread can start */
    accepts_lost = 1;
    is_time_skipped = true;
    assert_closed(connect_one());
    assert_receives(descriptor, 'e');
    close(descriptor);
    is_time_skipped = false;
    assert_int_equal(stop(SIGTERM), DISPATCHER_DRAINED);
}

/* While descriptors are short, accepting is tried now and then, not all the
 * time: the dispatcher once used a whole processor. */
static void
test_short_of_descriptors(void **state)
{
    int descriptor;

    (void)state;
    is_scarce = true;
    is_time_skipped = true;
    descriptor = connect_one();
    send_byte(descriptor, 'e');
    pthread_mutex_lock(&seen.lock);
    while (seen.skipped < 1000 && seen.refusals < 100)
        pthread_cond_wait(&seen.changed, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
    is_scarce = false;
    assert_receives(descriptor, 'e');
    close(descriptor);
    is_time_skipped = false;
    assert_int_equal(stop(SIGTERM), DISPATCHER_DRAINED);
    assert_true(seen.skipped >= 1000);
    assert_in_range(seen.refusals, 1, seen.skipped / 100 + 1);
    assert_in_range(seen.timed_waits, 1, seen.skipped / 100 + 10);
}

/*
 * After a pause the first of two sockets is watched again, and adding the
 * second fails once. The next attempt once failed for ever, since the first
 * was already watched.
 */
static void
test_one_socket_of_two_is_watched(void **state)
{
    struct listen_sockets second;
    char reason[LISTEN_ERROR_MAX];
    int descriptor;

    (void)state;
    reset();
    options.drain = 5;
    assert_int_equal(listen_open(&sockets, address, reason), PST_OK);
    assert_int_equal(listen_open(&second, other_address, reason), PST_OK);
    sockets.list[sockets.count++] = second.list[0];
    assert_int_equal(pthread_create(&thread, NULL, run, &options), 0);
    descriptor = connect_one();
    send_byte(descriptor, 'c');
    assert_closed(descriptor); /* no idle one can make room */
    adds_spared = 1;
    adds_failed = 1;
    accepts_lost = 1;
    is_time_skipped = true;
    assert_closed(connect_one());
    descriptor = connect_to(other_address);
    send_byte(descriptor, 'e');
    assert_receives(descriptor, 'e');
    close(descriptor);
    assert_int_equal(adds_failed, 0);
    is_time_skipped = false;
    assert_int_equal(stop(SIGTERM), DISPATCHER_DRAINED);
}

/* A thread that waits for its client is not waited for after the deadline. */
static void
test_drain_ends(void **state)
{
    int descriptor = connect_one();

    (void)state;
    send_byte(descriptor, 'w');
    await(&seen.requests, 1);
    assert_int_equal(stop(SIGTERM), DISPATCHER_DRAINED);
    assert_closed(descriptor);
}

static void
test_second_signal(void **state)
{
    int descriptor = connect_one();
    size_t timed_waits;

    (void)state;
    send_byte(descriptor, 'w');
    await(&seen.requests, 1);
    timed_waits = number_of(&seen.timed_waits);
    kill(getpid(), SIGTERM);
    await(&seen.timed_waits, timed_waits + 1); /* it drains */
    assert_int_equal(stop(SIGTERM), DISPATCHER_DRAINED);
    assert_closed(descriptor);
}

/* In its own process, because a thread hangs at the end. */
static void
test_abort(void **state)
{
    char reason[LISTEN_ERROR_MAX];
    enum dispatcher_result result_of_child = DISPATCHER_FAILED;
    int descriptor;
    int report[2];
    int hang[2];
    char byte = 0;
    pid_t child;

    (void)state;
    reset();
    options.drain = 0;
    assert_int_equal(pipe(report), 0);
    assert_int_equal(pipe(hang), 0);
    assert_int_equal(listen_open(&sockets, address, reason), PST_OK);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(TIMEOUT);
        hang_report = hang[1];
        is_time_skipped = true;
        result = dispatcher_run(&options);
        if (write(report[1], &result, sizeof(result)) ==
            (ssize_t)sizeof(result))
            execl("/bin/true", "true", NULL); /* ends all threads */
        _exit(1);
    }
    descriptor = connect_one();
    send_byte(descriptor, 'h');
    assert_int_equal(read(hang[0], &byte, 1), 1);
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(read(report[0], &result_of_child, sizeof(result_of_child)),
                     sizeof(result_of_child));
    assert_int_equal(result_of_child, DISPATCHER_ABORTED);
    assert_closed(descriptor);
    close(report[0]);
    close(report[1]);
    close(hang[0]);
    close(hang[1]);
    listen_close(&sockets);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_connection, set_up),
        cmocka_unit_test_setup(test_idle_connections_hold_no_thread, set_up),
        cmocka_unit_test_setup(test_all_at_once, set_up),
        cmocka_unit_test_setup(test_closing_starts_no_thread, set_up),
        cmocka_unit_test_setup(test_hangup_signal_changes_nothing,
                               set_up_without_hangup),
        cmocka_unit_test_setup(test_drain, set_up),
        cmocka_unit_test(test_drain_of_a_crowd),
        cmocka_unit_test_setup(test_no_thread_and_no_descriptor, set_up),
        cmocka_unit_test_setup(test_short_of_descriptors, set_up),
        cmocka_unit_test(test_one_socket_of_two_is_watched),
        cmocka_unit_test_setup(test_drain_ends, set_up_without_drain),
        cmocka_unit_test_setup(test_second_signal, set_up),
        cmocka_unit_test(test_abort),
    };
    int failed;

    alarm(TIMEOUT);
    dispatcher_block_signals();
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return 1;
    snprintf(address, sizeof(address), "unix:%s/socket", folder);
    snprintf(other_address, sizeof(other_address), "unix:%s/other", folder);
    snprintf(log_path, sizeof(log_path), "%s/log", folder);
    failed = cmocka_run_group_tests_name("dispatcher", tests, NULL, NULL);
    unlink(log_path);
    rmdir(folder);
    return failed;
}

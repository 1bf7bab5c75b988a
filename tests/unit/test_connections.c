/* SPDX-License-Identifier: ISC */
/*
 * test_connections.c - connections are heard whenever they speak, and cost
 * nothing while they are silent. FastCGI does not come into it.
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

#include "engine/connections.h"
#include "fake_clock.h"

#define TIMEOUT 60 /* seconds; then something waited for does not happen */
#define MANY 40
#define CROWD 300 /* more than are accepted in one go */

static char folder[] = "/tmp/test_pool_XXXXXX";
static char address[80];
static char other_address[80];
static char log_path[80];
static struct listen_sockets sockets;
static pthread_t thread;
static enum connections_result how;

/* What has happened in other threads; under the lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t hearing;     /* how often handle_byte() had read an byte */
    size_t released;    /* how many 's' may go on */
    size_t stateless;   /* how often begin() gave no state */
    size_t hangups;     /* how often hung_up() was called */
    size_t turns;       /* how often the dispatcher waited for some time only */
    size_t refusals;    /* how often accept4() had no descriptor */
    int64_t time_flown; /* milliseconds that passed in an instant */
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

/* Wait until it is so many. */
static void
await(const size_t *number, size_t wanted)
{
    pthread_mutex_lock(&seen.lock);
    while (*number < wanted)
        pthread_cond_wait(&seen.changed, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
}

static atomic_size_t begun; /* workers */
static atomic_size_t blind; /* how many more will have no state */

static void *
begin(void *context)
{
    if (blind > 0) {
        blind--;
        count(&seen.stateless);
        return NULL;
    }
    begun++;
    return context;
}

static void
end(void *state)
{
    (void)state;
}

static int hanging = -1; /* 'h' is written to it as well */

/*
 * One byte is a request: 'e' is echoed, 'c' closes, 's' is echoed when it is
 * released, 'w' waits for another byte, 'h' hangs.
 */
static bool
handle_byte(void *state, int descriptor)
{
    char byte = 0;
    ssize_t got = read(descriptor, &byte, 1);

    (void)state;
    count(&seen.hearing);
    if (got == 1 && byte == 's') {
        await(&seen.released, 1);
    } else if (got == 1 && byte == 'h') {
        assert_int_equal(write(hanging, &byte, 1), 1);
        await(&seen.released, SIZE_MAX);
    }
    if (got == 1 && byte == 'w')
        got = read(descriptor, &byte, 1);
    if (got == 1 && byte != 'c' && write(descriptor, &byte, 1) == 1)
        return true;
    close(descriptor);
    return false;
}

static atomic_bool is_scarce;      /* accept4() has no descriptor to give */
static atomic_size_t accepts_lost; /* how many more accept4() will lose */
static atomic_size_t adds_spared;  /* these EPOLL_CTL_ADD go well ... */
static atomic_size_t adds_failed;  /* ... and then so many do not */

/* In the place of the C library's: a connection comes when there is no
 * descriptor for it, and goes. */
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

/* In the place of the C library's: the kernel has no memory for a watch. */
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

/* The dispatcher need not really wait where it waits for some time only. */
static atomic_bool time_flies;

/* In the place of the C library's. */
int quick_wait(int epoll, struct epoll_event *events, int max,
               int timeout) __asm__("epoll_wait");

int
quick_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    bool is_quick = time_flies && timeout > 0;
    int got;

    if (timeout >= 0)
        count(&seen.turns);
    got = (int)syscall(SYS_epoll_wait, epoll, events, max,
                       is_quick ? 0 : timeout);
    if (is_quick && got == 0) {
        fake_clock_advance(timeout);
        pthread_mutex_lock(&seen.lock);
        seen.time_flown += timeout;
        pthread_cond_broadcast(&seen.changed);
        pthread_mutex_unlock(&seen.lock);
    }
    return got;
}

static void
hung_up(void *context)
{
    assert_ptr_equal(context, folder);
    count(&seen.hangups);
}

static const struct thread_pool_work work = {folder, begin, handle_byte, end};
static const struct listen_peers everybody;

static void *
run(void *argument)
{
    const struct connections_options *options = argument;

    how = connections_run(options);
    return NULL;
}

static struct connections_options options = {.sockets = &sockets,
                                             .peers = &everybody,
                                             .work = &work,
                                             .workers = 2,
                                             .drain = 5,
                                             .on_hangup = hung_up};

static void
forget(void)
{
    seen.hearing = seen.released = seen.stateless = seen.hangups = 0;
    seen.turns = seen.refusals = 0;
    seen.time_flown = 0;
    time_flies = false;
    options.on_hangup = hung_up;
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
    forget();
    return start(5);
}

static int
set_up_without_hangup(void **state)
{
    (void)state;
    forget();
    options.on_hangup = NULL;
    return start(5);
}

static int
set_up_hasty(void **state)
{
    (void)state;
    forget();
    return start(0);
}

/* Wait until the dispatcher has done with whatever came before. */
static void
fence(void)
{
    size_t before = number_of(&seen.hangups);

    kill(getpid(), SIGHUP);
    await(&seen.hangups, before + 1);
}

/* End it as `number` does; how it came back. */
static enum connections_result
stop(int number)
{
    kill(getpid(), number);
    pthread_join(thread, NULL);
    return how;
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
say(int descriptor, char byte)
{
    assert_int_equal(send(descriptor, &byte, 1, MSG_NOSIGNAL), 1);
}

static void
assert_says(int descriptor, char byte)
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
        say(descriptor, 'e');
        assert_says(descriptor, 'e');
    }
    say(descriptor, 'c');
    assert_closed(descriptor);
    assert_int_equal(stop(SIGTERM), CONNECTIONS_DRAINED);
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
    assert_int_equal(stop(SIGINT), CONNECTIONS_DRAINED);
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
    assert_int_equal(stop(SIGUSR1), CONNECTIONS_DRAINED);
}

/* Nobody is called to hear that there is nothing to hear. */
static void
test_silent_closing(void **state)
{
    (void)state;
    begun = 0;
    for (size_t i = 0; i < MANY; i++)
        close(connect_one());
    fence(); /* it has accepted them, */
    fence(); /* and seen that they are closed */
    assert_int_equal(begun, 0);
    assert_int_equal(stop(SIGTERM), CONNECTIONS_DRAINED);
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
    assert_int_equal(stop(SIGTERM), CONNECTIONS_DRAINED);
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
    await(&seen.hearing, 3);
    say(last, 's'); /* waits for one of two */
    fence();
    kill(getpid(), SIGTERM);
    assert_closed(idle);
    count(&seen.released);
    assert_says(busy, 's');
    assert_says(next, 's');
    assert_says(last, 's');
    assert_closed(busy);
    assert_closed(next);
    assert_closed(last);
    pthread_join(thread, NULL);
    assert_int_equal(how, CONNECTIONS_DRAINED);
    assert_int_not_equal(access(address + 5, F_OK), 0);
}

/* Does the log hold this? It is emptied. */
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
 * All that has reached our socket when the end comes is served. Only the
 * first 64 were; and the socket's own event, which came together with the
 * signal's, met a descriptor closed by then, and was logged as a full house.
 */
static void
test_drain_of_a_crowd(void **state)
{
    static int descriptors[CROWD];
    char reason[LISTEN_ERROR_MAX];

    (void)state;
    forget();
    assert_int_equal(
        log_open(&options.log, log_path, LOG_LOGFMT, LEVEL_INFO, "test"),
        PST_OK);
    options.drain = 5;
    assert_int_equal(listen_open(&sockets, address, reason), PST_OK);
    for (size_t i = 0; i < CROWD; i++) {
        descriptors[i] = connect_one();
        say(descriptors[i], 'e');
    }
    kill(getpid(), SIGTERM);
    assert_int_equal(pthread_create(&thread, NULL, run, &options), 0);
    for (size_t i = 0; i < CROWD; i++) {
        assert_says(descriptors[i], 'e');
        assert_closed(descriptors[i]);
    }
    pthread_join(thread, NULL);
    assert_int_equal(how, CONNECTIONS_DRAINED);
    log_close(&options.log);
    assert_false(log_holds("event=full"));
}

/*
 * A request waits for a worker that could not begin, and in the same moment
 * accepting begins again after a pause: the dispatcher forgot the one over
 * the other, and slept until something else happened.
 */
static void
test_no_worker_and_no_descriptor(void **state)
{
    int descriptor = connect_one();

    (void)state;
    blind = 1;
    say(descriptor, 'e');
    await(&seen.stateless, 1);
    await(&seen.turns, 1); /* until somebody can hear */
    accepts_lost = 1;
    time_flies = true;
    assert_closed(connect_one());
    assert_says(descriptor, 'e');
    close(descriptor);
    time_flies = false;
    assert_int_equal(stop(SIGTERM), CONNECTIONS_DRAINED);
}

/* While descriptors are short, the one who waits is looked at now and then,
 * not all the time: the dispatcher took a whole processor. */
static void
test_short_of_descriptors(void **state)
{
    int descriptor;

    (void)state;
    is_scarce = true;
    time_flies = true;
    descriptor = connect_one();
    say(descriptor, 'e');
    pthread_mutex_lock(&seen.lock);
    while (seen.time_flown < 1000 && seen.refusals < 100)
        pthread_cond_wait(&seen.changed, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
    is_scarce = false;
    assert_says(descriptor, 'e');
    close(descriptor);
    time_flies = false;
    assert_int_equal(stop(SIGTERM), CONNECTIONS_DRAINED);
    assert_true(seen.time_flown >= 1000);
    assert_true(seen.refusals > 0 &&
                seen.refusals <= (size_t)seen.time_flown / 100 + 1);
}

/*
 * One of two sockets cannot be watched again after a pause, for a moment.
 * The other was by then, and trying to watch it a second time failed for
 * good.
 */
static void
test_socket_watched_by_half(void **state)
{
    struct listen_sockets second;
    char reason[LISTEN_ERROR_MAX];
    int descriptor;

    (void)state;
    forget();
    options.drain = 5;
    assert_int_equal(listen_open(&sockets, address, reason), PST_OK);
    assert_int_equal(listen_open(&second, other_address, reason), PST_OK);
    sockets.list[sockets.count++] = second.list[0];
    assert_int_equal(pthread_create(&thread, NULL, run, &options), 0);
    descriptor = connect_one();
    say(descriptor, 'c');
    assert_closed(descriptor); /* none is idle that could make room */
    adds_spared = 1;
    adds_failed = 1;
    accepts_lost = 1;
    time_flies = true;
    assert_closed(connect_one());
    descriptor = connect_to(other_address);
    say(descriptor, 'e');
    assert_says(descriptor, 'e');
    close(descriptor);
    assert_int_equal(adds_failed, 0);
    time_flies = false;
    assert_int_equal(stop(SIGTERM), CONNECTIONS_DRAINED);
}

/* A worker that waits for its client is not waited for any longer. */
static void
test_drain_ends(void **state)
{
    int descriptor = connect_one();

    (void)state;
    say(descriptor, 'w');
    await(&seen.hearing, 1);
    assert_int_equal(stop(SIGTERM), CONNECTIONS_DRAINED);
    assert_closed(descriptor);
}

static void
test_second_signal(void **state)
{
    int descriptor = connect_one();
    size_t turns;

    (void)state;
    say(descriptor, 'w');
    await(&seen.hearing, 1);
    turns = number_of(&seen.turns);
    kill(getpid(), SIGTERM);
    await(&seen.turns, turns + 1); /* it drains */
    assert_int_equal(stop(SIGTERM), CONNECTIONS_DRAINED);
    assert_closed(descriptor);
}

/* In a process of its own, which a thread that hangs does not survive. */
static void
test_cut(void **state)
{
    char reason[LISTEN_ERROR_MAX];
    enum connections_result result_of_child = CONNECTIONS_FAILED;
    int descriptor;
    int told[2];
    int hung[2];
    char byte = 0;
    pid_t child;

    (void)state;
    forget();
    options.drain = 0;
    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(hung), 0);
    assert_int_equal(listen_open(&sockets, address, reason), PST_OK);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(TIMEOUT);
        hanging = hung[1];
        time_flies = true;
        how = connections_run(&options);
        if (write(told[1], &how, sizeof(how)) == (ssize_t)sizeof(how))
            execl("/bin/true", "true", NULL); /* ends all threads */
        _exit(1);
    }
    descriptor = connect_one();
    say(descriptor, 'h');
    assert_int_equal(read(hung[0], &byte, 1), 1);
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(read(told[0], &result_of_child, sizeof(result_of_child)),
                     sizeof(result_of_child));
    assert_int_equal(result_of_child, CONNECTIONS_ABORTED);
    assert_closed(descriptor);
    close(told[0]);
    close(told[1]);
    close(hung[0]);
    close(hung[1]);
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
        cmocka_unit_test_setup(test_hangup_signal_changes_nothing,
                               set_up_without_hangup),
        cmocka_unit_test_setup(test_drain, set_up),
        cmocka_unit_test(test_drain_of_a_crowd),
        cmocka_unit_test_setup(test_no_worker_and_no_descriptor, set_up),
        cmocka_unit_test_setup(test_short_of_descriptors, set_up),
        cmocka_unit_test(test_socket_watched_by_half),
        cmocka_unit_test_setup(test_drain_ends, set_up_hasty),
        cmocka_unit_test_setup(test_second_signal, set_up),
        cmocka_unit_test(test_cut),
    };
    int failed;

    alarm(TIMEOUT);
    connections_block_signals();
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return 1;
    snprintf(address, sizeof(address), "unix:%s/socket", folder);
    snprintf(other_address, sizeof(other_address), "unix:%s/other", folder);
    snprintf(log_path, sizeof(log_path), "%s/log", folder);
    failed = cmocka_run_group_tests_name("pool", tests, NULL, NULL);
    unlink(log_path);
    rmdir(folder);
    return failed;
}

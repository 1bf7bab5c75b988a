/* SPDX-License-Identifier: ISC */
/*
 * test_redis_socket.c - connecting, sending and receiving: all bytes arrive in
 * order, and a peer that is silent, gone or not there is an error in time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/blocking.h"
#include "fake_clock.h"
#include "store/redis_socket.h"

#define LARGE 300000

static struct blocking_pool *resolver;

static uint8_t large[LARGE];
static bool is_time_skipped; /* poll() need not really wait */
static unsigned poll_count;

/* Replaces the C library's: time can pass at once. */
int skipping_poll(struct pollfd *list, nfds_t count,
                  int timeout) __asm__("poll");

int
skipping_poll(struct pollfd *list, nfds_t count, int timeout)
{
    const struct timespec limit = {is_time_skipped ? 0 : timeout / 1000,
                                   is_time_skipped ? 0
                                                   : timeout % 1000 * 1000000L};
    int ready;

    poll_count++;
    ready = (int)syscall(SYS_ppoll, list, count, &limit, NULL, 0);

    if (ready == 0)
        fake_clock_advance(timeout);
    return ready;
}

/* Replaces the C library's, which can ask a distant server: no name exists. */
int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
            struct addrinfo **out)
{
    assert_string_equal(host, "no-such-host.invalid");
    assert_string_equal(service, "6379");
    (void)hints;
    (void)out;
    return EAI_NONAME;
}

static int
set_up(void **state)
{
    (void)state;
    is_time_skipped = false;
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (uint8_t)(i * 7 % 251);
    if (blocking_pool_new(&resolver, 1, 4) != PST_OK)
        return -1;
    return signal(SIGPIPE, SIG_DFL) == SIG_ERR ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    blocking_pool_free(&resolver);
    return 0;
}

/* Two sockets connected to each other; ours does not block. */
static void
make_pair(int pair[static 2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
}

static void
close_pair(const int pair[static 2])
{
    close(pair[0]);
    close(pair[1]);
}

struct peer {
    int socket;
    uint8_t got[LARGE];
    size_t len;
};

static void *
read_all(void *argument)
{
    struct peer *peer = argument;
    ssize_t more;

    while (peer->len < sizeof(peer->got) &&
           (more = read(peer->socket, peer->got + peer->len,
                        sizeof(peer->got) - peer->len)) > 0)
        peer->len += (size_t)more;
    return NULL;
}

/* More than the socket takes at once, in pieces, of which one is empty. */
static void
test_send(void **state)
{
    static struct peer peer;
    struct iovec pieces[] = {{large, 1},
                             {large + 1, 0},
                             {large + 1, 200000},
                             {large + 200001, 99999}};
    pthread_t thread;
    int pair[2];

    (void)state;
    make_pair(pair);
    peer.socket = pair[1];
    assert_int_equal(pthread_create(&thread, NULL, read_all, &peer), 0);
    assert_int_equal(redis_socket_send(pair[0], pieces, 4, clock_ms() + 10000),
                     0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(peer.len, LARGE);
    assert_memory_equal(peer.got, large, LARGE);
    close_pair(pair);
}

static void
test_send_nowhere(void **state)
{
    struct iovec pieces[] = {{large, LARGE}};
    int64_t begun = clock_ms();
    int pair[2];

    (void)state;
    make_pair(pair);
    while (send(pair[0], large, LARGE, 0) > 0)
        ;
    is_time_skipped = true;
    assert_int_equal(redis_socket_send(pair[0], pieces, 1, begun + 5000),
                     ETIMEDOUT);
    assert_int_equal(clock_ms(), begun + 5000);
    is_time_skipped = false;
    close(pair[1]);
    pieces[0] = (struct iovec){large, 1};
    assert_int_equal(redis_socket_send(pair[0], pieces, 1, clock_ms() + 10),
                     EPIPE);
    close(pair[0]);
}

static void
test_receive(void **state)
{
    size_t len = 9;
    char bytes[8];
    int64_t begun = clock_ms();
    int pair[2];

    (void)state;
    make_pair(pair);
    is_time_skipped = true;
    assert_int_equal(
        redis_socket_receive(pair[0], bytes, sizeof(bytes), begun + 5000, &len),
        ETIMEDOUT);
    assert_int_equal(clock_ms(), begun + 5000);
    is_time_skipped = false;
    assert_int_equal(len, 9);
    assert_int_equal(write(pair[1], "abc", 3), 3);
    assert_int_equal(redis_socket_receive(pair[0], bytes, sizeof(bytes),
                                          clock_ms() + 10000, &len),
                     0);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "abc", 3);
    close(pair[1]);
    assert_int_equal(redis_socket_receive(pair[0], bytes, sizeof(bytes),
                                          clock_ms() + 10000, &len),
                     0);
    assert_int_equal(len, 0);
    close(pair[0]);
}

/* A loop reports bytes once, so a reply that is larger than the buffer once
 * seemed to have no end. */
static void
test_receive_the_rest(void **state)
{
    char bytes[4];
    int pair[2];
    size_t len;

    (void)state;
    make_pair(pair);
    assert_int_equal(write(pair[1], "abcdefghij", 10), 10);
    poll_count = 0;
    for (size_t left = 10; left > 0; left -= len) {
        assert_int_equal(redis_socket_receive(pair[0], bytes, sizeof(bytes),
                                              clock_ms() + 10000, &len),
                         0);
        assert_int_equal(len, left < 4 ? left : 4);
    }
    assert_int_equal(poll_count, 0);
    close(pair[0]);
    close(pair[1]);
}

static void
test_connect(void **state)
{
    struct store_url url = {.kind = STORE_REDIS};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct redis_error error = {"", ""};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd;

    (void)state;
    assert_true(listener >= 0);
    (void)snprintf(url.path, sizeof(url.path), "/tmp/postern-socket-%ld",
                   (long)getpid());
    assert_int_equal(redis_socket_connect(&url, resolver, 1000, &error), -1);
    assert_string_equal(error.what, "cannot connect: ");
    assert_string_equal(error.cause, strerror(ENOENT));
    memcpy(address.sun_path, url.path, strlen(url.path));
    assert_int_equal(
        bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(redis_socket_connect(&url, resolver, 1000, &error), -1);
    assert_string_equal(error.cause, strerror(ECONNREFUSED));
    assert_int_equal(listen(listener, 1), 0);
    fd = redis_socket_connect(&url, resolver, 1000, &error);
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
    close(listener);
    assert_int_equal(unlink(url.path), 0);
}

static void
test_connect_by_name(void **state)
{
    struct store_url url = {
        .kind = STORE_REDIS, .host = "no-such-host.invalid", .port = "6379"};
    struct redis_error error = {"", ""};

    (void)state;
    assert_int_equal(redis_socket_connect(&url, resolver, 1000, &error), -1);
    assert_non_null(strstr(error.what, "cannot be resolved"));
    assert_string_equal(error.cause, gai_strerror(EAI_NONAME));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send),    cmocka_unit_test(test_send_nowhere),
        cmocka_unit_test(test_receive), cmocka_unit_test(test_receive_the_rest),
        cmocka_unit_test(test_connect), cmocka_unit_test(test_connect_by_name),
    };

    return cmocka_run_group_tests_name("redis_socket", tests, set_up,
                                       tear_down);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_redis_socket.c - connecting to a socket and by name: what is not there
 * is an error that says why.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/resolver.h"
#include "fake_clock.h"
#include "store/redis_socket.h"

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
    if (resolver_start() != PST_OK)
        return -1;
    return signal(SIGPIPE, SIG_DFL) == SIG_ERR ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    resolver_stop();
    return 0;
}

static void
test_connect(void **state)
{
    char path[STORE_SOCKET_PATH_MAX + 1];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct redis_error error = {""};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd;

    (void)state;
    assert_true(listener >= 0);
    (void)snprintf(path, sizeof(path), "/tmp/postern-socket-%ld",
                   (long)getpid());
    assert_int_equal(redis_socket_connect_path(path, clock_ms() + 1000, &error),
                     -1);
    assert_string_equal(error.text,
                        "cannot connect: No such file or directory");
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(
        bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(redis_socket_connect_path(path, clock_ms() + 1000, &error),
                     -1);
    assert_string_equal(error.text, "cannot connect: Connection refused");
    assert_int_equal(listen(listener, 1), 0);
    fd = redis_socket_connect_path(path, clock_ms() + 1000, &error);
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
    close(listener);
    assert_int_equal(unlink(path), 0);
}

static void
test_connect_by_name(void **state)
{
    const struct store_address address = {"no-such-host.invalid", "6379"};
    struct redis_error error = {""};

    (void)state;
    assert_int_equal(redis_socket_connect(&address, clock_ms() + 1000, &error),
                     -1);
    assert_non_null(strstr(error.text, "cannot be resolved"));
    assert_non_null(strstr(error.text, gai_strerror(EAI_NONAME)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_connect_by_name),
    };

    return cmocka_run_group_tests_name("redis_socket", tests, set_up,
                                       tear_down);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_listen.c - addresses, stale socket files, inherited sockets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/listen.h"

static char folder[] = "/tmp/test_listen_XXXXXX";
static char path[64];
static char address[80];

static int
set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/socket", folder);
    snprintf(address, sizeof(address), "unix:%s", path);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* Another process listens on path. */
static int
bind_other(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const struct sockaddr *any = (const void *)&name;
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(name.sun_path, path, strlen(path) + 1);
    assert_true(descriptor >= 0);
    assert_int_equal(bind(descriptor, any, sizeof(name)), 0);
    assert_int_equal(listen(descriptor, 1), 0);
    return descriptor;
}

static void
test_addresses(void **state)
{
    static const struct {
        const char *in;
        enum pst_err want;
    } rows[] = {
        {"127.0.0.1:0", PST_OK},
        {"localhost:0", PST_OK},
        {":0", PST_OK},
        {"", PST_MALFORMED},
        {"127.0.0.1", PST_MALFORMED},
        {"127.0.0.1:", PST_MALFORMED},
        {"127.0.0.1:x", PST_MALFORMED},
        {"127.0.0.1:65536", PST_MALFORMED},
        {"127.0.0.1:-1", PST_MALFORMED},
        {"127.0.0.1:080", PST_MALFORMED},
        {"::1:80", PST_MALFORMED},
        {"[::1:80", PST_MALFORMED},
        {"unix:", PST_MALFORMED},
        {"unix:relative", PST_MALFORMED},
        {"/run/x.sock", PST_MALFORMED},
        {"unix:/no/such/folder/socket", PST_BAD_CONFIG},
        {"192.0.2.1:0", PST_BAD_CONFIG}, /* TEST-NET-1 */
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct listen_sockets sockets = {.count = 99};
        char error[LISTEN_ERROR_MAX] = "";
        enum pst_err e = listen_open(&sockets, rows[i].in, error);

        if (e != rows[i].want)
            fail_msg("row '%s': %s (%s)", rows[i].in, pst_err_code(e), error);
        if (e && (sockets.count != 99 || error[0] == '\0'))
            fail_msg("row '%s': no reason, or an output", rows[i].in);
        if (!e && (sockets.count == 0 || !sockets.list[0].is_ours))
            fail_msg("row '%s': no socket", rows[i].in);
        if (!e)
            listen_close(&sockets);
    }
}

/* All addresses of a name get the same port, even if the system chooses it. */
static void
test_addresses_of_a_name_share_the_port(void **state)
{
    struct listen_sockets sockets;
    char error[LISTEN_ERROR_MAX];
    const char *port;

    (void)state;
    assert_int_equal(listen_open(&sockets, ":0", error), PST_OK);
    port = strrchr(sockets.list[0].name, ':');
    assert_non_null(port);
    assert_string_not_equal(port, ":0");
    for (size_t i = 1; i < sockets.count; i++)
        assert_string_equal(strrchr(sockets.list[i].name, ':'), port);
    listen_close(&sockets);
}

static void
test_path(void **state)
{
    struct listen_sockets sockets;
    char error[LISTEN_ERROR_MAX];
    mode_t mask = umask(0);
    struct stat file;
    int flags;

    (void)state;
    assert_int_equal(listen_open(&sockets, address, error), PST_OK);
    assert_int_equal(umask(mask), 0); /* as it was */
    assert_int_equal(sockets.count, 1);
    assert_string_equal(sockets.list[0].name, address);
    assert_int_equal(lstat(path, &file), 0);
    assert_int_equal(file.st_mode, S_IFSOCK | 0660);
    flags = fcntl(sockets.list[0].descriptor, F_GETFL);
    assert_true(flags & O_NONBLOCK);
    flags = fcntl(sockets.list[0].descriptor, F_GETFD);
    assert_true(flags & FD_CLOEXEC);
    listen_close(&sockets);
    assert_int_equal(sockets.count, 0);
    assert_int_not_equal(lstat(path, &file), 0);
}

static void
test_stale_socket_file_is_replaced(void **state)
{
    struct listen_sockets sockets;
    char error[LISTEN_ERROR_MAX];

    (void)state;
    close(bind_other());
    assert_int_equal(listen_open(&sockets, address, error), PST_OK);
    listen_close(&sockets);
}

static void
test_path_in_use(void **state)
{
    struct listen_sockets sockets;
    char error[LISTEN_ERROR_MAX];
    int other = bind_other();
    struct stat file;

    (void)state;
    assert_int_equal(listen_open(&sockets, address, error), PST_BAD_CONFIG);
    assert_non_null(strstr(error, path));
    assert_non_null(strstr(error, "another process listens there: stop it"));
    assert_int_equal(lstat(path, &file), 0);
    close(other);
    unlink(path);
}

static void
test_other_file_is_not_replaced(void **state)
{
    struct listen_sockets sockets;
    char error[LISTEN_ERROR_MAX];
    int other = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);
    struct stat file;

    (void)state;
    assert_true(other >= 0);
    close(other);
    assert_int_equal(listen_open(&sockets, address, error), PST_BAD_CONFIG);
    assert_non_null(strstr(error, "there is another file: remove it"));
    assert_int_equal(lstat(path, &file), 0);
    assert_true(S_ISREG(file.st_mode));
    unlink(path);
}

static void
test_socket_of_another_process_is_not_removed(void **state)
{
    struct listen_sockets sockets;
    char error[LISTEN_ERROR_MAX];
    struct stat file;
    int other;

    (void)state;
    assert_int_equal(listen_open(&sockets, address, error), PST_OK);
    unlink(path);
    other = bind_other();
    listen_close(&sockets);
    assert_int_equal(lstat(path, &file), 0);
    close(other);
    unlink(path);
}

/* Descriptor 0 is not a socket, and LISTEN_FDS is for another process. */
static void
test_nothing_to_listen_on(void **state)
{
    struct listen_sockets sockets;
    char error[LISTEN_ERROR_MAX];

    (void)state;
    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDS", "1", 1);
    assert_int_equal(listen_open(&sockets, NULL, error), PST_OK);
    assert_int_equal(sockets.count, 0);
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDS"));
}

static void
test_descriptor_0(void **state)
{
    struct listen_sockets sockets;
    char error[LISTEN_ERROR_MAX];
    int saved = dup(STDIN_FILENO);
    int other = bind_other();
    struct stat file;

    (void)state;
    assert_true(saved >= 0 && dup2(other, STDIN_FILENO) == STDIN_FILENO);
    close(other);
    assert_int_equal(listen_open(&sockets, NULL, error), PST_OK);
    assert_int_equal(sockets.count, 1);
    assert_int_equal(sockets.list[0].descriptor, STDIN_FILENO);
    assert_false(sockets.list[0].is_ours);
    assert_string_equal(sockets.list[0].name, address);
    listen_close(&sockets);
    assert_int_equal(lstat(path, &file), 0);
    unlink(path);
    assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
    close(saved);
}

static void
test_passed_descriptor_is_not_a_socket(void **state)
{
    struct listen_sockets sockets;
    char error[LISTEN_ERROR_MAX];
    char pid[24];
    int third = open("/dev/null", O_RDONLY);

    (void)state;
    assert_true(third >= 3);
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    assert_int_equal(listen_open(&sockets, NULL, error), PST_BAD_CONFIG);
    assert_non_null(strstr(error, "LISTEN_FDS"));
    close(third);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_addresses_of_a_name_share_the_port),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_stale_socket_file_is_replaced),
        cmocka_unit_test(test_path_in_use),
        cmocka_unit_test(test_other_file_is_not_replaced),
        cmocka_unit_test(test_socket_of_another_process_is_not_removed),
        cmocka_unit_test(test_nothing_to_listen_on),
        cmocka_unit_test(test_descriptor_0),
        cmocka_unit_test(test_passed_descriptor_is_not_a_socket),
    };

    return cmocka_run_group_tests_name("listen", tests, set_up, tear_down);
}

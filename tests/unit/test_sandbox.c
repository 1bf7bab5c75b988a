/* SPDX-License-Identifier: ISC */
/*
 * test_sandbox.c - what a process in a sandbox can still do: what its rules
 * leave it, and nothing else. Each row runs in a process of its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "break_out.h"
#include "sandboxed.h"
#include "server/sandbox.h"

static int
run_inside(const struct sandbox_rules *rules, int (*fn)(const void *argument),
           const void *argument)
{
    return run_sandboxed(sandbox_enter, rules, fn, argument);
}

static int
attempt(const void *index)
{
    return break_out_try(*(const size_t *)index, sandboxed_outer_file);
}

static void
test_nothing_is_left(void **state)
{
    const struct sandbox_rules rules = {0};
    char gone[80];

    (void)state;
    (void)snprintf(gone, sizeof(gone), "%s.gone", sandboxed_outer_file);
    for (size_t i = 0; i < break_out_count; i++) {
        const struct break_out *tried = &break_outs[i];
        int want = tried->needs_landlock && !has_landlock(1) ? tried->outside
                                                             : tried->inside;

        make_file(gone, "");
        expect_errno(tried->name, run_inside(&rules, attempt, &i), want);
        make_file(gone, "");
        expect_errno(tried->name, run_inside(NULL, attempt, &i),
                     tried->outside);
    }
    unlink(gone);
}

struct socket_try {
    int family;
    int type;
    int protocol;
};

static int
make_socket(const void *argument)
{
    const struct socket_try *tried = argument;

    return socket(tried->family, tried->type, tried->protocol) >= 0 ? 0 : errno;
}

static void
test_sockets(void **state)
{
    static const struct {
        const char *name;
        unsigned peers;
        struct socket_try tried;
        int want;
    } rows[] = {
        {"local", SANDBOX_LOCAL, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0}, 0},
        {"local datagrams", SANDBOX_LOCAL, {AF_UNIX, SOCK_DGRAM, 0}, ENOSYS},
        {"not local", SANDBOX_TCP, {AF_UNIX, SOCK_STREAM, 0}, ENOSYS},
        {"IPv4", SANDBOX_TCP, {AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0}, 0},
        {"IPv6", SANDBOX_TCP, {AF_INET6, SOCK_STREAM, 0}, 0},
        {"TCP", SANDBOX_TCP, {AF_INET, SOCK_STREAM, IPPROTO_TCP}, 0},
        {"MPTCP", SANDBOX_TCP, {AF_INET, SOCK_STREAM, IPPROTO_MPTCP}, ENOSYS},
        {"no UDP", SANDBOX_TCP, {AF_INET, SOCK_DGRAM, 0}, ENOSYS},
        {"raw", SANDBOX_TCP | SANDBOX_NAMES, {AF_INET, SOCK_RAW, 0}, ENOSYS},
        {"names: UDP", SANDBOX_NAMES, {AF_INET, SOCK_DGRAM, 0}, 0},
        {"names: UDP-Lite",
         SANDBOX_NAMES,
         {AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE},
         ENOSYS},
        {"names: daemon", SANDBOX_NAMES, {AF_UNIX, SOCK_STREAM, 0}, 0},
        {"names: addresses", SANDBOX_NAMES, {AF_NETLINK, SOCK_RAW, 0}, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct sandbox_rules rules = {.peers = rows[i].peers};

        expect_errno(rows[i].name,
                     run_inside(&rules, make_socket, &rows[i].tried),
                     rows[i].want);
    }
}

static int
make_pair(const void *unused)
{
    int pair[2];

    (void)unused;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? 0 : errno;
}

/* curl tells the result of a look-up by a pair of sockets. */
static void
test_pair(void **state)
{
    const struct sandbox_rules names = {.peers = SANDBOX_NAMES};
    const struct sandbox_rules tcp = {.peers = SANDBOX_TCP};

    (void)state;
    assert_int_equal(run_inside(&names, make_pair, NULL), 0);
    assert_int_equal(run_inside(&tcp, make_pair, NULL), ENOSYS);
}

static int
map_shared(const void *path)
{
    int descriptor = open(path, O_RDONLY);
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, descriptor, 0);

    return page == MAP_FAILED ? errno : 0;
}

static int
map_library(const void *path)
{
    int descriptor = open(path, O_RDONLY);
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, descriptor, 0);

    return page == MAP_FAILED ? errno : 0;
}

/* Libraries are loaded where names are looked up, and nowhere else; the memory
 * of their code is never writable. */
static void
test_code(void **state)
{
    const struct sandbox_path paths[] = {{sandboxed_inner, SANDBOX_READ}};
    const struct sandbox_rules names = {
        .paths = paths, .path_count = 1, .peers = SANDBOX_NAMES};
    const struct sandbox_rules tcp = {
        .paths = paths, .path_count = 1, .peers = SANDBOX_TCP};
    size_t writable;

    (void)state;
    for (writable = 0; strcmp(break_outs[writable].name, "writable-code") != 0;
         writable++)
        continue;
    assert_int_equal(truncate(sandboxed_inner_file, 4096), 0);
    assert_int_equal(run_inside(&names, map_library, sandboxed_inner_file), 0);
    assert_int_equal(run_inside(&tcp, map_library, sandboxed_inner_file),
                     ENOSYS);
    assert_int_equal(run_inside(&names, map_shared, sandboxed_inner_file),
                     ENOSYS);
    assert_int_equal(run_inside(&names, attempt, &writable), ENOSYS);
}

static void *
end_thread(void *argument)
{
    return argument;
}

static int
work(const void *argument)
{
    pthread_t thread;
    void *memory = malloc(1 << 20);

    (void)argument;
    if (!memory || pthread_create(&thread, NULL, end_thread, NULL) != 0 ||
        pthread_join(thread, NULL) != 0)
        return 1;
    free(memory);
    return prctl(PR_GET_NO_NEW_PRIVS) == 1 ? 2 : 0; /* not even asked */
}

static void
test_threads_and_memory(void **state)
{
    const struct sandbox_rules rules = {0};

    (void)state;
    assert_int_equal(run_inside(&rules, work, NULL), 0);
}

static int
abort_now(const void *argument)
{
    (void)argument;
    abort();
}

/* A failed assertion ends the program as ever. */
static void
test_abort(void **state)
{
    const struct sandbox_rules rules = {0};

    (void)state;
    assert_int_equal(run_inside(&rules, abort_now, NULL), -1);
}

static int
enter_again(const void *argument)
{
    const struct sandbox_rules rules = {0};
    unsigned gaps;

    (void)argument;
    return sandbox_enter(&rules, &gaps) == PST_INTERNAL ? errno : 0;
}

/* The reason is in errno. In a sandbox there is no way to another one. */
static void
test_refused(void **state)
{
    const struct sandbox_rules rules = {0};

    (void)state;
    assert_int_equal(run_inside(&rules, enter_again, NULL), ENOSYS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_left),
        cmocka_unit_test(test_sockets),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_threads_and_memory),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, sandboxed_set_up, sandboxed_tear_down);
}

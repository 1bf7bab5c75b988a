/* SPDX-License-Identifier: ISC */
/*
 * test_sandbox_files.c - Landlock leaves a process the files and ports of its
 * rules, and no others. Each row runs in a process of its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "break_out.h"
#include "sandboxed.h"
#include "server/sandbox_files.h"

/* Landlock asks for no new privileges first. */
static enum pst_err
limit_files(const struct sandbox_rules *rules, unsigned *gaps)
{
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    return sandbox_limit_files(rules, gaps);
}

static int
run_inside(const struct sandbox_rules *rules, int (*fn)(const void *argument),
           const void *argument)
{
    return run_sandboxed(limit_files, rules, fn, argument);
}

enum file_action { READ, WRITE, MAKE, REMOVE, LIST };

struct file_try {
    enum file_action action;
    const char *folder;
};

static int
act(const void *argument)
{
    const struct file_try *tried = argument;
    char path[96];
    int descriptor;

    (void)snprintf(path, sizeof(path), "%s/%s", tried->folder,
                   tried->action == MAKE     ? "made"
                   : tried->action == REMOVE ? "gone"
                                             : "file");
    if (tried->action == REMOVE)
        return unlink(path) == 0 ? 0 : errno;
    if (tried->action == LIST)
        descriptor = open(tried->folder, O_RDONLY | O_DIRECTORY);
    else
        descriptor = open(path,
                          tried->action == READ   ? O_RDONLY
                          : tried->action == MAKE ? O_WRONLY | O_CREAT | O_EXCL
                                                  : O_WRONLY | O_TRUNC,
                          0600);
    return descriptor >= 0 ? 0 : errno;
}

/* The rights on a folder hold for it and below, and nowhere else. */
static void
test_files(void **state)
{
    static const struct {
        const char *name;
        unsigned access;
        unsigned may; /* 1 << enum file_action */
    } rows[] = {
        {"nothing", 0, 0},
        {"read", SANDBOX_READ, 1 << READ | 1 << LIST},
        {"write", SANDBOX_WRITE, 1 << WRITE | 1 << MAKE},
        {"remove", SANDBOX_REMOVE, 1 << REMOVE},
        {"all", SANDBOX_READ | SANDBOX_WRITE | SANDBOX_REMOVE,
         1 << READ | 1 << WRITE | 1 << MAKE | 1 << REMOVE | 1 << LIST},
    };
    char made[96];
    char gone[96];

    (void)state;
    (void)snprintf(made, sizeof(made), "%s/made", sandboxed_inner);
    (void)snprintf(gone, sizeof(gone), "%s/gone", sandboxed_inner);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct sandbox_path paths[] = {{"/nonexistent", SANDBOX_READ},
                                             {sandboxed_inner, rows[i].access}};
        const struct sandbox_rules rules = {.paths = paths, .path_count = 2};

        for (enum file_action action = READ; action <= LIST; action++) {
            const struct file_try inside = {action, sandboxed_inner};
            const struct file_try outside = {action, sandboxed_folder};
            bool may = !has_landlock(1) || (rows[i].may >> action & 1);

            make_file(gone, "");
            expect_errno(rows[i].name, run_inside(&rules, act, &inside),
                         may ? 0 : EACCES);
            unlink(made);
            if (has_landlock(1) && action != REMOVE)
                expect_errno(rows[i].name, run_inside(&rules, act, &outside),
                             EACCES);
        }
    }
    unlink(gone);
}

/* A file is listed by itself, too. */
static void
test_one_file(void **state)
{
    const struct sandbox_path paths[] = {{sandboxed_inner_file, SANDBOX_READ}};
    const struct sandbox_rules rules = {.paths = paths, .path_count = 1};
    const struct file_try read_it = {READ, sandboxed_inner};
    const struct file_try write_it = {WRITE, sandboxed_inner};

    (void)state;
    assert_int_equal(run_inside(&rules, act, &read_it), 0);
    if (has_landlock(1))
        assert_int_equal(run_inside(&rules, act, &write_it), EACCES);
}

static uint16_t
listen_on_any_port(int *descriptor)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    *descriptor = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(
        bind(*descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(*descriptor, 16), 0);
    assert_int_equal(
        getsockname(*descriptor, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

static int
connect_to(const void *port)
{
    return break_out_connect(*(const uint16_t *)port, false);
}

static void
test_ports(void **state)
{
    int sockets[2];
    const uint16_t ours = listen_on_any_port(&sockets[0]);
    const uint16_t other = listen_on_any_port(&sockets[1]);
    const struct sandbox_rules one = {.peers = SANDBOX_TCP, .tcp_port = ours};
    const struct sandbox_rules any = {.peers = SANDBOX_TCP};

    (void)state;
    assert_int_equal(run_inside(&one, connect_to, &ours), 0);
    assert_int_equal(run_inside(&one, connect_to, &other),
                     has_landlock(4) ? EACCES : 0);
    assert_int_equal(run_inside(&any, connect_to, &other), 0);
    close(sockets[0]);
    close(sockets[1]);
}

static int
report_gaps(const void *argument)
{
    const struct sandbox_rules rules = {0};
    unsigned gaps = 99;

    (void)argument;
    return limit_files(&rules, &gaps) == PST_OK ? (int)gaps : NO_SANDBOX;
}

static void
test_gaps(void **state)
{
    int want = has_landlock(4)   ? 0
               : has_landlock(1) ? SANDBOX_NO_PORTS
                                 : SANDBOX_NO_FILES | SANDBOX_NO_PORTS;

    (void)state;
    assert_int_equal(run_inside(NULL, report_gaps, NULL), want);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_one_file),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_gaps),
    };

    return cmocka_run_group_tests(tests, sandboxed_set_up, sandboxed_tear_down);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_program_sandbox.c - which files, sockets and ports a program keeps, by
 * its configuration and by whom it talks to.
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
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <seccomp.h>

#include "break_out.h"
#include "configs.h"
#include "gateway/program_sandbox.h"
#include "sandboxed.h"

/* The folders of a program, each with a file "file". */
static char top[] = "/tmp/program-sandbox-XXXXXX";
static const char *const folders[] = {"store", "log", "secret", "socket",
                                      "real",  "ca",  "other"};

static struct log *quiet_log;

static char *
path_of(const char *folder, const char *name)
{
    static char paths[4][96];
    static unsigned next;
    char *path = paths[next++ % PST_COUNT(paths)];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s/%s", top, folder, name);
    return path;
}

static int
set_up(void **state)
{
    (void)state;
    assert_int_equal(
        log_open(&quiet_log, "stderr", LOG_LOGFMT, LEVEL_ERROR, "test"),
        PST_OK);
    assert_non_null(mkdtemp(top));
    for (size_t i = 0; i < PST_COUNT(folders); i++) {
        assert_int_equal(mkdir(path_of(folders[i], ""), 0700), 0);
        make_file(path_of(folders[i], "file"), SECRET_VALUE);
    }
    assert_int_equal(
        symlink(path_of("real", "file"), path_of("secret", "link")), 0);
    return 0;
}

static int
tear_down(void **state)
{
    static const char *const names[] = {"file", "made", "link"};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(folders); i++) {
        for (size_t k = 0; k < PST_COUNT(names); k++)
            unlink(path_of(folders[i], names[k]));
        rmdir(path_of(folders[i], ""));
    }
    rmdir(top);
    log_close(&quiet_log);
    return 0;
}

/* Why the kernel refused, as reported. */
static char reported[512];

static void
report(void *context, const char *variable, const char *error)
{
    (void)context;
    (void)snprintf(reported, sizeof(reported), "%s: %s", variable, error);
}

static const struct config_reporter reporter = {report, NULL};

static struct listen_sockets sockets;
static struct config_errors errors;

struct job {
    const struct config *config;
    enum program_use use;
    int (*fn)(const void *argument);
    const void *argument;
};

static int
enter_and_call(void *argument)
{
    const struct job *job = argument;

    if (program_sandbox_enter(job->config, job->use, &sockets, quiet_log,
                              &reporter))
        return NO_SANDBOX;
    return job->fn(job->argument);
}

/* Enter the sandbox of a program in a child, and call a function there. Returns
 * as run_in_child(). */
static int
run_inside(const struct config *config, enum program_use use,
           int (*fn)(const void *argument), const void *argument)
{
    return run_in_child(enter_and_call,
                        &(struct job){config, use, fn, argument});
}

static int
read_file(const void *path)
{
    return open(path, O_RDONLY) >= 0 ? 0 : errno;
}

static int
append(const void *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) >= 0 ? 0 : errno;
}

static int
remove_file(const void *path)
{
    return unlink(path) == 0 ? 0 : errno;
}

/* "NAME=value"; from malloc(). */
static char *
variable(const char *name, const char *value)
{
    char *text;

    assert_true(asprintf(&text, "%s=%s", name, value) > 0);
    return text;
}

static const char *
store_url(void)
{
    static char url[64];

    (void)snprintf(url, sizeof(url), "lmdb:%s/store", top);
    return url;
}

static void
test_files(void **state)
{
    static const struct {
        const char *folder;
        int read, append, remove; /* errno */
    } rows[] = {
        {"store", 0, 0, 0},
        {"log", EACCES, 0, EACCES},
        {"secret", 0, EACCES, EACCES},
        {"real", 0, EACCES, EACCES}, /* the target of secret/link */
        {"socket", EACCES, EACCES, 0},
        {"other", EACCES, EACCES, EACCES},
    };
    char *const variables[] = {
        variable("POSTERN_STORE", store_url()),
        variable("POSTERN_LOG", path_of("log", "file")),
        variable("COOKIE_SESSION_SECRET_FILE", path_of("secret", "link")),
        variable("POSTERN_UPSTREAM", "http://127.0.0.1:2/"), NULL};
    struct config *config = NULL;

    (void)state;
    assert_int_equal(
        load_config(&config, (const char *const *)variables, &errors), PST_OK);
    sockets.count = 1;
    sockets.list[0].has_file = true;
    (void)snprintf(sockets.list[0].name, sizeof(sockets.list[0].name),
                   "unix:%s", path_of("socket", "file"));
    for (size_t i = 0; has_landlock(1) && i < PST_COUNT(rows); i++) {
        const char *file = path_of(rows[i].folder, "file");
        const char *made = path_of(rows[i].folder, "made");

        expect_errno(rows[i].folder,
                     run_inside(config, PROGRAM_USES_BACKEND, read_file, file),
                     rows[i].read);
        expect_errno(rows[i].folder,
                     run_inside(config, PROGRAM_USES_BACKEND, append, made),
                     rows[i].append);
        make_file(made, "");
        expect_errno(
            rows[i].folder,
            run_inside(config, PROGRAM_USES_BACKEND, remove_file, made),
            rows[i].remove);
    }
    sockets.count = 0;
    config_free(&config);
    for (size_t i = 0; variables[i]; i++)
        free(variables[i]);
}

/* A FIFO as the log is opened for reading and writing. */
static int
open_both(const void *path)
{
    return open(path, O_RDWR | O_NONBLOCK) >= 0 ? 0 : errno;
}

static void
test_log_is_a_fifo(void **state)
{
    char *text;
    struct config *config;

    (void)state;
    assert_int_equal(mkfifo(path_of("log", "link"), 0600), 0);
    text = variable("POSTERN_LOG", path_of("log", "link"));
    config = MAKE_CONFIG("POSTERN_STORE=none", text);
    assert_int_equal(run_inside(config, PROGRAM_USES_STORE, open_both,
                                path_of("log", "link")),
                     0);
    if (has_landlock(1))
        assert_int_equal(run_inside(config, PROGRAM_USES_STORE, open_both,
                                    path_of("log", "file")),
                         EACCES);
    config_free(&config);
    free(text);
}

/* Enter the sandbox of a program with this log, and append to a device. */
static int
append_with_log(const char *target, int standard_error)
{
    char *text = variable("POSTERN_LOG", target);
    struct config *config = MAKE_CONFIG("POSTERN_STORE=none", text);
    int before = dup(STDERR_FILENO);
    int error;

    assert_int_equal(dup2(standard_error, STDERR_FILENO), STDERR_FILENO);
    error = run_inside(config, PROGRAM_USES_STORE, append, "/dev/zero");
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    close(before);
    config_free(&config);
    free(text);
    return error;
}

/* Of a device, a pipe, or a file below "/", only the path itself. */
static void
test_log_is_a_device(void **state)
{
    static const char *const targets[] = {"/dev/null", "/dev/stderr",
                                          "/no-such-log"};
    const int want = has_landlock(1) ? EACCES : 0;
    int pipe_ends[2];
    int file = open(path_of("other", "file"), O_WRONLY);

    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    assert_true(file >= 0);
    for (size_t i = 0; i < PST_COUNT(targets); i++) {
        expect_errno(targets[i], append_with_log(targets[i], pipe_ends[1]),
                     want);
        expect_errno(targets[i], append_with_log(targets[i], file), want);
    }
    close(file);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

struct socket_try {
    int family;
    int type;
};

static int
make_socket(const void *argument)
{
    const struct socket_try *tried = argument;

    return socket(tried->family, tried->type, 0) >= 0 ? 0 : errno;
}

/* Which sockets: of a Unix socket, of TCP, of name servers. */
enum { LOCAL = 1, TCP = 2, NAMES = 4 };

/* session and authorize: no network but Redis. Nobody: names and other kinds of
 * sockets that the configuration does not ask for. */
static void
test_sockets(void **state)
{
    static const struct {
        const char *name;
        const char *variables[3];
        enum program_use use;
        unsigned want;
        bool refreshes; /* POSTERN_REFRESH_DOCUMENT */
    } rows[] = {
        {"query, an address",
         {"POSTERN_UPSTREAM=http://127.0.0.1:4000/"},
         PROGRAM_USES_BACKEND,
         TCP,
         false},
        {"query, an IPv6 address",
         {"POSTERN_UPSTREAM=http://[::1]:4000/"},
         PROGRAM_USES_BACKEND,
         TCP,
         false},
        {"query, a name",
         {"POSTERN_UPSTREAM=http://backend.example/"},
         PROGRAM_USES_BACKEND,
         LOCAL | TCP | NAMES,
         false},
        {"query, a long name",
         {"POSTERN_UPSTREAM=http://a-host-name-that-is-longer-than-any-address-"
          "can-be.somewhere.in.backend.example/"},
         PROGRAM_USES_BACKEND,
         LOCAL | TCP | NAMES,
         false},
        {"query, TLS",
         {"POSTERN_UPSTREAM=https://backend.example/"},
         PROGRAM_USES_BACKEND,
         LOCAL | TCP | NAMES,
         false},
        {"query, a Unix socket",
         {"POSTERN_UPSTREAM=unix:/run/backend.sock:/graphql"},
         PROGRAM_USES_BACKEND,
         LOCAL,
         false},
        {"session",
         {"POSTERN_UPSTREAM=http://a.example/"},
         PROGRAM_USES_STORE,
         0,
         false},
        {"authorize",
         {"POSTERN_UPSTREAM=http://a.example/"},
         PROGRAM_REFRESHES_TOKENS,
         0,
         false},
        {"authorize, which hands out the token",
         {"POSTERN_UPSTREAM=http://a.example/",
          "POSTERN_AUTHORIZE_UPSTREAM=on"},
         PROGRAM_REFRESHES_TOKENS,
         0,
         false},
        {"authorize, which refreshes the token",
         {"POSTERN_UPSTREAM=http://127.0.0.1:4000/",
          "POSTERN_AUTHORIZE_UPSTREAM=on"},
         PROGRAM_REFRESHES_TOKENS,
         TCP,
         true},
        {"authorize, which does not hand out what is refreshed",
         {"POSTERN_UPSTREAM=http://127.0.0.1:4000/"},
         PROGRAM_REFRESHES_TOKENS,
         0,
         true},
#if POSTERN_WITH_REDIS
        {"session, Redis by TCP",
         {"POSTERN_STORE=redis://127.0.0.1:6379"},
         PROGRAM_USES_STORE,
         LOCAL | TCP | NAMES,
         false},
        {"session, Redis on a Unix socket",
         {"POSTERN_STORE=unix:/run/redis.sock"},
         PROGRAM_USES_STORE,
         LOCAL,
         false},
#endif
    };
    static const struct socket_try local = {AF_UNIX, SOCK_STREAM};
    static const struct socket_try tcp = {AF_INET6, SOCK_STREAM};
    static const struct socket_try names = {AF_INET, SOCK_DGRAM};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *environment[12] = {SECRET};
        struct config *config = NULL;
        size_t count = 1;
        bool has_store = false;
        bool has_upstream = false;

        for (size_t k = 0; rows[i].variables[k]; k++) {
            environment[count++] = rows[i].variables[k];
            has_store |=
                strncmp(rows[i].variables[k], "POSTERN_STORE=", 14) == 0;
            has_upstream |=
                strncmp(rows[i].variables[k], "POSTERN_UPSTREAM=", 17) == 0;
        }
        if (!has_store)
            environment[count++] = "POSTERN_STORE=none";
        if (!has_upstream)
            environment[count++] = UPSTREAM;
        if (load_config(&config, environment, &errors) != PST_OK)
            fail_msg("%s: %s %s", rows[i].name, errors.variable[0],
                     errors.message[0]);
        if (rows[i].refreshes)
            config->backend.refresh.text = PST_STR("mutation {a}");
        expect_errno(rows[i].name,
                     run_inside(config, rows[i].use, make_socket, &local),
                     rows[i].want & LOCAL ? 0 : ENOSYS);
        expect_errno(rows[i].name,
                     run_inside(config, rows[i].use, make_socket, &tcp),
                     rows[i].want & TCP ? 0 : ENOSYS);
        expect_errno(rows[i].name,
                     run_inside(config, rows[i].use, make_socket, &names),
                     rows[i].want & NAMES ? 0 : ENOSYS);
        config_free(&config);
    }
}

static int
connect_to(const void *port)
{
    return break_out_connect(*(const uint16_t *)port, false);
}

/* Nobody listens on these ports: ECONNREFUSED is the network's answer. */
static void
test_ports(void **state)
{
    static const struct {
        const char *upstream;
        uint16_t port;
        int want;
    } rows[] = {
        {"http://127.0.0.1:2/", 2, ECONNREFUSED},
        {"http://127.0.0.1:2/", 3, EACCES},
        {"http://127.0.0.1", 80, ECONNREFUSED},
        {"http://127.0.0.1/a:2", 2, EACCES},
        {"http://[::1]:2/", 2, ECONNREFUSED},
        {"http://[::1]/", 80, ECONNREFUSED},
        {"http://name.example:2/", 2, ECONNREFUSED},
        {"http://name.example:2/", 53, ECONNREFUSED},
        {"http://127.0.0.1:2/", 53, EACCES},
        {"https://name.example/", 443, ECONNREFUSED},
        {"https://name.example:2", 2, ECONNREFUSED},
        {"https://name.example:2", 443, EACCES},
    };

    (void)state;
    for (size_t i = 0; has_landlock(4) && i < PST_COUNT(rows); i++) {
        char *upstream = variable("POSTERN_UPSTREAM", rows[i].upstream);
        const char *const environment[] = {SECRET, "POSTERN_STORE=none",
                                           upstream, NULL};
        struct config *config = NULL;
        int result;

        if (load_config(&config, environment, &errors) != PST_OK)
            fail_msg("%s: %s", upstream, errors.message[0]);
        result =
            run_inside(config, PROGRAM_USES_BACKEND, connect_to, &rows[i].port);
        if (rows[i].want == EACCES || result == EACCES)
            expect_errno(upstream, result, rows[i].want);
        config_free(&config);
        free(upstream);
    }
}

/* https:// reads the file of certificates, which may be replaced, or those of
 * the system. */
static void
test_certificates(void **state)
{
    char *text = variable("POSTERN_UPSTREAM_CA", path_of("ca", "file"));
    const char *const environment[] = {SECRET, "POSTERN_STORE=none",
                                       "POSTERN_UPSTREAM=https://127.0.0.1/",
                                       text, NULL};
    const char *const plain[] = {SECRET, "POSTERN_STORE=none",
                                 "POSTERN_UPSTREAM=http://127.0.0.1/", text,
                                 NULL};
    struct config *config = NULL;

    (void)state;
    assert_int_equal(load_config(&config, environment, &errors), PST_OK);
    assert_int_equal(run_inside(config, PROGRAM_USES_BACKEND, read_file,
                                path_of("ca", "file")),
                     0);
    config_free(&config);
    assert_int_equal(load_config(&config, plain, &errors), PST_OK);
    if (has_landlock(1))
        assert_int_equal(run_inside(config, PROGRAM_USES_BACKEND, read_file,
                                    path_of("ca", "file")),
                         EACCES);
    config_free(&config);
    free(text);
}

static int
enter_again(const void *config)
{
    enum pst_err e = program_sandbox_enter(config, PROGRAM_USES_STORE, &sockets,
                                           quiet_log, &reporter);
    const char *want =
        "POSTERN_SANDBOX: this kernel refuses it: Function not "
        "implemented: allow seccomp and Landlock here, or set it "
        "to off";

    if (e != PST_BAD_CONFIG)
        return 1;
    return strcmp(reported, want) == 0 ? 0 : 2;
}

static void
test_refused(void **state)
{
    struct config *config = MAKE_CONFIG("POSTERN_STORE=none");

    (void)state;
    assert_int_equal(
        run_inside(config, PROGRAM_USES_STORE, enter_again, config), 0);
    config_free(&config);
}

/* A kernel without Landlock: its calls do not exist. */
static int
enter_without_landlock(void *argument)
{
    static const int calls[] = {SCMP_SYS(landlock_create_ruleset),
                                SCMP_SYS(landlock_add_rule),
                                SCMP_SYS(landlock_restrict_self)};
    const char *path = path_of("log", "made");
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    struct log *log = NULL;
    struct config *config = argument;

    for (size_t i = 0; i < PST_COUNT(calls); i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), calls[i], 0) != 0)
            return NO_SANDBOX;
    sockets.count = 1;
    if (seccomp_load(filter) != 0 ||
        log_open(&log, path, LOG_LOGFMT, LEVEL_INFO, "query") != PST_OK ||
        program_sandbox_enter(config, PROGRAM_USES_STORE, &sockets, log,
                              &reporter) != PST_OK)
        return NO_SANDBOX;
    /* Calls are limited nevertheless. */
    return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static void
test_no_landlock(void **state)
{
    struct config *config = MAKE_CONFIG("POSTERN_STORE=none");
    char line[256] = "";
    FILE *log;

    (void)state;
    assert_int_equal(run_in_child(enter_without_landlock, config), ENOSYS);
    log = fopen(path_of("log", "made"), "r");
    assert_non_null(log);
    assert_non_null(fgets(line, sizeof(line), log));
    fclose(log);
    assert_non_null(strstr(line, "level=warning program=query"));
    assert_non_null(
        strstr(line, "event=sandbox-partial missing=files,ports\n"));
    unlink(path_of("log", "made"));
    config_free(&config);
}

static void
test_off(void **state)
{
    struct config *config =
        MAKE_CONFIG("POSTERN_STORE=none", "POSTERN_SANDBOX=off");

    (void)state;
    assert_int_equal(run_inside(config, PROGRAM_USES_STORE, read_file,
                                path_of("other", "file")),
                     0);
    config_free(&config);
}

/* L68: a core dump would contain the secrets. */
static void
test_hide_memory(void **state)
{
    struct rlimit limit = {1, 1};

    (void)state;
    program_hide_memory();
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    assert_int_equal(limit.rlim_cur, 0);
    assert_int_equal(limit.rlim_max, 0);
#ifndef __SANITIZE_ADDRESS__
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
#endif
}

/* With a sanitizer there is none. */
static void
test_not_built(void **state)
{
    struct config *config = MAKE_CONFIG("POSTERN_STORE=none");

    (void)state;
    assert_int_equal(run_inside(config, PROGRAM_USES_STORE, read_file,
                                path_of("other", "file")),
                     0);
    config_free(&config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_log_is_a_fifo),
        cmocka_unit_test(test_log_is_a_device),
        cmocka_unit_test(test_sockets),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_landlock),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_hide_memory),
    };

    const struct CMUnitTest other_tests[] = {
        cmocka_unit_test(test_not_built),
        cmocka_unit_test(test_hide_memory),
    };

    return sandbox_is_built()
               ? cmocka_run_group_tests(tests, set_up, tear_down)
               : cmocka_run_group_tests(other_tests, set_up, tear_down);
}

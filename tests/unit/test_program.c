/* SPDX-License-Identifier: ISC */
/*
 * test_program.c - which arguments are taken, from whom, and what a program
 * says when it cannot start.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/program.h"

static const char secret[] =
    "COOKIE_SESSION_SECRET=q8Jw2Rk0vN5tYb7LxZ3mHc6DpFs9GaUe";
static const char upstream[] = "POSTERN_UPSTREAM=http://127.0.0.1:9/";

/* What was printed to stdout and stderr, since capture(). */
static FILE *printed;
static int saved[3];

static void
capture(void)
{
    fflush(stdout);
    fflush(stderr);
    printed = tmpfile();
    assert_non_null(printed);
    for (int i = 0; i < 3; i++) {
        saved[i] = dup(i);
        assert_true(saved[i] >= 0);
    }
    assert_true(dup2(fileno(printed), STDOUT_FILENO) >= 0);
    assert_true(dup2(fileno(printed), STDERR_FILENO) >= 0);
}

static void
release(char out[static 2048])
{
    size_t len;

    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    rewind(printed);
    len = fread(out, 1, 2047, printed);
    out[len] = '\0';
    fclose(printed);
}

/* Only these variables, NULL at the end. */
static void
set_environment(const char *const *variables)
{
    clearenv();
    putenv((char *)(uintptr_t) "POSTERN_STORE=none");
    for (; *variables; variables++)
        putenv((char *)(uintptr_t)*variables);
}

static const char *const plain[] = {NULL};
static const char *const cgi[] = {"GATEWAY_INTERFACE=CGI/1.1", NULL};
static const char *const only_query[] = {"QUERY_STRING=", NULL};
static const char *const systemd[] = {"LISTEN_FDS=1", NULL};

static const struct {
    const char *name;
    const char *const *variables;
    const char *argv[5];
    bool on_terminal;
    bool want;
    const char *want_address;
    int want_status;
    const char *want_printed;
} rows[] = {
    {"nothing", plain, {"query", NULL}, false, true, NULL, 0, ""},
    {"one word",
     plain,
     {"query", "--listen=unix:/x", NULL},
     false,
     true,
     "unix:/x",
     0,
     ""},
    {"two words",
     plain,
     {"query", "--listen", ":80", NULL},
     false,
     true,
     ":80",
     0,
     ""},
    {"no word", plain, {"query", "--listen=", NULL}, false, true, "", 0, ""},
    {"half",
     plain,
     {"query", "--listen", NULL},
     false,
     false,
     NULL,
     EX_USAGE,
     "Usage: query "},
    {"unknown",
     plain,
     {"query", "--lisen=x", NULL},
     false,
     false,
     NULL,
     EX_USAGE,
     "Usage: query "},
    {"a word",
     plain,
     {"query", "x", NULL},
     false,
     false,
     NULL,
     EX_USAGE,
     "Usage: query "},
    {"help",
     plain,
     {"query", "--help", NULL},
     false,
     false,
     NULL,
     EX_OK,
     "Usage: query "},
    {"version",
     plain,
     {"query", "--version", NULL},
     false,
     false,
     NULL,
     EX_OK,
     "query (postern) "},
    {"terminal",
     plain,
     {"query", NULL},
     true,
     false,
     NULL,
     EX_USAGE,
     "Usage: query "},
    {"terminal, but told where",
     plain,
     {"query", "--listen=:80", NULL},
     true,
     true,
     ":80",
     0,
     ""},
    {"terminal, but systemd",
     systemd,
     {"query", NULL},
     true,
     true,
     NULL,
     0,
     ""},
    /* The client's words, by way of the query string. */
    {"CGI",
     cgi,
     {"query", "--listen", "unix:/tmp/planted", NULL},
     false,
     true,
     NULL,
     0,
     ""},
    {"CGI help", cgi, {"query", "--help", NULL}, false, true, NULL, 0, ""},
    {"hardly CGI",
     only_query,
     {"query", "--listen=:80", NULL},
     true,
     true,
     NULL,
     0,
     ""},
};

static void
test_arguments(void **state)
{
    int terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY);

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *address = "untouched";
        char out[2048];
        int status = 0;
        bool got;

        if (rows[i].on_terminal && terminal < 0)
            continue;
        set_environment(rows[i].variables);
        capture();
        if (rows[i].on_terminal)
            dup2(terminal, STDIN_FILENO);
        else
            close(STDIN_FILENO);
        got = program_parse_arguments(rows[i].argv, "query", &address, &status);
        release(out);
        if (got != rows[i].want || status != rows[i].want_status ||
            strncmp(out, rows[i].want_printed, strlen(rows[i].want_printed)))
            fail_msg("row '%s': %d, status %d, '%s'", rows[i].name, got, status,
                     out);
        if (got && (out[0] || !address != !rows[i].want_address ||
                    (address && strcmp(address, rows[i].want_address) != 0)))
            fail_msg("row '%s': address '%s', '%s'", rows[i].name,
                     address ? address : "(none)", out);
    }
    if (terminal >= 0)
        close(terminal);
    else
        print_message("no terminal to be had: three rows were not run\n");
}

static void
test_open(void **state)
{
    static const struct {
        const char *name;
        const char *variables[4];
        int want;
        const char *want_printed;
    } starts[] = {
        {"good", {secret, upstream, NULL}, 0, ""},
        {"no secret",
         {upstream, NULL},
         EX_CONFIG,
         "reason=\"COOKIE_SESSION_SECRET: "},
        {"no log",
         {secret, upstream, "POSTERN_LOG=/no/such/log", NULL},
         EX_CONFIG,
         "reason=\"POSTERN_LOG: No such file"},
        {"unknown variable",
         {secret, upstream, "POSTERN_WROKERS=4", NULL},
         EX_CONFIG,
         "reason=\"POSTERN_WROKERS: "},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(starts); i++) {
        struct program program = {.name = "query"};
        struct http_client *handle = NULL;
        struct store *store = NULL;
        char out[2048];
        int status;

        set_environment(starts[i].variables);
        capture();
        status = program_open(&program);
        if (status == 0 && program_connect(&program, &handle, &store) != PST_OK)
            status = -1;
        store_close(&store);
        http_client_free(&handle);
        program_close(&program);
        release(out);
        if (status != starts[i].want ||
            (*starts[i].want_printed
                 ? strncmp(out, "time=2", 6) ||
                       !strstr(out, " level=error program=query pid=") ||
                       !strstr(out, " event=start-failed ") ||
                       !strstr(out, starts[i].want_printed)
                 : *out))
            fail_msg("row '%s': status %d, '%s'", starts[i].name, status, out);
        assert_null(program.config);
        assert_null(program.log);
    }
}

/* Everything that is wrong is said, each in a line of its own. */
static void
test_all_complaints(void **state)
{
    static const char *const variables[] = {
        "POSTERN_WORKERS=many", "POSTERN_DRAIN=soon", "POSTERN_NONE=1", NULL};
    static const char *const named[] = {
        "reason=\"POSTERN_WORKERS: ", "reason=\"POSTERN_DRAIN: ",
        "reason=\"POSTERN_NONE: ", "reason=\"COOKIE_SESSION_SECRET: "};
    struct program program = {.name = "query"};
    char out[2048];
    int status;

    (void)state;
    set_environment(variables);
    capture();
    status = program_open(&program);
    program_close(&program);
    release(out);
    assert_int_equal(status, EX_CONFIG);
    for (size_t i = 0; i < PST_COUNT(named); i++)
        if (!strstr(out, named[i]))
            fail_msg("'%s' not in '%s'", named[i], out);
}

/* Short of descriptors, the configuration was blamed: "POSTERN_UPSTREAM: is
 * no address that can be used". */
static void
test_no_descriptors(void **state)
{
    struct program program = {.name = "query"};
    const char *const variables[] = {secret, upstream, NULL};
    struct rlimit limit;
    struct rlimit none;
    char out[2048];
    int status;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    set_environment(variables);
    capture();
    setrlimit(RLIMIT_NOFILE, &none);
    status = program_open(&program);
    setrlimit(RLIMIT_NOFILE, &limit);
    program_close(&program);
    release(out);
    assert_non_null(
        strstr(out, " program=query pid=")); /* and the rest of a log line */
    assert_non_null(
        strstr(out, "reason=\"memory or descriptors: are not to be had\"\n"));
    assert_int_equal(status, EX_OSERR);
}

/* A program that is started with none of them gets /dev/null. */
static void
test_standard_descriptors(void **state)
{
    struct program program = {.name = "query"};
    const char *const variables[] = {secret, upstream, NULL};
    char out[2048];
    int status;
    int next;

    (void)state;
    set_environment(variables);
    capture();
    for (int i = 0; i < 3; i++)
        close(i);
    status = program_open(&program);
    next = dup(saved[0]);
    program_close(&program);
    close(next);
    release(out);
    assert_int_equal(status, 0);
    assert_true(next > 2);
}

/* L68: a core of an aborted program would have the secrets in it. */
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_all_complaints),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_standard_descriptors),
        cmocka_unit_test(test_hide_memory),
    };

    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}

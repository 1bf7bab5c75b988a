/* SPDX-License-Identifier: ISC */
/*
 * test_arguments.c - which arguments are accepted, in which environments.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/arguments.h"

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
    {"address, one argument",
     plain,
     {"query", "--listen=unix:/x", NULL},
     false,
     true,
     "unix:/x",
     0,
     ""},
    {"address, two arguments",
     plain,
     {"query", "--listen", ":80", NULL},
     false,
     true,
     ":80",
     0,
     ""},
    {"empty address",
     plain,
     {"query", "--listen=", NULL},
     false,
     true,
     "",
     0,
     ""},
    {"no address",
     plain,
     {"query", "--listen", NULL},
     false,
     false,
     NULL,
     EX_USAGE,
     "query: --listen needs an address\nUsage: query "},
    {"unknown",
     plain,
     {"query", "--lisen=x", NULL},
     false,
     false,
     NULL,
     EX_USAGE,
     "query: --lisen=x is not an option\nUsage: query "},
    {"unknown, escaped",
     plain,
     {"query", "--x\x1B[2J\xC2\x9B", NULL},
     false,
     false,
     NULL,
     EX_USAGE,
     "query: --x\\x1b[2J\\xc2\\x9b is not an option\nUsage: query "},
    {"not an option",
     plain,
     {"query", "x", NULL},
     false,
     false,
     NULL,
     EX_USAGE,
     "query: x is not an option\nUsage: query "},
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
    {"terminal and address",
     plain,
     {"query", "--listen=:80", NULL},
     true,
     true,
     ":80",
     0,
     ""},
    {"terminal and systemd", systemd, {"query", NULL}, true, true, NULL, 0, ""},
    /* The client has chosen them in the query string. */
    {"CGI",
     cgi,
     {"query", "--listen", "unix:/tmp/planted", NULL},
     false,
     true,
     NULL,
     0,
     ""},
    {"CGI help", cgi, {"query", "--help", NULL}, false, true, NULL, 0, ""},
    {"one CGI variable",
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
        got = arguments_parse(rows[i].argv, "query", &address, &status);
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
        print_message("no terminal: three rows were skipped\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
    };

    return cmocka_run_group_tests_name("arguments", tests, NULL, NULL);
}

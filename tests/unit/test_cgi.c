/* SPDX-License-Identifier: ISC */
/*
 * test_cgi.c - one request on standard input and output, from the variables
 * to the exit status.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/cgi.h"
#include "server/request_body.h"

/* Answers with its method and the body. */
static enum pst_err
echo(struct context *ctx, struct request *req, struct response *res)
{
    struct pst_str body;
    enum pst_err e = request_read_whole_body(req, 1000, &body);

    assert_non_null(ctx->upstream);
    assert_non_null(ctx->ring);
    if (!e)
        e = response_begin(res);
    if (!e)
        e = response_write(res, req->method);
    if (!e)
        e = response_write(res, PST_STR(" "));
    if (!e)
        e = response_write(res, body);
    return e;
}

static enum pst_err
break_off(struct context *ctx, struct request *req, struct response *res)
{
    enum pst_err e = response_begin(res);

    (void)ctx;
    (void)req;
    return e ? e : PST_UPSTREAM_BROKEN;
}

struct outcome {
    int status;
    char out[900];
    char err[900];
};

/* A file with this text, to read from its beginning. */
static FILE *
file_of(const char *text)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    fputs(text, file);
    rewind(file);
    return file;
}

static void
read_all(FILE *file, char out[static 900])
{
    size_t len;

    rewind(file);
    len = fread(out, 1, 899, file);
    out[len] = '\0';
    fclose(file);
}

/* A program in a process of its own; never comes back. */
static void
be_child(const char *const *variables, handler_fn *handler)
{
    struct task task = {.program.name = "test", .handler = handler};
    int status;

    clearenv();
    setenv("COOKIE_SESSION_SECRET", "q8Jw2Rk0vN5tYb7LxZ3mHc6DpFs9GaUe", 1);
    setenv("POSTERN_UPSTREAM", "http://127.0.0.1:9/", 1);
    setenv("POSTERN_STORE", "none", 1);
    for (; *variables; variables++)
        putenv((char *)(uintptr_t)*variables);
    status = program_open(&task.program);
    if (status == EX_OK)
        status = cgi_serve(&task);
    program_close(&task.program);
    fflush(stdout);
    _exit(status);
}

/* What came of the last run. */
static struct outcome outcome;

static void
run(const char *const *variables, const char *body, handler_fn *handler)
{
    FILE *files[3] = {file_of(body), tmpfile(), tmpfile()};
    int status = 0;
    pid_t child = fork();

    outcome = (struct outcome){.status = -1};
    assert_true(child >= 0);
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            dup2(fileno(files[i]), i);
        be_child(variables, handler);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        outcome.status = WEXITSTATUS(status);
    fclose(files[0]);
    read_all(files[1], outcome.out);
    read_all(files[2], outcome.err);
}

static const struct {
    const char *name;
    const char *variables[6];
    const char *body;
    handler_fn *handler;
    int want;
    const char *want_out; /* its beginning */
    const char *want_end; /* and its end */
} rows[] = {
    {"POST",
     {"REQUEST_METHOD=POST", "CONTENT_LENGTH=4", NULL},
     "body",
     echo,
     EX_OK,
     "Status: 200 OK\r\n",
     "\r\n\r\nPOST body"},
    {"POST, more than told (RFC 3875 4.2)",
     {"REQUEST_METHOD=POST", "CONTENT_LENGTH=2", NULL},
     "body",
     echo,
     EX_OK,
     "Status: 200 OK\r\n",
     "\r\n\r\nPOST bo"},
    {"POST, less than told",
     {"REQUEST_METHOD=POST", "CONTENT_LENGTH=9", NULL},
     "body",
     echo,
     EX_OK,
     "Status: 400 ",
     "}"},
    {"POST, length not told (L9)",
     {"REQUEST_METHOD=POST", NULL},
     "body",
     echo,
     EX_OK,
     "Status: 200 OK\r\n",
     "POST body"},
    {"no method (L9)",
     {"GATEWAY_INTERFACE=CGI/1.1", NULL},
     "",
     echo,
     EX_OK,
     "Status: 400 ",
     "}"},
    {"no variable at all (L9)", {NULL}, "", echo, EX_OK, "Status: 400 ", "}"},
    {"an answer cut off",
     {"REQUEST_METHOD=GET", NULL},
     "",
     break_off,
     EX_IOERR,
     "Status: 200 OK\r\n",
     "\r\n\r\n"},
};

static void
test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *out = outcome.out;
        size_t end = strlen(rows[i].want_end);
        size_t len;

        run(rows[i].variables, rows[i].body, rows[i].handler);
        len = strlen(out);
        if (outcome.status != rows[i].want ||
            strncmp(out, rows[i].want_out, strlen(rows[i].want_out)) ||
            len < end || strcmp(out + len - end, rows[i].want_end) != 0)
            fail_msg("row '%s': status %d, '%s', '%s'", rows[i].name,
                     outcome.status, out, outcome.err);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
    };

    return cmocka_run_group_tests_name("cgi", tests, NULL, NULL);
}

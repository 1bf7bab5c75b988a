/* SPDX-License-Identifier: ISC */
/*
 * test_serve.c - the whole life of a program, as plain CGI and on a socket.
 * What FastCGI may bring is in tests/e2e/test_serve.py.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "serve.h"

static char folder[] = "/tmp/test_serve_XXXXXX";
static char path[64];
static char listen_argument[80];

/* Answers with its method and the body. */
static enum pst_err
echo(struct gate *gate, struct request *req, struct reply *rep)
{
    struct pst_text body;
    enum pst_err e = request_body(req, 1000, &body);

    assert_non_null(gate->upstream);
    assert_non_null(gate->ring);
    if (!e)
        e = reply_begin(rep);
    if (!e)
        e = reply_write(rep, req->method);
    if (!e)
        e = reply_write(rep, PST_TEXT(" "));
    if (!e)
        e = reply_write(rep, body);
    return e;
}

static enum pst_err
break_off(struct gate *gate, struct request *req, struct reply *rep)
{
    enum pst_err e = reply_begin(rep);

    (void)gate;
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

/* gate_serve() in a process of its own; never comes back. */
static void
be_child(const char *const *variables, char **argv, gate_handler *handler)
{
    int argc = 0;
    int status;

    clearenv();
    setenv("COOKIE_SESSION_SECRET", "q8Jw2Rk0vN5tYb7LxZ3mHc6DpFs9GaUe", 1);
    setenv("POSTERN_UPSTREAM", "http://127.0.0.1:9/", 1);
    setenv("POSTERN_STORE", "none", 1);
    for (; *variables; variables++)
        putenv((char *)(uintptr_t)*variables);
    while (argv[argc])
        argc++;
    status = gate_serve(argc, argv, "test", handler);
    fflush(stdout);
    _exit(status);
}

/* What came of the last run. */
static struct outcome outcome;

static void
run(const char *const *variables, const char *body, gate_handler *handler)
{
    char *argv[] = {(char *)(uintptr_t) "test", NULL};
    FILE *files[3] = {file_of(body), tmpfile(), tmpfile()};
    int status = 0;
    pid_t child = fork();

    outcome = (struct outcome){.status = -1};
    assert_true(child >= 0);
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            dup2(fileno(files[i]), i);
        be_child(variables, argv, handler);
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
    gate_handler *handler;
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
    {"a configuration refused",
     {"REQUEST_METHOD=GET", "POSTERN_WORKERS=0", NULL},
     "",
     echo,
     EX_CONFIG,
     "",
     ""},
    {"peers that are none",
     {"REQUEST_METHOD=GET", "FCGI_WEB_SERVER_ADDRS=nobody", NULL},
     "",
     echo,
     EX_CONFIG,
     "",
     ""},
};

static void
test_plain_cgi(void **state)
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
            len < end || strcmp(out + len - end, rows[i].want_end) != 0 ||
            (rows[i].want == EX_CONFIG && len > 0))
            fail_msg("row '%s': status %d, '%s', '%s'", rows[i].name,
                     outcome.status, out, outcome.err);
    }
}

/* Connect as soon as somebody listens; ten seconds at most. */
static int
connect_soon(void)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const struct sockaddr *any = (const void *)&name;
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(name.sun_path, path, strlen(path) + 1);
    for (int tries = 0; tries < 1000; tries++) {
        if (connect(descriptor, any, sizeof(name)) == 0)
            return descriptor;
        nanosleep(&pause, NULL);
    }
    fail_msg("nobody listens");
    return -1;
}

/* One request without keep-connection: GET, its body "hi". */
static const char records[] = "\1\1\0\1\0\10\0\0"
                              "\0\1\0\0\0\0\0\0"
                              "\1\4\0\1\0\24\0\0"
                              "\16\4REQUEST_METHODPOST"
                              "\1\4\0\1\0\0\0\0"
                              "\1\5\0\1\0\2\0\0"
                              "hi"
                              "\1\5\0\1\0\0\0\0";

static void
test_socket(void **state)
{
    const char *const variables[] = {"POSTERN_WORKERS=1", NULL};
    char *argv[] = {(char *)(uintptr_t) "test", listen_argument, NULL};
    char got[2048];
    size_t len = 0;
    int status = 0;
    ssize_t some;
    int descriptor;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        assert_non_null(freopen("/dev/null", "w", stderr));
        be_child(variables, argv, echo);
    }
    descriptor = connect_soon();
    assert_int_equal(send(descriptor, records, sizeof(records) - 1, 0),
                     sizeof(records) - 1);
    do {
        some = recv(descriptor, got + len, sizeof(got) - 1 - len, 0);
        assert_true(some >= 0);
        len += (size_t)some;
    } while (some > 0);
    close(descriptor);
    assert_true(len > 16);
    /* STDOUT with the answer, and END_REQUEST last. */
    assert_memory_equal(got, "\1\6\0\1", 4);
    assert_memory_equal(got + 8, "Status: 200 OK\r\n", 16);
    assert_non_null(memmem(got, len, "\r\n\r\nPOST hi", 11));
    assert_memory_equal(got + len - 16, "\1\3\0\1\0\10\0\0\0\0\0\0\0", 13);
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EX_OK);
    assert_int_not_equal(access(path, F_OK), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_cgi),
        cmocka_unit_test(test_socket),
    };
    int failed;

    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/socket", folder);
    snprintf(listen_argument, sizeof(listen_argument), "--listen=unix:%s",
             path);
    failed = cmocka_run_group_tests_name("serve", tests, NULL, NULL);
    rmdir(folder);
    return failed;
}

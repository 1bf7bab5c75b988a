/* SPDX-License-Identifier: ISC */
/*
 * test_serve.c - the whole life of a program, on a socket. What FastCGI may
 * bring is in tests/e2e/test_serve.py; plain CGI is in test_cgi.c.
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

#include "gateway/serve.h"
#include "server/request_body.h"

static char folder[] = "/tmp/test_serve_XXXXXX";
static char path[64];
static char listen_argument[80];

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

/* program_serve() in a process of its own; never comes back. */
static void
be_child(const char *const *variables, char **argv, handler_fn *handler)
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
    status = program_serve(argc, argv, "test", handler);
    fflush(stdout);
    _exit(status);
}

/* A refusal goes to stderr and into the status, never to the client. */
static void
test_refused(void **state)
{
    static const char *const rows[][3] = {
        {"REQUEST_METHOD=GET", "POSTERN_WORKERS=0", NULL},
        {"REQUEST_METHOD=GET", "FCGI_WEB_SERVER_ADDRS=nobody", NULL},
    };
    char *argv[] = {(char *)(uintptr_t) "test", NULL};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        FILE *out = tmpfile();
        int status = 0;
        pid_t child = fork();

        assert_non_null(out);
        assert_true(child >= 0);
        if (child == 0) {
            assert_non_null(freopen("/dev/null", "w", stderr));
            dup2(fileno(out), STDOUT_FILENO);
            be_child(rows[i], argv, echo);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) != EX_CONFIG || lseek(fileno(out), 0, SEEK_END))
            fail_msg("'%s': status %d, or an answer", rows[i][1],
                     WEXITSTATUS(status));
        fclose(out);
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
        cmocka_unit_test(test_refused),
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

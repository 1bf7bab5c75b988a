/* SPDX-License-Identifier: ISC */
/*
 * test_program.c - the whole life of a program: what it prints when it cannot
 * start, one request as plain CGI, and FastCGI on a socket. More of FastCGI is
 * in test_fcgi.c and tests/e2e/test_serve.py.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "gateway/program.h"
#include "server/request_body.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */
#define SECRET "COOKIE_SESSION_SECRET=q8Jw2Rk0vN5tYb7LxZ3mHc6DpFs9GaUe"
#define UPSTREAM "POSTERN_UPSTREAM=http://127.0.0.1:9/"
#define GET "REQUEST_METHOD=GET"
#define POST "REQUEST_METHOD=POST"

static char folder[] = "/tmp/test_program_XXXXXX";
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

static enum pst_err
break_off(struct context *ctx, struct request *req, struct response *res)
{
    enum pst_err e = response_begin(res);

    (void)ctx;
    (void)req;
    if (!e)
        e = response_flush(res);
    return e ? e : PST_UPSTREAM_BROKEN;
}

/* The same while nothing has been sent. */
static enum pst_err
break_off_early(struct context *ctx, struct request *req, struct response *res)
{
    enum pst_err e = response_begin(res);

    (void)ctx;
    (void)req;
    return e ? e : PST_UPSTREAM_BROKEN;
}

/* Is each of the descriptors 0 to 2 open? */
static enum pst_err
check_descriptors(struct context *ctx, struct request *req,
                  struct response *res)
{
    (void)ctx;
    (void)req;
    (void)res;
    for (int i = 0; i < 3; i++)
        if (fcntl(i, F_GETFD) < 0)
            _exit(1);
    _exit(0);
}

/* Run program_serve() in this process, with these variables (NULL at the end)
 * and POSTERN_STORE=none; never returns. */
static void
run_program(const char *const *variables, char *argument, handler_fn *handler)
{
    char *argv[] = {(char *)(uintptr_t) "query", argument, NULL};
    int status;

    clearenv();
    putenv(strdup("POSTERN_STORE=none"));
    for (; *variables; variables++)
        putenv(strdup(*variables)); /* some are wiped */
    status = program_serve(argument ? 2 : 1, argv, "query",
                           PROGRAM_USES_BACKEND, handler);
    fflush(stdout);
    _exit(status);
}

/* What the last program did. */
static struct {
    int status; /* exit status; -1: it did not exit */
    char out[2048];
    char err[2048];
} outcome;

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
read_all(FILE *file, char out[static 2048])
{
    size_t len;

    rewind(file);
    len = fread(out, 1, 2047, file);
    out[len] = '\0';
    fclose(file);
}

static void
wait_for(pid_t child)
{
    int status = 0;

    outcome.status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        outcome.status = WEXITSTATUS(status);
}

/* Run a program in a process of its own, as plain CGI unless `argument` says
 * otherwise. */
static void
run(const char *const *variables, const char *body, char *argument,
    handler_fn *handler)
{
    FILE *files[3] = {file_of(body), tmpfile(), tmpfile()};
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            dup2(fileno(files[i]), i);
        run_program(variables, argument, handler);
    }
    wait_for(child);
    fclose(files[0]);
    read_all(files[1], outcome.out);
    read_all(files[2], outcome.err);
}

static const struct {
    const char *name;
    const char *variables[5];
    const char *argument;
    int want;
    const char *want_err; /* a part of it */
} refused[] = {
    {"no secret",
     {UPSTREAM, GET, NULL},
     NULL,
     EX_CONFIG,
     "reason=\"COOKIE_SESSION_SECRET: "},
    {"no log",
     {SECRET, UPSTREAM, "POSTERN_LOG=/no/such/log", GET, NULL},
     NULL,
     EX_CONFIG,
     "reason=\"POSTERN_LOG: /no/such/log: No such file or directory: name "
     "another file, or set POSTERN_LOG=stderr"},
    {"unknown variable",
     {SECRET, UPSTREAM, "POSTERN_LOPOS=4", GET, NULL},
     NULL,
     EX_CONFIG,
     "reason=\"POSTERN_LOPOS: "},
    {"bad value",
     {SECRET, UPSTREAM, "POSTERN_LOOPS=-1", GET, NULL},
     NULL,
     EX_CONFIG,
     "reason=\"POSTERN_LOOPS: "},
    {"bad addresses of web servers",
     {SECRET, UPSTREAM, "FCGI_WEB_SERVER_ADDRS=nobody", GET, NULL},
     NULL,
     EX_CONFIG,
     "write it like 127.0.0.1,::1"},
    {"no manifest",
     {SECRET, UPSTREAM, "POSTERN_DOCUMENTS=/no/such/manifest", GET, NULL},
     NULL,
     EX_CONFIG,
     "reason=\"POSTERN_DOCUMENTS: "},
    {"bad address",
     {SECRET, UPSTREAM, NULL},
     "--listen=nowhere",
     EX_USAGE,
     "reason=\"cannot listen: nowhere: "},
    {"address in no folder",
     {SECRET, UPSTREAM, NULL},
     "--listen=unix:/no/such/folder/socket",
     EX_OSERR,
     "reason=\"cannot listen: /no/such/folder/socket: No such file"},
    {"bad argument",
     {SECRET, UPSTREAM, NULL},
     "--lisen=x",
     EX_USAGE,
     "Usage: query "},
};

/* Does it begin as a line of the log about a start that failed? */
static bool
is_log_line(const char *text)
{
    return strncmp(text, "time=2", 6) == 0 &&
           strstr(text, "Z level=error program=query pid=") &&
           strstr(text, " event=start-failed reason=\"");
}

/* Errors go to standard error and into the status, never to the client. */
static void
test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(refused); i++) {
        run(refused[i].variables, "", (char *)(uintptr_t)refused[i].argument,
            echo);
        if (outcome.status != refused[i].want || outcome.out[0] ||
            !strstr(outcome.err, refused[i].want_err) ||
            (refused[i].want_err[0] == 'r' && !is_log_line(outcome.err)))
            fail_msg("row '%s': status %d, '%s', '%s'", refused[i].name,
                     outcome.status, outcome.out, outcome.err);
    }
}

/* Each wrong variable is reported, in a line of its own. */
static void
test_all_errors_are_reported(void **state)
{
    static const char *const variables[] = {GET, "POSTERN_LOOPS=many",
                                            "POSTERN_DRAIN=soon",
                                            "POSTERN_NONE=1", NULL};
    static const char *const named[] = {
        "reason=\"POSTERN_LOOPS: ", "reason=\"POSTERN_DRAIN: ",
        "reason=\"POSTERN_NONE: ", "reason=\"COOKIE_SESSION_SECRET: "};

    (void)state;
    run(variables, "", NULL, echo);
    assert_int_equal(outcome.status, EX_CONFIG);
    for (size_t i = 0; i < PST_COUNT(named); i++)
        if (!strstr(outcome.err, named[i]))
            fail_msg("'%s' not in '%s'", named[i], outcome.err);
}

/* Without descriptors, the configuration was once blamed, with an error about
 * POSTERN_UPSTREAM. */
static void
test_no_descriptors(void **state)
{
    static const char *const variables[] = {
        SECRET, "POSTERN_UPSTREAM=https://127.0.0.1:1/", GET, NULL};
    struct rlimit limit;
    FILE *err = tmpfile();
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        dup2(fileno(err), STDERR_FILENO);
        if (pst_crypto_init() != PST_OK) /* libgcrypt would abort later */
            _exit(1);
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = 0;
        setrlimit(RLIMIT_NOFILE, &limit);
        run_program(variables, NULL, echo);
    }
    wait_for(child);
    read_all(err, outcome.err);
    assert_true(is_log_line(outcome.err));
    assert_non_null(strstr(outcome.err,
                           "reason=\"cannot start: out of memory or file "
                           "descriptors (ulimit -n)\"\n"));
    assert_int_equal(outcome.status, EX_OSERR);
}

/* A program that is started without descriptors 0 to 2 gets /dev/null. */
static void
test_standard_descriptors(void **state)
{
    static const char *const variables[] = {SECRET, UPSTREAM, GET, NULL};
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            close(i);
        run_program(variables, NULL, check_descriptors);
    }
    wait_for(child);
    assert_int_equal(outcome.status, 0);
}

static const struct {
    const char *name;
    const char *variables[6];
    const char *argument; /* the client's, by way of the query string */
    const char *body;
    handler_fn *handler;
    int want;
    const char *want_out; /* its beginning */
    const char *want_end; /* and its end */
} requests[] = {
    {"POST",
     {SECRET, UPSTREAM, POST, "CONTENT_LENGTH=4", NULL},
     NULL,
     "body",
     echo,
     EX_OK,
     "Status: 200 OK\r\n",
     "\r\n\r\nPOST body"},
    {"more than CONTENT_LENGTH (RFC 3875 4.2)",
     {SECRET, UPSTREAM, POST, "CONTENT_LENGTH=2", NULL},
     NULL,
     "body",
     echo,
     EX_OK,
     "Status: 200 OK\r\n",
     "\r\n\r\nPOST bo"},
    {"less than CONTENT_LENGTH",
     {SECRET, UPSTREAM, POST, "CONTENT_LENGTH=9", NULL},
     NULL,
     "body",
     echo,
     EX_OK,
     "Status: 400 ",
     "}"},
    {"no CONTENT_LENGTH (L9)",
     {SECRET, UPSTREAM, POST, NULL},
     NULL,
     "body",
     echo,
     EX_OK,
     "Status: 200 OK\r\n",
     "POST body"},
    {"over the limit",
     {SECRET, UPSTREAM, POST, "POSTERN_MAX_BODY=1K", "CONTENT_LENGTH=1025",
      NULL},
     NULL,
     "body",
     echo,
     EX_OK,
     "Status: 413 ",
     "}"},
    {"no method (L9)",
     {SECRET, UPSTREAM, "GATEWAY_INTERFACE=CGI/1.1", NULL},
     NULL,
     "",
     echo,
     EX_OK,
     "Status: 400 ",
     "}"},
    {"no variable at all (L9)",
     {SECRET, UPSTREAM, NULL},
     NULL,
     "",
     echo,
     EX_OK,
     "Status: 400 ",
     "}"},
    {"arguments from the client",
     {SECRET, UPSTREAM, GET, NULL},
     "--listen=unix:/tmp/planted",
     "",
     echo,
     EX_OK,
     "Status: 200 OK\r\n",
     "GET "},
    {"an answer cut off",
     {SECRET, UPSTREAM, GET, NULL},
     NULL,
     "",
     break_off,
     EX_IOERR,
     "Status: 200 OK\r\n",
     "\r\n\r\n"},
    {"an answer cut off before it was sent",
     {SECRET, UPSTREAM, GET, NULL},
     NULL,
     "",
     break_off_early,
     EX_OK,
     "Status: 502 Bad Gateway\r\n",
     "}]}"},
};

static void
test_cgi_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(requests); i++) {
        const char *out = outcome.out;
        size_t end = strlen(requests[i].want_end);
        size_t len;

        run(requests[i].variables, requests[i].body,
            (char *)(uintptr_t)requests[i].argument, requests[i].handler);
        len = strlen(out);
        if (outcome.status != requests[i].want ||
            strncmp(out, requests[i].want_out, strlen(requests[i].want_out)) ||
            len < end || strcmp(out + len - end, requests[i].want_end) != 0)
            fail_msg("row '%s': status %d, '%s', '%s'", requests[i].name,
                     outcome.status, out, outcome.err);
    }
}

/* Connect as soon as the program logs that it listens. */
static int
connect_when_ready(FILE *log)
{
    char line[1024];
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const struct sockaddr *any = (const void *)&name;
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(name.sun_path, path, strlen(path) + 1);
    do
        assert_non_null(fgets(line, sizeof(line), log));
    while (!strstr(line, "event=ready"));
    assert_int_equal(connect(descriptor, any, sizeof(name)), 0);
    return descriptor;
}

/* One request without keep-connection: POST, its body "hi". */
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
    static const char *const variables[] = {SECRET, UPSTREAM, "POSTERN_LOOPS=1",
                                            NULL};
    char got[2048];
    size_t len = 0;
    ssize_t some;
    int descriptor;
    int ends[2];
    FILE *log;
    pid_t child;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        run_program(variables, listen_argument, echo);
    }
    close(ends[1]);
    log = fdopen(ends[0], "r");
    assert_non_null(log);
    descriptor = connect_when_ready(log);
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
    wait_for(child);
    fclose(log);
    assert_int_equal(outcome.status, EX_OK);
    assert_int_not_equal(access(path, F_OK), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_all_errors_are_reported),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_standard_descriptors),
        cmocka_unit_test(test_cgi_requests),
        cmocka_unit_test(test_socket),
    };
    int failed;

    alarm(TIMEOUT);
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/socket", folder);
    snprintf(listen_argument, sizeof(listen_argument), "--listen=unix:%s",
             path);
    failed = cmocka_run_group_tests_name("program", tests, NULL, NULL);
    rmdir(folder);
    return failed;
}

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
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "engine/cgi.h"

#define BODY_TIMEOUT_MS 20

static const char *
variable(const struct request_input *input, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; input->variables[i]; i++)
        if (strncmp(input->variables[i], name, len) == 0 &&
            input->variables[i][len] == '=')
            return input->variables[i] + len + 1;
    return NULL;
}

/* Answers with the method and the body, or as REQUEST_METHOD says. */
static bool
handle(void *state, const struct request_input *input,
       const struct response_sink *sink)
{
    const char *method = variable(input, "REQUEST_METHOD");
    char body[64];
    size_t len = 0;

    assert_string_equal(state, "state");
    assert_false(input->authorizer);
    if (strcmp(method, "CUT") == 0)
        return false;
    if (strcmp(method, "DISCARD") == 0 || strcmp(method, "SENT") == 0) {
        if (sink->write(sink->context, PST_STR("half ")) != PST_OK ||
            (method[0] == 'S' && sink->flush(sink->context) != PST_OK) ||
            sink->discard(sink->context) != (method[0] == 'D'))
            return false;
    }
    if (sink->write(sink->context, pst_str_from(method)) != PST_OK)
        return false;
    while (strcmp(method, "UNREAD") != 0) {
        enum pst_err e =
            input->source.read(input->source.context, body, sizeof(body), &len);

        if (e == PST_BODY_LATE &&
            sink->write(sink->context, PST_STR(" late")) == PST_OK)
            break;
        if (e)
            return false;
        if (len == 0)
            break;
        if (sink->write(sink->context, (struct pst_str){body, len}) != PST_OK)
            return false;
    }
    if (input->source.descriptor >= 0 &&
        sink->write(sink->context, PST_STR(" watched")) != PST_OK)
        return false;
    return sink->flush(sink->context) == PST_OK;
}

static void *
new_state(void *context)
{
    return context;
}

static void
free_state(void *state)
{
    assert_string_equal(state, "state");
}

static char text[] = "state";
static const struct engine_handler handler = {text, new_state, handle,
                                              free_state, NULL};
static const struct engine_handler stateless = {NULL, new_state, handle,
                                                free_state, NULL};

/*
 * Run cgi_serve() in a process of its own.
 *   in, out  its standard input and output, closed here
 * Returns its process.
 */
static pid_t
start(const struct engine_handler *used, const char *method, int in, int out)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        for (int i = 3; i < 64; i++)
            close(i);
        clearenv();
        setenv("REQUEST_METHOD", method, 1);
        _exit(cgi_serve(used, BODY_TIMEOUT_MS));
    }
    close(in);
    if (out != in)
        close(out);
    return child;
}

static int
exit_status(pid_t child)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
read_answer(int descriptor, char out[static 256])
{
    size_t len = 0;
    ssize_t got;

    do {
        got = read(descriptor, out + len, 255 - len);
        assert_true(got >= 0); /* ECONNRESET: the answer can be lost */
        len += (size_t)got;
    } while (got > 0);
    out[len] = '\0';
    close(descriptor);
}

static void
test_pipes(void **state)
{
    static const struct {
        const struct engine_handler *handler;
        const char *method;
        const char *want_out;
        int want;
    } rows[] = {
        {&handler, "POST", "POSTbody watched", EX_OK},
        {&handler, "UNREAD", "UNREAD watched", EX_OK},
        {&handler, "CUT", "", EX_IOERR},
        {&handler, "DISCARD", "DISCARDbody watched", EX_OK},
        {&handler, "SENT", "half SENTbody watched", EX_OK},
        {&stateless, "POST", "", EX_OSERR},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        int in[2];
        int out[2];
        char answer[256];
        pid_t child;

        assert_int_equal(pipe(in), 0);
        assert_int_equal(pipe(out), 0);
        assert_int_equal(write(in[1], "body", 4), 4);
        close(in[1]);
        child = start(rows[i].handler, rows[i].method, in[0], out[1]);
        read_answer(out[0], answer);
        assert_int_equal(exit_status(child), rows[i].want);
        assert_string_equal(answer, rows[i].want_out);
    }
}

/* The web server keeps standard input open without sending more. */
static void
test_body_is_late(void **state)
{
    int in[2];
    int out[2];
    char answer[256];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    assert_int_equal(write(in[1], "bo", 2), 2);
    child = start(&handler, "POST", in[0], out[1]);
    read_answer(out[0], answer);
    assert_string_equal(answer, "POSTbo late watched");
    assert_int_equal(exit_status(child), EX_OK);
    close(in[1]);
}

/* The client does not read the response. */
static void
test_client_is_gone(void **state)
{
    int in[2];
    int out[2];

    (void)state;
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    close(in[1]);
    close(out[0]);
    assert_int_equal(exit_status(start(&handler, "GET", in[0], out[1])),
                     EX_IOERR);
}

/* mod_cgid: one socket is standard input and output. A body that is not read
 * must not make the web server lose the answer. */
static void
test_socket(void **state)
{
    static const char body[100000];
    int ends[2];
    char answer[256];
    pid_t child;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(send(ends[1], body, sizeof(body), 0), sizeof(body));
    shutdown(ends[1], SHUT_WR);
    child = start(&handler, "UNREAD", ends[0], ends[0]);
    read_answer(ends[1], answer);
    assert_string_equal(answer, "UNREAD");
    assert_int_equal(exit_status(child), EX_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipes),
        cmocka_unit_test(test_body_is_late),
        cmocka_unit_test(test_client_is_gone),
        cmocka_unit_test(test_socket),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("cgi", tests, NULL, NULL);
}

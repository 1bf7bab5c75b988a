/* SPDX-License-Identifier: ISC */
/*
 * echo_handler.c - a program whose handler answers with the request, for tests
 * of serving without sessions or a backend.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "break_out.h"
#include "engine/wait.h"
#include "gateway/program.h"
#include "server/request_body.h"

/* The number after "name=" in the query string, or 0. */
static int64_t
number_of(const struct request *req, const char *name)
{
    struct pst_str rest = req->query;
    struct pst_str pair;
    struct pst_str wanted = pst_str_from(name);
    int64_t number = 0;

    while (pst_str_next_token(&rest, "&", &pair)) {
        size_t equals = pst_str_index(pair, '=');

        if (pst_str_equal(pst_str_first(pair, equals), wanted) &&
            pst_str_parse_number(pst_str_skip(pair, equals + 1), &number) !=
                PST_OK)
            return 0;
    }
    return number;
}

static void
sleep_ms(int64_t ms)
{
    const struct wait_limit limit = {.deadline = clock_ms() + ms, .client = -1};

    (void)!wait_until(&limit);
}

static enum pst_err
write_line(struct response *res, const char *name, struct pst_str value)
{
    enum pst_err e = response_write(res, pst_str_from(name));

    if (!e)
        e = response_write(res, PST_STR("="));
    if (!e)
        e = response_write(res, value);
    if (!e)
        e = response_write(res, PST_STR("\n"));
    return e;
}

static enum pst_err
write_body(struct request *req, struct response *res)
{
    char piece[2048];
    size_t len = 0;
    enum pst_err e;

    do {
        e = request_read_body(req, piece, sizeof(piece), &len);
        if (!e)
            e = response_write(res, (struct pst_str){piece, len});
        if (!e && number_of(req, "flush"))
            e = response_flush(res);
    } while (!e && len > 0);
    return e;
}

/* Write so many bytes. */
static enum pst_err
write_filling(struct response *res, int64_t size)
{
    char piece[2048];
    enum pst_err e = PST_OK;

    memset(piece, 'x', sizeof(piece));
    while (!e && size > 0) {
        size_t some =
            size < (int64_t)sizeof(piece) ? (size_t)size : sizeof(piece);

        e = response_write(res, (struct pst_str){piece, some});
        size -= (int64_t)some;
    }
    return e;
}

static enum pst_err
write_error(struct response *res, const char *name, int error)
{
    const char *text = strerrorname_np(error);

    return write_line(res, name, pst_str_from(error == 0 ? "done" : text));
}

/* Try to break out of the sandbox. The header X-Echo is the path of a file for
 * break_out_try(). */
static enum pst_err
write_break_outs(struct request *req, struct response *res)
{
    struct pst_str path = request_variable(req, "HTTP_X_ECHO");
    char *file = strndup(path.ptr, path.len);
    enum pst_err e = file ? PST_OK : PST_NO_MEMORY;

    for (size_t i = 0; !e && i < break_out_count; i++)
        e = write_error(res, break_outs[i].name, break_out_try(i, file));
    free(file);
    return e;
}

/*
 * Options in the query string: sleep=MS before the answer, fail=ERROR instead
 * of it, skip=1 does not read the body, flush=1 sends every piece at once,
 * size=N adds N bytes, late=MS sleeps within the answer, cut=1 breaks off
 * there; break=1 tries to break out of the sandbox, port=N to connect to that
 * port (fast=1: with the first data).
 */
static enum pst_err
echo(struct context *ctx, struct request *req, struct response *res)
{
    int64_t failure = number_of(req, "fail");
    enum pst_err e;

    (void)ctx;
    sleep_ms(number_of(req, "sleep"));
    if (failure > 0 && failure < PST_ERR_COUNT)
        return (enum pst_err)failure;
    response_set_header(res, PST_STR("Content-Type"), PST_STR("text/plain"));
    e = response_begin(res);
    if (!e)
        e = write_line(res, "method", req->method);
    if (!e)
        e = write_line(res, "role",
                       req->authorizer ? PST_STR("authorizer")
                                       : PST_STR("responder"));
    if (!e)
        e = write_line(res, "echo", request_variable(req, "HTTP_X_ECHO"));
    if (!e && !number_of(req, "skip"))
        e = write_body(req, res);
    if (!e)
        e = write_filling(res, number_of(req, "size"));
    if (!e && number_of(req, "break"))
        e = write_break_outs(req, res);
    if (!e && number_of(req, "port"))
        e = write_error(res, "port",
                        break_out_connect((uint16_t)number_of(req, "port"),
                                          number_of(req, "fast") != 0));
    if (!e && number_of(req, "late"))
        e = response_flush(res);
    sleep_ms(number_of(req, "late"));
    if (!e && number_of(req, "cut"))
        return PST_UPSTREAM_BROKEN;
    return e;
}

int
main(int argc, char **argv)
{
    return program_serve(argc, argv, "echo",
                         getenv("ECHO_USES_BACKEND") ? PROGRAM_USES_BACKEND
                                                     : PROGRAM_USES_STORE,
                         echo);
}

/* SPDX-License-Identifier: ISC */
/*
 * echo_handler.c - a program whose handler says what it was asked: for tests
 * of serve, without sessions or a backend.
 */
#include <string.h>
#include <time.h>

#include "gateway/serve.h"

/* The number after "name=" in the query string; 0 where there is none. */
static int64_t
number_of(const struct request *req, const char *name)
{
    struct pst_text rest = req->query;
    struct pst_text pair;
    struct pst_text wanted = pst_text_from(name);
    int64_t number = 0;

    while (pst_text_word(&rest, "&", &pair)) {
        size_t equals = pst_text_index(pair, '=');

        if (pst_text_equal(pst_text_first(pair, equals), wanted) &&
            pst_text_number(pst_text_from_octet(pair, equals + 1), &number) !=
                PST_OK)
            return 0;
    }
    return number;
}

static void
sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000};

    while (nanosleep(&left, &left) != 0)
        continue;
}

static enum pst_err
write_line(struct reply *rep, const char *name, struct pst_text value)
{
    enum pst_err e = reply_write(rep, pst_text_from(name));

    if (!e)
        e = reply_write(rep, PST_TEXT("="));
    if (!e)
        e = reply_write(rep, value);
    if (!e)
        e = reply_write(rep, PST_TEXT("\n"));
    return e;
}

static enum pst_err
write_body(struct request *req, struct reply *rep)
{
    char piece[2048];
    size_t len = 0;
    enum pst_err e;

    do {
        e = request_read(req, piece, sizeof(piece), &len);
        if (!e)
            e = reply_write(rep, (struct pst_text){piece, len});
        if (!e && number_of(req, "flush"))
            e = reply_flush(rep);
    } while (!e && len > 0);
    return e;
}

/* As many bytes as were asked for. */
static enum pst_err
write_filling(struct reply *rep, int64_t size)
{
    char piece[2048];
    enum pst_err e = PST_OK;

    memset(piece, 'x', sizeof(piece));
    while (!e && size > 0) {
        size_t some =
            size < (int64_t)sizeof(piece) ? (size_t)size : sizeof(piece);

        e = reply_write(rep, (struct pst_text){piece, some});
        size -= (int64_t)some;
    }
    return e;
}

/*
 * Of the query string: sleep=MS before the answer, fail=ERROR instead of it,
 * skip=1 leaves the body unread, flush=1 sends every piece at once, size=N
 * adds so many bytes, late=MS waits in the middle, cut=1 breaks off there.
 */
static enum pst_err
echo(struct gate *gate, struct request *req, struct reply *rep)
{
    int64_t failure = number_of(req, "fail");
    enum pst_err e;

    (void)gate;
    sleep_ms(number_of(req, "sleep"));
    if (failure > 0 && failure < PST_ERR_COUNT)
        return (enum pst_err)failure;
    reply_put(rep, PST_TEXT("Content-Type"), PST_TEXT("text/plain"));
    e = reply_begin(rep);
    if (!e)
        e = write_line(rep, "method", req->method);
    if (!e)
        e = write_line(rep, "role",
                       req->authorizer ? PST_TEXT("authorizer")
                                       : PST_TEXT("responder"));
    if (!e)
        e = write_line(rep, "echo", request_variable(req, "HTTP_X_ECHO"));
    if (!e && !number_of(req, "skip"))
        e = write_body(req, rep);
    if (!e)
        e = write_filling(rep, number_of(req, "size"));
    if (!e && number_of(req, "late"))
        e = reply_flush(rep);
    sleep_ms(number_of(req, "late"));
    if (!e && number_of(req, "cut"))
        return PST_UPSTREAM_BROKEN;
    return e;
}

int
main(int argc, char **argv)
{
    return gate_serve(argc, argv, "echo", echo);
}

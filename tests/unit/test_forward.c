/* SPDX-License-Identifier: ISC */
/*
 * test_forward.c - exchanges with the backend: bodies, redirects, nested
 * requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "full_request.h"
#include "gateway/forward.h"
#include "server/log.h"

/* A buffered response has a maximum size. */
static void
test_hold_is_bounded(void **state)
{
    struct forward_request what = {.method = PST_STR("POST")};
    static struct forward_response answer;
    struct fixture *f = *state;
    char *body = malloc(PST_BUFFERED_BODY_MAX + 2);

    assert_non_null(body);
    memset(body, 'x', PST_BUFFERED_BODY_MAX + 1);
    body[PST_BUFFERED_BODY_MAX + 1] = '\0';
    fixture_init(f, plain);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){.status = 200, .body = body};
    assert_int_equal(forward_buffered(&f->ctx, &f->req, &what, &answer),
                     PST_UPSTREAM_BROKEN);
    body[PST_BUFFERED_BODY_MAX] = '\0';
    fixture_request(f, everything, "{}");
    assert_int_equal(forward_buffered(&f->ctx, &f->req, &what, &answer),
                     PST_OK);
    assert_int_equal(answer.body.len, PST_BUFFERED_BODY_MAX);
    fixture_fini(f);
    free(body);
}

static void
test_backend_down(void **state)
{
    struct forward_request what = {.method = PST_STR("POST")};
    struct fixture *f = *state;

    fixture_init(f, plain);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){.status = 0};
    assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                     PST_UPSTREAM_DOWN);
    assert_false(f->res.begun);
    fixture_fini(f);
}

/* A generated body of unknown length. */
struct source {
    size_t left; /* bytes */
    enum pst_err at_end;
};

static enum pst_err
give_piece(void *context, char *out, size_t size, size_t *len)
{
    struct source *source = context;

    *len = source->left < size ? source->left : size;
    memset(out, 's', *len);
    source->left -= *len;
    return *len == 0 ? source->at_end : PST_OK;
}

/* It is sent complete with its type. An error in it ends the request. */
static void
test_streamed_body(void **state)
{
    static const enum pst_err ends[] = {PST_OK, PST_MALFORMED, PST_DUPLICATE,
                                        PST_CLIENT_GONE};
    struct fixture *f = *state;

    fixture_init(f, plain);
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    for (size_t i = 0; i < PST_COUNT(ends); i++) {
        struct source source = {2500, ends[i]};
        const struct forward_request what = {
            .method = PST_STR("POST"),
            .type = PST_STR("multipart/form-data; boundary=b"),
            .read = give_piece,
            .context = &source};

        fixture_request(f, everything, "{}");
        assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                         ends[i]);
        assert_true(fixture_was_sent(
            f, "\nContent-Type: multipart/form-data; boundary=b\n"));
        assert_int_equal(f->body_lengths[0], -1);
        assert_int_equal(source.left, 0);
        assert_true(f->sent[f->sent_len - 2500] == 's' &&
                    f->sent[f->sent_len - 2501] != 's');
        assert_int_equal(f->res.begun, ends[i] == PST_OK);
    }
    fixture_fini(f);
}

/* A response without a Content-Length may be a stream of events: what came is
 * sent on at once. */
static void
test_flushed(void **state)
{
    static const struct {
        struct fixture_answer answer;
        size_t flushes;
    } rows[] = {
        {{.status = 200, .body = "data: 1"}, 1},
        {{.status = 200, .headers = {"Content-Length: 7"}, .body = "data: 1"},
         0},
        {{.status = 200, .headers = {"ETag: \"1\""}, .body = "data: 1"}, 1},
    };
    const struct forward_request what = {.method = PST_STR("POST")};
    struct fixture *f = *state;

    fixture_init(f, plain);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        f->answer = rows[i].answer;
        fixture_request(f, everything, "{}");
        assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                         PST_OK);
        assert_true(fixture_is_out(f, "\r\n\r\ndata: 1"));
        assert_int_equal(f->flushes, rows[i].flushes);
    }
    fixture_fini(f);
}

/* Without a body there is no type, and the client's body is not read. */
static void
test_no_body(void **state)
{
    const struct forward_request what = {.method = PST_STR("GET"),
                                         .query = PST_STR("query=%7Ba%7D")};
    const char *const never[] = {"Content-Type", "clients body", NULL};
    struct fixture *f = *state;

    fixture_init(f, plain);
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    fixture_request(f, everything, "clients body");
    assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                     PST_OK);
    assert_true(fixture_was_sent(f, "GET ?query=%7Ba%7D\n"));
    assert_sent(f, never, false);
    assert_int_equal(f->body_lengths[0], 0);
    fixture_fini(f);
}

/* The contents of the log file. */
static const char *
logged(const char *path)
{
    static char text[8192];
    FILE *file = fopen(path, "r");
    size_t len;

    assert_non_null(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

/* A redirect is not followed or forwarded. The log names its target. A 304 is
 * not a redirect. */
static void
test_redirects(void **state)
{
    static const struct {
        int status;
        enum pst_err want;
    } rows[] = {
        {300, PST_UPSTREAM_BROKEN},
        {301, PST_UPSTREAM_BROKEN},
        {302, PST_UPSTREAM_BROKEN},
        {303, PST_UPSTREAM_BROKEN},
        {304, PST_OK},
        {305, PST_UPSTREAM_BROKEN},
        {307, PST_UPSTREAM_BROKEN},
        {308, PST_UPSTREAM_BROKEN},
        {399, PST_UPSTREAM_BROKEN},
        {400, PST_OK},
    };
    const struct forward_request what = {.method = PST_STR("POST")};
    static struct forward_response answer;
    struct fixture *f = *state;
    char path[] = "/tmp/postern-forward-XXXXXX";
    int descriptor = mkstemp(path);

    assert_true(descriptor >= 0);
    close(descriptor);
    fixture_init(f, plain);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        assert_int_equal(truncate(path, 0), 0);
        assert_int_equal(
            log_open(&f->ctx.log, path, LOG_LOGFMT, LEVEL_INFO, "test"),
            PST_OK);
        f->answer = (struct fixture_answer){
            rows[i].status, {"Location: http://target.example/x"}, NULL};
        fixture_request(f, everything, "{}");
        assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                         rows[i].want);
        assert_int_equal(f->res.begun, rows[i].want == PST_OK);
        assert_false(fixture_is_out(f, "target.example"));
        fixture_request(f, everything, "{}");
        assert_int_equal(forward_buffered(&f->ctx, &f->req, &what, &answer),
                         rows[i].want);
        assert_int_equal(strstr(logged(path), "http://target.example/x") !=
                             NULL,
                         rows[i].want != PST_OK);
        log_close(&f->ctx.log);
    }
    unlink(path);
    fixture_fini(f);
}

/* Sends its own request while it checks the response head. */
static enum pst_err
ask_within(void *context, const struct credentials_update *update)
{
    static struct forward_response answer;
    const struct forward_request what = {.method = PST_STR("POST"),
                                         .body = PST_STR("within"),
                                         .headers = FORWARD_WHO};
    struct fixture *f = context;

    assert_true(pst_str_equal(update->token, PST_STR("fresh")));
    assert_int_equal(f->res.begun, false);
    assert_int_equal(forward_buffered(&f->ctx, &f->req, &what, &answer),
                     PST_OK);
    assert_true(pst_str_equal(answer.body, PST_STR("inner")));
    return f->ctx.now < 0 ? PST_STORE_DOWN : PST_OK;
}

/* The nested request runs on the same client. The outer request continues. If
 * the hook fails, no response is sent. */
static void
test_request_within(void **state)
{
    const char *const settings[] = {"POSTERN_BACKEND=vendure", NULL};
    const struct forward_request what = {.method = PST_STR("POST"),
                                         .body = PST_STR("around")};
    struct fixture *f = *state;
    const struct forward_hook follow = {ask_within, f};

    fixture_init(f, settings);
    f->answer =
        (struct fixture_answer){200, {"vendure-auth-token: fresh"}, "outer"};
    f->later[0] = (struct fixture_answer){.status = 200, .body = "inner"};
    for (int i = 0; i < 3; i++) {
        bool fails = i == 2;

        fixture_request(f, everything, "{}");
        f->ctx.now = fails ? -1 : FIXTURE_NOW;
        assert_int_equal(
            forward_stream(&f->ctx, &f->req, &f->res, &what, &follow),
            fails ? PST_STORE_DOWN : PST_OK);
        assert_int_equal(f->exchanges, 2);
        assert_ptr_equal(f->used[0], f->ctx.upstream);
        assert_ptr_equal(f->used[1], f->ctx.upstream);
        assert_int_equal(fixture_is_out(f, "\r\n\r\nouter"), !fails);
    }
    fixture_fini(f);
}

/* Every failing allocation is PST_NO_MEMORY, and nothing is sent. */
static void
test_no_memory(void **state)
{
    const struct forward_request what = {.method = PST_STR("POST"),
                                         .body = PST_STR("{}"),
                                         .upstream = PST_STR("\"t\"")};
    struct fixture *f = *state;
    static struct forward_response answer;
    enum pst_err e = PST_NO_MEMORY;
    size_t n = 0;

    fixture_init(f, plain);
    f->answer = (struct fixture_answer){200, {"ETag: 1", "Allow: GET"}, "{}"};
    while (e && n < 200) {
        fixture_request(f, everything, "{}");
        pst_arena_fail_at(f->arena, ++n);
        e = forward_buffered(&f->ctx, &f->req, &what, &answer);
        assert_true(e == PST_OK || e == PST_NO_MEMORY);
    }
    assert_true(n > 5 && e == PST_OK);
    fixture_fini(f);
}

int
main(void)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_hold_is_bounded, &fixture),
        cmocka_unit_test_prestate(test_backend_down, &fixture),
        cmocka_unit_test_prestate(test_streamed_body, &fixture),
        cmocka_unit_test_prestate(test_flushed, &fixture),
        cmocka_unit_test_prestate(test_no_body, &fixture),
        cmocka_unit_test_prestate(test_redirects, &fixture),
        cmocka_unit_test_prestate(test_request_within, &fixture),
        cmocka_unit_test_prestate(test_no_memory, &fixture),
    };

    return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}

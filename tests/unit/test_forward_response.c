/* SPDX-License-Identifier: ISC */
/*
 * test_forward_response.c - the headers of a response: what passes to the
 * client, and what never does (design 2.8).
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

/* Status, type and body pass; cookies, authentication and the rest do not. */
static void
test_answer_headers(void **state)
{
    static const int statuses[] = {200, 400, 401, 404, 405, 418, 500, 503};
    struct fixture *f = *state;

    fixture_init(f, plain);
    for (size_t i = 0; i < PST_COUNT(statuses); i++) {
        struct forward_request what = {.method = PST_STR("POST")};
        char status[32];

        fixture_request(f, everything, "{}");
        f->answer = (struct fixture_answer){
            statuses[i],
            {"content-type: application/graphql-response+json", "ETag: \"1\"",
             "Set-Cookie: stolen=1", "WWW-Authenticate: Basic",
             "Cache-Control: public", "Vary: Accept-Language",
             "Server: secret/1"},
            "{\"a\":1}"};
        assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                         PST_OK);
        snprintf(status, sizeof(status), "Status: %d ", statuses[i]);
        assert_true(fixture_is_out(f, status));
        assert_true(fixture_is_out(
            f, "Content-Type: application/graphql-response+json\r\n"));
        assert_true(fixture_is_out(f, "ETag: \"1\"\r\n"));
        assert_true(fixture_is_out(f, "Cache-Control: no-store\r\n"));
        assert_true(fixture_is_out(f, "Accept-Language"));
        assert_true(fixture_is_out(f, "\r\n\r\n{\"a\":1}"));
        assert_false(fixture_is_out(f, "stolen"));
        assert_false(fixture_is_out(f, "Basic"));
        assert_false(fixture_is_out(f, "public"));
        assert_false(fixture_is_out(f, "secret/1"));
    }
    fixture_fini(f);
}

/* R58: what could split our header is dropped. */
static void
test_answer_injection(void **state)
{
    struct forward_request what = {.method = PST_STR("POST")};
    struct fixture *f = *state;

    fixture_init(f, plain);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){
        200, {"ETag: x\r\nSet-Cookie: evil=1", "Allow: a\nb"}, "{}"};
    assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                     PST_OK);
    assert_false(fixture_is_out(f, "evil"));
    assert_false(fixture_is_out(f, "Allow"));
    fixture_fini(f);
}

/* Held, changed, and relayed: the length is the new one, the ETag is gone. */
static void
test_relay(void **state)
{
    struct forward_request what = {.method = PST_STR("POST")};
    static struct forward_response answer;
    struct fixture *f = *state;

    fixture_init(f, plain);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){
        200,
        {"ETag: x", "Content-Length: 9", "vendure-auth-token: t"},
        "{\"a\":123}"};
    assert_int_equal(forward_buffered(&f->ctx, &f->req, &what, &answer),
                     PST_OK);
    assert_int_equal(answer.status, 200);
    assert_int_equal(forward_send_response(&f->res, &answer, PST_STR("{}")),
                     PST_OK);
    assert_true(fixture_is_out(f, "Content-Length: 2\r\n"));
    assert_false(fixture_is_out(f, "ETag"));
    assert_false(fixture_is_out(f, "vendure-auth-token"));
    assert_true(fixture_is_out(f, "\r\n\r\n{}"));
    fixture_fini(f);
}

/* A body of any length, and its length. */
static void
test_relayed_lengths(void **state)
{
    static const struct {
        const char *body;
        const char *out;
    } rows[] = {
        {"", "Content-Length: 0\r\n\r\n"},
        {"1", "Content-Length: 1\r\n\r\n1"},
        {"{}", "Content-Length: 2\r\n\r\n{}"},
    };
    const struct forward_request what = {.method = PST_STR("POST")};
    static struct forward_response answer;
    struct fixture *f = *state;

    fixture_init(f, plain);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
        fixture_request(f, everything, "{}");
        assert_int_equal(forward_buffered(&f->ctx, &f->req, &what, &answer),
                         PST_OK);
        assert_int_equal(
            forward_send_response(&f->res, &answer, pst_str_from(rows[i].body)),
            PST_OK);
        if (!fixture_is_out(f, rows[i].out))
            fail_msg("not '%s' but '%.*s'", rows[i].out, (int)f->out_len,
                     f->out);
    }
    fixture_fini(f);
}

/* A backend with cookies gets its own. No other party gets them. */
static void
test_cookies(void **state)
{
    const char *const settings[] = {"POSTERN_BACKEND=vendure",
                                    "POSTERN_UPSTREAM_TOKEN=cookie", NULL};
    struct forward_request what = {
        .method = PST_STR("POST"),
        .upstream = PST_STR("{\"session\":\"s1\",\"session.sig\":\"x\"}")};
    const char *const never[] = {"Authorization", "__Host-Http-session", NULL};
    static struct forward_response answer;
    struct fixture *f = *state;

    fixture_init(f, settings);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){
        200, {"Set-Cookie: session=s2; httponly", "set-cookie: a=b"}, "{}"};
    assert_int_equal(forward_buffered(&f->ctx, &f->req, &what, &answer),
                     PST_OK);
    assert_true(fixture_was_sent(f, "\nCookie: session=s1; session.sig=x\n"));
    assert_sent(f, never, false);
    assert_int_equal(answer.update.cookie_count, 2);
    assert_int_equal(forward_send_response(&f->res, &answer, answer.body),
                     PST_OK);
    assert_false(fixture_is_out(f, "s2"));
    fixture_fini(f);
}

/* Several lines of a list are one list; of anything else the last counts. */
static void
test_lists_are_joined(void **state)
{
    const struct forward_request what = {.method = PST_STR("POST")};
    struct fixture *f = *state;

    fixture_init(f, plain);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){
        405,
        {"Allow: GET", "allow: HEAD", "Content-Language: de",
         "Content-Language: en", "Vary: A", "vary: B", "ETag: 1"},
        "{}"};
    assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                     PST_OK);
    assert_true(fixture_is_out(f, "Allow: GET, HEAD\r\n"));
    assert_true(fixture_is_out(f, "Content-Language: de, en\r\n"));
    assert_non_null(strstr(fixture_header(f, "Vary"), "A, B"));
    assert_int_equal(fixture_count(f, "Allow"), 1);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){200, {"ETag: 1", "etag: 2"}, "{}"};
    assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                     PST_OK);
    assert_true(fixture_is_out(f, "ETag: 2\r\n"));
    assert_false(fixture_is_out(f, "ETag: 1"));
    fixture_fini(f);
}

/* A mark and gzip are removed; what cannot be decoded stays as it is. */
static void
test_decode(void **state)
{
    /* {"a":1} */
    static const char zipped[] =
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x54\xb2\x32"
        "\xac\x05\x00\xaf\xac\x1b\x56\x07\x00\x00\x00";
    const struct pst_str gzip = {zipped, sizeof(zipped) - 1};
    const struct {
        const char *coding; /* NULL: none */
        struct pst_str body;
        size_t max;
        struct pst_str want;
        bool is_encoded;
    } rows[] = {
        {NULL, PST_STR("{}"), 9, PST_STR("{}"), false},
        {NULL, PST_STR("\xEF\xBB\xBF{}"), 9, PST_STR("{}"), false},
        {"identity", PST_STR("\xEF\xBB\xBF{}"), 9, PST_STR("{}"), false},
        {"gzip", gzip, 7, PST_STR("{\"a\":1}"), false},
        {"X-GZip", gzip, 7, PST_STR("{\"a\":1}"), false},
        {"gzip", gzip, 6, gzip, true},
        {"gzip", PST_STR("\xEF\xBB\xBF{}"), 9, PST_STR("\xEF\xBB\xBF{}"), true},
        {"br", PST_STR("\xEF\xBB\xBF{}"), 9, PST_STR("\xEF\xBB\xBF{}"), true},
        {"gzip, br", gzip, 9, gzip, true},
    };
    const struct config_backend backend = {.token_location = TOKEN_IN_JSON};
    struct fixture *f = *state;

    fixture_init(f, plain);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct forward_response response = {.body = rows[i].body};
        const char *coding = rows[i].coding;

        if (coding)
            assert_int_equal(forward_keep_header(f->arena, &backend, &response,
                                                 PST_STR("content-encoding"),
                                                 pst_str_from(coding)),
                             PST_OK);
        assert_int_equal(forward_keep_header(f->arena, &backend, &response,
                                             PST_STR("ETag"), PST_STR("1")),
                         PST_OK);
        assert_int_equal(forward_decode_body(f->arena, &response, rows[i].max),
                         PST_OK);
        assert_true(pst_str_equal(response.body, rows[i].want));
        assert_int_equal(response.encoded, rows[i].is_encoded);
        if (rows[i].is_encoded)
            assert_true(pst_str_equal(forward_content_encoding(&response),
                                      pst_str_from(coding)));
        if (coding && strcmp(coding, "X-GZip") == 0) {
            assert_int_equal(response.header_count, 1);
            assert_true(
                pst_str_equal(response.headers[0].name, PST_STR("ETag")));
        }
    }
    fixture_fini(f);
}

int
main(void)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_answer_headers, &fixture),
        cmocka_unit_test_prestate(test_answer_injection, &fixture),
        cmocka_unit_test_prestate(test_relay, &fixture),
        cmocka_unit_test_prestate(test_relayed_lengths, &fixture),
        cmocka_unit_test_prestate(test_cookies, &fixture),
        cmocka_unit_test_prestate(test_lists_are_joined, &fixture),
        cmocka_unit_test_prestate(test_decode, &fixture),
    };

    return cmocka_run_group_tests_name("forward_response", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_cors.c - exactly the listed origins, with credentials, on every
 * answer; and nothing for any other (R50, U7).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "gateway/cors.h"

static const char *const listed[] = {
    "POSTERN_ORIGINS=https://app.example http://localhost:3000 app://-",
    "POSTERN_TOKEN_METHOD=cookie,bearer", "POSTERN_FORWARD_HEADERS=x-mine",
    NULL};

static const char *const foreign[] = {
    "HTTP_ORIGIN=null",
    "HTTP_ORIGIN=https://app.example.evil.example",
    "HTTP_ORIGIN=https://evil-app.example",
    "HTTP_ORIGIN=https://app.example:8443",
    "HTTP_ORIGIN=http://app.example",
    "HTTP_ORIGIN=https://APP.example",
    "HTTP_ORIGIN=https://app.example/",
    "HTTP_ORIGIN=*",
    "HTTP_ORIGIN=app://x",
    "HTTP_ORIGIN=App://-",
    "HTTP_ORIGIN=",
    "X=",
};

static void
test_listed(void **state)
{
    const char *const variables[] = {"REQUEST_METHOD=POST",
                                     "HTTP_ORIGIN=https://app.example", NULL};
    struct fixture *f = *state;

    fixture_init(f, listed);
    fixture_request(f, variables, NULL);
    cors_allow_origin(&f->ctx, &f->req, &f->res);
    assert_string_equal(fixture_header(f, "Access-Control-Allow-Origin"),
                        "https://app.example");
    assert_string_equal(fixture_header(f, "Access-Control-Allow-Credentials"),
                        "true");
    assert_string_equal(fixture_header(f, "Access-Control-Expose-Headers"),
                        "vendure-auth-token, Retry-After");
    assert_string_equal(fixture_header(f, "Vary"), "Origin");
    fixture_fini(f);
}

/* The pages of an app, by the scheme it has. */
static void
test_app(void **state)
{
    const char *const variables[] = {"REQUEST_METHOD=POST",
                                     "HTTP_ORIGIN=app://-", NULL};
    struct fixture *f = *state;

    fixture_init(f, listed);
    fixture_request(f, variables, NULL);
    cors_allow_origin(&f->ctx, &f->req, &f->res);
    assert_string_equal(fixture_header(f, "Access-Control-Allow-Origin"),
                        "app://-");
    fixture_fini(f);
}

static void
test_foreign(void **state)
{
    struct fixture *f = *state;

    fixture_init(f, listed);
    for (size_t i = 0; i < PST_COUNT(foreign); i++) {
        const char *const variables[] = {
            "REQUEST_METHOD=OPTIONS", foreign[i],
            "HTTP_ACCESS_CONTROL_REQUEST_METHOD=POST", NULL};

        fixture_request(f, variables, NULL);
        cors_allow_origin(&f->ctx, &f->req, &f->res);
        assert_string_equal(fixture_header(f, "Vary"), "Origin");
        assert_int_equal(
            cors_answer_preflight(&f->ctx, &f->req, &f->res, "POST, OPTIONS"),
            PST_OK);
        if (fixture_is_out(f, "Access-Control-Allow") ||
            fixture_is_out(f, "Access-Control-Expose"))
            fail_msg("%s: %.*s", foreign[i], (int)f->out_len, f->out);
    }
    fixture_fini(f);
}

static void
test_preflight(void **state)
{
    const char *const variables[] = {
        "REQUEST_METHOD=OPTIONS", "HTTP_ORIGIN=http://localhost:3000",
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD=POST",
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS=authorization,x-evil", NULL};
    struct fixture *f = *state;

    fixture_init(f, listed);
    fixture_request(f, variables, NULL);
    cors_allow_origin(&f->ctx, &f->req, &f->res);
    assert_int_equal(
        cors_answer_preflight(&f->ctx, &f->req, &f->res, "POST, OPTIONS"),
        PST_OK);
    assert_true(fixture_is_out(f, "Status: 204"));
    assert_true(fixture_is_out(
        f, "Access-Control-Allow-Origin: http://localhost:3000\r\n"));
    assert_true(
        fixture_is_out(f, "Access-Control-Allow-Methods: POST, OPTIONS\r\n"));
    assert_true(fixture_is_out(f, "Access-Control-Max-Age: 7200\r\n"));
    assert_true(
        fixture_is_out(f, "Access-Control-Allow-Headers: Authorization, "));
    assert_true(fixture_is_out(f, ", vendure-token"));
    assert_true(fixture_is_out(f, ", x-mine"));
    assert_false(fixture_is_out(f, "x-evil"));
    fixture_fini(f);
}

static void
test_no_memory(void **state)
{
    const char *const variables[] = {
        "REQUEST_METHOD=OPTIONS", "HTTP_ORIGIN=http://localhost:3000",
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD=POST", NULL};
    struct fixture *f = *state;
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    fixture_init(f, listed);
    for (n = 1; e == PST_NO_MEMORY && n < 100; n++) {
        fixture_request(f, variables, NULL);
        cors_allow_origin(&f->ctx, &f->req, &f->res);
        pst_arena_fail_at(f->arena, n);
        e = cors_answer_preflight(&f->ctx, &f->req, &f->res, "POST, OPTIONS");
        assert_int_equal(f->res.begun, e == PST_OK);
    }
    assert_int_equal(e, PST_OK);
    assert_true(n > 2);
    assert_true(fixture_is_out(f, "Access-Control-Allow-Headers: Auth"));
    fixture_fini(f);
}

/* With cookies alone no token leaves in a header: only Retry-After is exposed
 * (U37). */
static void
test_cookie_only(void **state)
{
    const char *const settings[] = {"POSTERN_ORIGINS=https://app.example",
                                    NULL};
    const char *const variables[] = {"REQUEST_METHOD=GET",
                                     "HTTP_ORIGIN=https://app.example", NULL};
    struct fixture *f = *state;

    fixture_init(f, settings);
    fixture_request(f, variables, NULL);
    cors_allow_origin(&f->ctx, &f->req, &f->res);
    assert_non_null(fixture_header(f, "Access-Control-Allow-Origin"));
    assert_string_equal(fixture_header(f, "Access-Control-Expose-Headers"),
                        "Retry-After");
    fixture_fini(f);
}

int
main(void)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_listed, &fixture),
        cmocka_unit_test_prestate(test_app, &fixture),
        cmocka_unit_test_prestate(test_foreign, &fixture),
        cmocka_unit_test_prestate(test_preflight, &fixture),
        cmocka_unit_test_prestate(test_cookie_only, &fixture),
        cmocka_unit_test_prestate(test_no_memory, &fixture),
    };

    return cmocka_run_group_tests_name("cors", tests, NULL, NULL);
}

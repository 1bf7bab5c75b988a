/* SPDX-License-Identifier: ISC */
/*
 * test_forward_headers.c - the headers of a request to the backend: what
 * passes, and what never does (design 2.8).
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
#include "gateway/forward_headers.h"

/* R53, R57, R63, L3, L15, L47: allow-list, and what we say ourselves. */
static void
test_request_headers(void **state)
{
    const char *const want[] = {
        "POST ?languageCode=de\n",
        "\nContent-Type: application/json\n",
        "\nAccept: application/graphql-response+json\n",
        "\nAccept-Language: de\n",
        "\nAccept-Encoding: gzip\n",
        "\nIf-None-Match: \"x\"\n",
        "\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\n",
        "\nUser-Agent: test\n",
        "\ntracestate: a=b\n",
        "\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-"
        "b7ad6b7169203331-01\n",
        "\napollo-require-preflight: 1\n",
        "\nx-apollo-operation-name: Op\n",
        "\napollographql-client-name: web\n",
        "\napollographql-client-version: 7\n",
        "\ngraphql-preflight: 1\n",
        "\nvendure-token: channel\n",
        "\nAuthorization: Bearer backends-own\n",
        "\nX-Forwarded-For: 192.0.2.1\n",
        "\nX-Forwarded-Proto: https\n",
        "\nX-Forwarded-Host: shop.example\n",
        "\n\n{\"query\":\"{a}\"}",
        NULL};
    const char *const never[] = {"__Host-Http-session",
                                 "other=y",
                                 "clients-own",
                                 "evil.example",
                                 "Basic",
                                 "trailers",
                                 "h2c",
                                 "chunked",
                                 "203.0.113.9",
                                 "gopher",
                                 "planted",
                                 "unlisted",
                                 "Connection",
                                 "Cookie",
                                 "Content-Encoding",
                                 "text/plain",
                                 NULL};
    struct fixture *f = *state;
    struct forward_request what;

    fixture_init(f, plain);
    fixture_request(f, everything, "{\"query\":\"{a}\"}");
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    what = (struct forward_request){.method = f->req.method,
                                    .query = f->req.query,
                                    .body = PST_STR("{\"query\":\"{a}\"}"),
                                    .upstream = PST_STR("\"backends-own\"")};
    assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                     PST_OK);
    assert_sent(f, want, true);
    assert_sent(f, never, false);
    fixture_fini(f);
}

/* Without a session there is no Authorization at all, not even the client's. */
static void
test_no_token(void **state)
{
    const char *const never[] = {"Authorization", NULL};
    struct fixture *f = *state;
    struct forward_request what = {.method = PST_STR("POST")};

    fixture_init(f, plain);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                     PST_OK);
    assert_sent(f, never, false);
    fixture_fini(f);
}

/* The headers of each kind of request. A login of our own has, of the client's
 * headers, only language and channel and the configured ones; a who query has
 * only the token. */
static void
test_kinds(void **state)
{
    static const struct {
        enum forward_headers kind;
        const char *want[9];
        const char *never[11];
    } rows[] = {
        {FORWARD_CLIENT,
         {"\nAccept-Encoding: identity\n", "\nUser-Agent: test\n",
          "\nx-unlisted: unlisted\n", "\nAccept-Language: de\n",
          "\ntraceparent: 00-0af7651916cd43dd"},
         {"gzip", "Content-Encoding", "clients body"}},
        {FORWARD_LOGIN,
         {"\nAccept-Encoding: identity\n",
          "\nAccept: application/graphql-response+json, "
          "application/json;q=0.9\n",
          "\nAccept-Language: de\n", "\nvendure-token: channel\n",
          "\nx-unlisted: unlisted\n", "\ntraceparent: 00-0af7651916cd43dd"},
         {"gzip", "Content-Encoding", "If-None-Match", "apollo", "User-Agent",
          "clients body"}},
        {FORWARD_WHO,
         {"\nAccept-Encoding: identity\n", "\nAccept: application/json\n"},
         {"gzip", "Content-Encoding", "If-None-Match", "apollo", "User-Agent",
          "Accept-Language", "vendure-token", "unlisted", "0af7651916cd43dd",
          "tracestate"}},
    };
    const char *const settings[] = {"POSTERN_FORWARD_HEADERS=x-unlisted", NULL};
    const char *const always[] = {"POST ?\n",
                                  "\nContent-Type: application/json\n",
                                  "\nAuthorization: Bearer backends-own\n",
                                  "\nX-Forwarded-For: 192.0.2.1\n",
                                  "\ntraceparent: 00-",
                                  "\n\nours",
                                  NULL};
    static struct forward_response answer;
    struct fixture *f = *state;

    fixture_init(f, settings);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct forward_request what = {.method = PST_STR("POST"),
                                             .body = PST_STR("ours"),
                                             .upstream =
                                                 PST_STR("\"backends-own\""),
                                             .headers = rows[i].kind};

        fixture_request(f, everything, "clients body");
        f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
        assert_int_equal(forward_buffered(&f->ctx, &f->req, &what, &answer),
                         PST_OK);
        assert_sent(f, always, true);
        assert_sent(f, rows[i].want, true);
        assert_sent(f, rows[i].never, false);
    }
    fixture_fini(f);
}

/* How often a header was sent, ignoring case. */
static size_t
times_sent(const struct fixture *f, const char *name)
{
    struct pst_str rest = {f->sent, f->sent_len};
    struct pst_str line;
    size_t count = 0;

    while (pst_str_split(&rest, '\n', &line)) {
        size_t colon = pst_str_index(line, ':');

        if (colon < line.len && pst_str_equal_nocase(pst_str_first(line, colon),
                                                     pst_str_from(name)))
            count++;
    }
    return count;
}

/*
 * A name that passes anyway was sent once more for POSTERN_FORWARD_HEADERS: a
 * form's login reached the backend with two Content-Types, and one that we
 * read ourselves came compressed.
 */
static void
test_listed_again(void **state)
{
    const char *const settings[] = {
        "POSTERN_FORWARD_HEADERS=User-Agent content_type Accept-Language "
        "ACCEPT-ENCODING tracestate x-unlisted",
        NULL};
    static const char *const names[] = {"User-Agent",      "Content-Type",
                                        "Accept-Language", "Accept-Encoding",
                                        "tracestate",      "x-unlisted"};
    static const size_t times_own[] = {0, 1, 1, 1, 1, 1};
    struct forward_request what = {.method = PST_STR("POST"),
                                   .body = PST_STR("ours")};
    static struct forward_response answer;
    struct fixture *f = *state;

    fixture_init(f, settings);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                     PST_OK);
    for (size_t i = 0; i < PST_COUNT(names); i++)
        assert_int_equal(times_sent(f, names[i]), 1);
    fixture_request(f, everything, "a=b");
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    what.headers = FORWARD_LOGIN;
    assert_int_equal(forward_buffered(&f->ctx, &f->req, &what, &answer),
                     PST_OK);
    for (size_t i = 0; i < PST_COUNT(names); i++)
        assert_int_equal(times_sent(f, names[i]), times_own[i]);
    fixture_fini(f);
}

/* As many as may be configured pass. More were accepted once, and a client that
 * sent them got 413. */
static void
test_most_headers(void **state)
{
    static char list[1024] = "POSTERN_FORWARD_HEADERS=";
    const char *const settings[] = {list, NULL};
    static char extra[CONFIG_FORWARD_MAX][16];
    const char *variables[FULL_REQUEST_COUNT + CONFIG_FORWARD_MAX];
    struct forward_request what = {.method = PST_STR("POST"),
                                   .upstream = PST_STR("\"backends-own\"")};
    struct fixture *f = *state;

    for (size_t i = 0; i < CONFIG_FORWARD_MAX; i++) {
        size_t len = strlen(list);

        snprintf(list + len, sizeof(list) - len, " x-%zu", i);
        snprintf(extra[i], sizeof(extra[i]), "HTTP_X_%zu=y", i);
        variables[i] = extra[i];
    }
    memcpy(variables + CONFIG_FORWARD_MAX, everything, sizeof(everything));
    fixture_init(f, settings);
    fixture_request(f, variables, "{}");
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                     PST_OK);
    assert_int_equal(times_sent(f, "x-0"), 1);
    assert_int_equal(times_sent(f, "vendure-token"), 1);
    assert_int_equal(times_sent(f, "X-Forwarded-Host"), 1);
    assert_int_equal(times_sent(f, "tracestate"), 1);
    fixture_fini(f);
}

/* The list begins empty, whatever it held for another request. */
static void
test_used_list(void **state)
{
    const struct forward_request what = {.method = PST_STR("GET")};
    static struct forward_header_list list;
    struct fixture *f = *state;
    size_t count;

    fixture_init(f, plain);
    fixture_request(f, everything, NULL);
    assert_int_equal(
        forward_make_headers(&f->ctx, &f->req, &what, false, &list), PST_OK);
    count = list.count;
    assert_in_range(count, 5, FORWARD_HEADERS_MAX / 2);
    assert_int_equal(
        forward_make_headers(&f->ctx, &f->req, &what, false, &list), PST_OK);
    assert_int_equal(list.count, count);
    fixture_fini(f);
}

/* A trace is passed on only when it is one; else a new one begins. */
static void
test_trace(void **state)
{
    static const char *const bad[] = {
        "HTTP_TRACEPARENT=00-00000000000000000000000000000000-"
        "b7ad6b7169203331-01",
        "HTTP_TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-"
        "0000000000000000-01",
        "HTTP_TRACEPARENT=00-0AF7651916CD43DD8448EB211C80319C-"
        "b7ad6b7169203331-01",
        "HTTP_TRACEPARENT=ff-0af7651916cd43dd8448eb211c80319c-"
        "b7ad6b7169203331-01",
        "HTTP_TRACEPARENT=x",
        "HTTP_X=y"};
    struct fixture *f = *state;

    fixture_init(f, plain);
    for (size_t i = 0; i < PST_COUNT(bad); i++) {
        const char *const variables[] = {"REQUEST_METHOD=GET", bad[i],
                                         "HTTP_TRACESTATE=a=b", NULL};
        struct forward_request what = {.method = PST_STR("GET")};
        const char *const never[] = {strchr(bad[i], '=') + 1, "tracestate",
                                     NULL};

        fixture_request(f, variables, NULL);
        f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
        assert_int_equal(forward_stream(&f->ctx, &f->req, &f->res, &what, NULL),
                         PST_OK);
        assert_sent(f, never, false);
        assert_true(fixture_was_sent(f, "\ntraceparent: 00-"));
    }
    fixture_fini(f);
}

int
main(void)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_request_headers, &fixture),
        cmocka_unit_test_prestate(test_no_token, &fixture),
        cmocka_unit_test_prestate(test_used_list, &fixture),
        cmocka_unit_test_prestate(test_kinds, &fixture),
        cmocka_unit_test_prestate(test_listed_again, &fixture),
        cmocka_unit_test_prestate(test_most_headers, &fixture),
        cmocka_unit_test_prestate(test_trace, &fixture),
    };

    return cmocka_run_group_tests_name("forward_headers", tests, NULL, NULL);
}

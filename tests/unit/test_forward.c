/* SPDX-License-Identifier: ISC */
/*
 * test_forward.c - what passes to the backend, what passes back, and what
 * never does (design 2.8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "forward.h"

static const char *const plain[] = {NULL};

static const char *const everything[] = {
    "REQUEST_METHOD=POST", "QUERY_STRING=languageCode=de",
    "CONTENT_TYPE=application/json", "REMOTE_ADDR=192.0.2.1",
    "REQUEST_SCHEME=https", "SERVER_NAME=shop.example", "SERVER_PORT=443",
    "HTTP_HOST=evil.example", "HTTP_ACCEPT=application/graphql-response+json",
    "HTTP_ACCEPT_LANGUAGE=de", "HTTP_ACCEPT_ENCODING=gzip",
    "HTTP_CONTENT_ENCODING=br", "HTTP_IF_NONE_MATCH=\"x\"",
    "HTTP_IF_MODIFIED_SINCE=Sun, 06 Nov 1994 08:49:37 GMT",
    "HTTP_USER_AGENT=test", "HTTP_TRACESTATE=a=b",
    "HTTP_TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-"
    "b7ad6b7169203331-01",
    "HTTP_APOLLO_REQUIRE_PREFLIGHT=1", "HTTP_X_APOLLO_OPERATION_NAME=Op",
    "HTTP_APOLLOGRAPHQL_CLIENT_NAME=web", "HTTP_APOLLOGRAPHQL_CLIENT_VERSION=7",
    "HTTP_GRAPHQL_PREFLIGHT=1", "HTTP_VENDURE_TOKEN=channel",
    /* and what may not: */
    "HTTP_COOKIE=__Host-Http-session=x; other=y",
    "HTTP_AUTHORIZATION=Bearer clients-own", "HTTP_PROXY=http://evil.example/",
    "HTTP_PROXY_AUTHORIZATION=Basic x", "HTTP_CONNECTION=close",
    "HTTP_TE=trailers", "HTTP_UPGRADE=h2c", "HTTP_TRANSFER_ENCODING=chunked",
    "HTTP_X_FORWARDED_FOR=203.0.113.9", "HTTP_X_FORWARDED_PROTO=gopher",
    "HTTP_FORWARDED=for=203.0.113.9", "HTTP_VENDURE_AUTH_TOKEN=planted",
    "HTTP_X_UNLISTED=unlisted", NULL};

static void
assert_sent(const struct fixture *f, const char *const *lines, bool want)
{
    for (size_t i = 0; lines[i]; i++) {
        if (fixture_was_sent(f, lines[i]) != want)
            fail_msg("\"%s\" was %s:\n%.*s", lines[i],
                     want ? "not sent" : "sent", (int)f->sent_len, f->sent);
    }
}

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
        "\nContent-Encoding: br\n",
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
                                 NULL};
    struct fixture *f = *state;
    struct forward_request what;

    fixture_init(f, plain);
    fixture_request(f, everything, "{\"query\":\"{a}\"}");
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    what = (struct forward_request){.method = f->req.method,
                                    .query = f->req.query,
                                    .upstream = PST_TEXT("\"backends-own\"")};
    assert_int_equal(forward_stream(&f->gate, &f->req, &f->rep, &what, NULL),
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
    struct forward_request what = {.method = PST_TEXT("POST")};

    fixture_init(f, plain);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    assert_int_equal(forward_stream(&f->gate, &f->req, &f->rep, &what, NULL),
                     PST_OK);
    assert_sent(f, never, false);
    fixture_fini(f);
}

/* A request of our own carries of the client's headers only language and
 * channel, and what the configuration adds. */
static void
test_own_request(void **state)
{
    const char *const settings[] = {"POSTERN_FORWARD_HEADERS=x-unlisted", NULL};
    const char *const want[] = {"\nContent-Type: application/json\n",
                                "\nAccept: application/json\n",
                                "\nAccept-Language: de\n",
                                "\nvendure-token: channel\n",
                                "\nx-unlisted: unlisted\n",
                                "\n\nours",
                                NULL};
    const char *const never[] = {"gzip",   "Content-Encoding", "If-None-Match",
                                 "apollo", "clients body",     NULL};
    struct fixture *f = *state;
    struct forward_request what = {
        .method = PST_TEXT("POST"), .body = PST_TEXT("ours"), .own = true};
    static struct forward_answer answer;

    fixture_init(f, settings);
    fixture_request(f, everything, "clients body");
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    assert_int_equal(forward_hold(&f->gate, &f->req, &what, &answer), PST_OK);
    assert_sent(f, want, true);
    assert_sent(f, never, false);
    fixture_fini(f);
}

/* How often a header was sent, in whatever letters. */
static size_t
times_sent(const struct fixture *f, const char *name)
{
    struct pst_text rest = {f->sent, f->sent_len};
    struct pst_text line;
    size_t count = 0;

    while (pst_text_cut(&rest, '\n', &line)) {
        size_t colon = pst_text_index(line, ':');

        if (colon < line.len &&
            pst_text_equal_nocase(pst_text_first(line, colon),
                                  pst_text_from(name)))
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
    static const size_t times_own[] = {0, 1, 1, 0, 1, 1};
    struct forward_request what = {.method = PST_TEXT("POST")};
    static struct forward_answer answer;
    struct fixture *f = *state;

    fixture_init(f, settings);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    assert_int_equal(forward_stream(&f->gate, &f->req, &f->rep, &what, NULL),
                     PST_OK);
    for (size_t i = 0; i < PST_COUNT(names); i++)
        assert_int_equal(times_sent(f, names[i]), 1);
    fixture_request(f, everything, "a=b");
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    what.body = PST_TEXT("ours");
    what.own = true;
    assert_int_equal(forward_hold(&f->gate, &f->req, &what, &answer), PST_OK);
    for (size_t i = 0; i < PST_COUNT(names); i++)
        assert_int_equal(times_sent(f, names[i]), times_own[i]);
    fixture_fini(f);
}

/* As many as may be configured do pass: more were accepted, and then a client
 * that sent them was told that it is too large. */
static void
test_most_headers(void **state)
{
    static char list[1024] = "POSTERN_FORWARD_HEADERS=";
    const char *const settings[] = {list, NULL};
    static char extra[CONFIG_FORWARD_MAX][16];
    const char *variables[PST_COUNT(everything) + CONFIG_FORWARD_MAX];
    struct forward_request what = {.method = PST_TEXT("POST"),
                                   .upstream = PST_TEXT("\"backends-own\"")};
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
    assert_int_equal(forward_stream(&f->gate, &f->req, &f->rep, &what, NULL),
                     PST_OK);
    assert_int_equal(times_sent(f, "x-0"), 1);
    assert_int_equal(times_sent(f, "vendure-token"), 1);
    assert_int_equal(times_sent(f, "X-Forwarded-Host"), 1);
    assert_int_equal(times_sent(f, "tracestate"), 1);
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
        struct forward_request what = {.method = PST_TEXT("GET")};
        const char *const never[] = {strchr(bad[i], '=') + 1, "tracestate",
                                     NULL};

        fixture_request(f, variables, NULL);
        f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
        assert_int_equal(
            forward_stream(&f->gate, &f->req, &f->rep, &what, NULL), PST_OK);
        assert_sent(f, never, false);
        assert_true(fixture_was_sent(f, "\ntraceparent: 00-"));
    }
    fixture_fini(f);
}

/* Status, type and body pass; cookies, authentication and the rest do not. */
static void
test_answer_headers(void **state)
{
    static const int statuses[] = {200, 400, 401, 404, 405, 418, 500, 503};
    struct fixture *f = *state;

    fixture_init(f, plain);
    for (size_t i = 0; i < PST_COUNT(statuses); i++) {
        struct forward_request what = {.method = PST_TEXT("POST")};
        char status[32];

        fixture_request(f, everything, "{}");
        f->answer = (struct fixture_answer){
            statuses[i],
            {"content-type: application/graphql-response+json", "ETag: \"1\"",
             "Set-Cookie: stolen=1", "WWW-Authenticate: Basic",
             "Cache-Control: public", "Vary: Accept-Language",
             "Server: secret/1"},
            "{\"a\":1}"};
        assert_int_equal(
            forward_stream(&f->gate, &f->req, &f->rep, &what, NULL), PST_OK);
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
    struct forward_request what = {.method = PST_TEXT("POST")};
    struct fixture *f = *state;

    fixture_init(f, plain);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){
        200, {"ETag: x\r\nSet-Cookie: evil=1", "Allow: a\nb"}, "{}"};
    assert_int_equal(forward_stream(&f->gate, &f->req, &f->rep, &what, NULL),
                     PST_OK);
    assert_false(fixture_is_out(f, "evil"));
    assert_false(fixture_is_out(f, "Allow"));
    fixture_fini(f);
}

/* Held, changed, and relayed: the length is the new one, the ETag is gone. */
static void
test_relay(void **state)
{
    struct forward_request what = {.method = PST_TEXT("POST")};
    static struct forward_answer answer;
    struct fixture *f = *state;

    fixture_init(f, plain);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){
        200,
        {"ETag: x", "Content-Length: 9", "vendure-auth-token: t"},
        "{\"a\":123}"};
    assert_int_equal(forward_hold(&f->gate, &f->req, &what, &answer), PST_OK);
    assert_false(fixture_was_sent(f, "Accept-Encoding"));
    assert_int_equal(answer.status, 200);
    assert_int_equal(forward_relay(&f->rep, &answer, PST_TEXT("{}")), PST_OK);
    assert_true(fixture_is_out(f, "Content-Length: 2\r\n"));
    assert_false(fixture_is_out(f, "ETag"));
    assert_false(fixture_is_out(f, "vendure-auth-token"));
    assert_true(fixture_is_out(f, "\r\n\r\n{}"));
    fixture_fini(f);
}

/* A backend that uses cookies gets its own, and nobody else sees them. */
static void
test_cookies(void **state)
{
    const char *const settings[] = {"POSTERN_UPSTREAM_TOKEN=cookie", NULL};
    struct forward_request what = {
        .method = PST_TEXT("POST"),
        .upstream = PST_TEXT("{\"session\":\"s1\",\"session.sig\":\"x\"}")};
    const char *const never[] = {"Authorization", "__Host-Http-session", NULL};
    static struct forward_answer answer;
    struct fixture *f = *state;

    fixture_init(f, settings);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){
        200, {"Set-Cookie: session=s2; httponly", "set-cookie: a=b"}, "{}"};
    assert_int_equal(forward_hold(&f->gate, &f->req, &what, &answer), PST_OK);
    assert_true(fixture_was_sent(f, "\nCookie: session=s1; session.sig=x\n"));
    assert_sent(f, never, false);
    assert_int_equal(answer.news.cookie_count, 2);
    assert_int_equal(forward_relay(&f->rep, &answer, answer.body), PST_OK);
    assert_false(fixture_is_out(f, "s2"));
    fixture_fini(f);
}

/* A held answer is bounded. */
static void
test_hold_is_bounded(void **state)
{
    struct forward_request what = {.method = PST_TEXT("POST")};
    static struct forward_answer answer;
    struct fixture *f = *state;
    char *body = malloc(PST_HOLD_MAX + 2);

    assert_non_null(body);
    memset(body, 'x', PST_HOLD_MAX + 1);
    body[PST_HOLD_MAX + 1] = '\0';
    fixture_init(f, plain);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){.status = 200, .body = body};
    assert_int_equal(forward_hold(&f->gate, &f->req, &what, &answer),
                     PST_UPSTREAM_BROKEN);
    body[PST_HOLD_MAX] = '\0';
    fixture_request(f, everything, "{}");
    assert_int_equal(forward_hold(&f->gate, &f->req, &what, &answer), PST_OK);
    assert_int_equal(answer.body.len, PST_HOLD_MAX);
    fixture_fini(f);
    free(body);
}

static void
test_backend_down(void **state)
{
    struct forward_request what = {.method = PST_TEXT("POST")};
    struct fixture *f = *state;

    fixture_init(f, plain);
    fixture_request(f, everything, "{}");
    f->answer = (struct fixture_answer){.status = 0};
    assert_int_equal(forward_stream(&f->gate, &f->req, &f->rep, &what, NULL),
                     PST_UPSTREAM_DOWN);
    assert_false(f->rep.begun);
    fixture_fini(f);
}

/* What sees the client's body on its way, and lets `left` pieces pass. */
struct watcher {
    size_t left;
    size_t octets;
};

static enum pst_err
watch(void *context, struct pst_text piece)
{
    struct watcher *watcher = context;

    assert_true(piece.len > 0);
    if (watcher->left == 0)
        return PST_HIDDEN_LOGIN;
    watcher->left--;
    watcher->octets += piece.len;
    return PST_OK;
}

/* A piece that is refused is not sent, and ends the exchange. A body of our
 * own is not the client's to be watched. */
static void
test_watch(void **state)
{
    struct watcher watcher = {.left = 3};
    struct forward_request what = {
        .method = PST_TEXT("POST"), .watch = watch, .watching = &watcher};
    struct fixture *f = *state;
    char body[2500 + 1] = "";

    memset(body, '1', 1000); /* the backend reads a thousand at a time */
    memset(body + 1000, '2', 1500);
    fixture_init(f, plain);
    f->answer = (struct fixture_answer){.status = 200, .body = "{}"};
    fixture_request(f, everything, body);
    assert_int_equal(forward_stream(&f->gate, &f->req, &f->rep, &what, NULL),
                     PST_OK);
    assert_int_equal(watcher.octets, 2500);
    watcher = (struct watcher){.left = 1};
    fixture_request(f, everything, body);
    assert_int_equal(forward_stream(&f->gate, &f->req, &f->rep, &what, NULL),
                     PST_HIDDEN_LOGIN);
    assert_true(fixture_was_sent(f, "11111111"));
    assert_false(fixture_was_sent(f, "22222222"));
    assert_false(f->rep.begun);
    watcher = (struct watcher){.left = 0};
    what.body = PST_TEXT("ours");
    fixture_request(f, everything, body);
    assert_int_equal(forward_stream(&f->gate, &f->req, &f->rep, &what, NULL),
                     PST_OK);
    fixture_fini(f);
}

int
main(void)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_request_headers, &fixture),
        cmocka_unit_test_prestate(test_no_token, &fixture),
        cmocka_unit_test_prestate(test_own_request, &fixture),
        cmocka_unit_test_prestate(test_listed_again, &fixture),
        cmocka_unit_test_prestate(test_most_headers, &fixture),
        cmocka_unit_test_prestate(test_trace, &fixture),
        cmocka_unit_test_prestate(test_answer_headers, &fixture),
        cmocka_unit_test_prestate(test_answer_injection, &fixture),
        cmocka_unit_test_prestate(test_relay, &fixture),
        cmocka_unit_test_prestate(test_cookies, &fixture),
        cmocka_unit_test_prestate(test_hold_is_bounded, &fixture),
        cmocka_unit_test_prestate(test_backend_down, &fixture),
        cmocka_unit_test_prestate(test_watch, &fixture),
    };

    return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_forward.c - what passes to the backend, what passes back, and what
 * never does (design 2.8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "gateway/forward.h"
#include "server/log.h"

static const char *const plain[] = {NULL};

static const char *const everything[] = {
    "REQUEST_METHOD=POST", "QUERY_STRING=languageCode=de",
    "CONTENT_TYPE=text/plain", "REMOTE_ADDR=192.0.2.1", "REQUEST_SCHEME=https",
    "SERVER_NAME=shop.example", "SERVER_PORT=443", "HTTP_HOST=evil.example",
    "HTTP_ACCEPT=application/graphql-response+json", "HTTP_ACCEPT_LANGUAGE=de",
    "HTTP_ACCEPT_ENCODING=gzip", "HTTP_CONTENT_ENCODING=br",
    "HTTP_IF_NONE_MATCH=\"x\"",
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

/* What goes along by the kind of request. A login of ours carries of the
 * client's headers only language and channel, and what the configuration adds;
 * the question who it is carries nothing but the token. */
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

/* How often a header was sent, in whatever letters. */
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

/* As many as may be configured do pass: more were accepted, and then a client
 * that sent them was told that it is too large. */
static void
test_most_headers(void **state)
{
    static char list[1024] = "POSTERN_FORWARD_HEADERS=";
    const char *const settings[] = {list, NULL};
    static char extra[CONFIG_FORWARD_MAX][16];
    const char *variables[PST_COUNT(everything) + CONFIG_FORWARD_MAX];
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

/* A backend that uses cookies gets its own, and nobody else sees them. */
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

/* A held answer is bounded. */
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

/* A body of our own making, of unknown length. */
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

/* It is sent whole under its own type, and an error in it ends the request. */
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

/* Without a body there is no type either, and no client's body is read. */
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

/* What the log's file has, from its beginning. */
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

/* A redirect is never followed nor passed on, and the log names its target; a
 * 304 is none. */
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

/* Asks something of its own while the answer's head is looked at. */
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

/* The request within has a connection of its own, made once; the one around
 * it goes on, unless the hook fails: then nothing goes out. */
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
        assert_ptr_equal(f->used[1], f->ctx.upstream_nested);
        assert_ptr_not_equal(f->used[1], f->used[0]);
        assert_int_equal(f->copies, 1);
        assert_false(f->ctx.is_upstream_busy);
        assert_int_equal(fixture_is_out(f, "\r\n\r\nouter"), !fails);
    }
    fixture_fini(f);
}

/* Out of memory at every place is told as that, and nothing has gone out. */
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
        cmocka_unit_test_prestate(test_request_headers, &fixture),
        cmocka_unit_test_prestate(test_no_token, &fixture),
        cmocka_unit_test_prestate(test_kinds, &fixture),
        cmocka_unit_test_prestate(test_listed_again, &fixture),
        cmocka_unit_test_prestate(test_most_headers, &fixture),
        cmocka_unit_test_prestate(test_trace, &fixture),
        cmocka_unit_test_prestate(test_answer_headers, &fixture),
        cmocka_unit_test_prestate(test_answer_injection, &fixture),
        cmocka_unit_test_prestate(test_relay, &fixture),
        cmocka_unit_test_prestate(test_cookies, &fixture),
        cmocka_unit_test_prestate(test_hold_is_bounded, &fixture),
        cmocka_unit_test_prestate(test_backend_down, &fixture),
        cmocka_unit_test_prestate(test_streamed_body, &fixture),
        cmocka_unit_test_prestate(test_no_body, &fixture),
        cmocka_unit_test_prestate(test_lists_are_joined, &fixture),
        cmocka_unit_test_prestate(test_redirects, &fixture),
        cmocka_unit_test_prestate(test_request_within, &fixture),
        cmocka_unit_test_prestate(test_no_memory, &fixture),
    };

    return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_request.c - CGI variables, present, absent, doubled and malformed, and
 * the body as a stream.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "base/limits.h"
#include "server/request.h"

#define MAX_BODY 1000

static const uint8_t random_octets[REQUEST_RANDOM_LEN] = {
    0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

/* A body that comes in pieces of at most `step` bytes. */
struct source {
    struct pst_str body;
    size_t read;
    size_t step;
    size_t calls;
    enum pst_err fail; /* given at the end in the place of it */
};

static struct pst_arena *arena;

static enum pst_err
source_read(void *context, char *out, size_t size, size_t *len)
{
    struct source *source = context;
    size_t left = source->body.len - source->read;

    source->calls++;
    if (left == 0 && source->fail)
        return source->fail;
    *len = left < size ? left : size;
    if (source->step > 0 && *len > source->step)
        *len = source->step;
    if (*len > 0)
        memcpy(out, source->body.ptr + source->read, *len);
    source->read += *len;
    return PST_OK;
}

static enum pst_err
init(struct request *req, const char *const *variables, struct source *source)
{
    struct request_input origin = {
        .variables = variables,
        .source = {source_read, source, -1},
        .max_body = MAX_BODY,
    };

    return request_init(req, arena, &origin, random_octets);
}

static int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static void
check_text(const char *row, struct pst_str got, struct pst_str want)
{
    if (!pst_str_equal(got, want) ||
        pst_str_is_absent(got) != pst_str_is_absent(want))
        fail_msg("row '%s': got '%.*s' (%s)", row, (int)got.len,
                 got.ptr ? got.ptr : "", got.ptr ? "present" : "absent");
}

static void
check_err(const char *row, enum pst_err got, enum pst_err want)
{
    if (got != want)
        fail_msg("row '%s': got %s, wanted %s", row, pst_err_code(got),
                 pst_err_code(want));
}

/* All that a server usually tells; the last element is the NULL. */
static const char *const usual[] = {
    "REQUEST_METHOD=POST",
    "QUERY_STRING=a=b",
    "PATH_INFO=/more",
    "CONTENT_TYPE=application/json; charset=utf-8",
    "CONTENT_LENGTH=2",
    "REMOTE_ADDR=192.0.2.7",
    "HTTPS=on",
    "REQUEST_SCHEME=https",
    "SERVER_NAME=shop.example",
    "SERVER_PORT=443",
    "HTTP_HOST=shop.example",
    "HTTP_COOKIE=a=1; b=2",
    "HTTP_AUTHORIZATION=Bearer x",
    "HTTP_ORIGIN=https://shop.example",
    "HTTP_REFERER=https://shop.example/p",
    "HTTP_SEC_FETCH_SITE=same-origin",
    "HTTP_SEC_FETCH_MODE=cors",
    "HTTP_ACCEPT=application/json",
    NULL,
};

#define USUAL_COUNT (PST_COUNT(usual) - 1)

static void
test_all_there(void **state)
{
    struct source source = {.body = PST_STR("{}")};
    struct request req;

    (void)state;
    assert_int_equal(init(&req, usual, &source), PST_OK);
    assert_string_equal(req.id, "0123456789abcdef");
    check_text("method", req.method, PST_STR("POST"));
    check_text("query", req.query, PST_STR("a=b"));
    check_text("path_info", req.path_info, PST_STR("/more"));
    check_text("content_type", req.content_type,
               PST_STR("application/json; charset=utf-8"));
    assert_int_equal(req.content_length, 2);
    check_text("remote_addr", req.remote_addr, PST_STR("192.0.2.7"));
    check_text("cookie", req.cookie, PST_STR("a=1; b=2"));
    check_text("authorization", req.authorization, PST_STR("Bearer x"));
    check_text("origin", req.origin, PST_STR("https://shop.example"));
    check_text("referer", req.referer, PST_STR("https://shop.example/p"));
    check_text("site", req.sec_fetch_site, PST_STR("same-origin"));
    check_text("mode", req.sec_fetch_mode, PST_STR("cors"));
    check_text("accept", req.accept, PST_STR("application/json"));
    check_text("own", request_own_origin(&req, PST_STR_NONE),
               PST_STR("https://shop.example"));
}

/* Everything that can be asked, for the sake of not crashing. */
static void
ask_everything(struct request *req)
{
    struct pst_str body;
    char piece[8];
    size_t len;

    (void)request_variable(req, "SERVER_NAME");
    (void)request_header(req, PST_STR("Content-Type"));
    (void)request_header(req, PST_STR("X-Any"));
    (void)request_has_method(req, "GET, POST");
    (void)request_has_safe_method(req);
    (void)request_media_type(req);
    (void)request_is_navigation(req);
    (void)request_own_origin(req, PST_STR_NONE);
    assert_int_equal(request_read_whole_body(req, 100, &body), PST_OK);
    check_text("body", body, PST_STR("{}"));
    assert_int_equal(request_read_body(req, piece, sizeof(piece), &len),
                     PST_OK);
    assert_int_equal(len, 2);
    assert_int_equal(request_read_body(req, piece, sizeof(piece), &len),
                     PST_OK);
    assert_int_equal(len, 0);
}

/* L9: each variable missing, then all of them. */
static void
test_missing(void **state)
{
    const char *variables[USUAL_COUNT];
    struct request req;

    (void)state;
    for (size_t gone = 0; gone < USUAL_COUNT; gone++) {
        struct source source = {.body = PST_STR("{}")};
        size_t count = 0;

        for (size_t i = 0; i < USUAL_COUNT; i++) {
            if (i != gone)
                variables[count++] = usual[i];
        }
        variables[count] = NULL;
        check_err(usual[gone], init(&req, variables, &source),
                  gone == 0 ? PST_MALFORMED : PST_OK);
        ask_everything(&req);
    }
}

static void
test_all_missing(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const junk[] = {"",
                                       "=",
                                       "REQUEST_METHOD",
                                       "REQUEST_METHODS=POST",
                                       "XREQUEST_METHOD=POST",
                                       "HTTP_",
                                       "HTTP_=x",
                                       NULL};
    static const char *const *const rows[] = {NULL, none, junk};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct source source = {.body = PST_STR("{}")};
        struct request req;

        assert_int_equal(init(&req, rows[i], &source), PST_MALFORMED);
        assert_string_equal(req.id, "0123456789abcdef");
        check_text("method", req.method, PST_STR(""));
        check_text("query", req.query, PST_STR_NONE);
        check_text("cookie", req.cookie, PST_STR_NONE);
        check_text("type", request_media_type(&req), PST_STR_NONE);
        check_text("own", request_own_origin(&req, PST_STR_NONE), PST_STR_NONE);
        assert_int_equal(req.content_length, -1);
        assert_false(request_has_safe_method(&req));
        ask_everything(&req);
    }
}

/* L16, L17: one header twice under names that CGI makes into one. */
static void
test_twice(void **state)
{
    const char *variables[USUAL_COUNT + 2];

    (void)state;
    for (size_t i = 0; i < USUAL_COUNT; i++) {
        struct source source = {.body = PST_STR("{}")};
        struct request req;

        memcpy(variables, usual, USUAL_COUNT * sizeof(usual[0]));
        variables[USUAL_COUNT] = usual[i];
        variables[USUAL_COUNT + 1] = NULL;
        check_err(usual[i], init(&req, variables, &source), PST_DUPLICATE);
        check_text(usual[i], req.method, PST_STR("POST"));
    }
}

/* A name that only begins like ours is another one. */
static void
test_not_twice(void **state)
{
    static const char *const variables[] = {
        "REQUEST_METHOD=GET",      "REQUEST_METHOD_=POST", "HTTP_ACCEPT=a/b",
        "HTTP_ACCEPT_LANGUAGE=en", "http_accept=c/d",      NULL};
    struct source source = {.step = 0};
    struct request req;

    (void)state;
    assert_int_equal(init(&req, variables, &source), PST_OK);
    check_text("accept", req.accept, PST_STR("a/b"));
    check_text("method", req.method, PST_STR("GET"));
}

static void
test_method(void **state)
{
    static const struct {
        const char *in;
        enum pst_err want;
        bool safe;
        bool get_or_post;
    } rows[] = {
        {"REQUEST_METHOD=GET", PST_OK, true, true},
        {"REQUEST_METHOD=HEAD", PST_OK, true, false},
        {"REQUEST_METHOD=OPTIONS", PST_OK, true, false},
        {"REQUEST_METHOD=POST", PST_OK, false, true},
        {"REQUEST_METHOD=get", PST_OK, false, false},
        {"REQUEST_METHOD=TRACE", PST_OK, false, false},
        {"REQUEST_METHOD=GE", PST_OK, false, false},
        {"REQUEST_METHOD=", PST_MALFORMED, false, false},
        {"REQUEST_METHOD=GET ", PST_MALFORMED, false, false},
        {"REQUEST_METHOD=GET,POST", PST_MALFORMED, false, false},
        {"REQUEST_METHOD=GET\r\nX: y", PST_MALFORMED, false, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {rows[i].in, NULL};
        struct source source = {.step = 0};
        struct request req;

        check_err(rows[i].in, init(&req, variables, &source), rows[i].want);
        if (request_has_safe_method(&req) != rows[i].safe ||
            request_has_method(&req, "GET, POST") != rows[i].get_or_post)
            fail_msg("row '%s': taken for another method", rows[i].in);
        if (rows[i].want)
            check_text(rows[i].in, req.method, PST_STR(""));
    }
}

static void
test_content_length(void **state)
{
    static const struct {
        const char *in;
        enum pst_err want;
        int64_t length;
    } rows[] = {
        {"CONTENT_LENGTH=", PST_OK, -1},
        {"CONTENT_LENGTH=0", PST_OK, 0},
        {"CONTENT_LENGTH=5", PST_OK, 5},
        {"CONTENT_LENGTH=1000", PST_OK, 1000},
        {"CONTENT_LENGTH=1001", PST_TOO_LARGE, 1001},
        {"CONTENT_LENGTH=9223372036854775807", PST_TOO_LARGE, INT64_MAX},
        {"CONTENT_LENGTH=9223372036854775808", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=99999999999999999999", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=+5", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=-1", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=0x10", PST_MALFORMED, -1},
        {"CONTENT_LENGTH= 5", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=5 ", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=5, 5", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=05", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=5.0", PST_MALFORMED, -1},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=POST", rows[i].in, NULL};
        struct source source = {.step = 0};
        struct request req;

        check_err(rows[i].in, init(&req, variables, &source), rows[i].want);
        if (req.content_length != rows[i].length)
            fail_msg("row '%s': taken as %lld", rows[i].in,
                     (long long)req.content_length);
    }
}

/* The body is for the program behind an authorizer, however long it is. */
static void
test_authorizer(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST",
                                            "CONTENT_LENGTH=999999", NULL};
    struct source source = {.body = PST_STR("not ours")};
    struct request_input origin = {.variables = variables,
                                   .source = {source_read, &source, -1},
                                   .authorizer = true,
                                   .max_body = MAX_BODY};
    struct request req;
    char piece[4];
    size_t len = 1;

    (void)state;
    assert_int_equal(request_init(&req, arena, &origin, random_octets), PST_OK);
    assert_true(req.authorizer);
    assert_int_equal(request_read_body(&req, piece, sizeof(piece), &len),
                     PST_OK);
    assert_int_equal(len, 0);
    assert_int_equal(source.calls, 0);
}

/* All requests together hold no more than they may, and give it back. */
static void
test_held(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST",
                                            "CONTENT_LENGTH=6", NULL};
    struct source one = {.body = PST_STR("abcdef")};
    struct source two = {.body = PST_STR("abcdef")};
    struct request_input origin = {.variables = variables,
                                   .source = {source_read, &one, -1},
                                   .max_body = MAX_BODY,
                                   .max_held = 11};
    struct pst_arena *other = NULL;
    struct request first;
    struct request second;
    struct pst_str body;

    (void)state;
    assert_int_equal(pst_arena_new(&other, 4096), PST_OK);
    assert_int_equal(request_init(&first, other, &origin, random_octets),
                     PST_OK);
    assert_int_equal(request_read_whole_body(&first, 100, &body), PST_OK);
    origin.source.context = &two;
    assert_int_equal(request_init(&second, arena, &origin, random_octets),
                     PST_OK);
    assert_int_equal(request_read_whole_body(&second, 100, &body),
                     PST_OVERLOADED);
    pst_arena_reset(arena);
    pst_arena_free(&other);
    two = (struct source){.body = PST_STR("abcdef")};
    assert_int_equal(request_init(&second, arena, &origin, random_octets),
                     PST_OK);
    assert_int_equal(request_read_whole_body(&second, 100, &body), PST_OK);
    pst_arena_reset(arena);
}

static void
test_header(void **state)
{
    static const char *const variables[] = {
        "REQUEST_METHOD=POST",
        "CONTENT_TYPE=application/json",
        "CONTENT_LENGTH=7",
        "HTTP_CONTENT_TYPE=text/evil",
        "HTTP_CONTENT_LENGTH=999",
        "HTTP_ACCEPT_LANGUAGE=de",
        "HTTP_VENDURE_TOKEN=one",
        "HTTP_VENDURE_TOKEN=two",
        "HTTP_EMPTY=",
        "ACCEPT_LANGUAGE=fr",
        NULL,
    };
    static const struct {
        const char *name;
        const char *want; /* NULL: absent */
    } rows[] = {
        {"Accept-Language", "de"},
        {"ACCEPT-LANGUAGE", "de"},
        {"accept_language", "de"},
        {"Accept-Languag", NULL},
        {"Accept-Language-", NULL},
        {"content-type", "application/json"},
        {"Content-Length", "7"},
        {"vendure-token", NULL}, /* L17: twice, so neither is believed */
        {"Empty", ""},
        {"Proxy", NULL},
        {"", NULL},
        {"EMPTY=", NULL},
        {"A very much longer name than any variable has", NULL},
    };
    struct source source = {.step = 0};
    struct request req;

    (void)state;
    assert_int_equal(init(&req, variables, &source), PST_OK);
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_text(rows[i].name,
                   request_header(&req, pst_str_from(rows[i].name)),
                   pst_str_from(rows[i].want));
}

/* What a body may be read as, and what nobody may read it as. */
static void
test_coding(void **state)
{
    static const struct {
        const char *variables[4];
        enum request_content_coding want;
    } rows[] = {
        {{"REQUEST_METHOD=POST"}, CONTENT_CODING_NONE},
        {{"HTTP_CONTENT_ENCODING="}, CONTENT_CODING_NONE},
        {{"HTTP_CONTENT_ENCODING=identity"}, CONTENT_CODING_NONE},
        {{"HTTP_CONTENT_ENCODING=Identity"}, CONTENT_CODING_NONE},
        {{"HTTP_CONTENT_ENCODING=gzip"}, CONTENT_CODING_GZIP},
        {{"HTTP_CONTENT_ENCODING= GZip\t"}, CONTENT_CODING_GZIP},
        {{"HTTP_CONTENT_ENCODING=X-gzip"}, CONTENT_CODING_GZIP},
        {{"HTTP_CONTENT_ENCODING=deflate"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=br"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=zstd"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=gzip, gzip"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=identity, gzip"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=gzip,"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=gzip;q=1"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=gzi"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=gzip", "HTTP_CONTENT_ENCODING=br"},
         CONTENT_CODING_NONE},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct source source = {.body = PST_STR("")};
        struct request req;

        (void)!init(&req, rows[i].variables, &source);
        if (request_content_coding(&req) != rows[i].want)
            fail_msg("%s", rows[i].variables[0]);
    }
}

static void
test_media_type(void **state)
{
    static const struct {
        const char *in;
        const char *want;
    } rows[] = {
        {"CONTENT_TYPE=application/json", "application/json"},
        {"CONTENT_TYPE= Application/JSON ;charset=x", "Application/JSON"},
        {"CONTENT_TYPE=a/b;", "a/b"},
        {"CONTENT_TYPE=a/b\t", "a/b"},
        {"CONTENT_TYPE=", NULL},
        {"CONTENT_TYPE=;", NULL},
        {"CONTENT_TYPE=json", NULL},
        {"CONTENT_TYPE=/", NULL},
        {"CONTENT_TYPE=a/", NULL},
        {"CONTENT_TYPE=/b", NULL},
        {"CONTENT_TYPE=a/b/c", NULL},
        {"CONTENT_TYPE=a/b, c/d", NULL},
        {"CONTENT_TYPE=a/b c", NULL},
        {"CONTENT_TYPE=a /b", NULL},
        {"X=y", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=POST", rows[i].in, NULL};
        struct source source = {.step = 0};
        struct request req;

        check_err(rows[i].in, init(&req, variables, &source), PST_OK);
        check_text(rows[i].in, request_media_type(&req),
                   pst_str_from(rows[i].want));
    }
}

static void
test_navigation(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool want;
    } rows[] = {
        {"HTTP_SEC_FETCH_MODE=navigate", "HTTP_ACCEPT=*/*", true},
        {"HTTP_SEC_FETCH_MODE=cors", "HTTP_ACCEPT=text/html", false},
        {"HTTP_SEC_FETCH_MODE=", "HTTP_ACCEPT=text/html", false},
        {"HTTP_SEC_FETCH_MODE=Navigate", "HTTP_ACCEPT=text/html", false},
        {"HTTP_ACCEPT=text/html", "", true},
        {"HTTP_ACCEPT=a/b, Text/HTML;level=1;q=0.4, */*", "", true},
        {"HTTP_ACCEPT=application/json, text/plain, */*", "", false},
        {"HTTP_ACCEPT=text/html;q=0", "", false},
        {"HTTP_ACCEPT=text/html; Q=0.000, */*", "", false},
        {"HTTP_ACCEPT=text/html; q=0.001", "", true},
        {"HTTP_ACCEPT=text/html5", "", false},
        {"HTTP_ACCEPT=application/xhtml+xml;a=\"text/html\"", "", false},
        {"HTTP_ACCEPT=", "", false},
        {"", "", false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=GET", rows[i].a, rows[i].b,
                                   NULL};
        struct source source = {.step = 0};
        struct request req;

        check_err(rows[i].a, init(&req, variables, &source), PST_OK);
        if (request_is_navigation(&req) != rows[i].want)
            fail_msg("row '%s' '%s': wrong", rows[i].a, rows[i].b);
    }
}

/* In each row: scheme, name, port, Host; and the origin, NULL for absent. */
static void
test_own_origin(void **state)
{
    static const struct {
        const char *scheme;
        const char *name;
        const char *port;
        const char *host;
        const char *want;
    } rows[] = {
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80", "", "http://a.example"},
        {"HTTPS=on", "SERVER_NAME=a.example", "SERVER_PORT=443", "",
         "https://a.example"},
        {"HTTPS=1", "SERVER_NAME=a.example", "SERVER_PORT=80", "",
         "https://a.example:80"},
        {"HTTPS=ON", "SERVER_NAME=a.example", "SERVER_PORT=443", "",
         "https://a.example"},
        {"HTTPS=off", "SERVER_NAME=a.example", "SERVER_PORT=80", "",
         "http://a.example"},
        {"HTTPS=", "SERVER_NAME=a.example", "SERVER_PORT=443", "",
         "http://a.example:443"},
        {"REQUEST_SCHEME=https", "SERVER_NAME=a.example", "SERVER_PORT=8443",
         "", "https://a.example:8443"},
        {"REQUEST_SCHEME=http", "SERVER_NAME=a.example", "SERVER_PORT=80", "",
         "http://a.example"},
        {"REQUEST_SCHEME=gopher", "SERVER_NAME=a.example", "SERVER_PORT=80", "",
         "http://a.example"},
        /* A port that is mapped: only the browser knows it. */
        {"", "SERVER_NAME=localhost", "SERVER_PORT=80",
         "HTTP_HOST=localhost:8080", "http://localhost:8080"},
        {"", "SERVER_NAME=localhost", "SERVER_PORT=8080", "HTTP_HOST=localhost",
         "http://localhost"},
        {"HTTPS=on", "SERVER_NAME=a.example", "SERVER_PORT=8443",
         "HTTP_HOST=a.example", "https://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=81",
         "HTTP_HOST=A.Example:", "http://a.example"},
        {"", "SERVER_NAME=a.example", "", "HTTP_HOST=a.example:99",
         "http://a.example:99"},
        /* Host says something else than the server: it is no witness. */
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=evil.example:99", "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=a.example.evil:99", "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80", "HTTP_HOST=a.example:0",
         "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=a.example:65536", "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=a.example:8x", "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=a.example:1:2", "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=", "http://a.example"},
        /* IPv6 literals, with and without brackets. */
        {"", "SERVER_NAME=::1", "SERVER_PORT=80", "", "http://[::1]"},
        {"", "SERVER_NAME=[::1]", "SERVER_PORT=81", "", "http://[::1]:81"},
        {"", "SERVER_NAME=[2001:DB8::a]", "SERVER_PORT=80",
         "HTTP_HOST=[2001:db8::A]:8080", "http://[2001:db8::a]:8080"},
        {"", "SERVER_NAME=2001:db8::a", "SERVER_PORT=80",
         "HTTP_HOST=[2001:db8::a]", "http://[2001:db8::a]"},
        {"", "SERVER_NAME=::1", "SERVER_PORT=80", "HTTP_HOST=[::1",
         "http://[::1]"},
        {"", "SERVER_NAME=::1", "SERVER_PORT=80", "HTTP_HOST=[::1]x",
         "http://[::1]"},
        {"", "SERVER_NAME=Shop.EXAMPLE", "SERVER_PORT=80", "",
         "http://shop.example"},
        /* It cannot be told. */
        {"", "SERVER_NAME=", "SERVER_PORT=80", "", NULL},
        {"", "SERVER_NAME=[]", "SERVER_PORT=80", "", NULL},
        {"", "", "SERVER_PORT=80", "HTTP_HOST=a.example", NULL},
        {"", "SERVER_NAME=a.example", "", "", NULL},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=", "", NULL},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=0", "", NULL},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=65536", "", NULL},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=-1", "", NULL},
        {"", "SERVER_NAME=a/b", "SERVER_PORT=80", "", NULL},
        {"", "SERVER_NAME=a b", "SERVER_PORT=80", "", NULL},
        {"", "SERVER_NAME=a@b", "SERVER_PORT=80", "", NULL},
        {"", "SERVER_NAME=::zz", "SERVER_PORT=80", "", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=GET", rows[i].scheme,
                                   rows[i].name,         rows[i].port,
                                   rows[i].host,         NULL};
        struct source source = {.step = 0};
        struct request req;
        char row[200];

        (void)snprintf(row, sizeof(row), "%s %s %s %s", rows[i].scheme,
                       rows[i].name, rows[i].port, rows[i].host);
        check_err(row, init(&req, variables, &source), PST_OK);
        check_text(row, request_own_origin(&req, PST_STR_NONE),
                   pst_str_from(rows[i].want));
    }
}

static void
test_own_origin_configured(void **state)
{
    struct source source = {.step = 0};
    struct request req;
    char name[400] = "SERVER_NAME=";
    const char *variables[] = {"REQUEST_METHOD=GET", name, "SERVER_PORT=80",
                               NULL};

    (void)state;
    assert_int_equal(init(&req, usual, &source), PST_OK);
    check_text("configured",
               request_own_origin(&req, PST_STR("https://b.example")),
               PST_STR("https://b.example"));
    check_text("not canonical",
               request_own_origin(&req, PST_STR("https://b.example/")),
               PST_STR_NONE);
    /* Longer than any name can be. */
    memset(name + 12, 'a', sizeof(name) - 13);
    assert_int_equal(init(&req, variables, &source), PST_OK);
    check_text("long", request_own_origin(&req, PST_STR_NONE), PST_STR_NONE);
}

/* Read it all, two bytes at a time. */
static enum pst_err
read_all(struct request *req, char *out, size_t *len)
{
    enum pst_err e;
    size_t got;

    *len = 0;
    do {
        e = request_read_body(req, out + *len, 2, &got);
        if (e)
            return e;
        *len += got;
    } while (got > 0);
    return PST_OK;
}

static void
test_read(void **state)
{
    static const struct {
        const char *name;
        const char *length;
        const char *body;
        const char *want; /* NULL: err instead */
        enum pst_err err;
    } rows[] = {
        {"exact", "CONTENT_LENGTH=5", "hello", "hello", PST_OK},
        {"more follows", "CONTENT_LENGTH=3", "hello", "hel", PST_OK},
        {"none", "CONTENT_LENGTH=0", "hello", "", PST_OK},
        {"cut short", "CONTENT_LENGTH=6", "hello", NULL, PST_MALFORMED},
        {"nothing came", "CONTENT_LENGTH=1", "", NULL, PST_MALFORMED},
        {"not told", "CONTENT_LENGTH=", "hello", "hello", PST_OK},
        {"chunked", "HTTP_TRANSFER_ENCODING=chunked", "hello", "hello", PST_OK},
        {"not told, empty", "", "", "", PST_OK},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        for (size_t step = 0; step < 3; step++) {
            const char *variables[] = {"REQUEST_METHOD=POST", rows[i].length,
                                       NULL};
            struct source source = {.body = pst_str_from(rows[i].body),
                                    .step = step};
            struct request req;
            char out[16];
            size_t len;

            check_err(rows[i].name, init(&req, variables, &source), PST_OK);
            check_err(rows[i].name, read_all(&req, out, &len), rows[i].err);
            if (rows[i].want)
                check_text(rows[i].name, (struct pst_str){out, len},
                           pst_str_from(rows[i].want));
        }
    }
}

/* A body of unknown length ends at max_body, exactly. */
static void
test_read_limit(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", NULL};
    static const char octets[MAX_BODY + 1];
    char out[MAX_BODY + 8];
    size_t len;

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct source source = {.body = {octets, MAX_BODY + extra}};
        struct request req;

        assert_int_equal(init(&req, variables, &source), PST_OK);
        assert_int_equal(read_all(&req, out, &len),
                         extra ? PST_TOO_LARGE : PST_OK);
        if (!extra)
            assert_int_equal(len, MAX_BODY);
    }
}

static void
test_read_gone(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", NULL};
    struct source source = {.body = PST_STR("hel"), .fail = PST_CLIENT_GONE};
    struct pst_str head;
    struct request req;
    char out[16];
    size_t len;
    bool all;

    (void)state;
    assert_int_equal(init(&req, variables, &source), PST_OK);
    assert_int_equal(read_all(&req, out, &len), PST_CLIENT_GONE);
    source.read = 0;
    assert_int_equal(init(&req, variables, &source), PST_OK);
    assert_int_equal(request_peek_body(&req, 10, &head, &all), PST_CLIENT_GONE);
}

/* Peeked bytes come again when read, then what was not peeked at. */
static void
test_peek(void **state)
{
    static const struct {
        const char *name;
        const char *length;
        size_t max;
        const char *head;
        bool all;
    } rows[] = {
        {"part", "CONTENT_LENGTH=5", 3, "hel", false},
        {"exact", "CONTENT_LENGTH=5", 5, "hello", true},
        {"room to spare", "CONTENT_LENGTH=5", 9, "hello", true},
        {"nothing", "CONTENT_LENGTH=5", 0, "", false},
        {"unknown, part", "", 3, "hel", false},
        {"unknown, exact", "", 5, "hello", false},
        {"unknown, room to spare", "", 9, "hello", true},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=POST", rows[i].length, NULL};
        struct source source = {.body = PST_STR("hello"), .step = 2};
        struct pst_str head;
        struct request req;
        char out[16];
        size_t len;
        bool all;

        check_err(rows[i].name, init(&req, variables, &source), PST_OK);
        check_err(rows[i].name,
                  request_peek_body(&req, rows[i].max, &head, &all), PST_OK);
        check_text(rows[i].name, head, pst_str_from(rows[i].head));
        if (all != rows[i].all)
            fail_msg("row '%s': all is %d", rows[i].name, all);
        check_err(rows[i].name, read_all(&req, out, &len), PST_OK);
        check_text(rows[i].name, (struct pst_str){out, len}, PST_STR("hello"));
    }
}

static void
test_peek_again(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", NULL};
    struct source source = {.body = PST_STR("hello, world"), .step = 1};
    struct pst_str first;
    struct pst_str head;
    struct pst_str body;
    struct request req;
    char out[16];
    size_t len;
    bool all;

    (void)state;
    assert_int_equal(init(&req, variables, &source), PST_OK);
    assert_int_equal(request_peek_body(&req, 5, &first, &all), PST_OK);
    assert_int_equal(request_peek_body(&req, 8, &head, &all), PST_OK);
    check_text("second", head, PST_STR("hello, w"));
    check_text("first", first, PST_STR("hello"));
    assert_int_equal(request_peek_body(&req, 2, &head, &all), PST_OK);
    check_text("less", head, PST_STR("he"));
    assert_false(all);
    assert_int_equal(request_read_whole_body(&req, 12, &body), PST_OK);
    check_text("body", body, PST_STR("hello, world"));
    assert_int_equal(request_peek_body(&req, 3, &head, &all), PST_OK);
    assert_false(all);
    assert_int_equal(read_all(&req, out, &len), PST_OK);
    check_text("read", (struct pst_str){out, len}, PST_STR("hello, world"));
}

static void
test_body(void **state)
{
    static const struct {
        const char *length;
        const char *in;
        size_t max;
        enum pst_err want;
    } rows[] = {
        {"CONTENT_LENGTH=5", "hello", 5, PST_OK},
        {"CONTENT_LENGTH=5", "hello", 4, PST_TOO_LARGE},
        {"CONTENT_LENGTH=5", "hello", 6, PST_OK},
        {"CONTENT_LENGTH=5", "hell", 5, PST_MALFORMED},
        {"CONTENT_LENGTH=5", "hello", SIZE_MAX, PST_OK},
        {"CONTENT_LENGTH=0", "", 5, PST_OK},
        {"", "hello", 5, PST_OK},
        {"", "hello", 4, PST_TOO_LARGE},
        {"", "hello", 6, PST_OK},
        {"", "hello", SIZE_MAX, PST_OK},
        {"", "", 5, PST_OK},
        {"", "", 0, PST_OK},
        {"", "h", 0, PST_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=POST", rows[i].length, NULL};
        struct source source = {.body = pst_str_from(rows[i].in), .step = 3};
        struct pst_str body = PST_STR_NONE;
        struct request req;
        char row[40];

        (void)snprintf(row, sizeof(row), "%zu: %s", i, rows[i].length);
        check_err(row, init(&req, variables, &source), PST_OK);
        check_err(row, request_read_whole_body(&req, rows[i].max, &body),
                  rows[i].want);
        check_text(row, body,
                   rows[i].want ? PST_STR_NONE : pst_str_from(rows[i].in));
    }
}

/* As much is held as the caller says, and less memory than is needed. */
static void
test_hold_limits(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", NULL};
    static char octets[PST_BUFFERED_BODY_MAX + 1];
    struct source source = {.body = {octets, sizeof(octets)}};
    struct request_input origin = {.variables = variables,
                                   .source = {source_read, &source, -1},
                                   .max_body = 2 * PST_BUFFERED_BODY_MAX};
    struct pst_str body;
    struct request req;
    bool all;

    (void)state;
    assert_int_equal(request_init(&req, arena, &origin, random_octets), PST_OK);
    assert_int_equal(
        request_peek_body(&req, PST_BUFFERED_BODY_MAX, &body, &all), PST_OK);
    assert_int_equal(body.len, PST_BUFFERED_BODY_MAX);
    assert_false(all);
    assert_int_equal(request_peek_body(&req, SIZE_MAX, &body, &all), PST_OK);
    assert_int_equal(body.len, PST_BUFFERED_BODY_MAX + 1);
    assert_true(all);

    for (size_t max = PST_BUFFERED_BODY_MAX; max < PST_BUFFERED_BODY_MAX + 3;
         max++) {
        source.read = 0;
        assert_int_equal(request_init(&req, arena, &origin, random_octets),
                         PST_OK);
        assert_int_equal(request_read_whole_body(&req, max, &body),
                         max == PST_BUFFERED_BODY_MAX ? PST_TOO_LARGE : PST_OK);
    }
    assert_int_equal(body.len, PST_BUFFERED_BODY_MAX + 1);

    source.read = 0;
    assert_int_equal(request_init(&req, arena, &origin, random_octets), PST_OK);
    pst_arena_fail_at(arena, 1);
    assert_int_equal(request_read_whole_body(&req, 2000, &body), PST_NO_MEMORY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_method, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_content_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_authorizer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_coding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_media_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_navigation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_own_origin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_own_origin_configured, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_peek, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_peek_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hold_limits, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}

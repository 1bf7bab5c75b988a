/* SPDX-License-Identifier: ISC */
/*
 * test_response.c - what an answer looks like on the wire, and what can never
 * enter it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <string.h>

#include "base/limits.h"
#include "server/response.h"

/* Where the answers of these tests go. */
struct sink {
    char out[2 * PST_HEADERS_MAX];
    size_t len;
    size_t writes;
    size_t flushes;
    enum pst_err fail;
};

static struct pst_arena *arena;
static struct sink sink;

static enum pst_err
sink_write(void *context, struct pst_str piece)
{
    struct sink *to = context;

    to->writes++;
    if (to->fail)
        return to->fail;
    assert_true(piece.len > 0);
    assert_true(piece.len <= sizeof(to->out) - to->len);
    memcpy(to->out + to->len, piece.ptr, piece.len);
    to->len += piece.len;
    return PST_OK;
}

static enum pst_err
sink_flush(void *context)
{
    struct sink *to = context;

    to->flushes++;
    return to->fail;
}

static void
init(struct response *res)
{
    const struct response_sink to = {sink_write, sink_flush, &sink};

    pst_arena_reset(arena);
    memset(&sink, 0, sizeof(sink));
    response_init(res, arena, &to);
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

static void
check_out(const char *row, const char *want)
{
    check_text(row, (struct pst_str){sink.out, sink.len}, pst_str_from(want));
}

#define DEFAULTS \
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"

static void
test_bare(void **state)
{
    struct response res;

    (void)state;
    init(&res);
    assert_int_equal(res.status, 200);
    assert_int_equal(response_begin(&res), PST_OK);
    assert_true(res.begun);
    check_out("bare", "Status: 200 OK\r\n" DEFAULTS "\r\n");
    assert_int_equal(response_write(&res, PST_STR("one")), PST_OK);
    assert_int_equal(response_write(&res, PST_STR("")), PST_OK);
    assert_int_equal(sink.writes, 2);
    assert_int_equal(response_flush(&res), PST_OK);
    assert_int_equal(sink.flushes, 1);
    check_out("body", "Status: 200 OK\r\n" DEFAULTS "\r\none");
}

/* Names go out as they were given; a later value takes an earlier's place. */
static void
test_set(void **state)
{
    struct response res;

    (void)state;
    init(&res);
    assert_int_equal(response_try_set_header(
                         &res, PST_STR("vendure-auth-token"), PST_STR("")),
                     PST_OK);
    assert_int_equal(
        response_try_set_header(&res, PST_STR("X-Word"), PST_STR("old")),
        PST_OK);
    assert_int_equal(
        response_try_set_header(&res, PST_STR("ETag"), PST_STR("\"x\"")),
        PST_OK);
    assert_int_equal(
        response_try_set_header(&res, PST_STR("x-word"), PST_STR("new")),
        PST_OK);
    assert_int_equal(response_try_set_header(&res, PST_STR("cache-control"),
                                             PST_STR("max-age=1")),
                     PST_OK);
    check_text("get", response_get_header(&res, PST_STR("X-WORD")),
               PST_STR("new"));
    check_text("empty",
               response_get_header(&res, PST_STR("Vendure-Auth-Token")),
               PST_STR(""));
    check_text("none", response_get_header(&res, PST_STR("X-Wor")),
               PST_STR_NONE);
    response_remove_header(&res, PST_STR("x-content-TYPE-options"));
    response_remove_header(&res, PST_STR("X-Not-There"));
    assert_int_equal(response_begin(&res), PST_OK);
    check_out("set", "Status: 200 OK\r\ncache-control: max-age=1\r\n"
                     "vendure-auth-token: \r\nx-word: new\r\n"
                     "ETag: \"x\"\r\n\r\n");
}

/* R37: several cookies, but no second Set-Cookie of one cookie, and the last
 * word on it is the last line. Set-Cookie has no other way in. */
static void
test_cookies(void **state)
{
    char line[] = "a=1; Path=/";
    struct response res;

    (void)state;
    init(&res);
    response_set_cookie(&res, (struct pst_str){line, sizeof(line) - 1});
    memset(line, 'x', sizeof(line) - 1);
    response_set_cookie(&res, PST_STR("b=1; Path=/"));
    response_set_cookie(&res, PST_STR("a=2; Path=/; Partitioned"));
    response_set_cookie(&res, PST_STR("a=3; Path=/x"));
    response_set_cookie(&res, PST_STR("a=4; Max-Age=0; Path=/"));
    assert_int_equal(response_try_set_header(&res, PST_STR("set-cookie"),
                                             PST_STR("a=5; Path=/")),
                     PST_MALFORMED);
    assert_int_equal(response_begin(&res), PST_OK);
    check_out("cookies",
              "Status: 200 OK\r\n" DEFAULTS "Set-Cookie: b=1; Path=/\r\n"
              "Set-Cookie: a=2; Path=/; Partitioned\r\n"
              "Set-Cookie: a=3; Path=/x\r\n"
              "Set-Cookie: a=4; Max-Age=0; Path=/\r\n\r\n");
    /* What cannot be kept is told by response_begin(). */
    init(&res);
    response_set_cookie(&res, PST_STR("a=1\r\nX: y"));
    assert_int_equal(response_begin(&res), PST_MALFORMED);
    init(&res);
    pst_arena_fail_at(res.arena, 1);
    response_set_cookie(&res, PST_STR("a=1"));
    assert_int_equal(response_begin(&res), PST_NO_MEMORY);
    init(&res);
    for (unsigned i = 0; i < RESPONSE_HEADERS_MAX; i++) {
        char name[8];

        snprintf(name, sizeof(name), "n%u=", i);
        response_set_cookie(&res, pst_str_from(name));
    }
    assert_int_equal(response_begin(&res), PST_TOO_LARGE);
}

/* RFC 9110 15.5.2: a 401 says how to do better, in a scheme that no browser
 * asks a password for; or in the one that was set. */
static void
test_challenge(void **state)
{
    struct response res;

    (void)state;
    init(&res);
    response_set_status(&res, 401);
    assert_int_equal(response_begin(&res), PST_OK);
    check_out("own", "Status: 401 Unauthorized\r\n" DEFAULTS
                     "WWW-Authenticate: Postern realm=\"session\"\r\n\r\n");
    init(&res);
    res.challenge = PST_STR("Bearer realm=\"postern\"");
    response_reset(&res, NULL);
    response_set_status(&res, 401);
    assert_int_equal(response_begin(&res), PST_OK);
    check_out("carrier's",
              "Status: 401 Unauthorized\r\n" DEFAULTS
              "WWW-Authenticate: Bearer realm=\"postern\"\r\n\r\n");
    init(&res);
    response_set_header(&res, PST_STR("www-authenticate"),
                        PST_STR("Bearer x=y"));
    response_set_status(&res, 401);
    assert_int_equal(response_begin(&res), PST_OK);
    check_out("set", "Status: 401 Unauthorized\r\n" DEFAULTS
                     "www-authenticate: Bearer x=y\r\n\r\n");
    init(&res);
    response_set_status(&res, 403);
    assert_int_equal(response_begin(&res), PST_OK);
    check_out("no 401", "Status: 403 Forbidden\r\n" DEFAULTS "\r\n");
}

/* What is set is copied: the caller may reuse its storage. */
static void
test_set_copies(void **state)
{
    char name[] = "X-Name";
    char value[] = "value";
    struct response res;

    (void)state;
    init(&res);
    assert_int_equal(
        response_try_set_header(&res, pst_str_from(name), pst_str_from(value)),
        PST_OK);
    memset(name, '!', sizeof(name) - 1);
    memset(value, '!', sizeof(value) - 1);
    check_text("copied", response_get_header(&res, PST_STR("x-name")),
               PST_STR("value"));
}

/* R58: no byte that could end a line, in a name or a value, front to end. */
static void
test_control_octets(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool value_ok = c == '\t' || (c >= 0x20 && c != 0x7F);
        bool name_ok = pst_is_alpha((char)c) || pst_is_digit((char)c) ||
                       (c != 0 && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);

        for (size_t at = 0; at < 3; at++) {
            char text[] = "aaa";
            char row[32];
            struct response res;

            (void)snprintf(row, sizeof(row), "octet %02x at %zu", c, at);
            text[at] = (char)c;
            init(&res);
            check_err(row,
                      response_try_set_header(&res, PST_STR("X"),
                                              (struct pst_str){text, 3}),
                      value_ok ? PST_OK : PST_MALFORMED);
            check_err(row,
                      response_try_set_header(&res, (struct pst_str){text, 3},
                                              PST_STR("v")),
                      name_ok ? PST_OK : PST_MALFORMED);
            assert_int_equal(res.header_count,
                             2 + (size_t)value_ok + (size_t)name_ok);
        }
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *name;
        struct pst_str header;
        struct pst_str value;
    } rows[] = {
        {"no name", {"", 0}, {"v", 1}},
        {"absent name", {NULL, 0}, {"v", 1}},
        {"absent value", {"X", 1}, {NULL, 0}},
        {"colon", {"X:", 2}, {"v", 1}},
        {"two lines", {"X", 1}, {"v\r\nSet-Cookie: a=b", 18}},
        {"server's word", {"sTATUS", 6}, {"200 OK", 6}},
        {"L14: a way round", {"location", 8}, {"https://evil.example", 20}},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct response res;

        init(&res);
        check_err(rows[i].name,
                  response_try_set_header(&res, rows[i].header, rows[i].value),
                  PST_MALFORMED);
        assert_int_equal(res.header_count, 2);
        assert_int_equal(res.deferred_error, PST_OK);
        response_set_header(&res, rows[i].header, rows[i].value);
        response_set_header(&res, PST_STR("X-Good"), PST_STR("after it"));
        check_err(rows[i].name, response_begin(&res), PST_MALFORMED);
        assert_int_equal(sink.writes, 0);
        assert_false(res.begun);
    }
}

static void
test_limits(void **state)
{
    static char big[PST_HEADERS_MAX + 1];
    struct response res;
    char name[16];

    (void)state;
    memset(big, 'v', sizeof(big));
    init(&res);
    /* "X: " and a line end beside the two defaults. */
    assert_int_equal(
        response_try_set_header(&res, PST_STR("X"),
                                (struct pst_str){big, PST_HEADERS_MAX - 62}),
        PST_TOO_LARGE);
    assert_int_equal(
        response_try_set_header(&res, PST_STR("X"),
                                (struct pst_str){big, PST_HEADERS_MAX - 63}),
        PST_OK);
    assert_int_equal(response_try_set_header(&res, PST_STR("Y"), PST_STR("")),
                     PST_TOO_LARGE);
    /* The same name again is a replacement, and fits. */
    assert_int_equal(
        response_try_set_header(&res, PST_STR("x"),
                                (struct pst_str){big, PST_HEADERS_MAX - 63}),
        PST_OK);
    assert_int_equal(response_begin(&res), PST_OK);

    init(&res);
    for (size_t i = 2; i < RESPONSE_HEADERS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "X-%zu", i);
        assert_int_equal(
            response_try_set_header(&res, pst_str_from(name), PST_STR("v")),
            PST_OK);
    }
    assert_int_equal(
        response_try_set_header(&res, PST_STR("One-More"), PST_STR("v")),
        PST_TOO_LARGE);
    assert_int_equal(
        response_try_set_header(&res, PST_STR("x-2"), PST_STR("w")), PST_OK);
}

static void
test_no_memory(void **state)
{
    struct response res;

    (void)state;
    for (size_t n = 1; n <= 2; n++) {
        init(&res);
        pst_arena_fail_at(arena, n);
        assert_int_equal(
            response_try_set_header(&res, PST_STR("X"), PST_STR("v")),
            PST_NO_MEMORY);
        assert_int_equal(res.header_count, 2);
        /* An answer that takes nothing from the arena still goes out. */
        assert_int_equal(response_send_json(&res, 503, PST_STR("{}")), PST_OK);
        check_out("spent", "Status: 503 Service Unavailable\r\n" DEFAULTS
                           "Content-Type: application/json; charset=utf-8\r\n"
                           "Content-Length: 2\r\n\r\n{}");
    }
}

static void
test_status(void **state)
{
    static const struct {
        int status;
        const char *want; /* NULL: refused */
    } rows[] = {
        {200, "Status: 200 OK\r\n"},
        {204, "Status: 204 No Content\r\n"},
        {206, "Status: 206 Success\r\n"},
        {303, "Status: 303 See Other\r\n"},
        {305, "Status: 305 Redirection\r\n"},
        {401, "Status: 401 Unauthorized\r\n"},
        {418, "Status: 418 Client Error\r\n"},
        {429, "Status: 429 Too Many Requests\r\n"},
        {502, "Status: 502 Bad Gateway\r\n"},
        {599, "Status: 599 Server Error\r\n"},
        {600, NULL},
        {199, NULL},
        {100, NULL},
        {0, NULL},
        {-1, NULL},
        {2000, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str out;
        struct response res;
        char row[16];

        (void)snprintf(row, sizeof(row), "%d", rows[i].status);
        init(&res);
        response_set_status(&res, rows[i].status);
        check_err(row, response_begin(&res),
                  rows[i].want ? PST_OK : PST_INTERNAL);
        out = (struct pst_str){sink.out, sink.len};
        if (rows[i].want)
            check_text(row, pst_str_first(out, pst_str_index(out, '\n') + 1),
                       pst_str_from(rows[i].want));
        else
            assert_int_equal(sink.writes, 0);
    }
}

static void
test_reset(void **state)
{
    static const struct pst_str kept[] = {
        {"set-cookie", 10}, {"Vary", 4}, {NULL, 0}};
    struct response res;

    (void)state;
    init(&res);
    response_set_status(&res, 204);
    response_set_header(&res, PST_STR("ETag"), PST_STR("x"));
    response_set_cookie(&res, PST_STR("a=b"));
    response_set_cookie(&res, PST_STR("c=d"));
    response_set_header(&res, PST_STR("Cache-Control"), PST_STR("public"));
    response_set_header(&res, PST_STR("Bad"), PST_STR("\n"));
    response_reset(&res, kept);
    assert_int_equal(response_begin(&res), PST_OK);
    check_out("kept", "Status: 200 OK\r\nSet-Cookie: a=b\r\n"
                      "Set-Cookie: c=d\r\n" DEFAULTS "\r\n");

    init(&res);
    response_set_cookie(&res, PST_STR("a=b"));
    response_reset(&res, NULL);
    assert_int_equal(response_begin(&res), PST_OK);
    check_out("all gone", "Status: 200 OK\r\n" DEFAULTS "\r\n");
}

static void
test_vary(void **state)
{
    static const struct {
        const char *name;
        const char *first;
        const char *second;
        const char *third;
        const char *want; /* NULL: absent */
    } rows[] = {
        {"one", "Origin", "", "", "Origin"},
        {"merged", "Origin, Cookie", "Accept", "", "Origin, Cookie, Accept"},
        {"each once", "Origin", "ORIGIN,Cookie", "cookie , origin",
         "Origin, Cookie"},
        {"star swallows", "Origin", "*", "Cookie", "*"},
        {"star among", "Origin", "Accept, *, Cookie", "", "*"},
        {"nothing", "", "", "", NULL},
        {"only commas", ", ,", "\t", "", NULL},
        {"no tokens left out", "Ori:gin, Cookie", "a\rb", "\x01", "Cookie"},
        {"a part is not the whole", "Cookie2", "Cookie", "", "Cookie2, Cookie"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct response res;

        init(&res);
        response_add_vary(&res, pst_str_from(rows[i].first));
        response_add_vary(&res, pst_str_from(rows[i].second));
        response_add_vary(&res, pst_str_from(rows[i].third));
        check_text(rows[i].name, response_get_header(&res, PST_STR("Vary")),
                   pst_str_from(rows[i].want));
        check_err(rows[i].name, response_begin(&res), PST_OK);
    }
}

static void
test_bodiless(void **state)
{
    static const struct {
        int status;
        const char *want;
    } rows[] = {
        {204, "Status: 204 No Content\r\n" DEFAULTS "ETag: x\r\n\r\n"},
        {304, "Status: 304 Not Modified\r\n" DEFAULTS
              "ETag: x\r\nContent-Type: text/plain\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct response res;

        init(&res);
        response_set_header(&res, PST_STR("ETag"), PST_STR("x"));
        assert_int_equal(response_send(&res, rows[i].status,
                                       PST_STR("text/plain"),
                                       PST_STR("nobody sees this")),
                         PST_OK);
        assert_int_equal(response_write(&res, PST_STR("nor this")), PST_OK);
        check_out("bodiless", rows[i].want);
    }
}

static void
test_whole(void **state)
{
    struct response res;

    (void)state;
    init(&res);
    assert_int_equal(
        response_send(&res, 404, PST_STR("text/plain"), PST_STR("hello")),
        PST_OK);
    check_out("whole", "Status: 404 Not Found\r\n" DEFAULTS
                       "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n"
                       "hello");
    init(&res);
    assert_int_equal(
        response_send(&res, 200, PST_STR("a/b\r\nX: y"), PST_STR("hello")),
        PST_MALFORMED);
    assert_int_equal(sink.writes, 0);
    init(&res);
    assert_int_equal(response_send_json(&res, 200, PST_STR("")), PST_OK);
    check_out("empty", "Status: 200 OK\r\n" DEFAULTS
                       "Content-Type: application/json; charset=utf-8\r\n"
                       "Content-Length: 0\r\n\r\n");
}

static void
test_client_gone(void **state)
{
    struct response res;

    (void)state;
    init(&res);
    sink.fail = PST_CLIENT_GONE;
    assert_int_equal(response_begin(&res), PST_CLIENT_GONE);
    /* Some of it may have left: nothing else may be begun. */
    assert_true(res.begun);
    assert_int_equal(response_write(&res, PST_STR("x")), PST_CLIENT_GONE);
    assert_int_equal(response_flush(&res), PST_CLIENT_GONE);
}

/* L11 to L14: whatever is asked for, Location is local or the fallback. */
static void
test_redirect(void **state)
{
    static const struct {
        const char *target;
        const char *want;
    } rows[] = {
        {"/cart?x=1#top", "/cart?x=1#top"},
        {"/", "/"},
        {"", "/home"},
        {"https://evil.example/", "/home"},
        {"//evil.example", "/home"},
        {"/\\evil.example", "/home"},
        {"/\t/evil.example", "/home"},
        {"/%2f/evil.example", "/home"},
        {"/a\r\nSet-Cookie: a=b", "/home"},
        {"javascript:alert(1)", "/home"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct response res;
        char want[200];

        (void)snprintf(want, sizeof(want),
                       "Status: 303 See Other\r\n" DEFAULTS
                       "Location: %s\r\n\r\n",
                       rows[i].want);
        init(&res);
        response_set_header(&res, PST_STR("Content-Type"),
                            PST_STR("text/html"));
        response_set_header(&res, PST_STR("Content-Length"), PST_STR("7"));
        check_err(rows[i].target,
                  response_redirect(&res, pst_str_from(rows[i].target),
                                    PST_STR("/home")),
                  PST_OK);
        check_out(rows[i].target, want);
    }
}

static void
test_redirect_edges(void **state)
{
    struct response res;

    (void)state;
    init(&res);
    assert_int_equal(response_redirect(&res, PST_STR_NONE, PST_STR("/home")),
                     PST_OK);
    check_text("absent", response_get_header(&res, PST_STR("Location")),
               PST_STR("/home"));
    init(&res);
    assert_int_equal(response_redirect(&res, PST_STR_NONE, PST_STR("/a\n")),
                     PST_MALFORMED);
    assert_int_equal(sink.writes, 0);
    init(&res);
    pst_arena_fail_at(arena, 1);
    assert_int_equal(response_redirect(&res, PST_STR("/a"), PST_STR("/home")),
                     PST_NO_MEMORY);
    assert_int_equal(sink.writes, 0);
}

static const char *
member(struct json_object *object, const char *name)
{
    struct json_object *found = NULL;

    assert_true(json_object_object_get_ex(object, name, &found));
    return json_object_get_string(found);
}

static void
test_emit_error(void **state)
{
    struct request req = {.id = "0123456789abcdef"};

    (void)state;
    for (int i = PST_OK; i < PST_ERR_COUNT; i++) {
        enum pst_err e = (enum pst_err)i;
        struct json_object *root;
        struct json_object *list;
        struct json_object *error;
        struct json_object *extensions;
        struct pst_str text;
        struct pst_buf buf;
        char storage[512];

        pst_buf_init(&buf, storage, sizeof(storage));
        response_emit_error(&buf, &req, e);
        pst_buf_add_char(&buf, '\0');
        assert_int_equal(pst_buf_finish(&buf, &text), PST_OK);
        root = json_tokener_parse(storage);
        assert_non_null(root);
        assert_true(json_object_object_get_ex(root, "errors", &list));
        assert_int_equal(json_object_array_length(list), 1);
        error = json_object_array_get_idx(list, 0);
        assert_true(
            json_object_object_get_ex(error, "extensions", &extensions));
        assert_string_equal(member(error, "message"), pst_err_text(e));
        assert_string_equal(member(extensions, "code"), pst_err_name(e));
        assert_string_equal(member(extensions, "requestId"), req.id);
        json_object_put(root);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bare),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_challenge),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_set_copies),
        cmocka_unit_test(test_control_octets),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_vary),
        cmocka_unit_test(test_bodiless),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_redirect_edges),
        cmocka_unit_test(test_emit_error),
    };

    return cmocka_run_group_tests_name("reply", tests, set_up, tear_down);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_response.c - what a response looks like on the wire.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <json-c/json.h>
#include <string.h>

#include "responses.h"

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

/* RFC 9110 15.5.2: a 401 has a challenge. Its scheme is the one that was set,
 * or one for which no browser asks for a password. */
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

static bool
discard(void *context)
{
    (void)context;
    return sink.fail == PST_OK;
}

/* What was not sent is taken back, and the response begins again. */
static void
test_discard(void **state)
{
    struct response res;

    (void)state;
    init(&res);
    assert_true(response_discard(&res)); /* it has not begun */
    assert_int_equal(response_begin(&res), PST_OK);
    assert_false(response_discard(&res)); /* the sink cannot */
    assert_true(res.begun);
    res.sink.discard = discard;
    sink.fail = PST_CLIENT_GONE;
    assert_false(response_discard(&res));
    assert_true(res.begun);
    sink.fail = PST_OK;
    assert_true(response_discard(&res));
    response_reset(&res, NULL);
    assert_int_equal(response_begin(&res), PST_OK);
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
    /* A part may have been sent, so no other response can begin. */
    assert_true(res.begun);
    assert_int_equal(response_write(&res, PST_STR("x")), PST_CLIENT_GONE);
    assert_int_equal(response_flush(&res), PST_CLIENT_GONE);
}

/* L11 to L14: for every target, Location is local or the fallback. */
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
        cmocka_unit_test(test_challenge),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_discard),
        cmocka_unit_test(test_bodiless),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_redirect_edges),
        cmocka_unit_test(test_emit_error),
    };

    return cmocka_run_group_tests_name("response", tests, set_up, tear_down);
}

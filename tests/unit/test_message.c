/* SPDX-License-Identifier: ISC */
/*
 * test_message.c - what may be sent to the backend, and which heads of a
 * response are accepted.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "base/limits.h"
#include "http/message.h"

static struct pst_arena *arena;

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
check_err(const char *row, enum pst_err got, enum pst_err want)
{
    if (got != want)
        fail_msg("row '%s': got %s, wanted %s", row, pst_err_code(got),
                 pst_err_code(want));
}

static void
test_url(void **state)
{
    static const struct {
        const char *name;
        const char *base;
        struct pst_str query;
        const char *want; /* NULL: malformed */
    } rows[] = {
        {"absent", "http://a/g", {NULL, 0}, "http://a/g"},
        {"empty", "http://a/g", {"", 0}, "http://a/g"},
        {"given", "http://a/g", {"b=1&c=%20", 9}, "http://a/g?b=1&c=%20"},
        {"beside its own", "http://a/g?x", {"b=1", 3}, "http://a/g?x&b=1"},
        {"slashes", "http://a/g", {"x/../@:y?z", 10}, "http://a/g?x/../@:y?z"},
        {"quotes",
         "http://a/g",
         {"\"'<>{}|\\^`", 10},
         "http://a/g?\"'<>{}|\\^`"},
        {"space", "http://a/g", {"b c", 3}, NULL},
        {"fragment", "http://a/g", {"b#c", 3}, NULL},
        {"tab", "http://a/g", {"b\tc", 3}, NULL},
        {"new line", "http://a/g", {"b\r\nX: y", 7}, NULL},
        {"NUL", "http://a/g", {"b\0c", 3}, NULL},
        {"DEL", "http://a/g", {"b\x7f", 2}, NULL},
        {"not ASCII", "http://a/g", {"b\xc3\xa9", 3}, NULL},
    };
    const char *out = NULL;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *got = NULL;

        check_err(rows[i].name,
                  message_url(arena, rows[i].base, rows[i].query, &got),
                  rows[i].want ? PST_OK : PST_MALFORMED);
        if (rows[i].want && strcmp(got, rows[i].want) != 0)
            fail_msg("row '%s': got '%s'", rows[i].name, got);
        if (!rows[i].want && got)
            fail_msg("row '%s': out was touched", rows[i].name);
    }
    pst_arena_fail_at(arena, 1);
    check_err("memory", message_url(arena, "http://a/", PST_STR_NONE, &out),
              PST_NO_MEMORY);
    assert_null(out);
}

static void
test_may_send(void **state)
{
    static const struct {
        struct pst_str name;
        struct pst_str value;
        bool want;
    } rows[] = {
        {{"Accept", 6}, {"a/b", 3}, true},
        {{"X-Empty", 7}, {"", 0}, true},
        {{"X", 1}, {"a\tb \xff", 5}, true},
        {{"", 0}, {"v", 1}, false},
        {{"X Y", 3}, {"v", 1}, false},
        {{"X:", 2}, {"v", 1}, false},
        {{"X\r\nY", 4}, {"v", 1}, false},
        {{"X", 1}, {"a\r\nY: z", 7}, false},
        {{"X", 1}, {"a\nb", 3}, false},
        {{"X", 1}, {"a\0b", 3}, false},
        {{"X", 1}, {"\x7f", 1}, false},
        {{"connection", 10}, {"close", 5}, false},
        {{"Content-Length", 14}, {"5", 1}, false},
        {{"EXPECT", 6}, {"100-continue", 12}, false},
        {{"Host", 4}, {"evil.example", 12}, false},
        {{"Keep-Alive", 10}, {"1", 1}, false},
        {{"TE", 2}, {"trailers", 8}, false},
        {{"Trailer", 7}, {"X", 1}, false},
        {{"Transfer-Encoding", 17}, {"chunked", 7}, false},
        {{"Upgrade", 7}, {"h2c", 3}, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        if (message_may_send(rows[i].name, rows[i].value) != rows[i].want)
            fail_msg("row %zu '%.*s': wrong", i, (int)rows[i].name.len,
                     rows[i].name.ptr);
    }
}

/* What a walk over the headers found: "status|name=value|...". */
struct found {
    char text[512];
    size_t len;
};

static enum pst_err
note(void *context, struct pst_str name, struct pst_str value)
{
    struct found *found = context;
    int len = snprintf(found->text + found->len,
                       sizeof(found->text) - found->len, "|%.*s=%.*s",
                       (int)name.len, name.ptr, (int)value.len, value.ptr);

    assert_true(len > 0);
    found->len += (size_t)len;
    assert_true(found->len < sizeof(found->text));
    return PST_OK;
}

/* Read a head line by line, as curl delivers it. */
static enum pst_err
feed(struct message_head *head, struct pst_str text)
{
    enum pst_err e = PST_OK;

    message_head_init(head, arena);
    while (!e && text.len > 0) {
        size_t len = pst_str_index(text, '\n') + 1;

        e = message_head_add(head, pst_str_first(text, len));
        text = pst_str_skip(text, len);
    }
    return e;
}

static void
test_head(void **state)
{
    static const struct {
        const char *name;
        const char *in;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"bare", "HTTP/1.1 200 OK\r\n\r\n", "200"},
        {"no reason", "HTTP/1.1 200\r\n\r\n", "200"},
        {"HTTP/2", "HTTP/2 204 \r\na: b\r\n\r\n", "204|a=b"},
        {"LF only", "HTTP/1.0 404 no\na: b\n\n", "404|a=b"},
        {"order and case", "HTTP/1.1 599 x\r\nB:1\r\na: 2 \r\nB:\t3\r\n\r\n",
         "599|B=1|a=2|B=3"},
        {"empty value", "HTTP/1.1 200 OK\r\nvendure-auth-token:\r\n\r\n",
         "200|vendure-auth-token="},
        {"colons", "HTTP/1.1 200 OK\r\nDate: 1:2:3\r\n\r\n", "200|Date=1:2:3"},
        {"interim",
         "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"
         "HTTP/1.1 103 Early\r\nSet-Cookie: a\r\n\r\n"
         "HTTP/1.1 200 OK\r\nA: b\r\n\r\n",
         "200|A=b"},
        {"one length twice",
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n",
         "200|Content-Length=5|content-length=5"},
        {"length beside an encoding",
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n"
         "Transfer-Encoding: chunked\r\n\r\n",
         "200|A=b|Transfer-Encoding=chunked"},
        {"two lengths",
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
         NULL},
        {"length list", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
         NULL},
        {"signed length", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
         NULL},
        {"no length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", NULL},
        {"folded", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", NULL},
        {"folded by a tab", "HTTP/1.1 200 OK\r\nA: b\r\n\tc: d\r\n\r\n", NULL},
        {"no colon", "HTTP/1.1 200 OK\r\nA\r\n\r\n", NULL},
        {"no name", "HTTP/1.1 200 OK\r\n: b\r\n\r\n", NULL},
        {"blank before colon", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", NULL},
        {"CR inside", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", NULL},
        {"control byte", "HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n", NULL},
        {"status 600", "HTTP/1.1 600 x\r\n\r\n", NULL},
        {"status 099", "HTTP/1.1 099 x\r\n\r\n", NULL},
        {"status 20", "HTTP/1.1 20 x\r\n\r\n", NULL},
        {"status 2000", "HTTP/1.1 2000 x\r\n\r\n", NULL},
        {"status 2x0", "HTTP/1.1 2x0 x\r\n\r\n", NULL},
        {"status -20", "HTTP/1.1 -20 x\r\n\r\n", NULL},
        {"two spaces", "HTTP/1.1  200 x\r\n\r\n", NULL},
        {"no status", "HTTP/1.1\r\n\r\n", NULL},
        {"no HTTP", "ICY 200 OK\r\n\r\n", NULL},
        {"no status line", "A: b\r\n\r\n", NULL},
        {"nothing", "\r\n", NULL},
        {"nothing after interim", "HTTP/1.1 100 C\r\n\r\nA: b\r\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct message_head head;
        struct found found;

        pst_arena_reset(arena);
        check_err(rows[i].name, feed(&head, pst_str_from(rows[i].in)),
                  rows[i].want ? PST_OK : PST_UPSTREAM_BROKEN);
        if (!rows[i].want)
            continue;
        assert_true(head.complete);
        found.len =
            (size_t)snprintf(found.text, sizeof(found.text), "%d", head.status);
        check_err(rows[i].name, message_head_walk(&head, note, &found), PST_OK);
        if (strcmp(found.text, rows[i].want) != 0)
            fail_msg("row '%s': got '%s'", rows[i].name, found.text);
    }
}

static void
test_head_nul(void **state)
{
    struct message_head head;

    (void)state;
    check_err("NUL", feed(&head, PST_STR("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n")),
              PST_UPSTREAM_BROKEN);
}

static enum pst_err
give_up(void *context, struct pst_str name, struct pst_str value)
{
    size_t *calls = context;

    (void)name;
    (void)value;
    (*calls)++;
    return PST_TOO_LARGE;
}

static void
test_walk_stops(void **state)
{
    struct message_head head;
    size_t calls = 0;

    (void)state;
    check_err("feed",
              feed(&head, PST_STR("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n")),
              PST_OK);
    check_err("walk", message_head_walk(&head, give_up, &calls), PST_TOO_LARGE);
    assert_int_equal(calls, 1);
}

/* R59: one long line, many lines, or many interim heads: all are limited. */
static void
test_head_limit(void **state)
{
    static char line[PST_HEADERS_MAX];
    static const struct {
        const char *name;
        const char *repeated;
    } rows[] = {
        {"headers", "A: 0123456789012345678901234567890123456789"
                    "0123456789012345678901234567890123456789\r\n"},
        {"interim", "\r\nHTTP/1.1 100 Continue\r\n"},
    };
    struct message_head head;

    (void)state;
    memset(line, 'a', sizeof(line));
    line[1] = ':';
    message_head_init(&head, arena);
    check_err("status", message_head_add(&head, PST_STR("HTTP/1.1 200\r\n")),
              PST_OK);
    check_err("long",
              message_head_add(&head, (struct pst_str){line, sizeof(line)}),
              PST_UPSTREAM_BROKEN);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str repeated = pst_str_from(rows[i].repeated);
        enum pst_err e = PST_OK;
        size_t bytes = 0;

        message_head_init(&head, arena);
        e = message_head_add(&head, PST_STR("HTTP/1.1 100\r\n"));
        while (!e && bytes < 2 * PST_HEADERS_MAX) {
            struct pst_str rest = repeated;

            while (!e && rest.len > 0) {
                size_t len = pst_str_index(rest, '\n') + 1;

                e = message_head_add(&head, pst_str_first(rest, len));
                rest = pst_str_skip(rest, len);
            }
            bytes += repeated.len;
        }
        check_err(rows[i].name, e, PST_UPSTREAM_BROKEN);
        assert_true(bytes > PST_HEADERS_MAX - 100);
        assert_true(bytes < PST_HEADERS_MAX + 100);
    }
}

static void
test_head_lines(void **state)
{
    struct message_head head;
    enum pst_err e;

    (void)state;
    message_head_init(&head, arena);
    e = message_head_add(&head, PST_STR("HTTP/1.1 200\r\n"));
    for (size_t i = 0; i < PST_HEADER_COUNT_MAX && !e; i++)
        e = message_head_add(&head, PST_STR("A: b\r\n"));
    check_err("most", e, PST_OK);
    check_err("more", message_head_add(&head, PST_STR("A: b\r\n")),
              PST_UPSTREAM_BROKEN);
    assert_string_equal(head.reason, "the head has too many lines");
}

static void
test_head_memory(void **state)
{
    struct message_head head;

    (void)state;
    pst_arena_fail_at(arena, 1);
    check_err("memory", feed(&head, PST_STR("HTTP/1.1 200 OK\r\nA: b\r\n\r\n")),
              PST_NO_MEMORY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_url, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_may_send, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head_nul, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_walk_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}

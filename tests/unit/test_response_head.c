/* SPDX-License-Identifier: ISC */
/*
 * test_response_head.c - which heads of a response are taken, how the end of
 * the body is found, and whether the connection can be used again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "http/response_head.h"

#define S(literal)                      \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }

/* What a walk over the headers found: "name=value|..." */
struct found {
    char text[256];
    size_t len;
};

static enum pst_err
note(void *context, struct pst_str name, struct pst_str value)
{
    struct found *found = context;

    found->len += (size_t)snprintf(
        found->text + found->len, sizeof(found->text) - found->len,
        "%.*s=%.*s|", (int)name.len, name.ptr, (int)value.len, value.ptr);
    assert_true(found->len < sizeof(found->text));
    return PST_OK;
}

/*
 * Scan what arrives one byte after another, and then parse the head.
 *   at  set to the number of bytes that were read
 */
static enum pst_err
read_head(struct pst_str in, struct response_head *head, size_t *at,
          const char **reason)
{
    struct response_scan scan = {0};
    enum pst_err e = PST_OK;
    size_t len = 0;

    for (*at = 0; !e && len == 0 && *at <= in.len; (*at)++)
        e = response_scan_head(&scan, pst_str_first(in, *at), &len, reason);
    (*at)--;
    if (e || len == 0)
        return e ? e : PST_NOT_FOUND;
    assert_int_equal(len, *at);
    return response_parse_head(pst_str_first(in, len), head, reason);
}

static void
test_taken(void **state)
{
    static const struct {
        const char *name;
        struct pst_str in; /* and the rest is body */
        int status;
        const char *fields;
        enum response_framing framing;
        int64_t length;
        bool keeps_open;
    } rows[] = {
        {"length", S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), 200,
         "Content-Length=5|", RESPONSE_LENGTH, 5, true},
        {"length 0", S("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 200,
         "Content-Length=0|", RESPONSE_LENGTH, 0, true},
        {"largest length",
         S("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n"),
         200, "Content-Length=9223372036854775807|", RESPONSE_LENGTH, INT64_MAX,
         true},
        {"one length twice",
         S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length:5\r\n\r\n"),
         200, "Content-Length=5|content-length=5|", RESPONSE_LENGTH, 5, true},
        {"chunked", S("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n"),
         200, "transfer-encoding=Chunked|", RESPONSE_CHUNKED, 0, true},
        {"chunked and a length",
         S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n"
           "Transfer-Encoding: chunked\r\n\r\n"),
         200, "A=b|Transfer-Encoding=chunked|", RESPONSE_CHUNKED, 5, false},
        {"neither", S("HTTP/1.1 200 OK\r\n\r\n"), 200, "", RESPONSE_UNTIL_CLOSE,
         0, false},
        {"204", S("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n"), 204,
         "Content-Length=5|", RESPONSE_NO_BODY, 5, true},
        {"304", S("HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n"), 304,
         "Transfer-Encoding=chunked|", RESPONSE_NO_BODY, 0, true},
        {"interim", S("HTTP/1.1 103 Early\r\nLink: a\r\n\r\n"), 103, "Link=a|",
         RESPONSE_NO_BODY, 0, true},
        {"close",
         S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
           "Connection: a, Close\r\n\r\n"),
         200, "Content-Length=5|Connection=a, Close|", RESPONSE_LENGTH, 5,
         false},
        {"keep-alive",
         S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
           "Connection: keep-alive\r\n\r\n"),
         200, "Content-Length=5|Connection=keep-alive|", RESPONSE_LENGTH, 5,
         true},
        {"HTTP/1.0",
         S("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n"
           "Connection: keep-alive\r\n\r\n"),
         200, "Content-Length=5|Connection=keep-alive|", RESPONSE_LENGTH, 5,
         false},
        {"no reason", S("HTTP/1.1 599\r\nA: 1 \t\r\nA:\r\n\r\n"), 599,
         "A=1|A=|", RESPONSE_UNTIL_CLOSE, 0, false},
        {"empty reason", S("HTTP/1.1 404 \r\n\r\n"), 404, "",
         RESPONSE_UNTIL_CLOSE, 0, false},
        {"high bytes", S("HTTP/1.1 200 \xe9\r\nA: \xe9\tb\r\n\r\n"), 200,
         "A=\xe9\tb|", RESPONSE_UNTIL_CLOSE, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct found found = {.len = 0};
        struct response_head head;
        const char *reason = "";
        size_t at;
        enum pst_err e = read_head(rows[i].in, &head, &at, &reason);

        if (e)
            fail_msg("%s: %s", rows[i].name, reason);
        assert_int_equal(response_walk_head(&head, note, &found), PST_OK);
        if (head.status != rows[i].status ||
            strcmp(found.text, rows[i].fields) != 0 ||
            head.framing != rows[i].framing || head.length != rows[i].length ||
            head.keeps_open != rows[i].keeps_open)
            fail_msg("%s: %d '%s' %d %d", rows[i].name, head.status, found.text,
                     head.framing, head.keeps_open);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *name;
        struct pst_str in;
        size_t at; /* how many bytes are enough to refuse it */
        const char *reason;
    } rows[] = {
        {"TLS", S("\x15\x03\x01"), 1, "not of HTTP/1"},
        {"HTTP/2", S("HTTP/2 200\r\n\r\n"), 6, "not of HTTP/1"},
        {"other case", S("http/1.1 200\r\n\r\n"), 1, "not of HTTP/1"},
        {"blank before", S(" HTTP/1.1 200\r\n\r\n"), 1, "not of HTTP/1"},
        {"empty line before", S("\r\nHTTP/1.1 200\r\n\r\n"), 1,
         "not of HTTP/1"},
        {"version 1.2", S("HTTP/1.2 200 OK\r\n\r\n"), 17, "HTTP/1.0 or"},
        {"version 1.10", S("HTTP/1.10 200 OK\r\n\r\n"), 18, "status line"},
        {"no status", S("HTTP/1.1\r\n\r\n"), 10, "status line"},
        {"status 099", S("HTTP/1.1 099 a\r\n\r\n"), 16, "status line"},
        {"status 600", S("HTTP/1.1 600 a\r\n\r\n"), 16, "status line"},
        {"status 2000", S("HTTP/1.1 2000 a\r\n\r\n"), 17, "status line"},
        {"two spaces", S("HTTP/1.1  200 a\r\n\r\n"), 17, "status line"},
        {"tab", S("HTTP/1.1\t200 a\r\n\r\n"), 16, "status line"},
        {"status 200OK", S("HTTP/1.1 200OK\r\n\r\n"), 16, "status line"},
        {"NUL in the reason", S("HTTP/1.1 200 a\0\r\n\r\n"), 17, "status line"},
        {"CR in the reason", S("HTTP/1.1 200 a\rb\r\n\r\n"), 18, "status line"},
        {"bare LF", S("HTTP/1.1 200 OK\n\n"), 16, "no CR"},
        {"bare LF in a header", S("HTTP/1.1 200 OK\r\nA: b\n\r\n"), 22,
         "no CR"},
        {"bare LF at the end", S("HTTP/1.1 200 OK\r\nA: b\r\n\n"), 24, "no CR"},
        {"CR in a header", S("HTTP/1.1 200 OK\r\nA: b\rc: d\r\n\r\n"), 30,
         "header line"},
        {"two CR", S("HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n"), 26, "header line"},
        {"folded", S("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"), 29,
         "header line"},
        {"folded by a tab", S("HTTP/1.1 200 OK\r\nA: b\r\n\tc: d\r\n\r\n"), 32,
         "header line"},
        {"blank line", S("HTTP/1.1 200 OK\r\n \r\n\r\n"), 22, "header line"},
        {"no colon", S("HTTP/1.1 200 OK\r\nA\r\n\r\n"), 22, "header line"},
        {"no name", S("HTTP/1.1 200 OK\r\n: b\r\n\r\n"), 24, "header line"},
        {"blank before the colon", S("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"), 26,
         "header line"},
        {"NUL", S("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"), 25, "header line"},
        {"two lengths",
         S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n"
           "\r\n"),
         57, "two values"},
        {"length list", S("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n"),
         41, "not a number"},
        {"signed length", S("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n"),
         39, "not a number"},
        {"hex length", S("HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n"), 40,
         "not a number"},
        {"empty length", S("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n"), 36,
         "not a number"},
        {"length over 63 bits",
         S("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n"),
         56, "not a number"},
        {"bad length of a 204",
         S("HTTP/1.1 204 OK\r\nContent-Length: x\r\n\r\n"), 38, "not a number"},
        {"gzip, chunked",
         S("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 53,
         "Transfer-Encoding"},
        {"identity",
         S("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n"), 48,
         "Transfer-Encoding"},
        {"chunked twice",
         S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
           "Transfer-Encoding: chunked\r\n\r\n"),
         75, "Transfer-Encoding"},
        {"chunked with a parameter",
         S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked;a=b\r\n\r\n"), 51,
         "Transfer-Encoding"},
        {"empty encoding", S("HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n"),
         39, "Transfer-Encoding"},
        {"encoding in HTTP/1.0",
         S("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 47,
         "HTTP/1.0"},
        {"101", S("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), 38,
         "status 101"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct response_head head;
        const char *reason = "";
        size_t at;
        enum pst_err e = read_head(rows[i].in, &head, &at, &reason);

        if (e != PST_UPSTREAM_BROKEN || at != rows[i].at ||
            !strstr(reason, rows[i].reason))
            fail_msg("%s: %s after %zu bytes: '%s'", rows[i].name,
                     pst_err_code(e), at, reason);
    }
}

static void
test_incomplete(void **state)
{
    static const struct {
        struct pst_str in;
        int status; /* that is known */
    } rows[] = {
        {S(""), 0},
        {S("HTT"), 0},
        {S("HTTP/1.1 200 OK"), 0},
        {S("HTTP/1.1 200 OK\r"), 0},
        {S("HTTP/1.1 200 OK\r\n"), 200},
        {S("HTTP/1.1 200 OK\r\nA: b\r\n"), 200},
        {S("HTTP/1.1 100 C\r\nA: b\r\n\r"), 100},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct response_scan scan = {0};
        const char *reason;
        size_t len = 1;

        assert_int_equal(response_scan_head(&scan, rows[i].in, &len, &reason),
                         PST_OK);
        assert_int_equal(len, 0);
        assert_int_equal(scan.status, rows[i].status);
    }
}

static void
test_many_lines(void **state)
{
    static char head[PST_HEADERS_MAX] = "HTTP/1.1 200 OK\r\n";
    const size_t start = strlen(head);

    (void)state;
    for (size_t count = PST_HEADER_COUNT_MAX; count < PST_HEADER_COUNT_MAX + 2;
         count++) {
        struct response_scan scan = {0};
        const char *reason;
        size_t len = 0;
        enum pst_err e;

        for (size_t i = 0; i < count; i++)
            memcpy(head + start + 5 * i, "A:b\r\n", 5);
        memcpy(head + start + 5 * count, "\r\n", 2);
        e = response_scan_head(&scan,
                               (struct pst_str){head, start + 5 * count + 2},
                               &len, &reason);
        assert_int_equal(e, count > PST_HEADER_COUNT_MAX ? PST_UPSTREAM_BROKEN
                                                         : PST_OK);
    }
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
    struct response_head head;
    const char *reason;
    size_t calls = 0;
    size_t at;

    (void)state;
    assert_int_equal(
        read_head(PST_STR("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n"), &head,
                  &at, &reason),
        PST_OK);
    assert_int_equal(response_walk_head(&head, give_up, &calls), PST_TOO_LARGE);
    assert_int_equal(calls, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_incomplete), cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_walk_stops),
    };

    return cmocka_run_group_tests_name("response_head", tests, NULL, NULL);
}

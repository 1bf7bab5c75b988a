/* SPDX-License-Identifier: ISC */
/*
 * test_upload.c - files are streamed into a new multipart body, in reads of any
 * size; malformed bodies are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "gateway/upload.h"

#define NL "\r\n"
#define PART(lines, content) "--xx" NL lines NL content NL
#define FORM "Content-Disposition: form-data; name="
#define OPERATIONS PART(FORM "\"operations\"" NL, "{\"a\":1}")
#define MAP(json) PART(FORM "\"map\"" NL, json)
#define START \
    OPERATIONS MAP("{\"f\":[\"variables.f\"],\"g\":[\"variables.g\"]}")
#define FILE(name, lines, content) \
    PART(FORM "\"" name "\"; filename=\"a.png\"" NL lines, content)
#define END "--xx--" NL

/* The new body; its boundary contains the request's id. */
#define OURS "postern-0102030405060708"
#define OPEN(number, filename, type)                                       \
    NL "--" OURS NL "Content-Disposition: form-data; name=\"" number "\";" \
       " filename=\"" filename "\"" NL "Content-Type: " type NL NL
#define STREAM "application/octet-stream"
#define CLOSE NL "--" OURS "--" NL

static const uint8_t random_octets[REQUEST_RANDOM_LEN] = {1, 2, 3, 4,
                                                          5, 6, 7, 8};

/* A body that is read in pieces of at most `step` bytes. */
struct source {
    struct pst_str body;
    size_t step;
};

static struct pst_arena *arena;
static struct source source;
static struct request req;
static char got[100000];
static size_t got_len;

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

static enum pst_err
source_read(void *context, char *out, size_t size, size_t *len)
{
    struct source *from = context;

    *len = from->body.len < size ? from->body.len : size;
    *len = *len < from->step ? *len : from->step;
    if (*len > 0)
        memcpy(out, from->body.ptr, *len);
    from->body = pst_str_skip(from->body, *len);
    return PST_OK;
}

static void
begin(struct pst_str body, size_t step)
{
    static const char *const variables[] = {
        "REQUEST_METHOD=POST", "CONTENT_TYPE=multipart/form-data; boundary=xx",
        NULL};
    const struct request_input origin = {
        .variables = variables,
        .source = {source_read, &source, -1},
        .max_body = 50000,
    };

    source = (struct source){body, step};
    assert_int_equal(request_init(&req, arena, &origin, random_octets), PST_OK);
}

/* Read the whole new body, `size` bytes at a time, into got. */
static enum pst_err
drain(struct upload *upload, size_t size, const char **reason)
{
    size_t len;

    got_len = 0;
    do {
        enum pst_err e = upload_read(&req, upload, got + got_len, size, &len);

        if (e) {
            *reason = upload->reason;
            return e;
        }
        got_len += len;
        assert_true(got_len + size < sizeof(got));
    } while (len > 0);
    return PST_OK;
}

static enum pst_err
pass(struct pst_str body, size_t step, size_t size, const char **reason)
{
    struct upload *upload;
    enum pst_err e;

    *reason = "";
    got_len = 0;
    begin(body, step);
    e = upload_open(&req, 1000, &upload, reason);
    if (!e) {
        assert_true(pst_str_equal(upload->operations, PST_STR("{\"a\":1}")));
        e = upload_map_parse(arena, upload->map_json, &upload->map, reason);
    }
    if (!e) {
        for (size_t i = 0; i < upload->map.file_count; i++)
            upload->map.files[i].is_forwarded =
                !pst_str_equal(upload->map.files[i].key, PST_STR("drop"));
        upload_begin(upload, PST_STR("HEAD"));
        e = drain(upload, size, reason);
    }
    assert_int_equal(e == PST_OK, *reason[0] == '\0');
    return e;
}

static const struct row {
    const char *name;
    struct pst_str body;
    const char *want; /* NULL: refused */
} rows[] = {
#define ROW(name, body, want)                \
    {                                        \
        name, {body, sizeof(body) - 1}, want \
    }
    ROW("no files, no map", OPERATIONS END, "HEAD" CLOSE),
    ROW("no files", OPERATIONS MAP("{}") END, "HEAD" CLOSE),
    ROW("files that do not come", START END, "HEAD" CLOSE),
    ROW("one file", START FILE("f", "", "abc") END,
        "HEAD" OPEN("0", "a.png", STREAM) "abc" CLOSE),
    ROW("an empty file", START FILE("g", "", "") END,
        "HEAD" OPEN("1", "a.png", STREAM) CLOSE),
    ROW("two, in another order",
        START FILE("g", "Content-Type: image/png" NL, "\r\n--x\r\r\n-")
            FILE("f", "Content-Length: 7" NL, "--x") "--xx--",
        "HEAD" OPEN("1", "a.png", "image/png") "\r\n--x\r\r\n-" OPEN(
            "0", "a.png", STREAM) "--x" CLOSE),
    ROW("something behind the end", START FILE("f", "", "a") END "bye\r\n--x",
        "HEAD" OPEN("0", "a.png", STREAM) "a" CLOSE),
    ROW("one that is dropped",
        OPERATIONS MAP("{\"drop\":[\"a\"],\"f\":[\"b\"]}")
            FILE("drop", "", "abc") FILE("f", "", "d") END,
        "HEAD" OPEN("1", "a.png", STREAM) "d" CLOSE),

    /* Content-Type and Content-Transfer-Encoding. */
    ROW("a type with a parameter",
        START FILE("f", "Content-Type: video/webm;codecs=\"vp8,opus\"" NL, "")
            END,
        "HEAD" OPEN("0", "a.png", "video/webm;codecs=\"vp8,opus\"") CLOSE),
    ROW("a type that is none", START FILE("f", "Content-Type: png" NL, "") END,
        "HEAD" OPEN("0", "a.png", STREAM) CLOSE),
    ROW("an empty type", START FILE("f", "Content-Type:" NL, "") END,
        "HEAD" OPEN("0", "a.png", STREAM) CLOSE),
    ROW("binary",
        START FILE("f", "Content-Transfer-Encoding: binary" NL, "") END,
        "HEAD" OPEN("0", "a.png", STREAM) CLOSE),
    ROW("base64",
        START FILE("f", "Content-Transfer-Encoding: base64" NL, "") END, NULL),
    ROW("parts in a part",
        START FILE("f", "Content-Type: multipart/mixed; boundary=y" NL, "") END,
        NULL),

    /* Names. */
    ROW("a name without quotes",
        START PART(FORM "f; filename=b.png" NL, "") END,
        "HEAD" OPEN("0", "b.png", STREAM) CLOSE),
    ROW("in UTF-8, and escaped",
        START PART(FORM "f; filename=\"\xC3\xA4;%22(1)'.png\"" NL, "") END,
        "HEAD" OPEN("0", "\xC3\xA4;%22(1)'.png", STREAM) CLOSE),
    ROW("in latin-1", START PART(FORM "f; filename=\"\xE4.png\"" NL, "") END,
        NULL),
    ROW("in RFC 8187's spelling",
        START PART(FORM "f; filename=a.png; filename*=UTF-8''%C3%A4%22b.png" NL,
                   "") END,
        "HEAD" OPEN("0",
                    "\xC3\xA4%22"
                    "b.png",
                    STREAM) CLOSE),
    ROW("of a language",
        START PART(FORM "f; filename=a; filename*=utf-8'de'b" NL, "") END,
        "HEAD" OPEN("0", "b", STREAM) CLOSE),
    ROW("of another charset",
        START PART(FORM "f; filename=a; filename*=iso-8859-1''%E4" NL, "") END,
        "HEAD" OPEN("0", "a", STREAM) CLOSE),
    ROW("no UTF-8 in it",
        START PART(FORM "f; filename=a; filename*=utf-8''%E4" NL, "") END,
        "HEAD" OPEN("0", "a", STREAM) CLOSE),
    ROW("a line's end in it",
        START PART(FORM "f; filename=a; filename*=utf-8''b%0D%0Ac" NL, "") END,
        "HEAD" OPEN("0", "a", STREAM) CLOSE),
    ROW("a backslash in it",
        START PART(FORM "f; filename=a; filename*=utf-8''b%5C%22" NL, "") END,
        "HEAD" OPEN("0", "a", STREAM) CLOSE),
    ROW("what may name the part",
        START PART(FORM "f; filename=a; filename*=utf-8''name%3Dmap" NL, "")
            END,
        "HEAD" OPEN("0", "a", STREAM) CLOSE),
    ROW("in half of the spelling",
        START PART(FORM "f; filename=a; filename*=utf-8'b" NL, "") END,
        "HEAD" OPEN("0", "a", STREAM) CLOSE),

    /* Files that are not in the map, or sent twice. */
    ROW("a file that is not in it", START FILE("h", "", "abc") END, NULL),
    ROW("in capitals", START FILE("F", "", "abc") END, NULL),
    ROW("twice", START FILE("f", "", "a") FILE("f", "", "b") END, NULL),
    ROW("a file without a map", OPERATIONS FILE("f", "", "a") END, NULL),
    ROW("a map that is a file",
        OPERATIONS PART(FORM "\"map\"; filename=\"m\"" NL, "{}") END, NULL),
    ROW("a file before the map",
        OPERATIONS FILE("f", "", "a") MAP("{\"f\":[\"x\"]}") END, NULL),
    ROW("a second map", START MAP("{}") END, NULL),
    ROW("another map behind a file",
        START FILE("f", "", "a") MAP("{\"f\":[\"y\"]}") END, NULL),
    ROW("a second operations", START OPERATIONS END, NULL),
    ROW("as a file", START FILE("operations", "", "{}") END, NULL),
    ROW("a text", START PART(FORM "\"f\"" NL, "x") END, NULL),
    ROW("a map first", MAP("{}") OPERATIONS END, NULL),

    /* The end of the body. */
    ROW("nothing", "", NULL),
    ROW("no part", END, NULL),
    ROW("no end", START FILE("f", "", "abc"), NULL),
    ROW("no end of operations", "--xx" NL FORM "\"operations\"" NL NL "{}",
        NULL),
    ROW("no end of the map", OPERATIONS "--xx" NL FORM "\"map\"" NL NL "{}",
        NULL),
    ROW("half an end", START FILE("f", "", "abc") "--xx-", NULL),
    ROW("a part behind the end",
        START FILE("f", "", "a") END FILE("g", "", "b") END, NULL),
    ROW("a delimiter in a line", START FILE("f", "", "a--xx") END, NULL),

    /* Our own boundary. */
    ROW("ours in a file", START FILE("f", "", "a--" OURS "b") END, NULL),
    ROW("in a file's name",
        START PART(FORM "f; filename=\"--" OURS "\"" NL, "") END, NULL),
    ROW("in a type", START FILE("f", "Content-Type: a/" OURS NL, "") END, NULL),
    ROW("half of it in each of two files",
        START FILE("f", "", "--postern-01020304") FILE("g", "", "05060708") END,
        "HEAD" OPEN("0", "a.png", STREAM) "--postern-01020304" OPEN(
            "1", "a.png", STREAM) "05060708" CLOSE),
    ROW("in what is dropped",
        OPERATIONS MAP("{\"drop\":[\"a\"]}") FILE("drop", "", "--" OURS) END,
        "HEAD" CLOSE),
#undef ROW
};

static void
check_row(const struct row *row, size_t step, size_t size)
{
    const char *reason;
    enum pst_err e = pass(row->body, step, size, &reason);

    if ((e == PST_OK) != (row->want != NULL))
        fail_msg("%s, %zu and %zu at a time: %s: %s", row->name, step, size,
                 pst_err_code(e), reason);
    if (!e &&
        !pst_str_equal((struct pst_str){got, got_len}, pst_str_from(row->want)))
        fail_msg("%s, %zu and %zu at a time:\n%.*s", row->name, step, size,
                 (int)got_len, got);
    pst_arena_reset(arena);
}

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        for (size_t step = 1; step <= rows[i].body.len + 1; step++) {
            check_row(&rows[i], step, 4096);
            check_row(&rows[i], step, step);
        }
        check_row(&rows[i], 4096, 1);
    }
}

/* A body truncated at any byte is refused, and the new body is never complete.
 */
static void
test_cut(void **state)
{
    const struct pst_str whole =
        PST_STR(START FILE("f", "", "a\r\n--xb") "--xx--");
    const char *reason;

    (void)state;
    for (size_t len = 0; len < whole.len; len++) {
        enum pst_err e = pass(pst_str_first(whole, len), 4096, 4096, &reason);

        assert_int_equal(e, PST_MALFORMED);
        assert_null(memmem(got, got_len, OURS "--", sizeof(OURS "--") - 1));
        pst_arena_reset(arena);
    }
    assert_int_equal(pass(whole, 4096, 4096, &reason), PST_OK);
}

/* The limit counts "operations" and "map", not files. */
static void
test_limits(void **state)
{
    static char body[60000];
    const char *reason;
    size_t len;

    (void)state;
    len = (size_t)snprintf(body, sizeof(body),
                           "%s--xx" NL FORM "f; filename=a" NL NL, START);
    memset(body + len, '-', 40000);
    memcpy(body + len + 40000, NL END, sizeof(NL END));
    assert_int_equal(
        pass((struct pst_str){body, len + 40000 + sizeof(NL END) - 1}, 70000,
             1000, &reason),
        PST_OK);
    assert_in_range(got_len, 40000, 41000);
    memset(body + len, '-', 50000);
    pst_arena_reset(arena);
    assert_int_equal(
        pass((struct pst_str){body, len + 50000}, 70000, 1000, &reason),
        PST_TOO_LARGE);
    assert_string_equal(reason, "the request is larger than POSTERN_MAX_BODY");

    for (size_t more = 0; more < 2; more++) {
        /* 7 bytes of "operations", and 993 or 994 of "map". */
        len = (size_t)snprintf(body, sizeof(body), "%s--xx" NL FORM "map" NL NL,
                               OPERATIONS);
        memset(body + len, ' ', 993 + more);
        memcpy(body + len, "{}", 2);
        memcpy(body + len + 993 + more, NL END, sizeof(NL END));
        pst_arena_reset(arena);
        assert_int_equal(pass(pst_str_from(body), 70000, 1000, &reason),
                         more ? PST_TOO_LARGE : PST_OK);
    }
    assert_string_equal(
        reason, "\"operations\" and \"map\" are larger than POSTERN_MAX_JSON");
}

static void
test_no_memory(void **state)
{
    const struct pst_str body = PST_STR(START FILE("f", "", "abc") END);
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY; n++) {
        struct upload *upload;
        const char *reason = "";

        pst_arena_reset(arena);
        begin(body, 10);
        pst_arena_fail_at(arena, n);
        e = upload_open(&req, 1000, &upload, &reason);
        if (e)
            assert_string_equal(reason, pst_err_text(PST_NO_MEMORY));
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 6, 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("upload", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_gunzip.c - one gzip member is decoded; what another program could read
 * differently is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/limits.h"
#include "codec/gunzip.h"

/* A member that contains "{}", in three parts. */
#define HEAD "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
#define DATA "\xab\xae\x05\x00"
#define CHECK "\x43\xbf\xa6\xa3\x02\x00\x00\x00"
#define MEMBER HEAD DATA CHECK

static struct pst_arena *arena;

static int
setup(void **state)
{
    (void)state;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static void
test_rows(void **state)
{
    static const struct {
        const char *name;
        struct pst_str body;
        enum pst_err e;
        size_t max;
        const char *want;
    } rows[] = {
#define ROW(name, body, e, max, want) \
    {name, {body, sizeof(body) - 1}, e, max, want}
        ROW("a member", MEMBER, PST_OK, 100, "{}"),
        ROW("as long as it may be", MEMBER, PST_OK, 2, "{}"),
        ROW("too long", MEMBER, PST_TOO_LARGE, 1, ""),
        ROW("nothing may be in it", MEMBER, PST_TOO_LARGE, 0, ""),
        ROW("of nothing", HEAD "\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            PST_OK, 0, ""),
        ROW("with a name and a checksum of its head",
            "\x1f\x8b\x08\x0a\x00\x00\x00\x00\x00\x03"
            "a\x00\xec\x28" DATA CHECK,
            PST_OK, 100, "{}"),
        ROW("a wrong checksum of its head",
            "\x1f\x8b\x08\x0a\x00\x00\x00\x00\x00\x03"
            "a\x00\xec\x29" DATA CHECK,
            PST_MALFORMED, 100, ""),
        ROW("with more in its head, and a comment",
            "\x1f\x8b\x08\x14\x00\x00\x00\x00\x00\x03\x02\x00xyhello\x00" DATA
                CHECK,
            PST_OK, 100, "{}"),
        ROW("a flag that nobody knows",
            "\x1f\x8b\x08\x20\x00\x00\x00\x00\x00\x03" DATA CHECK,
            PST_MALFORMED, 100, ""),
        ROW("another method",
            "\x1f\x8b\x07\x00\x00\x00\x00\x00\x00\x03" DATA CHECK,
            PST_MALFORMED, 100, ""),
        ROW("two members", MEMBER MEMBER, PST_MALFORMED, 100, ""),
        ROW("a byte behind it", MEMBER "x", PST_MALFORMED, 100, ""),
        ROW("a NUL behind it", MEMBER "\0", PST_MALFORMED, 100, ""),
        ROW("a line end behind it", MEMBER "\n", PST_MALFORMED, 100, ""),
        ROW("before it", "\n" MEMBER, PST_MALFORMED, 100, ""),
        ROW("nothing", "", PST_MALFORMED, 100, ""),
        ROW("plain", "{\"query\":\"{a}\"}", PST_MALFORMED, 100, ""),
        ROW("zlib's frame", "\x78\x9c\xab\xae\x05\x00\x01\x75\x00\xf9",
            PST_MALFORMED, 100, ""),
        ROW("no frame", DATA, PST_MALFORMED, 100, ""),
        ROW("a wrong checksum", HEAD DATA "\x44\xbf\xa6\xa3\x02\x00\x00\x00",
            PST_MALFORMED, 100, ""),
        ROW("a wrong length", HEAD DATA "\x43\xbf\xa6\xa3\x03\x00\x00\x00",
            PST_MALFORMED, 100, ""),
#undef ROW
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str out = PST_STR("untouched");
        enum pst_err e = gunzip_body(arena, rows[i].body, rows[i].max, &out);

        if (e != rows[i].e)
            fail_msg("%s: %s", rows[i].name, pst_err_code(e));
        if (!pst_str_equal(out, e ? PST_STR("untouched")
                                  : pst_str_from(rows[i].want)))
            fail_msg("%s: %.*s", rows[i].name, (int)out.len, out.ptr);
        pst_arena_reset(arena);
    }
}

/* A member that is cut anywhere is refused. */
static void
test_truncated(void **state)
{
    static const char whole[] = MEMBER;

    (void)state;
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        struct pst_str out;

        assert_int_equal(
            gunzip_body(arena, (struct pst_str){whole, len}, 100, &out),
            PST_MALFORMED);
        pst_arena_reset(arena);
    }
}

/* Endless zeros, as zlib packs them: a gibibyte in one mebibyte. */
static void
test_bomb(void **state)
{
    static uint8_t bomb[PST_BUFFERED_BODY_MAX];
    static uint8_t zeros[1 << 20];
    z_stream stream = {.next_in = zeros};
    struct pst_str out;
    size_t block;
    size_t len;

    (void)state;
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, 0), Z_OK);
    stream.next_out = bomb;
    stream.avail_out = sizeof(bomb);
    for (size_t i = 0; i < 16; i++) {
        stream.next_in = zeros;
        stream.avail_in = sizeof(zeros);
        assert_int_equal(deflate(&stream, i < 15 ? Z_NO_FLUSH : Z_FULL_FLUSH),
                         Z_OK);
    }
    len = sizeof(bomb) - stream.avail_out;
    assert_int_equal(deflateEnd(&stream), Z_DATA_ERROR); /* it has no end */
    /* After a full flush, the same bytes can be repeated. */
    block = len - 10;
    for (size_t i = 1; i < 64; i++, len += block)
        memcpy(bomb + len, bomb + 10, block);
    assert_true(len < sizeof(bomb));
    assert_int_equal(gunzip_body(arena, (struct pst_str){(char *)bomb, len},
                                 PST_BUFFERED_BODY_MAX, &out),
                     PST_TOO_LARGE);
    pst_arena_reset(arena);
    /* The limit of the caller stops it. */
    assert_int_equal(gunzip_body(arena, (struct pst_str){(char *)bomb, len},
                                 64 * PST_BUFFERED_BODY_MAX, &out),
                     PST_TOO_LARGE);
    pst_arena_reset(arena);
}

/* A body of several pieces is complete, up to exactly the limit. */
static void
test_long(void **state)
{
    static uint8_t plain[PST_BUFFERED_BODY_MAX + 1];
    static uint8_t packed[PST_BUFFERED_BODY_MAX];
    static const struct {
        size_t len;
        enum pst_err e;
    } rows[] = {
        {16383, PST_OK},
        {16384, PST_OK},
        {16385, PST_OK},
        {PST_BUFFERED_BODY_MAX - 1, PST_OK},
        {PST_BUFFERED_BODY_MAX, PST_OK},
        {PST_BUFFERED_BODY_MAX + 1, PST_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)(i * i >> 8);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        z_stream stream = {.next_in = plain, .avail_in = (uInt)rows[i].len};
        struct pst_str body = {(char *)packed, 0};
        struct pst_str out;

        stream.next_out = packed;
        stream.avail_out = sizeof(packed);
        assert_int_equal(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 9, 0),
                         Z_OK);
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        body.len = stream.total_out;
        assert_int_equal(deflateEnd(&stream), Z_OK);
        assert_int_equal(gunzip_body(arena, body, PST_BUFFERED_BODY_MAX, &out),
                         rows[i].e);
        if (!rows[i].e) {
            assert_int_equal(out.len, rows[i].len);
            assert_memory_equal(out.ptr, plain, out.len);
        }
        pst_arena_reset(arena);
    }
}

/* The n-th allocation fails, for every n. */
static void
test_no_memory(void **state)
{
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY && n < 100; n++) {
        struct pst_str out;

        pst_arena_fail_at(arena, n);
        e = gunzip_body(arena, (struct pst_str){MEMBER, sizeof(MEMBER) - 1},
                        100, &out);
        pst_arena_reset(arena);
    }
    assert_int_equal(e, PST_OK);
    assert_true(n > 4); /* two of zlib's, and those of the buffer */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_bomb),      cmocka_unit_test(test_long),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("gunzip", tests, setup, teardown);
}

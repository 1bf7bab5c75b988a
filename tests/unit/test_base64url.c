/* SPDX-License-Identifier: ISC */
/*
 * test_base64url.c - base64url decoding is strict: each value has one spelling.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "codec/base64url.h"

static int
set_up(void **state)
{
    struct pst_arena *arena = NULL;

    if (pst_arena_new(&arena, 64 * 1024) != PST_OK)
        return -1;
    *state = arena;
    return 0;
}

static int
tear_down(void **state)
{
    struct pst_arena *arena = *state;

    pst_arena_free(&arena);
    return 0;
}

static void
check_both_ways(struct pst_arena *arena, const char *row, struct pst_str plain,
                const char *coded)
{
    char storage[64];
    struct pst_buf buf;
    struct pst_str got;
    struct pst_bytes bytes;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_base64url_encode(&buf, pst_str_bytes(plain));
    if (pst_buf_finish(&buf, &got) != PST_OK ||
        !pst_str_equal(got, pst_str_from(coded)) ||
        got.len != pst_base64url_length(plain.len))
        fail_msg("row '%s': encoded as '%.*s'", row, (int)got.len, got.ptr);
    if (pst_base64url_decode(arena, got, &bytes) != PST_OK ||
        !pst_str_equal(pst_str_from_bytes(bytes), plain))
        fail_msg("row '%s': does not decode to what it was", row);
}

static void
test_rfc_vectors(void **state)
{
    static const struct {
        const char *name;
        struct pst_str plain;
        const char *coded;
    } rows[] = {
        /* RFC 4648 section 10, without the padding. */
        {"4648/10 nothing", {"", 0}, ""},
        {"4648/10 f", {"f", 1}, "Zg"},
        {"4648/10 fo", {"fo", 2}, "Zm8"},
        {"4648/10 foo", {"foo", 3}, "Zm9v"},
        {"4648/10 foob", {"foob", 4}, "Zm9vYg"},
        {"4648/10 fooba", {"fooba", 5}, "Zm9vYmE"},
        {"4648/10 foobar", {"foobar", 6}, "Zm9vYmFy"},
        {"7515/C", {"\x03\xEC\xFF\xE0\xC1", 5}, "A-z_4ME"},
        {"7515/A.1 header",
         {"{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", 30},
         "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"},
        {"7516/A.1 header",
         {"{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\"}", 34},
         "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ"},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_both_ways(*state, rows[i].name, rows[i].plain, rows[i].coded);
}

static void
test_refused(void **state)
{
    static const struct {
        const char *name;
        struct pst_str in;
    } rows[] = {
        {"one character", {"A", 1}},
        {"five characters", {"AAAAA", 5}},
        {"padded, two", {"Zg==", 4}},
        {"padded, one", {"Zm8=", 4}},
        {"padding alone", {"====", 4}},
        {"plus", {"A+z_", 4}},
        {"slash", {"A-z/", 4}},
        {"space before", {" Zm9v", 5}},
        {"space after", {"Zm9v ", 5}},
        {"newline inside", {"Zm9v\nYmFy", 9}},
        {"NUL after", {"Zm9v\0AA", 7}},
        {"high byte", {"Zm9\xFF", 4}},
        {"dot", {"Zm.v", 4}},
        {"left-over bits, two", {"Zh", 2}},
        {"left-over bits, three", {"Zm9", 3}},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_bytes out = {(const uint8_t *)"untouched", 9};
        enum pst_err e = pst_base64url_decode(*state, rows[i].in, &out);

        if (e != PST_MALFORMED || out.len != 9)
            fail_msg("row '%s': %s", rows[i].name, pst_err_code(e));
    }
}

/* How many of the 256 bytes may be the last one in a text of this length? */
static size_t
count_last(struct pst_arena *arena, size_t len)
{
    char text[] = "AAAA";
    struct pst_bytes out;
    size_t count = 0;

    for (int byte = 0; byte < 256; byte++) {
        text[len - 1] = (char)byte;
        if (pst_base64url_decode(arena, (struct pst_str){text, len}, &out) ==
            PST_OK)
            count++;
        pst_arena_reset(arena);
    }
    return count;
}

static void
test_one_spelling(void **state)
{
    assert_int_equal(count_last(*state, 1), 0);
    assert_int_equal(count_last(*state, 2), 4);
    assert_int_equal(count_last(*state, 3), 16);
    assert_int_equal(count_last(*state, 4), 64);
}

static void
test_every_byte_returns(void **state)
{
    uint8_t bytes[256 + 3];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        struct pst_bytes in = {bytes, len};
        struct pst_bytes out;
        struct pst_str coded;
        struct pst_buf buf;

        pst_buf_init_arena(&buf, *state, 400);
        pst_base64url_encode(&buf, in);
        assert_int_equal(pst_buf_finish(&buf, &coded), PST_OK);
        assert_int_equal(coded.len, pst_base64url_length(len));
        assert_int_equal(pst_base64url_decode(*state, coded, &out), PST_OK);
        if (!pst_str_equal(pst_str_from_bytes(in), pst_str_from_bytes(out)))
            fail_msg("length %zu", len);
        pst_arena_reset(*state);
    }
}

static void
test_no_room(void **state)
{
    char storage[3];
    struct pst_bytes out;
    struct pst_str got;
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_base64url_encode(&buf, pst_str_bytes(PST_STR("foo")));
    assert_int_equal(pst_buf_finish(&buf, &got), PST_TOO_LARGE);
    pst_arena_fail_at(*state, 1);
    assert_int_equal(pst_base64url_decode(*state, PST_STR("Zm9v"), &out),
                     PST_NO_MEMORY);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_rfc_vectors),  TEST(test_refused),
        TEST(test_one_spelling), TEST(test_every_byte_returns),
        TEST(test_no_room),
    };

    return cmocka_run_group_tests_name("base64url", tests, NULL, NULL);
}

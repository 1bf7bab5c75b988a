/* SPDX-License-Identifier: ISC */
/*
 * test_percent.c - percent-decoding, and percent-encoding for queries.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "codec/percent.h"

static const struct {
    const char *name;
    struct pst_str in;
    struct pst_str want;
    struct pst_str want_plus;
} decoded[] = {
    {"empty", {"", 0}, {"", 0}, {"", 0}},
    {"absent", {NULL, 0}, {"", 0}, {"", 0}},
    {"plain", {"a-b", 3}, {"a-b", 3}, {"a-b", 3}},
    {"either case", {"%2f%2F%c3%BC", 12}, {"//\xC3\xBC", 4}, {"//\xC3\xBC", 4}},
    {"once only", {"%252e", 5}, {"%2e", 3}, {"%2e", 3}},
    {"plus", {"a+b%2B", 6}, {"a+b+", 4}, {"a b+", 4}},
    {"NUL", {"%00", 3}, {"\0", 1}, {"\0", 1}},
    {"lone percent", {"%", 1}, {"%", 1}, {"%", 1}},
    {"one digit", {"%4", 2}, {"%4", 2}, {"%4", 2}},
    {"no digits", {"%zz", 3}, {"%zz", 3}, {"%zz", 3}},
    {"second no digit", {"%4g", 3}, {"%4g", 3}, {"%4g", 3}},
    {"a sign is not a digit", {"%-1", 3}, {"%-1", 3}, {"%-1", 3}},
    {"percent before good", {"%%41", 4}, {"%A", 2}, {"%A", 2}},
    {"bad, then good", {"%4%41", 5}, {"%4A", 3}, {"%4A", 3}},
    {"plus in a bad one", {"%+1", 3}, {"%+1", 3}, {"% 1", 3}},
    {"cut by the length", {"%41", 2}, {"%4", 2}, {"%4", 2}},
};

static void
test_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(decoded); i++) {
        for (int plus = 0; plus < 2; plus++) {
            char storage[32];
            struct pst_str got;
            struct pst_buf buf;

            pst_buf_init(&buf, storage, sizeof(storage));
            pst_percent_decode(&buf, decoded[i].in, plus);
            assert_int_equal(pst_buf_finish(&buf, &got), PST_OK);
            if (!pst_str_equal(got,
                               plus ? decoded[i].want_plus : decoded[i].want))
                fail_msg("row '%s', plus %d: '%.*s'", decoded[i].name, plus,
                         (int)got.len, got.ptr);
        }
    }
}

/* RFC 3986 2.3: 66 bytes are not encoded, 190 are. */
static void
test_encode_every_byte(void **state)
{
    size_t themselves = 0;

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        char storage[8];
        char back[8];
        char want[4];
        struct pst_str got;
        struct pst_buf buf;

        pst_buf_init(&buf, storage, sizeof(storage));
        pst_percent_encode(&buf, (struct pst_str){&c, 1});
        assert_int_equal(pst_buf_finish(&buf, &got), PST_OK);
        if (got.len == 1) {
            themselves++;
            assert_int_equal(got.ptr[0], c);
            assert_true(pst_is_alpha(c) || pst_is_digit(c) ||
                        pst_str_index(PST_STR("-._~"), c) < 4);
            continue;
        }
        assert_int_equal(snprintf(want, sizeof(want), "%%%02X", byte), 3);
        if (!pst_str_equal(got, pst_str_from(want)))
            fail_msg("byte 0x%02X", (unsigned)byte);
        pst_buf_init(&buf, back, sizeof(back));
        pst_percent_decode(&buf, got, true);
        assert_true(pst_str_equal(pst_buf_str(&buf), (struct pst_str){&c, 1}));
    }
    assert_int_equal(themselves, 66);
}

static void
test_encode(void **state)
{
    char storage[64];
    struct pst_str got;
    struct pst_buf buf;

    (void)state;
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_percent_encode(&buf, PST_STR("/a b?x=1&y=\xC3\xBC+%~"));
    assert_int_equal(pst_buf_finish(&buf, &got), PST_OK);
    assert_true(
        pst_str_equal(got, PST_STR("%2Fa%20b%3Fx%3D1%26y%3D%C3%BC%2B%25~")));
}

static void
test_no_room(void **state)
{
    char storage[2];
    struct pst_str got;
    struct pst_buf buf;

    (void)state;
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_percent_encode(&buf, PST_STR("/"));
    assert_int_equal(pst_buf_finish(&buf, &got), PST_TOO_LARGE);
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_percent_decode(&buf, PST_STR("%41%42%43"), false);
    assert_int_equal(pst_buf_finish(&buf, &got), PST_TOO_LARGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_encode_every_byte),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests_name("percent", tests, NULL, NULL);
}

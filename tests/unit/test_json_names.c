/* SPDX-License-Identifier: ISC */
/*
 * test_json_names.c - names of open objects, and which of them are equal. Large
 * objects and time are tests of test_json_check.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "codec/json_names.h"

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

/* Add what is between quotes in a text. */
static enum pst_err
add_names(struct pst_json_names *names, struct pst_str text)
{
    struct pst_str rest = text;
    struct pst_str piece;
    enum pst_err e = PST_OK;

    for (size_t i = 0; !e && pst_str_split(&rest, '"', &piece); i++) {
        if (i % 2 == 1)
            e = pst_json_names_add(names, piece);
    }
    return e;
}

static void
test_rows(void **state)
{
    static const struct {
        const char *text;
        bool is_equal;
        size_t at;
    } rows[] = {
        {"", false, 0},
        {"\"a\"", false, 0},
        {"\"a\"\"b\"", false, 0},
        {"\"a\"\"a\"", true, 4},
        {"\"\"\"\"", true, 3},
        {"\"a\"\"ab\"\"\"", false, 0},
        {"\"a\"\"A\"", false, 0},
        {"\"ab\"\"\\u0061b\"", true, 5},
        {"\"a\\u0062\"\"\\u0061b\"", true, 10},
        {"\"a\\u0062\"\"\\u0061c\"", false, 0},
        {"\"/\"\"\\/\"", true, 4},
        {"\"b\"\"a\"\"c\"\"a\"", true, 10},
        {"\"Aa\"\"BB\"", false, 0}, /* equal quick hashes */
        {"\"0123456789abcde\\u0066\"\"0123456789abcdef\"", true, 24},
        {"\"0123456789abcdef\"\"0123456789abcde\\u0066\"", true, 19},
        {"\"0123456789abcdefg\"\"0123456789abcdef\\u0067\"", true, 20},
        {"\"0123456789abcdefg\"\"0123456789abcdef\\u0068\"", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str text = pst_str_from(rows[i].text);
        struct pst_json_names names;
        size_t at = 0;

        pst_json_names_init(&names, arena, text);
        assert_int_equal(add_names(&names, text), PST_OK);
        if (pst_json_names_close(&names, 0, &at) != rows[i].is_equal ||
            at != rows[i].at)
            fail_msg("%s: %zu", rows[i].text, at);
        assert_int_equal(names.count, 0);
    }
}

/* The same name in an outer and in an inner object is not the same member. */
static void
test_nested(void **state)
{
    const struct pst_str text = PST_STR("\"a\"\"b\"\"a\"\"b\"\"a\"");
    struct pst_json_names names;
    size_t at = 0;

    (void)state;
    pst_json_names_init(&names, arena, text);
    assert_int_equal(add_names(&names, pst_str_first(text, 6)), PST_OK);
    assert_int_equal(add_names(&names, pst_str_first(pst_str_skip(text, 6), 6)),
                     PST_OK);
    assert_false(pst_json_names_close(&names, 2, &at));
    assert_int_equal(names.count, 2);
    assert_int_equal(add_names(&names, pst_str_skip(text, 12)), PST_OK);
    assert_true(pst_json_names_close(&names, 0, &at));
    assert_int_equal(at, 13);
}

/* More names than fit without memory; and no memory. */
static void
test_grow(void **state)
{
    static char storage[20 * 3 * PST_JSON_NAMES_INLINE];
    enum pst_err e = PST_NO_MEMORY;
    struct pst_str text = {storage, 0};
    size_t n;

    (void)state;
    for (size_t i = 0; i < (size_t)3 * PST_JSON_NAMES_INLINE; i++)
        text.len += (size_t)snprintf(storage + text.len, 20, "\"%zu\":0,", i);
    for (n = 1; e == PST_NO_MEMORY && n < 100; n++) {
        struct pst_json_names names;
        size_t at = 0;

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        pst_json_names_init(&names, arena, text);
        e = add_names(&names, text);
        if (e)
            continue;
        assert_int_equal(names.count, 3 * PST_JSON_NAMES_INLINE);
        assert_int_equal(add_names(&names, pst_str_skip(text, text.len - 7)),
                         PST_OK);
        assert_true(pst_json_names_close(&names, 0, &at));
        assert_int_equal(at, text.len - 6);
    }
    assert_int_equal(e, PST_OK);
    assert_true(n > 2);
}

/* A name is equal to one that was there when there were few. */
static void
test_equal_after_growth(void **state)
{
    static char storage[20 * 2 * PST_JSON_NAMES_INLINE];
    struct pst_str text = {storage, 0};
    struct pst_json_names names;
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < (size_t)2 * PST_JSON_NAMES_INLINE; i++)
        text.len += (size_t)snprintf(storage + text.len, 20, "\"x%zu\":0,", i);
    text.len += (size_t)snprintf(storage + text.len, 20, "\"\\u00785\":0");
    pst_json_names_init(&names, arena, text);
    assert_int_equal(add_names(&names, text), PST_OK);
    assert_true(pst_json_names_close(&names, 0, &at));
    assert_int_equal(at, text.len - 10);
}

#define MANY 3000

/* Many names whose hashes are equal, or differ in one byte only. */
static void
test_equal_hashes(void **state)
{
    static char storage[20 * MANY];
    static const uint32_t masks[] = {0,       0xff,       0xff00,
                                     0xff000, 0xff000000, 0x01010101};

    (void)state;
    for (size_t row = 0; row < 2 * PST_COUNT(masks); row++) {
        struct pst_str text = {storage, 0};
        size_t twin = row % 2 == 0 ? MANY : MANY / 3;
        struct pst_json_names names;
        size_t at = 0;

        pst_arena_reset(arena);
        for (size_t i = 0; i < MANY; i++)
            text.len += (size_t)snprintf(
                storage + text.len, 20, "\"%06zu\":0,",
                (i == MANY - 1 && twin < MANY ? twin : i) * 7919 % MANY);
        pst_json_names_init(&names, arena, text);
        assert_int_equal(add_names(&names, text), PST_OK);
        assert_int_equal(names.count, MANY);
        for (size_t i = 0; i < MANY; i++)
            names.names[i].hash &= masks[row / 2];
        if (pst_json_names_close(&names, 0, &at) != (twin < MANY) ||
            at != (twin < MANY ? text.len - 10 : 0))
            fail_msg("row %zu: %zu", row, at);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nested, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_equal_hashes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_grow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_equal_after_growth, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("json_names", tests, NULL, NULL);
}

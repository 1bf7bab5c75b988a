/* SPDX-License-Identifier: ISC */
/*
 * test_buffer.c - a text is complete, or the buffer has an error.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "base/buffer.h"

#define SIZE 4096

enum kind { STORAGE, ARENA, HOLD, KINDS };

static const char *const kind_names[] = {"storage", "arena", "hold"};

static char storage[SIZE];

static int
set_up(void **state)
{
    struct pst_arena *arena = NULL;

    if (pst_arena_new(&arena, SIZE) != PST_OK)
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
init(struct pst_buf *buf, enum kind kind, struct pst_arena *arena, size_t max)
{
    if (kind == STORAGE)
        pst_buf_init(buf, storage, max);
    else if (kind == ARENA)
        pst_buf_init_arena(buf, arena, max);
    else
        pst_buf_init_heap(buf, arena, max);
}

static void
check(const char *row, const struct pst_buf *buf, const char *want)
{
    struct pst_str got = PST_STR("untouched");
    enum pst_err e = pst_buf_finish(buf, &got);

    if (e || !pst_str_equal(got, pst_str_from(want)) ||
        !pst_str_equal(pst_buf_str(buf), got))
        fail_msg("row '%s': %s, '%.*s'", row, pst_err_code(e), (int)got.len,
                 got.ptr);
}

static void
check_failed(const char *row, const struct pst_buf *buf, enum pst_err want)
{
    struct pst_str got = PST_STR("untouched");
    enum pst_err e = pst_buf_finish(buf, &got);

    if (e != want || !pst_str_equal(got, PST_STR("untouched")))
        fail_msg("row '%s': %s", row, pst_err_code(e));
}

static void
test_every_kind_adds(void **state)
{
    for (enum kind kind = STORAGE; kind < KINDS; kind++) {
        struct pst_buf buf;
        char *room;

        init(&buf, kind, *state, 80);
        check(kind_names[kind], &buf, "");
        assert_false(pst_str_is_absent(pst_buf_str(&buf)));
        pst_buf_add(&buf, PST_STR("a"));
        pst_buf_add(&buf, PST_STR(""));
        pst_buf_add(&buf, PST_STR_NONE);
        pst_buf_add_string(&buf, "bc");
        pst_buf_add_string(&buf, NULL);
        pst_buf_add_char(&buf, 'd');
        pst_buf_add_number(&buf, -42);
        pst_buf_add_hex(&buf, pst_str_bytes(PST_STR("\x01\xAB\xFF")));
        room = pst_buf_reserve(&buf, 3);
        assert_non_null(room);
        memcpy(room, "xyz", 3);
        check(kind_names[kind], &buf, "abcd-4201abffxyz");
        pst_buf_truncate(&buf, 4);
        check(kind_names[kind], &buf, "abcd");
        pst_buf_add_char(&buf, 'e');
        check(kind_names[kind], &buf, "abcde");
        pst_buf_truncate(&buf, 0);
        check(kind_names[kind], &buf, "");
    }
}

static void
test_numbers(void **state)
{
    static const struct {
        int64_t in;
        const char *want;
    } rows[] = {
        {0, "0"},
        {9, "9"},
        {10, "10"},
        {-1, "-1"},
        {1783425600, "1783425600"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_buf buf;

        pst_buf_init(&buf, storage, 20);
        pst_buf_add_number(&buf, rows[i].in);
        check(rows[i].want, &buf, rows[i].want);
    }
}

/* The maximum can be reached; one more byte sets an error, which stays. */
static void
test_ceiling(void **state)
{
    static const size_t ceilings[] = {0, 1, 63, 64, 65, 100, 1000};

    for (enum kind kind = STORAGE; kind < KINDS; kind++) {
        for (size_t i = 0; i < PST_COUNT(ceilings); i++) {
            struct pst_buf buf;
            struct pst_str got;

            init(&buf, kind, *state, ceilings[i]);
            for (size_t len = 0; len < ceilings[i]; len++)
                pst_buf_add_char(&buf, 'x');
            assert_int_equal(pst_buf_finish(&buf, &got), PST_OK);
            assert_int_equal(got.len, ceilings[i]);
            assert_true(buf.size <= ceilings[i]);
            assert_non_null(pst_buf_reserve(&buf, 0));
            pst_buf_add_char(&buf, 'y');
            check_failed(kind_names[kind], &buf, PST_TOO_LARGE);
            pst_buf_add(&buf, PST_STR(""));
            assert_null(pst_buf_reserve(&buf, 0));
            pst_buf_truncate(&buf, 0); /* does not clear the error */
            pst_buf_add_char(&buf, 'z');
            check_failed(kind_names[kind], &buf, PST_TOO_LARGE);
            assert_int_equal(pst_buf_str(&buf).len, 0);
            pst_arena_reset(*state);
        }
    }
}

/* A piece that does not fit is not added, nor are later pieces. */
static void
test_no_half_pieces(void **state)
{
    for (enum kind kind = STORAGE; kind < KINDS; kind++) {
        struct pst_buf buf;

        init(&buf, kind, *state, 5);
        pst_buf_add_string(&buf, "abc");
        pst_buf_add_string(&buf, "def");
        pst_buf_add_string(&buf, "g");
        check_failed(kind_names[kind], &buf, PST_TOO_LARGE);
        assert_true(pst_str_equal(pst_buf_str(&buf), PST_STR("abc")));
        init(&buf, kind, *state, 100);
        pst_buf_add_string(&buf, "abc");
        assert_null(pst_buf_reserve(&buf, SIZE_MAX));
        check_failed(kind_names[kind], &buf, PST_TOO_LARGE);
    }
}

static void
test_first_reason_stays(void **state)
{
    struct pst_buf buf;

    (void)state;
    pst_buf_init(&buf, storage, 4);
    pst_buf_set_error(&buf, PST_MALFORMED);
    pst_buf_set_error(&buf, PST_INTERNAL);
    pst_buf_add_string(&buf, "too long");
    check_failed("first error", &buf, PST_MALFORMED);
}

/* The newest allocation of the arena grows in place, without a copy. */
static void
test_grows_in_place(void **state)
{
    struct pst_arena *arena = *state;
    struct pst_buf buf;
    const char *ptr;

    pst_buf_init_arena(&buf, arena, SIZE);
    pst_buf_add_char(&buf, 'x');
    ptr = pst_buf_str(&buf).ptr;
    for (size_t i = 1; i < SIZE; i++)
        pst_buf_add_char(&buf, 'x');
    assert_ptr_equal(pst_buf_str(&buf).ptr, ptr);
    assert_int_equal(buf.len, SIZE);
    assert_int_equal(pst_arena_used(arena), SIZE);
    assert_int_equal(buf.err, PST_OK);
}

static void
test_moves_when_not_newest(void **state)
{
    struct pst_arena *arena = *state;
    struct pst_buf buf;
    char want[301];

    memset(want, 'a', 300);
    want[300] = '\0';
    pst_buf_init_arena(&buf, arena, 1000);
    for (size_t i = 0; i < 300; i++) {
        pst_buf_add_char(&buf, 'a');
        if (i % 50 == 0)
            assert_non_null(pst_arena_alloc(arena, 1));
    }
    check("moved", &buf, want);
}

/* The arena has no memory for twice the size, but enough for the text. */
static void
test_takes_what_is_left(void **state)
{
    struct pst_arena *arena = *state;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, SIZE * 4);
    assert_non_null(pst_buf_reserve(&buf, SIZE - 100));
    assert_non_null(pst_buf_reserve(&buf, 100));
    assert_int_equal(buf.err, PST_OK);
    pst_buf_add_char(&buf, 'x');
    check_failed("spent", &buf, PST_NO_MEMORY);
}

/* Heap memory is not part of the budget: a body may be far larger. */
static void
test_hold_is_off_the_arena(void **state)
{
    const size_t max = 1024 * 1024;
    struct pst_arena *arena = *state;
    struct pst_str got;
    struct pst_buf buf;
    size_t used;

    pst_buf_init_heap(&buf, arena, max);
    used = pst_arena_used(arena);
    for (size_t i = 0; i < max; i++)
        pst_buf_add_char(&buf, (char)('a' + i % 26));
    assert_int_equal(pst_arena_used(arena), used);
    assert_int_equal(pst_buf_finish(&buf, &got), PST_OK);
    assert_int_equal(got.len, max);
    for (size_t i = 0; i < max; i++) {
        if (got.ptr[i] != (char)('a' + i % 26))
            fail_msg("byte %zu was lost in growing", i);
    }
    pst_buf_add_char(&buf, 'x');
    check_failed("hold", &buf, PST_TOO_LARGE);
}

/* For every n: the n-th allocation fails, and nothing leaks. */
static void
test_every_allocation_fails(void **state)
{
    struct pst_arena *arena = *state;

    for (enum kind kind = ARENA; kind < KINDS; kind++) {
        size_t n = 1;

        for (;; n++) {
            struct pst_buf buf;
            struct pst_str got;
            enum pst_err e;

            pst_arena_fail_at(arena, n);
            init(&buf, kind, arena, 1000);
            for (size_t i = 0; i < 1000; i++)
                pst_buf_add_char(&buf, 'x');
            e = pst_buf_finish(&buf, &got);
            pst_arena_reset(arena);
            if (e == PST_OK)
                break;
            if (e != PST_NO_MEMORY)
                fail_msg("%s, n %zu: %s", kind_names[kind], n, pst_err_code(e));
        }
        assert_true(n > 3); /* several allocations were made to fail */
    }
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_every_kind_adds),
        TEST(test_numbers),
        TEST(test_ceiling),
        TEST(test_no_half_pieces),
        TEST(test_first_reason_stays),
        TEST(test_grows_in_place),
        TEST(test_moves_when_not_newest),
        TEST(test_takes_what_is_left),
        TEST(test_hold_is_off_the_arena),
        TEST(test_every_allocation_fails),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_slab.c - objects that live until the arena is reset.
 */
#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"

static int
set_up(void **state)
{
    struct pst_arena *arena = NULL;

    if (pst_arena_new(&arena, PST_ARENA_SIZE) != PST_OK)
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void
test_zeroed_and_aligned(void **state)
{
    static const size_t sizes[] = {1, 24, 100, 2000, 5000, 1024 * 1024, 0, 7};
    struct slabs *slabs;
    unsigned char *objects[PST_COUNT(sizes)];

    assert_int_equal(slabs_new(*state, &slabs), PST_OK);
    for (size_t i = 0; i < PST_COUNT(sizes); i++) {
        objects[i] = slabs_alloc(slabs, sizes[i]);
        assert_non_null(objects[i]);
        assert_int_equal((uintptr_t)objects[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(objects[i][k], 0);
        memset(objects[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < PST_COUNT(sizes); i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(objects[i][k], i + 1);
}

/* More objects than fit in the arena, and none of them takes its memory. */
static void
test_is_off_the_arena(void **state)
{
    struct slabs *slabs;
    size_t used;

    assert_int_equal(slabs_new(*state, &slabs), PST_OK);
    used = pst_arena_used(*state);
    for (int i = 0; i < 10000; i++)
        assert_non_null(slabs_alloc(slabs, 100));
    assert_int_equal(pst_arena_used(*state), used);
    pst_arena_reset(*state);
    assert_int_equal(pst_arena_used(*state), 0);
}

static void
test_failures(void **state)
{
    struct slabs *slabs;

    for (size_t n = 1; n <= 2; n++) {
        pst_arena_fail_at(*state, n);
        assert_int_equal(slabs_new(*state, &slabs), PST_NO_MEMORY);
        pst_arena_reset(*state);
    }
    assert_int_equal(slabs_new(*state, &slabs), PST_OK);
    assert_null(slabs_alloc(slabs, SIZE_MAX));
    assert_null(slabs_alloc(slabs, 16 * 1024 * 1024 + 1));
    assert_non_null(slabs_alloc(slabs, 8));
    pst_arena_fail_at(*state, 2);
    assert_non_null(slabs_alloc(slabs, 8));
    assert_null(slabs_alloc(slabs, 8));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_zeroed_and_aligned),
        TEST(test_is_off_the_arena),
        TEST(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

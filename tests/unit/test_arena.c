/* SPDX-License-Identifier: ISC */
/*
 * test_arena.c - an arena keeps its budget, and a reset wipes it (L45).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"

#define SIZE 1024

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
    return arena == NULL ? 0 : -1;
}

static bool
is_zero(const void *bytes, size_t len)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < len; i++) {
        if (byte[i] != 0)
            return false;
    }
    return true;
}

static void
test_new_and_free(void **state)
{
    struct pst_arena *arena = NULL;

    (void)state;
    pst_arena_free(&arena); /* NULL inside is allowed */
    assert_int_equal(pst_arena_new(&arena, SIZE_MAX), PST_NO_MEMORY);
    assert_null(arena);
    assert_int_equal(pst_arena_new(&arena, 0), PST_OK);
    assert_non_null(pst_arena_alloc(arena, 0));
    assert_null(pst_arena_alloc(arena, 1));
    pst_arena_free(&arena);
    assert_null(arena);
}

static void
test_aligned_and_zeroed(void **state)
{
    struct pst_arena *arena = *state;

    for (int round = 0; round < 2;
         round++) { /* the second round is after a wipe */
        for (size_t size = 0; size <= 33; size++) {
            uint8_t *ptr = pst_arena_alloc(arena, size);

            assert_non_null(ptr);
            assert_int_equal((uintptr_t)ptr % _Alignof(max_align_t), 0);
            assert_true(is_zero(ptr, size));
            memset(ptr, 0xA5, size);
        }
        pst_arena_reset(arena);
        assert_int_equal(pst_arena_used(arena), 0);
    }
}

static void
test_budget(void **state)
{
    struct pst_arena *arena = *state;

    assert_null(pst_arena_alloc(arena, SIZE + 1));
    assert_null(pst_arena_alloc(arena, SIZE_MAX));
    assert_int_equal(pst_arena_used(arena), 0);
    assert_non_null(pst_arena_alloc(arena, SIZE));
    assert_int_equal(pst_arena_used(arena), SIZE);
    assert_null(pst_arena_alloc(arena, 1));
    assert_null(pst_arena_alloc(arena, SIZE_MAX - SIZE + 1));
    pst_arena_reset(arena);
    assert_non_null(pst_arena_alloc(arena, SIZE));
}

static void
test_extend(void **state)
{
    struct pst_arena *arena = *state;
    char *old = pst_arena_alloc(arena, 10);
    char *ptr = pst_arena_alloc(arena, 10);

    assert_non_null(old);
    assert_non_null(ptr);
    memset(ptr, 'x', 10);
    assert_false(pst_arena_extend(arena, old, 10, 20)); /* not the newest */
    assert_false(pst_arena_extend(arena, ptr, 9, 20));  /* not its size */
    assert_false(pst_arena_extend(arena, ptr, 10, 9));  /* never shrinks */
    assert_false(pst_arena_extend(arena, ptr, 10, SIZE));
    assert_false(pst_arena_extend(arena, ptr, 10, SIZE_MAX));
    assert_int_equal(pst_arena_used(arena), 26);
    assert_true(pst_arena_extend(arena, ptr, 10, 20));
    assert_int_equal(pst_arena_used(arena), 36);
    assert_memory_equal(ptr, "xxxxxxxxxx", 10);
    assert_true(is_zero(ptr + 10, 10));
    assert_true(pst_arena_extend(arena, ptr, 20, SIZE - 16));
    assert_int_equal(pst_arena_used(arena), SIZE);
    memset(ptr, 'y', SIZE - 16);
    pst_arena_reset(arena);
    ptr = pst_arena_alloc(arena, SIZE);
    assert_true(is_zero(ptr, SIZE));
}

static char undone[16];

static void
undo(void *handle)
{
    const char *name = handle;
    size_t len = strlen(undone);

    undone[len] = name[0];
    undone[len + 1] = '\0';
}

static void
test_undo_newest_first(void **state)
{
    struct pst_arena *arena = *state;
    char names[] = "abc";

    undone[0] = '\0';
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pst_arena_defer(arena, undo, &names[i]), PST_OK);
    assert_true(pst_arena_used(arena) > 0);
    assert_string_equal(undone, "");
    pst_arena_reset(arena);
    assert_string_equal(undone, "cba");
    pst_arena_reset(arena);
    assert_string_equal(undone, "cba"); /* once only */
}

/* A handle may point into the arena: it is wiped after the deferred call. */
static void
test_undo_before_wipe(void **state)
{
    struct pst_arena *arena = *state;
    char *name = pst_arena_alloc(arena, 2);

    assert_non_null(name);
    name[0] = 'k';
    undone[0] = '\0';
    assert_int_equal(pst_arena_defer(arena, undo, name), PST_OK);
    pst_arena_reset(arena);
    assert_string_equal(undone, "k");
}

static struct pst_arena *undo_arena;

static void
undo_and_defer(void *handle)
{
    undo(handle);
    assert_int_equal(pst_arena_defer(undo_arena, undo, handle), PST_OK);
}

static void
test_undo_that_defers(void **state)
{
    char name[] = "d";

    undo_arena = *state;
    undone[0] = '\0';
    assert_int_equal(pst_arena_defer(undo_arena, undo_and_defer, name), PST_OK);
    pst_arena_reset(undo_arena);
    assert_string_equal(undone, "dd");
    assert_int_equal(pst_arena_used(undo_arena), 0);
}

static void
test_undo_without_room(void **state)
{
    struct pst_arena *arena = *state;
    char name[] = "n";

    undone[0] = '\0';
    assert_non_null(pst_arena_alloc(arena, SIZE));
    assert_int_equal(pst_arena_defer(arena, undo, name), PST_NO_MEMORY);
    pst_arena_reset(arena);
    assert_string_equal(undone, "");
}

static void
test_undo_at_free(void **state)
{
    struct pst_arena *arena = NULL;
    char name[] = "f";

    (void)state;
    undone[0] = '\0';
    assert_int_equal(pst_arena_new(&arena, SIZE), PST_OK);
    assert_int_equal(pst_arena_defer(arena, undo, name), PST_OK);
    pst_arena_free(&arena);
    assert_string_equal(undone, "f");
}

/* L45: after a reset, the next user finds the whole block zeroed. */
static void
test_reset_wipes(void **state)
{
    struct pst_arena *arena = *state;
    struct pst_str secret;
    char *all;

    assert_int_equal(pst_arena_copy(arena, PST_STR("password"), &secret),
                     PST_OK);
    all = pst_arena_alloc(arena, SIZE - 16);
    assert_non_null(all);
    memset(all, 0xFF, SIZE - 16);
    pst_arena_reset(arena);
    all = pst_arena_alloc(arena, SIZE);
    assert_non_null(all);
    assert_true(is_zero(all, SIZE));
}

static void
test_text_copies(void **state)
{
    struct pst_arena *arena = *state;
    char source[] = "name";
    struct pst_str copy = PST_STR("untouched");

    assert_int_equal(pst_arena_copy(arena, (struct pst_str){source, 4}, &copy),
                     PST_OK);
    source[0] = 'X';
    assert_true(pst_str_equal(copy, PST_STR("name")));
    assert_int_equal(pst_arena_copy(arena, PST_STR("a\0b"), &copy), PST_OK);
    assert_true(pst_str_equal(copy, PST_STR("a\0b")));
    assert_int_equal(pst_arena_copy(arena, PST_STR(""), &copy), PST_OK);
    assert_false(pst_str_is_absent(copy));
    assert_int_equal(copy.len, 0);
    assert_int_equal(pst_arena_copy(arena, PST_STR_NONE, &copy), PST_OK);
    assert_true(pst_str_is_absent(copy));
    copy = PST_STR("untouched");
    assert_non_null(pst_arena_alloc(arena, SIZE - 16));
    assert_int_equal(pst_arena_copy(arena, PST_STR("far too long"), &copy),
                     PST_NO_MEMORY);
    assert_true(pst_str_equal(copy, PST_STR("untouched")));
}

static void
test_string_copies(void **state)
{
    struct pst_arena *arena = *state;
    const char *copy = "untouched";

    assert_int_equal(pst_arena_c_string(arena, PST_STR("a\0b"), &copy),
                     PST_MALFORMED);
    assert_int_equal(pst_arena_c_string(arena, PST_STR("ab\0"), &copy),
                     PST_MALFORMED);
    assert_string_equal(copy, "untouched");
    assert_int_equal(pst_arena_c_string(arena, PST_STR("/login"), &copy),
                     PST_OK);
    assert_string_equal(copy, "/login");
    assert_int_equal(pst_arena_c_string(arena, PST_STR_NONE, &copy), PST_OK);
    assert_string_equal(copy, "");
    assert_non_null(pst_arena_alloc(arena, SIZE - 16));
    assert_int_equal(pst_arena_c_string(arena, PST_STR("far too long"), &copy),
                     PST_NO_MEMORY);
    assert_string_equal(copy, "");
}

/* Each way to allocate counts as one; from the n-th on, all fail. */
static void
test_fail_at(void **state)
{
    struct pst_arena *arena = *state;

    for (size_t n = 0; n <= 6; n++) {
        struct pst_str text;
        const char *string;
        void *ptr;
        bool did[5];

        pst_arena_fail_at(arena, n);
        ptr = pst_arena_alloc(arena, 8);
        did[0] = ptr != NULL;
        did[1] = pst_arena_extend(arena, ptr, 8, 16);
        did[2] = pst_arena_copy(arena, PST_STR("a"), &text) == PST_OK;
        did[3] = pst_arena_c_string(arena, PST_STR("a"), &string) == PST_OK;
        did[4] = pst_arena_may_alloc(arena);
        for (size_t i = 0; i < PST_COUNT(did); i++) {
            if (did[i] != (n == 0 || i + 1 < n))
                fail_msg("n %zu: step %zu", n, i + 1);
        }
        pst_arena_reset(arena);
        assert_non_null(pst_arena_alloc(arena, 1)); /* off again */
        pst_arena_reset(arena);
    }
    pst_arena_fail_at(arena, 1);
    assert_int_equal(pst_arena_defer(arena, undo, undone), PST_NO_MEMORY);
}

/* A large request does not hold its pages for ever. */
static void
test_pages_are_released(void **state)
{
    const size_t size = (size_t)256 * 1024;
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct pst_arena *arena = NULL;
    unsigned char is_resident = 0;
    uintptr_t page;
    uint8_t *ptr;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, size), PST_OK);
    ptr = pst_arena_alloc(arena, size);
    assert_non_null(ptr);
    memset(ptr, 0xA5, size);
    page = (uintptr_t)ptr + size / 2;
    page -= page % page_size;
    assert_int_equal(mincore((void *)page, 1, &is_resident), 0);
    assert_int_equal(is_resident & 1, 1);
    pst_arena_reset(arena);
    assert_int_equal(mincore((void *)page, 1, &is_resident), 0);
    assert_int_equal(is_resident & 1, 0);
    ptr = pst_arena_alloc(arena, size);
    assert_non_null(ptr);
    assert_true(is_zero(ptr, size));
    pst_arena_free(&arena);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_new_and_free),
        TEST(test_aligned_and_zeroed),
        TEST(test_budget),
        TEST(test_extend),
        TEST(test_undo_newest_first),
        TEST(test_undo_before_wipe),
        TEST(test_undo_that_defers),
        TEST(test_undo_without_room),
        TEST(test_undo_at_free),
        TEST(test_reset_wipes),
        TEST(test_text_copies),
        TEST(test_string_copies),
        TEST(test_fail_at),
        TEST(test_pages_are_released),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}

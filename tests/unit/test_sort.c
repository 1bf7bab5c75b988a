/* SPDX-License-Identifier: ISC */
/*
 * test_sort.c - numbers in any order are sorted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sort.h"

static size_t compared;

static bool
is_less(void *context, size_t a, size_t b)
{
    const unsigned *numbers = context;

    compared++;
    return numbers[a] < numbers[b];
}

static void
swap(void *context, size_t a, size_t b)
{
    unsigned *numbers = context;
    unsigned number = numbers[a];

    numbers[a] = numbers[b];
    numbers[b] = number;
}

static void
check_sorted(unsigned *numbers, size_t count)
{
    const struct pst_sort sort = {numbers, count, is_less, swap};

    pst_sort(&sort);
    for (size_t i = 1; i < count; i++)
        assert_true(numbers[i - 1] <= numbers[i]);
}

/* All orders of up to seven numbers, some of them equal. */
static void
test_all_orders(void **state)
{
    (void)state;
    for (size_t count = 0; count <= 7; count++) {
        unsigned orders = 1;

        for (size_t i = 0; i < count; i++)
            orders *= 7;
        for (unsigned order = 0; order < orders; order++) {
            unsigned numbers[7], had[7] = {0}, has[7] = {0};
            unsigned rest = order;

            for (size_t i = 0; i < count; i++) {
                numbers[i] = rest % 7;
                had[rest % 7]++;
                rest /= 7;
            }
            check_sorted(numbers, count);
            for (size_t i = 0; i < count; i++)
                has[numbers[i]]++;
            assert_memory_equal(had, has, sizeof(had));
        }
    }
}

static void
test_many(void **state)
{
    static unsigned numbers[100000];
    unsigned seed = 1;

    (void)state;
    for (int order = 0; order < 3; order++) {
        for (size_t i = 0; i < PST_COUNT(numbers); i++) {
            seed = seed * 1103515245 + 12345;
            numbers[i] = order == 0   ? (unsigned)i
                         : order == 1 ? (unsigned)(PST_COUNT(numbers) - i)
                                      : seed;
        }
        compared = 0;
        check_sorted(numbers, PST_COUNT(numbers));
        assert_in_range(compared, 0, 2 * 17 * PST_COUNT(numbers));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_orders),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests_name("sort", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_stream_search.c - a text that contains its own beginning is found where
 * a search at every place finds it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/stream_search.h"

static void
test_places(void **state)
{
    static const char *const needles[] = {"a",    "aa",     "ab",    "aab",
                                          "abab", "aabaab", "abaab", "bbbab"};
    unsigned seed = 1;

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        struct pst_str text = pst_str_from(needles[i % PST_COUNT(needles)]);
        struct pst_search search;
        char hay[40];
        bool is_there = false;

        for (size_t j = 0; j < sizeof(hay); j++) {
            seed = seed * 1103515245 + 12345;
            hay[j] = (seed >> 16) % 3 ? 'a' : 'b';
        }
        pst_search_init(&search, text);
        for (size_t j = 0; j < sizeof(hay); j++) {
            bool ends = j + 1 >= text.len &&
                        memcmp(hay + j + 1 - text.len, text.ptr, text.len) == 0;

            is_there |= ends;
            assert_int_equal(pst_search_feed(&search, hay[j]), ends);
        }
        for (size_t step = 1; step <= sizeof(hay); step++) {
            bool found = false;

            pst_search_init(&search, text);
            for (size_t at = 0; at < sizeof(hay) && !found; at += step)
                found = pst_search_find(
                    &search,
                    pst_str_first((struct pst_str){hay + at, sizeof(hay) - at},
                                  step));
            assert_int_equal(found, is_there);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places)};

    return cmocka_run_group_tests_name("needle", tests, NULL, NULL);
}

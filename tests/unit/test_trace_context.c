/* SPDX-License-Identifier: ISC */
/*
 * test_trace_context.c - which traceparent headers are valid, and that ours
 * are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/trace_context.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"
#define ZERO16 "0000000000000000"

static void
test_parent(void **state)
{
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"00-" TRACE "-" SPAN "-01", true},
        {"00-" TRACE "-" SPAN "-00", true},
        {"00-" ZERO16 ZERO16 "-" SPAN "-01", false},
        {"00-" TRACE "-" ZERO16 "-01", false},
        {"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", false},
        {"00-" TRACE "-B7AD6B7169203331-01", false},
        {"01-" TRACE "-" SPAN "-01", false},
        {"ff-" TRACE "-" SPAN "-01", false},
        {"00-" TRACE "-" SPAN "-0g", false},
        {"00-" TRACE "-" SPAN "-g0", false},
        {"00-" TRACE "_" SPAN "-01", false},
        {"00-" TRACE "-" SPAN "_01", false},
        {"00-" TRACE "-" SPAN "-01-", false},
        {"00-" TRACE "-" SPAN "-0", false},
        {"00-" TRACE "-" SPAN, false},
        {"", false},
        {NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        if (trace_context_is_parent(pst_str_from(rows[i].text)) != rows[i].want)
            fail_msg("%s", rows[i].text);
    }
}

static void
test_make(void **state)
{
    static const struct {
        uint8_t byte; /* of all ids */
        const char *want;
    } rows[] = {
        {0, "00-01000000000000000000000000000000-0100000000000000-00"},
        {0xFE, "00-fffefefefefefefefefefefefefefefe-fffefefefefefefe-00"},
        {0xFF, "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-00"},
    };
    struct pst_arena *arena;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 4096), PST_OK);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        uint8_t ids[TRACE_CONTEXT_IDS_LEN];
        struct pst_str out;

        memset(ids, rows[i].byte, sizeof(ids));
        assert_int_equal(trace_context_make_parent(arena, ids, &out), PST_OK);
        assert_true(pst_str_equal(out, pst_str_from(rows[i].want)));
        assert_true(trace_context_is_parent(out));
    }
    pst_arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parent),
        cmocka_unit_test(test_make),
    };

    return cmocka_run_group_tests_name("trace_context", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_multipart_part.c - the fields that are parsed from header lines. What is
 * refused is in test_multipart.c, as whole bodies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/multipart_part.h"

static void
check_text(const char *row, struct pst_str got, const char *want)
{
    if (!pst_str_equal(got, pst_str_from(want)) ||
        pst_str_is_absent(got) != (want == NULL))
        fail_msg("%s: [%.*s]", row, (int)got.len, got.ptr ? got.ptr : "");
}

static void
test_lines(void **state)
{
    static const struct {
        bool is_first;
        const char *line;
        enum pst_err e;
        const char *name;
        const char *filename;
        const char *extended;
        const char *type;
    } rows[] = {
        {true, "Content-Disposition: form-data; name=\"operations\"", PST_OK,
         "operations", NULL, NULL, NULL},
        {true, "Content-Disposition: form-data; name=\"map\"", PST_MALFORMED,
         NULL, NULL, NULL, NULL},
        {true, "content-type: text/plain", PST_OK, NULL, NULL, NULL,
         "text/plain"},
        {true, "Content-Type: image/png", PST_MALFORMED, NULL, NULL, NULL,
         NULL},
        {false, "Content-Disposition:form-data;name=map", PST_OK, "map", NULL,
         NULL, NULL},
        {false,
         "Content-Disposition: form-data; name=f; filename=\"a b\" ; "
         "FileName*=utf-8''c",
         PST_OK, "f", "a b", "utf-8''c", NULL},
        {false, "Content-Disposition: form-data; name=operations; filename=a",
         PST_MALFORMED, NULL, NULL, NULL, NULL},
        {false, "Content-Type:  image/png ", PST_OK, NULL, NULL, NULL,
         "image/png"},
        {false, "Content-Type:", PST_OK, NULL, NULL, NULL, ""},
        {false, "Content-Transfer-Encoding: 8bit", PST_OK, NULL, NULL, NULL,
         NULL},
        {false, "X-Other: a", PST_MALFORMED, NULL, NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_multipart_part part = {.is_first = rows[i].is_first};
        enum pst_err e =
            pst_multipart_part_parse_line(&part, pst_str_from(rows[i].line));

        if (e != rows[i].e)
            fail_msg("%s: %s", rows[i].line, pst_err_code(e));
        if (e)
            continue;
        check_text(rows[i].line, part.name, rows[i].name);
        check_text(rows[i].line, part.filename, rows[i].filename);
        check_text(rows[i].line, part.extended, rows[i].extended);
        check_text(rows[i].line, part.type, rows[i].type);
    }
}

/* A header may be there once, even if its value is empty. */
static void
test_twice(void **state)
{
    static const char *const lines[] = {
        "Content-Type:",
        "Content-Disposition: form-data; name=f; filename=a",
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(lines); i++) {
        struct pst_multipart_part part = {.is_first = false};

        assert_int_equal(
            pst_multipart_part_parse_line(&part, pst_str_from(lines[i])),
            PST_OK);
        assert_int_equal(
            pst_multipart_part_parse_line(&part, pst_str_from(lines[i])),
            PST_MALFORMED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_twice),
    };

    return cmocka_run_group_tests_name("part", tests, NULL, NULL);
}

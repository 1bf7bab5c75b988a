/* SPDX-License-Identifier: ISC */
/*
 * test_log_line.c - a line is a line, and as long as allowed, whatever its
 * fields are. test_log.c has the escapes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/log_line.h"

static const struct log_field standard[] = {{"event", {"test", 4}, 0, false}};

/* Format a line with one more field. */
static size_t
format(char *storage, enum log_format log_format, struct log_field field)
{
    size_t len =
        log_line_format(storage, log_format, &(struct log_fields){standard, 1},
                        &(struct log_fields){&field, 1});

    assert_true(len > 0 && len <= LOG_LINE_MAX);
    assert_ptr_equal(memchr(storage, '\n', len), storage + len - 1);
    storage[len] = '\0';
    return len;
}

static void
both_formats(void **state)
{
    char storage[LOG_LINE_MAX + 1];

    (void)state;
    format(storage, LOG_LOGFMT, LOG_NUMBER("n", -5));
    assert_string_equal(storage, "event=test n=-5\n");
    format(storage, LOG_JSON, LOG_NUMBER("n", -5));
    assert_string_equal(storage, "{\"event\":\"test\",\"n\":-5}\n");
    format(storage, LOG_LOGFMT, LOG_STR("absent", PST_STR_NONE));
    assert_string_equal(storage, "event=test\n");
}

/* The worst values: each byte needs an escape. */
static void
every_length_fits_a_line(void **state)
{
    static char value[2 * LOG_LINE_MAX];
    char storage[LOG_LINE_MAX + 1];

    (void)state;
    for (int byte = 0; byte < 256; byte += 15) {
        memset(value, byte, sizeof(value));
        for (size_t len = 0; len <= sizeof(value); len += 31) {
            struct pst_str text = {value, len};

            format(storage, LOG_LOGFMT, LOG_STR("v", text));
            assert_memory_equal(storage, "event=test v=", 13);
            format(storage, LOG_JSON, LOG_STR("v", text));
            assert_non_null(strstr(storage, "\"}\n"));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats),
        cmocka_unit_test(every_length_fits_a_line),
    };

    return cmocka_run_group_tests_name("log_line", tests, NULL, NULL);
}

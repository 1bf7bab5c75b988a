/* SPDX-License-Identifier: ISC */
/*
 * test_backend_probe.c - what `postern check` prints of a backend's answer
 * cannot command the terminal: a backend's message, Location and Content-Type
 * were printed as they came, with ESC and C1 controls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sysexits.h>

#include "../../bin/backend_probe.h"
#include "../../bin/print.h"
#include "base/limits.h"
#include "printed.h"

static void
test_headers(void **state)
{
    struct backend_probe probe = {
        .status = 302, .location = PST_STR("https://a/\x1b[2J\xc2\x9b\xff")};

    (void)state;
    printed_capture();
    assert_int_equal(backend_probe_report_no_graphql(&probe), EX_CONFIG);
    assert_string_equal(
        printed_text(),
        "POSTERN_UPSTREAM: the backend redirects (status 302) to "
        "https://a/\\x1b[2J\\xc2\\x9b\\xff, and redirects are never followed: "
        "set POSTERN_UPSTREAM to that address if it is the GraphQL server's\n");
    probe.status = 200;
    probe.type = PST_STR("text/\x9b"
                         "2J");
    printed_capture();
    assert_int_equal(backend_probe_report_no_graphql(&probe), EX_CONFIG);
    assert_string_equal(
        printed_text(),
        "POSTERN_UPSTREAM: the answer is not from a GraphQL server (status "
        "200, Content-Type text/\\x9b2J): check the host and the path\n");
}

static void
test_message(void **state)
{
    static const char answer[] =
        "{\"errors\":[{\"message\":\"\\u001b]0;x\\u0007\\u009bm\\n"
        "POSTERN_STORE: \xc3\xbc\"}]}";
    struct backend_probe probe = {.status = 200};

    (void)state;
    assert_int_equal(pst_arena_new(&probe.arena, PST_ARENA_SIZE), PST_OK);
    pst_buf_init_heap(&probe.answer, probe.arena, sizeof(answer));
    pst_buf_add_string(&probe.answer, answer);
    printed_capture();
    backend_probe_report_message("POSTERN_WHO_DOCUMENT", "wrong",
                                 backend_probe_response(&probe));
    assert_string_equal(printed_text(),
                        "POSTERN_WHO_DOCUMENT: wrong: "
                        "\\x1b]0;x\\x07\\xc2\\x9bm\\x0aPOSTERN_STORE: \xc3\xbc"
                        "\n");
    pst_arena_free(&probe.arena);
}

/* A line of any length is one line. */
static void
test_long(void **state)
{
    static char text[5000];
    const char *line;

    (void)state;
    memset(text, '\n', sizeof(text) - 1);
    printed_capture();
    print_error_line("%s", text);
    line = printed_text();
    assert_int_equal(strlen(line), 4 * 2047 + 1);
    assert_int_equal(strcspn(line, "\n"), strlen(line) - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests_name("backend_probe", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_media_type.c - media types and their parameters, valid and malformed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/media_type.h"

static void
test_types(void **state)
{
    static const struct {
        const char *in;
        const char *name;    /* NULL: malformed */
        const char *charset; /* NULL: none */
    } rows[] = {
        {"application/json", "application/json", NULL},
        {" application/JSON\t", "application/JSON", NULL},
        {"a/b;charset=utf-8", "a/b", "utf-8"},
        {"a/b ; Charset=\"utf-8\"", "a/b", "utf-8"},
        {"a/b;x=y;charset=u;z=\"\"", "a/b", "u"},
        {"a/b;x=\"a;charset=no\\\"\";charset=yes", "a/b", "yes"},
        {"a/b;", "a/b", NULL},
        {"a/b; ;\t; charset=u ;", "a/b", "u"},
        {"a/b;x=\"\xC3\xA4 \\\\\"", "a/b", NULL},
        {"application/vnd.a+json", "application/vnd.a+json", NULL},
        {"", NULL, NULL},
        {" ", NULL, NULL},
        {"json", NULL, NULL},
        {"a/", NULL, NULL},
        {"/b", NULL, NULL},
        {"a /b", NULL, NULL},
        {"a/b/c", NULL, NULL},
        {"a/b c", NULL, NULL},
        {"a/b, c/d", NULL, NULL},
        {"a/b,c/d", NULL, NULL},
        {"a/b;charset", NULL, NULL},
        {"a/b;charset=", NULL, NULL},
        {"a/b;charset =u", NULL, NULL},
        {"a/b;charset= u", NULL, NULL},
        {"a/b;=u", NULL, NULL},
        {"a/b;charset=\"u", NULL, NULL},
        {"a/b;charset=\"u\\\"", NULL, NULL},
        {"a/b;charset=\"u\\", NULL, NULL},
        {"a/b;charset=u\"v\"", NULL, NULL},
        {"a/b;charset=\"u\"v", NULL, NULL},
        {"a/b;charset='u' x", NULL, NULL},
        {"a/b;charset=\"\x01\"", NULL, NULL},
        {"a/b;charset=\xC3\xA4", NULL, NULL},
        {"a/b;charset=u;charset=u", NULL, NULL},
        {"a/b;charset=u;Charset=v", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_media_type type = {PST_STR_NONE, PST_STR_NONE};
        enum pst_err e = pst_media_type_parse(pst_str_from(rows[i].in), &type);

        if (e != (rows[i].name ? PST_OK : PST_MALFORMED) ||
            !pst_str_equal(type.name, pst_str_from(rows[i].name)))
            fail_msg("%s: %s", rows[i].in, pst_err_code(e));
        if (!pst_str_equal(pst_media_type_parameter(&type, PST_STR("charset")),
                           pst_str_from(rows[i].charset)))
            fail_msg("%s: another charset", rows[i].in);
    }
}

static void
test_many_parameters(void **state)
{
    char text[200] = "a/b";
    struct pst_media_type type;

    (void)state;
    for (size_t count = 1; count <= PST_MEDIA_PARAMETERS_MAX + 1; count++) {
        size_t len = strlen(text);

        (void)snprintf(text + len, sizeof(text) - len, ";p%zu=1", count);
        assert_int_equal(pst_media_type_parse(pst_str_from(text), &type),
                         count <= PST_MEDIA_PARAMETERS_MAX ? PST_OK
                                                           : PST_MALFORMED);
    }
}

/* After the last parameter, *rest says whether the grammar was followed. */
static void
test_next(void **state)
{
    struct pst_str rest = PST_STR(" ; a=1;b=\"2;\\\"\" ;c");
    struct pst_str name, value;

    (void)state;
    assert_true(pst_media_type_next_parameter(&rest, &name, &value));
    assert_true(pst_str_equal(name, PST_STR("a")));
    assert_true(pst_str_equal(value, PST_STR("1")));
    assert_true(pst_media_type_next_parameter(&rest, &name, &value));
    assert_true(pst_str_equal(value, PST_STR("2;\\\"")));
    assert_false(pst_media_type_next_parameter(&rest, &name, &value));
    assert_true(rest.len > 0);
    rest = PST_STR(" ; ; ");
    assert_false(pst_media_type_next_parameter(&rest, &name, &value));
    assert_int_equal(rest.len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_many_parameters),
        cmocka_unit_test(test_next),
    };

    return cmocka_run_group_tests_name("media_type", tests, NULL, NULL);
}

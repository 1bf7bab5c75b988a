/* SPDX-License-Identifier: ISC */
/*
 * test_form.c - urlencoded bodies as browsers write them, and malformed ones.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "http/form.h"
#include "vectors.h"

static int
set_up(void **state)
{
    struct pst_arena *arena = NULL;

    if (pst_arena_new(&arena, 256 * 1024) != PST_OK)
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

/* The pairs as a text: "name=value|name=value|". */
static void
check(struct pst_arena *arena, struct pst_str in, const char *want)
{
    struct pst_form form;
    struct pst_str got;
    struct pst_buf buf;
    enum pst_err e = pst_form_parse(arena, in, &form);

    if (e) {
        fail_msg("row '%.*s': %s", (int)in.len, in.ptr, pst_err_code(e));
        return;
    }
    pst_buf_init_arena(&buf, arena, 4096);
    for (size_t i = 0; i < form.count; i++) {
        assert_false(pst_str_is_absent(form.fields[i].name));
        assert_false(pst_str_is_absent(form.fields[i].value));
        pst_buf_add(&buf, form.fields[i].name);
        pst_buf_add_char(&buf, '=');
        pst_buf_add(&buf, form.fields[i].value);
        pst_buf_add_char(&buf, '|');
    }
    assert_int_equal(pst_buf_finish(&buf, &got), PST_OK);
    if (!pst_str_equal(got, pst_str_from(want)))
        fail_msg("row '%.*s': %.*s", (int)in.len, in.ptr, (int)got.len,
                 got.ptr);
}

static void
test_pairs(void **state)
{
    static const struct {
        const char *in;
        const char *want;
    } rows[] = {
        {NULL, ""},
        {"", ""},
        {"&", ""},
        {"&&&", ""},
        {"a", "a=|"},
        {"a=", "a=|"},
        {"=b", "=b|"},
        {"=", "=|"},
        {"a=b", "a=b|"},
        {"a=b=c", "a=b=c|"},
        {"a==", "a==|"},
        {"a=1&&b=2&", "a=1|b=2|"},
        {"a=1&a=2", "a=1|a=2|"},
        {"a+b=c+d", "a b=c d|"},
        {"a%3Db=%26%2B%25", "a=b=&+%|"},
        {"e=a%40b.test&password=p%3Dq%26r", "e=a@b.test|password=p=q&r|"},
        {"a=%C3%BC&b=\xE2\x82\xAC", "a=\xC3\xBC|b=\xE2\x82\xAC|"},
        {"a=%4&b=%zz", "a=%4|b=%zz|"},
        {"a;b=c;d", "a;b=c;d|"},
        {"a=%0D%0A", "a=\r\n|"},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        check(*state, pst_str_from(rows[i].in), rows[i].want);
        pst_arena_reset(*state);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *name;
        struct pst_str in;
    } rows[] = {
        {"NUL in a value", {"a=b%00", 6}},
        {"NUL in a name", {"a%00=b", 6}},
        {"raw NUL", {"a=\0", 3}},
        {"bad UTF-8 in a value", {"a=%FF", 5}},
        {"bad UTF-8 in a name", {"%FF=a", 5}},
        {"raw bad UTF-8", {"a=\xFF", 3}},
        {"cut UTF-8", {"a=%C3", 5}},
        {"UTF-8 across a pair", {"a=%C3&%BC=b", 11}},
        {"overlong slash", {"a=%C0%AF", 8}},
        {"surrogate", {"a=%ED%A0%80", 11}},
        {"in the last of three", {"a=1&b=2&c=%80", 13}},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_form form = {NULL, 77};
        enum pst_err e = pst_form_parse(*state, rows[i].in, &form);

        if (e != PST_MALFORMED || form.count != 77)
            fail_msg("row '%s': %s", rows[i].name, pst_err_code(e));
    }
}

static void
test_number_of_fields(void **state)
{
    struct pst_form form = {NULL, 77};
    struct pst_str body;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, *state, PST_FORM_FIELDS_MAX * 5 + 1);
    for (size_t i = 0; i < PST_FORM_FIELDS_MAX; i++)
        pst_buf_add_string(&buf, "a=1&&");
    assert_int_equal(pst_buf_finish(&buf, &body), PST_OK);
    assert_int_equal(pst_form_parse(*state, body, &form), PST_OK);
    assert_int_equal(form.count, PST_FORM_FIELDS_MAX);
    pst_buf_add_string(&buf, "b");
    form.count = 77;
    assert_int_equal(pst_buf_finish(&buf, &body), PST_OK);
    assert_int_equal(pst_form_parse(*state, body, &form), PST_TOO_LARGE);
    assert_int_equal(form.count, 77);
}

/* A repeated field that we rely on is refused, even with equal values. */
static void
test_get(void **state)
{
    static const struct {
        const char *name;
        enum pst_err want;
        const char *value;
    } rows[] = {
        {"email", PST_OK, "a@b.test"},  {"empty", PST_OK, ""},
        {"", PST_OK, "noname"},         {"Email", PST_NOT_FOUND, NULL},
        {"emai", PST_NOT_FOUND, NULL},  {"none", PST_NOT_FOUND, NULL},
        {"twice", PST_DUPLICATE, NULL}, {"same", PST_DUPLICATE, NULL},
    };
    struct pst_form form;

    assert_int_equal(
        pst_form_parse(*state,
                       PST_STR("email=a%40b.test&twice=1&empty&same=x&"
                               "tw%69ce=2&=noname&same=x"),
                       &form),
        PST_OK);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str got = PST_STR("untouched");
        enum pst_err e = pst_form_get(&form, pst_str_from(rows[i].name), &got);
        const char *want = rows[i].want ? "untouched" : rows[i].value;

        if (e != rows[i].want || !pst_str_equal(got, pst_str_from(want)))
            fail_msg("row '%s': %s", rows[i].name, pst_err_code(e));
    }
}

static void
test_every_allocation_fails(void **state)
{
    const struct pst_str body = PST_STR("a=1&b=2&c");
    struct pst_form form = {NULL, 77};
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    for (n = 1; e; n++) {
        pst_arena_reset(*state);
        pst_arena_fail_at(*state, n);
        e = pst_form_parse(*state, body, &form);
        if (e && (e != PST_NO_MEMORY || form.count != 77))
            fail_msg("n %zu: %s", n, pst_err_code(e));
    }
    assert_int_equal(form.count, 3);
    assert_int_equal(n, 4); /* both allocations were made to fail */
}

static bool
has_topic(struct json_object *entry, const char *topic)
{
    struct json_object *topics = NULL;

    if (!json_object_object_get_ex(entry, "topics", &topics))
        return false;
    for (size_t i = 0; i < json_object_array_length(topics); i++) {
        if (strcmp(json_object_get_string(json_object_array_get_idx(topics, i)),
                   topic) == 0)
            return true;
    }
    return false;
}

static bool
is_latin1_of(struct json_object *value, struct pst_str text)
{
    char *storage;
    bool same = pst_str_equal(vectors_latin1(value, &storage), text);

    free(storage);
    return same;
}

static bool
has_pairs(struct json_object *pairs, const struct pst_form *form)
{
    if (json_object_array_length(pairs) != form->count)
        return false;
    for (size_t i = 0; i < form->count; i++) {
        struct json_object *pair = json_object_array_get_idx(pairs, i);

        if (!is_latin1_of(json_object_array_get_idx(pair, 0),
                          form->fields[i].name) ||
            !is_latin1_of(json_object_array_get_idx(pair, 1),
                          form->fields[i].value))
            return false;
    }
    return true;
}

/*
 * One public case: its pairs, or refused where WHATWG would replace bytes
 * (section 4).
 */
static void
check_vector(struct pst_arena *arena, struct json_object *entry)
{
    bool refused = has_topic(entry, "bad-utf8") || has_topic(entry, "nul");
    struct json_object *pairs = NULL;
    struct json_object *input = NULL;
    struct pst_form form = {NULL, 0};
    char *storage;
    enum pst_err e;

    assert_true(json_object_object_get_ex(entry, "input", &input) &&
                json_object_object_get_ex(entry, "pairs", &pairs));
    e = pst_form_parse(arena, vectors_latin1(input, &storage), &form);
    free(storage); /* the result must not point into the body */
    if (e != (refused ? PST_MALFORMED : PST_OK) ||
        (!refused && !has_pairs(pairs, &form)))
        fail_msg("case %s: %s", vectors_string(entry, "id"), pst_err_code(e));
    pst_arena_reset(arena);
}

static void
test_public_vectors(void **state)
{
    struct json_object *root = vectors_open("form.json");
    struct json_object *cases = NULL;

    assert_true(json_object_object_get_ex(root, "cases", &cases));
    assert_true(json_object_array_length(cases) >= 115);
    for (size_t i = 0; i < json_object_array_length(cases); i++)
        check_vector(*state, json_object_array_get_idx(cases, i));
    json_object_put(root);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_pairs),
        TEST(test_refused),
        TEST(test_number_of_fields),
        TEST(test_get),
        TEST(test_every_allocation_fails),
        TEST(test_public_vectors),
    };

    return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}

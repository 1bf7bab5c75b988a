/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_print.c - a printed document is the one that was parsed, with
 * the names of its values' types added.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/json.h"
#include "graphql/print.h"
#include "graphql_text.h"

#define ARENA_SIZE (1024 * 1024)
#define TEXT_MAX (256 * 1024)

static struct pst_arena *arena;

static const struct pst_graphql_document *
parsed(const char *row, struct pst_str text)
{
    const struct pst_graphql_document *document = NULL;
    struct pst_graphql_error error;

    if (pst_graphql_parse(arena, text, &document, &error) != PST_OK)
        fail_msg("%s: %.*s: %s", row, (int)text.len, text.ptr, error.message);
    return document;
}

static struct pst_str
printed(const char *row, const struct pst_graphql_document *document)
{
    struct pst_str text = PST_STR_NONE;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, TEXT_MAX);
    pst_graphql_print_with_typename(&buf, document);
    if (pst_buf_finish(&buf, &text) != PST_OK)
        fail_msg("%s: is not printed", row);
    return text;
}

static struct pst_str
as_text(const struct pst_graphql_document *document)
{
    struct pst_str text = PST_STR_NONE;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, TEXT_MAX);
    graphql_text_document(&buf, document, false);
    assert_int_equal(pst_buf_finish(&buf, &text), PST_OK);
    return text;
}

/* Remove the fields that printing adds to each selection set. */
static struct pst_str
without_types(struct pst_str text)
{
    static const char added[] = "{__typename ";
    struct pst_str mark = PST_STR(PST_GRAPHQL_TYPE_KEY_PREFIX);
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, TEXT_MAX);
    while (text.len > 0) {
        pst_buf_add_char(&buf, text.ptr[0]);
        if (!pst_str_starts(text, pst_str_from(added))) {
            text = pst_str_skip(text, 1);
            continue;
        }
        text = pst_str_skip(text, sizeof(added) - 1);
        if (pst_str_starts(text, mark))
            text = pst_str_skip(text, pst_str_index(text, ' ') + 1);
    }
    return pst_buf_str(&buf);
}

struct row {
    const char *name;
    const char *in;
    const char *want;
};

static const struct row rows[] = {
    {"shorthand", "{a}", "query  {__typename a}"},
    {"query", "query{a}", "query  {__typename a}"},
    {"named", "query Q{a}", "query Q {__typename a}"},
    {"mutation", "mutation M{a}", "mutation M {__typename a}"},
    {"subscription", "subscription{a}", "subscription  {__typename a}"},
    {"fields below fields", "{a{b{c}d}}",
     "query  {__typename a {__typename b {__typename c} d}}"},
    {"alias", "{x:a{y:b}}", "query  {__typename x:a {__typename y:b}}"},
    {"__typename occurs twice, which is once", "{a{__typename b}}",
     "query  {__typename a {__typename __typename b}}"},
    {"arguments", "{a(b:1,c:-2.5e3,d:E,e:true,f:false,g:null)}",
     "query  {__typename a(b:1,c:-2.5e3,d:E,e:true,f:false,g:null)}"},
    {"a string, decoded and written again", "{a(b:\"\\u0041\\n\\\"\\\\\")}",
     "query  {__typename a(b:\"A\\n\\\"\\\\\")}"},
    {"a block string", "{a(b:\"\"\"\n  x\n    y\n\"\"\")}",
     "query  {__typename a(b:\"x\\n  y\")}"},
    {"an empty string", "{a(b:\"\")}", "query  {__typename a(b:\"\")}"},
    {"lists and objects", "{a(b:[1,[],{c:{d:[E]},e:{}}])}",
     "query  {__typename a(b:[1,[],{c:{d:[E]},e:{}}])}"},
    {"variables", "query($a:[ID!]!=[\"x\"]@d,$b:I={c:1}){e(f:$a,g:[{h:$b}])}",
     "query ($a:[ID!]!=[\"x\"] @d,$b:I={c:1}) {__typename "
     "e(f:$a,g:[{h:$b}])}"},
    {"directives", "query@a(b:1){c@d@e(f:\"g\"){h}}",
     "query  @a(b:1) {__typename c @d @e(f:\"g\") {__typename h}}"},
    {"inline fragment", "{a{...on T{b}}}",
     "query  {__typename a {__typename ...on T {__typename "
     "postern_T:__typename b}}}"},
    {"inline fragment without a type", "{a{...@x{b}...{c}}}",
     "query  {__typename a {__typename ... @x {__typename b} ... {__typename "
     "c}}}"},
    {"a type's condition ends with its set", "{a{...on T{b{c}}}}",
     "query  {__typename a {__typename ...on T {__typename "
     "postern_T:__typename b {__typename c}}}}"},
    {"inline fragment with a directive", "{a{...on T@x{b}}}",
     "query  {__typename a {__typename ...on T @x {__typename "
     "postern_T:__typename b}}}"},
    {"spread and fragment",
     "{a{...F@x}}fragment F on T@y{b...G}"
     "fragment G on U{c}",
     "query  {__typename a {__typename ...F @x}} fragment F on T @y "
     "{__typename postern_T:__typename b ...G} fragment G on U {__typename "
     "postern_U:__typename c}"},
    {"several operations", "query A{a}mutation B{b}",
     "query A {__typename a}mutation B {__typename b}"},
};

static void
test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        const struct pst_graphql_document *document;
        struct pst_str text;
        struct pst_str before;
        struct pst_str after;

        pst_arena_reset(arena);
        document = parsed(row->name, pst_str_from(row->in));
        before = as_text(document);
        text = printed(row->name, document);
        if (!pst_str_equal(text, pst_str_from(row->want)))
            fail_msg("%s: %.*s", row->name, (int)text.len, text.ptr);
        after = without_types(as_text(parsed(row->name, text)));
        if (!pst_str_equal(before, after))
            fail_msg("%s: %.*s, parsed again: %.*s", row->name, (int)before.len,
                     before.ptr, (int)after.len, after.ptr);
    }
}

/* All strings have the same value after printing and parsing. */
static void
test_strings(void **state)
{
    static const char *const strings[] = {
        "\\u0000\\u0001\\u001f\\u007f",
        "\\b\\f\\n\\r\\t\\/\\\\\\\"",
        "<script>&'`",
        "\\u003c\\u2028\\u2029\\u0085\\ufeff",
        "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
        "\\ud83d\\ude00",
        "#,{}()[]$!@...",
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(strings); i++) {
        const struct pst_graphql_document *document;
        const struct pst_graphql_document *again;
        struct pst_str text;
        char in[256];

        pst_arena_reset(arena);
        snprintf(in, sizeof(in), "{a(b:\"%s\")}", strings[i]);
        document = parsed(strings[i], pst_str_from(in));
        text = printed(strings[i], document);
        again = parsed(strings[i], text);
        if (!pst_str_equal(
                document->operations->selections->arguments->text,
                again->operations->selections->next->arguments->text))
            fail_msg("%s: %.*s", strings[i], (int)text.len, text.ptr);
    }
}

/* A document that does not fit is an error, not truncated. */
static void
test_bounds(void **state)
{
    static const char in[] = "query A($b:C=[1]@d){e:f(g:{h:$b})@i{...on J{k}}}";
    const struct pst_graphql_document *document;
    struct pst_str whole;

    (void)state;
    pst_arena_reset(arena);
    document = parsed("bounds", pst_str_from(in));
    whole = printed("bounds", document);
    for (size_t size = 0; size <= whole.len; size++) {
        char storage[512];
        struct pst_str text;
        struct pst_buf buf;
        enum pst_err e;

        assert_true(whole.len < sizeof(storage));
        pst_buf_init(&buf, storage, size);
        pst_graphql_print_with_typename(&buf, document);
        e = pst_buf_finish(&buf, &text);
        if (e != (size < whole.len ? PST_TOO_LARGE : PST_OK))
            fail_msg("%zu bytes: %s", size, pst_err_code(e));
    }
}

static void
test_json(void **state)
{
    static const struct row values[] = {
        {"integer", "1", "1"},
        {"minus zero", "-0", "-0"},
        {"a large one, byte for byte", "12345678901234567890",
         "12345678901234567890"},
        {"float, byte for byte", "-1.50E+03", "-1.50E+03"},
        {"string", "\"a\\\"\\u0041\\n\"", "\"a\\\"A\\n\""},
        {"block string", "\"\"\"x\"\"\"", "\"x\""},
        {"true", "true", "true"},
        {"false", "false", "false"},
        {"null", "null", "null"},
        {"enum", "RED", "\"RED\""},
        {"empty list", "[]", "[]"},
        {"empty object", "{}", "{}"},
        {"list", "[1 RED,[null]]", "[1,\"RED\",[null]]"},
        {"object", "{a:1,b:{c:RED},d:[{e:\"f\"}]}",
         "{\"a\":1,\"b\":{\"c\":\"RED\"},\"d\":[{\"e\":\"f\"}]}"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(values); i++) {
        const struct row *row = &values[i];
        const struct pst_graphql_document *document;
        const struct pst_json *json;
        struct pst_str text;
        struct pst_buf buf;
        char in[256];

        pst_arena_reset(arena);
        snprintf(in, sizeof(in), "{a(b:%s)}", row->in);
        document = parsed(row->name, pst_str_from(in));
        pst_buf_init_arena(&buf, arena, TEXT_MAX);
        pst_graphql_print_json(&buf,
                               document->operations->selections->arguments);
        text = pst_buf_str(&buf);
        if (buf.err || !pst_str_equal(text, pst_str_from(row->want)))
            fail_msg("%s: %.*s", row->name, (int)text.len, text.ptr);
        if (pst_json_parse(arena, text, &json) != PST_OK)
            fail_msg("%s: %.*s is not JSON", row->name, (int)text.len,
                     text.ptr);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_json),
    };
    int failed;

    if (pst_arena_new(&arena, ARENA_SIZE) != PST_OK)
        return 1;
    failed = cmocka_run_group_tests_name("graphql_print", tests, NULL, NULL);
    pst_arena_free(&arena);
    return failed;
}

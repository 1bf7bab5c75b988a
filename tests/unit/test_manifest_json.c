/* SPDX-License-Identifier: ISC */
/*
 * test_manifest_json.c - the supported manifest formats, and errors with their
 * line and column.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "failing.h"
#include "gateway/manifest_json.h"

/* The documents that were parsed, as "id=text;". */
struct found {
    char text[1024];
    size_t len;
};

static enum pst_err
add(void *context, struct pst_str id, struct pst_str text)
{
    struct found *found = context;

    if (pst_str_equal(text, PST_STR("stop")))
        return PST_NO_MEMORY;
    found->len += (size_t)snprintf(
        found->text + found->len, sizeof(found->text) - found->len,
        "%.*s=%.*s;", (int)id.len, id.ptr, (int)text.len, text.ptr);
    assert_true(found->len < sizeof(found->text));
    return PST_OK;
}

#define APOLLO "\"format\": \"apollo-persisted-query-manifest\", \"version\": 1"

static void
test_forms(void **state)
{
    static const struct {
        const char *name;
        const char *json;
        const char *want;
    } rows[] = {
        {"relay-compiler",
         "{\n  \"757ea431373c4c09848b65f0e1bf509b\": \"query A {\\n  a\\n}\\n\""
         "\n}\n",
         "757ea431373c4c09848b65f0e1bf509b=query A {\n  a\n}\n;"},
        {"GraphQL Code Generator, gql.tada",
         "{\n  \"sha256:6923\": \"query Me { me { ...U } }\",\n"
         "  \"sha256:6924\": \"{ b(c: \\\"\\u00e9\\ud83d\\ude00\\\") }\"\n}",
         "sha256:6923=query Me { me { ...U } };"
         "sha256:6924={ b(c: \"\xC3\xA9\xF0\x9F\x98\x80\") };"},
        {"Apollo",
         "{\n  \"format\": \"apollo-persisted-query-manifest\",\n"
         "  \"version\": 1,\n  \"operations\": [\n    {\n"
         "      \"id\": \"50c7\",\n      \"name\": \"Login\",\n"
         "      \"type\": \"mutation\",\n"
         "      \"body\": \"mutation Login {\\n  a\\n}\"\n    },\n"
         "    {\n      \"id\": \"f1ce\",\n      \"name\": \"Me\",\n"
         "      \"type\": \"query\",\n      \"body\": \"{b}\"\n    }\n  ]\n}",
         "50c7=mutation Login {\n  a\n};f1ce={b};"},
        {"Apollo, other order and members",
         "{\"operations\":[{\"body\":\"{a}\",\"x\":[{\"id\":\"no\"},{}],"
         "\"clientName\":null,\"id\":\"1\"}],\"x\":{\"operations\":[]}," APOLLO
         "}",
         "1={a};"},
        {"Apollo, none", "{" APOLLO ",\"operations\":[]}", ""},
        {"ids of those names",
         "{\"operations\":\"{a}\",\"format\":\"{b}\",\"version\":\"{c}\"}",
         "operations={a};format={b};version={c};"},
        {"none yet", " {} \n", ""},
        {"BOM", "\xEF\xBB\xBF{\"a\":\"{a}\"}", "a={a};"},
        {"twice the same", "{\"a\":\"{a}\",\"a\":\"{b}\"}", "a={a};a={b};"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct found found = {.len = 0};
        struct manifest_json_error error = {.message = ""};
        enum pst_err e = manifest_json_parse(pst_str_from(rows[i].json), add,
                                             &found, &error);

        if (e)
            fail_msg("%s: %s (%zu:%zu)", rows[i].name, error.message,
                     error.line, error.column);
        if (strcmp(found.text, rows[i].want) != 0)
            fail_msg("%s: got %s", rows[i].name, found.text);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *json;
        const char *want; /* part of the message */
        size_t line;
        size_t column;
    } rows[] = {
        {"", "must have an object", 1, 1},
        {"[]", "must have an object", 1, 1},
        {"\"{a}\"", "must have an object", 1, 1},
        {"{\"a\":\"{a}\"} x", "text after its end", 1, 13},
        {"{\"a\":\"{a}\"", "expected \",\" or \"}\"", 1, 11},
        {"{\"a\":\"{a}\",}", "expected a string", 1, 12},
        {"{\"a\" \"{a}\"}", "expected \":\"", 1, 6},
        {"{\"a\":\"{a}\n\"}", "invalid or truncated value", 1, 7},
        {"{\"a\":\"{a}", "invalid or truncated value", 1, 7},
        {"{\n \"a\": 1\n}", "must have a document's text", 2, 7},
        {"{\"a\":{\"text\":\"{a}\"}}", "must have a document's text", 1, 6},
        /* persistgraphql's format: text and id the other way round */
        {"{\"{a}\": 1}", "must have a document's text", 1, 9},
        {"{\"a\":\"\\x\"}", "invalid escape", 1, 10},
        {"{\"a\":\"\\ud800\"}", "invalid escape", 1, 14},
        {"{\"\":\"{a}\"}", "empty id", 1, 10},
        {"{\"a\":\"\xFF\"}", "not UTF-8", 1, 1},
        {"{\"operations\":[{\"id\":\"1\",\"body\":\"{a}\"}]}", "\"format\"", 1,
         15},
        {"{\"version\":1,\"operations\":[]}", "\"format\"", 1, 27},
        {"{\"version\":2,\"format\":\"apollo-persisted-query-manifest\","
         "\"operations\":[]}",
         "\"version\": 1", 1, 70},
        {"{" APOLLO ",\"operations\":[{\"id\":\"1\"}]}", "without \"id\"", 1,
         84},
        {"{" APOLLO ",\"operations\":[{\"body\":\"{a}\"}]}", "without \"id\"",
         1, 88},
        {"{" APOLLO ",\"operations\":[\"{a}\"]}", "must have an object", 1, 74},
        {"{" APOLLO ",\"operations\":[{\"id\":\"1\",\"id\":\"2\"}]}", "twice",
         1, 89},
        {"{" APOLLO ",\"operations\":[{\"id\":1,\"body\":\"{a}\"}]}",
         "expected a string", 1, 80},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct found found = {.len = 0};
        struct manifest_json_error error = {.message = ""};
        enum pst_err e = manifest_json_parse(pst_str_from(rows[i].json), add,
                                             &found, &error);

        if (e != PST_BAD_CONFIG)
            fail_msg("%s: %s", rows[i].json, pst_err_code(e));
        if (!strstr(error.message, rows[i].want))
            fail_msg("%s: got %s", rows[i].json, error.message);
        if (error.line != rows[i].line || error.column != rows[i].column)
            fail_msg("%s: %s at %zu:%zu", rows[i].json, error.message,
                     error.line, error.column);
    }
}

/* A file truncated anywhere is refused, and nothing is read beyond its end. */
static void
test_cut(void **state)
{
    static const char *const rows[] = {
        "{\"a\":\"{a(b: \\\"\\u00e9\\\")}\",\"b\":\"{b}\"}",
        "{" APOLLO ",\"operations\":[{\"id\":\"1\",\"x\":[{}],\"body\":\"{a}\"}"
        "]}",
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        for (size_t len = 0; len < strlen(rows[i]); len++) {
            struct found found = {.len = 0};
            struct manifest_json_error error;
            char *json =
                malloc(len + 1); /* so that memory checkers see overreads */

            assert_non_null(json);
            memcpy(json, rows[i], len);
            if (manifest_json_parse((struct pst_str){json, len}, add, &found,
                                    &error) != PST_BAD_CONFIG)
                fail_msg("%.*s is accepted", (int)len, rows[i]);
            free(json);
        }
}

static void
test_errors_of_others(void **state)
{
    struct found found = {.len = 0};
    struct manifest_json_error error = {.message = NULL};

    (void)state;
    assert_int_equal(
        manifest_json_parse(PST_STR("{\"a\":\"stop\"}"), add, &found, &error),
        PST_NO_MEMORY);
    failing_at(1);
    assert_int_equal(
        manifest_json_parse(PST_STR("{\"a\":\"{a}\"}"), add, &found, &error),
        PST_NO_MEMORY);
    assert_true(failing_has_failed());
    assert_null(error.message);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_errors_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

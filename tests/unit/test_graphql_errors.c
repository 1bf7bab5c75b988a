/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_errors.c - which responses have errors, and which errors are a
 * validator's. Whole logins: test_backend_login.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend_config.h"
#include "upstream/graphql_errors.h"

#define CODE(code) "{\"extensions\":{\"code\":\"" code "\"}}"
#define CLASS(name) "{\"extensions\":{\"classification\":\"" name "\"}}"
#define RUBY(first, code)                  \
    "{\"path\":[\"" first "\",\"login\"]," \
    "\"extensions\":{\"code\":\"" code "\"}}"
#define PLACED(message) \
    "{\"message\":\"" message "\",\"locations\":[{\"line\":1,\"column\":2}]}"

static const struct pst_json *
parse(const char *text)
{
    const struct pst_json *root = NULL;

    pst_arena_reset(arena);
    assert_int_equal(pst_json_parse(arena, pst_str_from(text), &root), PST_OK);
    return root;
}

static void
test_has_errors(void **state)
{
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"{}", false},
        {"[]", false},
        {"{\"errors\":null}", false},
        {"{\"errors\":[]}", false},
        {"{\"errors\":[null]}", true},
        {"{\"errors\":[{}],\"data\":{}}", true},
        {"{\"errors\":{}}", true},
        {"{\"errors\":false}", true},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        if (graphql_has_errors(parse(rows[i].text)) != rows[i].want)
            fail_msg("%s", rows[i].text);
    }
    assert_false(graphql_has_errors(NULL));
}

static void
test_code(void **state)
{
    (void)state;
    expect_text("code", graphql_error_code(parse(CODE("X"))), "X");
    expect_text("none", graphql_error_code(parse("{}")), NULL);
    expect_text("number",
                graphql_error_code(parse("{\"extensions\":{\"code\":1}}")),
                NULL);
    expect_text("no error", graphql_error_code(NULL), NULL);
}

static void
test_schema_mismatch(void **state)
{
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"{\"errors\":[" CODE("GRAPHQL_VALIDATION_FAILED") "]}", true},
        {"{\"errors\":[" CODE("GRAPHQL_PARSE_FAILED") "]}", true},
        {"{\"errors\":[" CODE("BAD_USER_INPUT") "]}", false},
        {"{\"errors\":[" CLASS("ValidationError") "]}", true},
        {"{\"errors\":[" CLASS("InvalidSyntax") "]}", true},
        {"{\"errors\":[" CLASS("DataFetchingException") "]}", false},
        {"{\"errors\":[" PLACED("Cannot query field \\\"a\\\"") "]}", true},
        {"{\"errors\":[" PLACED("Wrong password.") "]}", false},
        {"{\"errors\":[" PLACED("Variable \\\"$a\\\" got invalid value 1") "]}",
         false},
        {"{\"errors\":[{\"message\":\"Cannot query field \\\"a\\\"\"}]}",
         false},
        /* The words of servers in Python, Rust and C# for the same. */
        {"{\"errors\":[" PLACED("Cannot query field 'a' on type 'B'.") "]}",
         true},
        {"{\"errors\":[" PLACED("Variable '$a' of type 'B' used in") "]}",
         true},
        {"{\"errors\":[" PLACED("Variable \\\"a\\\" of type") "]}", true},
        {"{\"errors\":[" PLACED("Unknown field \\\"a\\\" on type") "]}", true},
        {"{\"errors\":[" PLACED("The field `a` does not exist on") "]}", true},
        {"{\"errors\":[" PLACED("Cannot query field of") "]}", false},
        {"{\"errors\":[" PLACED("Cannot query field ") "]}", false},
        {"{\"errors\":[" PLACED(
             "Variable '$a' got invalid value 'hunter2'") "]}",
         false},
        /* Hasura, Directus. */
        {"{\"errors\":[" CODE("validation-failed") "]}", true},
        {"{\"errors\":[" CODE("parse-failed") "]}", true},
        {"{\"errors\":[" CODE("GRAPHQL_VALIDATION") "]}", true},
        {"{\"errors\":[" CODE("unexpected") "]}", false},
        /* graphql-ruby: the path is one in the document. */
        {"{\"errors\":[" RUBY("mutation Login", "undefinedField") "]}", true},
        {"{\"errors\":[" RUBY("fragment F", "argumentNotAccepted") "]}", true},
        {"{\"errors\":[" RUBY("query Me", "undefinedField") "]}", true},
        {"{\"errors\":[" RUBY("mutation", "undefinedField") "]}", true},
        {"{\"errors\":[" RUBY("query", "undefinedField") "]}", true},
        {"{\"errors\":[" RUBY("login", "undefinedField") "]}", false},
        /* Aliases of a client. */
        {"{\"errors\":[" RUBY("mutation1", "undefinedField") "]}", false},
        {"{\"errors\":[" RUBY("query_a", "undefinedField") "]}", false},
        {"{\"errors\":[" RUBY("fragment", "undefinedField") "]}", false},
        {"{\"errors\":[" RUBY("mutation", "wrongPassword") "]}", false},
        /* gqlgen writes null where nothing ran. */
        {"{\"errors\":[" CODE("GRAPHQL_PARSE_FAILED") "],\"data\":null}", true},
        /* It ran. */
        {"{\"errors\":[" CODE("GRAPHQL_PARSE_FAILED") "],\"data\":{}}", false},
        {"{\"errors\":[{\"path\":[],\"extensions\":{\"code\":"
         "\"GRAPHQL_PARSE_FAILED\"}}]}",
         false},
        /* One error of another kind is enough. */
        {"{\"errors\":[" CODE("GRAPHQL_PARSE_FAILED") "," CODE("X") "]}",
         false},
        {"{\"errors\":[]}", false},
        {"{\"errors\":" CODE("GRAPHQL_PARSE_FAILED") "}", false},
        {"{}", false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        if (graphql_is_schema_mismatch(parse(rows[i].text)) != rows[i].want)
            fail_msg("%s", rows[i].text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_has_errors),
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_schema_mismatch),
    };

    return RUN_WITH_ARENA(tests);
}

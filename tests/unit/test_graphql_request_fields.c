/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_request_fields.c - the members of one GraphQL request: their
 * types and combinations, and names that other parsers could confuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "codec/json_names.h"
#include "codec/json_slice.h"
#include "gateway/graphql_request_fields.h"

#define HEX "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789ABCDEF"
#define LOW "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PERSISTED(members) "{\"extensions\":{\"persistedQuery\":{" members "}}}"

static struct pst_arena *arena;

static int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static enum pst_err
read_json(const char *json, struct graphql_request *gql, const char **reason)
{
    struct pst_json_error error;
    struct pst_str object;
    enum pst_err e = pst_json_check(arena, pst_str_from(json), &object, &error);

    if (e)
        return e;
    *reason = NULL;
    e = graphql_request_parse_object(arena, object, 100, gql, reason);
    assert_int_equal(e != PST_OK, *reason != NULL);
    return e;
}

/* NULL in a row means absent. */
static void
check(const char *row, const char *what, struct pst_str got, const char *want)
{
    if (!pst_str_equal(got, pst_str_from(want)) ||
        pst_str_is_absent(got) != (want == NULL))
        fail_msg("%s: %s is [%.*s], not [%s]", row, what, (int)got.len,
                 got.ptr ? got.ptr : "", want ? want : "absent");
}

static const struct {
    const char *in;
    enum pst_err e;
    const char *document;
    const char *operation_name;
    const char *variables;
    const char *extensions;
    const char *id;
} rows[] = {
    {"{\"query\":\"{a}\"}", PST_OK, "{a}", NULL, NULL, NULL, NULL},
    {"{\"\\u0071uery\":\"{\\u0061}\"}", PST_OK, "{a}", NULL, NULL, NULL, NULL},
    {"{\"query\":\"{a}\",\"operationName\":\"A\","
     "\"variables\": { \"a\" : 123456789012345678901234567890 } ,"
     "\"extensions\":{\"x\":1}}",
     PST_OK, "{a}", "A", "{ \"a\" : 123456789012345678901234567890 }",
     "{\"x\":1}", NULL},
    {"{\"query\":\"{a}\",\"operationName\":null,\"variables\":null,"
     "\"extensions\":null,\"id\":null}",
     PST_OK, "{a}", NULL, NULL, NULL, NULL},
    {"{\"query\":\"{a}\",\"operationName\":\"\",\"id\":\"\","
     "\"variables\":{},\"extensions\":{}}",
     PST_OK, "{a}", NULL, "{}", "{}", NULL},
    {"{\"query\":\"{a}\",\"more\":[1],\"key\":\"x\",\"que\":1}", PST_OK, "{a}",
     NULL, NULL, NULL, NULL},
    {"{\"documentId\":\"d\"}", PST_OK, NULL, NULL, NULL, NULL, "d"},
    {"{\"id\":\"d\",\"query\":null}", PST_OK, NULL, NULL, NULL, NULL, "d"},
    {"{\"doc_id\":\"d\",\"query\":\"\"}", PST_OK, NULL, NULL, NULL, NULL, "d"},

    /* L55: a document of white space only counts as not given. */
    {"{\"query\":\"\"}", PST_OK, NULL, NULL, NULL, NULL, NULL},
    {"{\"query\":\" \\t\\r\\n \"}", PST_OK, NULL, NULL, NULL, NULL, NULL},
    {"{\"query\":null}", PST_OK, NULL, NULL, NULL, NULL, NULL},
    {"{}", PST_OK, NULL, NULL, NULL, NULL, NULL},

    {"{\"query\":1}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"query\":[\"{a}\"]}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"query\":{\"a\":1}}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"query\":\"\\ud800\"}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"operationName\":1}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"operationName\":false}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"variables\":\"{}\"}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"variables\":\"\"}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"variables\":[]}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"variables\":0}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"extensions\":\"{}\"}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"extensions\":[]}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"id\":7}", PST_MALFORMED, NULL, NULL, NULL, NULL, NULL},
    {"{\"id\":\"a\",\"documentId\":\"a\"}", PST_MALFORMED, NULL, NULL, NULL,
     NULL, NULL},
    {"{\"doc_id\":\"a\",\"documentId\":\"\"}", PST_MALFORMED, NULL, NULL, NULL,
     NULL, NULL},
    {"{\"query\":\"{a}\",\"id\":\"a\"}", PST_MALFORMED, NULL, NULL, NULL, NULL,
     NULL},

    /* L67: members that a parser that ignores case would find. */
    {"{\"Query\":\"{a}\"}", PST_DUPLICATE, NULL, NULL, NULL, NULL, NULL},
    {"{\"query\":\"{a}\",\"QUERY\":\"{b}\"}", PST_DUPLICATE, NULL, NULL, NULL,
     NULL, NULL},
    {"{\"query\":\"{a}\",\"q\\u0055ery\":\"{b}\"}", PST_DUPLICATE, NULL, NULL,
     NULL, NULL, NULL},
    {"{\"operationname\":\"A\"}", PST_DUPLICATE, NULL, NULL, NULL, NULL, NULL},
    {"{\"Variables\":{}}", PST_DUPLICATE, NULL, NULL, NULL, NULL, NULL},
    {"{\"variable\xC5\xBF\":{}}", PST_DUPLICATE, NULL, NULL, NULL, NULL, NULL},
    {"{\"exten\\u017fions\":{}}", PST_DUPLICATE, NULL, NULL, NULL, NULL, NULL},
    {"{\"ID\":\"a\"}", PST_DUPLICATE, NULL, NULL, NULL, NULL, NULL},
    {"{\"documentID\":null}", PST_DUPLICATE, NULL, NULL, NULL, NULL, NULL},
    {"{\"Doc_Id\":1}", PST_DUPLICATE, NULL, NULL, NULL, NULL, NULL},
    {"{\"extensions\":{\"PersistedQuery\":{}}}", PST_DUPLICATE, NULL, NULL,
     NULL, NULL, NULL},
    {"{\"extensions\":{\"per\xC5\xBFistedQuery\":{}}}", PST_DUPLICATE, NULL,
     NULL, NULL, NULL, NULL},
};

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct graphql_request gql = {.id = PST_STR_NONE};
        const char *reason = "";
        enum pst_err e = read_json(rows[i].in, &gql, &reason);

        if (e != rows[i].e)
            fail_msg("%s: %s: %s", rows[i].in, pst_err_code(e), reason);
        check(rows[i].in, "query", gql.document, rows[i].document);
        check(rows[i].in, "operationName", gql.operation_name,
              rows[i].operation_name);
        check(rows[i].in, "variables", gql.variables, rows[i].variables);
        check(rows[i].in, "extensions", gql.extensions, rows[i].extensions);
        check(rows[i].in, "id", gql.id, rows[i].id);
        check(rows[i].in, "hash", gql.hash, NULL);
    }
}

static void
test_persisted(void **state)
{
    static const struct {
        const char *in;
        enum pst_err e;
        const char *hash;
        bool is_unknown;
    } queries[] = {
        {PERSISTED("\"version\":1,\"sha256Hash\":\"" HEX "\""), PST_OK, LOW,
         false},
        {PERSISTED("\"sha256Hash\":\"\\u0030"
                   "123456789abcdef0123456789ABCDEF"
                   "0123456789abcdef0123456789ABCDEF\",\"version\":1"),
         PST_OK, LOW, false},
        {"{\"extensions\":{\"persistedQuery\":null}}", PST_OK, NULL, false},
        {"{\"extensions\":{\"\\u0070ersistedQuery\":{\"version\":1,"
         "\"sha256Hash\":\"" HEX "\"}}}",
         PST_OK, LOW, false},
        {PERSISTED("\"version\":2,\"sha256Hash\":\"" HEX "\""), PST_OK, NULL,
         true},
        {PERSISTED("\"version\":0"), PST_OK, NULL, true},
        {PERSISTED("\"version\":-1"), PST_OK, NULL, true},
        {PERSISTED("\"version\":\"1\",\"sha256Hash\":\"" HEX "\""),
         PST_MALFORMED, NULL, false},
        {PERSISTED("\"version\":1.0,\"sha256Hash\":\"" HEX "\""), PST_MALFORMED,
         NULL, false},
        {PERSISTED("\"version\":true,\"sha256Hash\":\"" HEX "\""),
         PST_MALFORMED, NULL, false},
        {PERSISTED("\"sha256Hash\":\"" HEX "\""), PST_MALFORMED, NULL, false},
        {PERSISTED("\"version\":1"), PST_MALFORMED, NULL, false},
        {PERSISTED("\"version\":1,\"sha256Hash\":null"), PST_MALFORMED, NULL,
         false},
        {PERSISTED("\"version\":1,\"sha256Hash\":\"" HEX "0\""), PST_MALFORMED,
         NULL, false},
        {PERSISTED("\"version\":1,\"sha256Hash\":\"\""), PST_MALFORMED, NULL,
         false},
        {PERSISTED("\"version\":1,\"sha256Hash\":\"g"
                   "123456789abcdef"
                   "0123456789abcdef0123456789abcdef0123456789abcdef\""),
         PST_MALFORMED, NULL, false},
        {PERSISTED("\"version\":1,\"SHA256Hash\":\"" HEX "\""), PST_MALFORMED,
         NULL, false},
        {"{\"extensions\":{\"persistedQuery\":\"x\"}}", PST_MALFORMED, NULL,
         false},
        {"{\"extensions\":{\"persistedQuery\":[]}}", PST_MALFORMED, NULL,
         false},
        {"{\"id\":\"a\",\"extensions\":{\"persistedQuery\":{\"version\":1,"
         "\"sha256Hash\":\"" HEX "\"}}}",
         PST_MALFORMED, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(queries); i++) {
        struct graphql_request gql = {.id = PST_STR_NONE};
        const char *reason = "";
        enum pst_err e = read_json(queries[i].in, &gql, &reason);

        if (e != queries[i].e)
            fail_msg("%s: %s: %s", queries[i].in, pst_err_code(e), reason);
        check(queries[i].in, "hash", gql.hash, queries[i].hash);
        assert_int_equal(gql.is_unsupported_persisted, queries[i].is_unknown);
    }
}

static void
test_values(void **state)
{
    static const struct {
        enum graphql_request_field field;
        const char *value;
        enum pst_err e;
        const char *want; /* in that field; NULL: absent */
    } texts[] = {
        {GRAPHQL_REQUEST_QUERY, "{a}", PST_OK, "{a}"},
        {GRAPHQL_REQUEST_QUERY, " ", PST_OK, NULL}, /* L55 */
        {GRAPHQL_REQUEST_OPERATION_NAME, "null", PST_OK, "null"},
        {GRAPHQL_REQUEST_OPERATION_NAME, "", PST_OK, NULL},
        {GRAPHQL_REQUEST_VARIABLES, " {\"a\":1} ", PST_OK, "{\"a\":1}"},
        {GRAPHQL_REQUEST_VARIABLES, "null", PST_OK, NULL},
        {GRAPHQL_REQUEST_VARIABLES, "", PST_OK, NULL},
        {GRAPHQL_REQUEST_VARIABLES, "[]", PST_MALFORMED, NULL},
        {GRAPHQL_REQUEST_VARIABLES, "\"{}\"", PST_MALFORMED, NULL},
        {GRAPHQL_REQUEST_VARIABLES, "{a:1}", PST_MALFORMED, NULL},
        {GRAPHQL_REQUEST_VARIABLES, "{\"a\":1,\"\\u0061\":2}", PST_DUPLICATE,
         NULL},
        {GRAPHQL_REQUEST_EXTENSIONS, "{\"a\":1}", PST_OK, "{\"a\":1}"},
        {GRAPHQL_REQUEST_EXTENSIONS, "1", PST_MALFORMED, NULL},
        {GRAPHQL_REQUEST_ID, "a", PST_OK, "a"},
        {GRAPHQL_REQUEST_DOCUMENT_ID, "a", PST_OK, "a"},
        {GRAPHQL_REQUEST_DOC_ID, "", PST_OK, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(texts); i++) {
        struct pst_str values[GRAPHQL_REQUEST_FIELD_COUNT] = {PST_STR_NONE};
        struct graphql_request gql = {.id = PST_STR_NONE};
        const char *reason = "";
        enum pst_err e;

        values[texts[i].field] = pst_str_from(texts[i].value);
        e = graphql_request_parse_values(arena, values, &gql, &reason);
        if (e != texts[i].e)
            fail_msg("%zu: %s: %s: %s", i, texts[i].value, pst_err_code(e),
                     reason);
        check(texts[i].value, "it",
              texts[i].field == GRAPHQL_REQUEST_QUERY ? gql.document
              : texts[i].field == GRAPHQL_REQUEST_OPERATION_NAME
                  ? gql.operation_name
              : texts[i].field == GRAPHQL_REQUEST_VARIABLES  ? gql.variables
              : texts[i].field == GRAPHQL_REQUEST_EXTENSIONS ? gql.extensions
                                                             : gql.id,
              texts[i].want);
    }
}

static void
test_find(void **state)
{
    bool is_alike;

    (void)state;
    assert_int_equal(
        graphql_request_field_find(PST_STR("documentId"), &is_alike),
        GRAPHQL_REQUEST_DOCUMENT_ID);
    assert_false(is_alike);
    assert_int_equal(
        graphql_request_field_find(PST_STR("documentid"), &is_alike),
        GRAPHQL_REQUEST_FIELD_COUNT);
    assert_true(is_alike);
    assert_string_equal(
        graphql_request_field_case_error(PST_STR("documentid")),
        "a name differs from \"documentId\" only in letter case");
    assert_int_equal(graphql_request_field_find(PST_STR("document"), &is_alike),
                     GRAPHQL_REQUEST_FIELD_COUNT);
    assert_false(is_alike);
}

static void
test_why(void **state)
{
    struct pst_json_error error = {"a value is expected", 17};

    (void)state;
    assert_string_equal(graphql_request_json_error(arena, &error),
                        "a value is expected (at byte 17)");
    pst_arena_fail_at(arena, 1);
    assert_string_equal(graphql_request_json_error(arena, &error),
                        "a value is expected");
}

static void
test_no_memory(void **state)
{
    static const char json[] =
        "{\"query\":\"{\\n a }\",\"operationName\":\"\\u0041\",\"extensions\":"
        "{\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"" HEX "\"}}}";
    struct pst_json_error error;
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY; n++) {
        struct pst_str object;
        struct graphql_request gql;
        const char *reason = NULL;

        pst_arena_reset(arena);
        assert_int_equal(
            pst_json_check(arena, pst_str_from(json), &object, &error), PST_OK);
        pst_arena_fail_at(arena, n);
        e = graphql_request_parse_object(arena, object, 5, &gql, &reason);
        assert_int_equal(e != PST_OK, reason != NULL);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 4, 20);
}

/* The same for the values of a query string. Many members need memory to be
 * checked, and no other memory is needed after that. */
static void
test_values_no_memory(void **state)
{
    static char text[10 * PST_JSON_NAMES_INLINE + 20];
    struct pst_str values[GRAPHQL_REQUEST_FIELD_COUNT] = {
        [GRAPHQL_REQUEST_QUERY] = {"{a}", 3}};
    enum pst_err e = PST_NO_MEMORY;
    struct graphql_request gql;
    size_t len = 1;
    size_t n;

    (void)state;
    text[0] = ' ';
    for (size_t i = 0; i <= PST_JSON_NAMES_INLINE; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%c\"m%zu\":1",
                                i > 0 ? ',' : '{', i);
    text[len++] = '}';
    values[GRAPHQL_REQUEST_VARIABLES] = (struct pst_str){text, len};
    for (n = 1; e == PST_NO_MEMORY && n < 20; n++) {
        const char *reason = NULL;

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = graphql_request_parse_values(arena, values, &gql, &reason);
        assert_int_equal(e != PST_OK, reason != NULL);
    }
    assert_int_equal(e, PST_OK);
    assert_true(n > 2);
    check("all", "query", gql.document, "{a}");
    assert_ptr_equal(gql.variables.ptr, text + 1);
    assert_int_equal(gql.variables.len, len - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_persisted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_find, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values_no_memory, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("call_fields", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_request_fields.c - the members of one GraphQL request: what they
 * may be, what they say together, and what another reader could take for one of
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
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
read_json(const char *json, struct call *call, const char **why)
{
    struct pst_json_fault fault;
    struct pst_text object;
    enum pst_err e =
        pst_json_check(arena, pst_text_from(json), &object, &fault);

    if (e)
        return e;
    *why = NULL;
    e = call_read_object(arena, object, 100, call, why);
    assert_int_equal(e != PST_OK, *why != NULL);
    return e;
}

/* Absent in `call` is NULL in a row. */
static void
check(const char *row, const char *what, struct pst_text got, const char *want)
{
    if (!pst_text_equal(got, pst_text_from(want)) ||
        pst_text_is_absent(got) != (want == NULL))
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

    /* L55: a blank document is none. */
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

    /* L67: what a reader that ignores case would find. */
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
        struct call call = {.id = PST_NO_TEXT};
        const char *why = "";
        enum pst_err e = read_json(rows[i].in, &call, &why);

        if (e != rows[i].e)
            fail_msg("%s: %s: %s", rows[i].in, pst_err_code(e), why);
        check(rows[i].in, "query", call.document, rows[i].document);
        check(rows[i].in, "operationName", call.operation_name,
              rows[i].operation_name);
        check(rows[i].in, "variables", call.variables, rows[i].variables);
        check(rows[i].in, "extensions", call.extensions, rows[i].extensions);
        check(rows[i].in, "id", call.id, rows[i].id);
        check(rows[i].in, "hash", call.hash, NULL);
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
        struct call call = {.id = PST_NO_TEXT};
        const char *why = "";
        enum pst_err e = read_json(queries[i].in, &call, &why);

        if (e != queries[i].e)
            fail_msg("%s: %s: %s", queries[i].in, pst_err_code(e), why);
        check(queries[i].in, "hash", call.hash, queries[i].hash);
        assert_int_equal(call.is_unknown_persisted, queries[i].is_unknown);
    }
}

static void
test_values(void **state)
{
    static const struct {
        enum call_field field;
        const char *value;
        enum pst_err e;
        const char *want; /* in that field; NULL: absent */
    } texts[] = {
        {CALL_QUERY, "{a}", PST_OK, "{a}"},
        {CALL_QUERY, " ", PST_OK, NULL}, /* L55 */
        {CALL_OPERATION_NAME, "null", PST_OK, "null"},
        {CALL_OPERATION_NAME, "", PST_OK, NULL},
        {CALL_VARIABLES, " {\"a\":1} ", PST_OK, "{\"a\":1}"},
        {CALL_VARIABLES, "null", PST_OK, NULL},
        {CALL_VARIABLES, "", PST_OK, NULL},
        {CALL_VARIABLES, "[]", PST_MALFORMED, NULL},
        {CALL_VARIABLES, "\"{}\"", PST_MALFORMED, NULL},
        {CALL_VARIABLES, "{a:1}", PST_MALFORMED, NULL},
        {CALL_VARIABLES, "{\"a\":1,\"\\u0061\":2}", PST_DUPLICATE, NULL},
        {CALL_EXTENSIONS, "{\"a\":1}", PST_OK, "{\"a\":1}"},
        {CALL_EXTENSIONS, "1", PST_MALFORMED, NULL},
        {CALL_ID, "a", PST_OK, "a"},
        {CALL_DOCUMENT_ID, "a", PST_OK, "a"},
        {CALL_DOC_ID, "", PST_OK, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(texts); i++) {
        struct pst_text values[CALL_FIELD_COUNT] = {PST_NO_TEXT};
        struct call call = {.id = PST_NO_TEXT};
        const char *why = "";
        enum pst_err e;

        values[texts[i].field] = pst_text_from(texts[i].value);
        e = call_read_values(arena, values, &call, &why);
        if (e != texts[i].e)
            fail_msg("%zu: %s: %s: %s", i, texts[i].value, pst_err_code(e),
                     why);
        check(texts[i].value, "it",
              texts[i].field == CALL_QUERY            ? call.document
              : texts[i].field == CALL_OPERATION_NAME ? call.operation_name
              : texts[i].field == CALL_VARIABLES      ? call.variables
              : texts[i].field == CALL_EXTENSIONS     ? call.extensions
                                                      : call.id,
              texts[i].want);
    }
}

static void
test_find(void **state)
{
    bool is_alike;

    (void)state;
    assert_int_equal(call_field_find(PST_TEXT("documentId"), &is_alike),
                     CALL_DOCUMENT_ID);
    assert_false(is_alike);
    assert_int_equal(call_field_find(PST_TEXT("documentid"), &is_alike),
                     CALL_FIELD_COUNT);
    assert_true(is_alike);
    assert_string_equal(
        call_field_why_alike(PST_TEXT("documentid")),
        "a name differs from \"documentId\" in the case of letters");
    assert_int_equal(call_field_find(PST_TEXT("document"), &is_alike),
                     CALL_FIELD_COUNT);
    assert_false(is_alike);
}

static void
test_why(void **state)
{
    struct pst_json_fault fault = {"a value is expected", 17};

    (void)state;
    assert_string_equal(call_json_why(arena, &fault),
                        "a value is expected (at byte 17)");
    pst_arena_fail_at(arena, 1);
    assert_string_equal(call_json_why(arena, &fault), "a value is expected");
}

static void
test_no_memory(void **state)
{
    static const char json[] =
        "{\"query\":\"{\\n a }\",\"operationName\":\"\\u0041\",\"extensions\":"
        "{\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"" HEX "\"}}}";
    struct pst_json_fault fault;
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY; n++) {
        struct pst_text object;
        struct call call;
        const char *why = NULL;

        pst_arena_reset(arena);
        assert_int_equal(
            pst_json_check(arena, pst_text_from(json), &object, &fault),
            PST_OK);
        pst_arena_fail_at(arena, n);
        e = call_read_object(arena, object, 5, &call, &why);
        assert_int_equal(e != PST_OK, why != NULL);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 4, 20);
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
    };

    return cmocka_run_group_tests_name("call_fields", tests, NULL, NULL);
}

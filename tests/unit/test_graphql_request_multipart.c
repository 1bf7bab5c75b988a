/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_request_multipart.c - the multipart body for the backend, from
 * the client's multipart request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "gateway/graphql_request.h"

#define NL "\r\n"
#define TYPE "multipart/form-data; boundary=xx"
#define PART(lines, content) "--xx" NL lines NL content NL
#define FORM "Content-Disposition: form-data; name="
#define ASKED(operations, map)                 \
    PART(FORM "\"operations\"" NL, operations) \
    PART(FORM "\"map\"" NL, map)
#define FILE(name) PART(FORM "\"" name "\"; filename=\"n\"" NL, "<" name ">")
#define END "--xx--" NL

#define OURS "postern-0102030405060708"
#define SENT(operations, map)                                                \
    "--" OURS NL FORM "\"operations\"" NL NL operations NL "--" OURS NL FORM \
    "\"map\"" NL NL map
#define SENT_FILE(number, name)                              \
    NL "--" OURS NL FORM "\"" number "\"; filename=\"n\"" NL \
       "Content-Type: application/octet-stream" NL NL "<" name ">"
#define CLOSE NL "--" OURS "--" NL

static const uint8_t random_octets[REQUEST_RANDOM_LEN] = {1, 2, 3, 4,
                                                          5, 6, 7, 8};
static const struct config config = {.max_json = 5000};
static const struct pst_str names[] = {{"a", 1}, {"list", 4}};

static struct pst_arena *arena;
static struct pst_str body;
static struct request req;

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
source_read(void *context, char *out, size_t size, size_t *len)
{
    struct pst_str *rest = context;

    *len = rest->len < size ? rest->len : size;
    if (*len > 0)
        memcpy(out, rest->ptr, *len);
    *rest = pst_str_skip(*rest, *len);
    return PST_OK;
}

static enum pst_err
receive(const char *const *variables, const char *text,
        struct graphql_request_list *list)
{
    const struct request_input origin = {
        .variables = variables,
        .source = {source_read, &body, -1},
        .max_body = 50000,
    };

    body = pst_str_from(text);
    assert_int_equal(request_init(&req, arena, &origin, random_octets), PST_OK);
    return graphql_request_read(&req, &config, list);
}

static const char *const usual[] = {"REQUEST_METHOD=POST", "CONTENT_TYPE=" TYPE,
                                    NULL};

/* A plan for each request: the names above are forwarded; the request
 * `left_out` is omitted. */
static void
make_plans(const struct graphql_request_list *list, size_t left_out,
           struct graphql_request_plan *plans)
{
    for (size_t i = 0; i < list->count; i++)
        plans[i] = (struct graphql_request_plan){
            .gql = &list->requests[i],
            .document = list->requests[i].document,
            .variables = names,
            .variable_count = PST_COUNT(names),
            .is_omitted = i == left_out};
}

#define NONE GRAPHQL_REQUEST_BATCH_MAX

static const struct {
    const char *name;
    const char *in;
    const char *want; /* NULL: refused */
    size_t left_out;
} rows[] = {
    {"one file",
     ASKED("{ \"variables\" : { \"a\" : null } , \"query\":\"{x}\",\"y\":1}",
           " { \"\\u0030\" : [ \"variables.\\u0061\" ] } ") FILE("0") END,
     SENT("{\"query\":\"{x}\",\"variables\":{\"a\":null}}",
          "{\"0\":[\"variables.a\"]}") SENT_FILE("0", "0") CLOSE,
     NONE},
    {"a BOM, and no files",
     PART(FORM "\"operations\"" NL, "\xEF\xBB\xBF{\"query\":\"{x}\"}") END,
     SENT("{\"query\":\"{x}\"}", "{}") CLOSE, NONE},
    {"files of a list, in another order",
     ASKED("{\"query\":\"{x}\",\"variables\":{\"list\":[null,{\"f\":null}],"
           "\"a\":null}}",
           "{\"x\":[\"variables.list.1.f\",\"variables.a\"],"
           "\"y\":[\"variables.list.0\"]}") FILE("y") FILE("x") END,
     SENT("{\"query\":\"{x}\",\"variables\":{\"list\":[null,{\"f\":null}],"
          "\"a\":null}}",
          "{\"0\":[\"variables.list.1.f\",\"variables.a\"],"
          "\"1\":[\"variables.list.0\"]}") SENT_FILE("1", "y")
         SENT_FILE("0", "x") CLOSE,
     NONE},
    {"two files in one place",
     ASKED("{\"query\":\"{x}\",\"variables\":{\"b\":null,\"a\":null}}",
           "{\"0\":[\"variables.b\"],\"1\":[\"variables.b\","
           "\"variables.a\"]}") FILE("0") FILE("1") END,
     NULL, NONE},
    {"what is not declared is dropped, and its file",
     ASKED("{\"query\":\"{x}\",\"variables\":{\"b\":null,\"c\":null,"
           "\"a\":null}}",
           "{\"0\":[\"variables.b\"],\"1\":[\"variables.c\","
           "\"variables.a\"]}") FILE("0") FILE("1") END,
     SENT("{\"query\":\"{x}\",\"variables\":{\"a\":null}}",
          "{\"1\":[\"variables.a\"]}") SENT_FILE("1", "1") CLOSE,
     NONE},
    {"a batch",
     ASKED("[{\"query\":\"{x}\",\"variables\":{\"a\":null}},{\"query\":"
           "\"{y}\",\"variables\":{\"a\":null}}]",
           "{\"0\":[\"0.variables.a\",\"1.variables.a\"]}") FILE("0") END,
     SENT("[{\"query\":\"{x}\",\"variables\":{\"a\":null}},{\"query\":"
          "\"{y}\",\"variables\":{\"a\":null}}]",
          "{\"0\":[\"0.variables.a\",\"1.variables.a\"]}") SENT_FILE("0", "0")
         CLOSE,
     NONE},
    {"one of a batch is left out, the others move up",
     ASKED("[{\"query\":\"{x}\",\"variables\":{\"a\":null}},{\"query\":"
           "\"{y}\",\"variables\":{\"a\":null}}]",
           "{\"0\":[\"0.variables.a\"],\"1\":[\"1.variables.a\"]}") FILE("0")
         FILE("1") END,
     SENT("[{\"query\":\"{y}\",\"variables\":{\"a\":null}}]",
          "{\"1\":[\"0.variables.a\"]}") SENT_FILE("1", "1") CLOSE,
     0},

    /* L67: the plan's document is sent, not the client's. */
    {"a file in the place of the document",
     ASKED("{\"query\":null,\"variables\":{\"a\":null}}", "{\"0\":[\"query\"]}")
         FILE("0") END,
     NULL, NONE},
    {"a member twice", ASKED("{\"query\":\"{x}\",\"query\":\"{y}\"}", "{}") END,
     NULL, NONE},
    {"a second operations",
     ASKED("{\"query\":\"{x}\"}", "{}")
         PART(FORM "\"operations\"" NL, "{\"query\":\"{y}\"}") END,
     NULL, NONE},
    {"in capitals", ASKED("{\"query\":\"{x}\",\"Query\":\"{y}\"}", "{}") END,
     NULL, NONE},
    {"the map twice",
     ASKED("{\"query\":\"{x}\"}", "{}") PART(FORM "\"map\"" NL, "{}") END, NULL,
     NONE},
    {"our delimiter",
     ASKED("{\"query\":\"{x(a:\\\"--\\u0070ostern-0102030405060708\\\")}\"}",
           "{}") END,
     NULL, NONE},
    {"no JSON", ASKED("{x}", "{}") END, NULL, NONE},
    {"no map", ASKED("{\"query\":\"{x}\"}", "x") END, NULL, NONE},
};

static enum pst_err
pass(const char *text, size_t left_out, size_t size, struct pst_buf *out,
     struct graphql_request_list *list)
{
    struct graphql_request_plan plans[3];
    struct pst_str type = PST_STR_NONE;
    enum pst_err e = receive(usual, text, list);
    size_t len;

    if (e)
        return e;
    assert_int_equal(list->form, GRAPHQL_REQUEST_MULTIPART);
    make_plans(list, left_out, plans);
    e = graphql_request_multipart_begin(&req, list, plans, &type);
    if (e)
        return e;
    assert_true(
        pst_str_equal(type, PST_STR("multipart/form-data; boundary=" OURS)));
    do {
        char piece[512];

        e = graphql_request_multipart_read(&req, list, piece, size, &len);
        if (!e)
            pst_buf_add(out, (struct pst_str){piece, len});
    } while (!e && len > 0);
    return e;
}

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        for (size_t size = 1; size <= 512; size += 73) {
            char storage[2048];
            struct graphql_request_list list;
            struct pst_buf out;
            enum pst_err e;

            pst_buf_init(&out, storage, sizeof(storage));
            e = pass(rows[i].in, rows[i].left_out, size, &out, &list);
            if ((e == PST_OK) != (rows[i].want != NULL))
                fail_msg("%s: %s: %s", rows[i].name, pst_err_code(e),
                         list.reason);
            assert_int_equal(e == PST_OK, list.reason[0] == '\0');
            if (!e &&
                !pst_str_equal(pst_buf_str(&out), pst_str_from(rows[i].want)))
                fail_msg("%s:\n%.*s", rows[i].name, (int)out.len, out.ptr);
            pst_arena_reset(arena);
        }
    }
}

/* Errors in the request as a whole. */
static void
test_refused(void **state)
{
    static const struct {
        const char *variables[5];
        enum pst_err e;
    } request_rows[] = {
        {{"REQUEST_METHOD=POST", "CONTENT_TYPE=multipart/form-data", NULL},
         PST_MALFORMED},
        {{"REQUEST_METHOD=POST",
          "CONTENT_TYPE=multipart/form-data; boundary=\"x\\x\"", NULL},
         PST_MALFORMED},
        {{"REQUEST_METHOD=POST", "CONTENT_TYPE=" TYPE "; boundary=yy", NULL},
         PST_BAD_TYPE},
        {{"REQUEST_METHOD=POST", "CONTENT_TYPE=" TYPE "; charset=utf-7", NULL},
         PST_MALFORMED},
        {{"REQUEST_METHOD=POST", "CONTENT_TYPE=" TYPE,
          "HTTP_CONTENT_ENCODING=gzip", NULL},
         PST_BAD_TYPE},
        {{"REQUEST_METHOD=POST", "CONTENT_TYPE=" TYPE, "QUERY_STRING=query={b}",
          NULL},
         PST_MALFORMED},
        {{"REQUEST_METHOD=POST", "CONTENT_TYPE=multipart/mixed; boundary=xx",
          NULL},
         PST_BAD_TYPE},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(request_rows); i++) {
        struct graphql_request_list list;
        enum pst_err e = receive(request_rows[i].variables, rows[0].in, &list);

        if (e != request_rows[i].e)
            fail_msg("%zu: %s: %s", i, pst_err_code(e), list.reason);
        assert_true(list.reason[0] != '\0');
        pst_arena_reset(arena);
    }
}

static void
test_no_memory(void **state)
{
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY; n++) {
        char storage[2048];
        struct graphql_request_list list;
        struct pst_buf out;

        pst_arena_reset(arena);
        pst_buf_init(&out, storage, sizeof(storage));
        pst_arena_fail_at(arena, n);
        e = pass(rows[0].in, NONE, 512, &out, &list);
        if (e)
            assert_string_equal(list.reason, pst_err_text(PST_NO_MEMORY));
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 15, 60);
}

/* Whatever memory is left, the request is refused or written whole. */
static void
test_little_memory(void **state)
{
    enum pst_err e = PST_NO_MEMORY;
    size_t left;

    (void)state;
    for (left = 0; e && left < PST_ARENA_SIZE; left += 16) {
        char storage[2048];
        struct graphql_request_list list = {.reason = ""};
        struct pst_buf out;

        pst_arena_reset(arena);
        pst_buf_init(&out, storage, sizeof(storage));
        assert_non_null(pst_arena_alloc(arena, PST_ARENA_SIZE - left));
        e = pass(rows[0].in, NONE, 512, &out, &list);
        if (e ? e != PST_NO_MEMORY
              : !pst_str_equal(pst_buf_str(&out), pst_str_from(rows[0].want)))
            fail_msg("%zu bytes left: %s:\n%.*s", left, pst_err_code(e),
                     (int)out.len, out.ptr);
    }
    assert_int_equal(e, PST_OK);
    assert_true(left > 1024);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_little_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("call_upload", tests, NULL, NULL);
}

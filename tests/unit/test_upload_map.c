/* SPDX-License-Identifier: ISC */
/*
 * test_upload_map.c - accepted and refused paths of files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "gateway/upload_map.h"

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

#define VARIABLES                                                    \
    "{\"file\":null,\"files\":[null,1,null],\"in\":{\"a\":{\"b\":[{" \
    "\"c\":null}]},\"x\":\"null\"},\"\\u0065\":null,\"0\":null,\"\":null}"

/* The same variables alone, or in the second request of a batch of two; the
 * first has one variable. */
static enum pst_err
read_map(struct pst_str json, bool is_batch, struct upload_map *map,
         const char **reason)
{
    const struct graphql_request requests[2] = {
        {.variables =
             is_batch ? PST_STR("{\"first\":null}") : PST_STR(VARIABLES)},
        {.variables = PST_STR(VARIABLES)},
    };
    enum pst_err e;

    *reason = "";
    e = upload_map_parse(arena, json, map, reason);
    if (!e)
        e = upload_map_check(map, requests, is_batch ? 2 : 1, is_batch, reason);
    assert_int_equal(e == PST_OK, *reason[0] == '\0');
    return e;
}

static void
test_rows(void **state)
{
    static const struct {
        const char *json;
        enum pst_err e;
        bool is_batch;
    } rows[] = {
        {"{}", PST_OK, false},
        {" {\"0\" : [ \"variables.file\" ] } ", PST_OK, false},
        {"{\"0\":[\"variables.files.0\",\"variables.files.2\"],"
         "\"x\":[\"variables.in.a.b.0.c\"]}",
         PST_OK, false},
        {"{\"\\u0030\":[\"vari\\u0061bles.file\"]}", PST_OK, false},
        {"{\"0\":[\"variables.e\"]}", PST_OK, false},
        {"{\"0\":[\"variables.0\"]}", PST_OK, false},
        {"{\"0\":[\"1.variables.file\"]}", PST_OK, true},

        {"[]", PST_MALFORMED, false},
        {"null", PST_MALFORMED, false},
        {"", PST_MALFORMED, false},
        {"{\"0\":[\"variables.file\"]}x", PST_MALFORMED, false},
        {"{\"0\":\"variables.file\"}", PST_MALFORMED, false},
        {"{\"0\":[]}", PST_MALFORMED, false},
        {"{\"0\":[1]}", PST_MALFORMED, false},
        {"{\"0\":[[\"variables.file\"]]}", PST_MALFORMED, false},
        {"{\"0\":{\"0\":\"variables.file\"}}", PST_MALFORMED, false},
        {"{\"0\":null}", PST_MALFORMED, false},
        {"{\"\":[\"variables.file\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"\\ud800\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.file\"],\"\\u0030\":[\"variables.e\"]}",
         PST_DUPLICATE, false},

        /* Paths must be below the variables. */
        {"{\"0\":[\"query\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"file\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"files.0\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"Variables.file\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"extensions.a\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"0.variables.file\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.query\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.file.\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.file.x\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables..file\"]}", PST_MALFORMED, false},
        {"{\"0\":[\".variables.file\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.__proto__.x\"]}", PST_MALFORMED, false},
        /* Paths must point to a null. */
        {"{\"0\":[\"variables.files.1\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.files.3\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.files.00\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.files.-1\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.files\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.in.x\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.in.a\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.gone\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.\\\\u0065\"]}", PST_MALFORMED, false},
        {"{\"0\":[\"variables.file\"],\"1\":[\"variables.file\"]}",
         PST_DUPLICATE, false},
        /* In a batch a path begins with the index of the request. */
        {"{\"0\":[\"variables.file\"]}", PST_MALFORMED, true},
        {"{\"0\":[\"0.variables.file\"]}", PST_MALFORMED, true},
        {"{\"0\":[\"2.variables.file\"]}", PST_MALFORMED, true},
        {"{\"0\":[\"01.variables.file\"]}", PST_MALFORMED, true},
        {"{\"0\":[\"0.variables.first\"]}", PST_OK, true},
        {"{\"0\":[\"0.first\"]}", PST_MALFORMED, true},
        {"{\"0\":[\"1.file\"]}", PST_MALFORMED, true},
        {"{\"0\":[\"x.first\"]}", PST_MALFORMED, true},
        {"{\"0\":[\"2.first\"]}", PST_MALFORMED, true},
        {"{\"0\":[\"1\"]}", PST_MALFORMED, true},
        {"{\"0\":[\"1.query\"]}", PST_MALFORMED, true},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct upload_map map;
        const char *reason;
        enum pst_err e = read_map(pst_str_from(rows[i].json), rows[i].is_batch,
                                  &map, &reason);

        if (e != rows[i].e)
            fail_msg("%s: %s: %s", rows[i].json, pst_err_code(e), reason);
        pst_arena_reset(arena);
    }
}

static void
test_find(void **state)
{
    struct upload_map map;
    const char *reason;

    (void)state;
    assert_int_equal(
        read_map(PST_STR("{\"a\":[\"variables.file\",\"variables.files.0\"],"
                         "\"\\u0062\":[\"variables.in.a.b.0.c\"]}"),
                 false, &map, &reason),
        PST_OK);
    assert_ptr_equal(upload_map_find(&map, PST_STR("a")), &map.files[0]);
    assert_ptr_equal(upload_map_find(&map, PST_STR("b")), &map.files[1]);
    assert_null(upload_map_find(&map, PST_STR("c")));
    assert_int_equal(map.files[1].number, 1);
    assert_int_equal(map.path_count, 3);
    assert_int_equal(map.paths[1].file, 0);
    assert_int_equal(map.paths[2].file, 1);
    assert_true(pst_str_equal(map.paths[2].variable, PST_STR("in")));
    assert_true(pst_str_equal(map.paths[2].steps, PST_STR("in.a.b.0.c")));
}

/* `files` files of `paths` paths each, all to different nulls. */
static enum pst_err
read_many(size_t files, size_t paths, size_t junk, const char **reason)
{
    size_t size = files * paths * 40 + junk + 1000;
    char *json = malloc(size);
    char *variables = malloc(size);
    struct graphql_request gql;
    struct upload_map map;
    size_t len = 0;
    size_t at = 0;
    enum pst_err e;

    assert_true(json && variables);
    json[len++] = '{';
    at += (size_t)snprintf(variables, 20, "{\"junk\":\"");
    memset(variables + at, 'x', junk);
    at += junk;
    variables[at++] = '"';
    for (size_t i = 0; i < files; i++) {
        len +=
            (size_t)snprintf(json + len, 30, "%s\"f%zu\":[", i ? "," : "", i);
        for (size_t j = 0; j < paths; j++) {
            len += (size_t)snprintf(json + len, 40, "%s\"variables.v%zu\"",
                                    j ? "," : "", i * paths + j);
            at += (size_t)snprintf(variables + at, 30, ",\"v%zu\":null",
                                   i * paths + j);
        }
        json[len++] = ']';
    }
    json[len++] = '}';
    variables[at++] = '}';
    gql = (struct graphql_request){.variables = {variables, at}};
    *reason = "";
    e = upload_map_parse(arena, (struct pst_str){json, len}, &map, reason);
    if (!e)
        e = upload_map_check(&map, &gql, 1, false, reason);
    pst_arena_reset(arena);
    free(json);
    free(variables);
    return e;
}

static void
test_limits(void **state)
{
    const char *reason;

    (void)state;
    assert_int_equal(read_many(64, 4, 0, &reason), PST_OK);
    assert_int_equal(read_many(65, 1, 0, &reason), PST_TOO_LARGE);
    assert_string_equal(reason, "\"map\" has more than 64 files");
    assert_int_equal(read_many(1, 257, 0, &reason), PST_TOO_LARGE);
    assert_string_equal(reason, "\"map\" has more than 256 paths");
    assert_int_equal(read_many(64, 1, 1024 * 1000, &reason), PST_OK);
    assert_int_equal(read_many(64, 1, 1024 * 1024, &reason), PST_TOO_LARGE);
}

/* Each step of a path scans its value again. */
static void
test_deep_paths(void **state)
{
    enum { DEPTH = 200, JUNK = 512 * 1024 };
    static char variables[JUNK + 6 * DEPTH + 100];
    char path[2 * DEPTH + 40];
    size_t len = 0;
    size_t at;

    (void)state;
    for (int i = 0; i < DEPTH; i++)
        len += (size_t)snprintf(variables + len, 8, "{\"a\":");
    variables[len++] = '"';
    memset(variables + len, 'x', JUNK);
    len += JUNK;
    variables[len++] = '"';
    memset(variables + len, '}', DEPTH);
    len += DEPTH;
    for (int steps = 50; steps <= DEPTH; steps += DEPTH - 50) {
        const struct graphql_request gql = {.variables = {variables, len}};
        struct upload_map map;
        const char *reason = "";

        at = (size_t)snprintf(path, sizeof(path), "{\"0\":[\"variables");
        for (int i = 0; i < steps; i++)
            at += (size_t)snprintf(path + at, 3, ".a");
        at += (size_t)snprintf(path + at, 5, "\"]}");
        assert_int_equal(
            upload_map_parse(arena, (struct pst_str){path, at}, &map, &reason),
            PST_OK);
        assert_int_equal(upload_map_check(&map, &gql, 1, false, &reason),
                         steps < DEPTH ? PST_MALFORMED : PST_TOO_LARGE);
        pst_arena_reset(arena);
    }
}

/* As many bytes as may be scanned, and one more. */
static void
test_walk_limit(void **state)
{
    static const char head[] = "{\"a\":null,\"j\":\"";
    const size_t size = UPLOAD_WALK_MAX;
    char *variables = malloc(size + 1);

    (void)state;
    assert_non_null(variables);
    for (size_t more = 0; more <= 1; more++) {
        const struct graphql_request gql = {
            .variables = {variables, size + more}};
        struct upload_map map;
        const char *reason = "";

        memset(variables, 'x', size + more);
        memcpy(variables, head, sizeof(head) - 1);
        memcpy(variables + size + more - 2, "\"}", 2);
        assert_int_equal(upload_map_parse(arena,
                                          PST_STR("{\"0\":[\"variables.a\"]}"),
                                          &map, &reason),
                         PST_OK);
        assert_int_equal(upload_map_check(&map, &gql, 1, false, &reason),
                         more ? PST_TOO_LARGE : PST_OK);
        pst_arena_reset(arena);
    }
    free(variables);
}

static void
test_no_memory(void **state)
{
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY; n++) {
        struct upload_map map;
        const char *reason;

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = read_map(PST_STR("{\"\\u0030\":[\"variables.\\u0066ile\"]}"), false,
                     &map, &reason);
        if (e)
            assert_string_equal(reason, pst_err_text(PST_NO_MEMORY));
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 4, 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_find, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deep_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_walk_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("upload_map", tests, NULL, NULL);
}

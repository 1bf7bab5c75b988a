/* SPDX-License-Identifier: ISC */
/*
 * test_json_check.c - what is JSON and what is not, equal names in any spelling
 * and in any number, and limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/limits.h"
#include "codec/json.h"
#include "codec/json_check.h"

#define T(literal)                      \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }

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
check(struct pst_str text, struct pst_json_error *error)
{
    struct pst_str value = PST_STR_NONE;
    enum pst_err e;

    *error = (struct pst_json_error){NULL, SIZE_MAX};
    e = pst_json_check(arena, text, &value, error);
    assert_int_equal(e == PST_OK, !pst_str_is_absent(value));
    assert_int_equal(e == PST_OK || e == PST_NO_MEMORY, error->reason == NULL);
    assert_true(error->reason == NULL || error->at <= text.len);
    return e;
}

static const struct {
    struct pst_str in;
    enum pst_err e;
    size_t at;
} rows[] = {
    {T("{}"), PST_OK, 0},
    {T(" \t\r\n[ ] \n"), PST_OK, 0},
    {T("[1,-0,1.5E+2,123456789012345678901234567890]"), PST_OK, 0},
    {T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\""), PST_OK, 0},
    {T("\"half \\ud83d of a pair\""), PST_OK, 0},
    {T("\"a\\u0000b\""), PST_OK, 0},
    {T("null"), PST_OK, 0},
    {T("[true,false,null]"), PST_OK, 0},
    {T("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}"), PST_OK, 0},
    {T("{\"\":1,\"a\":2,\"A\":3,\"\xC3\xA4\":4,\"a \":5}"), PST_OK, 0},
    {T("{\"a\":[],\"b\":{},\"c\":[{}]}"), PST_OK, 0},

    {T(""), PST_MALFORMED, 0},
    {T(" "), PST_MALFORMED, 1},
    {T("\xEF\xBB\xBF{}"), PST_MALFORMED, 0},
    {T("{} {}"), PST_MALFORMED, 3},
    {T("{},"), PST_MALFORMED, 2},
    {T("[]\0"), PST_MALFORMED, 2},
    {T("["), PST_MALFORMED, 1},
    {T("[1"), PST_MALFORMED, 2},
    {T("[1,"), PST_MALFORMED, 3},
    {T("[1,]"), PST_MALFORMED, 3},
    {T("[,1]"), PST_MALFORMED, 1},
    {T("[1 2]"), PST_MALFORMED, 3},
    {T("[1}"), PST_MALFORMED, 2},
    {T("]"), PST_MALFORMED, 0},
    {T("{"), PST_MALFORMED, 1},
    {T("{\"a\""), PST_MALFORMED, 4},
    {T("{\"a\":"), PST_MALFORMED, 5},
    {T("{\"a\":1"), PST_MALFORMED, 6},
    {T("{\"a\":1,}"), PST_MALFORMED, 7},
    {T("{\"a\":1]"), PST_MALFORMED, 6},
    {T("{\"a\" 1}"), PST_MALFORMED, 5},
    {T("{a:1}"), PST_MALFORMED, 1},
    {T("{'a':1}"), PST_MALFORMED, 1},
    {T("{1:1}"), PST_MALFORMED, 1},
    {T("{\"a\":1 \"b\":2}"), PST_MALFORMED, 7},
    {T("[01]"), PST_MALFORMED, 2},
    {T("[+1]"), PST_MALFORMED, 1},
    {T("[1.]"), PST_MALFORMED, 3},
    {T("[-]"), PST_MALFORMED, 2},
    {T("[1e]"), PST_MALFORMED, 3},
    {T("[NaN]"), PST_MALFORMED, 1},
    {T("[nul]"), PST_MALFORMED, 1},
    {T("[True]"), PST_MALFORMED, 1},
    {T("[nulll]"), PST_MALFORMED, 5},
    {T("[undefined]"), PST_MALFORMED, 1},
    {T("[1]//"), PST_MALFORMED, 3},
    {T("\"a"), PST_MALFORMED, 1},
    {T("\"a\nb\""), PST_MALFORMED, 1},
    {T("\"a\0b\""), PST_MALFORMED, 1},
    {T("\"\\x\""), PST_MALFORMED, 1},
    {T("\"a\\u12\""), PST_MALFORMED, 2},
    {T("\"\\u12G4\""), PST_MALFORMED, 1},
    {T("\"\xC3\""), PST_MALFORMED, 0},
    {T("\"\xC0\xAF\""), PST_MALFORMED, 0},
    {T("\"\xED\xA0\x80\""), PST_MALFORMED, 0},
    {T("\"\xFF\""), PST_MALFORMED, 0},
    {T("[1,\xC2\xA0 2]"), PST_MALFORMED, 3},
    {T("{\"a\\u0000\":1}"), PST_MALFORMED, 2},
    {T("{\"\\ud800\":1}"), PST_MALFORMED, 2},
    {T("{\"\\udc00\":1}"), PST_MALFORMED, 2},

    {T("{\"a\":1,\"a\":1}"), PST_DUPLICATE, 8},
    {T("{\"a\":1,\"\\u0061\":1}"), PST_DUPLICATE, 8},
    {T("{\"\\u0061b\":1,\"a\\u0062\":1}"), PST_DUPLICATE, 14},
    {T("{\"/\":1,\"b\":0,\"\\/\":1}"), PST_DUPLICATE, 14},
    {T("{\"\":1,\"\":1}"), PST_DUPLICATE, 7},
    {T("{\"\\uD83D\\uDE00\":1,\"\xF0\x9F\x98\x80\":1}"), PST_DUPLICATE, 19},
    {T("[[{\"x\":{\"y\":1,\"z\":[{}],\"y\":2}}]]"), PST_DUPLICATE, 24},
    {T("{\"a\":{\"b\":{\"c\":1}},\"d\":{},\"a\":0}"), PST_DUPLICATE, 27},
};

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_json_error error;
        enum pst_err e = check(rows[i].in, &error);

        if (e != rows[i].e || (e && error.at != rows[i].at))
            fail_msg("%s: %s at %zu: %s", rows[i].in.ptr, pst_err_code(e),
                     error.at, error.reason ? error.reason : "");
    }
}

/*
 * pst_json_check() and pst_json_parse() agree on every prefix of these texts.
 */
static void
test_agrees_with_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        for (size_t len = 0; len <= rows[i].in.len; len++) {
            struct pst_str text = pst_str_first(rows[i].in, len);
            const struct pst_json *value;
            struct pst_json_error error;

            pst_arena_reset(arena);
            if ((check(text, &error) == PST_OK) !=
                (pst_json_parse(arena, text, &value) == PST_OK))
                fail_msg("%.*s: %s", (int)len, text.ptr,
                         error.reason ? error.reason : "is JSON");
        }
    }
}

static void
test_value(void **state)
{
    struct pst_json_error error;
    struct pst_str value;

    (void)state;
    assert_int_equal(
        pst_json_check(arena, PST_STR(" \n{ \"a\" : 1 }\t"), &value, &error),
        PST_OK);
    assert_true(pst_str_equal(value, PST_STR("{ \"a\" : 1 }")));
}

static void
test_depth(void **state)
{
    static char text[2 * PST_JSON_TEXT_DEPTH + 2];
    struct pst_json_error error;

    (void)state;
    for (size_t depth = PST_JSON_TEXT_DEPTH; depth < PST_JSON_TEXT_DEPTH + 2;
         depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(check((struct pst_str){text, 2 * depth}, &error),
                         depth <= PST_JSON_TEXT_DEPTH ? PST_OK : PST_TOO_LARGE);
    }
    assert_string_equal(error.reason,
                        "the JSON is nested deeper than 256 levels");
}

/* A million open brackets cause no recursion. */
static void
test_many_open(void **state)
{
    static char text[1 << 20];
    struct pst_json_error error;

    (void)state;
    memset(text, '{', sizeof(text));
    assert_int_equal(check((struct pst_str){text, sizeof(text)}, &error),
                     PST_MALFORMED);
    memset(text, '[', sizeof(text));
    assert_int_equal(check((struct pst_str){text, sizeof(text)}, &error),
                     PST_TOO_LARGE);
}

/* Large texts. */

#define LARGE ((size_t)4 * 1024 * 1024)

static char large[LARGE + 64];

static double
cpu_seconds(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* 4 MiB of numbers need no memory (U34: any number that fits). */
static void
test_many_values(void **state)
{
    struct pst_json_error error;
    size_t used = pst_arena_used(arena);

    (void)state;
    for (size_t i = 0; i < LARGE; i += 2)
        memcpy(large + i, "1,", 2);
    large[0] = '[';
    large[1] = '1';
    memcpy(large + LARGE - 3, ",1]", 3);
    large[2] = ',';
    assert_int_equal(check((struct pst_str){large, LARGE}, &error),
                     PST_MALFORMED);
    large[0] = ' ';
    large[1] = '[';
    large[2] = '1';
    for (size_t i = 3; i < LARGE - 1; i++)
        large[i] = i % 2 ? ',' : '1';
    large[LARGE - 1] = ']';
    large[LARGE - 2] = '1';
    pst_arena_fail_at(arena, 1);
    assert_int_equal(check((struct pst_str){large, LARGE}, &error), PST_OK);
    assert_int_equal(pst_arena_used(arena), used);
}

/* An array and what is in it. */
static void
test_most_values(void **state)
{
    struct pst_json_split split = {NULL, 0, 0};
    struct pst_json_error error;
    const size_t len = 2 * (PST_JSON_VALUES - 1) + 1;

    (void)state;
    for (size_t i = 0; i < len; i += 2) {
        large[i] = ',';
        large[i + 1] = '1';
    }
    large[0] = '[';
    large[len - 1] = ']';
    assert_int_equal(pst_json_check_object(arena, (struct pst_str){large, len},
                                           &split, &error),
                     PST_OK);
    large[len - 1] = ',';
    large[len] = '1';
    large[len + 1] = ']';
    assert_int_equal(pst_json_check_object(arena,
                                           (struct pst_str){large, len + 2},
                                           &split, &error),
                     PST_TOO_LARGE);
    assert_int_equal(error.at, len);
}

/* Make an object of `count` members with names made by `name`. */
static struct pst_str
many_members(size_t count, size_t (*name)(char *out, size_t i))
{
    size_t len = 0;

    large[len++] = '{';
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            large[len++] = ',';
        large[len++] = '"';
        len += name(large + len, i);
        memcpy(large + len, "\":0", 3);
        len += 3;
        assert_true(len < LARGE);
    }
    large[len++] = '}';
    return (struct pst_str){large, len};
}

static size_t
plain_name(char *out, size_t i)
{
    return (size_t)snprintf(out, 20, "%zu", i);
}

/* Names that differ only in the last letters, written in escapes. */
static size_t
escaped_name(char *out, size_t i)
{
    size_t len = 0;

    for (unsigned digit = 0; digit < 6; digit++) {
        len += (size_t)snprintf(out + len, 7, "\\u00%02x",
                                (unsigned)('a' + i % 8));
        i /= 8;
    }
    return len;
}

/*
 * Names that an attacker has made to have the same hash. FNV-1a adds a byte to
 * its state by xor and multiplication. So two blocks can be found that lead
 * from one state to the same next state. With n such pairs in a row there are
 * 2^n names with the same hash.
 */
#define BLOCKS 16

static char blocks[BLOCKS][2][9];

static uint32_t
fnv(uint32_t state, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        state = (state ^ (unsigned char)text[i]) * 16777619U;
    return state;
}

static void
block_text(char out[9], uint32_t number)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

    for (size_t i = 0; i < 8; i++) {
        out[i] = digits[number % 32];
        number /= 32;
    }
}

/*
 * Find two blocks that lead to the same state, by birthday in about 2^16 steps.
 */
static uint32_t
find_collision(uint32_t state, char one[9], char other[9])
{
    static uint32_t seen[1 << 20][2];

    memset(seen, 0, sizeof(seen));
    for (uint32_t n = 1;; n++) {
        char text[9];
        uint32_t hash, *slot;

        block_text(text, n * 2654435761U);
        hash = fnv(state, text, 8);
        slot = seen[hash >> 12];
        if (slot[0] != 0 && slot[1] == hash) {
            memcpy(one, text, 8);
            block_text(other, slot[0] * 2654435761U);
            return hash;
        }
        slot[0] = n;
        slot[1] = hash;
    }
}

static size_t
colliding_name(char *out, size_t i)
{
    for (size_t block = 0; block < BLOCKS; block++) {
        memcpy(out + 8 * block, blocks[block][i & 1], 8);
        i >>= 1;
    }
    return (size_t)8 * BLOCKS;
}

static void
check_many(const char *what, size_t count, size_t (*name)(char *out, size_t i))
{
    struct pst_str text = many_members(count, name);
    struct pst_json_error error;
    double before = cpu_seconds();
    double spent;
    char *last;

    pst_arena_reset(arena);
    assert_int_equal(check(text, &error), PST_OK);
    spent = cpu_seconds() - before;
    print_message("%s: %zu names, %zu bytes: %.0f ms\n", what, count, text.len,
                  spent * 1e3);
    if (spent > 3)
        fail_msg("%s: %f s", what, spent);

    /* Then make one name a duplicate, and change nothing else. */
    last = memrchr(large, ',', text.len);
    last += 2;
    (void)name(last, 1);
    last[name(last, 1)] = '"';
    memcpy(last + name(last, 1), "\":0}", 4);
    text.len = (size_t)(last - large) + name(last, 1) + 4;
    memcpy(large + text.len - 4, "\":0}", 4);
    assert_int_equal(check(text, &error), PST_DUPLICATE);
}

static void
test_many_names(void **state)
{
    uint32_t hash = 2166136261U;

    (void)state;
    check_many("counted", 100000, plain_name);
    check_many("counted", 350000, plain_name);
    check_many("in escapes", 100000, escaped_name);
    for (size_t i = 0; i < BLOCKS; i++)
        hash = find_collision(hash, blocks[i][0], blocks[i][1]);
    check_many("of one hash", 30000, colliding_name);
}

/*
 * The shortest names, each without a value yet: there are more of them in these
 * bytes than whole members.
 */
static void
test_names_without_values(void **state)
{
    static char text[4 * 300];

    (void)state;
    for (size_t i = 0; i < 300; i++)
        memcpy(text + 4 * i, "{\"\":", 4);
    for (size_t n = 1; n <= 300; n++) {
        struct pst_json_error error;

        assert_int_not_equal(check((struct pst_str){text, 4 * n}, &error),
                             PST_OK);
        pst_arena_reset(arena);
    }
}

/* One of many names is a duplicate spelled with an escape, at any place. */
static void
test_escaped_among_many(void **state)
{
    static char text[20000];

    (void)state;
    for (size_t twin = 0; twin < 200; twin += 7) {
        struct pst_json_error error;
        struct pst_str plain = many_members(200, plain_name);
        int len;

        len = snprintf(text, sizeof(text), "%.*s,\"\\u00%02x%s\":0}",
                       (int)plain.len - 1, plain.ptr,
                       (unsigned)('0' + (twin < 10 ? twin : twin / 10 % 10)),
                       twin < 10    ? ""
                       : twin < 100 ? (char[]){(char)('0' + twin % 10), '\0'}
                                    : "x");
        assert_int_equal(check((struct pst_str){text, (size_t)len}, &error),
                         twin < 100 ? PST_DUPLICATE : PST_OK);
    }
}

/* When any allocation fails, there is no leak. */
static void
test_no_memory(void **state)
{
    struct pst_json_error error;
    struct pst_str text = many_members(1000, plain_name);
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY; n++) {
        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = check(text, &error);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 4, 20);
}

/* The names of all open objects are on one stack. */
static void
test_nested_names(void **state)
{
    struct pst_json_error error;
    size_t len = 0;

    (void)state;
    for (size_t depth = 0; depth < 100; depth++) {
        for (size_t i = 0; i < 20; i++)
            len += (size_t)snprintf(large + len, 20, "%s\"%zu\":%s",
                                    i ? "," : "{", i, i < 19 ? "0" : "");
    }
    memcpy(large + len, "0", 1);
    memset(large + len + 1, '}', 100);
    len += 101;
    assert_int_equal(check((struct pst_str){large, len}, &error), PST_OK);
    len = len - 100;
    memcpy(large + len, "},\"7\":1", 7);
    memset(large + len + 7, '}', 99);
    assert_int_equal(check((struct pst_str){large, len + 7 + 99}, &error),
                     PST_DUPLICATE);
    assert_int_equal(error.at, len + 3);
}

/* Only members of the outermost object are split off, as they are spelled. */
static void
test_split(void **state)
{
    static const struct {
        struct pst_str in;
        enum pst_err e;
        size_t count;
        const char *names[3];
        const char *values[3];
    } texts[] = {
        {T("{}"), PST_OK, 0, {NULL}, {NULL}},
        {T(" {\"a\" : 1 } "), PST_OK, 1, {"a"}, {"1"}},
        {T("{\"a\":-0,\n\"\\u0062\":\t\"\\n\" ,\"\":null}"),
         PST_OK,
         3,
         {"a", "\\u0062", ""},
         {"-0", "\"\\n\"", "null"}},
        {T("{\"a\":{\"x\":{},\"y\":[{\"z\":1}]} ,\"b\":[ [{}] ],\"c\":{}}"),
         PST_OK,
         3,
         {"a", "b", "c"},
         {"{\"x\":{},\"y\":[{\"z\":1}]}", "[ [{}] ]", "{}"}},
        {T("{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}"),
         PST_OK,
         5,
         {"a", "b", "c"},
         {"1", "2", "3"}},
        {T("[{\"a\":1},2,3]"), PST_OK, 0, {NULL}, {NULL}},
        {T("\"text\""), PST_OK, 0, {NULL}, {NULL}},
        {T("{\"a\":1,\"a\":2}"), PST_DUPLICATE, 0, {NULL}, {NULL}},
        {T("{\"a\":1}}"), PST_MALFORMED, 0, {NULL}, {NULL}},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(texts); i++) {
        struct pst_json_split_member at[3] = {{{NULL, 0}, {NULL, 0}}};
        struct pst_json_split split = {.at = at, .size = PST_COUNT(at)};
        struct pst_json_error error;

        if (pst_json_check_object(arena, texts[i].in, &split, &error) !=
            texts[i].e)
            fail_msg("text %zu", i);
        if (texts[i].e)
            continue;
        assert_int_equal(split.count, texts[i].count);
        for (size_t k = 0; k < split.count && k < split.size; k++) {
            if (!pst_str_equal(at[k].name, pst_str_from(texts[i].names[k])) ||
                !pst_str_equal(at[k].value, pst_str_from(texts[i].values[k])))
                fail_msg("text %zu: %.*s is %.*s", i, (int)at[k].name.len,
                         at[k].name.ptr, (int)at[k].value.len, at[k].value.ptr);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_agrees_with_parse, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_depth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_most_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_without_values, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_escaped_among_many, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nested_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_split, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("json_check", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_config_parse.c - numbers, durations, sizes and lists as variables spell
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/config_parse.h"

typedef enum pst_err parse(struct pst_str, int64_t *, struct config_error *);
typedef void emit(struct pst_buf *, int64_t);

struct row {
    const char *in;
    int64_t want;         /* -1: refused */
    const char *shortest; /* as it is written back */
};

static const struct row durations[] = {
    {"0", 0, "0"},
    {"0s", 0, "0"},
    {"1", 1, "1s"},
    {"90", 90, "90s"},
    {"90s", 90, "90s"},
    {"60", 60, "1m"},
    {"30m", 1800, "30m"},
    {"90m", 5400, "90m"},
    {"12h", 43200, "12h"},
    {"24h", 86400, "1d"},
    {"30d", 2592000, "30d"},
    {"9223372036854775807", INT64_MAX, "9223372036854775807s"},
    {"9223372036854775808", -1, NULL},
    {"153722867280912931m", -1, NULL},
    {"106751991167301d", -1, NULL},
    {"106751991167300d", 9223372036854720000, "106751991167300d"},
    {"", -1, NULL},
    {"s", -1, NULL},
    {"1w", -1, NULL},
    {"1S", -1, NULL},
    {"1ms", -1, NULL},
    {"1m30s", -1, NULL},
    {"-1", -1, NULL},
    {"+1", -1, NULL},
    {"1.5h", -1, NULL},
    {" 1", -1, NULL},
    {"1 ", -1, NULL},
    {"1 s", -1, NULL},
    {"01", -1, NULL},
    {"0x10", -1, NULL},
    {"1K", -1, NULL},
};

static const struct row milliseconds[] = {
    {"0", 0, "0"},
    {"0ms", 0, "0"},
    {"1ms", 1, "1ms"},
    {"500ms", 500, "500ms"},
    {"1000ms", 1000, "1s"},
    {"1500ms", 1500, "1500ms"},
    {"2", 2000, "2s"},
    {"2s", 2000, "2s"},
    {"90s", 90000, "90s"},
    {"60000ms", 60000, "1m"},
    {"1h", 3600000, "1h"},
    {"9223372036854775807ms", INT64_MAX, "9223372036854775807ms"},
    {"9223372036854775808ms", -1, NULL},
    {"9223372036854775807", -1, NULL},
    {"9223372036854776s", -1, NULL},
    {"", -1, NULL},
    {"ms", -1, NULL},
    {"m s", -1, NULL},
    {"5 ms", -1, NULL},
    {"5MS", -1, NULL},
    {"-5ms", -1, NULL},
    {"0.5s", -1, NULL},
    {"05ms", -1, NULL},
    {"1s500ms", -1, NULL},
    {"off", -1, NULL},
};

static const struct row sizes[] = {
    {"0", 0, "0"},
    {"1023", 1023, "1023"},
    {"1024", 1024, "1K"},
    {"64K", 65536, "64K"},
    {"1536K", 1572864, "1536K"},
    {"32M", 33554432, "32M"},
    {"1024M", 1073741824, "1G"},
    {"2G", 2147483648, "2G"},
    {"8589934592G", -1, NULL},
    {"1k", -1, NULL},
    {"1KB", -1, NULL},
    {"1T", -1, NULL},
    {"K", -1, NULL},
    {"1s", -1, NULL},
};

static const struct row numbers[] = {
    {"0", 0, "0"},      {"256", 256, "256"}, {"1K", -1, NULL},
    {"many", -1, NULL}, {"", -1, NULL},
};

static void
expect(const struct row *rows, size_t count, parse *parses, emit *emits)
{
    for (size_t i = 0; i < count; i++) {
        struct config_error error = {""};
        char storage[64];
        struct pst_buf buf;
        int64_t got = 0;
        enum pst_err e = parses(pst_str_from(rows[i].in), &got, &error);

        if (rows[i].want < 0) {
            if (e != PST_BAD_CONFIG || !*error.text)
                fail_msg("\"%s\": is taken, as %lld", rows[i].in,
                         (long long)got);
            continue;
        }
        if (e != PST_OK || got != rows[i].want)
            fail_msg("\"%s\": %lld %s", rows[i].in, (long long)got, error.text);
        pst_buf_init(&buf, storage, sizeof(storage));
        emits(&buf, got);
        if (!pst_str_equal(pst_buf_str(&buf), pst_str_from(rows[i].shortest)))
            fail_msg("\"%s\": is written %.*s", rows[i].in, (int)buf.len,
                     buf.ptr);
    }
}

static void
numbers_are_read(void **state)
{
    (void)state;
    expect(durations, PST_COUNT(durations), config_parse_duration,
           config_emit_duration);
    expect(milliseconds, PST_COUNT(milliseconds), config_parse_milliseconds,
           config_emit_milliseconds);
    expect(sizes, PST_COUNT(sizes), config_parse_size, config_emit_size);
    expect(numbers, PST_COUNT(numbers), config_parse_number,
           pst_buf_add_number);
}

static enum pst_err
refuse_x(struct pst_str value, struct config_error *error)
{
    if (pst_str_equal(value, PST_STR("x")))
        return config_set_error(error, "is x");
    return PST_OK;
}

static void
lists_are_split(void **state)
{
    static const struct {
        const char *in;
        const char *want; /* entries with "|" behind each; NULL: refused */
    } lists[] = {
        {"a", "a|"},      {"a b", "a|b|"},      {"a,b", "a|b|"},
        {"a, b", "a|b|"}, {" a ,, b ", "a|b|"}, {"", NULL},
        {" , ", NULL},    {"a x b", NULL},      {"a;b", "a;b|"},
    };
    struct pst_arena *arena = NULL;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 4096), PST_OK);
    for (size_t i = 0; i < PST_COUNT(lists); i++) {
        struct config_list list = {NULL, 0};
        struct config_error error = {""};
        char storage[64];
        struct pst_buf buf;
        enum pst_err e = config_parse_list(arena, pst_str_from(lists[i].in),
                                           refuse_x, &list, &error);

        pst_buf_init(&buf, storage, sizeof(storage));
        for (size_t j = 0; j < list.count; j++) {
            pst_buf_add(&buf, list.items[j]);
            pst_buf_add_char(&buf, '|');
        }
        if (lists[i].want
                ? e != PST_OK || !pst_str_equal(pst_buf_str(&buf),
                                                pst_str_from(lists[i].want))
                : e != PST_BAD_CONFIG || list.count != 0)
            fail_msg("\"%s\": %.*s %s", lists[i].in, (int)buf.len, storage,
                     error.text);
    }
    pst_arena_free(&arena);
}

static void
list_without_memory_fails(void **state)
{
    struct config_list list = {NULL, 7};
    struct pst_arena *arena = NULL;
    struct config_error error;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 4096), PST_OK);
    pst_arena_fail_at(arena, 1);
    assert_int_equal(
        config_parse_list(arena, PST_STR("a b"), refuse_x, &list, &error),
        PST_NO_MEMORY);
    assert_int_equal(list.count, 7);
    pst_arena_free(&arena);
}

/* A sentence that is too long is cut, and stays a string. */
static void
sentences_are_bounded(void **state)
{
    struct config_error error;
    char filler[1000];

    (void)state;
    memset(filler, 'a', sizeof(filler));
    filler[sizeof(filler) - 1] = '\0';
    assert_int_equal(config_set_error(&error, "is %s", filler), PST_BAD_CONFIG);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(lists_are_split),
        cmocka_unit_test(list_without_memory_fails),
        cmocka_unit_test(sentences_are_bounded),
    };

    return cmocka_run_group_tests_name("config_parse", tests, NULL, NULL);
}

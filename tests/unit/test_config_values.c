/* SPDX-License-Identifier: ISC */
/*
 * test_config_values.c - numbers, durations, sizes, keywords, lists and other
 * kinds of values are parsed, and stored in fields of their types.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/config_names.h"
#include "server/config_texts.h"
#include "server/config_values.h"

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
            if (e != PST_BAD_CONFIG || !*error.message)
                fail_msg("\"%s\": is taken, as %lld", rows[i].in,
                         (long long)got);
            continue;
        }
        if (e != PST_OK || got != rows[i].want)
            fail_msg("\"%s\": %lld %s", rows[i].in, (long long)got,
                     error.message);
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
                     error.message);
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

enum colour { RED = 3, GREEN = 5, BLUE = 8 };

struct target {
    int64_t number;
    enum colour colour;
    unsigned flags;
    bool is_on;
    struct pst_str text;
    struct pst_str second;
    const char *string;
    struct pst_str *items;
    size_t count;
};

static const struct config_keyword colours[] = {
    {"red", RED}, {"green", GREEN}, {"blue", BLUE}, {NULL, 0}};
static const struct config_keyword flags[] = {{"a", 1}, {"b", 2}, {NULL, 0}};
static const struct config_keyword switches[] = {
    {"off", false}, {"on", true}, {NULL, 0}};
static const struct config_keyword places[] = {
    {"json", 0}, {"header", BLUE}, {"cookie", 9}, {NULL, 0}};

enum kind {
    DURATION,
    MILLISECONDS,
    OPTIONAL,
    SIZE,
    NUMBER,
    WORD,
    FLAG,
    WORDS,
    PLACE,
    TEXT,
    LOWER,
    STRING,
    POINTER,
    LIST,
    KINDS
};

#define AT(field) .offset = offsetof(struct target, field)
#define SECOND(field) .second_offset = offsetof(struct target, field)

static const struct config_entry entries[KINDS] = {
    [DURATION] = {.read = config_read_duration,
                  AT(number),
                  .min = 60,
                  .max = 86400},
    [MILLISECONDS] = {.read = config_read_milliseconds,
                      AT(number),
                      .min = 1,
                      .max = 10000},
    [OPTIONAL] = {.read = config_read_optional_duration,
                  AT(number),
                  .min = 60,
                  .max = 86400},
    [SIZE] = {.read = config_read_size,
              AT(number),
              .min = 1024,
              .max = 1048576},
    [NUMBER] = {.read = config_read_number, AT(number), .min = 1, .max = 99},
    [WORD] = {.read = config_read_keyword, AT(colour), .keywords = colours},
    [FLAG] = {.read = config_read_bool, AT(is_on), .keywords = switches},
    [WORDS] = {.read = config_read_flags, AT(flags), .keywords = flags},
    [PLACE] = {.read = config_read_token_location,
               AT(colour),
               SECOND(second),
               .keywords = places,
               .check = config_check_token_location},
    [TEXT] = {.read = config_read_text, AT(text), .check = config_check_header},
    [LOWER] = {.read = config_read_lower_case,
               AT(text),
               .check = config_check_header},
    [STRING] = {.read = config_read_string,
                AT(string),
                .check = config_check_log_target},
    [POINTER] = {.read = config_read_pointer,
                 AT(text),
                 .check = config_check_pointer},
    [LIST] = {.read = config_read_list,
              AT(items),
              SECOND(count),
              .check = config_check_header},
};

struct kind_row {
    enum kind kind;
    const char *value;
    const char *want; /* what the target then holds, "…;…"; NULL: refused */
    const char *display; /* or, when refused, part of the sentence */
};

static const struct kind_row kind_rows[] = {
    {DURATION, "60", "60;", "1m"},
    {DURATION, "1d", "86400;", "1d"},
    {DURATION, "59", NULL, "between 1m and 1d"},
    {DURATION, "86401", NULL, "between 1m and 1d"},
    {DURATION, "x", NULL, "not a duration"},
    {MILLISECONDS, "500ms", "500;", "500ms"},
    {MILLISECONDS, "2", "2000;", "2s"},
    {MILLISECONDS, "10s", "10000;", "10s"},
    {MILLISECONDS, "0", NULL, "between 1ms and 10s"},
    {MILLISECONDS, "10001ms", NULL, "between 1ms and 10s"},
    {MILLISECONDS, "soon", NULL, "not a duration"},
    {OPTIONAL, "off", "", "off"},
    {OPTIONAL, "OFF", "", "off"},
    {OPTIONAL, "15m", "900;", "15m"},
    {OPTIONAL, "0", NULL, "between 1m and 1d"},
    {OPTIONAL, "on", NULL, "not a duration"},
    {SIZE, "1M", "1048576;", "1M"},
    {SIZE, "1048577", NULL, "between 1K and 1M"},
    {SIZE, "x", NULL, "not a size"},
    {NUMBER, "99", "99;", "99"},
    {NUMBER, "100", NULL, "between 1 and 99"},
    {WORD, "Green", "colour 5;", "green"},
    {WORD, "gree", NULL, "red, green, blue"},
    {FLAG, "ON", "on;", "on"},
    {FLAG, "off", "", "off"},
    {FLAG, "1", NULL, "off, on"},
    {WORDS, "b", "flags 2;", "b"},
    {WORDS, "a,B", "flags 3;", "a,B"},
    {WORDS, "a c", NULL, "a, b"},
    {WORDS, " ", NULL, "a, b"},
    {PLACE, "header:X-a:b", NULL, "not the name of a header"},
    {PLACE, "header:X-a", "colour 8;second X-a;", "header:X-a"},
    {PLACE, "json:a/b", "second /a/b;", "json:a/b"},
    {PLACE, "json:/a", NULL, "must not begin with a slash"},
    {PLACE, "json:", NULL, "empty step"},
    {PLACE, "json", NULL, "json:POINTER"},
    {PLACE, "cookie", "colour 9;second ;", "cookie"},
    {TEXT, "X-a", "text X-a;", "X-a"},
    {TEXT, "X a", NULL, "not the name of a header"},
    {LOWER, "X-A", "text x-a;", "x-a"},
    {LOWER, "X A", NULL, "not the name of a header"},
    {STRING, "/a", "string /a;", "/a"},
    {STRING, "a", NULL, "absolute"},
    {POINTER, "id", "text /id;", "id"},
    {POINTER, "user/id", "text /user/id;", "user/id"},
    {POINTER, "/id", NULL, "must not begin with a slash"},
    {POINTER, "~", NULL, "write ~0 for ~"},
    {LIST, "a, b", "item a;item b;", "a, b"},
    {LIST, "a :", NULL, "not the name of a header"},
};

static void
add_text(struct pst_buf *buf, const char *what, struct pst_str text)
{
    if (pst_str_is_absent(text))
        return;
    pst_buf_add_string(buf, what);
    pst_buf_add(buf, text);
    pst_buf_add_char(buf, ';');
}

static void
add_number(struct pst_buf *buf, const char *what, int64_t number)
{
    if (number == 0)
        return;
    pst_buf_add_string(buf, what);
    pst_buf_add_number(buf, number);
    pst_buf_add_char(buf, ';');
}

/* Everything in the target that is not zero. */
static void
describe(struct pst_buf *buf, const struct target *target)
{
    add_number(buf, "", target->number);
    add_number(buf, "colour ", (int64_t)target->colour);
    add_number(buf, "flags ", target->flags);
    pst_buf_add_string(buf, target->is_on ? "on;" : "");
    add_text(buf, "text ", target->text);
    add_text(buf, "second ", target->second);
    add_text(buf, "string ", pst_str_from(target->string));
    for (size_t i = 0; i < target->count; i++)
        add_text(buf, "item ", target->items[i]);
}

static enum pst_err
read_one(struct pst_arena *arena, struct config_reader *reader,
         struct target *target, const struct kind_row *row)
{
    static struct config_state states[KINDS];
    static struct pst_str display[KINDS];

    memset(target, 0, sizeof(*target));
    memset(display, 0, sizeof(display));
    *reader = (struct config_reader){.entries = entries,
                                     .count = KINDS,
                                     .states = states,
                                     .display = display,
                                     .arena = arena,
                                     .target = target};
    config_set_display(reader, &entries[row->kind], pst_str_from(row->value));
    return entries[row->kind].read(reader, &entries[row->kind],
                                   pst_str_from(row->value));
}

static void
kinds_are_read(void **state)
{
    struct pst_arena *arena = NULL;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 65536), PST_OK);
    for (size_t i = 0; i < PST_COUNT(kind_rows); i++) {
        const struct kind_row *row = &kind_rows[i];
        struct config_reader reader;
        struct target target;
        char storage[256];
        struct pst_buf buf;
        enum pst_err e = read_one(arena, &reader, &target, row);

        pst_buf_init(&buf, storage, sizeof(storage));
        describe(&buf, &target);
        if (row->want ? e != PST_OK ||
                            !pst_str_equal(pst_buf_str(&buf),
                                           pst_str_from(row->want)) ||
                            !pst_str_equal(reader.display[row->kind],
                                           pst_str_from(row->display))
                      : e != PST_BAD_CONFIG || buf.len > 0 ||
                            !strstr(reader.error.message, row->display))
            fail_msg("kind %d, \"%s\": %s, %.*s, %s", (int)row->kind,
                     row->value, pst_err_code(e), (int)buf.len, storage,
                     reader.error.message);
    }
    pst_arena_free(&arena);
}

/* A failed allocation is reported, and no field is half set. */
static void
missing_memory_is_reported(void **state)
{
    struct pst_arena *arena = NULL;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 65536), PST_OK);
    for (size_t i = 0; i < PST_COUNT(kind_rows); i++) {
        struct config_reader reader;
        struct target target;
        char storage[256];
        struct pst_buf buf;
        enum pst_err e;

        if (!kind_rows[i].want)
            continue;
        pst_arena_reset(arena);
        pst_arena_fail_at(arena, 1);
        e = read_one(arena, &reader, &target, &kind_rows[i]);
        if (e == PST_OK)
            continue;
        pst_buf_init(&buf, storage, sizeof(storage));
        describe(&buf, &target);
        if (e != PST_NO_MEMORY || buf.len > 0)
            fail_msg("kind %d, \"%s\": %s, %.*s", (int)kind_rows[i].kind,
                     kind_rows[i].value, pst_err_code(e), (int)buf.len,
                     storage);
    }
    pst_arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(lists_are_split),
        cmocka_unit_test(list_without_memory_fails),
        cmocka_unit_test(kinds_are_read),
        cmocka_unit_test(missing_memory_is_reported),
    };

    return cmocka_run_group_tests_name("config_values", tests, NULL, NULL);
}

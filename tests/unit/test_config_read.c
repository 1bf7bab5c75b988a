/* SPDX-License-Identifier: ISC */
/*
 * test_config_read.c - each kind of variable is read into a place of its type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/config_check.h"
#include "server/config_read.h"

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
    DOCUMENT,
    DOCUMENTS,
    FILE_NAME,
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
    [DOCUMENT] = {.read = config_read_document, AT(text)},
    [DOCUMENTS] = {.read = config_read_documents, AT(items), SECOND(count)},
    [FILE_NAME] = {.read = config_read_file_name, AT(string)},
    [LIST] = {.read = config_read_list,
              AT(items),
              SECOND(count),
              .check = config_check_header},
};

struct row {
    enum kind kind;
    const char *value;
    const char *want; /* what the target then holds, "…;…"; NULL: refused */
    const char *display; /* or, when refused, part of the sentence */
};

static const struct row rows[] = {
    {DURATION, "60", "60;", "1m"},
    {DURATION, "1d", "86400;", "1d"},
    {DURATION, "59", NULL, "between 1m and 1d"},
    {DURATION, "86401", NULL, "between 1m and 1d"},
    {DURATION, "x", NULL, "no duration"},
    {MILLISECONDS, "500ms", "500;", "500ms"},
    {MILLISECONDS, "2", "2000;", "2s"},
    {MILLISECONDS, "10s", "10000;", "10s"},
    {MILLISECONDS, "0", NULL, "between 1ms and 10s"},
    {MILLISECONDS, "10001ms", NULL, "between 1ms and 10s"},
    {MILLISECONDS, "soon", NULL, "no duration"},
    {OPTIONAL, "off", "", "off"},
    {OPTIONAL, "OFF", "", "off"},
    {OPTIONAL, "15m", "900;", "15m"},
    {OPTIONAL, "0", NULL, "between 1m and 1d"},
    {OPTIONAL, "on", NULL, "no duration"},
    {SIZE, "1M", "1048576;", "1M"},
    {SIZE, "1048577", NULL, "between 1K and 1M"},
    {SIZE, "x", NULL, "no size"},
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
    {PLACE, "header:X-a:b", NULL, "no header name"},
    {PLACE, "header:X-a", "colour 8;second X-a;", "header:X-a"},
    {PLACE, "json:a/b", "second /a/b;", "json:a/b"},
    {PLACE, "json:/a", NULL, "begins with a slash"},
    {PLACE, "json:", NULL, "empty step"},
    {PLACE, "json", NULL, "json:POINTER"},
    {PLACE, "cookie", "colour 9;second ;", "cookie"},
    {TEXT, "X-a", "text X-a;", "X-a"},
    {TEXT, "X a", NULL, "no header name"},
    {LOWER, "X-A", "text x-a;", "x-a"},
    {LOWER, "X A", NULL, "no header name"},
    {STRING, "/a", "string /a;", "/a"},
    {STRING, "a", NULL, "absolute"},
    {POINTER, "id", "text /id;", "id"},
    {POINTER, "user/id", "text /user/id;", "user/id"},
    {POINTER, "/id", NULL, "begins with a slash"},
    {POINTER, "~", NULL, "neither ~0 nor ~1"},
    {DOCUMENT, "/nonexistent", NULL, "No such file"},
    {DOCUMENTS, "/nonexistent", NULL, "No such file"},
    {DOCUMENTS, "/tmp", NULL, "no regular file"},
    {DOCUMENTS, " , ", NULL, "no list"},
    {DOCUMENTS, "a a a a a a a a a a a a a a a a a", NULL, "more than 16"},
    {FILE_NAME, "/nonexistent", NULL, "No such file"},
    {LIST, "a, b", "item a;item b;", "a, b"},
    {LIST, "a :", NULL, "no header name"},
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
         struct target *target, const struct row *row)
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
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct row *row = &rows[i];
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
                            !strstr(reader.error.text, row->display))
            fail_msg("kind %d, \"%s\": %s, %.*s, %s", (int)row->kind,
                     row->value, pst_err_code(e), (int)buf.len, storage,
                     reader.error.text);
    }
    pst_arena_free(&arena);
}

/* Whatever allocation fails, it is told, and nothing is half set. */
static void
missing_memory_is_told(void **state)
{
    struct pst_arena *arena = NULL;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 65536), PST_OK);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct config_reader reader;
        struct target target;
        char storage[256];
        struct pst_buf buf;
        enum pst_err e;

        if (!rows[i].want)
            continue;
        pst_arena_reset(arena);
        pst_arena_fail_at(arena, 1);
        e = read_one(arena, &reader, &target, &rows[i]);
        if (e == PST_OK)
            continue;
        pst_buf_init(&buf, storage, sizeof(storage));
        describe(&buf, &target);
        if (e != PST_NO_MEMORY || buf.len > 0)
            fail_msg("kind %d, \"%s\": %s, %.*s", (int)rows[i].kind,
                     rows[i].value, pst_err_code(e), (int)buf.len, storage);
    }
    pst_arena_free(&arena);
}

/* The names of two files of these documents; the caller unlinks them. */
static void
make_files(char paths[2][64], const char *first, const char *second)
{
    const char *const documents[] = {first, second};

    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(documents[i]);
        int descriptor;

        snprintf(paths[i], sizeof(paths[i]), "/tmp/postern-test-read-XXXXXX");
        descriptor = mkstemp(paths[i]);
        assert_true(descriptor >= 0);
        assert_int_equal(write(descriptor, documents[i], len), len);
        close(descriptor);
    }
}

/* Several files are read in their order; each of them must be good. */
static void
documents_are_read(void **state)
{
    static const struct {
        const char *first;
        const char *second;
        const char *want; /* as of a row; NULL: refused */
        const char *error;
    } files[] = {
        {"mutation{a}", "mutation{b}", "item mutation{a};item mutation{b};",
         ""},
        {"mutation{a}", "", NULL, "empty"},
        {"mutation{a}", "\xFF", NULL, "no text in UTF-8"},
    };
    struct pst_arena *arena = NULL;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 262144), PST_OK);
    for (size_t i = 0; i < PST_COUNT(files); i++) {
        struct config_reader reader;
        struct target target;
        char paths[2][64];
        char value[200];
        struct row row = {DOCUMENTS, value, files[i].want, files[i].error};
        char storage[256];
        struct pst_buf buf;
        enum pst_err e;

        make_files(paths, files[i].first, files[i].second);
        snprintf(value, sizeof(value), "%s, %s", paths[0], paths[1]);
        e = read_one(arena, &reader, &target, &row);
        unlink(paths[0]);
        unlink(paths[1]);
        pst_buf_init(&buf, storage, sizeof(storage));
        describe(&buf, &target);
        if (row.want ? e != PST_OK || !pst_str_equal(pst_buf_str(&buf),
                                                     pst_str_from(row.want))
                     : e != PST_BAD_CONFIG || buf.len > 0 ||
                           !strstr(reader.error.text, row.display))
            fail_msg("%s: %s, %.*s, %s", row.value, pst_err_code(e),
                     (int)buf.len, storage, reader.error.text);
    }
    pst_arena_free(&arena);
}

/* Nor is a list of documents half set. */
static void
documents_need_memory(void **state)
{
    struct pst_arena *arena = NULL;
    enum pst_err e = PST_NO_MEMORY;
    char paths[2][64];
    char value[200];
    size_t n;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 262144), PST_OK);
    make_files(paths, "{a}", "{b}");
    snprintf(value, sizeof(value), "%s %s", paths[0], paths[1]);
    for (n = 1; e == PST_NO_MEMORY && n < 100; n++) {
        const struct row row = {DOCUMENTS, value, NULL, NULL};
        struct config_reader reader;
        struct target target;

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = read_one(arena, &reader, &target, &row);
        assert_int_equal(target.count, e ? 0 : 2);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 4, 99);
    unlink(paths[0]);
    unlink(paths[1]);
    pst_arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_read),
        cmocka_unit_test(missing_memory_is_told),
        cmocka_unit_test(documents_are_read),
        cmocka_unit_test(documents_need_memory),
    };

    return cmocka_run_group_tests_name("config_read", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_config_reader.c - a small table is read from environments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/config_reader.h"

struct target {
    struct pst_str first;
    struct pst_str second;
};

/* Takes anything but "bad"; runs out of memory at "none left". */
static enum pst_err
read_any(struct config_reader *reader, const struct config_entry *entry,
         struct pst_str value)
{
    struct pst_str *field = config_get_field(reader, entry);

    if (pst_str_equal(value, PST_STR("bad")))
        return config_set_error(&reader->error, "is bad");
    if (pst_str_equal(value, PST_STR("none left")))
        return PST_NO_MEMORY;
    assert_int_equal(value.ptr[value.len], '\0');
    *field = value;
    return PST_OK;
}

static const struct config_entry entries[] = {
    {.row = {.name = "POSTERN_FIRST", .group = "one", .default_value = ""},
     .read = read_any,
     .offset = offsetof(struct target, first)},
    {.row = {.name = "POSTERN_SECOND_TIME",
             .group = "two",
             .default_value = "usual"},
     .read = read_any,
     .offset = offsetof(struct target, second)},
    {.row = {.name = "SECRET_THIRD", .group = "two", .default_value = ""},
     .read = read_any,
     .offset = offsetof(struct target, second)},
};

struct fixture {
    struct target target;
    struct config_state states[PST_COUNT(entries)];
    struct pst_str display[PST_COUNT(entries)];
    struct config_reporter reporter;
    struct config_reader reader;
    char reported[1024]; /* "NAME why" and a newline for each error */
};

static void
report_error(void *context, const char *variable, const char *error)
{
    struct fixture *f = context;
    size_t len = strlen(f->reported);

    snprintf(f->reported + len, sizeof(f->reported) - len, "%s %s\n", variable,
             error);
}

static void
fixture_open(struct fixture *f)
{
    struct pst_arena *arena = NULL;

    assert_int_equal(pst_arena_new(&arena, 65536), PST_OK);
    memset(f, 0, sizeof(*f));
    f->reporter = (struct config_reporter){report_error, f};
    f->reader = (struct config_reader){.entries = entries,
                                       .count = PST_COUNT(entries),
                                       .states = f->states,
                                       .display = f->display,
                                       .arena = arena,
                                       .target = &f->target,
                                       .reporter = &f->reporter};
}

static void
fixture_close(struct fixture *f)
{
    pst_arena_free(&f->reader.arena);
}

struct row {
    const char *name;
    const char *set[4];
    const char *first; /* what is read; NULL: nothing */
    const char *second;
    const char *reported;
};

static const struct row rows[] = {
    {"nothing", {NULL}, NULL, "usual", ""},
    {"other names", {"PATH=a", "PATH=b", "=", ""}, NULL, "usual", ""},
    {"a value", {"POSTERN_FIRST=a=b"}, "a=b", "usual", ""},
    {"an empty value", {"POSTERN_SECOND_TIME="}, NULL, "usual", ""},
    {"no value", {"POSTERN_SECOND_TIME"}, NULL, "usual", ""},
    {"twice",
     {"POSTERN_FIRST=a", "POSTERN_FIRST=b"},
     "a",
     "usual",
     "POSTERN_FIRST is set twice in the environment: remove one\n"},
    {"thrice",
     {"POSTERN_FIRST=", "POSTERN_FIRST=", "POSTERN_FIRST=c"},
     NULL,
     "usual",
     "POSTERN_FIRST is set twice in the environment: remove one\n"
     "POSTERN_FIRST is set twice in the environment: remove one\n"},
    {"refused", {"POSTERN_FIRST=bad"}, NULL, "usual", "POSTERN_FIRST is bad\n"},
    {"control character",
     {"POSTERN_FIRST=a\x1f"},
     NULL,
     "usual",
     "POSTERN_FIRST contains a control character, such as a line break "
     "or a tab: remove it\n"},
    {"one letter wrong",
     {"POSTERN_FIRTS=a"},
     NULL,
     "usual",
     "POSTERN_FIRTS is an unknown variable: did you mean "
     "POSTERN_FIRST?\n"},
    {"a word missing",
     {"POSTERN_SECOND=a"},
     NULL,
     "usual",
     "POSTERN_SECOND is an unknown variable: did you mean "
     "POSTERN_SECOND_TIME?\n"},
    {"nothing like it",
     {"POSTERN_QQQQQQQQQQQQ=a"},
     NULL,
     "usual",
     "POSTERN_QQQQQQQQQQQQ is an unknown variable: see "
     "postern-config(5)\n"},
    {"only the prefix",
     {"POSTERN_=a"},
     NULL,
     "usual",
     "POSTERN_ is an unknown variable: see postern-config(5)\n"},
    {"bytes that are not a name",
     {"POSTERN_\x1b[2J\xff=a"},
     NULL,
     "usual",
     "POSTERN_\\x1b[2J\\xff is an unknown variable: see postern-config(5)\n"},
};

static void
environments_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        const char *environment[PST_COUNT(row->set) + 1] = {NULL};
        struct fixture f;

        memcpy(environment, row->set, sizeof(row->set));
        fixture_open(&f);
        config_scan_environment(&f.reader, environment);
        for (size_t j = 0; j < 2; j++)
            assert_int_equal(
                config_read_entry(&f.reader, j, entries[j].row.default_value),
                PST_OK);
        if (!pst_str_equal(f.target.first, pst_str_from(row->first)) ||
            pst_str_is_absent(f.target.first) != !row->first ||
            !pst_str_equal(f.target.second, pst_str_from(row->second)) ||
            strcmp(f.reported, row->reported) != 0 ||
            f.reader.is_invalid != (*row->reported != '\0'))
            fail_msg("%s: %.*s, %.*s, %s", row->name, (int)f.target.first.len,
                     f.target.first.ptr ? f.target.first.ptr : "",
                     (int)f.target.second.len, f.target.second.ptr, f.reported);
        fixture_close(&f);
    }
}

/* What was refused marks its own group, and an unknown name marks none. */
static void
groups_are_marked(void **state)
{
    static const char *const environment[] = {"POSTERN_FIRST=bad",
                                              "POSTERN_OTHER=1", NULL};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    config_scan_environment(&f.reader, environment);
    assert_false(config_is_group_invalid(&f.reader, ""));
    assert_int_equal(config_read_entry(&f.reader, 0, ""), PST_OK);
    assert_true(config_is_group_invalid(&f.reader, "one"));
    assert_false(config_is_group_invalid(&f.reader, "two"));
    assert_true(config_is_group_invalid(&f.reader, ""));
    fixture_close(&f);
}

static void
what_is_given_is_shown(void **state)
{
    static const char *const environment[] = {"POSTERN_FIRST=a",
                                              "SECRET_THIRD=line\nend", NULL};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    config_scan_environment(&f.reader, environment);
    assert_int_equal(config_find_entry(&f.reader, "SECRET_THIRD"), 2);
    assert_true(pst_str_equal(config_get_raw_value(&f.reader, "SECRET_THIRD"),
                              PST_STR("line\nend")));
    assert_true(pst_str_is_absent(
        config_get_raw_value(&f.reader, "POSTERN_SECOND_TIME")));
    assert_int_equal(config_read_entry(&f.reader, 0, "b"), PST_OK);
    assert_int_equal(config_read_entry(&f.reader, 1, "c"), PST_OK);
    assert_true(pst_str_equal(f.display[0], PST_STR("a")));
    assert_true(pst_str_equal(f.display[1], PST_STR("c")));
    assert_true(pst_str_is_absent(f.display[2]));
    fixture_close(&f);
}

static void
missing_memory_is_reported(void **state)
{
    static const char *const environment[] = {"POSTERN_FIRST=none left", NULL};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    config_scan_environment(&f.reader, environment);
    assert_int_equal(config_read_entry(&f.reader, 0, ""), PST_NO_MEMORY);
    pst_arena_fail_at(f.reader.arena, 1);
    assert_int_equal(config_read_entry(&f.reader, 0, ""), PST_NO_MEMORY);
    assert_string_equal(f.reported, "");
    fixture_close(&f);
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
    assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
}

/* A value begins its message: cut, escaped, and never with an @. */
static void
values_are_quoted(void **state)
{
    static const struct {
        const char *value;
        const char *want;
    } quoted[] = {
        {"", "'' is 1"},
        {"a b", "'a b' is 1"},
        {"a\x9b\xc3\xbc", "'a\\x9b\xc3\xbc' is 1"},
        {"\x1b[2J\xc2\x9b", "'\\x1b[2J\\xc2\\x9b' is 1"},
        {"0123456789012345678901234567890123456789012345678901234567890",
         "'012345678901234567890123456789012345678901234567890123456789...'"
         " is 1"},
        {"redis://u:pa55word@a", "the value is 1"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(quoted); i++) {
        struct config_error error;

        assert_int_equal(config_set_value_error(
                             &error, pst_str_from(quoted[i].value), "is %d", 1),
                         PST_BAD_CONFIG);
        assert_string_equal(error.message, quoted[i].want);
    }
}

/* The values of secrets are overwritten where they are, and nothing else. */
static void
test_wipe_secrets(void **state)
{
    static const struct config_entry wiped[] = {
        {.row = {.name = "PLAIN"}},
        {.row = {.name = "KEY", .is_secret = true}},
    };
    char plain[] = "PLAIN=visible";
    char key[] = "KEY=hidden";
    char longer[] = "KEYS=visible";
    char bare[] = "KEY";
    char empty[] = "KEY=";
    char *const environment[] = {plain, key, longer, bare, empty, NULL};

    (void)state;
    config_wipe_secrets(wiped, PST_COUNT(wiped), environment);
    assert_string_equal(plain, "PLAIN=visible");
    assert_memory_equal(key, "KEY=\0\0\0\0\0\0", sizeof(key));
    assert_string_equal(longer, "KEYS=visible");
    assert_string_equal(bare, "KEY");
    assert_string_equal(empty, "KEY=");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environments_are_read),
        cmocka_unit_test(groups_are_marked),
        cmocka_unit_test(what_is_given_is_shown),
        cmocka_unit_test(missing_memory_is_reported),
        cmocka_unit_test(sentences_are_bounded),
        cmocka_unit_test(values_are_quoted),
        cmocka_unit_test(test_wipe_secrets),
    };

    return cmocka_run_group_tests_name("config_reader", tests, NULL, NULL);
}

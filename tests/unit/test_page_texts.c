/* SPDX-License-Identifier: ISC */
/*
 * test_page_texts.c - the shipped texts, folders of texts that are read or
 * refused, and the choice of a language.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "server/page_texts.h"

#define FILES_MAX 4

/* A text of 10 bytes, and one of PAGE_TEXT_MAX and of one more. */
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define LONGEST HUNDRED HUNDRED HUNDRED

struct file {
    const char *name;
    const char *bytes;
};

static struct pst_arena *arena;
static char folder[64];

static int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, PAGE_TEXTS_MEMORY_MAX) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static int
remove_entry(const char *path, const struct stat *st, int kind,
             struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

static void
remove_folder(void)
{
    assert_int_equal(nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void
make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/postern-test-texts-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static void
write_file(const char *name, const char *bytes)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, strlen(bytes), file), strlen(bytes));
    assert_int_equal(fclose(file), 0);
}

static enum pst_err
load(const struct file files[static FILES_MAX], struct page_texts *texts,
     struct config_error *error)
{
    enum pst_err e;

    pst_arena_reset(arena);
    make_folder();
    for (size_t i = 0; i < FILES_MAX && files[i].name; i++)
        write_file(files[i].name, files[i].bytes);
    e = page_texts_load(arena, folder, texts, error);
    remove_folder();
    return e;
}

static void
check_text(const char *row, const struct page_texts *texts, size_t language,
           enum page_text text, const char *want)
{
    struct pst_str got = texts->languages[language].texts[text];

    if (!pst_str_equal(got, pst_str_from(want)))
        fail_msg("row '%s': got '%.*s', want '%s'", row, (int)got.len, got.ptr,
                 want);
}

static void
check_shipped(const struct page_language *language)
{
    for (size_t i = 0; i < PAGE_TEXT_COUNT; i++) {
        struct pst_str text = language->texts[i];

        if (text.len == 0 || text.len > PAGE_TEXT_MAX || !pst_str_is_utf8(text))
            fail_msg("etc/texts/%s.txt: text %zu is missing or wrong",
                     language->tag.ptr, i);
    }
}

static void
test_shipped_texts_are_complete(void **state)
{
    (void)state;
    assert_int_equal(page_texts_shipped.count, 2);
    assert_string_equal(page_texts_shipped.languages[0].tag.ptr, "en");
    assert_string_equal(page_texts_shipped.languages[1].tag.ptr, "de");
    for (size_t i = 0; i < page_texts_shipped.count; i++)
        check_shipped(&page_texts_shipped.languages[i]);
    check_text("en", &page_texts_shipped, 0, PAGE_TEXT_LOGIN_TITLE, "Log in");
    check_text("de", &page_texts_shipped, 1, PAGE_TEXT_ERROR_TOO_LARGE,
               "Die Anfrage ist zu gro\xC3\x9F.");
}

/* A copy of etc/texts, which people begin with, means the same as what the
 * build made of it. */
static void
test_shipped_folder_is_what_is_built_in(void **state)
{
    const char *source = getenv("SRCDIR");
    struct config_error error;
    struct page_texts texts;
    char path[1024];

    (void)state;
    snprintf(path, sizeof(path), "%s/etc/texts", source ? source : ".");
    pst_arena_reset(arena);
    assert_int_equal(page_texts_load(arena, path, &texts, &error), PST_OK);
    assert_int_equal(texts.count, page_texts_shipped.count);
    for (size_t i = 0; i < texts.count; i++) {
        const struct page_language *language = &page_texts_shipped.languages[i];

        assert_true(pst_str_equal(texts.languages[i].tag, language->tag));
        for (size_t k = 0; k < PAGE_TEXT_COUNT; k++)
            assert_true(
                pst_str_equal(texts.languages[i].texts[k], language->texts[k]));
    }
}

static const struct {
    const char *name;
    const char *bytes;
    const char *want; /* login-title */
} read_rows[] = {
    {"one line", "login-title = Hello\n", "Hello"},
    {"no line feed", "login-title=Hello", "Hello"},
    {"white space", " \tlogin-title\t =  Hello, you \t\n", "Hello, you"},
    {"line feeds of Windows", "# a\r\nlogin-title = Hello\r\n\r\n", "Hello"},
    {"byte order mark", "\xEF\xBB\xBFlogin-title = Hello\n", "Hello"},
    {"comments", "# login-title = no\n\n  # b\n\t\nlogin-title = Hello",
     "Hello"},
    {"a comment in Latin-1", "# gr\xFC\xDF\nlogin-title = Hello", "Hello"},
    {"only a comment", "#\n", "Log in"},
    {"another text", "login-button = Go\n", "Log in"},
    {"equals signs", "login-title = a = b # c\n", "a = b # c"},
    {"quotes are kept", "login-title = \"a\" 'b' \\n\n", "\"a\" 'b' \\n"},
    {"HTML is a text", "login-title = <b>&amp;</b>\n", "<b>&amp;</b>"},
    {"beyond ASCII", "login-title = \xC3\x84\xF0\x9F\x94\x91\n",
     "\xC3\x84\xF0\x9F\x94\x91"},
    {"the longest", "login-title = " LONGEST "\n", LONGEST},
};

static void
test_files_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(read_rows); i++) {
        const struct file files[FILES_MAX] = {{"en.txt", read_rows[i].bytes}};
        struct config_error error = {""};
        struct page_texts texts;

        if (load(files, &texts, &error) != PST_OK)
            fail_msg("row '%s': %s", read_rows[i].name, error.message);
        assert_int_equal(texts.count, 1);
        check_text(read_rows[i].name, &texts, 0, PAGE_TEXT_LOGIN_TITLE,
                   read_rows[i].want);
    }
}

static const struct {
    const char *name;
    struct file files[FILES_MAX];
    const char *error; /* part of it */
} refused_rows[] = {
    {"an unknown name",
     {{"en.txt", "#\nlogin-titel = x\n"}},
     "/en.txt line 2: 'login-titel' is not the name of a text"},
    {"a name in upper case",
     {{"en.txt", "Login-Title = x\n"}},
     "line 1: 'Login-Title' is not the name"},
    {"no name", {{"en.txt", "= x\n"}}, "line 1: '' is not the name"},
    {"no equals sign",
     {{"en.txt", "login-title: x\n"}},
     "line 1: 'login-title: x' has no ="},
    {"a long line",
     {{"en.txt", LONGEST "\n"}},
     "line 1: '" TEN TEN TEN TEN "...' has no ="},
    {"twice",
     {{"en.txt", "login-title = x\n\nlogin-title = x"}},
     "line 3: 'login-title' is there twice"},
    {"no text",
     {{"en.txt", "login-title =  \n"}},
     "line 1: 'login-title' has no text"},
    {"too long",
     {{"en.txt", "login-title = " LONGEST "x\n"}},
     "line 1: the text is longer than 300 bytes"},
    {"Latin-1",
     {{"de.txt", "login-title = gr\xFC\xDF"}},
     "/de.txt line 1: is not UTF-8"},
    {"UTF-16", {{"de.txt", "\xFF\xFEl"}}, "/de.txt line 1: is not UTF-8"},
    {"a surrogate", {{"de.txt", "login-title = \xED\xA0\x80"}}, "not UTF-8"},
    {"a control byte",
     {{"de.txt", "login-title = a\x1B[1mb"}},
     "line 1: contains a control character"},
    {"a tab in the text",
     {{"de.txt", "login-title = a\tb"}},
     "line 1: contains a control character"},
    {"a carriage return in the text",
     {{"de.txt", "login-title = a\rb\n"}},
     "line 1: contains a control character"},
    {"DEL", {{"de.txt", "login-title = a\x7F"}}, "control character"},
    {"a control byte in the name",
     {{"de.txt", "login\x01 = a"}},
     "control character"},
    {"no direction",
     {{"he.txt", "direction = auto"}},
     "line 1: 'direction' must be ltr or rtl"},
    {"an empty file", {{"de.txt", ""}}, "/de.txt is empty"},
    {"no language",
     {{"login.texts.txt", "#"}},
     "/login.texts.txt is not named for a language: name it like de.txt"},
    {"an underscore", {{"pt_BR.txt", "#"}}, "is not named for a language"},
    {"a suffix only", {{"-.txt", "#"}}, "is not named for a language"},
    {"a word", {{"deutsch.txt", "#"}}, "is not named for a language"},
    {"a word and a hyphen", {{"deut-AT.txt", "#"}}, "is not named for a lang"},
    {"one letter", {{"d-AT.txt", "#"}}, "is not named for a language"},
    {"two cases", {{"DE.txt", "#"}, {"de.txt", "#"}}, "contains de.txt twice"},
    {"no file", {{NULL, NULL}}, "contains no file such as en.txt"},
    {"no such file",
     {{"README", "x"}, {".de.txt", "x"}, {"de.txt~", "x"}},
     "contains no file such as en.txt"},
    {"the second file",
     {{"de.txt", "#"}, {"fr.txt", "x"}},
     "/fr.txt line 1: 'x' has no ="},
};

static void
test_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(refused_rows); i++) {
        struct config_error error = {""};
        struct page_texts texts = {NULL, 7};

        if (load(refused_rows[i].files, &texts, &error) != PST_BAD_CONFIG)
            fail_msg("row '%s': read", refused_rows[i].name);
        if (!strstr(error.message, refused_rows[i].error) ||
            strncmp(error.message, folder, strlen(folder)) != 0)
            fail_msg("row '%s': %s", refused_rows[i].name, error.message);
        assert_int_equal(texts.count, 7);
    }
}

/* The path of a file is too long, and names the file. */
static void
check_long_path(void)
{
    struct config_error error = {""};
    struct page_texts texts;
    char path[2048];
    size_t len = strlen(folder);

    write_file("en.txt", "#");
    memcpy(path, folder, len);
    for (; len < sizeof(path) - 3; len += 2)
        memcpy(path + len, "/.", 2);
    path[len] = '\0';
    assert_int_equal(page_texts_load(arena, path, &texts, &error),
                     PST_BAD_CONFIG);
    assert_string_equal(error.message, "the path of the file en.txt is longer "
                                       "than 2047 bytes: move the folder");
    snprintf(path, sizeof(path), "%s/en.txt", folder);
    assert_int_equal(remove(path), 0);
}

static void
test_folders_are_refused(void **state)
{
    struct config_error error = {""};
    struct page_texts texts;
    char path[128];
    char name[16];

    (void)state;
    pst_arena_reset(arena);
    assert_int_equal(page_texts_load(arena, "/nowhere", &texts, &error),
                     PST_BAD_CONFIG);
    assert_string_equal(error.message, "/nowhere cannot be read: No such file "
                                       "or directory");
    make_folder();
    check_long_path();
    snprintf(path, sizeof(path), "%s/en.txt", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(page_texts_load(arena, folder, &texts, &error),
                     PST_BAD_CONFIG);
    assert_non_null(strstr(error.message, "/en.txt is not a regular file"));
    assert_int_equal(rmdir(path), 0);
    for (int i = 0; i < PAGE_LANGUAGES_MAX; i++) {
        snprintf(name, sizeof(name), "%c%c.txt", 'a' + i / 26, 'a' + i % 26);
        write_file(name, "#");
    }
    pst_arena_reset(arena);
    assert_int_equal(page_texts_load(arena, folder, &texts, &error), PST_OK);
    assert_int_equal(texts.count, PAGE_LANGUAGES_MAX);
    write_file("zz.txt", "#");
    assert_int_equal(page_texts_load(arena, folder, &texts, &error),
                     PST_BAD_CONFIG);
    assert_non_null(strstr(error.message, "contains more than 32 files"));
    remove_folder();
}

/* A text that a file does not have. */
static void
test_missing_texts(void **state)
{
    static const struct {
        const char *name;
        struct file files[FILES_MAX];
        const char *tag; /* the language that is checked */
        const char *title;
        const char *button;
    } rows[] = {
        {"shipped", {{"de.txt", "login-title = X"}}, "de", "X", "Anmelden"},
        {"more general, shipped",
         {{"de-AT.txt", "login-title = X"}},
         "de-AT",
         "X",
         "Anmelden"},
        {"more general, ours",
         {{"de-AT.txt", "#"}, {"de.txt", "login-title = X"}},
         "de-AT",
         "X",
         "Anmelden"},
        {"step by step",
         {{"zh-Hant-TW.txt", "login-title = X"},
          {"zh.txt", "login-button = Y"}},
         "zh-Hant-TW",
         "X",
         "Y"},
        {"English", {{"fr.txt", "login-title = X"}}, "fr", "X", "Log in"},
        {"our English",
         {{"en.txt", "login-button = Y"}, {"fr.txt", "login-title = X"}},
         "fr",
         "X",
         "Y"},
        {"another case",
         {{"DE.txt", "login-title = X"}},
         "DE",
         "X",
         "Anmelden"},
        {"not another language",
         {{"fr.txt", "#"}, {"de.txt", "login-title = X"}},
         "fr",
         "Log in",
         "Log in"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct config_error error = {""};
        struct page_texts texts;
        size_t at = 0;

        if (load(rows[i].files, &texts, &error) != PST_OK)
            fail_msg("row '%s': %s", rows[i].name, error.message);
        while (
            !pst_str_equal(texts.languages[at].tag, pst_str_from(rows[i].tag)))
            assert_true(++at < texts.count);
        check_text(rows[i].name, &texts, at, PAGE_TEXT_LOGIN_TITLE,
                   rows[i].title);
        check_text(rows[i].name, &texts, at, PAGE_TEXT_LOGIN_BUTTON,
                   rows[i].button);
        for (size_t k = 0; k < texts.count; k++)
            check_shipped(&texts.languages[k]);
    }
}

/* The default is English if it is there, else the first by its name. */
static void
test_choice(void **state)
{
    static const struct {
        struct file files[FILES_MAX]; /* none: those shipped */
        const char *header;
        const char *want;
    } rows[] = {
        {{{NULL, NULL}}, NULL, "en"},
        {{{NULL, NULL}}, "de-AT,en;q=0.5", "de"},
        {{{NULL, NULL}}, "fr", "en"},
        {{{"de.txt", "#"}, {"en.txt", "#"}, {"aa.txt", "#"}}, NULL, "en"},
        {{{"de.txt", "#"}, {"en.txt", "#"}, {"aa.txt", "#"}}, "de", "de"},
        {{{"fr.txt", "#"}, {"de.txt", "#"}}, "en", "de"},
        {{{"fr.txt", "#"}, {"de.txt", "#"}}, "fr", "fr"},
        {{{"fr.txt", "#"}}, "en,de", "fr"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct page_texts texts = page_texts_shipped;
        struct config_error error;
        const struct page_language *got;

        if (rows[i].files[0].name)
            assert_int_equal(load(rows[i].files, &texts, &error), PST_OK);
        got = page_texts_choose(&texts, pst_str_from(rows[i].header));
        if (!pst_str_equal(got->tag, pst_str_from(rows[i].want)))
            fail_msg("row %zu: got %.*s", i, (int)got->tag.len, got->tag.ptr);
    }
}

static void
test_without_memory(void **state)
{
    const struct file files[FILES_MAX] = {{"de.txt", "login-title = x"},
                                          {"en.txt", "#"}};
    struct config_error error;
    struct page_texts texts;
    size_t n = 1;

    (void)state;
    make_folder();
    for (size_t i = 0; files[i].name; i++)
        write_file(files[i].name, files[i].bytes);
    do {
        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n++);
    } while (page_texts_load(arena, folder, &texts, &error) == PST_NO_MEMORY);
    assert_true(n > 4 && n < 20);
    pst_arena_fail_at(arena, 0);
    remove_folder();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped_texts_are_complete),
        cmocka_unit_test(test_shipped_folder_is_what_is_built_in),
        cmocka_unit_test(test_files_are_read),
        cmocka_unit_test(test_files_are_refused),
        cmocka_unit_test(test_folders_are_refused),
        cmocka_unit_test(test_missing_texts),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests_name("page_texts", tests, set_up, tear_down);
}

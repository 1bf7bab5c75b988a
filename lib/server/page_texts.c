/* SPDX-License-Identifier: ISC */
/*
 * page_texts.c - the texts of our pages in several languages: read a folder of
 * them, and choose a language.
 */
#include "server/page_texts.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "codec/json_check.h"
#include "http/accept_language.h"
#include "server/config_files.h"
#include "server/page_texts_table.inc"

#define FILE_SUFFIX PST_STR(".txt")

#define PATH_SIZE 2048  /* bytes of the path of a file */
#define REASON_SIZE 100 /* bytes for the text of strerror_r() */

/* Texts and names of them that are repeated in messages: bytes at most. */
#define SHOWN_MAX 40

const struct page_texts page_texts_shipped = {shipped_languages,
                                              PST_COUNT(shipped_languages)};

#define PAGE_TEXT_NAME(code, name) {name, sizeof(name) - 1},
static const struct pst_str text_names[] = {PAGE_TEXTS(PAGE_TEXT_NAME)};
#undef PAGE_TEXT_NAME

/* A line of a file, for messages. */
struct line {
    size_t number; /* from 1 */
    struct pst_str text;
};

static enum pst_err
set_line_error(struct config_error *error, const struct line *line,
               struct pst_str shown, const char *message)
{
    return config_set_error(error, "line %zu: '%.*s%s' %s", line->number,
                            (int)pst_str_first(shown, SHOWN_MAX).len, shown.ptr,
                            shown.len > SHOWN_MAX ? "..." : "", message);
}

static bool
has_control_byte(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7F)
            return true;
    return false;
}

/* Parse "name = text". */
static enum pst_err
parse_line(struct page_language *language, const struct line *line,
           struct config_error *error)
{
    size_t equals = pst_str_index(line->text, '=');
    struct pst_str name = pst_str_trim(pst_str_first(line->text, equals));
    struct pst_str text = pst_str_trim(pst_str_skip(line->text, equals + 1));
    size_t index = 0;

    if (!pst_str_is_utf8(line->text))
        return config_set_error(error,
                                "line %zu: is not UTF-8: save the file "
                                "as UTF-8",
                                line->number);
    if (has_control_byte(name) || has_control_byte(text))
        return config_set_error(error,
                                "line %zu: contains a control "
                                "character: remove it",
                                line->number);
    if (equals == line->text.len)
        return set_line_error(error, line, name,
                              "has no = : write it like login-title = Log in");
    while (index < PAGE_TEXT_COUNT && !pst_str_equal(name, text_names[index]))
        index++;
    if (index == PAGE_TEXT_COUNT)
        return set_line_error(error, line, name,
                              "is not the name of a text: see the names in "
                              "etc/texts/en.txt");
    if (!pst_str_is_absent(language->texts[index]))
        return set_line_error(error, line, name, "is there twice: remove one");
    if (text.len == 0)
        return set_line_error(error, line, name,
                              "has no text: write one behind the =, or remove "
                              "the line");
    if (index == PAGE_TEXT_DIRECTION && !pst_str_equal(text, PST_STR("ltr")) &&
        !pst_str_equal(text, PST_STR("rtl")))
        return set_line_error(error, line, name, "must be ltr or rtl");
    if (text.len > PAGE_TEXT_MAX)
        return config_set_error(error,
                                "line %zu: the text is longer than %d "
                                "bytes",
                                line->number, PAGE_TEXT_MAX);
    language->texts[index] = text;
    return PST_OK;
}

/* Parse a file: lines, comments that begin with #, empty lines. */
static enum pst_err
parse_file(struct page_language *language, struct pst_str bytes,
           struct config_error *error)
{
    struct line line = {0};
    enum pst_err e = PST_OK;

    bytes = pst_json_skip_mark(bytes);
    while (!e && pst_str_split(&bytes, '\n', &line.text)) {
        line.number++;
        if (pst_str_ends(line.text, PST_STR("\r")))
            line.text.len--;
        line.text = pst_str_trim(line.text);
        if (line.text.len > 0 && line.text.ptr[0] != '#')
            e = parse_line(language, &line, error);
    }
    return e;
}

/* The language of this tag, or NULL. */
static const struct page_language *
find_language(const struct page_texts *texts, struct pst_str tag)
{
    for (size_t i = 0; i < texts->count; i++)
        if (pst_str_equal_nocase(tag, texts->languages[i].tag))
            return &texts->languages[i];
    return NULL;
}

/* Take the texts that language does not have from the one of this tag. */
static void
fill_from(struct page_language *language, const struct page_texts *texts,
          struct pst_str tag)
{
    const struct page_language *other = find_language(texts, tag);

    for (size_t i = 0; other && i < PAGE_TEXT_COUNT; i++)
        if (pst_str_is_absent(language->texts[i]))
            language->texts[i] = other->texts[i];
}

static void
fill_language(struct page_language *language, const struct page_texts *texts)
{
    struct pst_str tag = language->tag;

    while (tag.len > 0) {
        fill_from(language, texts, tag);
        fill_from(language, &page_texts_shipped, tag);
        tag.len = pst_language_truncated_len(tag);
    }
    fill_from(language, texts, PST_STR("en"));
    fill_from(language, &page_texts_shipped, PST_STR("en"));
}

/* Is it a tag that begins with a code of ISO 639, of 2 or 3 letters? The tag of
 * a word such as "deutsch" would be one that no browser sends. */
static bool
is_language(struct pst_str tag)
{
    size_t len = pst_str_index(tag, '-');

    return pst_language_is_tag(tag) && (len == 2 || len == 3);
}

/* Read the file of a language. */
static enum pst_err
load_file(struct pst_arena *arena, const char *folder, const char *name,
          struct page_language *language, struct config_error *error)
{
    const struct config_file_rule rule = {.max = PAGE_TEXTS_FILE_MAX};
    struct pst_str tag = pst_str_from(name);
    char path[PATH_SIZE];
    struct pst_str bytes;
    enum pst_err e;

    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >=
        (int)sizeof(path))
        return config_set_error(error,
                                "the path of the file %.64s is longer than %d "
                                "bytes: move the folder",
                                name, PATH_SIZE - 1);
    tag.len -= FILE_SUFFIX.len;
    if (!is_language(tag)) {
        config_set_error(error, "is not named for a language: name it like "
                                "de.txt or pt-BR.txt");
        return config_prefix_error(error, pst_str_from(path));
    }
    e = config_file_read(arena, path, &rule, &bytes, error);
    if (e)
        return e;
    e = pst_arena_copy(arena, tag, &language->tag);
    if (e)
        return e;
    e = parse_file(language, bytes, error);
    return e == PST_BAD_CONFIG ? config_prefix_error(error, pst_str_from(path))
                               : e;
}

/* For scandir(): the files that are read. */
static int
is_texts_file(const struct dirent *entry)
{
    struct pst_str name = pst_str_from(entry->d_name);

    return pst_str_ends(name, FILE_SUFFIX) && name.ptr[0] != '.';
}

static int
compare_names(const struct dirent **a, const struct dirent **b)
{
    bool is_english = strcmp((*a)->d_name, "en.txt") == 0;

    if (is_english != (strcmp((*b)->d_name, "en.txt") == 0))
        return is_english ? -1 : 1;
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Read the files of these names. */
static enum pst_err
load_files(struct pst_arena *arena, const char *folder, struct dirent **names,
           struct page_texts *texts, struct config_error *error)
{
    struct page_language *languages =
        pst_arena_alloc(arena, texts->count * sizeof(*languages));
    size_t count = texts->count;
    enum pst_err e = languages ? PST_OK : PST_NO_MEMORY;

    texts->languages = languages;
    texts->count = 0;
    for (size_t i = 0; i < count && !e; i++) {
        const char *name = names[i]->d_name;

        e = load_file(arena, folder, name, &languages[i], error);
        if (!e && find_language(texts, languages[i].tag)) {
            config_set_error(error,
                             "contains %.64s twice, in upper and in "
                             "lower case: remove one",
                             name);
            e = config_prefix_error(error, pst_str_from(folder));
        }
        texts->count++;
    }
    for (size_t i = 0; i < count && !e; i++)
        fill_language(&languages[i], texts);
    return e;
}

static enum pst_err
set_folder_error(struct config_error *error, const char *folder, int code)
{
    char storage[REASON_SIZE];

    config_set_error(
        error, "cannot be read: %s%s",
        strerror_r(code, storage, sizeof(storage)),
        code == EACCES ? ": let the user who runs the program read it" : "");
    return config_prefix_error(error, pst_str_from(folder));
}

enum pst_err
page_texts_load(struct pst_arena *arena, const char *folder,
                struct page_texts *out, struct config_error *error)
{
    struct dirent **names = NULL;
    int count = scandir(folder, &names, is_texts_file, compare_names);
    struct page_texts texts = {.count = (size_t)count};
    enum pst_err e;

    if (count < 0)
        return errno == ENOMEM ? PST_NO_MEMORY
                               : set_folder_error(error, folder, errno);
    if (count > 0 && count <= PAGE_LANGUAGES_MAX) {
        e = load_files(arena, folder, names, &texts, error);
    } else {
        if (count == 0)
            config_set_error(error, "contains no file such as en.txt");
        else
            config_set_error(error, "contains more than %d files",
                             PAGE_LANGUAGES_MAX);
        e = config_prefix_error(error, pst_str_from(folder));
    }
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    if (!e)
        *out = texts;
    return e;
}

enum pst_err
config_read_page_texts(struct config_reader *reader,
                       const struct config_entry *entry, struct pst_str value)
{
    /* A NUL follows the value (config_read_fn). */
    return page_texts_load(reader->arena, value.ptr,
                           config_get_field(reader, entry), &reader->error);
}

const struct page_language *
page_texts_choose(const struct page_texts *texts,
                  struct pst_str accept_language)
{
    struct pst_str tags[PAGE_LANGUAGES_MAX];

    for (size_t i = 0; i < texts->count; i++)
        tags[i] = texts->languages[i].tag;
    return &texts->languages[pst_language_choose(accept_language, tags,
                                                 texts->count)];
}

/* SPDX-License-Identifier: ISC */
/*
 * json_check.c - one pass over a JSON text that checks it, without recursion.
 */
#include "codec/json_check.h"

#include <assert.h>
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "base/sort.h"
#include "codec/json_scan.h"

/* Names of open objects that need no memory but the stack. */
#define NAMES_INLINE_MAX 32

/* Bytes of the shortest member, `"":0,`: so many names has a text at most. */
#define MEMBER_MIN 4

static_assert(PST_JSON_TEXT_DEPTH == 256, "a message below names it");

/* In place of an object's first name: it is an array. */
#define IN_ARRAY UINT32_MAX

/* A member's name: a hash of what it decodes to, and where it begins. */
struct name {
    uint32_t hash;
    uint32_t at; /* of what is behind its quote */
};

/* The names of all objects that are open, the outermost one's first. */
struct names {
    struct name inline_names[NAMES_INLINE_MAX];
    struct name *all; /* few, or held */
    size_t count;
    size_t size;
    struct pst_buf heap;
};

struct check {
    struct pst_arena *arena;
    struct pst_json_scan scan;
    struct pst_json_error *error;
    struct names names;
    size_t depth;
    uint32_t first[PST_JSON_TEXT_DEPTH]; /* of an open object's names, the
                                            first one's index; or IN_ARRAY */
};

static enum pst_err
json_check_refuse(struct check *check, enum pst_err e, size_t at,
                  const char *reason)
{
    *check->error = (struct pst_json_error){reason, at};
    return e;
}

/* Malformed where the scan is. */
static enum pst_err
json_check_malformed(struct check *check, const char *reason)
{
    return json_check_refuse(check, PST_MALFORMED, check->scan.at, reason);
}

/* Names. */

static enum pst_err
json_check_grow_names(struct check *check)
{
    struct names *names = &check->names;
    size_t most = check->scan.text.len / MEMBER_MIN + 1;
    size_t size = names->size <= most / 2 ? names->size * 2 : most;
    struct pst_buf *heap = &names->heap;
    char *room;

    if (size <= names->size)
        return PST_NO_MEMORY;
    if (names->all == names->inline_names)
        pst_buf_init_heap(heap, check->arena, most * sizeof(struct name));
    room = pst_buf_reserve(heap, size * sizeof(struct name) - heap->len);
    if (!room)
        return PST_NO_MEMORY;
    if (names->all == names->inline_names)
        memcpy(room, names->inline_names, sizeof(names->inline_names));
    names->all = (void *)heap->ptr;
    names->size = size;
    return PST_OK;
}

static enum pst_err
json_check_add_name(struct check *check, struct name name)
{
    struct names *names = &check->names;
    enum pst_err e;

    if (names->count == names->size) {
        e = json_check_grow_names(check);
        if (e)
            return e;
    }
    names->all[names->count++] = name;
    return PST_OK;
}

/* What is left of a name at `at`, up to its quote. */
static struct pst_str
json_check_name_rest(const struct check *check, size_t at)
{
    const char *text = check->scan.text.ptr + at;
    size_t len = 0;

    while (text[len] != '"')
        len += text[len] == '\\' ? 2 : 1;
    return (struct pst_str){text, len};
}

/* The next run of what a string decodes to; absent at its end. */
static void
json_check_next_run(struct pst_json_unescape *string, struct pst_str *run)
{
    if (run->len == 0 && string->rest.len > 0)
        PST_REQUIRE(pst_json_unescape_next(string, run));
}

/* Which of two strings is less, as memcmp() has it. */
static int
json_check_compare_decoded(struct pst_str a, struct pst_str b)
{
    struct pst_json_unescape one = {.rest = a};
    struct pst_json_unescape other = {.rest = b};
    struct pst_str x = PST_STR("");
    struct pst_str y = PST_STR("");

    for (;;) {
        size_t len;
        int order;

        json_check_next_run(&one, &x);
        json_check_next_run(&other, &y);
        if (x.len == 0 || y.len == 0)
            return (x.len > 0) - (y.len > 0);
        len = x.len < y.len ? x.len : y.len;
        order = memcmp(x.ptr, y.ptr, len);
        if (order != 0)
            return order;
        x = pst_str_skip(x, len);
        y = pst_str_skip(y, len);
    }
}

/* The same of two names, decoded only from the first escape on. */
static int
json_check_compare_names(const struct check *check, size_t a, size_t b)
{
    const char *text = check->scan.text.ptr;

    while (text[a] == text[b] && text[a] != '"' && text[a] != '\\') {
        a++;
        b++;
    }
    if (text[a] == '\\' || text[b] == '\\')
        return json_check_compare_decoded(json_check_name_rest(check, a),
                                          json_check_name_rest(check, b));
    if (text[a] == '"' || text[b] == '"')
        return (text[b] == '"') - (text[a] == '"');
    return (unsigned char)text[a] < (unsigned char)text[b] ? -1 : 1;
}

/* The names of one object, to be sorted. */
struct object {
    const struct check *check;
    struct name *names;
};

static bool
json_check_name_is_less(void *context, size_t a, size_t b)
{
    const struct object *object = context;
    struct name one = object->names[a];
    struct name other = object->names[b];

    if (one.hash != other.hash)
        return one.hash < other.hash;
    return json_check_compare_names(object->check, one.at, other.at) < 0;
}

static void
json_check_swap_names(void *context, size_t a, size_t b)
{
    const struct object *object = context;
    struct name name = object->names[a];

    object->names[a] = object->names[b];
    object->names[b] = name;
}

static enum pst_err
json_check_refuse_duplicate(struct check *check, struct name a, struct name b)
{
    return json_check_refuse(check, PST_DUPLICATE, a.at > b.at ? a.at : b.at,
                             "an object has two members of one name");
}

/*
 * The names of one object, which is closed: is one there twice? They are
 * sorted, since whoever chooses them can make a table of hashes slow.
 */
static enum pst_err
json_check_duplicates(struct check *check, size_t first)
{
    struct name *names = check->names.all + first;
    size_t count = check->names.count - first;
    struct object object = {check, names};
    const struct pst_sort sort = {&object, count, json_check_name_is_less,
                                  json_check_swap_names};
    bool is_sorted = count > NAMES_INLINE_MAX;

    if (is_sorted)
        pst_sort(&sort);
    for (size_t i = 1; i < count; i++) {
        for (size_t j = is_sorted ? i - 1 : 0; j < i; j++) {
            if (names[i].hash == names[j].hash &&
                json_check_compare_names(check, names[i].at, names[j].at) == 0)
                return json_check_refuse_duplicate(check, names[i], names[j]);
        }
    }
    check->names.count = first;
    return PST_OK;
}

/* Tokens. */

/*
 * A string's escapes are checked, and what it decodes to is hashed (FNV-1a).
 *   is_name  it has neither a NUL, where some readers would cut it, nor half
 *            of a surrogate pair: different ones would become one name
 */
static enum pst_err
json_check_escapes(struct check *check, struct pst_str raw, bool is_name,
                   uint32_t *hash)
{
    struct pst_json_unescape string = {.rest = raw};
    size_t at = (size_t)(raw.ptr - check->scan.text.ptr);
    struct pst_str run;

    *hash = 2166136261U;
    while (string.rest.len > 0) {
        if (!pst_json_unescape_next(&string, &run))
            return json_check_refuse(
                check, PST_MALFORMED, at + raw.len - string.rest.len,
                "a string has an escape that JSON does not know");
        for (size_t i = 0; i < run.len && is_name; i++) {
            if (run.ptr[i] == '\0')
                return json_check_refuse(check, PST_MALFORMED, at,
                                         "a member's name has a NUL");
            *hash = (*hash ^ (unsigned char)run.ptr[i]) * 16777619U;
        }
    }
    if (is_name && string.lone)
        return json_check_refuse(
            check, PST_MALFORMED, at,
            "a member's name has half of a surrogate pair");
    return PST_OK;
}

static enum pst_err
json_check_parse_string(struct check *check, bool is_name, struct name *name)
{
    struct pst_str raw;

    name->at = (uint32_t)check->scan.at + 1;
    if (pst_json_scan_peek(&check->scan) != '"')
        return json_check_malformed(check, "the name of a member is expected");
    if (!pst_json_scan_string(&check->scan, &raw))
        return json_check_malformed(check,
                                    "a string does not end, or has a control "
                                    "character that is not escaped");
    if (!is_name && pst_str_index(raw, '\\') == raw.len)
        return PST_OK;
    return json_check_escapes(check, raw, is_name, &name->hash);
}

/* A member up to its value. */
static enum pst_err
json_check_parse_name(struct check *check)
{
    struct name name;
    enum pst_err e;

    pst_json_scan_skip_space(&check->scan);
    e = json_check_parse_string(check, true, &name);
    if (e)
        return e;
    e = json_check_add_name(check, name);
    if (e)
        return e;
    pst_json_scan_skip_space(&check->scan);
    if (!pst_json_scan_accept(&check->scan, ':'))
        return json_check_malformed(
            check, "a colon is expected behind a member's name");
    return PST_OK;
}

static enum pst_err
json_check_parse_scalar(struct check *check)
{
    static const struct pst_str literals[] = {
        {"true", 4}, {"false", 5}, {"null", 4}};
    struct pst_json_scan *scan = &check->scan;
    int c = pst_json_scan_peek(scan);
    struct pst_str number;
    struct name name;
    bool is_whole;

    if (c == '"')
        return json_check_parse_string(check, false, &name);
    if (c == '-' || (c >= '0' && c <= '9'))
        return pst_json_scan_number(scan, &number, &is_whole)
                   ? PST_OK
                   : json_check_malformed(
                         check, "a number is not spelt as JSON has it");
    for (size_t i = 0; i < PST_COUNT(literals); i++) {
        if (pst_json_scan_literal(scan, literals[i]))
            return PST_OK;
    }
    return json_check_malformed(check, "a value is expected");
}

/* Objects and arrays. */

static enum pst_err
json_check_close_container(struct check *check)
{
    uint32_t first = check->first[--check->depth];

    return first == IN_ARRAY ? PST_OK : json_check_duplicates(check, first);
}

/* Behind an opening bracket: up to the first value, if there is one. */
static enum pst_err
json_check_open_container(struct check *check, bool is_object, bool *is_whole)
{
    if (check->depth == PST_JSON_TEXT_DEPTH)
        return json_check_refuse(check, PST_TOO_LARGE, check->scan.at,
                                 "the JSON is nested deeper than 256 levels");
    check->first[check->depth++] =
        is_object ? (uint32_t)check->names.count : IN_ARRAY;
    pst_json_scan_skip_space(&check->scan);
    *is_whole = pst_json_scan_accept(&check->scan, is_object ? '}' : ']');
    if (*is_whole)
        return json_check_close_container(check);
    return is_object ? json_check_parse_name(check) : PST_OK;
}

/* A value, or the beginning of one: then the first one in it is next. */
static enum pst_err
json_check_parse_value(struct check *check, bool *is_whole)
{
    pst_json_scan_skip_space(&check->scan);
    if (pst_json_scan_accept(&check->scan, '{'))
        return json_check_open_container(check, true, is_whole);
    if (pst_json_scan_accept(&check->scan, '['))
        return json_check_open_container(check, false, is_whole);
    *is_whole = true;
    return json_check_parse_scalar(check);
}

/* Behind a value: up to the next one, or *is_over. */
static enum pst_err
json_check_end_value(struct check *check, bool *is_over)
{
    while (check->depth > 0) {
        bool is_object = check->first[check->depth - 1] != IN_ARRAY;
        enum pst_err e;

        pst_json_scan_skip_space(&check->scan);
        if (pst_json_scan_accept(&check->scan, ','))
            return is_object ? json_check_parse_name(check) : PST_OK;
        if (!pst_json_scan_accept(&check->scan, is_object ? '}' : ']'))
            return json_check_malformed(check,
                                        is_object ? "a comma or } is expected"
                                                  : "a comma or ] is expected");
        e = json_check_close_container(check);
        if (e)
            return e;
    }
    *is_over = true;
    return PST_OK;
}

static enum pst_err
json_check_parse_text(struct check *check, struct pst_str *value)
{
    bool is_over = false;
    size_t start;
    enum pst_err e;

    pst_json_scan_skip_space(&check->scan);
    start = check->scan.at;
    while (!is_over) {
        bool is_whole;

        e = json_check_parse_value(check, &is_whole);
        if (!e && is_whole)
            e = json_check_end_value(check, &is_over);
        if (e)
            return e;
    }
    *value = pst_json_scan_since(&check->scan, start);
    pst_json_scan_skip_space(&check->scan);
    if (pst_json_scan_peek(&check->scan) >= 0)
        return json_check_malformed(check,
                                    "something stands behind the JSON's end");
    return PST_OK;
}

enum pst_err
pst_json_check(struct pst_arena *arena, struct pst_str text,
               struct pst_str *value, struct pst_json_error *error)
{
    struct check check = {
        .arena = arena, .scan = {.text = text}, .error = error};
    struct pst_str found;
    enum pst_err e;

    check.names.all = check.names.inline_names;
    check.names.size = NAMES_INLINE_MAX;
    if (text.len >= UINT32_MAX)
        return json_check_refuse(&check, PST_TOO_LARGE, 0,
                                 "the JSON is larger than 4 GiB");
    if (!pst_str_is_utf8(text))
        return json_check_refuse(&check, PST_MALFORMED, 0,
                                 "the JSON is not UTF-8");
    e = json_check_parse_text(&check, &found);
    if (!e)
        *value = found;
    return e;
}

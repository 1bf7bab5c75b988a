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
#define NAMES_FEW 32

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
    struct name few[NAMES_FEW];
    struct name *all; /* few, or held */
    size_t count;
    size_t size;
    struct pst_buf held;
};

struct check {
    struct pst_arena *arena;
    struct pst_scan scan;
    struct pst_json_fault *fault;
    struct names names;
    size_t depth;
    uint32_t first[PST_JSON_TEXT_DEPTH]; /* of an open object's names, the
                                            first one's index; or IN_ARRAY */
};

static enum pst_err
refuse(struct check *check, enum pst_err e, size_t at, const char *why)
{
    *check->fault = (struct pst_json_fault){why, at};
    return e;
}

/* Malformed where the scan is. */
static enum pst_err
malformed(struct check *check, const char *why)
{
    return refuse(check, PST_MALFORMED, check->scan.at, why);
}

/* Names. */

static enum pst_err
grow_names(struct check *check)
{
    struct names *names = &check->names;
    size_t most = check->scan.text.len / MEMBER_MIN + 1;
    size_t size = names->size <= most / 2 ? names->size * 2 : most;
    struct pst_buf *held = &names->held;
    char *room;

    if (size <= names->size)
        return PST_NO_MEMORY;
    if (names->all == names->few)
        pst_buf_init_hold(held, check->arena, most * sizeof(struct name));
    room = pst_buf_room(held, size * sizeof(struct name) - held->len);
    if (!room)
        return PST_NO_MEMORY;
    if (names->all == names->few)
        memcpy(room, names->few, sizeof(names->few));
    names->all = (void *)held->ptr;
    names->size = size;
    return PST_OK;
}

static enum pst_err
add_name(struct check *check, struct name name)
{
    struct names *names = &check->names;
    enum pst_err e;

    if (names->count == names->size) {
        e = grow_names(check);
        if (e)
            return e;
    }
    names->all[names->count++] = name;
    return PST_OK;
}

/* What is left of a name at `at`, up to its quote. */
static struct pst_text
name_rest(const struct check *check, size_t at)
{
    const char *text = check->scan.text.ptr + at;
    size_t len = 0;

    while (text[len] != '"')
        len += text[len] == '\\' ? 2 : 1;
    return (struct pst_text){text, len};
}

/* The next run of what a string decodes to; absent at its end. */
static void
next_run(struct pst_unescape *string, struct pst_text *run)
{
    if (run->len == 0 && string->rest.len > 0)
        PST_REQUIRE(pst_unescape_next(string, run));
}

/* Which of two strings is less, as memcmp() has it. */
static int
compare_decoded(struct pst_text a, struct pst_text b)
{
    struct pst_unescape one = {.rest = a};
    struct pst_unescape other = {.rest = b};
    struct pst_text x = PST_TEXT("");
    struct pst_text y = PST_TEXT("");

    for (;;) {
        size_t len;
        int order;

        next_run(&one, &x);
        next_run(&other, &y);
        if (x.len == 0 || y.len == 0)
            return (x.len > 0) - (y.len > 0);
        len = x.len < y.len ? x.len : y.len;
        order = memcmp(x.ptr, y.ptr, len);
        if (order != 0)
            return order;
        x = pst_text_from_octet(x, len);
        y = pst_text_from_octet(y, len);
    }
}

/* The same of two names, decoded only from the first escape on. */
static int
compare_texts(const struct check *check, size_t a, size_t b)
{
    const char *text = check->scan.text.ptr;

    while (text[a] == text[b] && text[a] != '"' && text[a] != '\\') {
        a++;
        b++;
    }
    if (text[a] == '\\' || text[b] == '\\')
        return compare_decoded(name_rest(check, a), name_rest(check, b));
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
name_is_less(void *context, size_t a, size_t b)
{
    const struct object *object = context;
    struct name one = object->names[a];
    struct name other = object->names[b];

    if (one.hash != other.hash)
        return one.hash < other.hash;
    return compare_texts(object->check, one.at, other.at) < 0;
}

static void
swap_names(void *context, size_t a, size_t b)
{
    const struct object *object = context;
    struct name name = object->names[a];

    object->names[a] = object->names[b];
    object->names[b] = name;
}

static enum pst_err
refuse_twin(struct check *check, struct name a, struct name b)
{
    return refuse(check, PST_DUPLICATE, a.at > b.at ? a.at : b.at,
                  "an object has two members of one name");
}

/*
 * The names of one object, which is closed: is one there twice? They are
 * sorted, since whoever chooses them can make a table of hashes slow.
 */
static enum pst_err
check_names(struct check *check, size_t first)
{
    struct name *names = check->names.all + first;
    size_t count = check->names.count - first;
    struct object object = {check, names};
    const struct pst_sort sort = {&object, count, name_is_less, swap_names};
    bool is_sorted = count > NAMES_FEW;

    if (is_sorted)
        pst_sort(&sort);
    for (size_t i = 1; i < count; i++) {
        for (size_t j = is_sorted ? i - 1 : 0; j < i; j++) {
            if (names[i].hash == names[j].hash &&
                compare_texts(check, names[i].at, names[j].at) == 0)
                return refuse_twin(check, names[i], names[j]);
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
check_string(struct check *check, struct pst_text raw, bool is_name,
             uint32_t *hash)
{
    struct pst_unescape string = {.rest = raw};
    size_t at = (size_t)(raw.ptr - check->scan.text.ptr);
    struct pst_text run;

    *hash = 2166136261U;
    while (string.rest.len > 0) {
        if (!pst_unescape_next(&string, &run))
            return refuse(check, PST_MALFORMED, at + raw.len - string.rest.len,
                          "a string has an escape that JSON does not know");
        for (size_t i = 0; i < run.len && is_name; i++) {
            if (run.ptr[i] == '\0')
                return refuse(check, PST_MALFORMED, at,
                              "a member's name has a NUL");
            *hash = (*hash ^ (unsigned char)run.ptr[i]) * 16777619U;
        }
    }
    if (is_name && string.lone)
        return refuse(check, PST_MALFORMED, at,
                      "a member's name has half of a surrogate pair");
    return PST_OK;
}

static enum pst_err
take_string(struct check *check, bool is_name, struct name *name)
{
    struct pst_text raw;

    name->at = (uint32_t)check->scan.at + 1;
    if (pst_scan_peek(&check->scan) != '"')
        return malformed(check, "the name of a member is expected");
    if (!pst_scan_string(&check->scan, &raw))
        return malformed(check, "a string does not end, or has a control "
                                "character that is not escaped");
    if (!is_name && pst_text_index(raw, '\\') == raw.len)
        return PST_OK;
    return check_string(check, raw, is_name, &name->hash);
}

/* A member up to its value. */
static enum pst_err
take_name(struct check *check)
{
    struct name name;
    enum pst_err e;

    pst_scan_space(&check->scan);
    e = take_string(check, true, &name);
    if (e)
        return e;
    e = add_name(check, name);
    if (e)
        return e;
    pst_scan_space(&check->scan);
    if (!pst_scan_take(&check->scan, ':'))
        return malformed(check, "a colon is expected behind a member's name");
    return PST_OK;
}

static enum pst_err
take_scalar(struct check *check)
{
    static const struct pst_text words[] = {
        {"true", 4}, {"false", 5}, {"null", 4}};
    struct pst_scan *scan = &check->scan;
    int c = pst_scan_peek(scan);
    struct pst_text number;
    struct name name;
    bool is_whole;

    if (c == '"')
        return take_string(check, false, &name);
    if (c == '-' || (c >= '0' && c <= '9'))
        return pst_scan_number(scan, &number, &is_whole)
                   ? PST_OK
                   : malformed(check, "a number is not spelt as JSON has it");
    for (size_t i = 0; i < PST_COUNT(words); i++) {
        if (pst_scan_word(scan, words[i]))
            return PST_OK;
    }
    return malformed(check, "a value is expected");
}

/* Objects and arrays. */

static enum pst_err
close_box(struct check *check)
{
    uint32_t first = check->first[--check->depth];

    return first == IN_ARRAY ? PST_OK : check_names(check, first);
}

/* Behind an opening bracket: up to the first value, if there is one. */
static enum pst_err
open_box(struct check *check, bool is_object, bool *is_whole)
{
    if (check->depth == PST_JSON_TEXT_DEPTH)
        return refuse(check, PST_TOO_LARGE, check->scan.at,
                      "the JSON is nested deeper than 256 levels");
    check->first[check->depth++] =
        is_object ? (uint32_t)check->names.count : IN_ARRAY;
    pst_scan_space(&check->scan);
    *is_whole = pst_scan_take(&check->scan, is_object ? '}' : ']');
    if (*is_whole)
        return close_box(check);
    return is_object ? take_name(check) : PST_OK;
}

/* A value, or the beginning of one: then the first one in it is next. */
static enum pst_err
take_value(struct check *check, bool *is_whole)
{
    pst_scan_space(&check->scan);
    if (pst_scan_take(&check->scan, '{'))
        return open_box(check, true, is_whole);
    if (pst_scan_take(&check->scan, '['))
        return open_box(check, false, is_whole);
    *is_whole = true;
    return take_scalar(check);
}

/* Behind a value: up to the next one, or *is_over. */
static enum pst_err
end_value(struct check *check, bool *is_over)
{
    while (check->depth > 0) {
        bool is_object = check->first[check->depth - 1] != IN_ARRAY;
        enum pst_err e;

        pst_scan_space(&check->scan);
        if (pst_scan_take(&check->scan, ','))
            return is_object ? take_name(check) : PST_OK;
        if (!pst_scan_take(&check->scan, is_object ? '}' : ']'))
            return malformed(check, is_object ? "a comma or } is expected"
                                              : "a comma or ] is expected");
        e = close_box(check);
        if (e)
            return e;
    }
    *is_over = true;
    return PST_OK;
}

static enum pst_err
check_text(struct check *check, struct pst_text *value)
{
    bool is_over = false;
    size_t start;
    enum pst_err e;

    pst_scan_space(&check->scan);
    start = check->scan.at;
    while (!is_over) {
        bool is_whole;

        e = take_value(check, &is_whole);
        if (!e && is_whole)
            e = end_value(check, &is_over);
        if (e)
            return e;
    }
    *value = pst_scan_since(&check->scan, start);
    pst_scan_space(&check->scan);
    if (pst_scan_peek(&check->scan) >= 0)
        return malformed(check, "something stands behind the JSON's end");
    return PST_OK;
}

enum pst_err
pst_json_check(struct pst_arena *arena, struct pst_text text,
               struct pst_text *value, struct pst_json_fault *fault)
{
    struct check check = {
        .arena = arena, .scan = {.text = text}, .fault = fault};
    struct pst_text found;
    enum pst_err e;

    check.names.all = check.names.few;
    check.names.size = NAMES_FEW;
    if (text.len >= UINT32_MAX)
        return refuse(&check, PST_TOO_LARGE, 0,
                      "the JSON is larger than 4 GiB");
    if (!pst_text_is_utf8(text))
        return refuse(&check, PST_MALFORMED, 0, "the JSON is not UTF-8");
    e = check_text(&check, &found);
    if (!e)
        *value = found;
    return e;
}

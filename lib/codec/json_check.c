/* SPDX-License-Identifier: ISC */
/*
 * json_check.c - validate a JSON text in one pass, without recursion.
 */
#include "codec/json_check.h"

#include <assert.h>

#include "base/limits.h"
#include "codec/json_names.h"
#include "codec/json_scan.h"

/* The place of an array among the first names of open objects. */
#define IN_ARRAY SIZE_MAX

static_assert(PST_JSON_TEXT_DEPTH == 256, "an error message below names it");

struct check {
    struct pst_json_scan scan;
    struct pst_json_error *error;
    struct pst_json_names names;  /* of all open objects */
    struct pst_json_split *split; /* of the outermost object; or NULL */
    size_t value_at;              /* where the value of the last begins */
    size_t depth;
    size_t depth_max;
    size_t values_left;                /* that the text may have */
    size_t first[PST_JSON_TEXT_DEPTH]; /* of each open object or array: how
                                          many names are before its first one,
                                          or IN_ARRAY */
};

static enum pst_err
json_check_refuse(struct check *check, enum pst_err e, size_t at,
                  const char *reason)
{
    *check->error = (struct pst_json_error){reason, at};
    return e;
}

/* Refuse the text as malformed at the place of the scan. */
static enum pst_err
json_check_malformed(struct check *check, const char *reason)
{
    return json_check_refuse(check, PST_MALFORMED, check->scan.at, reason);
}

/*
 * Check the escapes of a string, and of a name two things more. It has no NUL,
 * where some readers would cut it. It has no half of a surrogate pair, since
 * different ones could become the same name.
 */
static enum pst_err
json_check_escapes(struct check *check, struct pst_str raw, bool is_name)
{
    struct pst_json_unescape string = {.rest = raw};
    size_t at = (size_t)(raw.ptr - check->scan.text.ptr);
    struct pst_str run;

    while (string.rest.len > 0) {
        if (!pst_json_unescape_next(&string, &run))
            return json_check_refuse(
                check, PST_MALFORMED, at + raw.len - string.rest.len,
                "a string has an escape that JSON does not know");
        if (is_name && pst_str_index(run, '\0') < run.len)
            return json_check_refuse(check, PST_MALFORMED, at,
                                     "a member's name has a NUL");
    }
    if (is_name && string.lone)
        return json_check_refuse(
            check, PST_MALFORMED, at,
            "a member's name has half of a surrogate pair");
    return PST_OK;
}

static enum pst_err
json_check_parse_string(struct check *check, bool is_name, struct pst_str *raw)
{
    if (!pst_json_scan_string(&check->scan, raw))
        return json_check_malformed(check,
                                    "a string does not end, or has a control "
                                    "character that is not escaped");
    return check->scan.has_escapes ? json_check_escapes(check, *raw, is_name)
                                   : PST_OK;
}

/* A member of the outermost object begins: note its name. */
static void
json_check_begin_member(struct check *check, struct pst_str raw)
{
    struct pst_json_split *split = check->split;

    if (split->count < split->size)
        split->at[split->count] =
            (struct pst_json_split_member){raw, PST_STR_NONE};
    split->count++;
    pst_json_scan_skip_space(&check->scan);
    check->value_at = check->scan.at;
}

/* It ends: note its value. */
static void
json_check_end_member(struct check *check)
{
    struct pst_json_split *split = check->split;

    if (split->count > 0 && split->count <= split->size)
        split->at[split->count - 1].value =
            pst_json_scan_since(&check->scan, check->value_at);
}

/* Read a member's name and the colon. */
static enum pst_err
json_check_parse_name(struct check *check)
{
    struct pst_str raw;
    enum pst_err e;

    pst_json_scan_skip_space(&check->scan);
    if (pst_json_scan_peek(&check->scan) != '"')
        return json_check_malformed(check, "the name of a member is expected");
    e = json_check_parse_string(check, true, &raw);
    if (e)
        return e;
    e = pst_json_names_add(&check->names, raw);
    if (e)
        return e;
    pst_json_scan_skip_space(&check->scan);
    if (!pst_json_scan_accept(&check->scan, ':'))
        return json_check_malformed(check,
                                    "a colon is expected after a member's "
                                    "name");
    if (check->depth == 1 && check->split)
        json_check_begin_member(check, raw);
    return PST_OK;
}

static enum pst_err
json_check_parse_scalar(struct check *check)
{
    static const struct pst_str literals[] = {
        {"true", 4}, {"false", 5}, {"null", 4}};
    struct pst_json_scan *scan = &check->scan;
    int c = pst_json_scan_peek(scan);
    struct pst_str text;
    bool is_whole;

    if (c == '"')
        return json_check_parse_string(check, false, &text);
    if (c == '-' || (c >= '0' && c <= '9'))
        return pst_json_scan_number(scan, &text, &is_whole)
                   ? PST_OK
                   : json_check_malformed(
                         check, "a number does not follow the JSON grammar");
    for (size_t i = 0; i < PST_COUNT(literals); i++) {
        if (pst_json_scan_literal(scan, literals[i]))
            return PST_OK;
    }
    return json_check_malformed(check, "a value is expected");
}

static enum pst_err
json_check_close_container(struct check *check)
{
    size_t first = check->first[--check->depth];
    size_t at;

    if (first == IN_ARRAY || !pst_json_names_close(&check->names, first, &at))
        return PST_OK;
    return json_check_refuse(check, PST_DUPLICATE, at,
                             "an object has two members of the same name");
}

/* After an opening bracket: read up to the first value, if there is one. */
static enum pst_err
json_check_open_container(struct check *check, bool is_object, bool *is_whole)
{
    if (check->depth == check->depth_max)
        return json_check_refuse(check, PST_TOO_LARGE, check->scan.at,
                                 check->depth_max == PST_JSON_TEXT_DEPTH
                                     ? "the JSON is nested deeper than 256 "
                                       "levels"
                                     : "the JSON is nested too deep");
    check->first[check->depth++] = is_object ? check->names.count : IN_ARRAY;
    pst_json_scan_skip_space(&check->scan);
    *is_whole = pst_json_scan_accept(&check->scan, is_object ? '}' : ']');
    if (*is_whole)
        return json_check_close_container(check);
    return is_object ? json_check_parse_name(check) : PST_OK;
}

/*
 * Read a whole scalar, or a container up to its first value.
 *   is_whole  set to whether a value ends here
 */
static enum pst_err
json_check_parse_value(struct check *check, bool *is_whole)
{
    pst_json_scan_skip_space(&check->scan);
    if (check->values_left-- == 0)
        return json_check_refuse(check, PST_TOO_LARGE, check->scan.at,
                                 "the JSON has too many values");
    if (pst_json_scan_accept(&check->scan, '{'))
        return json_check_open_container(check, true, is_whole);
    if (pst_json_scan_accept(&check->scan, '['))
        return json_check_open_container(check, false, is_whole);
    *is_whole = true;
    return json_check_parse_scalar(check);
}

/* After a value: read up to the next one, or set *is_over at the end. */
static enum pst_err
json_check_end_value(struct check *check, bool *is_over)
{
    while (check->depth > 0) {
        bool is_object = check->first[check->depth - 1] != IN_ARRAY;
        enum pst_err e;

        if (check->depth == 1 && check->split)
            json_check_end_member(check);
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
        return json_check_malformed(
            check, "there is something after the end of the JSON");
    return PST_OK;
}

/* What a text may have, and where its members go. */
struct check_limits {
    size_t depth; /* levels, up to PST_JSON_TEXT_DEPTH */
    size_t values;
    struct pst_json_split *split; /* or NULL */
};

static enum pst_err
json_check_limited(struct pst_arena *arena, struct pst_str text,
                   struct check_limits limits, struct pst_str *value,
                   struct pst_json_error *error)
{
    struct check check; /* not zeroed as a whole: it is large */
    struct pst_str found;
    enum pst_err e;

    check.scan = (struct pst_json_scan){.text = text};
    check.error = error;
    check.depth = 0;
    check.depth_max = limits.depth;
    check.values_left = limits.values;
    check.split = limits.split;
    pst_json_names_init(&check.names, arena, text);
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

enum pst_err
pst_json_check(struct pst_arena *arena, struct pst_str text,
               struct pst_str *value, struct pst_json_error *error)
{
    const struct check_limits limits = {PST_JSON_TEXT_DEPTH, SIZE_MAX, NULL};

    return json_check_limited(arena, text, limits, value, error);
}

enum pst_err
pst_json_check_object(struct pst_arena *arena, struct pst_str text,
                      struct pst_json_split *split,
                      struct pst_json_error *error)
{
    const struct check_limits limits = {PST_JSON_DEPTH, PST_JSON_VALUES, split};
    struct pst_str value;

    split->count = 0;
    return json_check_limited(arena, text, limits, &value, error);
}

struct pst_str
pst_json_skip_mark(struct pst_str text)
{
    const struct pst_str mark = PST_STR("\xEF\xBB\xBF");

    return pst_str_starts(text, mark) ? pst_str_skip(text, mark.len) : text;
}

/* SPDX-License-Identifier: ISC */
/*
 * json_slice.c - read a checked JSON text in place: each value is a slice of
 * the text.
 */
#include "codec/json_slice.h"

#include <string.h>

#include "base/buffer.h"
#include "codec/json_scan.h"

bool
pst_json_slice_next_element(struct pst_str *rest, struct pst_str *value)
{
    struct pst_json_scan scan = {.text = *rest};
    size_t start;

    if (!pst_json_scan_accept(&scan, '[') && !pst_json_scan_accept(&scan, ','))
        return false;
    pst_json_scan_skip_space(&scan);
    start = scan.at;
    if (pst_json_scan_peek(&scan) == ']' || !pst_json_scan_skip_value(&scan))
        return false;
    *value = pst_json_scan_since(&scan, start);
    pst_json_scan_skip_space(&scan);
    *rest = pst_str_skip(*rest, scan.at);
    return true;
}

bool
pst_json_slice_next_member(struct pst_str *rest, struct pst_str *name,
                           struct pst_str *value)
{
    struct pst_json_scan scan = {.text = *rest};
    size_t start;

    if (!pst_json_scan_accept(&scan, '{') && !pst_json_scan_accept(&scan, ','))
        return false;
    pst_json_scan_skip_space(&scan);
    if (!pst_json_scan_string(&scan, name))
        return false;
    pst_json_scan_skip_space(&scan);
    if (!pst_json_scan_accept(&scan, ':'))
        return false;
    pst_json_scan_skip_space(&scan);
    start = scan.at;
    if (!pst_json_scan_skip_value(&scan))
        return false;
    *value = pst_json_scan_since(&scan, start);
    pst_json_scan_skip_space(&scan);
    *rest = pst_str_skip(*rest, scan.at);
    return true;
}

bool
pst_json_slice_member(struct pst_str object, struct pst_str name,
                      struct pst_str *value)
{
    struct pst_str raw, found;

    if (!pst_str_starts(object, PST_STR("{")))
        return false;
    while (pst_json_slice_next_member(&object, &raw, &found)) {
        if (pst_json_slice_equal(raw, name)) {
            *value = found;
            return true;
        }
    }
    return false;
}

bool
pst_json_slice_element(struct pst_str array, size_t index,
                       struct pst_str *value)
{
    struct pst_str found;

    if (!pst_str_starts(array, PST_STR("[")))
        return false;
    while (pst_json_slice_next_element(&array, &found)) {
        if (index-- == 0) {
            *value = found;
            return true;
        }
    }
    return false;
}

enum pst_err
pst_json_slice_integer(struct pst_str value, int64_t *out)
{
    int sign = pst_str_starts(value, PST_STR("-")) ? -1 : 1;
    struct pst_str digits = pst_str_skip(value, (size_t)(sign < 0));
    int64_t number = 0;

    if (digits.len == 0)
        return PST_MALFORMED;
    for (size_t i = 0; i < digits.len; i++) {
        if (!pst_is_digit(digits.ptr[i]) ||
            __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, sign * (digits.ptr[i] - '0'),
                                   &number))
            return PST_MALFORMED;
    }
    if (number == 0 && sign < 0) /* no int64_t is spelled "-0" */
        return PST_MALFORMED;
    *out = number;
    return PST_OK;
}

enum pst_json_kind
pst_json_slice_kind(struct pst_str value)
{
    int64_t number;

    if (value.len == 0)
        return PST_JSON_ABSENT;
    switch (value.ptr[0]) {
    case '{':
        return PST_JSON_OBJECT;
    case '[':
        return PST_JSON_ARRAY;
    case '"':
        return PST_JSON_STRING;
    case 'n':
        return PST_JSON_NULL;
    case 't':
    case 'f':
        return PST_JSON_BOOL;
    default:
        return pst_json_slice_integer(value, &number) == PST_OK
                   ? PST_JSON_INTEGER
                   : PST_JSON_NUMBER;
    }
}

int
pst_json_slice_compare(struct pst_str raw, struct pst_str text)
{
    struct pst_json_unescape string = {.rest = raw};
    struct pst_str run;

    while (string.rest.len > 0) {
        size_t len;
        int order;

        if (!pst_json_unescape_next(&string, &run))
            return 1;
        len = run.len < text.len ? run.len : text.len;
        order = len > 0 ? memcmp(run.ptr, text.ptr, len) : 0;
        if (order != 0)
            return order;
        if (len < run.len)
            return 1;
        text = pst_str_skip(text, len);
    }
    return text.len > 0 ? -1 : 0;
}

bool
pst_json_slice_equal(struct pst_str raw, struct pst_str text)
{
    /* Every escape is longer than what it decodes to. */
    if (raw.len < text.len)
        return false;
    if (raw.len == text.len)
        return pst_str_equal(raw, text) && pst_str_index(raw, '\\') == raw.len;
    return pst_str_index(raw, '\\') < raw.len &&
           pst_json_slice_compare(raw, text) == 0;
}

/* Take the first letter or byte off *run, in lower case. */
static char
json_slice_next_folded(struct pst_str *run)
{
    static const struct pst_str long_s = {"\xC5\xBF", 2};
    static const struct pst_str kelvin = {"\xE2\x84\xAA", 3};
    size_t len = 1;
    char c = pst_lower(run->ptr[0]);

    if (pst_str_starts(*run, long_s)) {
        c = 's';
        len = long_s.len;
    } else if (pst_str_starts(*run, kelvin)) {
        c = 'k';
        len = kelvin.len;
    }
    *run = pst_str_skip(*run, len);
    return c;
}

bool
pst_json_slice_equal_nocase(struct pst_str raw, struct pst_str text)
{
    struct pst_json_unescape string = {.rest = raw};
    struct pst_str run;

    if (raw.len < text.len)
        return false;
    /* Most names differ in their first letter already. */
    if (text.len > 0 && pst_is_alpha(raw.ptr[0]) &&
        pst_lower(raw.ptr[0]) != pst_lower(text.ptr[0]))
        return false;
    while (string.rest.len > 0) {
        if (!pst_json_unescape_next(&string, &run))
            return false;
        while (run.len > 0) {
            if (text.len == 0 ||
                json_slice_next_folded(&run) != pst_lower(text.ptr[0]))
                return false;
            text = pst_str_skip(text, 1);
        }
    }
    return text.len == 0;
}

enum pst_err
pst_json_slice_string(struct pst_arena *arena, struct pst_str value,
                      size_t most, struct pst_str *out)
{
    struct pst_json_scan scan = {.text = value};
    bool lone = false;
    struct pst_str raw;
    struct pst_buf buf;

    if (!pst_json_scan_string(&scan, &raw)) {
        *out = PST_STR_NONE;
        return PST_OK;
    }
    if (!scan.has_escapes) {
        *out = raw;
        return PST_OK;
    }
    if (raw.len <= most)
        pst_buf_init_arena(&buf, arena, raw.len);
    else
        pst_buf_init_heap(&buf, arena, raw.len);
    /* Reserve all of it at once, so that nothing moves while it grows. */
    if (!pst_buf_reserve(&buf, raw.len))
        return PST_NO_MEMORY;
    pst_buf_truncate(&buf, 0);
    if (!pst_json_unescape_all(&buf, raw, &lone) || lone)
        return PST_MALFORMED;
    return pst_buf_finish(&buf, out);
}

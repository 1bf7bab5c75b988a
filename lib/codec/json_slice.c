/* SPDX-License-Identifier: ISC */
/*
 * json_slice.c - walks over a JSON text that was checked.
 */
#include "codec/json_slice.h"

#include <string.h>

#include "base/buffer.h"
#include "codec/json_scan.h"

/* Walks. */

bool
pst_json_slice_next_element(struct pst_text *rest, struct pst_text *value)
{
    struct pst_scan scan = {.text = *rest};
    size_t start;

    if (!pst_scan_take(&scan, '[') && !pst_scan_take(&scan, ','))
        return false;
    pst_scan_space(&scan);
    start = scan.at;
    if (pst_scan_peek(&scan) == ']' || !pst_scan_value(&scan))
        return false;
    *value = pst_scan_since(&scan, start);
    pst_scan_space(&scan);
    *rest = pst_text_from_octet(*rest, scan.at);
    return true;
}

bool
pst_json_slice_next_member(struct pst_text *rest, struct pst_text *name,
                           struct pst_text *value)
{
    struct pst_scan scan = {.text = *rest};
    size_t start;

    if (!pst_scan_take(&scan, '{') && !pst_scan_take(&scan, ','))
        return false;
    pst_scan_space(&scan);
    if (!pst_scan_string(&scan, name))
        return false;
    pst_scan_space(&scan);
    if (!pst_scan_take(&scan, ':'))
        return false;
    pst_scan_space(&scan);
    start = scan.at;
    if (!pst_scan_value(&scan))
        return false;
    *value = pst_scan_since(&scan, start);
    pst_scan_space(&scan);
    *rest = pst_text_from_octet(*rest, scan.at);
    return true;
}

bool
pst_json_slice_member(struct pst_text object, struct pst_text name,
                      struct pst_text *value)
{
    struct pst_text raw, found;

    if (!pst_text_starts(object, PST_TEXT("{")))
        return false;
    while (pst_json_slice_next_member(&object, &raw, &found)) {
        if (pst_json_slice_decodes_to(raw, name)) {
            *value = found;
            return true;
        }
    }
    return false;
}

bool
pst_json_slice_element(struct pst_text array, size_t index,
                       struct pst_text *value)
{
    struct pst_text found;

    if (!pst_text_starts(array, PST_TEXT("[")))
        return false;
    while (pst_json_slice_next_element(&array, &found)) {
        if (index-- == 0) {
            *value = found;
            return true;
        }
    }
    return false;
}

/* Values. */

enum pst_err
pst_json_slice_integer(struct pst_text value, int64_t *out)
{
    int sign = pst_text_starts(value, PST_TEXT("-")) ? -1 : 1;
    struct pst_text digits = pst_text_from_octet(value, (size_t)(sign < 0));
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
    *out = number;
    return PST_OK;
}

enum pst_json_kind
pst_json_slice_kind(struct pst_text value)
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
pst_json_slice_compare(struct pst_text raw, struct pst_text text)
{
    struct pst_unescape string = {.rest = raw};
    struct pst_text run;

    while (string.rest.len > 0) {
        size_t len;
        int order;

        if (!pst_unescape_next(&string, &run))
            return 1;
        len = run.len < text.len ? run.len : text.len;
        order = len > 0 ? memcmp(run.ptr, text.ptr, len) : 0;
        if (order != 0)
            return order;
        if (len < run.len)
            return 1;
        text = pst_text_from_octet(text, len);
    }
    return text.len > 0 ? -1 : 0;
}

bool
pst_json_slice_decodes_to(struct pst_text raw, struct pst_text text)
{
    /* What it decodes to is never longer. */
    if (raw.len < text.len)
        return false;
    return pst_json_slice_compare(raw, text) == 0;
}

/* Take the first letter off *run, folded; other bytes are themselves. */
static char
take_folded(struct pst_text *run)
{
    static const struct pst_text long_s = {"\xC5\xBF", 2};
    static const struct pst_text kelvin = {"\xE2\x84\xAA", 3};
    size_t len = 1;
    char c = pst_lower(run->ptr[0]);

    if (pst_text_starts(*run, long_s)) {
        c = 's';
        len = long_s.len;
    } else if (pst_text_starts(*run, kelvin)) {
        c = 'k';
        len = kelvin.len;
    }
    *run = pst_text_from_octet(*run, len);
    return c;
}

bool
pst_json_slice_folds_to(struct pst_text raw, struct pst_text text)
{
    struct pst_unescape string = {.rest = raw};
    struct pst_text run;

    if (raw.len < text.len)
        return false;
    while (string.rest.len > 0) {
        if (!pst_unescape_next(&string, &run))
            return false;
        while (run.len > 0) {
            if (text.len == 0 || take_folded(&run) != pst_lower(text.ptr[0]))
                return false;
            text = pst_text_from_octet(text, 1);
        }
    }
    return text.len == 0;
}

/* Decode onto buf, which has room for the whole of raw. */
static enum pst_err
decode(struct pst_buf *buf, struct pst_text raw, struct pst_text *out)
{
    struct pst_unescape string = {.rest = raw};
    struct pst_text run;

    while (string.rest.len > 0) {
        if (!pst_unescape_next(&string, &run))
            return PST_MALFORMED;
        pst_buf_add(buf, run);
    }
    if (string.lone)
        return PST_MALFORMED;
    return pst_buf_end(buf, out);
}

enum pst_err
pst_json_slice_text(struct pst_arena *arena, struct pst_text value, size_t most,
                    struct pst_text *out)
{
    struct pst_scan scan = {.text = value};
    struct pst_text raw;
    struct pst_buf buf;

    if (!pst_scan_string(&scan, &raw)) {
        *out = PST_NO_TEXT;
        return PST_OK;
    }
    if (pst_text_index(raw, '\\') == raw.len) {
        *out = raw;
        return PST_OK;
    }
    if (raw.len <= most)
        pst_buf_init_arena(&buf, arena, raw.len);
    else
        pst_buf_init_hold(&buf, arena, raw.len);
    /* All of it at once, so that nothing is moved while it grows. */
    if (!pst_buf_room(&buf, raw.len))
        return PST_NO_MEMORY;
    pst_buf_cut(&buf, 0);
    return decode(&buf, raw, out);
}

/* SPDX-License-Identifier: ISC */
/*
 * json_scan.c - split a JSON text (RFC 8259) into tokens, and decode strings.
 */
#include "codec/json_scan.h"

#include <endian.h>
#include <string.h>

#define UNIT_LEN 6          /* bytes of \uXXXX: RFC 8259 section 7 */
#define REPLACEMENT 0xFFFDU /* what half of a surrogate pair is read as */

bool
pst_json_scan_literal(struct pst_json_scan *scan, struct pst_str literal)
{
    if (!pst_str_starts(pst_str_skip(scan->text, scan->at), literal))
        return false;
    scan->at += literal.len;
    return true;
}

static bool
json_scan_digits(struct pst_json_scan *scan)
{
    size_t start = scan->at;

    while (pst_json_scan_peek(scan) >= '0' && pst_json_scan_peek(scan) <= '9')
        scan->at++;
    return scan->at > start;
}

static bool
json_scan_fraction(struct pst_json_scan *scan, bool *whole)
{
    if (!pst_json_scan_accept(scan, '.'))
        return true;
    *whole = false;
    return json_scan_digits(scan);
}

static bool
json_scan_exponent(struct pst_json_scan *scan, bool *whole)
{
    if (!pst_json_scan_accept(scan, 'e') && !pst_json_scan_accept(scan, 'E'))
        return true;
    *whole = false;
    if (!pst_json_scan_accept(scan, '+'))
        (void)pst_json_scan_accept(scan, '-');
    return json_scan_digits(scan);
}

bool
pst_json_scan_number(struct pst_json_scan *scan, struct pst_str *text,
                     bool *whole)
{
    size_t start = scan->at;

    *whole = true;
    (void)pst_json_scan_accept(scan, '-');
    if (!pst_json_scan_accept(scan, '0') && !json_scan_digits(scan))
        return false;
    if (!json_scan_fraction(scan, whole) || !json_scan_exponent(scan, whole))
        return false;
    *text = pst_json_scan_since(scan, start);
    return true;
}

#define REPEAT_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The highest bit of each of eight bytes that equals c. The lowest bit that is
 * set is right; one after it may be wrong. */
static uint64_t
json_scan_mark_byte(uint64_t bytes, unsigned char c)
{
    uint64_t zero = bytes ^ REPEAT_BYTE(c);

    return (zero - REPEAT_BYTE(0x01)) & ~zero & REPEAT_BYTE(0x80);
}

/*
 * The place from `at` on up to which no byte needs a look: none of them is a
 * quote, a backslash or a control character. The next one is, or less than
 * eight bytes are left. `at` may be beyond the end.
 */
static inline size_t
json_scan_skip_plain(struct pst_str text, size_t at)
{
    uint64_t marks;
    uint64_t bytes;

    for (; at + sizeof(bytes) <= text.len; at += sizeof(bytes)) {
        memcpy(&bytes, text.ptr + at, sizeof(bytes));
        bytes = le64toh(bytes);
        /* With 2 turned over, a quote is the first byte after the controls. */
        marks = json_scan_mark_byte(bytes, '\\') |
                (((bytes ^ REPEAT_BYTE(0x02)) - REPEAT_BYTE(0x21)) & ~bytes &
                 REPEAT_BYTE(0x80));
        if (marks != 0)
            return at + (size_t)__builtin_ctzll(marks) / 8;
    }
    return at;
}

bool
pst_json_scan_string(struct pst_json_scan *scan, struct pst_str *raw)
{
    const struct pst_str text = scan->text;
    size_t start = scan->at + 1;
    size_t at;

    if (!pst_json_scan_accept(scan, '"'))
        return false;
    scan->has_escapes = false;
    at = json_scan_skip_plain(text, start);
    while (at < text.len && text.ptr[at] != '"') {
        if ((unsigned char)text.ptr[at] < ' ')
            return false;
        if (text.ptr[at] != '\\') {
            at++;
        } else {
            scan->has_escapes = true;
            at = json_scan_skip_plain(text, at + 2);
        }
    }
    if (at >= text.len)
        return false;
    *raw = (struct pst_str){text.ptr + start, at - start};
    scan->at = at + 1;
    return true;
}

/* Skip a number or a literal of a valid text: up to what can follow one. */
static void
json_scan_skip_scalar(struct pst_json_scan *scan)
{
    int c = pst_json_scan_peek(scan);

    while (c >= 0 && c != ',' && c != ']' && c != '}' &&
           !pst_json_scan_is_space(c)) {
        scan->at++;
        c = pst_json_scan_peek(scan);
    }
}

bool
pst_json_scan_skip_value(struct pst_json_scan *scan)
{
    size_t open = 0;

    do {
        int c = pst_json_scan_peek(scan);
        struct pst_str raw;

        if (c < 0)
            return false;
        if (c == '"') {
            if (!pst_json_scan_string(scan, &raw))
                return false;
        } else if (c == '{' || c == '[') {
            open++;
            scan->at++;
        } else if (open > 0) {
            open -= c == '}' || c == ']';
            scan->at++;
        } else {
            json_scan_skip_scalar(scan);
        }
    } while (open > 0);
    return true;
}

/* The UTF-16 code unit of the \uXXXX that text begins with, or -1. */
static int32_t
json_unescape_code_unit(struct pst_str text)
{
    int32_t unit = 0;

    if (text.len < UNIT_LEN || !pst_str_starts(text, PST_STR("\\u")))
        return -1;
    for (size_t i = 2; i < UNIT_LEN; i++) {
        int digit = pst_hex_value(text.ptr[i]);

        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static struct pst_str
json_unescape_to_utf8(uint32_t c, char out[static 4])
{
    static const uint8_t lead[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (char)(lead[len] | c);
    return (struct pst_str){out, len};
}

/* Decode \uXXXX, or two of them that are a surrogate pair. */
static bool
json_unescape_next_unicode(struct pst_json_unescape *string,
                           struct pst_str *run)
{
    int32_t c = json_unescape_code_unit(string->rest);
    int32_t low;

    if (c < 0)
        return false;
    string->rest = pst_str_skip(string->rest, UNIT_LEN);
    if (c >= 0xD800 && c <= 0xDFFF) {
        low = c <= 0xDBFF ? json_unescape_code_unit(string->rest) : -1;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            c = 0x10000 + (c - 0xD800) * 0x400 + (low - 0xDC00);
            string->rest = pst_str_skip(string->rest, UNIT_LEN);
        } else {
            c = REPLACEMENT;
            string->lone = true;
        }
    }
    *run = json_unescape_to_utf8((uint32_t)c, string->bytes);
    return true;
}

bool
pst_json_unescape_next(struct pst_json_unescape *string, struct pst_str *run)
{
    static const char escapes[] = "\"\\/bfnrt";
    static const char unescaped[] = "\"\\/\b\f\n\r\t";
    const char *found;

    PST_REQUIRE(string->rest.len > 0);
    *run = pst_str_first(string->rest, pst_str_index(string->rest, '\\'));
    if (run->len > 0) {
        string->rest = pst_str_skip(string->rest, run->len);
        return true;
    }
    if (string->rest.len < 2)
        return false;
    if (string->rest.ptr[1] == 'u')
        return json_unescape_next_unicode(string, run);
    found = memchr(escapes, string->rest.ptr[1], sizeof(escapes) - 1);
    if (!found)
        return false;
    string->bytes[0] = unescaped[found - escapes];
    *run = (struct pst_str){string->bytes, 1};
    string->rest = pst_str_skip(string->rest, 2);
    return true;
}

bool
pst_json_unescape_all(struct pst_buf *buf, struct pst_str raw, bool *lone)
{
    struct pst_json_unescape string = {.rest = raw};
    struct pst_str run;

    while (string.rest.len > 0) {
        if (!pst_json_unescape_next(&string, &run))
            return false;
        pst_buf_add(buf, run);
    }
    *lone = string.lone;
    return true;
}

/* SPDX-License-Identifier: ISC */
/*
 * json_scan.c - what RFC 8259 takes for a token, and RFC 6901 for a step.
 */
#include "codec/json_scan.h"

#include <string.h>

#define UNIT_LEN 6          /* bytes of \uXXXX: RFC 8259 section 7 */
#define REPLACEMENT 0xFFFDU /* stands for what is no character */

int
pst_scan_peek(const struct pst_scan *scan)
{
    if (scan->at >= scan->text.len)
        return -1;
    return (unsigned char)scan->text.ptr[scan->at];
}

bool
pst_scan_take(struct pst_scan *scan, char c)
{
    if (pst_scan_peek(scan) != c)
        return false;
    scan->at++;
    return true;
}

bool
pst_scan_word(struct pst_scan *scan, struct pst_text word)
{
    if (!pst_text_starts(pst_text_from_octet(scan->text, scan->at), word))
        return false;
    scan->at += word.len;
    return true;
}

static bool
is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void
pst_scan_space(struct pst_scan *scan)
{
    while (is_space(pst_scan_peek(scan)))
        scan->at++;
}

struct pst_text
pst_scan_since(const struct pst_scan *scan, size_t start)
{
    PST_REQUIRE(start <= scan->at && scan->at <= scan->text.len);
    return pst_text_first(pst_text_from_octet(scan->text, start),
                          scan->at - start);
}

static bool
take_digits(struct pst_scan *scan)
{
    size_t start = scan->at;

    while (pst_scan_peek(scan) >= '0' && pst_scan_peek(scan) <= '9')
        scan->at++;
    return scan->at > start;
}

static bool
take_fraction(struct pst_scan *scan, bool *whole)
{
    if (!pst_scan_take(scan, '.'))
        return true;
    *whole = false;
    return take_digits(scan);
}

static bool
take_exponent(struct pst_scan *scan, bool *whole)
{
    if (!pst_scan_take(scan, 'e') && !pst_scan_take(scan, 'E'))
        return true;
    *whole = false;
    if (!pst_scan_take(scan, '+'))
        (void)pst_scan_take(scan, '-');
    return take_digits(scan);
}

bool
pst_scan_number(struct pst_scan *scan, struct pst_text *text, bool *whole)
{
    size_t start = scan->at;

    *whole = true;
    (void)pst_scan_take(scan, '-');
    if (!pst_scan_take(scan, '0') && !take_digits(scan))
        return false;
    if (!take_fraction(scan, whole) || !take_exponent(scan, whole))
        return false;
    *text = pst_scan_since(scan, start);
    return true;
}

#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

/* Does one of eight bytes equal c? */
static bool
has_octet(uint64_t octets, unsigned char c)
{
    uint64_t zero = octets ^ EACH(c);

    return ((zero - EACH(0x01)) & ~zero & EACH(0x80)) != 0;
}

/* Bytes from `at` on, eight at a time, that stand in a string as they are. */
static size_t
plain_run(struct pst_text text, size_t at)
{
    size_t start = at;
    uint64_t octets;

    for (; text.len - at >= sizeof(octets); at += sizeof(octets)) {
        memcpy(&octets, text.ptr + at, sizeof(octets));
        if (has_octet(octets, '"') || has_octet(octets, '\\') ||
            ((octets - EACH(0x20)) & ~octets & EACH(0x80)) != 0)
            break;
    }
    return at - start;
}

bool
pst_scan_string(struct pst_scan *scan, struct pst_text *raw)
{
    size_t start = scan->at + 1;
    size_t at = start;
    const char *text = scan->text.ptr;

    if (!pst_scan_take(scan, '"'))
        return false;
    at += plain_run(scan->text, at);
    while (at < scan->text.len && text[at] != '"') {
        if ((unsigned char)text[at] < ' ')
            break;
        if (text[at] != '\\')
            at++;
        else if (scan->text.len - at > 2)
            at += 2 + plain_run(scan->text, at + 2);
        else
            at += 2;
    }
    if (at >= scan->text.len || text[at] != '"')
        return false;
    scan->at = at;
    *raw = pst_scan_since(scan, start);
    scan->at++;
    return true;
}

/* The text is JSON: a scalar that is no string ends where the next thing is. */
static void
pass_scalar(struct pst_scan *scan)
{
    int c = pst_scan_peek(scan);

    while (c >= 0 && c != ',' && c != ']' && c != '}' && !is_space(c)) {
        scan->at++;
        c = pst_scan_peek(scan);
    }
}

bool
pst_scan_value(struct pst_scan *scan)
{
    size_t open = 0;

    do {
        int c = pst_scan_peek(scan);
        struct pst_text raw;

        if (c < 0)
            return false;
        if (c == '"') {
            if (!pst_scan_string(scan, &raw))
                return false;
        } else if (c == '{' || c == '[') {
            open++;
            scan->at++;
        } else if (open > 0) {
            open -= c == '}' || c == ']';
            scan->at++;
        } else {
            pass_scalar(scan);
        }
    } while (open > 0);
    return true;
}

/* The code unit that \uXXXX at the beginning of text stands for, or -1. */
static int32_t
code_unit(struct pst_text text)
{
    int32_t unit = 0;

    if (text.len < UNIT_LEN || !pst_text_starts(text, PST_TEXT("\\u")))
        return -1;
    for (size_t i = 2; i < UNIT_LEN; i++) {
        int digit = pst_hex_value(text.ptr[i]);

        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static struct pst_text
as_utf8(uint32_t c, char out[static 4])
{
    static const uint8_t lead[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (char)(lead[len] | c);
    return (struct pst_text){out, len};
}

/* \uXXXX, or two of them that are one character. */
static bool
next_unit(struct pst_unescape *string, struct pst_text *run)
{
    int32_t c = code_unit(string->rest);
    int32_t low;

    if (c < 0)
        return false;
    string->rest = pst_text_from_octet(string->rest, UNIT_LEN);
    if (c >= 0xD800 && c <= 0xDFFF) {
        low = c <= 0xDBFF ? code_unit(string->rest) : -1;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            c = 0x10000 + (c - 0xD800) * 0x400 + (low - 0xDC00);
            string->rest = pst_text_from_octet(string->rest, UNIT_LEN);
        } else {
            c = REPLACEMENT;
            string->lone = true;
        }
    }
    *run = as_utf8((uint32_t)c, string->octets);
    return true;
}

bool
pst_unescape_next(struct pst_unescape *string, struct pst_text *run)
{
    static const char escapes[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    const char *found;

    PST_REQUIRE(string->rest.len > 0);
    *run = pst_text_first(string->rest, pst_text_index(string->rest, '\\'));
    if (run->len > 0) {
        string->rest = pst_text_from_octet(string->rest, run->len);
        return true;
    }
    if (string->rest.len < 2)
        return false;
    if (string->rest.ptr[1] == 'u')
        return next_unit(string, run);
    found = memchr(escapes, string->rest.ptr[1], sizeof(escapes) - 1);
    if (!found)
        return false;
    string->octets[0] = meant[found - escapes];
    *run = (struct pst_text){string->octets, 1};
    string->rest = pst_text_from_octet(string->rest, 2);
    return true;
}

struct pst_text
pst_pointer_steps(struct pst_text pointer)
{
    return pointer.len > 0 ? pst_text_from_octet(pointer, 1) : PST_NO_TEXT;
}

bool
pst_step_take(struct pst_text *step, struct pst_text octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        char c = step->len > 0 ? step->ptr[0] : '\0';

        if (step->len == 0)
            return false;
        if (c == '~') {
            c = step->ptr[1] == '0' ? '~' : '/';
            *step = pst_text_from_octet(*step, 1);
        }
        if (c != octets.ptr[i])
            return false;
        *step = pst_text_from_octet(*step, 1);
    }
    return true;
}

bool
pst_step_is(struct pst_text step, struct pst_text name)
{
    return pst_step_take(&step, name) && step.len == 0;
}

bool
pst_step_index(struct pst_text step, size_t *index)
{
    int64_t number;

    if (pst_text_number(step, &number) != PST_OK)
        return false;
    *index = (size_t)number;
    return true;
}

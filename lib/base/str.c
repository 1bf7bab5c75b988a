/* SPDX-License-Identifier: ISC */
/*
 * str.c - what can be asked of a slice without copying it.
 */
#include "base/str.h"

#include <string.h>

struct pst_text
pst_text_from(const char *zero_terminated)
{
    if (!zero_terminated)
        return PST_NO_TEXT;
    return (struct pst_text){zero_terminated, strlen(zero_terminated)};
}

struct pst_bytes
pst_text_bytes(struct pst_text text)
{
    return (struct pst_bytes){(const uint8_t *)text.ptr, text.len};
}

struct pst_text
pst_bytes_text(struct pst_bytes bytes)
{
    return (struct pst_text){(const char *)bytes.ptr, bytes.len};
}

bool
pst_text_is_absent(struct pst_text text)
{
    return text.ptr == NULL;
}

bool
pst_text_equal(struct pst_text a, struct pst_text b)
{
    if (a.len != b.len)
        return false;
    return a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0;
}

bool
pst_text_equal_nocase(struct pst_text a, struct pst_text b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (pst_lower(a.ptr[i]) != pst_lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool
pst_text_starts(struct pst_text text, struct pst_text prefix)
{
    return text.len >= prefix.len &&
           pst_text_equal(pst_text_first(text, prefix.len), prefix);
}

bool
pst_text_starts_nocase(struct pst_text text, struct pst_text prefix)
{
    return text.len >= prefix.len &&
           pst_text_equal_nocase(pst_text_first(text, prefix.len), prefix);
}

bool
pst_text_ends(struct pst_text text, struct pst_text suffix)
{
    return text.len >= suffix.len &&
           pst_text_equal(pst_text_from_octet(text, text.len - suffix.len),
                          suffix);
}

struct pst_text
pst_text_from_octet(struct pst_text text, size_t start)
{
    size_t skip = start < text.len ? start : text.len;

    if (skip == 0) /* nothing may be added to a NULL, not even 0 */
        return text;
    return (struct pst_text){text.ptr + skip, text.len - skip};
}

struct pst_text
pst_text_first(struct pst_text text, size_t len)
{
    return (struct pst_text){text.ptr, len < text.len ? len : text.len};
}

size_t
pst_text_index(struct pst_text text, char c)
{
    const char *found = NULL;

    if (text.len > 0)
        found = memchr(text.ptr, c, text.len);
    return found ? (size_t)(found - text.ptr) : text.len;
}

size_t
pst_text_last_index(struct pst_text text, char c)
{
    size_t after = text.len;

    while (after > 0 && text.ptr[after - 1] != c)
        after--;
    return after > 0 ? after - 1 : text.len;
}

bool
pst_text_contains(struct pst_text text, struct pst_text needle)
{
    if (needle.len == 0)
        return true;
    if (needle.len > text.len)
        return false;
    return memmem(text.ptr, text.len, needle.ptr, needle.len) != NULL;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct pst_text
pst_text_trim(struct pst_text text)
{
    size_t start = 0;
    size_t end = text.len;

    while (start < end && is_blank(text.ptr[start]))
        start++;
    while (start < end && is_blank(text.ptr[end - 1]))
        end--;
    return pst_text_from_octet(pst_text_first(text, end), start);
}

bool
pst_text_cut(struct pst_text *rest, char separator, struct pst_text *piece)
{
    size_t end;

    if (pst_text_is_absent(*rest))
        return false;
    end = pst_text_index(*rest, separator);
    *piece = pst_text_first(*rest, end);
    if (end < rest->len)
        *rest = pst_text_from_octet(*rest, end + 1);
    else
        *rest = PST_NO_TEXT;
    return true;
}

static bool
is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

bool
pst_text_word(struct pst_text *rest, const char *separators,
              struct pst_text *word)
{
    size_t start = 0;
    size_t end;

    while (start < rest->len && is_one_of(rest->ptr[start], separators))
        start++;
    if (start == rest->len)
        return false;
    end = start;
    while (end < rest->len && !is_one_of(rest->ptr[end], separators))
        end++;
    *word = pst_text_from_octet(pst_text_first(*rest, end), start);
    *rest = pst_text_from_octet(*rest, end);
    return true;
}

bool
pst_text_is_token(struct pst_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!pst_is_alpha(c) && !pst_is_digit(c) &&
            !is_one_of(c, "!#$%&'*+-.^_`|~"))
            return false;
    }
    return text.len > 0;
}

bool
pst_text_is_field_value(struct pst_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

/*
 * The bytes of the one UTF-8 sequence that text begins with, or 0 when it
 * begins with none. The second byte's bounds are what rules out overlong
 * forms, surrogates and values over U+10FFFF (Unicode, table 3-7).
 */
static size_t
utf8_sequence(struct pst_text text)
{
    unsigned char lead = (unsigned char)text.ptr[0];
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    size_t len = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4 || text.len < len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c < low || c > high)
            return 0;
        low = 0x80;
        high = 0xBF;
    }
    return len;
}

/* The bytes that text begins with and that are ASCII, eight at a time. */
static size_t
ascii_run(struct pst_text text)
{
    size_t len = 0;
    uint64_t octets;

    for (; text.len - len >= sizeof(octets); len += sizeof(octets)) {
        memcpy(&octets, text.ptr + len, sizeof(octets));
        if (octets & UINT64_C(0x8080808080808080))
            break;
    }
    return len;
}

bool
pst_text_is_utf8(struct pst_text text)
{
    while (text.len > 0) {
        size_t len = ascii_run(text);

        if (len == 0)
            len = utf8_sequence(text);

        if (len == 0)
            return false;
        text = pst_text_from_octet(text, len);
    }
    return true;
}

enum pst_err
pst_text_number(struct pst_text text, int64_t *out)
{
    int64_t value = 0;

    if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0'))
        return PST_MALFORMED;
    for (size_t i = 0; i < text.len; i++) {
        if (!pst_is_digit(text.ptr[i]) ||
            __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text.ptr[i] - '0', &value))
            return PST_MALFORMED;
    }
    *out = value;
    return PST_OK;
}

enum pst_err
pst_text_port(struct pst_text text, int64_t *out)
{
    int64_t number;
    enum pst_err e = pst_text_number(text, &number);

    if (e)
        return e;
    if (number < 1 || number > 65535)
        return PST_MALFORMED;
    *out = number;
    return PST_OK;
}

char
pst_hex_digit(unsigned value)
{
    return "0123456789abcdef"[value & 15];
}

int
pst_hex_value(char c)
{
    char lower = pst_lower(c);

    if (pst_is_digit(c))
        return c - '0';
    if (lower >= 'a' && lower <= 'f')
        return lower - 'a' + 10;
    return -1;
}

char
pst_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool
pst_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool
pst_is_alpha(char c)
{
    char lower = pst_lower(c);

    return lower >= 'a' && lower <= 'z';
}

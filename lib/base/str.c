/* SPDX-License-Identifier: ISC */
/*
 * str.c - string views: compare, search, split, classify and parse text.
 */
#include "base/str.h"

#include <string.h>

bool
pst_str_equal_first_nocase(struct pst_str a, const char *b)
{
    for (size_t i = 0; i < a.len; i++) {
        if (pst_lower(a.ptr[i]) != pst_lower(b[i]))
            return false;
    }
    return true;
}

bool
pst_str_starts_nocase(struct pst_str text, struct pst_str prefix)
{
    return text.len >= prefix.len &&
           pst_str_equal_nocase(pst_str_first(text, prefix.len), prefix);
}

bool
pst_str_ends(struct pst_str text, struct pst_str suffix)
{
    return text.len >= suffix.len &&
           pst_str_equal(pst_str_skip(text, text.len - suffix.len), suffix);
}

size_t
pst_str_last_index(struct pst_str text, char c)
{
    size_t after = text.len;

    while (after > 0 && text.ptr[after - 1] != c)
        after--;
    return after > 0 ? after - 1 : text.len;
}

bool
pst_str_contains(struct pst_str text, struct pst_str needle)
{
    if (needle.len == 0)
        return true;
    if (needle.len > text.len)
        return false;
    return memmem(text.ptr, text.len, needle.ptr, needle.len) != NULL;
}

static bool
str_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct pst_str
pst_str_trim(struct pst_str text)
{
    size_t start = 0;
    size_t end = text.len;

    while (start < end && str_is_blank(text.ptr[start]))
        start++;
    while (start < end && str_is_blank(text.ptr[end - 1]))
        end--;
    return pst_str_skip(pst_str_first(text, end), start);
}

bool
pst_str_split(struct pst_str *rest, char separator, struct pst_str *piece)
{
    size_t end;

    if (pst_str_is_absent(*rest))
        return false;
    end = pst_str_index(*rest, separator);
    *piece = pst_str_first(*rest, end);
    if (end < rest->len)
        *rest = pst_str_skip(*rest, end + 1);
    else
        *rest = PST_STR_NONE;
    return true;
}

static bool
str_char_is_in(char c, const char *set)
{
    while (*set != '\0' && *set != c)
        set++;
    return *set != '\0'; /* a NUL is in no set */
}

bool
pst_str_next_token(struct pst_str *rest, const char *separators,
                   struct pst_str *token)
{
    size_t start = 0;
    size_t end;

    while (start < rest->len && str_char_is_in(rest->ptr[start], separators))
        start++;
    if (start == rest->len)
        return false;
    end = start;
    while (end < rest->len && !str_char_is_in(rest->ptr[end], separators))
        end++;
    *token = pst_str_skip(pst_str_first(*rest, end), start);
    *rest = pst_str_skip(*rest, end);
    return true;
}

/* Is a byte a tchar: a digit, a letter, or one of !#$%&'*+-.^_`|~ */
#define TCHAR(c) [c] = true
#define TCHARS_8(c)                                                           \
    TCHAR(c), TCHAR((c) + 1), TCHAR((c) + 2), TCHAR((c) + 3), TCHAR((c) + 4), \
        TCHAR((c) + 5), TCHAR((c) + 6), TCHAR((c) + 7)
#define TCHARS_26(c)                                                     \
    TCHARS_8(c), TCHARS_8((c) + 8), TCHARS_8((c) + 16), TCHAR((c) + 24), \
        TCHAR((c) + 25)
static const bool str_is_tchar[256] = {
    TCHARS_8('0'), TCHAR('8'), TCHAR('9'), TCHARS_26('A'), TCHARS_26('a'),
    TCHAR('!'),    TCHAR('#'), TCHAR('$'), TCHAR('%'),     TCHAR('&'),
    TCHAR('\''),   TCHAR('*'), TCHAR('+'), TCHAR('-'),     TCHAR('.'),
    TCHAR('^'),    TCHAR('_'), TCHAR('`'), TCHAR('|'),     TCHAR('~'),
};

bool
pst_str_is_token(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!str_is_tchar[(unsigned char)text.ptr[i]])
            return false;
    }
    return text.len > 0;
}

#define STR_EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/*
 * Has one of eight bytes a value below 0x20, or 0x7F? A tab counts, too, and a
 * byte after one that does, or after 0xFF, may count wrongly: a borrow or carry
 * comes from there.
 */
static inline bool
str_has_control_byte(const char *eight)
{
    uint64_t word;

    memcpy(&word, eight, sizeof(word));
    return (((word - STR_EACH_BYTE(0x20)) | (word + STR_EACH_BYTE(1))) & ~word &
            STR_EACH_BYTE(0x80)) != 0;
}

bool
pst_str_is_field_value(struct pst_str text)
{
    size_t i = 0;

    /* The last eight bytes, and then those before them, as far as they go. */
    if (text.len >= 8 && !str_has_control_byte(text.ptr + text.len - 8))
        text.len -= text.len % 8 > 0 ? text.len % 8 : 8;
    while (i < text.len) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (i + 8 <= text.len && !str_has_control_byte(text.ptr + i)) {
            i += 8;
            continue;
        }
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
        i++;
    }
    return true;
}

/*
 * The length in bytes of the UTF-8 sequence that text begins with, or 0 when it
 * begins with none. The bounds of the second byte exclude overlong forms,
 * surrogates and values over U+10FFFF (The Unicode Standard, table 3-7).
 */
static size_t
str_utf8_sequence_len(struct pst_str text)
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

/* How many bytes at the beginning are ASCII; counts eight at a time. */
static size_t
str_ascii_run_len(struct pst_str text)
{
    size_t len = 0;
    uint64_t bytes;

    for (; text.len - len >= sizeof(bytes); len += sizeof(bytes)) {
        memcpy(&bytes, text.ptr + len, sizeof(bytes));
        if (bytes & UINT64_C(0x8080808080808080))
            break;
    }
    return len;
}

bool
pst_str_is_utf8(struct pst_str text)
{
    while (text.len > 0) {
        size_t len = str_ascii_run_len(text);

        if (len == 0)
            len = str_utf8_sequence_len(text);
        if (len == 0)
            return false;
        text = pst_str_skip(text, len);
    }
    return true;
}

enum pst_err
pst_str_parse_number(struct pst_str text, int64_t *out)
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
pst_str_parse_port(struct pst_str text, int64_t *out)
{
    int64_t number;
    enum pst_err e = pst_str_parse_number(text, &number);

    if (e)
        return e;
    if (number < 1 || number > 65535)
        return PST_MALFORMED;
    *out = number;
    return PST_OK;
}

struct pst_str
pst_str_truncate(struct pst_str text, size_t max)
{
    size_t len = max;

    if (text.len <= max)
        return text;
    while (len > 0 && max - len < 3 && ((uint8_t)text.ptr[len] & 0xC0) == 0x80)
        len--;
    return pst_str_first(text, len);
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

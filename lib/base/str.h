/* SPDX-License-Identifier: ISC */
/*
 * str.h - string views: a pointer and a length, passed by value, not owning.
 *
 * A view whose ptr is NULL is absent. A view whose len is 0 and whose ptr is
 * not NULL is empty. Only pst_str_is_absent() distinguishes the two.
 */
#ifndef POSTERN_BASE_STR_H
#define POSTERN_BASE_STR_H

#include <string.h>

#include "base/base.h"
#include "base/error.h"

/* Text. */
struct pst_str {
    const char *ptr;
    size_t len;
};

/* Bytes. */
struct pst_bytes {
    const uint8_t *ptr;
    size_t len;
};

/* A view of a string literal. */
#define PST_STR(literal) ((struct pst_str){"" literal, sizeof(literal) - 1})

/* The absent text. */
#define PST_STR_NONE ((struct pst_str){NULL, 0})

/* A view of a NUL-terminated string; absent for NULL. */
static inline struct pst_str
pst_str_from(const char *zero_terminated)
{
    if (!zero_terminated)
        return PST_STR_NONE;
    return (struct pst_str){zero_terminated, strlen(zero_terminated)};
}

/* The same bytes under the other type. */
static inline struct pst_bytes
pst_str_bytes(struct pst_str text)
{
    return (struct pst_bytes){(const uint8_t *)text.ptr, text.len};
}

static inline struct pst_str
pst_str_from_bytes(struct pst_bytes bytes)
{
    return (struct pst_str){(const char *)bytes.ptr, bytes.len};
}

static inline bool
pst_str_is_absent(struct pst_str text)
{
    return text.ptr == NULL;
}

/* Are the bytes equal? Not for secrets: use pst_crypto_equal() there. */
static inline bool
pst_str_equal(struct pst_str a, struct pst_str b)
{
    if (a.len != b.len)
        return false;
    return a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* Are as many bytes as `a` has equal, ignoring the case of ASCII letters? */
bool pst_str_equal_first_nocase(struct pst_str a, const char *b);

/* The same, ignoring the case of ASCII letters; independent of the locale. Most
 * texts that are compared have different lengths. */
static inline bool
pst_str_equal_nocase(struct pst_str a, struct pst_str b)
{
    return a.len == b.len && pst_str_equal_first_nocase(a, b.ptr);
}

/* The text from byte `start` on; empty when start is beyond the end. */
static inline struct pst_str
pst_str_skip(struct pst_str text, size_t start)
{
    size_t skip = start < text.len ? start : text.len;

    if (skip == 0) /* adding even 0 to NULL is undefined */
        return text;
    return (struct pst_str){text.ptr + skip, text.len - skip};
}

/* The first len bytes; all of the text when it is shorter. */
static inline struct pst_str
pst_str_first(struct pst_str text, size_t len)
{
    return (struct pst_str){text.ptr, len < text.len ? len : text.len};
}

/* The first max bytes at most, without a part of a UTF-8 character at the end
 * (RFC 3629 section 3: a byte 10xxxxxx continues one). */
struct pst_str pst_str_truncate(struct pst_str text, size_t max);

/* The index of the first c, or text.len when there is none. */
static inline size_t
pst_str_index(struct pst_str text, char c)
{
    const char *found = NULL;

    if (text.len > 0)
        found = memchr(text.ptr, c, text.len);
    return found ? (size_t)(found - text.ptr) : text.len;
}

/* Does text begin, or end, with this? */
static inline bool
pst_str_starts(struct pst_str text, struct pst_str prefix)
{
    return text.len >= prefix.len &&
           pst_str_equal(pst_str_first(text, prefix.len), prefix);
}

bool pst_str_starts_nocase(struct pst_str text, struct pst_str prefix);
bool pst_str_ends(struct pst_str text, struct pst_str suffix);

/* The index of the last c, or text.len when there is none. */
size_t pst_str_last_index(struct pst_str text, char c);

/* Is needle a part of text? An empty needle always is. */
bool pst_str_contains(struct pst_str text, struct pst_str needle);

/* The text without spaces and tabs at its ends (OWS, RFC 9110 5.6.3). */
struct pst_str pst_str_trim(struct pst_str text);

/*
 * Split off the piece before the next separator. "a,,b" has the pieces "a", ""
 * and "b"; "" has the piece "".
 *   rest   the rest of the text; becomes absent after the last piece
 *   piece  set on true; may be empty
 * Returns false when *rest is absent.
 */
bool pst_str_split(struct pst_str *rest, char separator, struct pst_str *piece);

/*
 * Split off the next token. Tokens are separated by one or more of the bytes in
 * separators, and are never empty.
 *   rest   the rest of the text
 *   token  set on true
 * Returns false when there is no other token.
 */
bool pst_str_next_token(struct pst_str *rest, const char *separators,
                        struct pst_str *token);

/* Is it a token of RFC 9110 5.6.2: one or more tchar? */
bool pst_str_is_token(struct pst_str text);

/* Is it a valid field value: only HTAB, 0x20..0x7E and 0x80..0xFF? */
bool pst_str_is_field_value(struct pst_str text);

/* Is it UTF-8, without overlong forms, surrogates, values over U+10FFFF? */
bool pst_str_is_utf8(struct pst_str text);

/*
 * Parse a decimal number: digits only, without sign or leading zeros.
 *   out  set on PST_OK
 * Returns PST_OK, or PST_MALFORMED when it is not a number or does not fit.
 */
PST_MUST_USE enum pst_err pst_str_parse_number(struct pst_str text,
                                               int64_t *out);

/* Parse a port, 1..65535. PST_OK or PST_MALFORMED; out is set on PST_OK. */
PST_MUST_USE enum pst_err pst_str_parse_port(struct pst_str text, int64_t *out);

/* The lower-case hex digit of the low four bits of value. */
char pst_hex_digit(unsigned value);

/* The value of a hex digit of either case, 0..15, or -1. */
int pst_hex_value(char c);

/* ASCII only, independent of the locale. */
static inline char
pst_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool
pst_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool
pst_is_alpha(char c)
{
    char lower = pst_lower(c);

    return lower >= 'a' && lower <= 'z';
}

#endif

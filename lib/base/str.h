/* SPDX-License-Identifier: ISC */
/*
 * str.h - slices: a pointer and a length, passed by value, never owning.
 *
 * A slice whose ptr is NULL is absent; one whose len is 0 and whose ptr is
 * not NULL is present and empty. Only pst_str_is_absent() tells them apart.
 */
#ifndef POSTERN_BASE_STR_H
#define POSTERN_BASE_STR_H

#include "base/base.h"
#include "base/error.h"

struct pst_str {
    const char *ptr;
    size_t len;
};

struct pst_bytes {
    const uint8_t *ptr;
    size_t len;
};

/* A slice of a string literal. */
#define PST_STR(literal) ((struct pst_str){"" literal, sizeof(literal) - 1})

#define PST_STR_NONE ((struct pst_str){NULL, 0})

/* The whole of a NUL-terminated string; absent for NULL. */
PST_EXPORT struct pst_str pst_str_from(const char *zero_terminated);

/* The same bytes under the other type. */
PST_EXPORT struct pst_bytes pst_str_bytes(struct pst_str text);
PST_EXPORT struct pst_str pst_str_from_bytes(struct pst_bytes bytes);

PST_EXPORT bool pst_str_is_absent(struct pst_str text);

/* Byte by byte. Not for secrets: pst_crypto_equal() is. */
PST_EXPORT bool pst_str_equal(struct pst_str a, struct pst_str b);

/* The same with A-Z and a-z taken as one; no locale. */
PST_EXPORT bool pst_str_equal_nocase(struct pst_str a, struct pst_str b);

PST_EXPORT bool pst_str_starts(struct pst_str text, struct pst_str prefix);
PST_EXPORT bool pst_str_starts_nocase(struct pst_str text,
                                      struct pst_str prefix);
PST_EXPORT bool pst_str_ends(struct pst_str text, struct pst_str suffix);

/* from byte `start` on; the empty end of text when start is beyond it. */
PST_EXPORT struct pst_str pst_str_skip(struct pst_str text, size_t start);

/* At most the first len bytes. */
PST_EXPORT struct pst_str pst_str_first(struct pst_str text, size_t len);

/* The index of the first c, or text.len when there is none. */
PST_EXPORT size_t pst_str_index(struct pst_str text, char c);

/* The index of the last c, or text.len when there is none. */
PST_EXPORT size_t pst_str_last_index(struct pst_str text, char c);

/* True when needle stands somewhere in text; an empty needle always does. */
PST_EXPORT bool pst_str_contains(struct pst_str text, struct pst_str needle);

/* Without the SP and HTAB (OWS, RFC 9110 5.6.3) at both ends. */
PST_EXPORT struct pst_str pst_str_trim(struct pst_str text);

/*
 * Take the piece before the next separator off *rest.
 *   rest   what is left; becomes absent after the last piece
 *   piece  set when true is returned; may be empty
 * Returns false once *rest is absent. "a,,b" gives "a", "", "b"; "" gives "".
 */
PST_EXPORT bool pst_str_split(struct pst_str *rest, char separator,
                              struct pst_str *piece);

/*
 * Take the next word off *rest: words are separated by any of the bytes in
 * separators, and are never empty.
 */
PST_EXPORT bool pst_str_next_token(struct pst_str *rest, const char *separators,
                                   struct pst_str *token);

/* A token of RFC 9110 5.6.2: one or more tchar. */
PST_EXPORT bool pst_str_is_token(struct pst_str text);

/* Only bytes a header's value may carry: HTAB, 0x20..0x7E, 0x80..0xFF. */
PST_EXPORT bool pst_str_is_field_value(struct pst_str text);

/* Well-formed UTF-8: no overlong form, surrogate, or value over U+10FFFF. */
PST_EXPORT bool pst_str_is_utf8(struct pst_str text);

/*
 * A decimal number: digits only, no sign, no leading zero but "0" itself.
 * Returns PST_OK, or PST_MALFORMED when it is none or does not fit.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_str_parse_number(struct pst_str text,
                                                          int64_t *out);

/* A port, 1..65535. PST_OK, or PST_MALFORMED and out is left alone. */
PST_MUST_USE PST_EXPORT enum pst_err pst_str_parse_port(struct pst_str text,
                                                        int64_t *out);

/* One lower-case hex digit of value's low four bits. */
PST_EXPORT char pst_hex_digit(unsigned value);

/* 0..15, or -1 when c is no hex digit of either case. */
PST_EXPORT int pst_hex_value(char c);

PST_EXPORT char pst_lower(char c);
PST_EXPORT bool pst_is_digit(char c);
PST_EXPORT bool pst_is_alpha(char c);

#endif

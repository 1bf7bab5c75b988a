/* SPDX-License-Identifier: ISC */
/*
 * json_scan.h - split a JSON text (RFC 8259) into tokens, and decode strings.
 * Allocates nothing. Functions for single bytes are
 * inline, since every byte of a text goes through them.
 */
#ifndef POSTERN_CODEC_JSON_SCAN_H
#define POSTERN_CODEC_JSON_SCAN_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/str.h"

/* A text, and how far it is read. A function that returns false may have moved
 * `at`. */
struct pst_json_scan {
    struct pst_str text;
    size_t at;
    bool has_escapes; /* the last string that was read has a backslash */
};

/* The next byte, 0..255, or -1 at the end. */
static inline int
pst_json_scan_peek(const struct pst_json_scan *scan)
{
    if (scan->at >= scan->text.len)
        return -1;
    return (unsigned char)scan->text.ptr[scan->at];
}

/* Skip the next byte if it is c, which is ASCII. */
static inline bool
pst_json_scan_accept(struct pst_json_scan *scan, char c)
{
    if (pst_json_scan_peek(scan) != c)
        return false;
    scan->at++;
    return true;
}

/* Is it white space (RFC 8259 section 2)? c is a byte, or -1. */
static inline bool
pst_json_scan_is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Skip white space. */
static inline void
pst_json_scan_skip_space(struct pst_json_scan *scan)
{
    while (pst_json_scan_is_space(pst_json_scan_peek(scan)))
        scan->at++;
}

/* The bytes from `start` up to where the scan is. */
static inline struct pst_str
pst_json_scan_since(const struct pst_json_scan *scan, size_t start)
{
    PST_REQUIRE(start <= scan->at && scan->at <= scan->text.len);
    return pst_str_first(pst_str_skip(scan->text, start), scan->at - start);
}

/* Skip `literal`, such as "true", if it is next. */
bool pst_json_scan_literal(struct pst_json_scan *scan, struct pst_str literal);

/*
 * Read a number (RFC 8259 section 6).
 *   text   set on true to its bytes
 *   whole  set on true: it has neither a fraction nor an exponent
 */
bool pst_json_scan_number(struct pst_json_scan *scan, struct pst_str *text,
                          bool *whole);

/*
 * Read a string (RFC 8259 section 7).
 *   raw  set on true to the bytes between the quotes. Their escapes are not
 *        checked: pst_json_unescape_next() does that
 */
bool pst_json_scan_string(struct pst_json_scan *scan, struct pst_str *raw);

/* Skip a value of a text that is known to be JSON; false at the text's end. */
bool pst_json_scan_skip_value(struct pst_json_scan *scan);

/*
 * The state of decoding a string, run by run:
 *
 *   struct pst_json_unescape string = {.rest = raw};
 *   while (string.rest.len > 0) {
 *       if (!pst_json_unescape_next(&string, &run))
 *           return PST_MALFORMED;
 *       ...
 *   }
 */
struct pst_json_unescape {
    struct pst_str rest;
    char bytes[4]; /* the character of an escape, in UTF-8 */
    bool lone;     /* half of a surrogate pair was decoded, as U+FFFD */
};

/*
 * Decode the next run: the bytes before an escape, or one escape.
 * string->rest must not be empty.
 *   run  set on true; valid until the next call
 * Returns false at a sequence that is not an escape.
 */
bool pst_json_unescape_next(struct pst_json_unescape *string,
                            struct pst_str *run);

/*
 * Decode a whole string.
 *   buf   gets the decoded bytes
 *   raw   the bytes between the quotes
 *   lone  set on true: half of a surrogate pair was decoded, as U+FFFD
 * Returns false at a sequence that is not an escape. Errors of buf stay there,
 * for pst_buf_finish().
 */
bool pst_json_unescape_all(struct pst_buf *buf, struct pst_str raw, bool *lone);

#endif

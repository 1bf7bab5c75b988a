/* SPDX-License-Identifier: ISC */
/*
 * json_scan.h - the tokens of a JSON text (RFC 8259) and the steps of a pointer
 * (RFC 6901). For codec/json.c and codec/json_text.c: not exported, and
 * allocates nothing.
 */
#ifndef POSTERN_CODEC_JSON_SCAN_H
#define POSTERN_CODEC_JSON_SCAN_H

#include "base/base.h"
#include "base/str.h"

/* A text, and how far it is read; a take that fails may have moved `at`. */
struct pst_json_scan {
    struct pst_str text;
    size_t at;
};

/* The next byte, or -1 at the end. */
int pst_json_scan_peek(const struct pst_json_scan *scan);

/* Take the next byte if it is c, which is ASCII. */
bool pst_json_scan_accept(struct pst_json_scan *scan, char c);

/* Take `word`, letter by letter. */
bool pst_json_scan_literal(struct pst_json_scan *scan, struct pst_str literal);

/* Take all white space there is (section 2). */
void pst_json_scan_skip_space(struct pst_json_scan *scan);

/*
 * Take a number (section 6).
 *   text   set to its bytes
 *   whole  set to whether it has neither fraction nor exponent
 */
bool pst_json_scan_number(struct pst_json_scan *scan, struct pst_str *text,
                          bool *whole);

/*
 * Take a string (section 7).
 *   raw  set to what stands between the quotes; its escapes are not checked,
 *        pst_json_unescape_next() does that
 */
bool pst_json_scan_string(struct pst_json_scan *scan, struct pst_str *raw);

/* Pass over a whole value of a text that is known to be JSON. */
bool pst_json_scan_skip_value(struct pst_json_scan *scan);

/* The bytes from `start` up to where the scan is. */
struct pst_str pst_json_scan_since(const struct pst_json_scan *scan,
                                   size_t start);

/*
 * A string on its way to being decoded, run by run:
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
    char bytes[4]; /* what an escape stood for: RFC 3629 section 3 */
    bool lone;     /* half of a surrogate pair was seen, and read as U+FFFD */
};

/*
 * Take the next run: all that stands before an escape, or what one escape
 * stands for. string->rest must not be empty.
 *   run  set on true; valid until the next call
 * Returns false at an escape that is none.
 */
bool pst_json_unescape_next(struct pst_json_unescape *string,
                            struct pst_str *run);

/*
 * The steps of a pointer that pst_json_is_pointer() accepts, to be cut at
 * '/': what is behind the first slash, or absent for the pointer "".
 */
struct pst_str pst_json_pointer_tokens(struct pst_str pointer);

/* Take `bytes` off the front of *step, where ~0 means ~ and ~1 means /. */
bool pst_json_pointer_token_accept(struct pst_str *token, struct pst_str bytes);

/* Whether a step means this member's (decoded) name. */
bool pst_json_pointer_token_is(struct pst_str token, struct pst_str name);

/* The element a step means: digits, and no leading zero. */
bool pst_json_pointer_token_index(struct pst_str token, size_t *index);

#endif

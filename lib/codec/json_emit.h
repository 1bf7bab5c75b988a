/* SPDX-License-Identifier: ISC */
/*
 * json_emit.h - write strings and parsed values as JSON, and copy a JSON text
 * with a secret replaced.
 */
#ifndef POSTERN_CODEC_JSON_EMIT_H
#define POSTERN_CODEC_JSON_EMIT_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/str.h"

struct pst_json;

/*
 * Write text as a JSON string with its quotes. Escaped are ", \, control
 * characters, DEL, and as \u00XX also <, > and &, so that the result is safe
 * inside an HTML script element. Bytes that are not UTF-8 become U+FFFD.
 */
void pst_json_emit_string(struct pst_buf *buf, struct pst_str text);

/*
 * Write a value without white space: strings by pst_json_emit_string(),
 * integers in decimal, other numbers with the digits they were read with, and
 * an absent value (NULL) as null.
 */
void pst_json_emit(struct pst_buf *buf, const struct pst_json *value);

/*
 * Copy text, but write `replacement` in place of every string, at any depth,
 * that decodes to `secret`; or that contains it, if it has PST_JSON_SECRET_MIN
 * bytes or more. A member name becomes "secret". Other bytes do not change.
 *   text         JSON that pst_json_check() or pst_json_parse() has accepted
 *   secret       not empty
 *   replacement  JSON
 */
void pst_json_redact(struct pst_buf *buf, struct pst_str text,
                     struct pst_str secret, struct pst_str replacement);

#endif

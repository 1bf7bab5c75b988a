/* SPDX-License-Identifier: ISC */
/*
 * json_text.h - JSON as text: how a string is written, where a value stands,
 * and a secret taken out with every other byte left as it came.
 */
#ifndef POSTERN_CODEC_JSON_TEXT_H
#define POSTERN_CODEC_JSON_TEXT_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/* A pointer is "" or begins with "/", and each ~ is followed by 0 or 1. */
PST_EXPORT bool pst_json_is_pointer(struct pst_str pointer);

/*
 * Write text as a JSON string, quotes included: ", \ and all below 0x20 and
 * 0x7F escaped, <, > and & as \u00XX (safe in a script), bytes that are no
 * UTF-8 as U+FFFD.
 */
PST_EXPORT void pst_json_emit_string(struct pst_buf *buf, struct pst_str text);

/*
 * Find the bytes of the value at pointer inside the text it came from.
 *   text   one that pst_json_parse() has accepted
 *   slice  set on PST_OK to a part of text
 * Returns PST_OK or PST_NOT_FOUND.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_json_locate(struct pst_str text,
                                                     struct pst_str pointer,
                                                     struct pst_str *slice);

/*
 * Copy text, writing `replacement` (JSON itself) in the place of every
 * string value, at whatever depth, that decodes to exactly `secret`; member
 * names too become it where they equal it. All other bytes are copied.
 *   text    one that pst_json_parse() has accepted
 *   secret  not empty
 */
PST_EXPORT void pst_json_redact(struct pst_buf *buf, struct pst_str text,
                                struct pst_str secret,
                                struct pst_str replacement);

#endif

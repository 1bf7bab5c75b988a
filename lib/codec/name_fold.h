/* SPDX-License-Identifier: ISC */
/*
 * name_fold.h - an account's name as a key that is at least as coarse as any
 * backend's comparison of names.
 *
 * A backend compares names in its own way: MariaDB takes "V\u00EDctim" and
 * "victim" for one account, another strips spaces. The attack: each spelling
 * of a victim's name has a budget of guesses of its own, and there are 2^n
 * spellings. So whatever some backend may overlook is left out of the key.
 * Names of different accounts may share a key, and then share a budget.
 *
 *   - By primary weights of Unicode's collation (DUCET, UTS #10): case,
 *     accents, width, ligatures, and digits of all scripts fall together.
 *   - Nothing is left of spaces, control characters, combining marks,
 *     ignorable, private and unassigned characters.
 *   - Nor of an accent that stands alone, as in "victim\u00B4": a program that
 *     strips accents strips it.
 *   - A letter with a stroke, hook or the like is that letter.
 *   - What some collation of MariaDB takes for one: i, j, u, v and y; a run of
 *     s or a; ae, oe, ue and a, o, u; ch and c (German, Danish, Swedish,
 *     Lithuanian and Latin collations).
 *   - Characters above U+FFFF that do not fold to ASCII are one: older
 *     collations give all of them one weight.
 *
 * The table is made at build time, from the DUCET that perl ships. Another
 * perl may make another key: a store only counts anew then.
 */
#ifndef POSTERN_CODEC_NAME_FOLD_H
#define POSTERN_CODEC_NAME_FOLD_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

/*
 * Fold a name. A key is UTF-8; one that would be longer than PST_NAME_FOLD_MAX
 * is cut at a character, and is then shared by all names that begin alike. out
 * gets the key; undefined unless PST_OK is returned len  set on PST_OK: bytes
 * of the key; 0 for a name of which nothing is left, which is a key like any
 * other Returns PST_OK or PST_MALFORMED (the name is not UTF-8).
 */
PST_MUST_USE enum pst_err pst_name_fold(struct pst_str name,
                                        char out[static PST_NAME_FOLD_MAX],
                                        size_t *len);

#endif

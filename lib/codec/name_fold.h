/* SPDX-License-Identifier: ISC */
/*
 * name_fold.h - fold an account name to a key, so that names which a backend
 * may compare as equal have the same key.
 *
 * The key counts wrong passwords. Backends compare names in different ways:
 * for MariaDB "V\u00EDctim" and "victim" are the same account, others strip
 * spaces. The attack: a name with n letters has 2^n such spellings, and each
 * spelling would have its own budget of wrong passwords. So the key leaves out
 * everything that some backend may ignore. Names of different accounts may
 * have the same key, and then have one budget together.
 *
 *   - Characters with the same primary weight in Unicode's collation (DUCET,
 *     UTS #10) are equal: this covers case, accents, width, ligatures, and the
 *     digits of all scripts.
 *   - Spaces, control characters, combining marks, ignorable, private and
 *     unassigned characters are left out.
 *   - So is an accent without a letter, as in "victim\u00B4": a program that
 *     strips accents strips it.
 *   - A letter with a stroke, a hook or the like equals the letter.
 *   - Letters that some collation of MariaDB treats as equal are equal: i, j,
 *     u, v and y; a run of s or a; ae, oe, ue and a, o, u; ch and c (German,
 *     Danish, Swedish, Lithuanian and Latin collations).
 *   - All characters above U+FFFF that do not fold to ASCII are equal: older
 *     collations give all of them one weight.
 *
 * The table is made at build time, from the DUCET that perl contains. Another
 * version of perl may make other keys. A store then only counts anew.
 */
#ifndef POSTERN_CODEC_NAME_FOLD_H
#define POSTERN_CODEC_NAME_FOLD_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

/*
 * Fold a name. The key is UTF-8. A key longer than PST_NAME_FOLD_MAX bytes is
 * cut at a character, so all names with the same long beginning share it.
 *   out  gets the key; undefined unless PST_OK is returned
 *   len  set on PST_OK: bytes of the key. 0 is valid: all of the name was left
 *        out
 * Returns PST_OK or PST_MALFORMED (the name is not UTF-8).
 */
PST_MUST_USE enum pst_err pst_name_fold(struct pst_str name,
                                        char out[static PST_NAME_FOLD_MAX],
                                        size_t *len);

#endif

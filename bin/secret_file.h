/* SPDX-License-Identifier: ISC */
/*
 * secret_file.h - add or remove a secret in the file of secrets, atomically:
 * programs read it meanwhile.
 *
 * The new file is written as FILE.new in the same directory, with the owner and
 * mode of the old one, and then renamed: a reader sees the old or the new one.
 * FILE.new is also the lock that keeps two changes apart.
 */
#ifndef POSTERN_SECRET_FILE_H
#define POSTERN_SECRET_FILE_H

#include "base/str.h"

/*
 * Add a secret at the beginning of the file. Prints when the last secret can be
 * retired.
 *   is_forced  make the file if there is none; otherwise that is an error: the
 *              name may be misspelled, and the programs read another file
 * Returns an exit status; an error is printed.
 */
int secretfile_rotate(const char *path, struct pst_str secret, bool is_forced);

/*
 * Remove the last secret, which must not be the only one.
 *   is_forced  also if sessions may be left that it has sealed: when the file
 *              was changed less than the longest lifetime ago
 * Returns an exit status; an error is printed.
 */
int secretfile_retire(const char *path, bool is_forced);

#endif

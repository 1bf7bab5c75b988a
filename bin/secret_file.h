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
 * Add a secret at the beginning of the file, or make the file. Prints when the
 * last secret can be retired. Returns an exit status; an error is printed.
 */
int secretfile_rotate(const char *path, struct pst_str secret);

/* Remove the last secret, which must not be the only one. Returns an exit
 * status; an error is printed. */
int secretfile_retire(const char *path);

#endif

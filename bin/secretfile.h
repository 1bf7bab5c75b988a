/* SPDX-License-Identifier: ISC */
/*
 * secretfile.h - a file of secrets, changed while others read it.
 *
 * The new file is written beside the old one as FILE.new, with its owner and
 * mode, and takes its place in one step: a reader finds the one or the other.
 * FILE.new is also what keeps two changes at once apart.
 */
#ifndef POSTERN_SECRETFILE_H
#define POSTERN_SECRETFILE_H

#include "base/str.h"

/*
 * Put a secret in front of those in the file, which is made where there is
 * none, and say when the last one can go. Returns an exit status.
 */
int secretfile_rotate(const char *path, struct pst_str secret);

/* Drop the last secret, which must not be the only one. */
int secretfile_retire(const char *path);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * check_backend.h - try the configured documents on the backend, for
 * `postern check`.
 */
#ifndef POSTERN_CHECK_BACKEND_H
#define POSTERN_CHECK_BACKEND_H

#include "server/config.h"

/*
 * Send the first login document with a name and a password that nobody has,
 * the who document without a token, and the others in a way that has them
 * validated and not carried out. Prints what the backend makes of each.
 * Returns 0; EX_UNAVAILABLE (it cannot be reached); EX_CONFIG (a document does
 * not fit its schema, or what answers is no GraphQL server).
 */
int check_backend(const struct config *config, struct pst_arena *arena);

#endif

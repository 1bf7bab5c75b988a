/* SPDX-License-Identifier: ISC */
/*
 * check_backend.h - send the configured documents to the backend for `postern
 * check`, and say what is wrong with them.
 */
#ifndef POSTERN_CHECK_BACKEND_H
#define POSTERN_CHECK_BACKEND_H

#include "server/config.h"

/*
 * Send the first login document with a name and a password that no user has,
 * the who document without a token, and the other documents so that they are
 * validated and not run. Prints the result of each.
 *   arena  for the requests and answers
 * Returns 0; EX_UNAVAILABLE (the backend cannot be reached); EX_CONFIG (a
 * document does not fit its schema, or it is not a GraphQL server).
 */
int check_backend(const struct config *config, struct pst_arena *arena);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * config_secret.h - the keys, from the secrets in a variable or in a file.
 */
#ifndef POSTERN_SERVER_CONFIG_SECRET_H
#define POSTERN_SERVER_CONFIG_SECRET_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "crypto/keyring.h"
#include "server/config_parse.h"

struct config_secret {
    struct pst_str value;    /* COOKIE_SESSION_SECRET; empty: not set */
    struct pst_str file;     /* COOKIE_SESSION_SECRET_FILE, likewise */
    struct pst_str audience; /* absent: not known, for it was refused */

    struct pst_keyring *ring;    /* out: the caller's to free */
    struct pst_str display;      /* out: "(set, 1 secret)" */
    struct pst_str display_file; /* out: the file's name; absent: none */
    const char *variable;        /* out, on PST_BAD_CONFIG: which is wrong */
};

/*
 * Make the ring. The file's bytes are wiped again; the environment's own
 * copy of a secret stays where it is, for it is not ours.
 * Returns PST_OK, PST_BAD_CONFIG (why and secret->variable are set),
 * PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err config_secret_load(struct pst_arena *arena,
                                             struct config_secret *secret,
                                             struct config_error *error);

#endif

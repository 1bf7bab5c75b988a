/* SPDX-License-Identifier: ISC */
/*
 * config_files.h - read the files that variables name: GraphQL documents, and
 * the secrets, which may also be in a variable.
 */
#ifndef POSTERN_SERVER_CONFIG_FILES_H
#define POSTERN_SERVER_CONFIG_FILES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "crypto/keyring.h"
#include "server/config_reader.h"

/* Bytes at most: of a GraphQL document, of a file with a store's URL (which
 * is at most four parts of 255 bytes, percent-encoded), and of a file of
 * secrets (one a line). */
#define CONFIG_DOCUMENT_MAX (64 * 1024)
#define CONFIG_DOCUMENTS_MAX 16 /* files of one variable */
#define CONFIG_STORE_MAX 4096
#define CONFIG_SECRETS_MAX (PST_SECRETS_MAX * (PST_SECRET_MAX + 2))

/* What is required of a file. */
struct config_file_rule {
    size_t max;     /* bytes at most */
    bool is_secret; /* only owner and group may read or write it */
};

/*
 * Read a regular file.
 *   path  its name
 *   out   set on PST_OK; lives as long as arena
 * Returns PST_OK, PST_BAD_CONFIG (error is set and names the file, except a
 * secret one that does not exist, since path may be the secret: it cannot be
 * read, is not a regular file, is empty, too large, or open to everybody),
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_file_read(struct pst_arena *arena,
                                           const char *path,
                                           const struct config_file_rule *rule,
                                           struct pst_str *out,
                                           struct config_error *error);

/* Readers for the table. */

/* To const char *: the name of a regular file that can be opened. */
config_read_fn config_read_file_name;

/* To struct pst_str: the GraphQL document in the named file. To an array of
 * struct pst_str, and its count in the second field: those of several files. */
config_read_fn config_read_document;
config_read_fn config_read_documents;

struct config_secret {
    struct pst_str value;    /* COOKIE_SESSION_SECRET; empty: not set */
    struct pst_str file;     /* COOKIE_SESSION_SECRET_FILE, likewise */
    struct pst_str audience; /* absent: not known, because it was refused */

    struct pst_keyring *ring;    /* out: the caller's to free */
    struct pst_str display;      /* out: "(set, 1 secret)" */
    struct pst_str display_file; /* out: the file's name; absent: none */
    const char *variable;        /* out, on PST_BAD_CONFIG: which is wrong */
};

/*
 * Make the keyring from the secrets in the variable or in the file. What was
 * read of the file is wiped; the environment's copy of a secret is not ours
 * and is left alone.
 * Returns PST_OK, PST_BAD_CONFIG (error and secret->variable are set),
 * PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err config_secret_load(struct pst_arena *arena,
                                             struct config_secret *secret,
                                             struct config_error *error);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * config_file.h - files that variables name, read whole at start.
 */
#ifndef POSTERN_SERVER_CONFIG_FILE_H
#define POSTERN_SERVER_CONFIG_FILE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/config_parse.h"

/* Bytes at most: of a GraphQL document, of a file with a store's URL (which
 * is at most four parts of 255 bytes, percent-encoded), and of a file of
 * secrets (each on its line). */
#define CONFIG_DOCUMENT_MAX (64 * 1024)
#define CONFIG_DOCUMENTS_MAX 16 /* files of one variable */
#define CONFIG_STORE_MAX 4096
#define CONFIG_SECRETS_MAX (PST_SECRETS_MAX * (PST_SECRET_MAX + 2))

/* What a file must be like. */
struct config_file_rule {
    size_t max;     /* bytes at most */
    bool is_secret; /* only owner and group may read or write it */
};

/*
 * Read a regular file.
 *   path  its name
 *   out   set on PST_OK; lives as long as arena
 * Returns PST_OK, PST_BAD_CONFIG (why is set: it cannot be read, is no
 * regular file, is empty, too large, or open to others), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_file_read(struct pst_arena *arena,
                                           const char *path,
                                           const struct config_file_rule *rule,
                                           struct pst_str *out,
                                           struct config_error *error);

/* Can the file be opened for reading? PST_OK or PST_BAD_CONFIG. */
PST_MUST_USE enum pst_err config_file_check(const char *path,
                                            struct config_error *error);

#endif

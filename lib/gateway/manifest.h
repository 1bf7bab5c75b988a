/* SPDX-License-Identifier: ISC */
/*
 * manifest.h - the documents that a manifest lists, found by id, by text and
 * by hash (design 2.6). Read at start, and never changed after.
 */
#ifndef POSTERN_GATEWAY_MANIFEST_H
#define POSTERN_GATEWAY_MANIFEST_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/siphash.h"
#include "base/str.h"
#include "graphql/document.h"
#include "server/config_reader.h"

#define MANIFEST_MAX (16 * 1024 * 1024) /* bytes of a file */

struct manifest;

/*
 * Read a file and parse all its documents.
 *   rules  what the documents' meanings are found with
 *   key    random; copied
 *   reason    set on PST_BAD_CONFIG: what follows the variable's name in a
 *          message; says file, id, line, column, and what is wrong there
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err manifest_new(struct manifest **out, const char *path,
                                       const struct pst_graphql_rules *rules,
                                       const struct pst_siphash_key *key,
                                       struct config_error *reason);

/* Free it, and clear the caller's pointer; NULL inside is fine. */
void manifest_free(struct manifest **manifest);

size_t manifest_count(const struct manifest *manifest);

/* What a document means; NULL: the manifest does not have it. */
const struct pst_graphql_meaning *
manifest_find_id(const struct manifest *manifest, struct pst_str id);

/* The same by its text, byte for byte. */
const struct pst_graphql_meaning *
manifest_find_text(const struct manifest *manifest, struct pst_str text);

/* The same by the SHA-256 of its text. */
const struct pst_graphql_meaning *
manifest_find_hash(const struct manifest *manifest,
                   const uint8_t hash[static PST_HASH_LEN]);

#endif

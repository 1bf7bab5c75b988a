/* SPDX-License-Identifier: ISC */
/*
 * manifest.h - a manifest of GraphQL documents (trusted documents): each is
 * found by its id, its text or its SHA-256. Read at start;
 * immutable.
 */
#ifndef POSTERN_GATEWAY_MANIFEST_H
#define POSTERN_GATEWAY_MANIFEST_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/siphash.h"
#include "base/str.h"
#include "graphql/summary.h"
#include "server/config_reader.h"

#define MANIFEST_MAX (16 * 1024 * 1024) /* bytes of a file */

struct manifest;

/*
 * Read a file and parse all its documents.
 *   out     set on PST_OK; free it with manifest_free()
 *   path    name of the file
 *   rules   for the summaries of the documents
 *   key     random key of the hash tables; copied
 *   reason  set on PST_BAD_CONFIG: what is wrong, with file, document id, line
 *           and column; it follows the variable's name in a message
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err manifest_new(struct manifest **out, const char *path,
                                       const struct pst_graphql_rules *rules,
                                       const struct pst_siphash_key *key,
                                       struct config_error *reason);

/* Free it, and set *manifest to NULL. A NULL *manifest is allowed. */
void manifest_free(struct manifest **manifest);

/* Find a document's summary by its id. Returns NULL if it is not listed. */
const struct pst_graphql_summary *
manifest_find_id(const struct manifest *manifest, struct pst_str id);

/* The same by its text, byte for byte. */
const struct pst_graphql_summary *
manifest_find_text(const struct manifest *manifest, struct pst_str text);

/* The same by the SHA-256 of its text. */
const struct pst_graphql_summary *
manifest_find_hash(const struct manifest *manifest,
                   const uint8_t hash[static PST_HASH_LEN]);

#endif

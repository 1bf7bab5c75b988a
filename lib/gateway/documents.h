/* SPDX-License-Identifier: ISC */
/*
 * documents.h - the documents that this process knows: those it has parsed
 * before, automatic persisted queries, and a manifest (design 2.5 and 2.6).
 *
 * One object a process, shared by its threads; every function is
 * thread-safe. What is parsed once is found again under a keyed hash, and
 * believed only after comparing the whole text. Memory is bounded: documents
 * seen once cannot push out those that are used again.
 */
#ifndef POSTERN_GATEWAY_DOCUMENTS_H
#define POSTERN_GATEWAY_DOCUMENTS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "graphql/meaning.h"

#define DOCUMENTS_HASH_LEN PST_HASH_LEN /* SHA-256 */
#define DOCUMENTS_TEXT_MAX (64 * 1024)  /* bytes of one that is remembered */

struct documents;

/* What they are made from. */
struct documents_options {
    const struct pst_graphql_rules *rules; /* outlives the object */
    size_t size_max;       /* bytes of everything remembered, without the
                              manifest */
    bool is_persistent;    /* false in plain CGI: nothing is remembered from
                           request to request */
    const char *manifest;  /* file, or NULL: none */
    bool is_manifest_only; /* trusted documents: nothing else passes */
};

/*
 * Make one; reads and parses the manifest.
 *   message  at least 256 bytes; set on PST_BAD_CONFIG: what is wrong with the
 *        manifest, naming file, document id, line and column, as it follows
 *        the variable's name in a message ("names /etc/…, whose document …")
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY, PST_NO_RANDOM.
 */
PST_MUST_USE enum pst_err documents_new(struct documents **out,
                                        const struct documents_options *options,
                                        char *message, size_t message_size);
void documents_free(struct documents **documents);

bool documents_is_persistent(const struct documents *documents);

/*
 * What a text means. Parses it where it is not known yet. Remembered is what
 * is at most DOCUMENTS_TEXT_MAX long and neither logs in nor checks a
 * password, for such a text may hold one.
 *   arena    the meaning is kept until it is reset (a reference is held)
 *   meaning  set on PST_OK
 *   error    set on PST_MALFORMED and PST_TOO_LARGE
 * Returns PST_OK, PST_MALFORMED, PST_TOO_LARGE, PST_NO_MEMORY;
 * PST_DOCUMENT_NOT_ALLOWED (trusted documents only, and the manifest does not
 * have it).
 */
PST_MUST_USE enum pst_err
documents_read(struct documents *documents, struct pst_arena *arena,
               struct pst_str text, const struct pst_graphql_meaning **meaning,
               struct pst_graphql_error *error);

/*
 * The same, and remember the text as an automatic persisted query.
 *   hash  SHA-256 that the client gave
 * Also returns PST_HASH_MISMATCH (hash is not the text's). What is not
 * remembered by documents_read() is not here either, only read.
 */
PST_MUST_USE enum pst_err
documents_persist(struct documents *documents, struct pst_arena *arena,
                  struct pst_str text,
                  const uint8_t hash[static DOCUMENTS_HASH_LEN],
                  const struct pst_graphql_meaning **meaning,
                  struct pst_graphql_error *error);

/*
 * Find a persisted query by its hash. The manifest's documents are found by
 * the SHA-256 of their text too.
 * Returns PST_OK, PST_NOT_FOUND, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
documents_find_hash(struct documents *documents, struct pst_arena *arena,
                    const uint8_t hash[static DOCUMENTS_HASH_LEN],
                    const struct pst_graphql_meaning **meaning);

/* Find a document of the manifest by its id. PST_OK or PST_NOT_FOUND. */
PST_MUST_USE enum pst_err
documents_find_id(struct documents *documents, struct pst_arena *arena,
                  struct pst_str id,
                  const struct pst_graphql_meaning **meaning);

#endif

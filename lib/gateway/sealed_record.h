/* SPDX-License-Identifier: ISC */
/*
 * sealed_record.h - seal text for the store, which must not read it.
 *
 * A blob is nonce, sealed text, tag. A sealed record is the length of a kid,
 * the kid, and a blob under a key that is derived from the secret which the
 * kid names, for the purpose `store`, and from the record's context. The
 * context says what the record is and whose; no two kinds of records have the
 * same one. The record is bound to it.
 */
#ifndef POSTERN_GATEWAY_SEALED_RECORD_H
#define POSTERN_GATEWAY_SEALED_RECORD_H

#include "gateway/context.h"

/* Bytes of a sealed record beside its text, at most. */
#define SEALED_RECORD_EXTRA_MAX (1 + PST_KID_MAX + PST_NONCE_LEN + PST_TAG_LEN)

/* How a blob is sealed. */
struct sealed_blob_key {
    const uint8_t *key;   /* PST_KEY_LEN bytes */
    struct pst_bytes aad; /* what it is bound to */
};

/*
 * Seal a text.
 *   out  set on PST_OK; lives as long as the arena
 * Returns PST_OK, PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err sealed_blob_make(const struct context *ctx,
                                           struct pst_arena *arena,
                                           const struct sealed_blob_key *key,
                                           struct pst_str text,
                                           struct pst_bytes *out);

/* Open what sealed_blob_make() made. Returns PST_OK, PST_FORGED, PST_NO_MEMORY,
 * PST_INTERNAL. */
PST_MUST_USE enum pst_err sealed_blob_open(struct pst_arena *arena,
                                           const struct sealed_blob_key *key,
                                           struct pst_bytes blob,
                                           struct pst_str *text);

/* Derive the key of a record from the secret that kid names, and from the
 * record's context. Returns PST_OK, PST_FORGED (no such secret),
 * PST_INTERNAL. */
PST_MUST_USE enum pst_err sealed_record_key(const struct pst_keyring *ring,
                                            const struct pst_kid *kid,
                                            struct pst_bytes context,
                                            uint8_t key[static PST_KEY_LEN]);

/*
 * Make a sealed record, with the first secret.
 *   out  set on PST_OK; lives as long as the arena
 * Returns PST_OK, PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err sealed_record_make(const struct context *ctx,
                                             struct pst_arena *arena,
                                             struct pst_bytes context,
                                             struct pst_str text,
                                             struct pst_bytes *out);

/* Open what sealed_record_make() made, with the same context. Returns PST_OK,
 * PST_FORGED (or its secret is gone), PST_NO_MEMORY, PST_INTERNAL. */
PST_MUST_USE enum pst_err sealed_record_open(const struct pst_keyring *ring,
                                             struct pst_arena *arena,
                                             struct pst_bytes context,
                                             struct pst_bytes record,
                                             struct pst_str *text);

#endif

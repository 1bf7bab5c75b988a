/* SPDX-License-Identifier: ISC */
/*
 * siphash.h - the keyed hash SipHash-1-3, for hash tables (Aumasson and
 * Bernstein, 2012). Without the key, an attacker cannot choose texts whose
 * hashes are equal.
 */
#ifndef POSTERN_BASE_SIPHASH_H
#define POSTERN_BASE_SIPHASH_H

#include "base/base.h"
#include "base/str.h"

/* A random key, made once per process. */
struct pst_siphash_key {
    uint64_t words[2]; /* 8 bytes of the key each, little-endian */
};

/* The hash of data. Not for authentication; equal hashes prove nothing. */
uint64_t pst_siphash(const struct pst_siphash_key *key, struct pst_bytes data);

/* The hash of data that comes in pieces; private. */
struct pst_siphash_state {
    uint64_t v[4];
    uint64_t word; /* the last len % 8 bytes */
    size_t len;
};

/* Hash pieces: the same result as pst_siphash() of all of them together. */
void pst_siphash_init(struct pst_siphash_state *state,
                      const struct pst_siphash_key *key);
void pst_siphash_add(struct pst_siphash_state *state, struct pst_bytes piece);
uint64_t pst_siphash_finish(struct pst_siphash_state *state);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * siphash.h - SipHash-1-3 (Aumasson, Bernstein 2012), a keyed hash for hash
 * tables: whoever does not know the key cannot choose texts that collide.
 */
#ifndef POSTERN_BASE_SIPHASH_H
#define POSTERN_BASE_SIPHASH_H

#include "base/base.h"
#include "base/str.h"

/* Random, and chosen once for each process. */
struct pst_siphash_key {
    uint64_t words[2]; /* each 8 bytes of the key, little-endian */
};

/* The hash of any bytes. No proof of anything: compare what it finds. */
PST_EXPORT uint64_t pst_siphash(const struct pst_siphash_key *key,
                                struct pst_bytes data);

#endif

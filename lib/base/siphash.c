/* SPDX-License-Identifier: ISC */
/*
 * siphash.c - the keyed hash SipHash-1-3, for hash tables. Pure.
 */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

#define WORD_LEN 8   /* bytes; one round for each word */
#define END_ROUNDS 3 /* rounds after the last word */

struct state {
    uint64_t v0;
    uint64_t v1;
    uint64_t v2;
    uint64_t v3;
};

static inline uint64_t
siphash_rotate_left(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void
siphash_round(struct state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = siphash_rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = siphash_rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = siphash_rotate_left(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = siphash_rotate_left(s->v1, 17) ^ s->v2;
    s->v3 = siphash_rotate_left(s->v3, 21) ^ s->v0;
    s->v2 = siphash_rotate_left(s->v2, 32);
}

static inline void
siphash_mix_word(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    siphash_round(s);
    s->v0 ^= word;
}

/* The little-endian number in the len bytes at ptr, at most 8. */
static inline uint64_t
siphash_load_word(const uint8_t *ptr, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, ptr, len);
    return le64toh(word);
}

uint64_t
pst_siphash(const struct pst_siphash_key *key, struct pst_bytes data)
{
    /* The constants are the text "somepseudorandomlygeneratedbytes". */
    struct state s = {
        key->words[0] ^ 0x736f6d6570736575u,
        key->words[1] ^ 0x646f72616e646f6du,
        key->words[0] ^ 0x6c7967656e657261u,
        key->words[1] ^ 0x7465646279746573u,
    };
    size_t whole = data.len - data.len % WORD_LEN;
    uint64_t last = (uint64_t)data.len << 56;

    for (size_t i = 0; i < whole; i += WORD_LEN)
        siphash_mix_word(&s, siphash_load_word(data.ptr + i, WORD_LEN));
    if (data.len > whole)
        last |= siphash_load_word(data.ptr + whole, data.len - whole);
    siphash_mix_word(&s, last);
    s.v2 ^= 0xff;
    for (int i = 0; i < END_ROUNDS; i++)
        siphash_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

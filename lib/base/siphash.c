/* SPDX-License-Identifier: ISC */
/*
 * siphash.c - the keyed hash SipHash-1-3, for hash tables. Pure.
 */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

#define WORD_LEN 8   /* bytes; one round for each word */
#define END_ROUNDS 3 /* rounds after the last word */

static inline uint64_t
siphash_rotate_left(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void
siphash_round(uint64_t v[static 4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = siphash_rotate_left(v[1], 13) ^ v[0];
    v[3] = siphash_rotate_left(v[3], 16) ^ v[2];
    v[0] = siphash_rotate_left(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = siphash_rotate_left(v[1], 17) ^ v[2];
    v[3] = siphash_rotate_left(v[3], 21) ^ v[0];
    v[2] = siphash_rotate_left(v[2], 32);
}

static inline void
siphash_mix_word(uint64_t v[static 4], uint64_t word)
{
    v[3] ^= word;
    siphash_round(v);
    v[0] ^= word;
}

/* The little-endian number in the len bytes at ptr, at most 8. */
static inline uint64_t
siphash_load_word(const uint8_t *ptr, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, ptr, len);
    return le64toh(word);
}

void
pst_siphash_init(struct pst_siphash_state *state,
                 const struct pst_siphash_key *key)
{
    /* The constants are the text "somepseudorandomlygeneratedbytes". */
    *state = (struct pst_siphash_state){.v = {
                                            key->words[0] ^ 0x736f6d6570736575u,
                                            key->words[1] ^ 0x646f72616e646f6du,
                                            key->words[0] ^ 0x6c7967656e657261u,
                                            key->words[1] ^ 0x7465646279746573u,
                                        }};
}

/* Add bytes of one word, until it is complete. */
static void
siphash_add_part(struct pst_siphash_state *state, const uint8_t *ptr,
                 size_t len)
{
    size_t held = state->len % WORD_LEN;

    state->word |= siphash_load_word(ptr, len) << 8 * held;
    state->len += len;
    if (held + len < WORD_LEN)
        return;
    siphash_mix_word(state->v, state->word);
    state->word = 0;
}

void
pst_siphash_add(struct pst_siphash_state *state, struct pst_bytes piece)
{
    size_t held = state->len % WORD_LEN;
    size_t at = held > 0 ? WORD_LEN - held : 0;

    at = at < piece.len ? at : piece.len;
    if (at > 0)
        siphash_add_part(state, piece.ptr, at);
    for (; piece.len - at >= WORD_LEN; at += WORD_LEN) {
        siphash_mix_word(state->v, siphash_load_word(piece.ptr + at, WORD_LEN));
        state->len += WORD_LEN;
    }
    if (piece.len > at)
        siphash_add_part(state, piece.ptr + at, piece.len - at);
}

uint64_t
pst_siphash_finish(struct pst_siphash_state *state)
{
    uint64_t *v = state->v;

    siphash_mix_word(v, state->word | (uint64_t)state->len << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < END_ROUNDS; i++)
        siphash_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
pst_siphash(const struct pst_siphash_key *key, struct pst_bytes data)
{
    struct pst_siphash_state state;

    pst_siphash_init(&state, key);
    pst_siphash_add(&state, data);
    return pst_siphash_finish(&state);
}

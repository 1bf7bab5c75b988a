/* SPDX-License-Identifier: ISC */
/*
 * name_fold.c - fold an account name to a key, so that names which a backend
 * may compare as equal have the same key.
 */
#include "codec/name_fold.h"

#include <string.h>

#include "codec/name_fold_table.inc"

/* The values in the table that name_fold_table.pl makes. */
#define VALUE_IGNORED 0
#define VALUE_ITSELF 1
#define VALUE_EXPANDS 0xD800 /* and up: half the place in fold_expansions */
#define VALUE_EXPANDS_END \
    (VALUE_EXPANDS + sizeof(fold_expansions) / sizeof(fold_expansions[0]) / 2)

/* Replaces every character above U+FFFF that does not fold to ASCII. */
#define OTHER_PLANES 0xFFFD

/* Hangul syllables (The Unicode Standard, section 3.12). */
#define HANGUL_FIRST 0xAC00
#define HANGUL_LAST 0xD7A3
#define HANGUL_LEADS 0x1100
#define HANGUL_VOWELS 0x1161
#define HANGUL_TRAILS 0x11A7 /* one before the first: index 0 is none */
#define HANGUL_TRAIL_COUNT 28
#define HANGUL_BLOCK (21 * HANGUL_TRAIL_COUNT)

/* Bytes of one character in a key, which is at most U+FFFF. */
#define UTF8_MAX 3

/* Greek letters that may have an iota subscript, and the iota. */
#define ALPHA 0x03B1
#define ETA 0x03B7
#define IOTA 0x03B9
#define OMEGA 0x03C9

/* A key while it is built. */
struct fold_key {
    char *out;
    size_t len;
    uint32_t last; /* the last character; 0: none yet */
    bool is_full;
};

/* Read the first character of *text, which is known to be UTF-8. */
static uint32_t
name_fold_next_char(struct pst_str *text)
{
    static const uint8_t masks[] = {0x7F, 0x7F, 0x1F, 0x0F, 0x07};
    uint8_t first = (uint8_t)text->ptr[0];
    size_t len = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint32_t c = first & masks[len];

    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((uint8_t)text->ptr[i] & 0x3F);
    *text = pst_str_skip(*text, len);
    return c;
}

static size_t
name_fold_encode_utf8(uint32_t c, char out[static UTF8_MAX])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    return 3;
}

/* Merge letters that some collation treats as equal. */
static uint32_t
name_fold_merge_letters(uint32_t c)
{
    return c == 'j' || c == 'u' || c == 'v' || c == 'y' ? 'i' : c;
}

/* Does some collation ignore c after `last`? */
static bool
name_fold_is_absorbed(uint32_t last, uint32_t c)
{
    switch (c) {
    case 's':
        return last == 's'; /* sharp s is ss, or s */
    case 'a':
        return last == 'a'; /* a with ring is aa (Danish) */
    case 'e':
        return last == 'a' || last == 'o' || last == 'i'; /* umlauts */
    case 'h':
        return last == 'c'; /* Lithuanian */
    case IOTA: /* subscript of a small letter, own letter in upper case */
        return last == ALPHA || last == ETA || last == OMEGA;
    default:
        return false;
    }
}

static void
name_fold_add_char(struct fold_key *key, uint32_t c)
{
    char bytes[UTF8_MAX];
    size_t len;

    c = name_fold_merge_letters(c);
    if (key->is_full || name_fold_is_absorbed(key->last, c))
        return;
    len = name_fold_encode_utf8(c, bytes);
    if (len > PST_NAME_FOLD_MAX - key->len) {
        key->is_full = true;
        return;
    }
    memcpy(key->out + key->len, bytes, len);
    key->len += len;
    key->last = c;
}

/* Add what the table has for a character that is not a Hangul syllable. */
static void
name_fold_add_mapped(struct fold_key *key, uint32_t c)
{
    uint16_t block = fold_index[c / FOLD_BLOCK];
    uint16_t value = fold_blocks[block * FOLD_BLOCK + c % FOLD_BLOCK];

    if (value == VALUE_IGNORED)
        return;
    if (value == VALUE_ITSELF) {
        name_fold_add_char(key, c > 0xFFFF ? OTHER_PLANES : c);
    } else if (value >= VALUE_EXPANDS && value < VALUE_EXPANDS_END) {
        const uint16_t *list = &fold_expansions[2 * (value - VALUE_EXPANDS)];

        for (uint16_t i = 1; i <= list[0]; i++)
            name_fold_add_char(key, list[i]);
    } else {
        name_fold_add_char(key, value);
    }
}

/* Add the letters of a syllable: a name may be spelled with either. */
static void
name_fold_add_hangul(struct fold_key *key, uint32_t c)
{
    uint32_t index = c - HANGUL_FIRST;
    uint32_t trail = index % HANGUL_TRAIL_COUNT;

    name_fold_add_mapped(key, HANGUL_LEADS + index / HANGUL_BLOCK);
    name_fold_add_mapped(key, HANGUL_VOWELS +
                                  index % HANGUL_BLOCK / HANGUL_TRAIL_COUNT);
    if (trail > 0)
        name_fold_add_mapped(key, HANGUL_TRAILS + trail);
}

enum pst_err
pst_name_fold(struct pst_str name, char out[static PST_NAME_FOLD_MAX],
              size_t *len)
{
    struct fold_key key = {.out = out};

    if (!pst_str_is_utf8(name))
        return PST_MALFORMED;
    while (name.len > 0 && !key.is_full) {
        uint32_t c = name_fold_next_char(&name);

        if (c >= HANGUL_FIRST && c <= HANGUL_LAST)
            name_fold_add_hangul(&key, c);
        else
            name_fold_add_mapped(&key, c);
    }
    *len = key.len;
    return PST_OK;
}

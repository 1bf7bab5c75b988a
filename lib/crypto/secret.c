/* SPDX-License-Identifier: ISC */
/*
 * secret.c - check a configured secret: its length, and that it cannot be
 * guessed.
 */
#include "crypto/secret.h"

#include <string.h>

#include "crypto/crypto.h"

#define DISTINCT_BYTES_MIN 10 /* different bytes that a secret must have */
#define SEQUENCE_MIN 4        /* bytes; a shorter sequence is a coincidence */

/*
 * The texts of a fault for each place that a secret can have in the list. Place
 * 0 is for a secret that is the only one. They are literals, because they must
 * outlive the call and must never hold a part of a secret.
 */
#define TEXTS_BY_PLACE(what)                                         \
    {                                                                \
        "the secret " what, "secret 1 " what, "secret 2 " what,      \
            "secret 3 " what, "secret 4 " what, "secret 5 " what,    \
            "secret 6 " what, "secret 7 " what, "secret 8 " what,    \
            "secret 9 " what, "secret 10 " what, "secret 11 " what,  \
            "secret 12 " what, "secret 13 " what, "secret 14 " what, \
            "secret 15 " what, "secret 16 " what                     \
    }

static_assert(PST_SECRETS_MAX == 16, "TEXTS_BY_PLACE() has 16 places");
static_assert(PST_SECRET_MIN == 32 && PST_SECRET_MAX == 1024 &&
                  DISTINCT_BYTES_MIN == 10,
              "SECRET_FAULTS() names these numbers");

#define FAULT_TEXTS(fault, words) TEXTS_BY_PLACE(words),
static const char *const fault_texts[SECRET_FAULT_COUNT][1 + PST_SECRETS_MAX] =
    {SECRET_FAULTS(FAULT_TEXTS)};
#undef FAULT_TEXTS

/* Compared with a secret in lower case of which only a-z and 0-9 are left. */
static const char *const placeholders[] = {
    "changeme",       "changethis",       "replaceme",     "replacethis",
    "yoursecret",     "yoursuper",        "yourown",       "mysecret",
    "supersecret",    "thisisasecret",    "sessionsecret", "cookiesecret",
    "secretkey",      "notasecret",       "notsosecret",   "keyboardcat",
    "correcthorse",   "passwordpassword", "placeholder",   "donotuse",
    "insecuresecret", "examplesecret",    "secretsecret",  "loremipsum",
    "32characters",   "32bytes",
};

static size_t
secret_count_distinct_bytes(struct pst_str text)
{
    bool seen[256] = {false};
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];

        count += !seen[byte];
        seen[byte] = true;
    }
    pst_crypto_wipe(seen, sizeof(seen));
    return count;
}

/* Is it one block, written twice or more? The last one may be cut off. */
static bool
secret_is_repeated_block(struct pst_str text)
{
    for (size_t period = 1; period <= text.len / 2; period++)
        if (memcmp(text.ptr, text.ptr + period, text.len - period) == 0)
            return true;
    return false;
}

/* Is more than half of it in sequences, such as "aaaa", "1234" or "dcba"? */
static bool
secret_is_mostly_sequences(struct pst_str text)
{
    size_t in_sequences = 0;
    size_t start = 0;

    while (start < text.len) {
        size_t end = start + 1;
        int step = 0;

        if (end < text.len)
            step = text.ptr[end] - text.ptr[start];
        if (step >= -1 && step <= 1)
            while (end < text.len && text.ptr[end] - text.ptr[end - 1] == step)
                end++;
        if (end - start >= SEQUENCE_MIN)
            in_sequences += end - start;
        start = end;
    }
    return in_sequences > text.len / 2;
}

static bool
secret_is_placeholder(struct pst_str text)
{
    char plain[PST_SECRET_MAX];
    size_t len = 0;
    bool found = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = pst_lower(text.ptr[i]);

        if (pst_is_alpha(c) || pst_is_digit(c))
            plain[len++] = c;
    }
    for (size_t i = 0; i < PST_COUNT(placeholders) && !found; i++)
        found = pst_str_contains((struct pst_str){plain, len},
                                 pst_str_from(placeholders[i]));
    pst_crypto_wipe(plain, sizeof(plain));
    return found;
}

enum secret_fault
secret_find_fault(struct pst_str secret)
{
    if (secret.len < PST_SECRET_MIN)
        return SECRET_SHORT;
    if (secret.len > PST_SECRET_MAX)
        return SECRET_LONG;
    if (secret_count_distinct_bytes(secret) < DISTINCT_BYTES_MIN)
        return SECRET_FEW_DISTINCT;
    if (secret_is_repeated_block(secret))
        return SECRET_REPEATED;
    if (secret_is_mostly_sequences(secret))
        return SECRET_SEQUENCE;
    if (secret_is_placeholder(secret))
        return SECRET_PLACEHOLDER;
    return SECRET_NONE;
}

const char *
secret_fault_text(enum secret_fault fault, size_t place)
{
    PST_REQUIRE(fault < SECRET_FAULT_COUNT && place <= PST_SECRETS_MAX);
    return fault_texts[fault][place];
}

enum pst_err
pst_secret_check(struct pst_str secret, const char **reason)
{
    enum secret_fault fault = secret_find_fault(secret);

    if (fault == SECRET_NONE)
        return PST_OK;
    *reason = secret_fault_text(fault, 0);
    return PST_BAD_CONFIG;
}

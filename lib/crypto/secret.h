/* SPDX-License-Identifier: ISC */
/*
 * secret.h - check a configured secret: its length, and that it cannot be
 * guessed.
 */
#ifndef POSTERN_CRYPTO_SECRET_H
#define POSTERN_CRYPTO_SECRET_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

#define SECRET_MAKE_ONE ": make one with `postern secret`"

/* X(fault, words): what is wrong with a secret, after "the secret ". */
#define SECRET_FAULTS(X)                                                     \
    X(SECRET_SHORT, "is shorter than 32 bytes" SECRET_MAKE_ONE)              \
    X(SECRET_LONG, "is longer than 1024 bytes" SECRET_MAKE_ONE)              \
    X(SECRET_FEW_DISTINCT,                                                   \
      "has fewer than 10 different bytes" SECRET_MAKE_ONE)                   \
    X(SECRET_REPEATED, "is one block repeated" SECRET_MAKE_ONE)              \
    X(SECRET_SEQUENCE,                                                       \
      "is mostly a sequence such as 0123456789 or abcdefgh" SECRET_MAKE_ONE) \
    X(SECRET_PLACEHOLDER,                                                    \
      "is a placeholder copied from an example" SECRET_MAKE_ONE)             \
    X(SECRET_DUPLICATE, "is the same as an earlier one: remove it")          \
    X(SECRET_ID_COLLISION,                                                   \
      "has, by chance, the key id of an earlier one: replace it")

#define SECRET_FAULT_ENUM(fault, words) fault,
enum secret_fault {
    SECRET_FAULTS(SECRET_FAULT_ENUM) SECRET_FAULT_COUNT,
    SECRET_NONE = SECRET_FAULT_COUNT
};
#undef SECRET_FAULT_ENUM

/*
 * Find what is wrong with one secret. Its bytes are used as they are: nothing
 * is decoded, so that it can be read in one way only.
 * Returns SECRET_NONE, SECRET_SHORT (below PST_SECRET_MIN bytes), SECRET_LONG
 * (over PST_SECRET_MAX), SECRET_FEW_DISTINCT (fewer than 10 different bytes),
 * SECRET_REPEATED (one block repeated), SECRET_SEQUENCE (mostly sequences such
 * as 0123456789), SECRET_PLACEHOLDER (a well-known example).
 */
enum secret_fault secret_find_fault(struct pst_str secret);

/*
 * The text of a fault, without a full stop. It never holds a part of a secret.
 *   place  of the secret in its list, 1..PST_SECRETS_MAX; 0: the only one
 */
const char *secret_fault_text(enum secret_fault fault, size_t place);

/*
 * Check one secret, as secret_find_fault() does.
 *   reason  set to the text of the fault on PST_BAD_CONFIG
 * Returns PST_OK or PST_BAD_CONFIG.
 */
PST_MUST_USE enum pst_err pst_secret_check(struct pst_str secret,
                                           const char **reason);

#endif

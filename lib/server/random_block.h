/* SPDX-License-Identifier: ISC */
/*
 * random_block.h - random bytes for requests, drawn from the system many at a
 * time.
 */
#ifndef POSTERN_SERVER_RANDOM_BLOCK_H
#define POSTERN_SERVER_RANDOM_BLOCK_H

#include "base/base.h"
#include "base/error.h"

/*
 * Fill out with len random bytes, like pst_crypto_random(). Each thread draws a
 * block from the system, hands out its bytes once, and wipes them as it does. A
 * child process never uses what is left of its parent's.
 * Returns PST_OK, or PST_NO_RANDOM with out wiped.
 */
PST_MUST_USE enum pst_err random_block_get(void *out, size_t len);

#endif

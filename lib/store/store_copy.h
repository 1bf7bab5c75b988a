/* SPDX-License-Identifier: ISC */
/*
 * store_copy.h - copies of the arguments of a write, for a write that may
 * outlive its caller.
 *
 * Each copy, with all that it points to, is one block, which the caller frees
 * by free(3). All return NULL when there is no memory.
 */
#ifndef POSTERN_STORE_STORE_COPY_H
#define POSTERN_STORE_STORE_COPY_H

#include "store/store_operations.h"

void *store_copy_bytes(const void *bytes, size_t len);
struct store_revocation *
store_copy_revocation(const struct store_revocation *revocation);
struct store_use *store_copy_use(const struct store_use *use);
struct store_spill *store_copy_spill(const struct store_spill *spill);
struct store_counters *
store_copy_counters(const struct store_counters *counters);
struct store_replacement *
store_copy_replacement(const struct store_replacement *replacement);

#endif

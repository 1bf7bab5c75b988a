/* SPDX-License-Identifier: ISC */
/*
 * slab.h - a slab allocator: many small objects on the heap, freed when an
 * arena is reset. For trees that are too large for the arena itself.
 *
 * Objects are parts of larger blocks, the slabs. The first slab is small, each
 * next one twice as large, up to a limit. All are wiped and freed when the
 * arena is reset.
 */
#ifndef POSTERN_BASE_SLAB_H
#define POSTERN_BASE_SLAB_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"

struct slabs;

/*
 * Begin without slabs.
 *   out  set on PST_OK; lives until the arena is reset
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err slabs_new(struct pst_arena *arena,
                                    struct slabs **out);

/*
 * Allocate size bytes, zeroed and aligned for any type. Each call counts as an
 * allocation of the arena for pst_arena_fail_at(). Returns NULL when there is
 * no memory.
 */
void *slabs_alloc(struct slabs *slabs, size_t size);

#endif

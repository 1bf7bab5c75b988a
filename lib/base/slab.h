/* SPDX-License-Identifier: ISC */
/*
 * slab.h - many small objects off the arena, for trees that would not fit a
 * request's budget. Not exported.
 *
 * They live until the arena is reset: then they are wiped and freed. The first
 * slab is small, each further one twice as large, up to a limit.
 */
#ifndef POSTERN_BASE_SLAB_H
#define POSTERN_BASE_SLAB_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"

struct slabs;

/* A place for objects. PST_OK or PST_NO_MEMORY; takes no slab yet. */
PST_MUST_USE enum pst_err slabs_new(struct pst_arena *arena,
                                    struct slabs **out);

/*
 * size bytes, zeroed, aligned for any type; NULL when there is no memory.
 * pst_arena_fail_at() counts each call.
 */
void *slabs_alloc(struct slabs *slabs, size_t size);

#endif

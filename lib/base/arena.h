/* SPDX-License-Identifier: ISC */
/*
 * arena.h - an arena (bump allocator) for one request: allocate from one block,
 * then free all of it by a reset.
 *
 * An arena is made once and used for one request after another. Objects are
 * never freed one by one. pst_arena_reset() runs the deferred calls, newest
 * first, and wipes what was used. So no byte of one request can be seen by the
 * next, and a request cannot leak memory.
 */
#ifndef POSTERN_BASE_ARENA_H
#define POSTERN_BASE_ARENA_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct pst_arena;

/*
 * Make an arena.
 *   out   set on PST_OK; the caller frees it with pst_arena_free()
 *   size  bytes, the budget of a request; it never grows
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err pst_arena_new(struct pst_arena **out, size_t size);

/* Reset, free, and clear the caller's pointer. NULL inside is allowed. */
void pst_arena_free(struct pst_arena **arena);

/*
 * Allocate size bytes, zeroed and aligned for any type. Size 0 gives a valid
 * pointer. Returns NULL when the budget is spent.
 */
void *pst_arena_alloc(struct pst_arena *arena, size_t size);

/*
 * Grow the newest allocation in place.
 *   ptr       what pst_arena_alloc() returned
 *   old       its size in bytes
 *   new_size  the wanted size in bytes, not below old
 * Returns false, with nothing changed, when ptr is not the newest allocation or
 * the budget is spent.
 */
bool pst_arena_extend(struct pst_arena *arena, void *ptr, size_t old,
                      size_t new_size);

/*
 * Run undo(handle) at the next reset.
 * Returns PST_OK, or PST_NO_MEMORY: then it will not run.
 */
PST_MUST_USE enum pst_err pst_arena_defer(struct pst_arena *arena,
                                          void (*undo)(void *handle),
                                          void *handle);

/*
 * Copy text into the arena; the copy of an absent text is absent.
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err pst_arena_copy(struct pst_arena *arena,
                                         struct pst_str text,
                                         struct pst_str *out);

/*
 * Copy text into the arena with a NUL after it, for calls into C libraries. All
 * texts of a request go there by this function, since it refuses an embedded
 * NUL: the library would see a shorter text than we checked.
 * Returns PST_OK, PST_NO_MEMORY, or PST_MALFORMED when text holds a NUL.
 */
PST_MUST_USE enum pst_err pst_arena_c_string(struct pst_arena *arena,
                                             struct pst_str text,
                                             const char **out);

/* Run the deferred calls, newest first, wipe what was used, and start anew. */
void pst_arena_reset(struct pst_arena *arena);

/* For tests: bytes in use, including the records of deferred calls. */
size_t pst_arena_used(const struct pst_arena *arena);

/*
 * For tests: make the n-th allocation from now (1 is the next) and all later
 * ones fail, until the next reset. 0 switches this off. pst_arena_extend() and
 * pst_arena_may_alloc() count as allocations.
 */
void pst_arena_fail_at(struct pst_arena *arena, size_t n);

/*
 * To be asked before memory is allocated elsewhere for the arena's request, so
 * that pst_arena_fail_at() can make this fail too. Returns false when it must
 * fail.
 */
bool pst_arena_may_alloc(struct pst_arena *arena);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * arena.h - one request's memory, which all dies at the same moment.
 *
 * Made once per worker. Objects are never freed one by one; pst_arena_reset()
 * runs what was deferred (newest first), wipes what was used, and rewinds.
 * Nothing in an arena survives a reset, so no byte of one request can be
 * seen by the next.
 */
#ifndef POSTERN_BASE_ARENA_H
#define POSTERN_BASE_ARENA_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct pst_arena;

/* Make one of `size` bytes (fixed for its life). PST_OK or PST_NO_MEMORY. */
PST_MUST_USE PST_EXPORT enum pst_err pst_arena_new(struct pst_arena **out,
                                                   size_t size);

/* Reset, free, and clear the caller's pointer; NULL inside is fine. */
PST_EXPORT void pst_arena_free(struct pst_arena **arena);

/*
 * size bytes, zeroed, aligned for any type; NULL when the budget is spent.
 * size 0 gives a valid pointer.
 */
PST_EXPORT void *pst_arena_alloc(struct pst_arena *arena, size_t size);

/*
 * Grow the newest allocation in place.
 *   ptr, old, new_size  what pst_arena_alloc returned, its size, the wanted one
 * Returns true when it was the newest and there was room; else nothing changed.
 */
PST_EXPORT bool pst_arena_extend(struct pst_arena *arena, void *ptr, size_t old,
                                 size_t new_size);

/* Run undo(handle) at the next reset. PST_OK or PST_NO_MEMORY (not run). */
PST_MUST_USE PST_EXPORT enum pst_err pst_arena_defer(struct pst_arena *arena,
                                                     void (*undo)(void *handle),
                                                     void *handle);

/* A copy of text inside the arena; absent stays absent. */
PST_MUST_USE PST_EXPORT enum pst_err pst_arena_copy(struct pst_arena *arena,
                                                    struct pst_str text,
                                                    struct pst_str *out);

/*
 * A NUL-terminated copy, for calls into C libraries: the only way there.
 * Returns PST_OK, PST_NO_MEMORY, or PST_MALFORMED when text holds a NUL.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_arena_c_string(struct pst_arena *arena,
                                                        struct pst_str text,
                                                        const char **out);

PST_EXPORT void pst_arena_reset(struct pst_arena *arena);

/* Bytes in use, undo records included. */
PST_EXPORT size_t pst_arena_used(const struct pst_arena *arena);

/*
 * For tests: the n-th allocation from now (1 is the next) fails, and all
 * after it, until the next reset. 0 switches it off. Growing in place counts,
 * and so does what asked pst_arena_may_alloc().
 */
PST_EXPORT void pst_arena_fail_at(struct pst_arena *arena, size_t n);

/*
 * Ask before memory is taken elsewhere on the arena's behalf; false when
 * pst_arena_fail_at() has this allocation fail.
 */
PST_EXPORT bool pst_arena_may_alloc(struct pst_arena *arena);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * arena.c - an arena (bump allocator) for one request: allocate from one block,
 * then free all of it by a reset.
 *
 * One block is given out from its beginning. Bytes that are not allocated are
 * always zero: calloc() makes them so, and a reset wipes what was used. Under
 * AddressSanitizer they are poisoned too.
 */
#include "base/arena.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(ptr, len) ((void)(ptr), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, len) ((void)(ptr), (void)(len))
#endif

/* Bytes that a reset keeps: most requests need less. The pages above go back to
 * the system, so that one large request does not hold memory for ever. */
#define KEPT_SIZE ((size_t)64 * 1024)

/* A deferred call. The records are in the arena itself, newest first. */
struct undo {
    struct undo *older;
    void (*run)(void *handle);
    void *handle;
};

struct pst_arena {
    size_t size;
    size_t used;
    size_t newest;         /* where the newest allocation begins */
    size_t fail_countdown; /* the allocation that will fail: 1 is the next; 0:
                              none */
    struct undo *undo;
    _Alignas(max_align_t) unsigned char data[];
};

/*
 * Return whole pages that were used, and are zero now, to the system. They are
 * zero when they are used again.
 */
static void
arena_release_pages(const struct pst_arena *arena)
{
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)arena->data + KEPT_SIZE + page_size - 1;
    uintptr_t end = (uintptr_t)arena->data + arena->used;

    start -= start % page_size;
    end -= end % page_size;
    if (start < end)
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
}

enum pst_err
pst_arena_new(struct pst_arena **out, size_t size)
{
    struct pst_arena *arena;
    size_t whole;

    if (__builtin_add_overflow(sizeof(*arena), size, &whole))
        return PST_NO_MEMORY;
    arena = calloc(1, whole);
    if (!arena)
        return PST_NO_MEMORY;
    arena->size = size;
    ASAN_POISON_MEMORY_REGION(arena->data, size);
    *out = arena;
    return PST_OK;
}

void
pst_arena_free(struct pst_arena **arena)
{
    if (!*arena)
        return;
    pst_arena_reset(*arena);
    ASAN_UNPOISON_MEMORY_REGION((*arena)->data, (*arena)->size);
    free(*arena);
    *arena = NULL;
}

bool
pst_arena_may_alloc(struct pst_arena *arena)
{
    if (arena->fail_countdown > 1)
        arena->fail_countdown--;
    else if (arena->fail_countdown == 1)
        return false;
    return true;
}

static void *
arena_alloc_aligned(struct pst_arena *arena, size_t size, size_t align)
{
    size_t start;
    size_t end;

    if (!pst_arena_may_alloc(arena) ||
        __builtin_add_overflow(arena->used, align - 1, &start))
        return NULL;
    start -= start % align;
    if (__builtin_add_overflow(start, size, &end) || end > arena->size)
        return NULL;
    arena->newest = start;
    arena->used = end;
    ASAN_UNPOISON_MEMORY_REGION(arena->data + start, size);
    return arena->data + start;
}

void *
pst_arena_alloc(struct pst_arena *arena, size_t size)
{
    return arena_alloc_aligned(arena, size, _Alignof(max_align_t));
}

bool
pst_arena_extend(struct pst_arena *arena, void *ptr, size_t old,
                 size_t new_size)
{
    size_t end;

    if (ptr != arena->data + arena->newest ||
        old != arena->used - arena->newest || new_size < old)
        return false;
    if (__builtin_add_overflow(arena->newest, new_size, &end) ||
        end > arena->size || !pst_arena_may_alloc(arena))
        return false;
    ASAN_UNPOISON_MEMORY_REGION(arena->data + arena->used, end - arena->used);
    arena->used = end;
    return true;
}

enum pst_err
pst_arena_defer(struct pst_arena *arena, void (*undo)(void *handle),
                void *handle)
{
    struct undo *record = pst_arena_alloc(arena, sizeof(*record));

    if (!record)
        return PST_NO_MEMORY;
    *record = (struct undo){arena->undo, undo, handle};
    arena->undo = record;
    return PST_OK;
}

enum pst_err
pst_arena_copy(struct pst_arena *arena, struct pst_str text,
               struct pst_str *out)
{
    char *copy;

    if (pst_str_is_absent(text)) {
        *out = PST_STR_NONE;
        return PST_OK;
    }
    copy = arena_alloc_aligned(arena, text.len, 1);
    if (!copy)
        return PST_NO_MEMORY;
    memcpy(copy, text.ptr, text.len);
    *out = (struct pst_str){copy, text.len};
    return PST_OK;
}

enum pst_err
pst_arena_c_string(struct pst_arena *arena, struct pst_str text,
                   const char **out)
{
    size_t size;
    char *copy;

    if (pst_str_index(text, '\0') < text.len)
        return PST_MALFORMED;
    if (__builtin_add_overflow(text.len, 1, &size))
        return PST_NO_MEMORY;
    copy = arena_alloc_aligned(arena, size, 1);
    if (!copy)
        return PST_NO_MEMORY;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *out = copy;
    return PST_OK;
}

void
pst_arena_reset(struct pst_arena *arena)
{
    while (arena->undo) {
        struct undo *record = arena->undo;

        arena->undo = record->older;
        record->run(record->handle);
    }
    ASAN_UNPOISON_MEMORY_REGION(arena->data, arena->used);
    explicit_bzero(arena->data, arena->used);
    ASAN_POISON_MEMORY_REGION(arena->data, arena->size);
    if (arena->used > KEPT_SIZE)
        arena_release_pages(arena);
    arena->used = 0;
    arena->newest = 0;
    arena->fail_countdown = 0;
}

size_t
pst_arena_used(const struct pst_arena *arena)
{
    return arena->used;
}

void
pst_arena_fail_at(struct pst_arena *arena, size_t n)
{
    arena->fail_countdown = n;
}

/* SPDX-License-Identifier: ISC */
/*
 * slab.c - a slab allocator: many small objects on the heap, freed when an
 * arena is reset.
 */
#include "base/slab.h"

#include <string.h>

/* Bytes of the first slab and of the largest one, with their headers. */
#define FIRST_SIZE 2048
#define LARGEST_SIZE (64 * 1024)

#define OBJECT_MAX (16 * 1024 * 1024) /* bytes; no object is as large */

struct slab {
    struct slab *older;
    size_t size;
    size_t used;
    _Alignas(max_align_t) unsigned char data[];
};

struct slabs {
    struct pst_arena *arena;
    struct slab *newest;
};

static void
slabs_release(void *handle)
{
    struct slabs *slabs = handle;

    while (slabs->newest) {
        struct slab *slab = slabs->newest;

        slabs->newest = slab->older;
        explicit_bzero(slab->data, slab->used);
        free(slab);
    }
}

enum pst_err
slabs_new(struct pst_arena *arena, struct slabs **out)
{
    struct slabs *slabs = pst_arena_alloc(arena, sizeof(*slabs));

    if (!slabs)
        return PST_NO_MEMORY;
    slabs->arena = arena;
    if (pst_arena_defer(arena, slabs_release, slabs) != PST_OK)
        return PST_NO_MEMORY;
    *out = slabs;
    return PST_OK;
}

/* A new slab that holds at least `size` bytes. */
static struct slab *
slabs_grow(struct slabs *slabs, size_t size)
{
    const struct slab *newest = slabs->newest;
    size_t whole = FIRST_SIZE - sizeof(struct slab);
    struct slab *slab;

    if (newest)
        whole = newest->size < LARGEST_SIZE / 2
                    ? newest->size * 2
                    : LARGEST_SIZE - sizeof(struct slab);
    if (whole < size)
        whole = size;
    slab = calloc(1, sizeof(*slab) + whole);
    if (!slab)
        return NULL;
    slab->older = slabs->newest;
    slab->size = whole;
    slabs->newest = slab;
    return slab;
}

void *
slabs_alloc(struct slabs *slabs, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    struct slab *slab = slabs->newest;
    size_t whole;
    void *object;

    if (!pst_arena_may_alloc(slabs->arena) || size > OBJECT_MAX)
        return NULL;
    whole = (size + align - 1) / align * align;
    if (!slab || whole > slab->size - slab->used)
        slab = slabs_grow(slabs, whole);
    if (!slab)
        return NULL;
    object = slab->data + slab->used;
    slab->used += whole;
    return object;
}

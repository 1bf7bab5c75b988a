/* SPDX-License-Identifier: ISC */
/*
 * failing.c - what the linker puts in the place of malloc() and its kin.
 */
#include "failing.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

static _Thread_local size_t fuse;
static _Thread_local bool has_failed;

void
failing_at(size_t n)
{
    fuse = n;
    has_failed = false;
}

bool
failing_has_failed(void)
{
    fuse = 0;
    return has_failed;
}

static bool
fails_now(void)
{
    if (fuse == 0)
        return false;
    fuse--;
    has_failed |= fuse == 0;
    return fuse == 0;
}

void *
__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *ptr, size_t size)
{
    return fails_now() ? NULL : __real_realloc(ptr, size);
}

/* SPDX-License-Identifier: ISC */
/*
 * failing.c - make the n-th malloc(), calloc() or realloc() fail.
 */
#include "failing.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

static _Thread_local size_t countdown; /* 0: none fails */
static _Thread_local bool has_failed;

void
failing_at(size_t n)
{
    countdown = n;
    has_failed = false;
}

bool
failing_has_failed(void)
{
    countdown = 0;
    return has_failed;
}

static bool
fails_now(void)
{
    if (countdown == 0)
        return false;
    countdown--;
    has_failed |= countdown == 0;
    return countdown == 0;
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

/* SPDX-License-Identifier: ISC */
/*
 * buffer.c - a string builder with a maximum length: the first error is kept,
 * and reported at the end.
 */
#include "base/buffer.h"

#include <string.h>

/* Bytes: most texts fit, so they are not moved. On the heap, where moving costs
 * more, most requests for a backend fit. */
#define FIRST_SIZE 64
#define FIRST_HEAP_SIZE 1024

/* The bytes of a buffer on the heap. This record itself is in the arena. */
struct pst_heap_block {
    char *ptr;
    size_t size;
};

static void
heap_block_release(void *handle)
{
    struct pst_heap_block *heap = handle;

    if (!heap->ptr)
        return;
    explicit_bzero(heap->ptr, heap->size);
    free(heap->ptr);
    heap->ptr = NULL;
    heap->size = 0;
}

void
pst_buf_init(struct pst_buf *buf, char *storage, size_t size)
{
    PST_REQUIRE(storage != NULL);
    *buf = (struct pst_buf){.ptr = storage, .size = size, .max = size};
}

void
pst_buf_init_arena(struct pst_buf *buf, struct pst_arena *arena, size_t max)
{
    PST_REQUIRE(arena != NULL);
    *buf = (struct pst_buf){.arena = arena, .max = max};
}

void
pst_buf_init_heap(struct pst_buf *buf, struct pst_arena *arena, size_t max)
{
    struct pst_heap_block *heap;

    pst_buf_init_arena(buf, arena, max);
    heap = pst_arena_alloc(arena, sizeof(*heap));
    if (!heap || pst_arena_defer(arena, heap_block_release, heap) != PST_OK) {
        pst_buf_set_error(buf, PST_NO_MEMORY);
        return;
    }
    buf->heap = heap;
}

/* Move the bytes to a larger heap block, and wipe the old one. */
static bool
buf_grow_heap(struct pst_buf *buf, size_t size)
{
    struct pst_heap_block *heap = buf->heap;
    char *ptr;

    if (!pst_arena_may_alloc(buf->arena))
        return false;
    ptr = malloc(size > 0 ? size : 1);
    if (!ptr)
        return false;
    if (buf->ptr)
        memcpy(ptr, buf->ptr, buf->len);
    heap_block_release(heap);
    *heap = (struct pst_heap_block){ptr, size};
    buf->ptr = ptr;
    buf->size = size;
    return true;
}

/* Grow in place if this is the newest allocation of the arena, else move. */
static bool
buf_grow_arena(struct pst_buf *buf, size_t size)
{
    char *ptr;

    if (buf->ptr && pst_arena_extend(buf->arena, buf->ptr, buf->size, size)) {
        buf->size = size;
        return true;
    }
    ptr = pst_arena_alloc(buf->arena, size);
    if (!ptr)
        return false;
    if (buf->ptr)
        memcpy(ptr, buf->ptr, buf->len);
    buf->ptr = ptr;
    buf->size = size;
    return true;
}

static bool
buf_grow_to(struct pst_buf *buf, size_t size)
{
    return buf->heap ? buf_grow_heap(buf, size) : buf_grow_arena(buf, size);
}

/* Make room for `needed` bytes in all: double the size, or only what fits. */
static bool
buf_grow(struct pst_buf *buf, size_t needed)
{
    size_t size = buf->size <= buf->max / 2 ? buf->size * 2 : buf->max;
    size_t first_size = buf->heap ? FIRST_HEAP_SIZE : FIRST_SIZE;

    if (!buf->arena)
        return false;
    if (size < first_size)
        size = first_size;
    if (size < needed)
        size = needed;
    if (size > buf->max)
        size = buf->max;
    return buf_grow_to(buf, size) ||
           (size > needed && buf_grow_to(buf, needed));
}

char *
pst_buf_reserve(struct pst_buf *buf, size_t len)
{
    size_t needed;
    char *room;

    if (buf->err)
        return NULL;
    if (__builtin_add_overflow(buf->len, len, &needed) || needed > buf->max) {
        pst_buf_set_error(buf, PST_TOO_LARGE);
        return NULL;
    }
    if ((!buf->ptr || needed > buf->size) && !buf_grow(buf, needed)) {
        pst_buf_set_error(buf, PST_NO_MEMORY);
        return NULL;
    }
    room = buf->ptr + buf->len;
    buf->len = needed;
    return room;
}

void
pst_buf_add(struct pst_buf *buf, struct pst_str text)
{
    char *room;

    if (text.len == 0)
        return;
    if (!buf->err && text.len <= buf->size - buf->len && buf->ptr) {
        memcpy(buf->ptr + buf->len, text.ptr, text.len);
        buf->len += text.len;
        return;
    }
    room = pst_buf_reserve(buf, text.len);
    if (room)
        memcpy(room, text.ptr, text.len);
}

void
pst_buf_add_char(struct pst_buf *buf, char c)
{
    if (!buf->err && buf->len < buf->size && buf->ptr)
        buf->ptr[buf->len++] = c;
    else
        pst_buf_add(buf, (struct pst_str){&c, 1});
}

void
pst_buf_add_number(struct pst_buf *buf, int64_t number)
{
    char digits[20]; /* the longest is "-9223372036854775808" */
    size_t start = sizeof(digits);
    uint64_t rest = (uint64_t)number;

    if (number < 0)
        rest = 0 - rest; /* -INT64_MIN does not fit int64_t */
    do {
        digits[--start] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        digits[--start] = '-';
    pst_buf_add(buf, (struct pst_str){digits + start, sizeof(digits) - start});
}

void
pst_buf_add_hex(struct pst_buf *buf, struct pst_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *out = pst_buf_reserve(buf, 2 * bytes.len);

    for (size_t i = 0; out && i < bytes.len; i++) {
        *out++ = digits[bytes.ptr[i] >> 4];
        *out++ = digits[bytes.ptr[i] & 15];
    }
}

void
pst_buf_set_error(struct pst_buf *buf, enum pst_err reason)
{
    PST_REQUIRE(reason != PST_OK);
    if (!buf->err)
        buf->err = reason;
}

void
pst_buf_truncate(struct pst_buf *buf, size_t len)
{
    PST_REQUIRE(len <= buf->len);
    buf->len = len;
}

struct pst_str
pst_buf_str(const struct pst_buf *buf)
{
    return (struct pst_str){buf->ptr ? buf->ptr : "", buf->len};
}

enum pst_err
pst_buf_finish(const struct pst_buf *buf, struct pst_str *out)
{
    if (buf->err)
        return buf->err;
    *out = pst_buf_str(buf);
    return PST_OK;
}

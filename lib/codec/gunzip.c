/* SPDX-License-Identifier: ISC */
/*
 * gunzip.c - the only file that calls zlib: decode a gzip body.
 */
#include "codec/gunzip.h"

#define ZLIB_CONST /* declares the input as const */
#include <zlib.h>

#include "base/buffer.h"

/* Bytes that are decoded in one step. */
#define PIECE ((size_t)16 * 1024)

/* 15: the largest window, 32 KiB. 16: accept only the gzip format. */
#define WINDOW_BITS (15 + 16)

/*
 * zlib's window holds decoded text. So it is allocated in the arena, which is
 * wiped; zlib would not wipe it. And no error path has to free it.
 */
static voidpf
gunzip_alloc(voidpf arena, uInt count, uInt size)
{
    size_t bytes;

    if (__builtin_mul_overflow((size_t)count, (size_t)size, &bytes))
        return Z_NULL;
    return pst_arena_alloc(arena, bytes);
}

static void
gunzip_free(voidpf arena, voidpf memory)
{
    (void)arena;
    (void)memory;
}

/*
 * Decode the next piece.
 *   most   bytes that buf may have afterwards
 *   ended  set on PST_OK: the piece was the last
 */
static enum pst_err
gunzip_decode_piece(z_stream *stream, struct pst_buf *buf, size_t most,
                    bool *ended)
{
    size_t had = buf->len;
    size_t size = most - had < PIECE ? most - had : PIECE;
    char *room = pst_buf_reserve(buf, size);
    int result;

    if (!room)
        return buf->err;
    stream->next_out = (Bytef *)room;
    stream->avail_out = (uInt)size;
    result = inflate(stream, Z_NO_FLUSH);
    pst_buf_truncate(buf, had + size - stream->avail_out);
    *ended = result == Z_STREAM_END;
    if (result == Z_MEM_ERROR)
        return PST_NO_MEMORY;
    /* Z_BUF_ERROR means that the input ended too early. */
    return result == Z_OK || *ended ? PST_OK : PST_MALFORMED;
}

static enum pst_err
gunzip_decode(z_stream *stream, struct pst_buf *buf, size_t max)
{
    bool ended = false;
    enum pst_err e;

    while (!ended) {
        if (buf->len > max)
            return PST_TOO_LARGE;
        /* One more byte distinguishes a longer body from one of `max`. */
        e = gunzip_decode_piece(stream, buf, max + 1, &ended);
        if (e)
            return e;
    }
    if (buf->len > max)
        return PST_TOO_LARGE;
    return stream->avail_in > 0 ? PST_MALFORMED : PST_OK;
}

enum pst_err
gunzip_body(struct pst_arena *arena, struct pst_str body, size_t max,
            struct pst_str *out)
{
    z_stream stream = {
        .next_in = (const Bytef *)body.ptr,
        .zalloc = gunzip_alloc,
        .zfree = gunzip_free,
        .opaque = arena,
    };
    struct pst_buf buf;
    enum pst_err e;

    PST_REQUIRE(max < SIZE_MAX && body.len <= UINT32_MAX);
    stream.avail_in = (uInt)body.len;
    if (inflateInit2(&stream, WINDOW_BITS) != Z_OK)
        return PST_NO_MEMORY;
    pst_buf_init_heap(&buf, arena, max + 1);
    e = gunzip_decode(&stream, &buf, max);
    if (e)
        return e;
    return pst_buf_finish(&buf, out);
}

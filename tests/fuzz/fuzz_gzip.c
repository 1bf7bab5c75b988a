/* SPDX-License-Identifier: ISC */
/*
 * fuzz_gzip.c - decode any bytes as a gzip body (L36), and compare what comes
 * out with zlib's own answer.
 */
#include <string.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/str.h"
#include "codec/gunzip.h"

#define ARENA_SIZE (256 * 1024)
#define BODY_MAX (64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly one member that decodes to at most BODY_MAX bytes? */
static bool
is_body(const uint8_t *data, size_t size, uint8_t *out, size_t *len)
{
    z_stream stream = {0};
    int result;

    PST_REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)size;
    stream.next_out = out;
    stream.avail_out = BODY_MAX + 1;
    result = inflate(&stream, Z_FINISH);
    *len = BODY_MAX + 1 - stream.avail_out;
    PST_REQUIRE(inflateEnd(&stream) == Z_OK || result != Z_STREAM_END);
    return result == Z_STREAM_END && stream.avail_in == 0 && *len <= BODY_MAX;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pst_arena *arena;
    static uint8_t want[BODY_MAX + 1];
    const struct pst_str input =
        pst_str_from_bytes((struct pst_bytes){data, size});
    struct pst_str out;
    size_t len;
    enum pst_err e;

    PST_REQUIRE(arena || pst_arena_new(&arena, ARENA_SIZE) == PST_OK);
    e = gunzip_body(arena, input, BODY_MAX, &out);
    PST_REQUIRE(e == PST_OK || e == PST_MALFORMED || e == PST_TOO_LARGE);
    PST_REQUIRE(is_body(data, size, want, &len) == (e == PST_OK));
    if (!e)
        PST_REQUIRE(out.len == len &&
                    (len == 0 || memcmp(out.ptr, want, len) == 0));
    pst_arena_reset(arena);
    return 0;
}

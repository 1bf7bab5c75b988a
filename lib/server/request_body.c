/* SPDX-License-Identifier: ISC */
/*
 * request_body.c - read the body of a request, as a stream or whole, within its
 * limits.
 */
#include "server/request_body.h"

#include <stdatomic.h>
#include <string.h>

#include "base/buffer.h"

/* Bytes that are read at a time of a body that is kept whole. */
#define READ_CHUNK_SIZE ((size_t)16 * 1024)

/* Bytes of the body that are still to be read; INT64_MAX: unknown. */
static int64_t
request_body_bytes_left(const struct request *req)
{
    return req->content_length < 0 ? INT64_MAX
                                   : req->content_length - req->body_read;
}

static enum pst_err
request_read_source(struct request *req, char *out, size_t size, size_t *len)
{
    size_t got = 0;
    enum pst_err e;

    if ((uint64_t)request_body_bytes_left(req) < size)
        size = (size_t)request_body_bytes_left(req);
    if (size == 0) {
        *len = 0;
        return PST_OK;
    }
    e = req->source.read(req->source.context, out, size, &got);
    if (e)
        return e;
    PST_REQUIRE(got <= size);
    if (got == 0 && req->content_length >= 0)
        return PST_MALFORMED;
    if ((int64_t)got > req->max_body - req->body_read)
        return PST_TOO_LARGE;
    req->body_read += (int64_t)got;
    *len = got;
    return PST_OK;
}

enum pst_err
request_read_body(struct request *req, char *out, size_t size, size_t *len)
{
    PST_REQUIRE(size > 0 && pst_str_is_absent(req->body));
    return request_read_source(req, out, size, len);
}

/* Bytes of their bodies that all requests of this process hold. */
static _Atomic int64_t total_reserved_bytes;

static void
request_release_bytes(void *handle)
{
    const int64_t *reserved_bytes = handle;

    atomic_fetch_sub(&total_reserved_bytes, *reserved_bytes);
}

enum pst_err
request_reserve_bytes(struct request *req, size_t bytes)
{
    int64_t more = (int64_t)bytes;

    if (!req->reserved_bytes) {
        req->reserved_bytes =
            pst_arena_alloc(req->arena, sizeof(*req->reserved_bytes));
        if (!req->reserved_bytes ||
            pst_arena_defer(req->arena, request_release_bytes,
                            req->reserved_bytes) != PST_OK)
            return PST_NO_MEMORY;
    }
    if (atomic_fetch_add(&total_reserved_bytes, more) + more > req->max_held &&
        req->max_held > 0) {
        atomic_fetch_sub(&total_reserved_bytes, more);
        return PST_OVERLOADED;
    }
    *req->reserved_bytes += more;
    return PST_OK;
}

/* Append the next piece to buf, which is to hold at most limit bytes. */
static enum pst_err
request_read_chunk(struct request *req, struct pst_buf *buf, size_t limit,
                   bool *is_end)
{
    size_t previous_len = buf->len;
    size_t size = limit - previous_len < READ_CHUNK_SIZE ? limit - previous_len
                                                         : READ_CHUNK_SIZE;
    char *space;
    size_t len;
    enum pst_err e;

    if ((uint64_t)request_body_bytes_left(req) < size)
        size = (size_t)request_body_bytes_left(req);
    space = pst_buf_reserve(buf, size);
    if (!space)
        return PST_NO_MEMORY;
    e = request_read_source(req, space, size, &len);
    if (e)
        return e;
    pst_buf_truncate(buf, previous_len + len);
    *is_end = len == 0;
    return request_reserve_bytes(req, len);
}

/* Read the body into memory. PST_TOO_LARGE: it is longer than max bytes. */
static enum pst_err
request_store_body(struct request *req, size_t max)
{
    /* One byte more shows whether a body of max bytes ends there. */
    size_t limit = max < SIZE_MAX ? max + 1 : max;
    bool is_end = request_body_bytes_left(req) == 0;
    struct pst_str body = PST_STR("");
    struct pst_buf buf;

    PST_REQUIRE(req->body_read == 0);
    pst_buf_init_heap(&buf, req->arena, limit);
    while (!is_end && buf.len < limit) {
        enum pst_err e = request_read_chunk(req, &buf, limit, &is_end);

        if (e)
            return e;
        is_end = is_end || request_body_bytes_left(req) == 0;
    }
    if (!is_end || buf.len > max)
        return PST_TOO_LARGE;
    if (buf.len > 0) {
        enum pst_err e = pst_buf_finish(&buf, &body);

        if (e)
            return e;
    }
    req->body = body;
    return PST_OK;
}

enum pst_err
request_read_whole_body(struct request *req, size_t max, struct pst_str *body)
{
    enum pst_err e = PST_OK;

    if (req->content_length > 0 && (uint64_t)req->content_length > max)
        return PST_TOO_LARGE;
    if (pst_str_is_absent(req->body))
        e = request_store_body(req, max);
    if (e)
        return e;
    if (req->body.len > max)
        return PST_TOO_LARGE;
    *body = req->body;
    return PST_OK;
}

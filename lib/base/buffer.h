/* SPDX-License-Identifier: ISC */
/*
 * buffer.h - a string builder with a maximum length: the first error is kept,
 * and reported at the end.
 *
 * Every buffer has a maximum length from the start. Adding returns nothing: the
 * first piece that does not fit sets an error, later pieces are ignored, and
 * pst_buf_finish() returns the error. So callers check once, and a text is
 * either complete or not available.
 */
#ifndef POSTERN_BASE_BUFFER_H
#define POSTERN_BASE_BUFFER_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct pst_buf {
    struct pst_arena *arena; /* NULL: caller's storage, which cannot grow */
    char *ptr;
    size_t len;
    size_t size;                 /* bytes at ptr */
    size_t max;                  /* len may not exceed this */
    struct pst_heap_block *heap; /* not NULL: the bytes are on the heap */
    enum pst_err err;            /* the first error, or PST_OK */
};

/* Build in the caller's storage of `size` bytes, which is also the maximum. */
void pst_buf_init(struct pst_buf *buf, char *storage, size_t size);

/* Build in the arena, at most max bytes; grows when needed. */
void pst_buf_init_arena(struct pst_buf *buf, struct pst_arena *arena,
                        size_t max);

/*
 * Build on the heap, at most max bytes: for bodies, which may be larger than
 * the arena. Wiped and freed when the arena is reset.
 */
void pst_buf_init_heap(struct pst_buf *buf, struct pst_arena *arena,
                       size_t max);

/* Append a text, a NUL-terminated string, a byte, a number in decimal. */
void pst_buf_add(struct pst_buf *buf, struct pst_str text);
static inline void
pst_buf_add_string(struct pst_buf *buf, const char *string)
{
    pst_buf_add(buf, pst_str_from(string));
}
void pst_buf_add_char(struct pst_buf *buf, char c);
void pst_buf_add_number(struct pst_buf *buf, int64_t number);

/* Append two lower-case hex digits for each byte. */
void pst_buf_add_hex(struct pst_buf *buf, struct pst_bytes bytes);

/*
 * Append len bytes that the caller fills in before the next call.
 * Returns where they are, or NULL when the buffer has an error.
 */
char *pst_buf_reserve(struct pst_buf *buf, size_t len);

/* Set an error, unless there is one already. reason is not PST_OK. */
void pst_buf_set_error(struct pst_buf *buf, enum pst_err reason);

/* Shorten to len bytes; PST_REQUIREs that it has as many. */
void pst_buf_truncate(struct pst_buf *buf, size_t len);

/* The bytes so far; valid until more are added. */
struct pst_str pst_buf_str(const struct pst_buf *buf);

/*
 * Get the whole text.
 *   out  set on PST_OK; valid as long as the storage, arena or heap block
 * Returns PST_OK, PST_TOO_LARGE (over the maximum), PST_NO_MEMORY, or the
 * error of pst_buf_set_error().
 */
PST_MUST_USE enum pst_err pst_buf_finish(const struct pst_buf *buf,
                                         struct pst_str *out);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * buffer.h - a bounded builder of text: its ceiling is set at birth.
 *
 * Adding never fails loudly: the first piece that does not fit spoils the
 * builder, later pieces are ignored, and pst_buf_finish() tells. So a text is
 * either complete or not had at all, and callers check once.
 */
#ifndef POSTERN_BASE_BUFFER_H
#define POSTERN_BASE_BUFFER_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct pst_buf {
    struct pst_arena *arena; /* where it grows; NULL: it cannot */
    char *ptr;
    size_t len;
    size_t size;                 /* bytes at ptr */
    size_t max;                  /* ceiling of len */
    struct pst_heap_block *heap; /* set when the bytes are held off the arena */
    enum pst_err err;
};

/* Build in the caller's own `size` bytes at `storage`. */
PST_EXPORT void pst_buf_init(struct pst_buf *buf, char *storage, size_t size);

/* Build in the arena, at most max bytes; grows as needed. */
PST_EXPORT void pst_buf_init_arena(struct pst_buf *buf, struct pst_arena *arena,
                                   size_t max);

/*
 * Build off the arena, at most max bytes: for bodies, which may be larger
 * than a request's budget. Wiped and freed when the arena is reset.
 */
PST_EXPORT void pst_buf_init_heap(struct pst_buf *buf, struct pst_arena *arena,
                                  size_t max);

PST_EXPORT void pst_buf_add(struct pst_buf *buf, struct pst_str text);
PST_EXPORT void pst_buf_add_string(struct pst_buf *buf, const char *string);
PST_EXPORT void pst_buf_add_char(struct pst_buf *buf, char c);
PST_EXPORT void pst_buf_add_number(struct pst_buf *buf, int64_t number);

/* Two lower-case digits an byte. */
PST_EXPORT void pst_buf_add_hex(struct pst_buf *buf, struct pst_bytes bytes);

/*
 * Room for exactly len bytes, to be filled by the caller at once; NULL when
 * the builder is or becomes spoilt.
 */
PST_EXPORT char *pst_buf_reserve(struct pst_buf *buf, size_t len);

/* Mark as spoilt, with a reason that pst_buf_finish() will give. */
PST_EXPORT void pst_buf_set_error(struct pst_buf *buf, enum pst_err reason);

/* Take back to len bytes; len must not be above what it holds. */
PST_EXPORT void pst_buf_truncate(struct pst_buf *buf, size_t len);

/* What is there so far. */
PST_EXPORT struct pst_str pst_buf_str(const struct pst_buf *buf);

/*
 * Returns PST_OK and the whole text (which stays valid as long as the
 * builder's storage), else PST_TOO_LARGE (ceiling), PST_NO_MEMORY, or what
 * pst_buf_set_error() gave.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_buf_finish(const struct pst_buf *buf,
                                                    struct pst_str *out);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * chunked.h - decode a chunked body that comes in pieces of any size (RFC 9112
 * section 7.1).
 *
 * Every line must end with CRLF. Extensions and trailers are checked, and
 * dropped: a trailer must never pass for a header.
 */
#ifndef POSTERN_HTTP_CHUNKED_H
#define POSTERN_HTTP_CHUNKED_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* What the next byte is part of. */
enum chunked_state {
    CHUNKED_SIZE,      /* hex digits; the start of a chunk */
    CHUNKED_BLANK,     /* spaces after the size */
    CHUNKED_EXTENSION, /* after ";" */
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER, /* the start of a trailer line, or of the last one */
    CHUNKED_TRAILER_NAME,
    CHUNKED_TRAILER_VALUE,
    CHUNKED_TRAILER_LF,
    CHUNKED_LAST_LF,
    CHUNKED_DONE,
};

/* All zero at the start of a body. */
struct chunked {
    enum chunked_state state;
    uint64_t left;      /* bytes of this chunk */
    unsigned digits;    /* of the size */
    size_t line_len;    /* bytes of this line's extension */
    size_t trailer_len; /* bytes of all trailers */
};

/*
 * Decode up to the next piece of data.
 *   bytes   what has arrived; what is read is removed
 *   piece   set on PST_OK to a slice of them; empty: all was read, or the body
 *           has ended (chunked->state is CHUNKED_DONE, and *bytes is what
 *           follows it)
 *   reason  set on PST_UPSTREAM_BROKEN: what is wrong, for the log
 * Returns PST_OK; PST_UPSTREAM_BROKEN (not chunks, a size over 15 digits, an
 * extension over 4 KiB, trailers over PST_HEADERS_MAX).
 */
PST_MUST_USE enum pst_err chunked_decode(struct chunked *chunked,
                                         struct pst_str *bytes,
                                         struct pst_str *piece,
                                         const char **reason);

#endif

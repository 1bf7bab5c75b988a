/* SPDX-License-Identifier: ISC */
/*
 * fcgi_preread.h - wait until the whole head of a request stands on a
 * connection, without taking it off: libfcgi does that, once it is sound
 * (engine/fcgi_record.h).
 */
#ifndef POSTERN_ENGINE_FCGI_PREREAD_H
#define POSTERN_ENGINE_FCGI_PREREAD_H

#include "base/base.h"
#include "engine/fcgi_record.h"

/* Where a worker keeps what it looks at; zero at first. */
struct head {
    uint8_t octets[RECORD_HEAD_MAX];
    size_t len; /* of these, in use; wiped before head_await() returns */
};

enum head_next {
    HEAD_REQUEST, /* read it now */
    HEAD_IDLE,    /* what stood there was no request, and is answered */
    HEAD_CLOSE,   /* nothing good comes of this connection */
};

/*
 * Look at a connection that has bytes to read.
 *   limit  milliseconds for the rest of a head that has begun; it ends
 *          sooner when the other end closes
 */
enum head_next head_await(struct head *head, int descriptor, int64_t limit);

#endif

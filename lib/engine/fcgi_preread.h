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
struct fcgi_preread {
    uint8_t bytes[FCGI_RECORD_HEAD_MAX];
    size_t len; /* of these, in use; wiped before fcgi_preread_wait() returns */
};

enum fcgi_preread_result {
    FCGI_PREREAD_REQUEST, /* read it now */
    FCGI_PREREAD_IDLE,    /* what stood there was no request, and is answered */
    FCGI_PREREAD_CLOSE,   /* nothing good comes of this connection */
};

/*
 * Look at a connection that has bytes to read.
 *   timeout_ms  milliseconds for the rest of a head that has begun; it ends
 *          sooner when the other end closes
 */
enum fcgi_preread_result fcgi_preread_wait(struct fcgi_preread *preread,
                                           int descriptor, int64_t timeout_ms);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * fcgi_record.h - wait for the head of a FastCGI request (BEGIN_REQUEST and
 * PARAMS), and check its records before libfcgi reads them.
 *
 * libfcgi aborts the process when the length of a variable claims gigabytes,
 * accepts variables that were cut short, and hangs when a web server sends
 * FCGI_GET_VALUES. So it only gets to see complete, valid heads.
 * Source: FastCGI 1.0 sections 3.3, 3.4, 4 and 5.
 */
#ifndef POSTERN_ENGINE_FCGI_RECORD_H
#define POSTERN_ENGINE_FCGI_RECORD_H

#include "base/base.h"
#include "base/str.h"

/* Bytes of a head, with record headers and padding. Web servers send less
 * than half of that in their default configuration. */
#define FCGI_RECORD_HEAD_MAX ((size_t)64 * 1024)

enum fcgi_record_status {
    FCGI_RECORD_COMPLETE,   /* BEGIN_REQUEST and all of PARAMS */
    FCGI_RECORD_INCOMPLETE, /* valid so far */
    FCGI_RECORD_STALE,      /* first a record of a request that is over */
    FCGI_RECORD_MANAGEMENT, /* first a management record */
    FCGI_RECORD_INVALID,    /* close the connection */
};

/*
 * Check the bytes at the beginning of a connection that has no open request.
 * Pure.
 *   bytes  what has arrived so far
 *   len    with FCGI_RECORD_STALE and FCGI_RECORD_MANAGEMENT set to the length
 *          of that record, all of which is in bytes; else untouched
 */
enum fcgi_record_status fcgi_record_check(struct pst_bytes bytes, size_t *len);

/* A thread's buffer for fcgi_preread_wait(); zero at first. */
struct fcgi_preread {
    uint8_t bytes[FCGI_RECORD_HEAD_MAX];
    size_t len; /* bytes in use; wiped before fcgi_preread_wait() returns */
};

enum fcgi_preread_result {
    FCGI_PREREAD_REQUEST, /* a valid head has arrived: let libfcgi read it */
    FCGI_PREREAD_IDLE,    /* a record outside a request was read and answered */
    FCGI_PREREAD_CLOSE,   /* close the connection */
};

/*
 * Wait until the whole head of a request has arrived on a connection, without
 * reading it. Records that belong to no request are read.
 *   timeout_ms  milliseconds to wait for the rest of a head that has begun; the
 *               wait ends earlier when the web server closes the connection
 */
enum fcgi_preread_result fcgi_preread_wait(struct fcgi_preread *preread,
                                           int descriptor, int64_t timeout_ms);

#endif

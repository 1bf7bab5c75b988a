/* SPDX-License-Identifier: ISC */
/*
 * fcgi_record.h - look at the FastCGI records of a request before libfcgi does.
 *
 * libfcgi aborts the process where a variable's length is a lie of some
 * gigabytes, takes variables that were cut short for all there are, and
 * waits for ever where a web server asks FCGI_GET_VALUES. So it is shown
 * whole, sound heads only. Pure.
 * Source: FastCGI 1.0 sections 3.3, 3.4, 4 and 5.
 */
#ifndef POSTERN_ENGINE_FCGI_RECORD_H
#define POSTERN_ENGINE_FCGI_RECORD_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/str.h"

/* A head's bytes, record headers and padding included. Web servers send
 * less than half of it unless told otherwise. */
#define FCGI_RECORD_HEAD_MAX ((size_t)64 * 1024)

/* Bytes of an answer to a management record, at most. */
#define FCGI_RECORD_ANSWER_MAX 64

enum fcgi_record_status {
    FCGI_RECORD_COMPLETE,   /* BEGIN_REQUEST and all of PARAMS are there */
    FCGI_RECORD_INCOMPLETE, /* no mistake so far */
    FCGI_RECORD_STALE,      /* first a record of a request that is over */
    FCGI_RECORD_MANAGEMENT, /* first a management record */
    FCGI_RECORD_INVALID,    /* close the connection */
};

/*
 * Judge what stands at the beginning of a connection that has no open
 * request.
 *   bytes  as much as is known of it
 *   len     with FCGI_RECORD_STALE and FCGI_RECORD_MANAGEMENT set to that
 * record's bytes, all of which are there; else untouched
 */
enum fcgi_record_status fcgi_record_check(struct pst_bytes bytes, size_t *len);

/*
 * Write the answer to a management record: FCGI_GET_VALUES_RESULT, or
 * FCGI_UNKNOWN_TYPE. At most FCGI_RECORD_ANSWER_MAX bytes.
 */
void fcgi_record_answer(struct pst_buf *out, struct pst_bytes management);

#endif

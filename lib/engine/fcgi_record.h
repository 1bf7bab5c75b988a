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
#define RECORD_HEAD_MAX ((size_t)64 * 1024)

/* Bytes of an answer to a management record, at most. */
#define RECORD_ANSWER_MAX 64

enum record_verdict {
    RECORD_SOUND,      /* BEGIN_REQUEST and all of PARAMS are there */
    RECORD_MORE,       /* no mistake so far */
    RECORD_STALE,      /* first a record of a request that is over */
    RECORD_MANAGEMENT, /* first a management record */
    RECORD_BAD,        /* close the connection */
};

/*
 * Judge what stands at the beginning of a connection that has no open
 * request.
 *   bytes  as much as is known of it
 *   len     with RECORD_STALE and RECORD_MANAGEMENT set to that record's
 *           bytes, all of which are there; else untouched
 */
enum record_verdict record_judge(struct pst_bytes octets, size_t *len);

/*
 * Write the answer to a management record: FCGI_GET_VALUES_RESULT, or
 * FCGI_UNKNOWN_TYPE. At most RECORD_ANSWER_MAX bytes.
 */
void record_answer(struct pst_buf *out, struct pst_bytes management);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * fcgi_answer.h - the FastCGI records that we write ourselves, without libfcgi.
 * Pure. For this folder only.
 * Source: FastCGI 1.0 sections 3 to 5 and 8.
 */
#ifndef POSTERN_ENGINE_FCGI_ANSWER_H
#define POSTERN_ENGINE_FCGI_ANSWER_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/str.h"

/* Bytes of a record's header. */
#define FCGI_HEADER_LEN 8

/* Bytes of all answers to one read. */
#define FCGI_ANSWERS_MAX 512

/* Bytes of a text that is answered at once. */
#define FCGI_ANSWER_TEXT_MAX 255

enum fcgi_record_type {
    FCGI_TYPE_BEGIN_REQUEST = 1,
    FCGI_TYPE_ABORT_REQUEST = 2,
    FCGI_TYPE_END_REQUEST = 3,
    FCGI_TYPE_PARAMS = 4,
    FCGI_TYPE_STDIN = 5,
    FCGI_TYPE_STDOUT = 6,
    FCGI_TYPE_GET_VALUES = 9,
    FCGI_TYPE_GET_VALUES_RESULT = 10,
    FCGI_TYPE_UNKNOWN = 11,
    FCGI_TYPE_INVALID = 12, /* in no version of FastCGI */
};

enum fcgi_protocol_status {
    FCGI_STATUS_COMPLETE = 0,
    FCGI_STATUS_CANNOT_MULTIPLEX = 1,
    FCGI_STATUS_UNKNOWN_ROLE = 3
};

/* Write an END_REQUEST. */
void fcgi_answer_end_request(struct pst_buf *answers, unsigned id,
                             enum fcgi_protocol_status status);

/* Answer a management record of a type that is not known. */
void fcgi_answer_unknown_type(struct pst_buf *answers, uint8_t type);

/* Write a record that is invalid in an answer, without content. */
void fcgi_answer_invalid(struct pst_buf *answers, unsigned id);

/*
 * Answer FCGI_GET_VALUES: a connection serves one request at a time. The other
 * two values that may be asked for, FCGI_MAX_CONNS and FCGI_MAX_REQS, are left
 * out: no number is true.
 *   content  of the record
 */
void fcgi_answer_get_values(struct pst_buf *answers, struct pst_str content);

/*
 * Write a whole answer to the request that begins with this header.
 *   text  at most FCGI_ANSWER_TEXT_MAX bytes
 * Returns false if no request begins with it.
 */
PST_MUST_USE bool
fcgi_answer_at_once(struct pst_buf *answers,
                    const uint8_t header[static FCGI_HEADER_LEN],
                    struct pst_str text);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * fcgi_filter.h - check every record that a web server sends, before libfcgi
 * reads it, to the end of the request.
 *
 * libfcgi aborts the process when the length of a variable claims gigabytes or
 * when a management record arrives in the middle of a request, overflows its
 * stack on FCGI_GET_VALUES, and accepts variables that were cut short. So it
 * gets to see only the valid records of the request at hand; management
 * records and attempts to multiplex are answered here.
 * Source: FastCGI 1.0 sections 3 to 5.
 */
#ifndef POSTERN_ENGINE_FCGI_FILTER_H
#define POSTERN_ENGINE_FCGI_FILTER_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/str.h"
#include "engine/fcgi_answer.h"

/* Bytes of a request's PARAMS. Web servers send less than half of that in
 * their default configuration. */
#define FCGI_PARAMS_MAX ((size_t)64 * 1024)

/* Bytes by which the output may be ahead of the input: a BEGIN_REQUEST that was
 * held, and an end of STDIN that was added. */
#define FCGI_FILTER_RESERVE 24

/* Bytes of a record that is seen whole, with its header. */
#define FCGI_HELD_MAX 256

/* Which records may come next. */
enum fcgi_filter_phase {
    FCGI_BETWEEN,   /* BEGIN_REQUEST; what belongs to no request is dropped */
    FCGI_IN_PARAMS, /* PARAMS, up to an empty one */
    FCGI_IN_STDIN,  /* STDIN, up to an empty one */
};

/* The place in a stream of name-value pairs; all zero between two pairs. */
struct fcgi_pairs {
    size_t length;              /* the length that is being read */
    unsigned length_bytes_left; /* bytes of it still to come */
    bool has_name;              /* the next length is that of a value */
    size_t left;                /* bytes of name and value still to come */
};

/* The state of one connection; all zero at first. */
struct fcgi_filter {
    enum fcgi_filter_phase phase;
    unsigned id;        /* of the request at hand */
    bool is_authorizer; /* its role */
    size_t params_len;  /* bytes of PARAMS so far */
    struct fcgi_pairs pairs;

    /* The record at hand. */
    uint8_t held[FCGI_HELD_MAX]; /* its header, and content that must be seen
                                    whole */
    size_t held_len;             /* bytes in `held` */
    size_t held_size;            /* bytes to hold before it can be judged */
    size_t content_left;         /* bytes still to come */
    size_t padding_left;
    bool passes; /* its content is for libfcgi */
};

enum fcgi_filter_result {
    FCGI_FILTER_MORE,    /* all input was read */
    FCGI_FILTER_END,     /* the request is over; input may be left */
    FCGI_FILTER_INVALID, /* close the connection */
    FCGI_FILTER_ABORTED, /* the web server wants no answer any more */
};

struct fcgi_filter_io {
    const uint8_t *in; /* moved */
    size_t in_len;
    uint8_t *out; /* moved; room for in_len and FCGI_FILTER_RESERVE more bytes.
                     It may be the memory of the input, if `in` is at least
                     FCGI_FILTER_RESERVE bytes after it */
    struct pst_buf *answers; /* records to send to the web server */
};

/*
 * Read input, and write what libfcgi may see of it, without padding: libfcgi
 * takes the padding of the last PARAMS for a header. An authorizer's request
 * ends with its PARAMS, since not all web servers send STDIN then; an empty one
 * is added.
 * Pure.
 */
enum fcgi_filter_result fcgi_filter_run(struct fcgi_filter *filter,
                                        struct fcgi_filter_io *io);

/* Has no request begun, and no header of a record? */
bool fcgi_filter_is_idle(const struct fcgi_filter *filter);

/* After the last record of a request: does what comes behind it begin with a
 * record that aborts this request? */
bool fcgi_filter_is_abort(const struct fcgi_filter *filter,
                          struct pst_bytes rest);

/* Drop what still comes of the request at hand. */
void fcgi_filter_end_request(struct fcgi_filter *filter);

/* Write the END_REQUEST of a request that was aborted before libfcgi saw it. */
void fcgi_filter_answer_abort(const struct fcgi_filter *filter,
                              struct pst_buf *answers);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * fcgi_filter.c - check every record that a web server sends, before libfcgi
 * reads it, to the end of the request.
 */
#include "engine/fcgi_filter.h"

#include <string.h>

#include "engine/fcgi_answer.h"

#define BEGIN_REQUEST_LEN 8

enum fcgi_role { ROLE_RESPONDER = 1, ROLE_AUTHORIZER = 2 };

/*
 * Read the next byte of a length. A length has one byte, or four if the first
 * has its top bit set (FastCGI 1.0 section 3.4). Returns false when no request
 * can have so much.
 */
static bool
pairs_parse_length(struct fcgi_pairs *pairs, uint8_t byte)
{
    if (pairs->length_bytes_left > 0) {
        pairs->length = pairs->length << 8 | byte;
        pairs->length_bytes_left--;
    } else if (byte >= 0x80) {
        pairs->length = byte & 0x7f;
        pairs->length_bytes_left = 3;
    } else {
        pairs->length = byte;
    }
    if (pairs->length_bytes_left > 0)
        return true;
    if (pairs->length > FCGI_PARAMS_MAX)
        return false;
    pairs->left += pairs->length;
    pairs->has_name = !pairs->has_name;
    return true;
}

/* Read some content of a PARAMS record; a pair may continue in the next. */
static bool
pairs_parse(struct fcgi_pairs *pairs, struct pst_bytes content)
{
    size_t at = 0;

    while (at < content.len) {
        size_t rest = content.len - at;

        if (pairs->left == 0 || pairs->has_name) {
            if (!pairs_parse_length(pairs, content.ptr[at]))
                return false;
            at++;
        } else {
            rest = rest < pairs->left ? rest : pairs->left;
            pairs->left -= rest;
            at += rest;
        }
    }
    return true;
}

static bool
pairs_are_complete(const struct fcgi_pairs *pairs)
{
    return pairs->left == 0 && pairs->length_bytes_left == 0 &&
           !pairs->has_name;
}

static unsigned
record_id(const struct fcgi_filter *filter)
{
    return (unsigned)filter->held[2] << 8 | filter->held[3];
}

static struct pst_str
record_held_content(const struct fcgi_filter *filter)
{
    return pst_str_skip(
        (struct pst_str){(const char *)filter->held, filter->held_len},
        FCGI_HEADER_LEN);
}

static void
output_add(struct fcgi_filter_io *io, const void *bytes, size_t len)
{
    memmove(io->out, bytes, len);
    io->out += len;
}

/* Pass on what is held, with a header that announces no padding. */
static void
filter_pass_held(struct fcgi_filter *filter, struct fcgi_filter_io *io)
{
    filter->held[6] = 0;
    output_add(io, filter->held, filter->held_len);
    filter->passes = true;
}

/* Judge a BEGIN_REQUEST, all of which is held. */
static enum fcgi_filter_result
filter_begin(struct fcgi_filter *filter, struct fcgi_filter_io *io)
{
    unsigned role = (unsigned)filter->held[8] << 8 | filter->held[9];
    unsigned id = record_id(filter);

    if (filter->phase != FCGI_BETWEEN) {
        if (id == filter->id)
            return FCGI_FILTER_INVALID;
        fcgi_answer_end_request(io->answers, id, FCGI_STATUS_CANNOT_MULTIPLEX);
        return FCGI_FILTER_MORE;
    }
    if (role != ROLE_RESPONDER && role != ROLE_AUTHORIZER) {
        fcgi_answer_end_request(io->answers, id, FCGI_STATUS_UNKNOWN_ROLE);
        return FCGI_FILTER_MORE;
    }
    filter->id = id;
    filter->is_authorizer = role == ROLE_AUTHORIZER;
    filter->phase = FCGI_IN_PARAMS;
    filter->params_len = 0;
    filter->pairs = (struct fcgi_pairs){0};
    filter_pass_held(filter, io);
    return FCGI_FILTER_MORE;
}

/* Judge the header of a PARAMS record. */
static enum fcgi_filter_result
filter_params(struct fcgi_filter *filter, struct fcgi_filter_io *io)
{
    const uint8_t end_of_stdin[FCGI_HEADER_LEN] = {
        1, FCGI_TYPE_STDIN, (uint8_t)(filter->id >> 8), (uint8_t)filter->id};

    filter->params_len += filter->content_left;
    if (filter->params_len > FCGI_PARAMS_MAX)
        return FCGI_FILTER_INVALID;
    if (filter->content_left == 0 && !pairs_are_complete(&filter->pairs))
        return FCGI_FILTER_INVALID;
    filter_pass_held(filter, io);
    if (filter->content_left > 0)
        return FCGI_FILTER_MORE;
    filter->phase = FCGI_IN_STDIN;
    if (!filter->is_authorizer)
        return FCGI_FILTER_MORE;
    output_add(io, end_of_stdin, sizeof(end_of_stdin));
    filter->phase = FCGI_BETWEEN;
    return FCGI_FILTER_END;
}

/* Judge the header of a record of the request at hand. */
static enum fcgi_filter_result
filter_request_record(struct fcgi_filter *filter, struct fcgi_filter_io *io)
{
    uint8_t type = filter->held[1];

    if (type == FCGI_TYPE_ABORT_REQUEST)
        return FCGI_FILTER_ABORTED;
    if (filter->phase == FCGI_IN_PARAMS && type == FCGI_TYPE_PARAMS)
        return filter_params(filter, io);
    if (filter->phase != FCGI_IN_STDIN || type != FCGI_TYPE_STDIN)
        return FCGI_FILTER_INVALID;
    filter_pass_held(filter, io);
    if (filter->content_left > 0)
        return FCGI_FILTER_MORE;
    filter->phase = FCGI_BETWEEN;
    return FCGI_FILTER_END;
}

/* Judge a record whose header, or whose whole, is held. Unless it passes, its
 * content is dropped. */
static enum fcgi_filter_result
filter_judge(struct fcgi_filter *filter, struct fcgi_filter_io *io)
{
    uint8_t type = filter->held[1];
    unsigned id = record_id(filter);

    if (type == FCGI_TYPE_BEGIN_REQUEST)
        return filter_begin(filter, io);
    if (id == 0 && type == FCGI_TYPE_GET_VALUES)
        fcgi_answer_get_values(io->answers, record_held_content(filter));
    else if (id == 0)
        fcgi_answer_unknown_type(io->answers, type);
    else if (filter->phase != FCGI_BETWEEN && id == filter->id)
        return filter_request_record(filter, io);
    return FCGI_FILTER_MORE;
}

/* Read the header that is held; false: the connection cannot be used. */
static bool
filter_read_header(struct fcgi_filter *filter)
{
    const uint8_t *header = filter->held;
    size_t room = sizeof(filter->held) - FCGI_HEADER_LEN;
    size_t len = (size_t)header[4] << 8 | header[5];

    if (header[0] != 1) /* the only version */
        return false;
    if (header[1] == FCGI_TYPE_BEGIN_REQUEST &&
        (record_id(filter) == 0 || len != BEGIN_REQUEST_LEN))
        return false;
    filter->padding_left = header[6];
    filter->passes = false;
    filter->held_size = FCGI_HEADER_LEN;
    if (header[1] == FCGI_TYPE_BEGIN_REQUEST)
        filter->held_size += BEGIN_REQUEST_LEN;
    else if (header[1] == FCGI_TYPE_GET_VALUES && record_id(filter) == 0)
        filter->held_size += len < room ? len : room;
    filter->content_left = len - (filter->held_size - FCGI_HEADER_LEN);
    return true;
}

/* Move input into `held` until there are `size` bytes. */
static bool
filter_hold(struct fcgi_filter *filter, struct fcgi_filter_io *io, size_t size)
{
    size_t some = size - filter->held_len;

    some = io->in_len < some ? io->in_len : some;
    memcpy(filter->held + filter->held_len, io->in, some);
    filter->held_len += some;
    io->in += some;
    io->in_len -= some;
    return filter->held_len == size;
}

/* Pass or drop some content of the record at hand, and drop its padding. */
static bool
filter_read_content(struct fcgi_filter *filter, struct fcgi_filter_io *io)
{
    size_t some =
        io->in_len < filter->content_left ? io->in_len : filter->content_left;

    if (filter->passes && filter->phase == FCGI_IN_PARAMS &&
        !pairs_parse(&filter->pairs, (struct pst_bytes){io->in, some}))
        return false;
    if (filter->passes)
        output_add(io, io->in, some);
    filter->content_left -= some;
    io->in += some;
    io->in_len -= some;
    some =
        io->in_len < filter->padding_left ? io->in_len : filter->padding_left;
    if (filter->content_left == 0) {
        filter->padding_left -= some;
        io->in += some;
        io->in_len -= some;
    }
    return true;
}

/* Read input up to the end of what is held, or of a record's content. */
static enum fcgi_filter_result
filter_step(struct fcgi_filter *filter, struct fcgi_filter_io *io)
{
    enum fcgi_filter_result result;

    if (filter->held_size == 0 &&
        (filter->content_left > 0 || filter->padding_left > 0))
        return filter_read_content(filter, io) ? FCGI_FILTER_MORE
                                               : FCGI_FILTER_INVALID;
    if (filter->held_size == 0) {
        if (!filter_hold(filter, io, FCGI_HEADER_LEN))
            return FCGI_FILTER_MORE;
        if (!filter_read_header(filter))
            return FCGI_FILTER_INVALID;
    }
    if (!filter_hold(filter, io, filter->held_size))
        return FCGI_FILTER_MORE;
    result = filter_judge(filter, io);
    filter->held_len = 0;
    filter->held_size = 0;
    return result;
}

enum fcgi_filter_result
fcgi_filter_run(struct fcgi_filter *filter, struct fcgi_filter_io *io)
{
    enum fcgi_filter_result result = FCGI_FILTER_MORE;
    struct pst_str answers;

    while (result == FCGI_FILTER_MORE && io->in_len > 0)
        result = filter_step(filter, io);
    if (pst_buf_finish(io->answers, &answers) != PST_OK)
        return FCGI_FILTER_INVALID; /* more questions than anybody asks */
    return result;
}

bool
fcgi_filter_is_idle(const struct fcgi_filter *filter)
{
    return filter->phase == FCGI_BETWEEN && filter->held_len == 0;
}

bool
fcgi_filter_is_abort(const struct fcgi_filter *filter, struct pst_bytes rest)
{
    const uint8_t wanted[FCGI_HEADER_LEN - 1] = {1, FCGI_TYPE_ABORT_REQUEST,
                                                 (uint8_t)(filter->id >> 8),
                                                 (uint8_t)filter->id};

    return filter->content_left == 0 &&
           rest.len >= filter->padding_left + FCGI_HEADER_LEN &&
           memcmp(rest.ptr + filter->padding_left, wanted, sizeof(wanted)) == 0;
}

void
fcgi_filter_end_request(struct fcgi_filter *filter)
{
    filter->phase = FCGI_BETWEEN;
    filter->passes = false;
}

void
fcgi_filter_answer_abort(const struct fcgi_filter *filter,
                         struct pst_buf *answers)
{
    fcgi_answer_end_request(answers, filter->id, FCGI_STATUS_COMPLETE);
}

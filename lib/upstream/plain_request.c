/* SPDX-License-Identifier: ISC */
/*
 * plain_request.c - write and send the request of an exchange without TLS.
 */
#include "upstream/plain_request.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/buffer.h"
#include "http/message.h"
#include "upstream/plain_response.h"

#define HEAD_MAX ((size_t)128 * 1024) /* bytes; the arena is the limit */
#define CHUNK_LINE_MAX 20             /* "4000\r\n" */

/* The head. */

static char *
append(char *to, struct pst_str text)
{
    memcpy(to, text.ptr, text.len);
    return to + text.len;
}

static enum pst_err
add_header(struct pst_buf *buf, const struct http_header *header)
{
    struct pst_str value = pst_str_trim(header->value);
    struct pst_str separator = value.len > 0 ? PST_STR(": ") : PST_STR(":");
    char *to;

    if (!message_may_send(header->name, value))
        return PST_MALFORMED;
    to = pst_buf_reserve(buf, header->name.len + separator.len + value.len + 2);
    if (to)
        append(append(append(append(to, header->name), separator), value),
               PST_STR("\r\n"));
    return PST_OK;
}

static void
add_framing(struct pst_buf *buf, const struct http_exchange *exchange)
{
    if (exchange->body_length < 0) {
        pst_buf_add_string(buf, "Transfer-Encoding: chunked\r\n");
        return;
    }
    pst_buf_add_string(buf, "Content-Length: ");
    pst_buf_add_number(buf, exchange->body_length);
    pst_buf_add_string(buf, "\r\n");
}

static enum pst_err
write_head(struct plain_exchange *x, struct pst_buf *buf)
{
    const struct http_exchange *exchange = x->exchange;
    enum pst_err e;

    pst_buf_add(buf, exchange->method);
    pst_buf_add_char(buf, ' ');
    e = message_add_url(buf, x->target->path, exchange->query);
    pst_buf_add_string(buf, " HTTP/1.1\r\nHost: ");
    pst_buf_add_string(buf, x->target->authority);
    pst_buf_add_string(buf, "\r\n");
    for (size_t i = 0; i < exchange->header_count && !e; i++)
        e = add_header(buf, &exchange->headers[i]);
    if (!x->request.is_get)
        add_framing(buf, exchange);
    pst_buf_add_string(buf, "\r\n");
    return e;
}

enum pst_err
plain_request_init(struct plain_exchange *x)
{
    const struct http_exchange *exchange = x->exchange;
    struct pst_buf buf;
    enum pst_err e;

    x->request.is_get = pst_str_equal(exchange->method, PST_STR("GET"));
    if (!x->request.is_get && !pst_str_equal(exchange->method, PST_STR("POST")))
        return plain_fail_callback(x, PST_BAD_METHOD);
    pst_buf_init_arena(&buf, x->arena, HEAD_MAX);
    e = write_head(x, &buf);
    if (!e)
        e = pst_buf_finish(&buf, &x->request.head);
    return plain_fail_callback(x, e == PST_TOO_LARGE ? PST_NO_MEMORY : e);
}

/* Sending. */

/* The connection does not take more: wait until it does, or until there is a
 * response. What has come already would not end the wait. */
static enum pst_err
wait_to_write(struct plain_exchange *x)
{
    enum pst_err e = plain_check_response(x);
    int error;

    if (e || x->has_head)
        return e;
    plain_begin_phase(x, PLAIN_SENDING);
    error = wait_for(x->connection->socket, POLLIN | POLLOUT, &x->limit);
    return error ? plain_fail_errno(x, error) : PST_OK;
}

/* Is no more of the request to be sent? */
static bool
is_ended_early(const struct plain_exchange *x)
{
    return x->has_head || x->is_cut;
}

/*
 * Write all pieces, unless there is a response before. When the backend has
 * closed the connection, it may have sent one that explains why.
 */
static enum pst_err
write_pieces(struct plain_exchange *x, struct iovec *pieces, int count)
{
    bool is_left = wait_advance(pieces, count, 0);
    enum pst_err e = PST_OK;

    while (is_left && !e && !is_ended_early(x)) {
        ssize_t put = writev(x->connection->socket, pieces, count);

        if (put >= 0) {
            x->has_sent = x->has_sent || put > 0;
            is_left = wait_advance(pieces, count, (size_t)put);
        } else if (errno == EAGAIN) {
            e = wait_to_write(x);
        } else if (errno == EPIPE || errno == ECONNRESET) {
            x->is_cut = true;
        } else if (errno != EINTR) {
            e = plain_fail_errno(x, errno);
        }
    }
    return e;
}

static struct iovec
make_piece(struct pst_str text)
{
    /* writev() does not change what it writes. */
    union {
        const char *from;
        char *to;
    } bytes = {.from = text.ptr};

    return (struct iovec){bytes.to, text.len};
}

/* Read the next piece of the body. At its end, piece_len is 0 and is_last. */
static enum pst_err
read_piece(struct plain_exchange *x)
{
    const struct http_exchange *exchange = x->exchange;
    struct plain_request *request = &x->request;
    bool has_length = exchange->body_length >= 0;
    int64_t left = exchange->body_length - request->body_read;
    size_t size = PLAIN_PIECE_MAX;
    int64_t begun = plain_callback_begin(x);
    enum pst_err e;

    if (has_length && (uint64_t)left < size)
        size = (size_t)left;
    request->piece_len = 0;
    e = exchange->read(exchange->context, request->piece, size,
                       &request->piece_len);
    plain_callback_end(x, begun);
    if (!e && request->piece_len == 0 && has_length)
        e = PST_MALFORMED;
    if (e)
        return plain_fail_callback(x, e);
    PST_REQUIRE(request->piece_len <= size);
    request->body_read += (int64_t)request->piece_len;
    request->is_last = has_length ? request->body_read == exchange->body_length
                                  : request->piece_len == 0;
    return PST_OK;
}

/* Send the piece that was read, and the head before the first one. */
static enum pst_err
write_piece(struct plain_exchange *x)
{
    struct plain_request *request = &x->request;
    bool is_chunked = x->exchange->body_length < 0;
    char line[CHUNK_LINE_MAX] = "";
    struct iovec pieces[] = {
        make_piece(x->has_sent ? PST_STR("") : request->head),
        {line, 0},
        {request->piece, request->piece_len},
        make_piece(is_chunked ? PST_STR("\r\n") : PST_STR("")),
    };

    if (is_chunked)
        pieces[1].iov_len =
            (size_t)snprintf(line, sizeof(line), "%zx\r\n", request->piece_len);
    return write_pieces(x, pieces, PST_COUNT(pieces));
}

/* A body that is read in pieces. */
static enum pst_err
send_read_body(struct plain_exchange *x)
{
    struct plain_request *request = &x->request;
    enum pst_err e = PST_OK;

    if (!request->piece)
        request->piece = pst_arena_alloc(x->arena, PLAIN_PIECE_MAX);
    if (!request->piece)
        return plain_fail_callback(x, PST_NO_MEMORY);
    while (!e && !is_ended_early(x) && !request->is_last) {
        e = read_piece(x);
        if (!e && x->has_sent)
            e = plain_check_response(x);
        if (!e && !is_ended_early(x))
            e = write_piece(x);
    }
    return e;
}

bool
plain_has_body_in_memory(const struct plain_exchange *x)
{
    return x->request.is_get || x->exchange->body_length == 0 ||
           !pst_str_is_absent(x->exchange->whole_body);
}

enum pst_err
plain_send(struct plain_exchange *x, bool *is_whole)
{
    struct iovec pieces[] = {make_piece(x->request.head),
                             make_piece(x->exchange->whole_body)};
    enum pst_err e;

    x->phase = PLAIN_SENDING; /* its deadline is set when it must wait */
    if (x->request.is_get || x->exchange->body_length == 0)
        pieces[1].iov_len = 0;
    e = plain_has_body_in_memory(x) ? write_pieces(x, pieces, PST_COUNT(pieces))
                                    : send_read_body(x);
    *is_whole = !is_ended_early(x);
    return e;
}

/* SPDX-License-Identifier: ISC */
/*
 * fcgi_connection.c - one connection from a web server: its bytes, checked by
 * the filter, and the deadlines of reading and writing.
 */
#include "engine/fcgi_connection.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/crypto.h"
#include "engine/wait.h"

#define READ_SIZE ((size_t)8192)
#define WRITE_TIMEOUT_MS 60000 /* for a web server that does not read */
#define LINGER_MS 2000

/* Between the part of an answer that was sent and closing the connection. */
#define CUT_DELAY_MS 100

/* Pieces of a request that are read when there is no memory for it. */
#define PIECES_DISCARDED_MAX 256

/* The answer then. */
static const char refusal[] =
    "Status: 503 Service Unavailable\r\n"
    "Retry-After: 1\r\n"
    "Cache-Control: no-store\r\n"
    "Content-Type: application/json; charset=utf-8\r\n\r\n"
    "{\"errors\":[{\"message\":\"too busy, please try again\","
    "\"extensions\":{\"code\":\"OVERLOADED\"}}]}";

static_assert(sizeof(refusal) - 1 <= FCGI_ANSWER_TEXT_MAX, "it fits");

/* Bytes that were read, and what the filter has made of them. */
struct fcgi_input {
    uint8_t bytes[FCGI_FILTER_RESERVE + READ_SIZE];
    const uint8_t *out; /* for libfcgi */
    size_t out_len;
    const uint8_t *rest; /* not yet filtered */
    size_t rest_len;
    size_t used; /* bytes that have been written to */
};

/*
 * The input of most connections: most requests arrive whole, and so their input
 * is not needed any more when another connection's turn comes.
 */
static _Thread_local struct {
    struct fcgi_input input;
    bool is_used;
} spare;

void
fcgi_connection_set_no_delay(int descriptor, const struct sockaddr *peer)
{
    const int on = 1;

    if (peer->sa_family != AF_UNIX)
        (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static struct fcgi_input *
connection_input(struct fcgi_connection *connection)
{
    struct fcgi_input *input = connection->input;

    if (input)
        return input;
    if (spare.is_used) {
        input = malloc(sizeof(*input));
    } else {
        input = &spare.input;
        spare.is_used = true;
    }
    if (input) {
        input->out_len = 0;
        input->rest_len = 0;
        input->used = 0;
    }
    connection->input = input;
    return input;
}

/* Wipe and free the input, which may hold cookies. */
static void
connection_free_input(struct fcgi_connection *connection)
{
    struct fcgi_input *input = connection->input;

    if (!input)
        return;
    pst_crypto_wipe(input->bytes, input->used);
    if (input == &spare.input)
        spare.is_used = false;
    else
        free(input);
    connection->input = NULL;
}

/* Read from the socket into the input, behind the filter's reserve. */
static int
connection_receive(struct fcgi_connection *connection)
{
    struct fcgi_input *input = connection->input;
    bool is_body = connection->head_deadline == 0;
    int64_t begun = is_body ? wait_now() : 0;
    struct wait_limit limit = {.deadline = connection->head_deadline,
                               .client = -1};
    int error;

    if (is_body)
        limit.deadline = begun + connection->body_wait_ms;
    error =
        wait_read(connection->descriptor, input->bytes + FCGI_FILTER_RESERVE,
                  READ_SIZE, &limit, &input->rest_len);
    if (is_body)
        connection->body_wait_ms -= wait_now() - begun;
    if (error)
        return error;
    input->rest = input->bytes + FCGI_FILTER_RESERVE;
    if (input->used < FCGI_FILTER_RESERVE + input->rest_len)
        input->used = FCGI_FILTER_RESERVE + input->rest_len;
    return input->rest_len > 0 ? 0 : ECONNRESET;
}

/* Let the filter judge what has been read, and send its answers. */
static int
connection_filter(struct fcgi_connection *connection)
{
    struct fcgi_input *input = connection->input;
    char answers[FCGI_ANSWERS_MAX];
    struct pst_buf buf;
    struct fcgi_filter_io io = {.in = input->rest,
                                .in_len = input->rest_len,
                                .out = input->bytes,
                                .answers = &buf};
    enum fcgi_filter_result result;
    int error = 0;

    pst_buf_init(&buf, answers, sizeof(answers));
    result = fcgi_filter_run(&connection->filter, &io);
    if (result == FCGI_FILTER_END &&
        fcgi_filter_is_abort(&connection->filter,
                             (struct pst_bytes){io.in, io.in_len}))
        result = FCGI_FILTER_ABORTED; /* the record itself is a late one now */
    input->out = input->bytes;
    input->out_len = (size_t)(io.out - input->bytes);
    input->rest = io.in;
    input->rest_len = io.in_len;
    if (result == FCGI_FILTER_INVALID)
        return EPROTO;
    if (buf.len > 0)
        error = fcgi_connection_write(connection, answers, buf.len);
    if (error || result != FCGI_FILTER_ABORTED)
        return error;
    connection->is_aborted = true;
    return ECONNABORTED;
}

int
fcgi_connection_fill(struct fcgi_connection *connection)
{
    struct fcgi_input *input = connection_input(connection);
    int error = input ? 0 : ENOMEM;

    while (!error && input->out_len == 0) {
        if (input->rest_len > 0) {
            /* The filter's output must not overtake its input. */
            memmove(input->bytes + FCGI_FILTER_RESERVE, input->rest,
                    input->rest_len);
            input->rest = input->bytes + FCGI_FILTER_RESERVE;
        } else {
            error = connection_receive(connection);
        }
        if (!error)
            error = connection_filter(connection);
        if (!error && input->out_len == 0 && input->rest_len == 0 &&
            fcgi_filter_is_idle(&connection->filter))
            error = EAGAIN;
    }
    if (error == EAGAIN)
        connection_free_input(connection);
    return error;
}

int
fcgi_connection_read(struct fcgi_connection *connection, char *out, size_t size,
                     size_t *len)
{
    struct fcgi_input *input = connection->input;
    int error = 0;

    *len = 0;
    if (!input || input->out_len == 0) {
        if (connection->filter.phase == FCGI_BETWEEN)
            return 0;
        error = fcgi_connection_fill(connection);
        input = connection->input;
    }
    if (error)
        return error == EAGAIN ? EPROTO : error;
    *len = input->out_len < size ? input->out_len : size;
    memcpy(out, input->out, *len);
    input->out += *len;
    input->out_len -= *len;
    if (input->out_len == 0 && input->rest_len == 0)
        connection_free_input(connection);
    return 0;
}

/* Wait until the rest of what was to be written is. */
static int
connection_write_rest(const struct fcgi_connection *connection, char *bytes,
                      size_t len)
{
    const struct wait_limit limit = {.deadline = wait_now() + WRITE_TIMEOUT_MS,
                                     .client = -1};
    struct iovec piece = {bytes, len};

    return wait_write(connection->descriptor, &piece, 1, &limit);
}

/* Most answers fit the socket's buffer, and so need no deadline. */
int
fcgi_connection_write(struct fcgi_connection *connection, char *bytes,
                      size_t len)
{
    ssize_t put = write(connection->descriptor, bytes, len);
    size_t done = put > 0 ? (size_t)put : 0;
    int error = 0;

    connection->has_written = true;
    if (done < len)
        error = connection_write_rest(connection, bytes + done, len - done);
    if (error)
        connection->is_broken = true;
    return error;
}

/* Let the web server read, and pass on, what was written so far. */
static void
connection_wait_for_reader(const struct fcgi_connection *connection)
{
    const struct wait_limit limit = {.deadline = clock_ms() + CUT_DELAY_MS,
                                     .client = connection->descriptor};

    (void)!wait_until(&limit);
}

/*
 * The end of the connection is not enough: nginx without buffering takes it for
 * the end of the answer, and so ends a chunked one in order. To nginx a record
 * of a type that does not exist is an error; the others skip it. What nginx
 * reads together with this record does not reach the client, and a client that
 * gets nothing on a kept connection sends its request again: hence the first
 * delay. lighttpd takes the part for the whole if it reads the last bytes and
 * the end of the connection together: hence the second.
 */
void
fcgi_connection_cut(struct fcgi_connection *connection, unsigned id)
{
    char record[FCGI_HEADER_LEN];
    struct pst_buf buf;

    pst_buf_init(&buf, record, sizeof(record));
    fcgi_answer_invalid(&buf, id);
    if (connection->has_written && !connection->is_broken) {
        connection_wait_for_reader(connection);
        (void)!fcgi_connection_write(connection, record, buf.len);
    }
    connection_wait_for_reader(connection);
    shutdown(connection->descriptor, SHUT_RDWR);
    fcgi_connection_close(connection, false);
}

int
fcgi_connection_answer_abort(struct fcgi_connection *connection)
{
    char answer[FCGI_ANSWERS_MAX];
    struct pst_buf buf;

    pst_buf_init(&buf, answer, sizeof(answer));
    fcgi_filter_answer_abort(&connection->filter, &buf);
    fcgi_connection_end_request(connection);
    return fcgi_connection_write(connection, answer, buf.len);
}

bool
fcgi_connection_is_drained(const struct fcgi_connection *connection)
{
    return connection->filter.phase == FCGI_BETWEEN;
}

void
fcgi_connection_end_request(struct fcgi_connection *connection)
{
    fcgi_filter_end_request(&connection->filter);
    if (connection->input)
        connection->input->out_len = 0;
    if (!fcgi_connection_has_more(connection))
        connection_free_input(connection);
}

bool
fcgi_connection_has_arrived(const struct fcgi_connection *connection)
{
    char byte;

    return recv(connection->descriptor, &byte, 1, MSG_PEEK) > 0;
}

bool
fcgi_connection_take_abort(struct fcgi_connection *connection)
{
    uint8_t header[FCGI_HEADER_LEN];

    if (connection->input || !fcgi_filter_is_idle(&connection->filter) ||
        recv(connection->descriptor, header, sizeof(header), MSG_PEEK) !=
            (ssize_t)sizeof(header) ||
        !fcgi_filter_is_abort(&connection->filter,
                              (struct pst_bytes){header, sizeof(header)}))
        return false;
    connection->is_aborted = recv(connection->descriptor, header,
                                  sizeof(header), 0) == (ssize_t)sizeof(header);
    return connection->is_aborted;
}

/* What has arrived is read and discarded: unread, it would make close(2) reset
 * the connection, and the web server could lose the answer. */
void
fcgi_connection_refuse(struct fcgi_connection *connection)
{
    static const struct pst_str text = {refusal, sizeof(refusal) - 1};
    uint8_t bytes[1024];
    char answer[FCGI_ANSWERS_MAX];
    struct pst_buf buf;
    ssize_t got = recv(connection->descriptor, bytes, sizeof(bytes), 0);

    pst_buf_init(&buf, answer, sizeof(answer));
    if (got >= FCGI_HEADER_LEN && fcgi_answer_at_once(&buf, bytes, text)) {
        for (size_t i = 0; got > 0 && i < PIECES_DISCARDED_MAX; i++)
            got = recv(connection->descriptor, bytes, sizeof(bytes), 0);
        (void)!write(connection->descriptor, answer, buf.len);
    }
    pst_crypto_wipe(bytes, sizeof(bytes));
    fcgi_connection_close(connection, false);
}

bool
fcgi_connection_has_more(const struct fcgi_connection *connection)
{
    return connection->input && connection->input->rest_len > 0;
}

void
fcgi_connection_close(struct fcgi_connection *connection, bool lingers)
{
    connection_free_input(connection);
    if (lingers)
        descriptor_close_lingering(connection->descriptor);
    else
        wait_close(connection->descriptor);
    connection->descriptor = -1;
}

void
descriptor_close_lingering(int descriptor)
{
    const struct wait_limit limit = {.deadline = clock_ms() + LINGER_MS,
                                     .client = -1};
    char discarded[1024];
    size_t len = 1;

    shutdown(descriptor, SHUT_WR);
    while (len > 0 && clock_ms() < limit.deadline)
        if (wait_read(descriptor, discarded, sizeof(discarded), &limit, &len))
            break;
    wait_close(descriptor);
}

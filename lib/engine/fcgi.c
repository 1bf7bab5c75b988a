/* SPDX-License-Identifier: ISC */
/*
 * fcgi.c - serve the requests of one FastCGI connection with libfcgi, which
 * reaches its sockets through us.
 *
 * libfcgi calls the operating system through fcgios.h, of which it has a port
 * for Unix and one for Windows. The functions OS_… below are a third port: they
 * wait in the fiber of the connection, and every record is checked before
 * libfcgi sees it (engine/fcgi_filter.h). They replace the others when the
 * program is linked; fcgi_init() finds out whether they did. In a shared
 * libfcgi that was linked with -Bsymbolic-functions or hidden symbols they do
 * not.
 */
#include "engine/fcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcgios.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "engine/wait.h"

/* Bytes that libfcgi allocates for most requests, and some more. */
#define LIBFCGI_SIZE ((size_t)32 * 1024)

#define FCGI_ROLE_AUTHORIZER 2 /* FastCGI 1.0 section 5.1 */

#define WRITE_MAX (1 << 20)   /* bytes passed to libfcgi at a time */
#define HEAD_TIMEOUT_MS 10000 /* for a request's head, once it has begun */

static bool is_replaced; /* libfcgi has called our OS_LibInit() */

/* The connection whose fiber this is. */
static struct fcgi_connection *
current_connection(int descriptor)
{
    struct fcgi_connection *connection = fiber_argument(fiber_current());

    PST_REQUIRE(connection->descriptor == descriptor);
    return connection;
}

/* A shared libfcgi finds them only if they are visible. */
#pragma GCC visibility push(default)

int
OS_LibInit(int stdio_descriptors[3])
{
    (void)stdio_descriptors;
    is_replaced = true;
    return 0;
}

int
OS_IsFcgi(int descriptor)
{
    (void)descriptor;
    return 1;
}

int
OS_CreateLocalIpcFd(const char *path, int backlog)
{
    (void)path;
    (void)backlog;
    errno = ENOTSUP;
    return -1;
}

void
OS_ShutdownPending(void)
{
}

/* Connections are accepted by engine/server_loop.c. libfcgi comes here when one
 * has failed, and takes the number in errno for the reason: 0 would be none. */
int
OS_Accept(int socket, int fails_on_interrupt, const char *addresses)
{
    (void)socket;
    (void)fails_on_interrupt;
    (void)addresses;
    errno = ECONNABORTED;
    return -1;
}

/* Connections are closed by fcgi_serve_connection(). */
int
OS_IpcClose(int descriptor, int shuts_down)
{
    (void)descriptor;
    (void)shuts_down;
    return 0;
}

/* errno is set last, and is never 0 with -1: libfcgi would take a body that was
 * cut off for a whole one. */
int
OS_Read(int descriptor, char *out, size_t size)
{
    struct fcgi_connection *connection = current_connection(descriptor);
    size_t len = 0;
    int error = fcgi_connection_read(connection, out, size, &len);

    if (error) {
        errno = error;
        return -1;
    }
    connection->read_buffer = out;
    if (connection->read_len < len)
        connection->read_len = len;
    return (int)len;
}

/* Never returns 0: libfcgi would try again for ever. The bytes are wiped, sent
 * or not: they may hold a new token. libfcgi calls again when it closes a
 * stream on which writing has failed; then nothing is sent. */
int
OS_Write(int descriptor, char *bytes, size_t len)
{
    struct fcgi_connection *connection = current_connection(descriptor);
    int error = connection->is_broken
                    ? EPIPE
                    : fcgi_connection_write(connection, bytes, len);

    pst_crypto_wipe(bytes, len);
    if (error) {
        errno = error;
        return -1;
    }
    return (int)len;
}

#pragma GCC visibility pop

/*
 * Read what has arrived of the body, at least one byte. FCGX_GetStr() alone
 * would wait for `size` bytes, and so delay what a slow client sends.
 */
static enum pst_err
fcgi_read(void *context, char *out, size_t size, size_t *len)
{
    FCGX_Stream *in = context;
    size_t more;
    int first;
    int got;

    PST_REQUIRE(size > 0);
    first = FCGX_GetChar(in);
    more = size - 1;
    if (first < 0 && FCGX_GetError(in) == ETIMEDOUT)
        return PST_BODY_LATE;
    if (first < 0 && FCGX_GetError(in) != 0)
        return PST_CLIENT_GONE;
    if (first < 0) {
        *len = 0;
        return PST_OK;
    }
    out[0] = (char)first;
    if (more > (size_t)(in->stop - in->rdNext))
        more = (size_t)(in->stop - in->rdNext);
    got = more > 0 ? FCGX_GetStr(out + 1, (int)more, in) : 0;
    *len = 1 + (size_t)got;
    return PST_OK;
}

/* Send what is left, the end of the stream and END_REQUEST, which libfcgi
 * writes together. The stream `in` is not freed before: without it, libfcgi
 * writes no END_REQUEST. */
static enum pst_err
fcgi_finish_answer(void *context)
{
    const FCGX_Request *fcgi = context;
    int err = FCGX_FClose(fcgi->err);
    int out = FCGX_FClose(fcgi->out);

    return err == 0 && out == 0 ? PST_OK : PST_CLIENT_GONE;
}

/* The context of a sink is the request: its streams are found there. */
static FCGX_Stream *
fcgi_out(void *context)
{
    return ((const FCGX_Request *)context)->out;
}

static enum pst_err
fcgi_write(void *context, struct pst_str piece)
{
    FCGX_Stream *out = fcgi_out(context);

    while (piece.len > 0) {
        int some = piece.len > WRITE_MAX ? WRITE_MAX : (int)piece.len;

        if (FCGX_PutStr(piece.ptr, some, out) != some)
            return PST_CLIENT_GONE;
        piece = pst_str_skip(piece, (size_t)some);
    }
    return PST_OK;
}

static enum pst_err
fcgi_flush(void *context)
{
    return FCGX_FFlush(fcgi_out(context)) == 0 ? PST_OK : PST_CLIENT_GONE;
}

/* Until libfcgi first writes, the answer is in its buffer only. */
static bool
fcgi_discard(void *context)
{
    const FCGX_Request *fcgi = context;
    struct fcgi_connection *connection = current_connection(fcgi->ipcFd);

    if (connection->has_written)
        return false;
    pst_crypto_wipe(connection->answer_start,
                    (size_t)(fcgi->out->wrNext - connection->answer_start));
    fcgi->out->wrNext = connection->answer_start;
    return true;
}

static bool
fcgi_handle(const struct fcgi_service *service, FCGX_Request *fcgi)
{
    const struct request_input input = {
        .variables = (const char *const *)fcgi->envp,
        .source = {fcgi_read, fcgi->in, fcgi->ipcFd},
        .authorizer = fcgi->role == FCGI_ROLE_AUTHORIZER,
        .is_overloaded = !service->begin_request(service->context),
    };
    const struct response_sink sink = {fcgi_write, fcgi_flush, fcgi,
                                       fcgi_finish_answer, fcgi_discard};
    bool is_whole = service->handler->handle(service->state, &input, &sink);

    if (!input.is_overloaded)
        service->end_request(service->context);
    return is_whole;
}

/* Wipe what libfcgi has of a request, which it would only free: variables such
 * as the cookies, and its buffer, with a password perhaps. */
static void
fcgi_wipe(const FCGX_Request *fcgi, struct fcgi_connection *connection)
{
    for (char **variable = fcgi->envp; *variable; variable++)
        pst_crypto_wipe(*variable, strlen(*variable));
    pst_crypto_wipe(connection->read_buffer, connection->read_len);
}

/*
 * Let libfcgi read a request's head. False: it could not. keepConnection must
 * be set, or else FCGX_Accept_r() closes a connection that it has not accepted
 * itself. The listening socket is -1, so that it cannot accept another one
 * either.
 */
static bool
fcgi_accept(FCGX_Request *fcgi, struct fcgi_connection *connection)
{
    connection->read_len = 0;
    FCGX_InitRequest(fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR);
    fcgi->ipcFd = connection->descriptor;
    fcgi->keepConnection = 1;
    if (FCGX_Accept_r(fcgi) != 0)
        return false;
    if (FCGX_GetError(fcgi->in) == 0)
        return true;
    fcgi_wipe(fcgi, connection);
    FCGX_Free(fcgi, 0);
    return false;
}

/* End a request whose answer was cut off, without an END_REQUEST. */
static void
fcgi_abort(FCGX_Request *fcgi, struct fcgi_connection *connection)
{
    bool was_broken = connection->is_broken;
    unsigned id = (unsigned)fcgi->requestId;

    fcgi_wipe(fcgi, connection);
    connection->is_broken = true; /* what was not sent is wiped instead */
    (void)FCGX_FFlush(fcgi->out);
    FCGX_Free(fcgi, 0);
    connection->is_broken = was_broken;
    fcgi_connection_cut(connection, id);
}

/*
 * Finish a request whose answer is complete, or one that the web server has
 * aborted. A body that was not read to its end does not hold up the
 * END_REQUEST: what still comes of it is dropped.
 * Returns whether the connection stays open.
 */
static bool
fcgi_finish(FCGX_Request *fcgi, struct fcgi_connection *connection)
{
    bool is_drained = fcgi_connection_is_drained(connection);
    bool is_kept = fcgi->keepConnection != 0;

    fcgi->keepConnection = 1; /* libfcgi must not close it */
    fcgi_wipe(fcgi, connection);
    FCGX_Finish_r(fcgi);
    if (connection->is_broken || !is_kept) {
        fcgi_connection_close(connection,
                              !connection->is_broken && !is_drained);
        return false;
    }
    fcgi_connection_end_request(connection);
    return true;
}

/* End a request that was aborted in its head. Returns whether the connection
 * stays open. */
static bool
fcgi_answer_abort(struct fcgi_connection *connection)
{
    if (fcgi_connection_answer_abort(connection) == 0)
        return true;
    fcgi_connection_close(connection, false);
    return false;
}

static bool
fcgi_serve_request(const struct fcgi_service *service,
                   struct fcgi_connection *connection)
{
    FCGX_Request fcgi;
    bool is_whole;

    if (!fcgi_accept(&fcgi, connection)) {
        if (connection->is_aborted)
            return fcgi_answer_abort(connection);
        LOG_EVENT(service->log, LEVEL_WARNING, "request-lost",
                  LOG_C_STRING("reason", "its variables are not valid, or did "
                                         "not come in time"));
        fcgi_connection_close(connection, false);
        return false;
    }
    connection->head_deadline = 0;
    connection->body_wait_ms = service->body_timeout_ms;
    connection->is_broken = connection->has_written = false;
    connection->answer_start = fcgi.out->wrNext;
    is_whole = fcgi_handle(service, &fcgi);
    if (is_whole || connection->is_aborted)
        return fcgi_finish(&fcgi, connection);
    fcgi_abort(&fcgi, connection);
    return false;
}

bool
fcgi_has_memory(void)
{
    /* Else a compiler may leave both calls out. */
    void *volatile memory = malloc(LIBFCGI_SIZE);
    bool is_there = memory != NULL;

    free(memory);
    return is_there;
}

bool
fcgi_serve_connection(const struct fcgi_service *service,
                      struct fcgi_connection *connection)
{
    int error = 0;

    do {
        connection->head_deadline = wait_now() + HEAD_TIMEOUT_MS;
        connection->is_aborted = false;
        loop_restore(loop_current(), connection->descriptor);
        error = fcgi_connection_fill(connection);
        if (error == ECONNABORTED)
            error = fcgi_connection_answer_abort(connection);
        else if (!error && !fcgi_serve_request(service, connection))
            return false;
    } while ((!error || error == EAGAIN) &&
             (fcgi_connection_has_more(connection) ||
              loop_has_input(loop_current(), connection->descriptor)));
    if (!error || error == EAGAIN)
        return true;
    LOG_EVENT(service->log, LEVEL_DEBUG, "connection-closed",
              LOG_C_STRING("reason", error == EPROTO
                                         ? "no valid FastCGI request arrived"
                                         : strerror(error)));
    fcgi_connection_close(connection, false);
    return false;
}

enum pst_err
fcgi_init(void)
{
    int code = FCGX_Init();

    signal(SIGPIPE, SIG_IGN);
    return code == 0 && is_replaced ? PST_OK : PST_INTERNAL;
}

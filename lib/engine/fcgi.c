/* SPDX-License-Identifier: ISC */
/*
 * fcgi.c - serve FastCGI requests with libfcgi, until a signal.
 *
 * libfcgi reads and writes the records of one request, on a connection that
 * the dispatcher has accepted.
 */
#include "engine/fcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "engine/connections.h"
#include "engine/dispatcher.h"
#include "engine/fcgi_record.h"

#define FCGI_ROLE_AUTHORIZER 2 /* FastCGI 1.0 section 5.1 */

#define WRITE_MAX (1 << 20)   /* bytes passed to libfcgi at a time */
#define HEAD_TIMEOUT_MS 10000 /* for a request's head, once it has begun */

/* For the rest of a body that the handler has not read. */
#define DRAIN_TIMEOUT_MS 2000

/* Between the part of an answer that was sent and closing the connection. */
#define ABORT_DELAY_MS 100

/* What all threads share. */
struct fcgi_server {
    const struct fcgi_options *options;
    const struct engine_handler *handler;
};

struct fcgi_thread {
    const struct fcgi_server *server;
    void *state; /* the handler's */
    struct fcgi_preread preread;
};

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

static enum pst_err
fcgi_write(void *context, struct pst_str piece)
{
    FCGX_Stream *out = context;

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
    return FCGX_FFlush(context) == 0 ? PST_OK : PST_CLIENT_GONE;
}

/*
 * Read and discard the rest of the body, so that the next request on this
 * connection begins at a record. A client must not hold the thread with it:
 * returns false when the body is too long or too slow, or the client is gone.
 */
static bool
fcgi_drain_body(FCGX_Stream *in)
{
    char piece[1024];
    int64_t left = PST_BUFFERED_BODY_MAX;
    int64_t deadline = 0;
    size_t len = 0;

    while (left > 0) {
        if (fcgi_read(in, piece, sizeof(piece), &len) != PST_OK)
            return false;
        if (len == 0)
            return true;
        left -= (int64_t)len;
        if (deadline == 0)
            deadline = clock_ms() + DRAIN_TIMEOUT_MS;
        if (clock_ms() >= deadline)
            return false;
    }
    return false;
}

static bool
fcgi_handle(const struct fcgi_thread *thread, const FCGX_Request *fcgi)
{
    const struct request_input input = {
        .variables = (const char *const *)fcgi->envp,
        .source = {fcgi_read, fcgi->in, fcgi->ipcFd},
        .authorizer = fcgi->role == FCGI_ROLE_AUTHORIZER,
    };
    const struct response_sink sink = {fcgi_write, fcgi_flush, fcgi->out};

    return thread->server->handler->handle(thread->state, &input, &sink);
}

/*
 * Let libfcgi read a request's head. False: it could not, and has closed the
 * connection. keepConnection must be set, or else FCGX_Accept_r() closes a
 * connection that it has not accepted itself. The listening socket is -1, so
 * that it cannot accept another one either.
 */
static bool
fcgi_accept(FCGX_Request *fcgi, int descriptor)
{
    FCGX_InitRequest(fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR);
    fcgi->ipcFd = descriptor;
    fcgi->keepConnection = 1;
    if (FCGX_Accept_r(fcgi) != 0)
        return false;
    if (FCGX_GetError(fcgi->in) == 0)
        return true;
    FCGX_Free(fcgi, 1);
    return false;
}

/*
 * Close a connection whose answer was cut off, without an END_REQUEST: the web
 * server must not take the part for the whole. lighttpd does so if it reads
 * the last bytes and the end of the connection together, hence the delay.
 */
static void
fcgi_abort(FCGX_Request *fcgi, int descriptor)
{
    struct pollfd peer = {.fd = descriptor, .events = POLLRDHUP};

    FCGX_Free(fcgi, 0);
    poll(&peer, 1, ABORT_DELAY_MS);
    shutdown(descriptor, SHUT_RDWR);
    close(descriptor);
}

/* Finish a request whose answer is complete. Returns whether the connection
 * stays open. */
static bool
fcgi_finish(FCGX_Request *fcgi, int descriptor)
{
    /* An authorizer's request may have no end of input to wait for. */
    bool is_drained =
        fcgi->role != FCGI_ROLE_AUTHORIZER && fcgi_drain_body(fcgi->in);
    bool is_kept = is_drained && fcgi->keepConnection;

    fcgi->keepConnection = 1; /* libfcgi must not close it */
    FCGX_Finish_r(fcgi);
    if (fcgi->ipcFd < 0)
        return false; /* writing failed, and libfcgi has closed it */
    if (is_kept)
        return true;
    if (is_drained)
        close(descriptor);
    else
        connection_close_lingering(descriptor);
    return false;
}

static bool
fcgi_serve_request(const struct fcgi_thread *thread, int descriptor)
{
    FCGX_Request fcgi;

    if (!fcgi_accept(&fcgi, descriptor)) {
        LOG_EVENT(thread->server->options->log, LEVEL_WARNING, "request-lost",
                  LOG_C_STRING("reason", "libfcgi could not read it"));
        return false;
    }
    if (fcgi_handle(thread, &fcgi))
        return fcgi_finish(&fcgi, descriptor);
    fcgi_abort(&fcgi, descriptor);
    return false;
}

/* Serve a connection that has bytes to read; false when it has been closed. */
static bool
fcgi_serve_connection(void *state, int descriptor)
{
    struct fcgi_thread *thread = state;
    enum fcgi_preread_result result =
        fcgi_preread_wait(&thread->preread, descriptor, HEAD_TIMEOUT_MS);

    if (result == FCGI_PREREAD_REQUEST)
        return fcgi_serve_request(thread, descriptor);
    if (result == FCGI_PREREAD_CLOSE) {
        LOG_EVENT(thread->server->options->log, LEVEL_DEBUG,
                  "connection-closed",
                  LOG_C_STRING("reason", "no valid FastCGI request arrived"));
        close(descriptor);
    }
    return result == FCGI_PREREAD_IDLE;
}

static void *
fcgi_thread_new(void *context)
{
    const struct fcgi_server *server = context;
    struct fcgi_thread *thread = calloc(1, sizeof(*thread));

    if (!thread) {
        LOG_EVENT(server->options->log, LEVEL_ERROR, "worker-failed",
                  LOG_C_STRING("error", pst_err_code(PST_NO_MEMORY)));
        return NULL;
    }
    thread->server = server;
    thread->state = server->handler->new_state(server->handler->context);
    if (!thread->state) {
        free(thread);
        return NULL;
    }
    return thread;
}

static void
fcgi_thread_free(void *state)
{
    struct fcgi_thread *thread = state;

    thread->server->handler->free_state(thread->state);
    free(thread);
}

/* Initialize libfcgi; false when that fails. */
static bool
fcgi_library_init(void)
{
    bool is_ready;

    /* libfcgi would wait for the web server to close a connection first, and
     * so hold the thread for up to two seconds. */
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
    is_ready = FCGX_Init() == 0;
    unsetenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT");
    signal(SIGPIPE, SIG_IGN); /* FCGX_Init() has set a handler of its own */
    return is_ready;
}

static void
fcgi_log_result(struct log *log, enum dispatcher_result result)
{
    const char *how = strerror(errno);

    if (result == DISPATCHER_DRAINED)
        how = "drained";
    else if (result == DISPATCHER_ABORTED)
        how = "aborted";
    LOG_EVENT(log, result == DISPATCHER_FAILED ? LEVEL_ERROR : LEVEL_INFO,
              "stopped", LOG_C_STRING("how", how));
}

int
fcgi_serve(const struct fcgi_options *options,
           const struct engine_handler *handler)
{
    struct fcgi_server server = {options, handler};
    const struct thread_pool_work work = {
        &server, fcgi_thread_new, fcgi_serve_connection, fcgi_thread_free};
    const struct dispatcher_options dispatcher = {
        .sockets = options->sockets,
        .peers = options->peers,
        .log = options->log,
        .workers = options->workers,
        .drain = options->drain,
        .work = &work,
        .on_hangup = handler->reload,
        .on_hangup_context = handler->context,
    };
    const struct listen_sockets *sockets = options->sockets;
    enum dispatcher_result result;

    if (!fcgi_library_init()) {
        listen_close(options->sockets);
        return EX_OSERR;
    }
    for (size_t i = 0; i < sockets->count; i++)
        LOG_EVENT(options->log, LEVEL_INFO, "listening",
                  LOG_C_STRING("socket", sockets->list[i].name));
    LOG_EVENT(options->log, LEVEL_INFO, "ready",
              LOG_C_STRING("socket", sockets->list[0].name),
              LOG_NUMBER("workers", options->workers));
    result = dispatcher_run(&dispatcher);
    fcgi_log_result(options->log, result);
    if (result == DISPATCHER_ABORTED)
        _exit(EX_OK); /* threads that hang still use what we would free */
    return result == DISPATCHER_FAILED ? EX_OSERR : EX_OK;
}

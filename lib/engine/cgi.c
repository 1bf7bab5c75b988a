/* SPDX-License-Identifier: ISC */
/*
 * cgi.c - serve one request as plain CGI (RFC 3875).
 */
#include "engine/cgi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio_ext.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/fcgi_connection.h"
#include "engine/server.h"
#include "engine/wait.h"

static enum pst_err
cgi_read(void *context, char *out, size_t size, size_t *len)
{
    int64_t *left_ms = context;
    int64_t begun = clock_ms();
    const struct wait_limit limit = {.deadline = begun + *left_ms,
                                     .client = -1};
    int error = wait_for(STDIN_FILENO, POLLIN, &limit);
    ssize_t got;

    *left_ms -= clock_ms() - begun;
    if (error)
        return error == ETIMEDOUT ? PST_BODY_LATE : PST_CLIENT_GONE;
    do
        got = read(STDIN_FILENO, out, size);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return PST_CLIENT_GONE;
    *len = (size_t)got;
    return PST_OK;
}

static enum pst_err
cgi_write(void *context, struct pst_str piece)
{
    size_t *written = context;

    *written += piece.len;
    if (fwrite(piece.ptr, 1, piece.len, stdout) != piece.len)
        return PST_CLIENT_GONE;
    return PST_OK;
}

static enum pst_err
cgi_flush(void *context)
{
    (void)context;
    return fflush(stdout) == 0 ? PST_OK : PST_CLIENT_GONE;
}

/* A web server may send SIGTERM as soon as it has the whole response, and the
 * log has still to be written. */
static enum pst_err
cgi_finish(void *context)
{
    server_block_signals();
    return cgi_flush(context);
}

static bool
cgi_discard(void *context)
{
    size_t *written = context;

    if (__fpending(stdout) != *written)
        return false;
    __fpurge(stdout);
    *written = 0;
    return true;
}

/*
 * The descriptor that reports a hang-up when the client goes: standard output,
 * if it is a pipe. If it is a socket, as under Apache's mod_cgid, there is
 * none: the web server half-closes the socket as soon as it has sent the
 * request, and ends us by a signal when the client goes.
 */
static int
cgi_client_descriptor(void)
{
    struct stat st;

    return fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode)
               ? STDOUT_FILENO
               : -1;
}

/* A body that was not read may make the web server lose the answer, if
 * standard input is the socket that the answer was written to. */
static void
cgi_close_input(void)
{
    struct stat st;

    if (fstat(STDIN_FILENO, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    (void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK); /* its reads may wait */
    descriptor_close_lingering(STDIN_FILENO);
}

int
cgi_serve(const struct engine_handler *handler, int64_t body_timeout_ms)
{
    const struct request_input input = {
        .variables = (const char *const *)environ,
        .source = {cgi_read, &body_timeout_ms, cgi_client_descriptor()},
    };
    size_t written = 0;
    const struct response_sink sink = {cgi_write, cgi_flush, &written,
                                       cgi_finish, cgi_discard};
    void *state = handler->new_state(handler->context);
    bool is_whole;

    if (!state)
        return EX_OSERR;
    is_whole = handler->handle(state, &input, &sink);
    handler->free_state(state);
    if (is_whole)
        cgi_close_input();
    return is_whole ? EX_OK : EX_IOERR;
}

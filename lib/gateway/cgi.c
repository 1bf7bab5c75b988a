/* SPDX-License-Identifier: ISC */
/*
 * cgi.c - one request on standard input and output (RFC 3875).
 */
#include "gateway/cgi.h"

#include <errno.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static enum pst_err
cgi_read(void *context, char *out, size_t size, size_t *len)
{
    ssize_t got;

    (void)context;
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
    if (fwrite(piece.ptr, 1, piece.len, context) != piece.len)
        return PST_CLIENT_GONE;
    return PST_OK;
}

static enum pst_err
cgi_flush(void *context)
{
    return fflush(context) == 0 ? PST_OK : PST_CLIENT_GONE;
}

/*
 * What hangs up when the client goes: the pipe that we write to. A socket,
 * which Apache's mod_cgid gives us, is half closed as soon as the request has
 * been sent; there it is a signal that ends us.
 */
static int
cgi_client_descriptor(void)
{
    struct stat st;

    return fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode)
               ? STDOUT_FILENO
               : -1;
}

/* Leaving such a socket unread would lose the answer on its way. */
static void
cgi_lingering_close(void)
{
    struct stat st;

    if (fstat(STDIN_FILENO, &st) == 0 && S_ISSOCK(st.st_mode))
        worker_lingering_close(STDIN_FILENO, false);
}

int
cgi_serve(struct task *task)
{
    const struct request_input origin = {
        .variables = (const char *const *)environ,
        .source = {cgi_read, NULL, cgi_client_descriptor()},
        .max_body = task->program.config->max_body,
        .max_held = task->program.config->max_held,
    };
    const struct response_sink sink = {cgi_write, cgi_flush, stdout};
    struct worker *worker = worker_begin(task);
    bool is_whole;

    if (!worker)
        return EX_OSERR;
    is_whole = worker_handle_request(worker, &origin, &sink);
    worker_end(worker);
    if (is_whole)
        cgi_lingering_close();
    return is_whole ? EX_OK : EX_IOERR;
}

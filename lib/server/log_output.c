/* SPDX-License-Identifier: ISC */
/*
 * log_output.c - the file, pipe or socket that log lines are written to,
 * without waiting for whoever reads it.
 */
#include "server/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_FLAGS (O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* Opening a FIFO for writing fails while nobody reads it. Opened for both, it
 * keeps what fits for a reader that comes later. */
static int
output_open_path(const char *path)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | OPEN_FLAGS, 0640);

    return descriptor < 0 && errno == ENXIO ? open(path, O_RDWR | OPEN_FLAGS)
                                            : descriptor;
}

/*
 * O_NONBLOCK of stderr itself would change it for all processes that share it.
 * Opened anew, a pipe, FIFO or terminal has flags of its own; a socket cannot
 * be opened, nor a pipe that another user has made.
 */
static void
output_open_stderr(struct log_output *output)
{
    struct stat st;
    bool may_block = fstat(STDERR_FILENO, &st) == 0 && !S_ISREG(st.st_mode);

    output->descriptor =
        may_block ? open("/proc/self/fd/2", O_WRONLY | OPEN_FLAGS) : -1;
    output->is_own = output->descriptor >= 0;
    if (output->is_own)
        return;
    output->descriptor = STDERR_FILENO;
    output->polls = may_block;
}

bool
log_output_open(struct log_output *output, const char *path)
{
    *output = (struct log_output){.is_own = true};
    if (path)
        output->descriptor = output_open_path(path);
    else
        output_open_stderr(output);
    return output->descriptor >= 0;
}

bool
log_output_open_socket(struct log_output *output, const char *path)
{
    *output = (struct log_output){
        .is_own = true, .is_socket = true, .address.sun_family = AF_UNIX};
    PST_REQUIRE(strlen(path) < sizeof(output->address.sun_path));
    memcpy(output->address.sun_path, path, strlen(path));
    output->descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return output->descriptor >= 0;
}

static const struct sockaddr *
output_address(const struct log_output *output)
{
    return (const struct sockaddr *)&output->address;
}

/* An output does not connect: it would stay with a daemon that has ended. */
bool
log_output_try_socket(const char *path)
{
    struct log_output output;
    bool is_read = log_output_open_socket(&output, path) &&
                   connect(output.descriptor, output_address(&output),
                           sizeof(output.address)) == 0;
    int reason = errno;

    log_output_close(&output);
    errno = reason;
    return is_read;
}

void
log_output_close(struct log_output *output)
{
    if (output->is_own && output->descriptor >= 0)
        close(output->descriptor);
}

bool
log_output_reopen(struct log_output *output, const char *path)
{
    int descriptor = output_open_path(path);
    /* In one step: other threads write meanwhile. */
    bool is_replaced =
        descriptor >= 0 && dup3(descriptor, output->descriptor, O_CLOEXEC) >= 0;

    if (descriptor >= 0)
        close(descriptor);
    return is_replaced;
}

static bool
output_has_room(const struct log_output *output)
{
    struct pollfd polled = {.fd = output->descriptor, .events = POLLOUT};

    return !output->polls ||
           (poll(&polled, 1, 0) == 1 && (polled.revents & POLLOUT) != 0);
}

static ssize_t
output_send(const struct log_output *output, struct pst_str line)
{
    return output->is_socket
               ? sendto(output->descriptor, line.ptr, line.len,
                        MSG_DONTWAIT | MSG_NOSIGNAL, output_address(output),
                        sizeof(output->address))
               : write(output->descriptor, line.ptr, line.len);
}

bool
log_output_write(struct log_output *output, struct pst_str line)
{
    ssize_t written = -1;

    if (output_has_room(output)) {
        do
            written = output_send(output, line);
        while (written < 0 && errno == EINTR);
    }
    if (written == (ssize_t)line.len)
        return true;
    if (written > 0)
        atomic_store(&output->is_cut, true);
    atomic_fetch_add(&output->lost_count, 1);
    return false;
}

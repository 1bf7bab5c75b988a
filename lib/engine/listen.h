/* SPDX-License-Identifier: ISC */
/*
 * listen.h - find or open the sockets that a program listens on: its own, some
 * passed by systemd, or descriptor 0.
 */
#ifndef POSTERN_ENGINE_LISTEN_H
#define POSTERN_ENGINE_LISTEN_H

#include <sys/socket.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/error.h"

#define LISTEN_SOCKETS_MAX 8
#define LISTEN_NAME_MAX 128  /* bytes, as in "unix:/run/postern/query.sock" */
#define LISTEN_ERROR_MAX 320 /* bytes of an error message, NUL included */

struct listen_socket {
    int descriptor;             /* non-blocking, close-on-exec */
    bool is_ours;               /* opened here: nobody else listens on it */
    char name[LISTEN_NAME_MAX]; /* its address, in the syntax of --listen */
    bool has_file;              /* a socket file to remove at the end ... */
    dev_t device;               /* ... if it is still this one */
    ino_t inode;
};

/* All sockets; count 0: the program was started as plain CGI. */
struct listen_sockets {
    struct listen_socket list[LISTEN_SOCKETS_MAX];
    size_t count;
};

/*
 * Find the sockets: at `address`, if given; else those that systemd has passed
 * (LISTEN_FDS with our LISTEN_PID; these variables are removed); else
 * descriptor 0, if it is a listening socket.
 *   out      set on PST_OK only; close with listen_close()
 *   address  the value of --listen, or NULL: "unix:/path", "host:port",
 *            "[2001:db8::1]:port"; with port 0 the system chooses one
 *   error    set to "subject: reason" unless PST_OK
 * A socket file that nobody listens on is replaced; the new one has mode 0660.
 * Changes the umask for a moment: call it before threads start. Returns PST_OK,
 * PST_MALFORMED (not an address), PST_BAD_CONFIG (cannot listen there).
 */
PST_MUST_USE enum pst_err listen_open(struct listen_sockets *out,
                                      const char *address,
                                      char error[static LISTEN_ERROR_MAX]);

/* Close all sockets, and remove the socket files that are still ours. */
void listen_close(struct listen_sockets *sockets);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * listen.h - the sockets a program listens on: inherited as descriptor 0,
 * passed by systemd, or our own.
 */
#ifndef POSTERN_ENGINE_LISTEN_H
#define POSTERN_ENGINE_LISTEN_H

#include <sys/socket.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

#define LISTEN_SOCKETS_MAX 8
#define LISTEN_NAME_MAX 128 /* bytes, as in "unix:/run/postern/query.sock" */
#define LISTEN_PEERS_MAX 64
#define LISTEN_ERROR_MAX 320 /* bytes of a complaint, NUL included */

struct listen_socket {
    int descriptor;             /* not blocking, closed on exec */
    bool is_ours;               /* made by us, nobody else listens on it */
    char name[LISTEN_NAME_MAX]; /* as --listen would spell it */
    bool has_file;              /* one that is ours to remove, and which: */
    dev_t device;
    ino_t inode;
};

/* All of them; none means plain CGI. */
struct listen_sockets {
    struct listen_socket list[LISTEN_SOCKETS_MAX];
    size_t count;
};

/* The peers that may connect over TCP; count 0: all. IPv4 stands mapped. */
struct listen_peers {
    uint8_t list[LISTEN_PEERS_MAX][16];
    size_t count;
};

/*
 * Find the sockets, in this order: `address`; those that systemd passed
 * (LISTEN_FDS with our LISTEN_PID, which leave the environment); descriptor 0
 * where it listens.
 *   address  what --listen was given, or NULL: "unix:/path", "host:port",
 *            "[2001:db8::1]:port"; port 0 lets the system choose
 *   out      set on PST_OK only; close with listen_close()
 *   error      a complaint for a person, set unless PST_OK
 * A socket file nobody listens on any more is replaced; the new one has mode
 * 0660. Changes the umask for a moment: not beside other threads. Returns
 * PST_OK, PST_MALFORMED (no such form of address), PST_BAD_CONFIG (the
 * address cannot be had).
 */
PST_MUST_USE enum pst_err listen_open(struct listen_sockets *out,
                                      const char *address,
                                      char error[static LISTEN_ERROR_MAX]);

/* Close all, and remove the files that are ours and still the same. */
void listen_close(struct listen_sockets *sockets);

/*
 * Read a list of addresses, such as FCGI_WEB_SERVER_ADDRS holds.
 *   text  numeric addresses with "," or spaces between; absent: all may
 * Returns PST_OK, PST_MALFORMED (no addresses in it, or something else),
 * PST_TOO_LARGE (over LISTEN_PEERS_MAX).
 */
PST_MUST_USE enum pst_err listen_peers_parse(struct listen_peers *out,
                                             struct pst_str text);

/* May this peer connect? Always, unless it is of TCP. */
bool listen_peers_allow(const struct listen_peers *peers,
                        const struct sockaddr_storage *peer);

#endif

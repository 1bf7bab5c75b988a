/* SPDX-License-Identifier: ISC */
/*
 * client_watch.h - a descriptor that becomes readable when the client of a
 * request hangs up, and for no other reason.
 *
 * A web server may leave unread bytes on the client's descriptor. A poll() for
 * readable bytes would return at once, again and again; an epoll instance that
 * watches for EPOLLRDHUP alone does not.
 */
#ifndef POSTERN_UPSTREAM_CLIENT_WATCH_H
#define POSTERN_UPSTREAM_CLIENT_WATCH_H

#include "base/base.h"
#include "base/error.h"

struct client_watch {
    int epoll;  /* poll this one for reading; -1: none */
    int client; /* the watched descriptor; -1: none */
};

/* Returns PST_OK, or PST_NO_MEMORY when the kernel has no descriptor left;
 * client_watch_fini() is safe after either. */
PST_MUST_USE enum pst_err client_watch_init(struct client_watch *watch);
void client_watch_fini(struct client_watch *watch);

/*
 * Watch a client until client_watch_stop().
 *   client  a socket, or the write end of a pipe; -1: none. Any other
 *           descriptor, such as a file, cannot hang up and is not watched
 */
void client_watch_start(struct client_watch *watch, int client);
void client_watch_stop(struct client_watch *watch);

/* Is a client watched? */
bool client_watch_is_active(const struct client_watch *watch);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * connections.h - the set of open connections: watch the idle ones, and pass
 * each that has bytes to read to a thread.
 *
 * An idle connection costs a descriptor and no thread, so that connections
 * that web servers keep open never starve new ones. Knows nothing of FastCGI.
 */
#ifndef POSTERN_ENGINE_CONNECTIONS_H
#define POSTERN_ENGINE_CONNECTIONS_H

#include "base/base.h"
#include "base/error.h"
#include "engine/poller.h"
#include "engine/thread_pool.h"

struct connections;

/*
 * Make an empty set of connections.
 *   poller       watches the idle ones; woken when the set is no longer full
 *   thread_pool  gets a connection as soon as it has bytes to read, or has
 *                failed; its on_done must call connections_finish_job()
 *   limit        open connections at most
 * Both must outlive the set. Only one thread may call these functions, except
 * connections_finish_job(). Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err connections_new(struct connections **out,
                                          struct poller *poller,
                                          struct thread_pool *thread_pool,
                                          size_t limit);

/* Free the set; every connection must be closed by now. */
void connections_free(struct connections **connections);

/*
 * Add a connection that was just accepted; it is closed on failure. Reading
 * and writing get a time limit, so that half a request does not hold a thread
 * for ever.
 *   descriptor  the set's from now on
 *   is_tcp      not a Unix-domain socket
 */
void connections_add(struct connections *connections, int descriptor,
                     bool is_tcp);

/*
 * Is there room for another connection? If there is none, the connection that
 * has been idle longest is closed: a web server opens another when it needs
 * one.
 *   is_short  the system itself has run out of descriptors: close one anyway
 */
bool connections_make_room(struct connections *connections, bool is_short);

/* Close all idle connections, and from now on each that a thread returns. */
void connections_drain(struct connections *connections);

/* How many are open. */
size_t connections_count(struct connections *connections);

/*
 * A thread has finished with a connection: watch it again. Any thread may call
 * this.
 *   is_open  false: the thread has closed it
 */
void connections_finish_job(struct connections *connections,
                            struct thread_pool_job *job, bool is_open);

/*
 * Close a connection on which a whole answer was written, but whose input may
 * not have been read to the end. Unread bytes make close(2) reset the
 * connection, and then the other end can lose the answer. So this first reads
 * and discards what still comes, until the other end closes, for two seconds at
 * most.
 */
void connection_close_lingering(int descriptor);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * session_order.h - let the POSTs of one session reach the backend one after
 * another (POSTERN_ORDERED), across programs, processes and, with Redis,
 * machines.
 *
 * A request takes the lock of its session after all checks, before it calls the
 * backend, and keeps it for every call that belongs to it. Requests without a
 * session, and those by GET, are not ordered.
 */
#ifndef POSTERN_GATEWAY_SESSION_ORDER_H
#define POSTERN_GATEWAY_SESSION_ORDER_H

#include "gateway/auth.h"
#include "gateway/context.h"

/*
 * Wait until it is this request's turn, at most POSTERN_FIRST_BYTE_TIMEOUT.
 *   has_waited  set: other requests of the session were carried out meanwhile
 * Returns PST_OK, also where nothing is to be ordered; PST_OVERLOADED (it took
 * too long; logged); PST_CLIENT_GONE; PST_STORE_DOWN (the cause is in the log);
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err session_order_begin(struct context *ctx,
                                              const struct request *req,
                                              const struct auth *auth,
                                              bool *has_waited);

/*
 * Before the first byte goes to the backend: may another request of the session
 * be there by now? That is so when this process was stopped, and its lease in
 * Redis ran out. The same for the lock of a refresh. Does not wait.
 * Returns PST_OK, also where no lock is held; PST_OVERLOADED (logged).
 */
PST_MUST_USE enum pst_err session_order_check(const struct context *ctx,
                                              const struct request *req);

/* The next one's turn has come. Does nothing where nothing is ordered. The end
 * of the handler calls it in any case (gateway/handler.h). */
void session_order_end(struct context *ctx);

#endif

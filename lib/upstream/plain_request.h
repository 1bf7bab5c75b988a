/* SPDX-License-Identifier: ISC */
/*
 * plain_request.h - write and send the request of an exchange without TLS.
 */
#ifndef POSTERN_UPSTREAM_PLAIN_REQUEST_H
#define POSTERN_UPSTREAM_PLAIN_REQUEST_H

#include "upstream/plain_exchange.h"

/*
 * Check the exchange, and write the head of its request into the arena.
 * Returns PST_OK; PST_BAD_METHOD (neither GET nor POST); PST_MALFORMED (a
 * header or a query that http/message.h refuses); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err plain_request_init(struct plain_exchange *x);

/*
 * Send the request. It ends early, with x->has_head set, when the backend
 * answers before it has read all of the body.
 *   is_whole  set on PST_OK: all of it was sent
 * Returns PST_OK; PST_MALFORMED (the body is shorter than body_length); else as
 * http_client_run().
 */
PST_MUST_USE enum pst_err plain_send(struct plain_exchange *x, bool *is_whole);

/* Is the whole request there, or is its body read while it is sent? */
bool plain_has_body_in_memory(const struct plain_exchange *x);

#endif

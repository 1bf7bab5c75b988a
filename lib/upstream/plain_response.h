/* SPDX-License-Identifier: ISC */
/*
 * plain_response.h - receive the response of an exchange without TLS.
 */
#ifndef POSTERN_UPSTREAM_PLAIN_RESPONSE_H
#define POSTERN_UPSTREAM_PLAIN_RESPONSE_H

#include "upstream/plain_exchange.h"

/*
 * Read what has already arrived, without waiting; x->has_head says whether it
 * is a final response. For the time while the request is sent.
 * Returns PST_OK; PST_UPSTREAM_BROKEN (no valid response, or the connection is
 * closed).
 */
PST_MUST_USE enum pst_err plain_check_response(struct plain_exchange *x);

/*
 * Receive the response, and call the functions of the exchange for it.
 * Returns as http_client_run().
 */
PST_MUST_USE enum pst_err plain_receive(struct plain_exchange *x);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * plain_connect.h - open a connection to the backend.
 */
#ifndef POSTERN_UPSTREAM_PLAIN_CONNECT_H
#define POSTERN_UPSTREAM_PLAIN_CONNECT_H

#include "upstream/plain_exchange.h"

/*
 * Open a new connection as x->connection, all of it within the connect timeout.
 * The addresses of a name are tried one after the other; each gets an equal
 * share of the time that is left.
 * Returns PST_OK; PST_UPSTREAM_DOWN; PST_UPSTREAM_TIMEOUT; PST_CLIENT_GONE;
 * PST_NO_MEMORY (no descriptors, too).
 */
PST_MUST_USE enum pst_err plain_connect(struct plain_exchange *x);

#endif

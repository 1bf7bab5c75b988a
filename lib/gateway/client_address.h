/* SPDX-License-Identifier: ISC */
/*
 * client_address.h - find the client's address in X-Forwarded-For, behind
 * trusted proxies (POSTERN_TRUSTED_PROXIES), and warn when that list seems to
 * be missing.
 *
 * Behind a proxy, REMOTE_ADDR is the proxy's address, and all clients would
 * share one rate limit. A proxy appends the address of its peer to
 * X-Forwarded-For; everything before that was written by the client. So the
 * client is the last entry that is not a trusted proxy. The attack: a client
 * writes other addresses into the header, so that each of its guesses of a
 * password counts for another one.
 */
#ifndef POSTERN_GATEWAY_CLIENT_ADDRESS_H
#define POSTERN_GATEWAY_CLIENT_ADDRESS_H

#include <stdatomic.h>

#include "gateway/context.h"

/* Entries of X-Forwarded-For that are read at most, beginning with the last. */
#define CLIENT_ADDRESS_HOPS_MAX 32

/* Logins from one private address, and no other, until the log warns. */
#define CLIENT_ADDRESS_WARN_LOGINS 50

/*
 * The client's address.
 *   trusted    addresses and networks that config_check_network() allows
 *   count      of them
 *   peer       REMOTE_ADDR
 *   forwarded  X-Forwarded-For; absent: there is none
 * Returns a view into peer or forwarded. A port behind an address is ignored.
 * An entry that is not an address ends the search: the proxy that appended it
 * is the result.
 */
struct pst_str client_address_find(const struct pst_str *trusted, size_t count,
                                   struct pst_str peer,
                                   struct pst_str forwarded);

/* The address that all logins so far came from. Zeroed to begin with; may be
 * shared by threads. */
struct client_address_counter {
    _Atomic uint64_t address; /* hash of the first address; 0: none yet */
    atomic_uint count;        /* logins from it */
};

/*
 * Count a login.
 * Returns true once: for login number CLIENT_ADDRESS_WARN_LOGINS, if all came
 * from one address that is loopback, private or link-local.
 */
bool client_address_count_login(struct client_address_counter *counter,
                                struct pst_str address);

/*
 * Count a login of this process, unless POSTERN_TRUSTED_PROXIES is set, and log
 * once that it should probably be set. Call it for each login that is rate
 * limited by address. Plain CGI, with a process for each request, never warns.
 */
void client_address_note_login(const struct context *ctx,
                               const struct request *req);

#endif

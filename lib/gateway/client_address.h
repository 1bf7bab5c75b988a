/* SPDX-License-Identifier: ISC */
/*
 * client_address.h - the client's address where proxies stand in front of the
 * web server (POSTERN_TRUSTED_PROXIES).
 *
 * REMOTE_ADDR is the proxy's then, and everybody shares one budget of guesses.
 * A proxy adds the address of its own peer to the end of X-Forwarded-For; what
 * stands before that is whatever the client wrote. So the client is the last
 * entry that no proxy of ours is. The attack: to write an address into the
 * header, and have each guess counted for another.
 */
#ifndef POSTERN_GATEWAY_CLIENT_ADDRESS_H
#define POSTERN_GATEWAY_CLIENT_ADDRESS_H

#include <stdatomic.h>

#include "gateway/context.h"

/* Entries of X-Forwarded-For that are looked at, from the last one on. */
#define CLIENT_ADDRESS_HOPS_MAX 32

/* Logins, all from one private address, until it is told. */
#define CLIENT_ADDRESS_WARN_LOGINS 50

/*
 * The client's address.
 *   trusted    addresses and networks, as config_check_network() takes them
 *   peer       REMOTE_ADDR
 *   forwarded  X-Forwarded-For; absent where there is none
 * Returns a slice of peer or of forwarded. An entry that is no address (a port
 * after it is dropped) ends the search, at the proxy that wrote it.
 */
struct pst_str client_address_find(const struct pst_str *trusted, size_t count,
                                   struct pst_str peer,
                                   struct pst_str forwarded);

/* Which address logins came from so far. All zero at first; for threads. */
struct client_address_counter {
    _Atomic uint64_t address; /* a hash of the first; 0: none yet */
    atomic_uint count;        /* of logins from there */
};

/*
 * Count a login.
 * Returns true once: with the CLIENT_ADDRESS_WARN_LOGINS-th login when all came
 * from one address that is loopback, private or link-local.
 */
bool client_address_count_login(struct client_address_counter *counter,
                                struct pst_str address);

/*
 * The same for this process, where no proxy is trusted: the log says once that
 * POSTERN_TRUSTED_PROXIES is probably not set. For each login that is counted
 * by address; plain CGI, with a process for each request, never says it.
 */
void client_address_note_login(const struct context *ctx,
                               const struct request *req);

#endif

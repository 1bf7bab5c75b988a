/* SPDX-License-Identifier: ISC */
/*
 * peer_list.h - the allow-list of the addresses that may connect over TCP
 * (FCGI_WEB_SERVER_ADDRS).
 */
#ifndef POSTERN_ENGINE_PEER_LIST_H
#define POSTERN_ENGINE_PEER_LIST_H

#include <sys/socket.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

#define PEER_LIST_MAX 64

/* count 0: every address may connect. */
struct peer_list {
    uint8_t addresses[PEER_LIST_MAX][16]; /* IPv6; IPv4 is mapped into it */
    size_t count;
};

/*
 * Parse a list of addresses.
 *   out   set on PST_OK only
 *   text  numeric addresses separated by "," or white space; empty or absent:
 *         every address may connect
 * Returns PST_OK, PST_MALFORMED (not an address, or separators only),
 * PST_TOO_LARGE (over PEER_LIST_MAX).
 */
PST_MUST_USE enum pst_err peer_list_parse(struct peer_list *out,
                                          struct pst_str text);

/*
 * May this peer connect? Peers of other families than IPv4 and IPv6 always
 * may: the permissions of the socket file decide about them.
 */
bool peer_list_allows(const struct peer_list *list,
                      const struct sockaddr_storage *peer);

#endif

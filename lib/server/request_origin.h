/* SPDX-License-Identifier: ISC */
/*
 * request_origin.h - find our own origin (scheme, host and port), as browsers
 * see it.
 */
#ifndef POSTERN_SERVER_REQUEST_ORIGIN_H
#define POSTERN_SERVER_REQUEST_ORIGIN_H

#include "base/str.h"
#include "server/request.h"

/*
 * Our own origin, as a browser writes it: `configured` if present. Else
 *   scheme  https when HTTPS is "on" or "1", or REQUEST_SCHEME is https
 *   host    SERVER_NAME, in lower case, an IPv6 address in brackets
 *   port    the one in HTTP_HOST if its host is SERVER_NAME: only the browser
 *           knows a mapped port, and the browser itself writes Host, which a
 *           page of another site cannot change; else SERVER_PORT
 * Absent when the variables do not say it, or when the result is not a
 * canonical origin. Lives as long as the request.
 */
struct pst_str request_own_origin(const struct request *req,
                                  struct pst_str configured);

#endif

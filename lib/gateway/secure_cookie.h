/* SPDX-License-Identifier: ISC */
/*
 * secure_cookie.h - notice that a browser will drop our Secure cookie, because
 * the site is not https. It does so silently: a login has no effect, and the
 * form comes again and again.
 */
#ifndef POSTERN_GATEWAY_SECURE_COOKIE_H
#define POSTERN_GATEWAY_SECURE_COOKIE_H

#include "gateway/context.h"

/* Is this http://localhost, or an address of this machine, with any port? */
bool secure_cookie_is_loopback(struct pst_str origin);

/*
 * Will the browser of this request drop the cookie? So it is over http, except
 * that Chrome and Firefox keep it on http://localhost (Safari does not). A
 * request with Sec-Fetch-Site comes from a page that the browser trusts like
 * https, whatever the web server's variables say. The first one in a process
 * is logged.
 */
bool secure_cookie_is_dropped(const struct context *ctx,
                              const struct request *req);

#endif

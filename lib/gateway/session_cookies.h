/* SPDX-License-Identifier: ISC */
/*
 * session_cookies.h - which cookies are ours: found in a request, described,
 * and cleared in every variant that we may have set (design 2.1).
 */
#ifndef POSTERN_GATEWAY_SESSION_COOKIES_H
#define POSTERN_GATEWAY_SESSION_COOKIES_H

#include "base/str.h"
#include "http/cookie.h"
#include "server/config.h"
#include "server/response.h"

/* A user's session and a guest's have a cookie each, so that an answer to a
 * guest's request that comes late cannot overwrite the user's. */
enum session_cookies_kind {
    SESSION_COOKIES_USER,
    SESSION_COOKIES_GUEST,
    SESSION_COOKIES_OLDER, /* the user's, under the name it had before
                              __Host-Http- */
    SESSION_COOKIES_KINDS,
};

/* How many of one name are looked at: a browser that kept each variant of a
 * configuration (Domain, Path, Partitioned) sends fewer. */
#define SESSION_COOKIES_MAX 8

/* What a request sent. More than SESSION_COOKIES_MAX of a kind are counted
 * only. */
struct session_cookies {
    struct pst_str values[SESSION_COOKIES_KINDS][SESSION_COOKIES_MAX];
    size_t count[SESSION_COOKIES_KINDS];
};

/* Find them in a Cookie header, names compared byte for byte. */
void session_cookies_find(const struct config *config, struct pst_str header,
                          struct session_cookies *out);

/* The cookie as it is configured, all but its value. SESSION_COOKIES_OLDER has
 * no name where there was no older one. */
struct pst_cookie session_cookies_describe(const struct config *config,
                                           enum session_cookies_kind kind);

/*
 * Clear it in the reply, every variant we may have set: with the configured
 * Domain and without, the configured Path and "/", Partitioned and not. What
 * is put into the reply later takes the place of its own variant.
 */
void session_cookies_clear(const struct config *config, struct response *res,
                           enum session_cookies_kind kind);

#endif

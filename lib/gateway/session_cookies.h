/* SPDX-License-Identifier: ISC */
/*
 * session_cookies.h - find the session cookies of a request, and clear them in
 * every variant that may have been set.
 */
#ifndef POSTERN_GATEWAY_SESSION_COOKIES_H
#define POSTERN_GATEWAY_SESSION_COOKIES_H

#include "base/str.h"
#include "http/cookie.h"
#include "server/config.h"
#include "server/response.h"

/* A user's session and a guest's have a cookie each. So a late response to a
 * guest's request cannot overwrite the user's cookie. */
enum session_cookies_kind {
    SESSION_COOKIES_USER,
    SESSION_COOKIES_GUEST,
    SESSION_COOKIES_OLDER, /* the user's cookie under its name before
                              __Host-Http- */
    SESSION_COOKIES_KINDS,
};

/* How many cookies of one name are read. A browser that kept every variant of a
 * configuration (Domain, Path, Partitioned) sends fewer. */
#define SESSION_COOKIES_MAX 8

/* The session cookies of a request. More than SESSION_COOKIES_MAX of a kind are
 * only counted. */
struct session_cookies {
    struct pst_str values[SESSION_COOKIES_KINDS][SESSION_COOKIES_MAX];
    size_t count[SESSION_COOKIES_KINDS];
};

/* Find them in a Cookie header. Names are compared byte for byte. */
void session_cookies_find(const struct config *config, struct pst_str header,
                          struct session_cookies *out);

/* The configured cookie without a value. The name of SESSION_COOKIES_OLDER is
 * absent where the configured name has no older form. */
struct pst_cookie session_cookies_describe(const struct config *config,
                                           enum session_cookies_kind kind);

/*
 * Clear the cookie in every variant that we may have set: with the configured
 * Domain and without, with the configured Path and "/", Partitioned and not. A
 * cookie that is set in the response later replaces the clearing of its own
 * variant.
 */
void session_cookies_clear(const struct config *config, struct response *res,
                           enum session_cookies_kind kind);

#endif

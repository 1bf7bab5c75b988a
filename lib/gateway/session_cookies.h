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
enum cookies_kind {
    COOKIES_USER,
    COOKIES_GUEST,
    COOKIES_OLDER, /* the user's, under the name it had before __Host-Http- */
    COOKIES_KINDS,
};

/* How many of one name are looked at: a browser that kept each variant of a
 * configuration (Domain, Path, Partitioned) sends fewer. */
#define COOKIES_MAX 8

/* What a request sent. More than COOKIES_MAX of a kind are counted only. */
struct cookies {
    struct pst_text values[COOKIES_KINDS][COOKIES_MAX];
    size_t count[COOKIES_KINDS];
};

/* Find them in a Cookie header, names compared byte for byte. */
void cookies_find(const struct config *config, struct pst_text header,
                  struct cookies *out);

/* The cookie as it is configured, all but its value. COOKIES_OLDER has no name
 * where there was no older one. */
struct pst_cookie cookies_describe(const struct config *config,
                                   enum cookies_kind kind);

/*
 * Clear it in the reply, every variant we may have set: with the configured
 * Domain and without, the configured Path and "/", Partitioned and not. What
 * is put into the reply later takes the place of its own variant.
 */
void cookies_clear(const struct config *config, struct reply *rep,
                   enum cookies_kind kind);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * cookie.h - parse Cookie, write Set-Cookie (RFC 6265bis sections 4.1, 4.2 and
 * 5.6). Knows nothing of sessions.
 */
#ifndef POSTERN_HTTP_COOKIE_H
#define POSTERN_HTTP_COOKIE_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

enum pst_same_site {
    PST_SAME_SITE_UNSET, /* the attribute is not written */
    PST_SAME_SITE_LAX,
    PST_SAME_SITE_STRICT,
    PST_SAME_SITE_NONE,
};

/* A cookie to write. An absent text means: without this attribute. */
struct pst_cookie {
    struct pst_str name;
    struct pst_str value;
    struct pst_str path;
    struct pst_str domain;
    bool has_max_age;
    int64_t max_age; /* seconds, 0..PST_COOKIE_AGE_MAX */
    bool has_expires;
    int64_t expires; /* unix seconds */
    bool secure;
    bool http_only;
    bool partitioned;
    enum pst_same_site same_site;
};

/*
 * Split off the next valid pair of a Cookie header. Pairs are skipped when they
 * have no "=", an empty name, a name that is not a token, or a control byte:
 * other cookies of the site must not make ours unreadable.
 *   rest         the header's value at first; becomes absent at the end
 *   name, value  slices of it without spaces at their ends. Quotes are kept,
 *                and nothing is decoded
 * Returns false at the end.
 * Callers must compare names byte for byte, although newer browsers ignore case
 * in prefixes. The attack: an older browser applies the rules of __Host- only
 * to that spelling, so a sibling site can set __host-x. If we ignored case, we
 * would take it for __Host-x.
 */
bool pst_cookie_next(struct pst_str *rest, struct pst_str *name,
                     struct pst_str *value);

/* The prefix of a name, in any case, such as "__Host-"; absent: it has none. */
struct pst_str pst_cookie_prefix(struct pst_str name);

/*
 * Is this valid as a Domain: a host name (RFC 1123 2.1) of at most 253 bytes or
 * an IPv4 address, without a dot at its ends? If the last label is a number, it
 * must be a whole address (WHATWG URL 3.5).
 */
bool pst_cookie_is_domain(struct pst_str domain);

/*
 * Check a cookie of the configuration.
 *   reason  set on PST_BAD_CONFIG to a literal text
 * Returns PST_OK, or PST_BAD_CONFIG when one of these is true:
 *   - the name is not a token, or the value is not cookie-octets
 *   - name and value together are over PST_COOKIE_MAX
 *   - the path does not begin with "/", has a control byte, a space, ";" or a
 *     byte that is not ASCII, or is over PST_COOKIE_ATTRIBUTE_MAX
 *   - pst_cookie_is_domain() is false for the domain
 *   - Max-Age is outside 0..PST_COOKIE_AGE_MAX, or Expires outside the years
 *     1601..9999
 *   - the name has a prefix (__Host-, __Secure-, __Http-, __Host-Http-, in any
 *     case) whose rules the attributes break
 *   - SameSite=None or Partitioned is without Secure
 */
PST_MUST_USE enum pst_err pst_cookie_check(const struct pst_cookie *cookie,
                                           const char **reason);

/*
 * Write the value of a Set-Cookie line: name=value, then the attributes that
 * are set, in the order Path, Domain, Max-Age, Expires, HttpOnly, Secure,
 * SameSite, Partitioned. For a cookie that pst_cookie_check() refuses, the
 * error of buf is set to PST_MALFORMED, or PST_TOO_LARGE when it is only too
 * large.
 */
void pst_cookie_emit(struct pst_buf *buf, const struct pst_cookie *cookie);

/*
 * Do two Set-Cookie lines of ours set the same cookie? They do when name,
 * Domain and Path are equal, and both or neither are Partitioned.
 */
bool pst_cookie_is_same(struct pst_str line, struct pst_str other);

/*
 * Write the Set-Cookie line that deletes this cookie: the same attributes, but
 * an empty value and Max-Age=0.
 */
void pst_cookie_emit_clear(struct pst_buf *buf,
                           const struct pst_cookie *cookie);

#endif

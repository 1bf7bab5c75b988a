/* SPDX-License-Identifier: ISC */
/*
 * cookie.h - read Cookie, write Set-Cookie (RFC 6265bis sections 4.1, 4.2,
 * 5.6). What a cookie means is session/session.h's affair.
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

/* A cookie to be written. Absent texts mean: no such attribute. */
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
 * Take the next well-formed pair off a Cookie header.
 *   rest   the header's value at first; becomes absent at the end
 *   name, value  trimmed slices of it; quotes kept, nothing decoded
 * Returns false at the end. Pairs without "=", with an empty name, a name
 * that is no token, or a control byte are passed over (design, section 4).
 * Compare names byte for byte, though browsers compare prefixes without case:
 * folding would let a planted __host-x stand for __Host-x.
 */
PST_EXPORT bool pst_cookie_next(struct pst_str *rest, struct pst_str *name,
                                struct pst_str *value);

/* The prefix that a name begins with, in any case, such as "__Host-"; absent
 * where it has none. */
PST_EXPORT struct pst_str pst_cookie_prefix(struct pst_str name);

/*
 * May this be a Domain: a host name (RFC 1123 2.1) of at most 253 bytes, or
 * an IPv4 address? No leading or trailing dot; a name whose last label is a
 * number must be a whole address, as browsers have it.
 */
PST_EXPORT bool pst_cookie_is_domain(struct pst_str domain);

/*
 * May this cookie be written? For configuration, at start.
 *   reason  set to a sentence when it may not
 * Returns PST_OK or PST_BAD_CONFIG: a name that is no token; a value that is
 * not cookie-octets; name and value over PST_COOKIE_MAX; a path that is not
 * absolute or holds a control byte, ";", a space or what is not ASCII; a
 * domain that pst_cookie_is_domain() refuses; an attribute over its limit;
 * Max-Age outside 0..PST_COOKIE_AGE_MAX; Expires outside the years 1601 to
 * 9999; __Host-, __Secure-, __Http- or __Host-Http- (in any case) against
 * their rules; SameSite=None or Partitioned without Secure.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_cookie_check(const struct pst_cookie *cookie, const char **reason);

/*
 * Write the value of one Set-Cookie line: name=value, then Path, Domain,
 * Max-Age, Expires, HttpOnly, Secure, SameSite, Partitioned, as far as set.
 * A cookie that pst_cookie_check() refuses spoils the builder with
 * PST_MALFORMED (PST_TOO_LARGE when it is only too large).
 */
PST_EXPORT void pst_cookie_emit(struct pst_buf *buf,
                                const struct pst_cookie *cookie);

/*
 * Do two Set-Cookie lines that we wrote concern one cookie: the same name,
 * Domain and Path, and both Partitioned or neither, for a browser keeps those
 * apart?
 */
PST_EXPORT bool pst_cookie_is_same(struct pst_str line, struct pst_str other);

/*
 * Write the line that deletes this cookie: the same name, Path, Domain,
 * Secure, HttpOnly, SameSite and Partitioned, an empty value, Max-Age=0.
 */
PST_EXPORT void pst_cookie_emit_clear(struct pst_buf *buf,
                                      const struct pst_cookie *cookie);

#endif

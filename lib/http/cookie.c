/* SPDX-License-Identifier: ISC */
/*
 * cookie.c - read Cookie, write Set-Cookie (RFC 6265bis sections 4.1, 4.2,
 * 5.6). Pure. What a cookie means is session/session.c's affair.
 */
#include "http/cookie.h"

#include "base/limits.h"
#include "codec/date.h"

#define LABEL_MAX 63                 /* RFC 1035 2.3.4, bytes */
#define DOMAIN_MAX 253               /* the same without the root's dot */
#define EXPIRES_MIN (-11644473600LL) /* 1601: RFC 6265bis 5.1.1 */
#define EXPIRES_MAX (253402300799LL) /* the last year of four digits */

/* What a name of this beginning promises; each row also needs Secure. Longest
 * first, so that the first one that fits is the one meant. */
static const struct prefix {
    const char *text;
    bool host; /* Path=/ and no Domain */
    bool http; /* HttpOnly */
    const char *why;
} prefixes[] = {
    {"__Host-Http-", true, true,
     "a __Host-Http- cookie needs Secure, HttpOnly, Path=/ and no Domain"},
    {"__Secure-", false, false, "a __Secure- cookie needs Secure"},
    {"__Host-", true, false,
     "a __Host- cookie needs Secure, Path=/ and no Domain"},
    {"__Http-", false, true, "a __Http- cookie needs Secure and HttpOnly"},
};

static const char *const same_sites[] = {
    [PST_SAME_SITE_UNSET] = NULL,
    [PST_SAME_SITE_LAX] = "Lax",
    [PST_SAME_SITE_STRICT] = "Strict",
    [PST_SAME_SITE_NONE] = "None",
};

bool
pst_cookie_next(struct pst_text *rest, struct pst_text *name,
                struct pst_text *value)
{
    struct pst_text piece;

    while (pst_text_cut(rest, ';', &piece)) {
        size_t equals = pst_text_index(piece, '=');
        struct pst_text n;
        struct pst_text v;

        if (equals == piece.len)
            continue;
        n = pst_text_trim(pst_text_first(piece, equals));
        v = pst_text_trim(pst_text_from_octet(piece, equals + 1));
        if (!pst_text_is_token(n) || !pst_text_is_field_value(v))
            continue;
        *name = n;
        *value = v;
        return true;
    }
    return false;
}

/* cookie-octet of RFC 6265bis 4.1.1. */
static bool
is_cookie_octets(struct pst_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c <= ' ' || c > '~' || c == '"' || c == ',' || c == ';' ||
            c == '\\')
            return false;
    }
    return true;
}

/* path-value, of which we also refuse a space and what is not ASCII. */
static bool
is_path(struct pst_text text)
{
    if (text.len == 0 || text.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c <= ' ' || c > '~' || c == ';')
            return false;
    }
    return true;
}

static bool
is_label(struct pst_text label)
{
    if (label.len == 0 || label.len > LABEL_MAX || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.ptr[i];

        if (!pst_is_alpha(c) && !pst_is_digit(c) && c != '-')
            return false;
    }
    return true;
}

static bool
is_ipv4(struct pst_text text)
{
    struct pst_text part;
    int64_t number;
    int count = 0;

    while (pst_text_cut(&text, '.', &part)) {
        if (pst_text_number(part, &number) || number > 255)
            return false;
        count++;
    }
    return count == 4;
}

/*
 * A browser reads a host whose last label is a number, "0x" hex included, as
 * an IPv4 address or not at all (WHATWG URL 3.5), so "10.1" is no host name.
 */
static bool
is_number(struct pst_text label)
{
    bool hex = pst_text_starts_nocase(label, PST_TEXT("0x"));

    for (size_t i = hex ? 2 : 0; i < label.len; i++)
        if (hex ? pst_hex_value(label.ptr[i]) < 0 : !pst_is_digit(label.ptr[i]))
            return false;
    return true;
}

bool
pst_cookie_is_domain(struct pst_text domain)
{
    struct pst_text rest = domain;
    struct pst_text label = PST_NO_TEXT;

    if (domain.len == 0 || domain.len > DOMAIN_MAX)
        return false;
    while (pst_text_cut(&rest, '.', &label))
        if (!is_label(label))
            return false;
    return !is_number(label) || is_ipv4(domain);
}

static const struct prefix *
find_prefix(struct pst_text name)
{
    for (size_t i = 0; i < PST_COUNT(prefixes); i++) {
        if (pst_text_starts_nocase(name, pst_text_from(prefixes[i].text)))
            return &prefixes[i];
    }
    return NULL;
}

struct pst_text
pst_cookie_prefix(struct pst_text name)
{
    const struct prefix *prefix = find_prefix(name);

    return prefix ? pst_text_from(prefix->text) : PST_NO_TEXT;
}

/* NULL when the name's beginning promises nothing that is not kept. */
static const char *
broken_prefix(const struct pst_cookie *cookie)
{
    bool host = pst_text_equal(cookie->path, PST_TEXT("/")) &&
                pst_text_is_absent(cookie->domain);
    const struct prefix *p = find_prefix(cookie->name);

    if (p && (!cookie->secure || (p->host && !host) ||
              (p->http && !cookie->http_only)))
        return p->why;
    return NULL;
}

static const char *
broken_attributes(const struct pst_cookie *cookie)
{
    if (!pst_text_is_absent(cookie->path) && !is_path(cookie->path))
        return "a cookie's path begins with / and holds only visible ASCII "
               "but no ;";
    if (!pst_text_is_absent(cookie->domain) &&
        !pst_cookie_is_domain(cookie->domain))
        return "a cookie's domain is a host name or an IPv4 address";
    if (cookie->has_max_age &&
        (cookie->max_age < 0 || cookie->max_age > PST_COOKIE_AGE_MAX))
        return "a cookie's age is 0 seconds to 400 days";
    if (cookie->has_expires &&
        (cookie->expires < EXPIRES_MIN || cookie->expires > EXPIRES_MAX))
        return "a cookie expires in the years 1601 to 9999";
    if (cookie->same_site == PST_SAME_SITE_NONE && !cookie->secure)
        return "SameSite=None needs Secure";
    if (cookie->partitioned && !cookie->secure)
        return "Partitioned needs Secure";
    return NULL;
}

/* Sizes last, so that what is only too large is told apart. */
static enum pst_err
check(const struct pst_cookie *cookie, const char **why)
{
    PST_REQUIRE((size_t)cookie->same_site < PST_COUNT(same_sites));
    *why = NULL;
    if (!pst_text_is_token(cookie->name))
        *why = "a cookie's name is a token";
    else if (!is_cookie_octets(cookie->value))
        *why = "a cookie's value is visible ASCII but no quote, comma, "
               "semicolon or backslash";
    else
        *why = broken_attributes(cookie);
    if (!*why)
        *why = broken_prefix(cookie);
    if (*why)
        return PST_MALFORMED;
    if (cookie->name.len > PST_COOKIE_MAX ||
        cookie->value.len > PST_COOKIE_MAX - cookie->name.len)
        *why = "a cookie's name and value are at most 4096 octets together";
    else if (cookie->path.len > PST_COOKIE_ATTRIBUTE_MAX)
        *why = "a cookie's path is at most 1024 octets";
    return *why ? PST_TOO_LARGE : PST_OK;
}

enum pst_err
pst_cookie_check(const struct pst_cookie *cookie, const char **why)
{
    const char *reason;
    enum pst_err e = check(cookie, &reason);

    if (!e)
        return PST_OK;
    *why = reason;
    return PST_BAD_CONFIG;
}

static void
add_attribute(struct pst_buf *buf, const char *name, struct pst_text value)
{
    if (pst_text_is_absent(value))
        return;
    pst_buf_add_string(buf, name);
    pst_buf_add(buf, value);
}

void
pst_cookie_emit(struct pst_buf *buf, const struct pst_cookie *cookie)
{
    const char *why;
    enum pst_err e = check(cookie, &why);

    if (e) {
        pst_buf_spoil(buf, e);
        return;
    }
    pst_buf_add(buf, cookie->name);
    pst_buf_add_char(buf, '=');
    pst_buf_add(buf, cookie->value);
    add_attribute(buf, "; Path=", cookie->path);
    add_attribute(buf, "; Domain=", cookie->domain);
    if (cookie->has_max_age) {
        pst_buf_add_string(buf, "; Max-Age=");
        pst_buf_add_number(buf, cookie->max_age);
    }
    if (cookie->has_expires) {
        pst_buf_add_string(buf, "; Expires=");
        pst_date_emit_http(buf, cookie->expires);
    }
    if (cookie->http_only)
        pst_buf_add_string(buf, "; HttpOnly");
    if (cookie->secure)
        pst_buf_add_string(buf, "; Secure");
    add_attribute(buf,
                  "; SameSite=", pst_text_from(same_sites[cookie->same_site]));
    if (cookie->partitioned)
        pst_buf_add_string(buf, "; Partitioned");
}

void
pst_cookie_emit_clear(struct pst_buf *buf, const struct pst_cookie *cookie)
{
    struct pst_cookie clear = *cookie;

    clear.value = PST_TEXT("");
    clear.has_max_age = true;
    clear.max_age = 0;
    clear.has_expires = false;
    pst_cookie_emit(buf, &clear);
}

/* What tells one cookie from another in a browser's store. */
struct identity {
    struct pst_text name;
    struct pst_text domain;
    struct pst_text path;
    bool partitioned;
};

static struct identity
identity_of(struct pst_text line)
{
    const struct pst_text domain = PST_TEXT("Domain=");
    const struct pst_text path = PST_TEXT("Path=");
    struct identity identity = {.name = PST_TEXT("")};
    struct pst_text piece;

    if (pst_text_cut(&line, ';', &piece))
        identity.name = pst_text_first(piece, pst_text_index(piece, '='));
    while (pst_text_cut(&line, ';', &piece)) {
        piece = pst_text_trim(piece);
        if (pst_text_starts_nocase(piece, domain))
            identity.domain = pst_text_from_octet(piece, domain.len);
        else if (pst_text_starts_nocase(piece, path))
            identity.path = pst_text_from_octet(piece, path.len);
        else if (pst_text_equal_nocase(piece, PST_TEXT("Partitioned")))
            identity.partitioned = true;
    }
    return identity;
}

bool
pst_cookie_is_same(struct pst_text line, struct pst_text other)
{
    struct identity a = identity_of(line);
    struct identity b = identity_of(other);

    return pst_text_equal(a.name, b.name) &&
           pst_text_equal_nocase(a.domain, b.domain) &&
           pst_text_equal(a.path, b.path) && a.partitioned == b.partitioned;
}

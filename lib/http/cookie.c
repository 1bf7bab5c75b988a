/* SPDX-License-Identifier: ISC */
/*
 * cookie.c - parse Cookie, write Set-Cookie (RFC 6265bis sections 4.1, 4.2 and
 * 5.6). Pure. Knows nothing of sessions.
 */
#include "http/cookie.h"

#include "base/limits.h"
#include "codec/date.h"

#define DNS_LABEL_MAX 63             /* RFC 1035 2.3.4, bytes */
#define DOMAIN_MAX 253               /* RFC 1035 2.3.4, bytes */
#define EXPIRES_MIN (-11644473600LL) /* year 1601: RFC 6265bis 5.1.1 */
#define EXPIRES_MAX (253402300799LL) /* year 9999: has four digits */

/*
 * Name prefixes, and the attributes they require besides Secure (RFC 6265bis
 * 4.1.3). Longer prefixes are before shorter ones that they begin with.
 */
static const struct prefix {
    const char *text;
    bool host; /* Path=/ and no Domain */
    bool http; /* HttpOnly */
    const char *reason;
} prefixes[] = {
    {"__Host-Http-", true, true,
     "a __Host-Http- cookie must have Secure, HttpOnly, Path=/ and no Domain"},
    {"__Secure-", false, false, "a __Secure- cookie must have Secure"},
    {"__Host-", true, false,
     "a __Host- cookie must have Secure, Path=/ and no Domain"},
    {"__Http-", false, true, "a __Http- cookie must have Secure and HttpOnly"},
};

static const char *const same_sites[] = {
    [PST_SAME_SITE_UNSET] = NULL,
    [PST_SAME_SITE_LAX] = "Lax",
    [PST_SAME_SITE_STRICT] = "Strict",
    [PST_SAME_SITE_NONE] = "None",
};

bool
pst_cookie_next(struct pst_str *rest, struct pst_str *name,
                struct pst_str *value)
{
    struct pst_str piece;

    while (pst_str_split(rest, ';', &piece)) {
        size_t equals = pst_str_index(piece, '=');
        struct pst_str n;
        struct pst_str v;

        if (equals == piece.len)
            continue;
        n = pst_str_trim(pst_str_first(piece, equals));
        v = pst_str_trim(pst_str_skip(piece, equals + 1));
        if (!pst_str_is_token(n) || !pst_str_is_field_value(v))
            continue;
        *name = n;
        *value = v;
        return true;
    }
    return false;
}

/* Is it only cookie-octets (RFC 6265bis 4.1.1)? */
static bool
cookie_is_value(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c <= ' ' || c > '~' || c == '"' || c == ',' || c == ';' ||
            c == '\\')
            return false;
    }
    return true;
}

/* Is it a path-value (RFC 6265bis 4.1.1) without spaces? */
static bool
cookie_is_path(struct pst_str text)
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
cookie_is_dns_label(struct pst_str label)
{
    if (label.len == 0 || label.len > DNS_LABEL_MAX || label.ptr[0] == '-' ||
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
cookie_is_ipv4(struct pst_str text)
{
    struct pst_str part;
    int64_t number;
    int count = 0;

    while (pst_str_split(&text, '.', &part)) {
        if (pst_str_parse_number(part, &number) || number > 255)
            return false;
        count++;
    }
    return count == 4;
}

/*
 * Is this label a number, in decimal or "0x" hex? Browsers read a host whose
 * last label is a number as an IPv4 address, or refuse it (WHATWG URL 3.5). So
 * "10.1" is not a host name.
 */
static bool
cookie_label_is_number(struct pst_str label)
{
    bool hex = pst_str_starts_nocase(label, PST_STR("0x"));

    for (size_t i = hex ? 2 : 0; i < label.len; i++)
        if (hex ? pst_hex_value(label.ptr[i]) < 0 : !pst_is_digit(label.ptr[i]))
            return false;
    return true;
}

bool
pst_cookie_is_domain(struct pst_str domain)
{
    struct pst_str rest = domain;
    struct pst_str label = PST_STR_NONE;

    if (domain.len == 0 || domain.len > DOMAIN_MAX)
        return false;
    while (pst_str_split(&rest, '.', &label))
        if (!cookie_is_dns_label(label))
            return false;
    return !cookie_label_is_number(label) || cookie_is_ipv4(domain);
}

static const struct prefix *
cookie_find_prefix(struct pst_str name)
{
    for (size_t i = 0; i < PST_COUNT(prefixes); i++) {
        if (pst_str_starts_nocase(name, pst_str_from(prefixes[i].text)))
            return &prefixes[i];
    }
    return NULL;
}

struct pst_str
pst_cookie_prefix(struct pst_str name)
{
    const struct prefix *prefix = cookie_find_prefix(name);

    return prefix ? pst_str_from(prefix->text) : PST_STR_NONE;
}

/* Returns why the attributes break the rules of the prefix, or NULL. */
static const char *
cookie_check_prefix(const struct pst_cookie *cookie)
{
    bool host = pst_str_equal(cookie->path, PST_STR("/")) &&
                pst_str_is_absent(cookie->domain);
    const struct prefix *p = cookie_find_prefix(cookie->name);

    if (p && (!cookie->secure || (p->host && !host) ||
              (p->http && !cookie->http_only)))
        return p->reason;
    return NULL;
}

/* Returns what is wrong with the attributes, or NULL. */
static const char *
cookie_check_attributes(const struct pst_cookie *cookie)
{
    if (!pst_str_is_absent(cookie->path) && !cookie_is_path(cookie->path))
        return "a cookie's path must begin with / and have only visible ASCII "
               "characters but no ;";
    if (!pst_str_is_absent(cookie->domain) &&
        !pst_cookie_is_domain(cookie->domain))
        return "a cookie's domain must be a host name or an IPv4 address";
    if (cookie->has_max_age &&
        (cookie->max_age < 0 || cookie->max_age > PST_COOKIE_AGE_MAX))
        return "a cookie's age must be 0 seconds to 400 days";
    if (cookie->has_expires &&
        (cookie->expires < EXPIRES_MIN || cookie->expires > EXPIRES_MAX))
        return "a cookie must expire in the years 1601 to 9999";
    if (cookie->same_site == PST_SAME_SITE_NONE && !cookie->secure)
        return "a cookie with SameSite=None must have Secure";
    if (cookie->partitioned && !cookie->secure)
        return "a cookie with Partitioned must have Secure";
    return NULL;
}

/* Sizes are checked last: PST_TOO_LARGE means that nothing else is wrong. */
static enum pst_err
cookie_validate(const struct pst_cookie *cookie, const char **reason)
{
    PST_REQUIRE((size_t)cookie->same_site < PST_COUNT(same_sites));
    *reason = NULL;
    if (!pst_str_is_token(cookie->name))
        *reason = "a cookie's name must be a token (letters, digits and "
                  "!#$%&'*+-.^_`|~)";
    else if (!cookie_is_value(cookie->value))
        *reason =
            "a cookie's value must have only visible ASCII characters but "
            "no quote, comma, semicolon or backslash";
    else
        *reason = cookie_check_attributes(cookie);
    if (!*reason)
        *reason = cookie_check_prefix(cookie);
    if (*reason)
        return PST_MALFORMED;
    if (cookie->name.len > PST_COOKIE_MAX ||
        cookie->value.len > PST_COOKIE_MAX - cookie->name.len)
        *reason = "a cookie's name and value may have 4096 bytes together";
    else if (cookie->path.len > PST_COOKIE_ATTRIBUTE_MAX)
        *reason = "a cookie's path may have 1024 bytes";
    return *reason ? PST_TOO_LARGE : PST_OK;
}

enum pst_err
pst_cookie_check(const struct pst_cookie *cookie, const char **reason)
{
    const char *problem;
    enum pst_err e = cookie_validate(cookie, &problem);

    if (!e)
        return PST_OK;
    *reason = problem;
    return PST_BAD_CONFIG;
}

static void
cookie_emit_attribute(struct pst_buf *buf, const char *name,
                      struct pst_str value)
{
    if (pst_str_is_absent(value))
        return;
    pst_buf_add_string(buf, name);
    pst_buf_add(buf, value);
}

void
pst_cookie_emit(struct pst_buf *buf, const struct pst_cookie *cookie)
{
    const char *reason;
    enum pst_err e = cookie_validate(cookie, &reason);

    if (e) {
        pst_buf_set_error(buf, e);
        return;
    }
    pst_buf_add(buf, cookie->name);
    pst_buf_add_char(buf, '=');
    pst_buf_add(buf, cookie->value);
    cookie_emit_attribute(buf, "; Path=", cookie->path);
    cookie_emit_attribute(buf, "; Domain=", cookie->domain);
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
    cookie_emit_attribute(
        buf, "; SameSite=", pst_str_from(same_sites[cookie->same_site]));
    if (cookie->partitioned)
        pst_buf_add_string(buf, "; Partitioned");
}

void
pst_cookie_emit_clear(struct pst_buf *buf, const struct pst_cookie *cookie)
{
    struct pst_cookie clear = *cookie;

    clear.value = PST_STR("");
    clear.has_max_age = true;
    clear.max_age = 0;
    clear.has_expires = false;
    pst_cookie_emit(buf, &clear);
}

/* What distinguishes cookies in a browser: RFC 6265bis 5.7. */
struct identity {
    struct pst_str name;
    struct pst_str domain;
    struct pst_str path;
    bool partitioned;
};

static struct identity
cookie_parse_identity(struct pst_str line)
{
    const struct pst_str domain = PST_STR("Domain=");
    const struct pst_str path = PST_STR("Path=");
    struct identity identity = {.name = PST_STR("")};
    struct pst_str piece;

    if (pst_str_split(&line, ';', &piece))
        identity.name = pst_str_first(piece, pst_str_index(piece, '='));
    while (pst_str_split(&line, ';', &piece)) {
        piece = pst_str_trim(piece);
        if (pst_str_starts_nocase(piece, domain))
            identity.domain = pst_str_skip(piece, domain.len);
        else if (pst_str_starts_nocase(piece, path))
            identity.path = pst_str_skip(piece, path.len);
        else if (pst_str_equal_nocase(piece, PST_STR("Partitioned")))
            identity.partitioned = true;
    }
    return identity;
}

bool
pst_cookie_is_same(struct pst_str line, struct pst_str other)
{
    struct identity a = cookie_parse_identity(line);
    struct identity b = cookie_parse_identity(other);

    return pst_str_equal(a.name, b.name) &&
           pst_str_equal_nocase(a.domain, b.domain) &&
           pst_str_equal(a.path, b.path) && a.partitioned == b.partitioned;
}

/* SPDX-License-Identifier: ISC */
/*
 * config_check.c - the texts that variables may have.
 */
#include "server/config_check.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/json_text.h"
#include "http/cookie.h"
#include "http/origin.h"
#include "http/redirect.h"

/*
 * Headers that we write ourselves, that belong to the connection, or that
 * make a server do something. A "*" at the end stands for anything.
 */
static const char *const reserved_headers[] = {
    "accept-ranges",
    "access-control-*",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "clear-site-data",
    "connection",
    "content-*",
    "cookie",
    "cross-origin-*",
    "date",
    "etag",
    "expires",
    "host",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "origin",
    "pragma",
    "proxy-*",
    "referrer-policy",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "set-cookie2",
    "status",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "variable-*",
    "vary",
    "via",
    "www-authenticate",
    "x-accel-*",
    "x-cgi-*",
    "x-content-type-options",
    "x-frame-options",
    "x-lighttpd-*",
    "x-sendfile*",
    "x-session-*",
};

const struct pst_text config_passed_headers[CONFIG_PASSED_COUNT] = {
    {"Accept", 6},
    {"Accept-Language", 15},
    {"Accept-Encoding", 15},
    {"Content-Type", 12},
    {"Content-Encoding", 16},
    {"If-None-Match", 13},
    {"If-Modified-Since", 17},
    {"User-Agent", 10},
    {"apollo-require-preflight", 24},
    {"x-apollo-operation-name", 23},
    {"apollographql-client-name", 25},
    {"apollographql-client-version", 28},
    {"graphql-preflight", 17},
    {"vendure-token", 13},
};

/*
 * Request headers that never pass, whatever is configured: secrets of the
 * client's, what belongs to one connection, and what we say ourselves about
 * the client (L15, L16: a backend believes these).
 */
static const char *const unforwarded_headers[] = {
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy",
    "proxy-*",
    "te",
    "trailer",
    "traceparent",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-*",
    "x-real-ip",
    "x-session-*",
};

/* Visible ASCII, without what no URL may hold. */
static bool
is_url_text(struct pst_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' ||
            strchr("\"<>\\^`{|}", text.ptr[i]))
            return false;
    return true;
}

/* A name, an IPv4 address, or an IPv6 address in brackets. */
static bool
is_url_host(struct pst_text host)
{
    bool is_ipv6 = pst_text_starts(host, PST_TEXT("["));

    if (is_ipv6) {
        if (host.len < 4 || !pst_text_ends(host, PST_TEXT("]")))
            return false;
        host = pst_text_from_octet(pst_text_first(host, host.len - 1), 1);
    }
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];

        if (is_ipv6 ? pst_hex_value(c) < 0 && c != ':' && c != '.'
                    : !pst_is_alpha(c) && !pst_is_digit(c) && c != '-' &&
                          c != '.' && c != '_')
            return false;
    }
    return host.len > 0 && host.ptr[0] != '.';
}

/* host, or host:port with a port from 1 to 65535. */
static bool
is_url_authority(struct pst_text authority)
{
    size_t colon = authority.len;
    int64_t port;

    while (colon > 0 && pst_is_digit(authority.ptr[colon - 1]))
        colon--;
    if (colon == 0 || authority.ptr[colon - 1] != ':')
        return is_url_host(authority);
    return pst_text_port(pst_text_from_octet(authority, colon), &port) ==
               PST_OK &&
           is_url_host(pst_text_first(authority, colon - 1));
}

/* The bytes of text before the first one of `ends`. */
static struct pst_text
before_any(struct pst_text text, const char *ends)
{
    size_t len = 0;

    while (len < text.len && !strchr(ends, text.ptr[len]))
        len++;
    return pst_text_first(text, len);
}

/* What stands after "http://" or "https://"; absent without either. */
static struct pst_text
after_scheme(struct pst_text url)
{
    struct pst_text schemes[] = {PST_TEXT("http://"), PST_TEXT("https://")};

    for (size_t i = 0; i < PST_COUNT(schemes); i++)
        if (pst_text_starts(url, schemes[i]))
            return pst_text_from_octet(url, schemes[i].len);
    return PST_NO_TEXT;
}

enum pst_err
config_check_url(struct pst_text value, struct config_why *why)
{
    struct pst_text rest = after_scheme(value);
    struct pst_text authority;

    if (value.len > PST_URL_MAX)
        return config_refuse(why, "is longer than %d octets", PST_URL_MAX);
    if (pst_text_is_absent(rest))
        return config_refuse(why, "does not begin with http:// or https://");
    if (!is_url_text(rest))
        return config_refuse(why, "holds an octet that no URL may hold, such "
                                  "as a space; percent-encode it");
    authority = before_any(rest, "/?#");
    if (pst_text_index(authority, '@') < authority.len)
        return config_refuse(why, "holds a user name or password, which would "
                                  "be sent with every request");
    if (pst_text_index(rest, '#') < rest.len)
        return config_refuse(why, "holds a fragment (#)");
    if (pst_text_index(rest, '?') < rest.len)
        return config_refuse(why, "holds a query (?), which belongs to each "
                                  "request");
    if (!is_url_authority(authority))
        return config_refuse(why, "has no host, or one with a bad name or "
                                  "port");
    return PST_OK;
}

/*
 * Try to write value as a browser would spell its origin: a scheme, all in
 * lower case, no path, no default port.
 */
static bool
canonical_origin(struct pst_text value, struct pst_buf *buf)
{
    struct pst_text origin;
    struct pst_text rest;
    struct pst_text port;

    if (!pst_text_contains(value, PST_TEXT("://")))
        pst_buf_add_string(buf, "https://");
    for (size_t i = 0; i < value.len; i++)
        pst_buf_add_char(buf, pst_lower(value.ptr[i]));
    if (pst_buf_end(buf, &origin) != PST_OK)
        return false;
    rest = after_scheme(origin);
    if (pst_text_is_absent(rest))
        return false;
    origin = pst_text_first(origin, origin.len - rest.len +
                                        before_any(rest, "/?#").len);
    port = pst_text_starts(origin, PST_TEXT("https:")) ? PST_TEXT(":443")
                                                       : PST_TEXT(":80");
    if (pst_text_ends(origin, port))
        origin = pst_text_first(origin, origin.len - port.len);
    pst_buf_cut(buf, origin.len);
    return pst_origin_is_canonical(origin);
}

enum pst_err
config_check_origin(struct pst_text value, struct config_why *why)
{
    char storage[200];
    struct pst_buf buf;

    if (pst_origin_is_canonical(value))
        return PST_OK;
    if (pst_text_equal(value, PST_TEXT("*")) ||
        pst_text_equal_nocase(value, PST_TEXT("null")))
        return config_refuse(why, "names no site: \"*\" and \"null\" would "
                                  "let any page in");
    pst_buf_init(&buf, storage, sizeof(storage));
    if (canonical_origin(value, &buf))
        return config_refuse(
            why, "is no origin as browsers spell it; write %.*s",
            (int)pst_buf_text(&buf).len, pst_buf_text(&buf).ptr);
    return config_refuse(why, "is no origin such as https://shop.example");
}

enum pst_err
config_check_listed_origin(struct pst_text value, struct config_why *why)
{
    return pst_origin_is_app(value) ? PST_OK : config_check_origin(value, why);
}

enum pst_err
config_check_local(struct pst_text value, struct config_why *why)
{
    if (!pst_redirect_is_local(value))
        return config_refuse(why, "is no path on this site such as /login");
    return PST_OK;
}

enum pst_err
config_check_site_name(struct pst_text value, struct config_why *why)
{
    if (value.len > CONFIG_SITE_NAME_MAX)
        return config_refuse(why, "is longer than %d octets",
                             CONFIG_SITE_NAME_MAX);
    if (!pst_text_is_utf8(value))
        return config_refuse(why, "is no UTF-8");
    return PST_OK;
}

/* Lower case, and "-" for "_", as the two meet in CGI. */
static char
header_char(char c)
{
    return c == '_' ? '-' : pst_lower(c);
}

static bool
is_header_like(struct pst_text name, struct pst_text pattern)
{
    bool is_open = pst_text_ends(pattern, PST_TEXT("*"));

    if (is_open)
        pattern = pst_text_first(pattern, pattern.len - 1);
    if (is_open ? name.len < pattern.len : name.len != pattern.len)
        return false;
    for (size_t i = 0; i < pattern.len; i++)
        if (header_char(name.ptr[i]) != header_char(pattern.ptr[i]))
            return false;
    return true;
}

bool
config_is_same_header(struct pst_text a, struct pst_text b)
{
    /* "*" is a tchar; at the end of a name it must not stand for anything. */
    return a.len == b.len && is_header_like(a, b) && is_header_like(b, a);
}

static bool
is_header_in(struct pst_text name, const char *const *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_header_like(name, pst_text_from(patterns[i])))
            return true;
    return false;
}

bool
config_is_passed_header(struct pst_text name)
{
    for (size_t i = 0; i < CONFIG_PASSED_COUNT; i++)
        if (config_is_same_header(name, config_passed_headers[i]))
            return true;
    return config_is_same_header(name, PST_TEXT("tracestate"));
}

enum pst_err
config_check_header(struct pst_text value, struct config_why *why)
{
    if (!pst_text_is_token(value))
        return config_refuse(why, "is no header name");
    return PST_OK;
}

enum pst_err
config_check_token_header(struct pst_text value, struct config_why *why)
{
    enum pst_err e = config_check_header(value, why);

    if (e)
        return e;
    if (is_header_in(value, reserved_headers, PST_COUNT(reserved_headers)))
        return config_refuse(why, "names a header that has another meaning "
                                  "in an answer");
    return PST_OK;
}

enum pst_err
config_check_forward_header(struct pst_text value, struct config_why *why)
{
    enum pst_err e = config_check_header(value, why);

    if (e)
        return e;
    if (is_header_in(value, unforwarded_headers,
                     PST_COUNT(unforwarded_headers)))
        return config_refuse(why, "names %.*s, which is never passed on",
                             (int)value.len, value.ptr);
    return PST_OK;
}

/* Name of GraphQL (October 2021, section 2.1.9). */
static bool
is_graphql_name(struct pst_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!pst_is_alpha(text.ptr[i]) && text.ptr[i] != '_' &&
            (i == 0 || !pst_is_digit(text.ptr[i])))
            return false;
    return text.len > 0;
}

enum pst_err
config_check_field_name(struct pst_text value, struct config_why *why)
{
    if (!is_graphql_name(value))
        return config_refuse(why, "names %.*s, which is no name of a field",
                             (int)value.len, value.ptr);
    return PST_OK;
}

enum pst_err
config_check_root_field(struct pst_text value, struct config_why *why)
{
    size_t dot = pst_text_index(value, '.');
    struct pst_text type = pst_text_first(value, dot);

    if (dot == value.len)
        return config_check_field_name(value, why);
    if (!pst_text_equal(type, PST_TEXT("query")) &&
        !pst_text_equal(type, PST_TEXT("mutation")) &&
        !pst_text_equal(type, PST_TEXT("subscription")))
        return config_refuse(why,
                             "names %.*s, whose type is none of query, "
                             "mutation and subscription",
                             (int)value.len, value.ptr);
    return config_check_field_name(pst_text_from_octet(value, dot + 1), why);
}

enum pst_err
config_check_parameter(struct pst_text value, struct config_why *why)
{
    static const struct pst_text reserved[] = {
        {"query", 5},       {"variables", 9}, {"operationName", 13},
        {"extensions", 10}, {"id", 2},        {"documentId", 10},
        {"doc_id", 6},
    };

    if (!pst_text_is_token(value))
        return config_refuse(why, "names %.*s, which is no parameter's name",
                             (int)value.len, value.ptr);
    for (size_t i = 0; i < PST_COUNT(reserved); i++)
        if (pst_text_equal_nocase(value, reserved[i]))
            return config_refuse(why,
                                 "names %.*s, which is part of the GraphQL "
                                 "request itself",
                                 (int)value.len, value.ptr);
    return PST_OK;
}

enum pst_err
config_check_network(struct pst_text value, struct config_why *why)
{
    size_t slash = pst_text_index(value, '/');
    char string[INET6_ADDRSTRLEN];
    uint8_t address[16];
    int64_t bits = 0;
    int64_t most = 0;

    if (slash < sizeof(string)) {
        memcpy(string, value.ptr, slash);
        string[slash] = '\0';
        if (inet_pton(AF_INET, string, address) == 1)
            most = 32;
        else if (inet_pton(AF_INET6, string, address) == 1)
            most = 128;
    }
    if (slash < value.len &&
        pst_text_number(pst_text_from_octet(value, slash + 1), &bits) != PST_OK)
        most = 0;
    if (most == 0 || bits > most)
        return config_refuse(why,
                             "names %.*s, which is no address such as "
                             "192.0.2.1 or 10.0.0.0/8",
                             (int)value.len, value.ptr);
    return PST_OK;
}

enum pst_err
config_check_pointer(struct pst_text value, struct config_why *why)
{
    struct pst_text rest = value;
    struct pst_text step;

    if (pst_text_starts(value, PST_TEXT("/")))
        return config_refuse(why,
                             "begins with a slash; it is relative to the root "
                             "field of the document: secret, or "
                             "session/secret");
    while (pst_text_cut(&rest, '/', &step))
        if (step.len == 0)
            return config_refuse(why, "has an empty step");
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == '~' &&
            (i + 1 == value.len ||
             (value.ptr[i + 1] != '0' && value.ptr[i + 1] != '1')))
            return config_refuse(why, "has a ~ that is neither ~0 nor ~1");
    return PST_OK;
}

enum pst_err
config_check_place(struct pst_text value, struct config_why *why)
{
    struct pst_text rest =
        pst_text_from_octet(value, pst_text_index(value, ':') + 1);

    if (pst_text_starts(value, PST_TEXT("json:")))
        return config_check_pointer(rest, why);
    if (pst_text_starts(value, PST_TEXT("header:")))
        return config_check_header(rest, why);
    if (pst_text_equal(value, PST_TEXT("cookie")))
        return PST_OK;
    return config_refuse(why, "is none of json:POINTER, header:NAME and "
                              "cookie");
}

enum pst_err
config_check_audience(struct pst_text value, struct config_why *why)
{
    if (value.len > PST_AUDIENCE_MAX)
        return config_refuse(why, "is longer than %d octets", PST_AUDIENCE_MAX);
    return PST_OK;
}

/* Ask http/cookie.c about a cookie that has nothing but what is in question. */
static enum pst_err
check_cookie(const struct pst_cookie *cookie, struct config_why *why)
{
    const char *reason = "";

    if (pst_cookie_check(cookie, &reason) != PST_OK)
        return config_refuse(why, "cannot be written: %s", reason);
    return PST_OK;
}

enum pst_err
config_check_cookie_name(struct pst_text value, struct config_why *why)
{
    struct pst_cookie cookie = {
        .name = value, .value = PST_TEXT(""), .path = PST_TEXT("/")};

    cookie.secure = true;
    cookie.http_only = true;
    return check_cookie(&cookie, why);
}

enum pst_err
config_check_cookie_domain(struct pst_text value, struct config_why *why)
{
    struct pst_cookie cookie = {
        .name = PST_TEXT("a"), .value = PST_TEXT(""), .domain = value};

    return check_cookie(&cookie, why);
}

enum pst_err
config_check_cookie_path(struct pst_text value, struct config_why *why)
{
    struct pst_cookie cookie = {
        .name = PST_TEXT("a"), .value = PST_TEXT(""), .path = value};

    return check_cookie(&cookie, why);
}

enum pst_err
config_check_log(struct pst_text value, struct config_why *why)
{
    if (!pst_text_equal(value, PST_TEXT("stderr")) &&
        !pst_text_starts(value, PST_TEXT("/")))
        return config_refuse(why, "is neither stderr nor an absolute path");
    return PST_OK;
}

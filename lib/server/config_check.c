/* SPDX-License-Identifier: ISC */
/*
 * config_check.c - the texts that variables may have.
 */
#include "server/config_check.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/json_emit.h"
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

const struct pst_str
    config_default_forward_headers[CONFIG_DEFAULT_FORWARD_COUNT] = {
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
static const char *const never_forwarded_headers[] = {
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
has_only_url_characters(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' ||
            strchr("\"<>\\^`{|}", text.ptr[i]))
            return false;
    return true;
}

/* A name, an IPv4 address, or an IPv6 address in brackets. */
static bool
is_url_host(struct pst_str host)
{
    bool is_ipv6 = pst_str_starts(host, PST_STR("["));

    if (is_ipv6) {
        if (host.len < 4 || !pst_str_ends(host, PST_STR("]")))
            return false;
        host = pst_str_skip(pst_str_first(host, host.len - 1), 1);
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
is_url_authority(struct pst_str authority)
{
    size_t colon = authority.len;
    int64_t port;

    while (colon > 0 && pst_is_digit(authority.ptr[colon - 1]))
        colon--;
    if (colon == 0 || authority.ptr[colon - 1] != ':')
        return is_url_host(authority);
    return pst_str_parse_port(pst_str_skip(authority, colon), &port) ==
               PST_OK &&
           is_url_host(pst_str_first(authority, colon - 1));
}

/* The bytes of text before the first one of `ends`. */
static struct pst_str
text_before_any(struct pst_str text, const char *delimiters)
{
    size_t len = 0;

    while (len < text.len && !strchr(delimiters, text.ptr[len]))
        len++;
    return pst_str_first(text, len);
}

/* What stands after "http://" or "https://"; absent without either. */
static struct pst_str
url_after_scheme(struct pst_str url)
{
    struct pst_str schemes[] = {PST_STR("http://"), PST_STR("https://")};

    for (size_t i = 0; i < PST_COUNT(schemes); i++)
        if (pst_str_starts(url, schemes[i]))
            return pst_str_skip(url, schemes[i].len);
    return PST_STR_NONE;
}

enum pst_err
config_check_url(struct pst_str value, struct config_error *error)
{
    struct pst_str rest = url_after_scheme(value);
    struct pst_str authority;

    if (value.len > PST_URL_MAX)
        return config_set_error(error, "is longer than %d octets", PST_URL_MAX);
    if (pst_str_is_absent(rest))
        return config_set_error(error,
                                "does not begin with http:// or https://");
    if (!has_only_url_characters(rest))
        return config_set_error(error,
                                "holds an octet that no URL may hold, such "
                                "as a space; percent-encode it");
    authority = text_before_any(rest, "/?#");
    if (pst_str_index(authority, '@') < authority.len)
        return config_set_error(error,
                                "holds a user name or password, which would "
                                "be sent with every request");
    if (pst_str_index(rest, '#') < rest.len)
        return config_set_error(error, "holds a fragment (#)");
    if (pst_str_index(rest, '?') < rest.len)
        return config_set_error(error,
                                "holds a query (?), which belongs to each "
                                "request");
    if (!is_url_authority(authority))
        return config_set_error(error, "has no host, or one with a bad name or "
                                       "port");
    return PST_OK;
}

/*
 * Try to write value as a browser would spell its origin: a scheme, all in
 * lower case, no path, no default port.
 */
static bool
write_canonical_origin(struct pst_str value, struct pst_buf *buf)
{
    struct pst_str origin;
    struct pst_str rest;
    struct pst_str port;

    if (!pst_str_contains(value, PST_STR("://")))
        pst_buf_add_string(buf, "https://");
    for (size_t i = 0; i < value.len; i++)
        pst_buf_add_char(buf, pst_lower(value.ptr[i]));
    if (pst_buf_finish(buf, &origin) != PST_OK)
        return false;
    rest = url_after_scheme(origin);
    if (pst_str_is_absent(rest))
        return false;
    origin = pst_str_first(origin, origin.len - rest.len +
                                       text_before_any(rest, "/?#").len);
    port = pst_str_starts(origin, PST_STR("https:")) ? PST_STR(":443")
                                                     : PST_STR(":80");
    if (pst_str_ends(origin, port))
        origin = pst_str_first(origin, origin.len - port.len);
    pst_buf_truncate(buf, origin.len);
    return pst_origin_is_canonical(origin);
}

enum pst_err
config_check_origin(struct pst_str value, struct config_error *error)
{
    char storage[200];
    struct pst_buf buf;

    if (pst_origin_is_canonical(value))
        return PST_OK;
    if (pst_str_equal(value, PST_STR("*")) ||
        pst_str_equal_nocase(value, PST_STR("null")))
        return config_set_error(error,
                                "names no site: \"*\" and \"null\" would "
                                "let any page in");
    pst_buf_init(&buf, storage, sizeof(storage));
    if (write_canonical_origin(value, &buf))
        return config_set_error(
            error, "is no origin as browsers spell it; write %.*s",
            (int)pst_buf_str(&buf).len, pst_buf_str(&buf).ptr);
    return config_set_error(error, "is no origin such as https://shop.example");
}

enum pst_err
config_check_listed_origin(struct pst_str value, struct config_error *error)
{
    return pst_origin_is_app(value) ? PST_OK
                                    : config_check_origin(value, error);
}

enum pst_err
config_check_local_path(struct pst_str value, struct config_error *error)
{
    if (!pst_redirect_is_local(value))
        return config_set_error(error,
                                "is no path on this site such as /login");
    return PST_OK;
}

enum pst_err
config_check_site_name(struct pst_str value, struct config_error *error)
{
    if (value.len > CONFIG_SITE_NAME_MAX)
        return config_set_error(error, "is longer than %d octets",
                                CONFIG_SITE_NAME_MAX);
    if (!pst_str_is_utf8(value))
        return config_set_error(error, "is no UTF-8");
    return PST_OK;
}

/* Lower case, and "-" for "_", as the two meet in CGI. */
static char
normalize_header_char(char c)
{
    return c == '_' ? '-' : pst_lower(c);
}

static bool
is_header_matching(struct pst_str name, struct pst_str pattern)
{
    bool is_prefix = pst_str_ends(pattern, PST_STR("*"));

    if (is_prefix)
        pattern = pst_str_first(pattern, pattern.len - 1);
    if (is_prefix ? name.len < pattern.len : name.len != pattern.len)
        return false;
    for (size_t i = 0; i < pattern.len; i++)
        if (normalize_header_char(name.ptr[i]) !=
            normalize_header_char(pattern.ptr[i]))
            return false;
    return true;
}

bool
config_is_same_header(struct pst_str a, struct pst_str b)
{
    /* "*" is a tchar; at the end of a name it must not stand for anything. */
    return a.len == b.len && is_header_matching(a, b) &&
           is_header_matching(b, a);
}

static bool
is_header_matching_any(struct pst_str name, const char *const *patterns,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_header_matching(name, pst_str_from(patterns[i])))
            return true;
    return false;
}

bool
config_is_default_forward_header(struct pst_str name)
{
    for (size_t i = 0; i < CONFIG_DEFAULT_FORWARD_COUNT; i++)
        if (config_is_same_header(name, config_default_forward_headers[i]))
            return true;
    return config_is_same_header(name, PST_STR("tracestate"));
}

enum pst_err
config_check_header(struct pst_str value, struct config_error *error)
{
    if (!pst_str_is_token(value))
        return config_set_error(error, "is no header name");
    return PST_OK;
}

enum pst_err
config_check_token_header(struct pst_str value, struct config_error *error)
{
    enum pst_err e = config_check_header(value, error);

    if (e)
        return e;
    if (is_header_matching_any(value, reserved_headers,
                               PST_COUNT(reserved_headers)))
        return config_set_error(error,
                                "names a header that has another meaning "
                                "in an answer");
    return PST_OK;
}

enum pst_err
config_check_forward_header(struct pst_str value, struct config_error *error)
{
    enum pst_err e = config_check_header(value, error);

    if (e)
        return e;
    if (is_header_matching_any(value, never_forwarded_headers,
                               PST_COUNT(never_forwarded_headers)))
        return config_set_error(error, "names %.*s, which is never passed on",
                                (int)value.len, value.ptr);
    return PST_OK;
}

/* Name of GraphQL (October 2021, section 2.1.9). */
static bool
is_graphql_name(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!pst_is_alpha(text.ptr[i]) && text.ptr[i] != '_' &&
            (i == 0 || !pst_is_digit(text.ptr[i])))
            return false;
    return text.len > 0;
}

enum pst_err
config_check_field_name(struct pst_str value, struct config_error *error)
{
    if (!is_graphql_name(value))
        return config_set_error(error,
                                "names %.*s, which is no name of a field",
                                (int)value.len, value.ptr);
    return PST_OK;
}

enum pst_err
config_check_root_field(struct pst_str value, struct config_error *error)
{
    size_t dot = pst_str_index(value, '.');
    struct pst_str type = pst_str_first(value, dot);

    if (dot == value.len)
        return config_check_field_name(value, error);
    if (!pst_str_equal(type, PST_STR("query")) &&
        !pst_str_equal(type, PST_STR("mutation")) &&
        !pst_str_equal(type, PST_STR("subscription")))
        return config_set_error(error,
                                "names %.*s, whose type is none of query, "
                                "mutation and subscription",
                                (int)value.len, value.ptr);
    return config_check_field_name(pst_str_skip(value, dot + 1), error);
}

enum pst_err
config_check_url_parameter(struct pst_str value, struct config_error *error)
{
    static const struct pst_str reserved[] = {
        {"query", 5},       {"variables", 9}, {"operationName", 13},
        {"extensions", 10}, {"id", 2},        {"documentId", 10},
        {"doc_id", 6},
    };

    if (!pst_str_is_token(value))
        return config_set_error(error,
                                "names %.*s, which is no parameter's name",
                                (int)value.len, value.ptr);
    for (size_t i = 0; i < PST_COUNT(reserved); i++)
        if (pst_str_equal_nocase(value, reserved[i]))
            return config_set_error(error,
                                    "names %.*s, which is part of the GraphQL "
                                    "request itself",
                                    (int)value.len, value.ptr);
    return PST_OK;
}

enum pst_err
config_check_network(struct pst_str value, struct config_error *error)
{
    size_t slash = pst_str_index(value, '/');
    char string[INET6_ADDRSTRLEN];
    uint8_t address[16];
    int64_t bits = 0;
    int64_t max_bits = 0;

    if (slash < sizeof(string)) {
        memcpy(string, value.ptr, slash);
        string[slash] = '\0';
        if (inet_pton(AF_INET, string, address) == 1)
            max_bits = 32;
        else if (inet_pton(AF_INET6, string, address) == 1)
            max_bits = 128;
    }
    if (slash < value.len &&
        pst_str_parse_number(pst_str_skip(value, slash + 1), &bits) != PST_OK)
        max_bits = 0;
    if (max_bits == 0 || bits > max_bits)
        return config_set_error(error,
                                "names %.*s, which is no address such as "
                                "192.0.2.1 or 10.0.0.0/8",
                                (int)value.len, value.ptr);
    return PST_OK;
}

enum pst_err
config_check_pointer(struct pst_str value, struct config_error *error)
{
    struct pst_str rest = value;
    struct pst_str step;

    if (pst_str_starts(value, PST_STR("/")))
        return config_set_error(
            error, "begins with a slash; it is relative to the root "
                   "field of the document: secret, or "
                   "session/secret");
    while (pst_str_split(&rest, '/', &step))
        if (step.len == 0)
            return config_set_error(error, "has an empty step");
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == '~' &&
            (i + 1 == value.len ||
             (value.ptr[i + 1] != '0' && value.ptr[i + 1] != '1')))
            return config_set_error(error, "has a ~ that is neither ~0 nor ~1");
    return PST_OK;
}

enum pst_err
config_check_token_location(struct pst_str value, struct config_error *error)
{
    struct pst_str rest = pst_str_skip(value, pst_str_index(value, ':') + 1);

    if (pst_str_starts(value, PST_STR("json:")))
        return config_check_pointer(rest, error);
    if (pst_str_starts(value, PST_STR("header:")))
        return config_check_header(rest, error);
    if (pst_str_equal(value, PST_STR("cookie")))
        return PST_OK;
    return config_set_error(error, "is none of json:POINTER, header:NAME and "
                                   "cookie");
}

enum pst_err
config_check_audience(struct pst_str value, struct config_error *error)
{
    if (value.len > PST_AUDIENCE_MAX)
        return config_set_error(error, "is longer than %d octets",
                                PST_AUDIENCE_MAX);
    return PST_OK;
}

/* Ask http/cookie.c about a cookie that has nothing but what is in question. */
static enum pst_err
check_cookie_writable(const struct pst_cookie *cookie,
                      struct config_error *error)
{
    const char *message = "";

    if (pst_cookie_check(cookie, &message) != PST_OK)
        return config_set_error(error, "cannot be written: %s", message);
    return PST_OK;
}

enum pst_err
config_check_cookie_name(struct pst_str value, struct config_error *error)
{
    struct pst_cookie cookie = {
        .name = value, .value = PST_STR(""), .path = PST_STR("/")};

    cookie.secure = true;
    cookie.http_only = true;
    return check_cookie_writable(&cookie, error);
}

enum pst_err
config_check_cookie_domain(struct pst_str value, struct config_error *error)
{
    struct pst_cookie cookie = {
        .name = PST_STR("a"), .value = PST_STR(""), .domain = value};

    return check_cookie_writable(&cookie, error);
}

enum pst_err
config_check_cookie_path(struct pst_str value, struct config_error *error)
{
    struct pst_cookie cookie = {
        .name = PST_STR("a"), .value = PST_STR(""), .path = value};

    return check_cookie_writable(&cookie, error);
}

enum pst_err
config_check_log_target(struct pst_str value, struct config_error *error)
{
    if (!pst_str_equal(value, PST_STR("stderr")) &&
        !pst_str_starts(value, PST_STR("/")))
        return config_set_error(error,
                                "is neither stderr nor an absolute path");
    return PST_OK;
}

/* SPDX-License-Identifier: ISC */
/*
 * config_texts.c - check and read URLs, origins, paths, addresses and other
 * texts.
 */
#include "server/config_texts.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "http/origin.h"
#include "http/redirect.h"

#define UNIX_PATH_MAX 107 /* bytes: sun_path of unix(7), without its NUL */

/* Only printable ASCII that may stand in a URL (RFC 3986 section 2)? */
static bool
has_only_url_characters(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' ||
            strchr("\"<>\\^`{|}", text.ptr[i]))
            return false;
    return true;
}

/* Is it a host name, an IPv4 address, or an IPv6 address in brackets? */
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

/* Is it host, or host:port with a port from 1 to 65535? */
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

/* The bytes of text before the first of the delimiters. */
static struct pst_str
text_before_any(struct pst_str text, const char *delimiters)
{
    size_t len = 0;

    while (len < text.len && !strchr(delimiters, text.ptr[len]))
        len++;
    return pst_str_first(text, len);
}

/* The rest after "http://" or "https://"; absent if neither is there. */
static struct pst_str
url_after_scheme(struct pst_str url)
{
    struct pst_str schemes[] = {PST_STR("http://"), PST_STR("https://")};

    for (size_t i = 0; i < PST_COUNT(schemes); i++)
        if (pst_str_starts(url, schemes[i]))
            return pst_str_skip(url, schemes[i].len);
    return PST_STR_NONE;
}

/* "unix:/run/api.sock:/graphql", or without a path in the URL. */
static enum pst_err
check_unix_url(struct pst_str value, struct config_error *error)
{
    struct pst_str rest = pst_str_skip(value, PST_STR("unix:").len);
    size_t len = pst_str_index(rest, ':');
    struct pst_str path = pst_str_skip(rest, len + 1);

    if (!pst_str_starts(rest, PST_STR("/")) || len > UNIX_PATH_MAX ||
        (path.len > 0 && path.ptr[0] != '/'))
        return config_set_error(error,
                                "must name a socket by an absolute path of at "
                                "most %d bytes, and then the path of the URL: "
                                "unix:/run/api.sock:/graphql",
                                UNIX_PATH_MAX);
    if (pst_str_index(path, '?') < path.len ||
        pst_str_index(path, '#') < path.len)
        return config_set_error(error, "contains a query (?) or a fragment "
                                       "(#): remove it");
    return PST_OK;
}

enum pst_err
config_check_url(struct pst_str value, struct config_error *error)
{
    struct pst_str rest = url_after_scheme(value);
    struct pst_str authority;

    if (value.len > PST_URL_MAX)
        return config_set_error(error, "is longer than %d bytes", PST_URL_MAX);
    if (pst_str_starts(value, PST_STR("unix:")))
        rest = value;
    if (pst_str_is_absent(rest))
        return config_set_error(
            error, "must begin with http:// or https://, or be like "
                   "unix:/run/api.sock:/graphql");
    if (!has_only_url_characters(rest))
        return config_set_error(error,
                                "contains a character that is not allowed in "
                                "a URL, such as a space: percent-encode it");
    if (pst_str_starts(value, PST_STR("unix:")))
        return check_unix_url(value, error);
    authority = text_before_any(rest, "/?#");
    if (pst_str_index(authority, '@') < authority.len)
        return config_set_error(error,
                                "contains a user name or password, which "
                                "would be sent with every request: remove it");
    if (pst_str_index(rest, '#') < rest.len)
        return config_set_error(error, "contains a fragment (#): remove it");
    if (pst_str_index(rest, '?') < rest.len)
        return config_set_error(error,
                                "contains a query (?): remove it, because "
                                "each request has its own");
    if (!is_url_authority(authority))
        return config_set_error(error,
                                "has no host, or a host name or port that is "
                                "not valid");
    return PST_OK;
}

/*
 * Try to write value as a browser writes its origin: with a scheme, in lower
 * case, without a path and without the default port.
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
                                "is not one site: \"*\" and \"null\" would "
                                "allow every page");
    pst_buf_init(&buf, storage, sizeof(storage));
    if (write_canonical_origin(value, &buf))
        return config_set_error(
            error, "is not written as browsers write it: set it to %.*s",
            (int)pst_buf_str(&buf).len, pst_buf_str(&buf).ptr);
    return config_set_error(
        error, "is not an origin: write it like https://shop.example");
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
        return config_set_value_error(
            error, value, "is not a path on this site: write it like /login");
    return PST_OK;
}

enum pst_err
config_check_link(struct pst_str value, struct config_error *error)
{
    struct pst_str scheme = PST_STR("https://");
    struct pst_str rest = pst_str_skip(value, scheme.len);

    if (value.len > CONFIG_LINK_MAX)
        return config_set_error(error,
                                "is longer than %d bytes: use a shorter "
                                "one that redirects to it",
                                CONFIG_LINK_MAX);
    if (pst_redirect_is_local(value))
        return PST_OK;
    if (!pst_str_starts(value, scheme) || !has_only_url_characters(rest) ||
        !is_url_authority(text_before_any(rest, "/?#")))
        return config_set_value_error(
            error, value,
            "is neither a path on this site nor an https:// URL: write it like "
            "/register or https://shop.example/register");
    return PST_OK;
}

enum pst_err
config_check_site_name(struct pst_str value, struct config_error *error)
{
    if (value.len > CONFIG_SITE_NAME_MAX)
        return config_set_error(error, "is longer than %d bytes",
                                CONFIG_SITE_NAME_MAX);
    if (!pst_str_is_utf8(value))
        return config_set_error(error, "is not UTF-8 text");
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
        return config_set_value_error(
            error, value,
            "is not an IP address or network: write it like 192.0.2.1 or "
            "10.0.0.0/8");
    return PST_OK;
}

enum pst_err
config_check_audience(struct pst_str value, struct config_error *error)
{
    if (value.len > PST_AUDIENCE_MAX)
        return config_set_error(error, "is longer than %d bytes",
                                PST_AUDIENCE_MAX);
    return PST_OK;
}

enum pst_err
config_check_log_target(struct pst_str value, struct config_error *error)
{
    if (!pst_str_equal(value, PST_STR("stderr")) &&
        !pst_str_equal(value, PST_STR("syslog")) &&
        !pst_str_equal(value, PST_STR("journald")) &&
        !pst_str_starts(value, PST_STR("/")))
        return config_set_error(error,
                                "must be stderr, syslog, journald or the "
                                "absolute path of a file");
    return PST_OK;
}

enum pst_err
config_read_text(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_str value)
{
    struct pst_str *field = config_get_field(reader, entry);
    enum pst_err e = entry->check(value, &reader->error);

    if (e)
        return e;
    *field = value;
    return PST_OK;
}

enum pst_err
config_read_lower_case(struct config_reader *reader,
                       const struct config_entry *entry, struct pst_str value)
{
    char *lower = pst_arena_alloc(reader->arena, value.len);

    if (!lower)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < value.len; i++)
        lower[i] = pst_lower(value.ptr[i]);
    value.ptr = lower;
    config_set_display(reader, entry, value);
    return config_read_text(reader, entry, value);
}

enum pst_err
config_read_string(struct config_reader *reader,
                   const struct config_entry *entry, struct pst_str value)
{
    const char **field = config_get_field(reader, entry);
    enum pst_err e = entry->check(value, &reader->error);

    if (e)
        return e;
    *field = value.ptr; /* a NUL follows, as config_read_fn promises */
    return PST_OK;
}

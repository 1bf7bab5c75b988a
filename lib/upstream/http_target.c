/* SPDX-License-Identifier: ISC */
/*
 * http_target.c - check the options of an HTTP client, take its URL apart, and
 * keep a copy of them.
 */
#include "upstream/http_target.h"

#include <string.h>

#include "base/limits.h"

#define SECOND INT64_C(1000)      /* milliseconds */
#define TIMEOUT_MAX (86400 * 365) /* seconds */
#define HOST_MAX 255              /* bytes: RFC 1035 section 2.3.4 */

static bool
is_valid_timeout(int64_t seconds)
{
    return seconds > 0 && seconds <= TIMEOUT_MAX;
}

static bool
are_options_valid(const struct http_client_options *options)
{
    struct pst_str url = options->url;

    return url.len <= PST_URL_MAX && pst_str_is_field_value(url) &&
           pst_str_index(url, '#') == url.len &&
           is_valid_timeout(options->connect_timeout) &&
           is_valid_timeout(options->first_byte_timeout) &&
           is_valid_timeout(options->between_bytes_timeout) &&
           (options->total_timeout == 0 ||
            is_valid_timeout(options->total_timeout));
}

/* Printable ASCII: nothing that could end the request line early. */
static bool
is_valid_path(struct pst_str path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] <= ' ' || path.ptr[i] > '~')
            return false;
    return true;
}

/* A host name or an IPv4 address, or an IPv6 address in brackets. */
static bool
is_valid_host(struct pst_str host, bool is_bracketed)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];

        if (is_bracketed ? pst_hex_value(c) < 0 && c != ':' && c != '.'
                         : !pst_is_alpha(c) && !pst_is_digit(c) && c != '-' &&
                               c != '.' && c != '_')
            return false;
    }
    return host.len > 0 && host.len <= HOST_MAX;
}

/* Set path; one that is empty or a query string only has a slash before it. */
static enum pst_err
set_path(struct http_target *target, struct pst_str path)
{
    bool has_slash = pst_str_starts(path, PST_STR("/"));

    if (!is_valid_path(path))
        return PST_BAD_CONFIG;
    return asprintf(&target->path, "%s%.*s", has_slash ? "" : "/",
                    (int)path.len, path.ptr) < 0
               ? PST_NO_MEMORY
               : PST_OK;
}

static enum pst_err
set_port(struct http_target *target, struct pst_str digits)
{
    int64_t port = 80;

    if (!pst_str_is_absent(digits) &&
        pst_str_parse_port(digits, &port) != PST_OK)
        return PST_BAD_CONFIG;
    (void)snprintf(target->port, sizeof(target->port), "%d", (int)port);
    return PST_OK;
}

bool
http_target_split_authority(struct pst_str authority, struct pst_str *host,
                            struct pst_str *port)
{
    bool is_bracketed = pst_str_starts(authority, PST_STR("["));
    size_t end = pst_str_index(authority, is_bracketed ? ']' : ':');
    struct pst_str rest = pst_str_skip(authority, end + is_bracketed);

    *host = pst_str_skip(pst_str_first(authority, end), is_bracketed);
    *port = rest.len > 1 ? pst_str_skip(rest, 1) : PST_STR_NONE;
    return is_valid_host(*host, is_bracketed) &&
           !(is_bracketed && end == authority.len) &&
           (rest.len == 0 || rest.ptr[0] == ':');
}

/*
 * Take the host and the port apart.
 *   authority  what is between "http://" and the path
 */
static enum pst_err
set_host(struct http_target *target, struct pst_str authority)
{
    bool is_bracketed = pst_str_starts(authority, PST_STR("["));
    struct pst_str host;
    struct pst_str port;
    enum pst_err e;

    if (!http_target_split_authority(authority, &host, &port))
        return PST_BAD_CONFIG;
    e = set_port(target, port);
    if (e)
        return e;
    target->host = strndup(host.ptr, host.len);
    /* A default port is left out of Host, as browsers do. */
    if (strcmp(target->port, "80") == 0)
        authority = pst_str_first(authority,
                                  host.len + (is_bracketed ? strlen("[]") : 0));
    target->authority = strndup(authority.ptr, authority.len);
    if (!target->host || !target->authority)
        return PST_NO_MEMORY;
    target->has_fixed_address =
        socket_address_parse(&target->address, target->host, target->port);
    return is_bracketed && !target->has_fixed_address ? PST_BAD_CONFIG : PST_OK;
}

/* "http://host:port/path" */
static enum pst_err
parse_plain_url(struct http_target *target, struct pst_str url)
{
    struct pst_str rest = pst_str_skip(url, PST_STR("http://").len);
    size_t end = pst_str_index(rest, '/');
    size_t question = pst_str_index(rest, '?');
    enum pst_err e;

    if (question < end)
        end = question;
    e = set_host(target, pst_str_first(rest, end));
    return e ? e : set_path(target, pst_str_skip(rest, end));
}

/* "unix:/run/api.sock:/path", or without a path */
static enum pst_err
parse_unix_url(struct http_target *target, struct pst_str url)
{
    struct pst_str rest = pst_str_skip(url, PST_STR("unix:").len);
    size_t end = pst_str_index(rest, ':');
    char *file = strndup(rest.ptr, end);
    bool is_valid;

    if (!file)
        return PST_NO_MEMORY;
    is_valid =
        file[0] == '/' && socket_address_set_path(&target->address, file);
    free(file);
    rest = pst_str_skip(rest, end + 1);
    if (!is_valid || (rest.len > 0 && rest.ptr[0] != '/'))
        return PST_BAD_CONFIG;
    target->has_fixed_address = true;
    target->authority = strdup("localhost");
    return target->authority ? set_path(target, rest) : PST_NO_MEMORY;
}

static enum pst_err
parse_url(struct http_target *target, struct pst_str url)
{
    if (pst_str_starts_nocase(url, PST_STR("https://"))) {
        target->scheme = HTTP_SCHEME_TLS;
        return PST_OK;
    }
    if (pst_str_starts_nocase(url, PST_STR("http://"))) {
        target->scheme = HTTP_SCHEME_PLAIN;
        return parse_plain_url(target, url);
    }
    target->scheme = HTTP_SCHEME_UNIX;
    return pst_str_starts(url, PST_STR("unix:")) ? parse_unix_url(target, url)
                                                 : PST_BAD_CONFIG;
}

enum pst_err
http_target_init(struct http_target *target,
                 const struct http_client_options *options)
{
    enum pst_err e;

    *target = (struct http_target){.url = NULL};
    if (!are_options_valid(options))
        return PST_BAD_CONFIG;
    target->connect_timeout = options->connect_timeout * SECOND;
    target->first_byte_timeout = options->first_byte_timeout * SECOND;
    target->between_bytes_timeout = options->between_bytes_timeout * SECOND;
    target->total_timeout = options->total_timeout * SECOND;
    e = parse_url(target, options->url);
    if (e)
        return e;
    target->url = strndup(options->url.ptr, options->url.len);
    target->ca = options->ca ? strdup(options->ca) : NULL;
    return target->url && (target->ca || !options->ca) ? PST_OK : PST_NO_MEMORY;
}

void
http_target_fini(struct http_target *target)
{
    free(target->url);
    free(target->ca);
    free(target->host);
    free(target->path);
    free(target->authority);
    *target = (struct http_target){.url = NULL};
}

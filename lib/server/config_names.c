/* SPDX-License-Identifier: ISC */
/*
 * config_names.c - check and read names of headers, GraphQL fields and URL
 * parameters, and pointers to fields.
 */
#include "server/config_names.h"

#include "base/buffer.h"
#include "server/config_backend.h"
#include "server/config_values.h"

/*
 * Response headers that must not be used for a token: those that we set
 * ourselves, that belong to the connection, or that make a web server do
 * something. A "*" at the end matches any rest.
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
 * Request headers that are never forwarded, whatever is configured: the
 * client's secrets, what belongs to one connection, and the headers that tell
 * the backend who the client is. The backend trusts the last ones, so a client
 * must not be able to set them.
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

/* Lower case, and "-" for "_": in CGI both become "_". */
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
    /* "*" may be part of a name, where it must not match other names. */
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
        return config_set_value_error(error, value,
                                      "is not the name of a header");
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
        return config_set_value_error(
            error, value,
            "is a header with another meaning in a response: choose another "
            "name");
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
        return config_set_value_error(
            error, value, "is a header that is never forwarded: remove it");
    return PST_OK;
}

/* Is it a Name of GraphQL (October 2021, section 2.1.9)? */
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
        return config_set_value_error(error, value,
                                      "is not the name of a GraphQL field");
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
        return config_set_value_error(
            error, value, "must begin with query., mutation. or subscription.");
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
        return config_set_value_error(error, value,
                                      "is not the name of a URL parameter");
    for (size_t i = 0; i < PST_COUNT(reserved); i++)
        if (pst_str_equal_nocase(value, reserved[i]))
            return config_set_value_error(
                error, value,
                "is part of the GraphQL request itself: remove it");
    return PST_OK;
}

enum pst_err
config_check_pointer(struct pst_str value, struct config_error *error)
{
    struct pst_str rest = value;
    struct pst_str step;

    if (pst_str_starts(value, PST_STR("/")))
        return config_set_value_error(
            error, value,
            "must not begin with a slash: it is relative to the root field of "
            "the document, such as secret or session/secret");
    while (pst_str_split(&rest, '/', &step))
        if (step.len == 0)
            return config_set_value_error(
                error, value, "has an empty step: remove one of the slashes");
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == '~' &&
            (i + 1 == value.len ||
             (value.ptr[i + 1] != '0' && value.ptr[i + 1] != '1')))
            return config_set_value_error(
                error, value, "has a ~: write ~0 for ~, and ~1 for /");
    return PST_OK;
}

/* Turn "a/b" into "/a/b". */
static enum pst_err
build_json_pointer(struct config_reader *reader, struct pst_str value,
                   struct pst_str *out)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, reader->arena, 1 + value.len);
    pst_buf_add_char(&buf, '/');
    pst_buf_add(&buf, value);
    return pst_buf_finish(&buf, out);
}

enum pst_err
config_read_pointer(struct config_reader *reader,
                    const struct config_entry *entry, struct pst_str value)
{
    struct pst_str *field = config_get_field(reader, entry);
    enum pst_err e = entry->check(value, &reader->error);

    return e ? e : build_json_pointer(reader, value, field);
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
    return config_set_value_error(
        error, value, "is not one of: json:POINTER, header:NAME, cookie");
}

enum pst_err
config_read_token_location(struct config_reader *reader,
                           const struct config_entry *entry,
                           struct pst_str value)
{
    unsigned *field = config_get_field(reader, entry);
    struct pst_str *name = config_get_second_field(reader, entry);
    size_t colon = pst_str_index(value, ':');
    const struct config_keyword *keyword;
    enum pst_err e;

    e = entry->check(value, &reader->error);
    if (e)
        return e;
    keyword = config_find_keyword(entry, pst_str_first(value, colon));
    PST_REQUIRE(keyword != NULL); /* the check allows only these */
    *field = keyword->value;
    value = pst_str_skip(value, colon + 1);
    if (keyword->value == TOKEN_IN_JSON && value.len > 0)
        return build_json_pointer(reader, value, name);
    *name = value;
    return PST_OK;
}

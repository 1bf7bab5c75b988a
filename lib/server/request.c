/* SPDX-License-Identifier: ISC */
/*
 * request.c - what a web server tells about a request, believed only as far
 * as it is well-formed, and the body as a stream that ends where it must.
 */
#include "server/request.h"

#include <stdatomic.h>
#include <string.h>

#include "base/buffer.h"
#include "http/origin.h"

/* Bytes asked of the source at a time when reading ahead. */
#define READ_CHUNK_SIZE ((size_t)16 * 1024)

/* "https://", 253 bytes of host, ":65535": RFC 1035 section 2.3.4. */
#define ORIGIN_MAX 300

/*
 * The variables we rely on. A client can make two of one name, by two
 * headers that differ only in "-" and "_", and every program along the way
 * could believe the other one (L16, L17): so none may stand twice.
 */
enum known_variable {
    REQUEST_METHOD,
    QUERY_STRING,
    PATH_INFO,
    CONTENT_TYPE,
    CONTENT_LENGTH,
    REMOTE_ADDR,
    HTTPS,
    REQUEST_SCHEME,
    SERVER_NAME,
    SERVER_PORT,
    HTTP_HOST,
    HTTP_COOKIE,
    HTTP_AUTHORIZATION,
    HTTP_ORIGIN,
    HTTP_REFERER,
    HTTP_SEC_FETCH_SITE,
    HTTP_SEC_FETCH_MODE,
    HTTP_ACCEPT,
    KNOWN_VARIABLE_COUNT
};

static const char *const known_variable_names[KNOWN_VARIABLE_COUNT] = {
    [REQUEST_METHOD] = "REQUEST_METHOD",
    [QUERY_STRING] = "QUERY_STRING",
    [PATH_INFO] = "PATH_INFO",
    [CONTENT_TYPE] = "CONTENT_TYPE",
    [CONTENT_LENGTH] = "CONTENT_LENGTH",
    [REMOTE_ADDR] = "REMOTE_ADDR",
    [HTTPS] = "HTTPS",
    [REQUEST_SCHEME] = "REQUEST_SCHEME",
    [SERVER_NAME] = "SERVER_NAME",
    [SERVER_PORT] = "SERVER_PORT",
    [HTTP_HOST] = "HTTP_HOST",
    [HTTP_COOKIE] = "HTTP_COOKIE",
    [HTTP_AUTHORIZATION] = "HTTP_AUTHORIZATION",
    [HTTP_ORIGIN] = "HTTP_ORIGIN",
    [HTTP_REFERER] = "HTTP_REFERER",
    [HTTP_SEC_FETCH_SITE] = "HTTP_SEC_FETCH_SITE",
    [HTTP_SEC_FETCH_MODE] = "HTTP_SEC_FETCH_MODE",
    [HTTP_ACCEPT] = "HTTP_ACCEPT",
};

/* A server that tells of no variables at all. */
static const char *const no_variables[] = {NULL};

/* The value of "NAME=value" when it has this name, else absent. */
static struct pst_str
match_variable(const char *variable, const char *name)
{
    size_t len = strlen(name);

    if (strncmp(variable, name, len) != 0 || variable[len] != '=')
        return PST_STR_NONE;
    return pst_str_from(variable + len + 1);
}

/* The first of each; PST_DUPLICATE when there is a second one. */
static enum pst_err
request_collect_variables(const char *const *variables,
                          struct pst_str found[KNOWN_VARIABLE_COUNT])
{
    enum pst_err e = PST_OK;

    for (; *variables; variables++) {
        for (size_t i = 0; i < KNOWN_VARIABLE_COUNT; i++) {
            struct pst_str value =
                match_variable(*variables, known_variable_names[i]);

            if (pst_str_is_absent(value))
                continue;
            if (pst_str_is_absent(found[i]))
                found[i] = value;
            else
                e = PST_DUPLICATE;
            break;
        }
    }
    return e;
}

static enum pst_err
request_set_method(struct request *req, struct pst_str method)
{
    req->method = PST_STR("");
    if (!pst_str_is_token(method))
        return PST_MALFORMED;
    req->method = method;
    return PST_OK;
}

static enum pst_err
request_set_content_length(struct request *req, struct pst_str length)
{
    int64_t number;
    enum pst_err e;

    req->content_length = -1;
    if (req->authorizer) {
        /* The body belongs to the program behind us; we are given none. */
        req->content_length = 0;
        return PST_OK;
    }
    if (length.len == 0)
        return PST_OK;
    e = pst_str_parse_number(length, &number);
    if (e)
        return e;
    req->content_length = number;
    return number > req->max_body ? PST_TOO_LARGE : PST_OK;
}

static void
request_set_id(struct request *req,
               const uint8_t bytes[static REQUEST_ID_LEN / 2])
{
    for (size_t i = 0; i < REQUEST_ID_LEN / 2; i++) {
        req->id[2 * i] = pst_hex_digit(bytes[i] >> 4);
        req->id[2 * i + 1] = pst_hex_digit(bytes[i]);
    }
    req->id[REQUEST_ID_LEN] = '\0';
}

enum pst_err
request_init(struct request *req, struct pst_arena *arena,
             const struct request_input *origin,
             const uint8_t random[static REQUEST_RANDOM_LEN])
{
    struct pst_str found[KNOWN_VARIABLE_COUNT] = {PST_STR_NONE};
    enum pst_err duplicate;
    enum pst_err method;
    enum pst_err length;

    memset(req, 0, sizeof(*req));
    req->arena = arena;
    req->variables = origin->variables ? origin->variables : no_variables;
    req->authorizer = origin->authorizer;
    req->source = origin->source;
    req->max_body = origin->max_body;
    req->max_held = origin->max_held;
    request_set_id(req, random);
    memcpy(req->trace, random + REQUEST_ID_LEN / 2, REQUEST_TRACE_LEN);

    duplicate = request_collect_variables(req->variables, found);
    method = request_set_method(req, found[REQUEST_METHOD]);
    length = request_set_content_length(req, found[CONTENT_LENGTH]);
    req->query = found[QUERY_STRING];
    req->path_info = found[PATH_INFO];
    req->content_type = found[CONTENT_TYPE];
    req->remote_addr = found[REMOTE_ADDR];
    req->cookie = found[HTTP_COOKIE];
    req->authorization = found[HTTP_AUTHORIZATION];
    req->origin = found[HTTP_ORIGIN];
    req->referer = found[HTTP_REFERER];
    req->sec_fetch_site = found[HTTP_SEC_FETCH_SITE];
    req->sec_fetch_mode = found[HTTP_SEC_FETCH_MODE];
    req->accept = found[HTTP_ACCEPT];

    if (duplicate)
        return duplicate;
    return method ? method : length;
}

struct pst_str
request_variable(const struct request *req, const char *name)
{
    for (const char *const *v = req->variables; *v; v++) {
        struct pst_str value = match_variable(*v, name);

        if (!pst_str_is_absent(value))
            return value;
    }
    return PST_STR_NONE;
}

/* What RFC 3875 section 4.1.18 makes of one character of a header's name. */
static char
cgi_variable_char(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return c == '-' ? '_' : c;
}

static struct pst_str
match_header_variable(const char *variable, struct pst_str name)
{
    if (strncmp(variable, "HTTP_", 5) != 0)
        return PST_STR_NONE;
    variable += 5;
    for (size_t i = 0; i < name.len; i++) {
        /* A variable that ends early differs in its NUL. */
        if (variable[i] != cgi_variable_char(name.ptr[i]))
            return PST_STR_NONE;
    }
    if (variable[name.len] != '=')
        return PST_STR_NONE;
    return pst_str_from(variable + name.len + 1);
}

struct pst_str
request_header(const struct request *req, struct pst_str name)
{
    struct pst_str found = PST_STR_NONE;

    if (!pst_str_is_token(name))
        return PST_STR_NONE;
    if (pst_str_equal_nocase(name, PST_STR("Content-Type")))
        return req->content_type;
    if (pst_str_equal_nocase(name, PST_STR("Content-Length")))
        return request_variable(req, "CONTENT_LENGTH");
    for (const char *const *v = req->variables; *v; v++) {
        struct pst_str value = match_header_variable(*v, name);

        if (pst_str_is_absent(value))
            continue;
        if (!pst_str_is_absent(found))
            return PST_STR_NONE;
        found = value;
    }
    return found;
}

bool
request_has_method(const struct request *req, const char *methods)
{
    struct pst_str rest = pst_str_from(methods);
    struct pst_str method;

    while (pst_str_next_token(&rest, ", ", &method)) {
        if (pst_str_equal(method, req->method))
            return true;
    }
    return false;
}

bool
request_has_safe_method(const struct request *req)
{
    return request_has_method(req, "GET, HEAD, OPTIONS");
}

/* The part before the first c, trimmed. */
static struct pst_str
trimmed_before(struct pst_str text, char c)
{
    return pst_str_trim(pst_str_first(text, pst_str_index(text, c)));
}

struct pst_str
request_media_type(const struct request *req)
{
    struct pst_str type = trimmed_before(req->content_type, ';');
    size_t slash = pst_str_index(type, '/');

    if (slash == type.len || !pst_str_is_token(pst_str_first(type, slash)) ||
        !pst_str_is_token(pst_str_skip(type, slash + 1)))
        return PST_STR_NONE;
    return type;
}

/* "q=0", "q=0.", "q=0.000": not wanted at all (RFC 9110 section 12.4.2). */
static bool
is_zero_quality(struct pst_str parameter)
{
    parameter = pst_str_trim(parameter);
    if (!pst_str_starts_nocase(parameter, PST_STR("q=0")))
        return false;
    for (size_t i = 3; i < parameter.len; i++) {
        if (parameter.ptr[i] != '.' && parameter.ptr[i] != '0')
            return false;
    }
    return true;
}

static bool
is_html_accepted(struct pst_str accept)
{
    struct pst_str range;

    while (pst_str_split(&accept, ',', &range)) {
        struct pst_str parameter;
        bool is_accepted = true;

        if (!pst_str_equal_nocase(trimmed_before(range, ';'),
                                  PST_STR("text/html")))
            continue;
        while (pst_str_split(&range, ';', &parameter))
            is_accepted = is_accepted && !is_zero_quality(parameter);
        if (is_accepted)
            return true;
    }
    return false;
}

bool
request_has_utf8_charset(const struct request *req)
{
    struct pst_str rest = req->content_type;
    struct pst_str piece;

    while (pst_str_split(&rest, ';', &piece)) {
        size_t equals = pst_str_index(piece, '=');
        struct pst_str name = pst_str_trim(pst_str_first(piece, equals));
        struct pst_str value = pst_str_trim(pst_str_skip(piece, equals + 1));

        if (pst_str_equal_nocase(name, PST_STR("charset")) &&
            !pst_str_equal_nocase(value, PST_STR("utf-8")) &&
            !pst_str_equal_nocase(value, PST_STR("\"utf-8\"")))
            return false;
    }
    return true;
}

enum request_content_coding
request_content_coding(const struct request *req)
{
    struct pst_str coding =
        pst_str_trim(request_header(req, PST_STR("Content-Encoding")));

    if (coding.len == 0 || pst_str_equal_nocase(coding, PST_STR("identity")))
        return CONTENT_CODING_NONE;
    if (pst_str_equal_nocase(coding, PST_STR("gzip")) ||
        pst_str_equal_nocase(coding, PST_STR("x-gzip")))
        return CONTENT_CODING_GZIP;
    return CONTENT_CODING_OTHER;
}

bool
request_is_navigation(const struct request *req)
{
    if (!pst_str_is_absent(req->sec_fetch_mode))
        return pst_str_equal(req->sec_fetch_mode, PST_STR("navigate"));
    return is_html_accepted(req->accept);
}

static bool
request_is_https(const struct request *req)
{
    struct pst_str https = request_variable(req, "HTTPS");

    if (pst_str_equal_nocase(https, PST_STR("on")) ||
        pst_str_equal(https, PST_STR("1")))
        return true;
    return pst_str_equal_nocase(request_variable(req, "REQUEST_SCHEME"),
                                PST_STR("https"));
}

/* "[::1]" without its brackets; any other host as it is. */
static struct pst_str
strip_host_brackets(struct pst_str host)
{
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        return (struct pst_str){host.ptr + 1, host.len - 2};
    return host;
}

/*
 * The port in a Host line, where its host is the given one: `usual` when it
 * names none. A line that says nothing sound is no witness.
 */
static bool
parse_host_header_port(struct pst_str line, struct pst_str host,
                       int64_t default_port, int64_t *port)
{
    size_t colon = pst_str_index(line, ':');

    if (pst_str_starts(line, PST_STR("["))) {
        colon = pst_str_index(line, ']');
        if (colon < line.len)
            colon++;
    }
    if (!pst_str_equal_nocase(strip_host_brackets(pst_str_first(line, colon)),
                              host))
        return false;
    if (line.len - colon <= 1) {
        *port = default_port;
        return colon == line.len || line.ptr[colon] == ':';
    }
    return line.ptr[colon] == ':' &&
           pst_str_parse_port(pst_str_skip(line, colon + 1), port) == PST_OK;
}

static struct pst_str
request_emit_origin(const struct request *req, struct pst_str host,
                    int64_t port)
{
    bool is_ipv6 = pst_str_index(host, ':') < host.len;
    struct pst_str out;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, req->arena, ORIGIN_MAX);
    pst_buf_add_string(&buf, request_is_https(req) ? "https://" : "http://");
    pst_buf_add_string(&buf, is_ipv6 ? "[" : "");
    for (size_t i = 0; i < host.len; i++)
        pst_buf_add_char(&buf, pst_lower(host.ptr[i]));
    pst_buf_add_string(&buf, is_ipv6 ? "]" : "");
    if (port != (request_is_https(req) ? 443 : 80)) {
        pst_buf_add_char(&buf, ':');
        pst_buf_add_number(&buf, port);
    }
    if (pst_buf_finish(&buf, &out) != PST_OK)
        return PST_STR_NONE;
    return out;
}

struct pst_str
request_own_origin(const struct request *req, struct pst_str configured)
{
    struct pst_str host =
        strip_host_brackets(request_variable(req, "SERVER_NAME"));
    struct pst_str own = configured;
    int64_t port;

    if (pst_str_is_absent(configured)) {
        if (host.len == 0)
            return PST_STR_NONE;
        if (!parse_host_header_port(request_variable(req, "HTTP_HOST"), host,
                                    request_is_https(req) ? 443 : 80, &port) &&
            pst_str_parse_port(request_variable(req, "SERVER_PORT"), &port) !=
                PST_OK)
            return PST_STR_NONE;
        own = request_emit_origin(req, host, port);
    }
    return pst_origin_is_canonical(own) ? own : PST_STR_NONE;
}

/* Bytes of body still to come from the source, as far as that is known. */
static int64_t
request_body_bytes_left(const struct request *req)
{
    return req->content_length < 0 ? INT64_MAX
                                   : req->content_length - req->body_read;
}

static enum pst_err
request_read_source(struct request *req, char *out, size_t size, size_t *len)
{
    size_t got = 0;
    enum pst_err e;

    if ((uint64_t)request_body_bytes_left(req) < size)
        size = (size_t)request_body_bytes_left(req);
    if (size == 0) {
        *len = 0;
        return PST_OK;
    }
    e = req->source.read(req->source.context, out, size, &got);
    if (e)
        return e;
    PST_REQUIRE(got <= size);
    if (got == 0 && req->content_length >= 0)
        return PST_MALFORMED;
    if ((int64_t)got > req->max_body - req->body_read)
        return PST_TOO_LARGE;
    req->body_read += (int64_t)got;
    *len = got;
    return PST_OK;
}

enum pst_err
request_read_body(struct request *req, char *out, size_t size, size_t *len)
{
    size_t left = req->buffered.len - req->buffered_read;

    PST_REQUIRE(size > 0);
    if (left == 0)
        return request_read_source(req, out, size, len);
    if (left > size)
        left = size;
    memcpy(out, req->buffered.ptr + req->buffered_read, left);
    req->buffered_read += left;
    *len = left;
    return PST_OK;
}

/* Bytes that all requests of this process hold of their bodies. */
static _Atomic int64_t total_buffered_bytes;

static void
request_release_bytes(void *handle)
{
    const int64_t *reserved_bytes = handle;

    atomic_fetch_sub(&total_buffered_bytes, *reserved_bytes);
}

enum pst_err
request_reserve_bytes(struct request *req, size_t bytes)
{
    int64_t more = (int64_t)bytes;

    if (!req->reserved_bytes) {
        req->reserved_bytes =
            pst_arena_alloc(req->arena, sizeof(*req->reserved_bytes));
        if (!req->reserved_bytes ||
            pst_arena_defer(req->arena, request_release_bytes,
                            req->reserved_bytes) != PST_OK)
            return PST_NO_MEMORY;
    }
    if (atomic_fetch_add(&total_buffered_bytes, more) + more > req->max_held &&
        req->max_held > 0) {
        atomic_fetch_sub(&total_buffered_bytes, more);
        return PST_OVERLOADED;
    }
    *req->reserved_bytes += more;
    return PST_OK;
}

/* Take the next piece of the source into buf, limit bytes in all. */
static enum pst_err
request_read_chunk(struct request *req, struct pst_buf *buf, size_t limit,
                   bool *all)
{
    size_t previous_len = buf->len;
    size_t size = limit - previous_len < READ_CHUNK_SIZE ? limit - previous_len
                                                         : READ_CHUNK_SIZE;
    char *space = pst_buf_reserve(buf, size);
    size_t len;
    enum pst_err e;

    if (!space)
        return PST_NO_MEMORY;
    e = request_read_source(req, space, size, &len);
    if (e)
        return e;
    pst_buf_truncate(buf, previous_len + len);
    *all = len == 0;
    return request_reserve_bytes(req, len);
}

/*
 * Hold up to limit bytes. What was held before is copied, since whoever
 * peeked earlier may still look at it.
 */
static enum pst_err
request_read_ahead(struct request *req, size_t limit, bool *all)
{
    bool ended = request_body_bytes_left(req) == 0;
    struct pst_buf buf;
    enum pst_err e;

    /* Only what nobody has read yet can be read ahead. */
    PST_REQUIRE(req->buffered_read == 0 &&
                req->body_read == (int64_t)req->buffered.len);
    /* A body of no bytes is there all the same. */
    if (pst_str_is_absent(req->buffered))
        req->buffered = PST_STR("");
    if (!ended && req->buffered.len < limit) {
        pst_buf_init_heap(&buf, req->arena, limit);
        pst_buf_add(&buf, req->buffered);
        while (!ended && buf.len < limit) {
            e = request_read_chunk(req, &buf, limit, &ended);
            if (e)
                return e;
            ended = ended || request_body_bytes_left(req) == 0;
        }
        e = pst_buf_finish(&buf, &req->buffered);
        if (e)
            return e;
    }
    *all = ended;
    return PST_OK;
}

enum pst_err
request_peek_body(struct request *req, size_t max, struct pst_str *head,
                  bool *all)
{
    bool ended;
    enum pst_err e = request_read_ahead(req, max, &ended);

    if (e)
        return e;
    *all = ended && req->buffered.len <= max;
    *head = pst_str_first(req->buffered, max);
    return PST_OK;
}

enum pst_err
request_read_whole_body(struct request *req, size_t max, struct pst_str *body)
{
    bool ended;
    enum pst_err e;

    if (req->content_length > 0 && (uint64_t)req->content_length > max)
        return PST_TOO_LARGE;
    /* One byte more tells a body of exactly `max` from a longer one. */
    e = request_read_ahead(req, max < SIZE_MAX ? max + 1 : max, &ended);
    if (e)
        return e;
    if (!ended || req->buffered.len > max)
        return PST_TOO_LARGE;
    *body = req->buffered;
    return PST_OK;
}

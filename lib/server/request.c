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
#define PIECE ((size_t)16 * 1024)

/* "https://", 253 bytes of host, ":65535": RFC 1035 section 2.3.4. */
#define ORIGIN_MAX 300

/*
 * The variables we rely on. A client can make two of one name, by two
 * headers that differ only in "-" and "_", and every program along the way
 * could believe the other one (L16, L17): so none may stand twice.
 */
enum relied {
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
    RELIED_COUNT
};

static const char *const relied_names[RELIED_COUNT] = {
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
static struct pst_text
value_of(const char *variable, const char *name)
{
    size_t len = strlen(name);

    if (strncmp(variable, name, len) != 0 || variable[len] != '=')
        return PST_NO_TEXT;
    return pst_text_from(variable + len + 1);
}

/* The first of each; PST_DUPLICATE when there is a second one. */
static enum pst_err
collect(const char *const *variables, struct pst_text found[RELIED_COUNT])
{
    enum pst_err e = PST_OK;

    for (; *variables; variables++) {
        for (size_t i = 0; i < RELIED_COUNT; i++) {
            struct pst_text value = value_of(*variables, relied_names[i]);

            if (pst_text_is_absent(value))
                continue;
            if (pst_text_is_absent(found[i]))
                found[i] = value;
            else
                e = PST_DUPLICATE;
            break;
        }
    }
    return e;
}

static enum pst_err
set_method(struct request *req, struct pst_text method)
{
    req->method = PST_TEXT("");
    if (!pst_text_is_token(method))
        return PST_MALFORMED;
    req->method = method;
    return PST_OK;
}

static enum pst_err
set_content_length(struct request *req, struct pst_text length)
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
    e = pst_text_number(length, &number);
    if (e)
        return e;
    req->content_length = number;
    return number > req->max_body ? PST_TOO_LARGE : PST_OK;
}

static void
set_id(struct request *req, const uint8_t octets[static REQUEST_ID_LEN / 2])
{
    for (size_t i = 0; i < REQUEST_ID_LEN / 2; i++) {
        req->id[2 * i] = pst_hex_digit(octets[i] >> 4);
        req->id[2 * i + 1] = pst_hex_digit(octets[i]);
    }
    req->id[REQUEST_ID_LEN] = '\0';
}

enum pst_err
request_init(struct request *req, struct pst_arena *arena,
             const struct request_origin *origin,
             const uint8_t random[static REQUEST_RANDOM_LEN])
{
    struct pst_text found[RELIED_COUNT] = {PST_NO_TEXT};
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
    set_id(req, random);
    memcpy(req->trace, random + REQUEST_ID_LEN / 2, REQUEST_TRACE_LEN);

    duplicate = collect(req->variables, found);
    method = set_method(req, found[REQUEST_METHOD]);
    length = set_content_length(req, found[CONTENT_LENGTH]);
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

struct pst_text
request_variable(const struct request *req, const char *name)
{
    for (const char *const *v = req->variables; *v; v++) {
        struct pst_text value = value_of(*v, name);

        if (!pst_text_is_absent(value))
            return value;
    }
    return PST_NO_TEXT;
}

/* What RFC 3875 section 4.1.18 makes of one character of a header's name. */
static char
variable_char(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return c == '-' ? '_' : c;
}

static struct pst_text
value_of_header(const char *variable, struct pst_text name)
{
    if (strncmp(variable, "HTTP_", 5) != 0)
        return PST_NO_TEXT;
    variable += 5;
    for (size_t i = 0; i < name.len; i++) {
        /* A variable that ends early differs in its NUL. */
        if (variable[i] != variable_char(name.ptr[i]))
            return PST_NO_TEXT;
    }
    if (variable[name.len] != '=')
        return PST_NO_TEXT;
    return pst_text_from(variable + name.len + 1);
}

struct pst_text
request_header(const struct request *req, struct pst_text name)
{
    struct pst_text found = PST_NO_TEXT;

    if (!pst_text_is_token(name))
        return PST_NO_TEXT;
    if (pst_text_equal_nocase(name, PST_TEXT("Content-Type")))
        return req->content_type;
    if (pst_text_equal_nocase(name, PST_TEXT("Content-Length")))
        return request_variable(req, "CONTENT_LENGTH");
    for (const char *const *v = req->variables; *v; v++) {
        struct pst_text value = value_of_header(*v, name);

        if (pst_text_is_absent(value))
            continue;
        if (!pst_text_is_absent(found))
            return PST_NO_TEXT;
        found = value;
    }
    return found;
}

bool
request_is_one_of(const struct request *req, const char *methods)
{
    struct pst_text rest = pst_text_from(methods);
    struct pst_text method;

    while (pst_text_word(&rest, ", ", &method)) {
        if (pst_text_equal(method, req->method))
            return true;
    }
    return false;
}

bool
request_is_safe(const struct request *req)
{
    return request_is_one_of(req, "GET, HEAD, OPTIONS");
}

/* The part before the first c, trimmed. */
static struct pst_text
before(struct pst_text text, char c)
{
    return pst_text_trim(pst_text_first(text, pst_text_index(text, c)));
}

struct pst_text
request_media_type(const struct request *req)
{
    struct pst_text type = before(req->content_type, ';');
    size_t slash = pst_text_index(type, '/');

    if (slash == type.len || !pst_text_is_token(pst_text_first(type, slash)) ||
        !pst_text_is_token(pst_text_from_octet(type, slash + 1)))
        return PST_NO_TEXT;
    return type;
}

/* "q=0", "q=0.", "q=0.000": not wanted at all (RFC 9110 section 12.4.2). */
static bool
is_zero_quality(struct pst_text parameter)
{
    parameter = pst_text_trim(parameter);
    if (!pst_text_starts_nocase(parameter, PST_TEXT("q=0")))
        return false;
    for (size_t i = 3; i < parameter.len; i++) {
        if (parameter.ptr[i] != '.' && parameter.ptr[i] != '0')
            return false;
    }
    return true;
}

static bool
accepts_html(struct pst_text accept)
{
    struct pst_text range;

    while (pst_text_cut(&accept, ',', &range)) {
        struct pst_text parameter;
        bool wanted = true;

        if (!pst_text_equal_nocase(before(range, ';'), PST_TEXT("text/html")))
            continue;
        while (pst_text_cut(&range, ';', &parameter))
            wanted = wanted && !is_zero_quality(parameter);
        if (wanted)
            return true;
    }
    return false;
}

bool
request_is_utf8(const struct request *req)
{
    struct pst_text rest = req->content_type;
    struct pst_text piece;

    while (pst_text_cut(&rest, ';', &piece)) {
        size_t equals = pst_text_index(piece, '=');
        struct pst_text name = pst_text_trim(pst_text_first(piece, equals));
        struct pst_text value =
            pst_text_trim(pst_text_from_octet(piece, equals + 1));

        if (pst_text_equal_nocase(name, PST_TEXT("charset")) &&
            !pst_text_equal_nocase(value, PST_TEXT("utf-8")) &&
            !pst_text_equal_nocase(value, PST_TEXT("\"utf-8\"")))
            return false;
    }
    return true;
}

enum request_coding
request_coding(const struct request *req)
{
    struct pst_text coding =
        pst_text_trim(request_header(req, PST_TEXT("Content-Encoding")));

    if (coding.len == 0 || pst_text_equal_nocase(coding, PST_TEXT("identity")))
        return CODING_NONE;
    if (pst_text_equal_nocase(coding, PST_TEXT("gzip")) ||
        pst_text_equal_nocase(coding, PST_TEXT("x-gzip")))
        return CODING_GZIP;
    return CODING_OTHER;
}

bool
request_is_navigation(const struct request *req)
{
    if (!pst_text_is_absent(req->sec_fetch_mode))
        return pst_text_equal(req->sec_fetch_mode, PST_TEXT("navigate"));
    return accepts_html(req->accept);
}

static bool
is_https(const struct request *req)
{
    struct pst_text https = request_variable(req, "HTTPS");

    if (pst_text_equal_nocase(https, PST_TEXT("on")) ||
        pst_text_equal(https, PST_TEXT("1")))
        return true;
    return pst_text_equal_nocase(request_variable(req, "REQUEST_SCHEME"),
                                 PST_TEXT("https"));
}

/* "[::1]" without its brackets; any other host as it is. */
static struct pst_text
bare_host(struct pst_text host)
{
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        return (struct pst_text){host.ptr + 1, host.len - 2};
    return host;
}

/*
 * The port in a Host line, where its host is the given one: `usual` when it
 * names none. A line that says nothing sound is no witness.
 */
static bool
port_of_host_line(struct pst_text line, struct pst_text host, int64_t usual,
                  int64_t *port)
{
    size_t colon = pst_text_index(line, ':');

    if (pst_text_starts(line, PST_TEXT("["))) {
        colon = pst_text_index(line, ']');
        if (colon < line.len)
            colon++;
    }
    if (!pst_text_equal_nocase(bare_host(pst_text_first(line, colon)), host))
        return false;
    if (line.len - colon <= 1) {
        *port = usual;
        return colon == line.len || line.ptr[colon] == ':';
    }
    return line.ptr[colon] == ':' &&
           pst_text_port(pst_text_from_octet(line, colon + 1), port) == PST_OK;
}

static struct pst_text
emit_origin(const struct request *req, struct pst_text host, int64_t port)
{
    bool bracketed = pst_text_index(host, ':') < host.len;
    struct pst_text out;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, req->arena, ORIGIN_MAX);
    pst_buf_add_string(&buf, is_https(req) ? "https://" : "http://");
    pst_buf_add_string(&buf, bracketed ? "[" : "");
    for (size_t i = 0; i < host.len; i++)
        pst_buf_add_char(&buf, pst_lower(host.ptr[i]));
    pst_buf_add_string(&buf, bracketed ? "]" : "");
    if (port != (is_https(req) ? 443 : 80)) {
        pst_buf_add_char(&buf, ':');
        pst_buf_add_number(&buf, port);
    }
    if (pst_buf_end(&buf, &out) != PST_OK)
        return PST_NO_TEXT;
    return out;
}

struct pst_text
request_own_origin(const struct request *req, struct pst_text configured)
{
    struct pst_text host = bare_host(request_variable(req, "SERVER_NAME"));
    struct pst_text own = configured;
    int64_t port;

    if (pst_text_is_absent(configured)) {
        if (host.len == 0)
            return PST_NO_TEXT;
        if (!port_of_host_line(request_variable(req, "HTTP_HOST"), host,
                               is_https(req) ? 443 : 80, &port) &&
            pst_text_port(request_variable(req, "SERVER_PORT"), &port) !=
                PST_OK)
            return PST_NO_TEXT;
        own = emit_origin(req, host, port);
    }
    return pst_origin_is_canonical(own) ? own : PST_NO_TEXT;
}

/* Bytes of body still to come from the source, as far as that is known. */
static int64_t
body_left(const struct request *req)
{
    return req->content_length < 0 ? INT64_MAX
                                   : req->content_length - req->body_read;
}

static enum pst_err
read_source(struct request *req, char *out, size_t size, size_t *len)
{
    size_t got = 0;
    enum pst_err e;

    if ((uint64_t)body_left(req) < size)
        size = (size_t)body_left(req);
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
request_read(struct request *req, char *out, size_t size, size_t *len)
{
    size_t left = req->held.len - req->held_read;

    PST_REQUIRE(size > 0);
    if (left == 0)
        return read_source(req, out, size, len);
    if (left > size)
        left = size;
    memcpy(out, req->held.ptr + req->held_read, left);
    req->held_read += left;
    *len = left;
    return PST_OK;
}

/* Bytes that all requests of this process hold of their bodies. */
static _Atomic int64_t held_bytes;

static void
release_held(void *handle)
{
    const int64_t *reserved = handle;

    atomic_fetch_sub(&held_bytes, *reserved);
}

enum pst_err
request_reserve(struct request *req, size_t bytes)
{
    int64_t more = (int64_t)bytes;

    if (!req->reserved) {
        req->reserved = pst_arena_alloc(req->arena, sizeof(*req->reserved));
        if (!req->reserved ||
            pst_arena_defer(req->arena, release_held, req->reserved) != PST_OK)
            return PST_NO_MEMORY;
    }
    if (atomic_fetch_add(&held_bytes, more) + more > req->max_held &&
        req->max_held > 0) {
        atomic_fetch_sub(&held_bytes, more);
        return PST_OVERLOADED;
    }
    *req->reserved += more;
    return PST_OK;
}

/* Take the next piece of the source into buf, limit bytes in all. */
static enum pst_err
read_piece(struct request *req, struct pst_buf *buf, size_t limit, bool *all)
{
    size_t had = buf->len;
    size_t size = limit - had < PIECE ? limit - had : PIECE;
    char *room = pst_buf_room(buf, size);
    size_t len;
    enum pst_err e;

    if (!room)
        return PST_NO_MEMORY;
    e = read_source(req, room, size, &len);
    if (e)
        return e;
    pst_buf_cut(buf, had + len);
    *all = len == 0;
    return request_reserve(req, len);
}

/*
 * Hold up to limit bytes. What was held before is copied, since whoever
 * peeked earlier may still look at it.
 */
static enum pst_err
read_ahead(struct request *req, size_t limit, bool *all)
{
    bool ended = body_left(req) == 0;
    struct pst_buf buf;
    enum pst_err e;

    /* Only what nobody has read yet can be read ahead. */
    PST_REQUIRE(req->held_read == 0 &&
                req->body_read == (int64_t)req->held.len);
    /* A body of no bytes is there all the same. */
    if (pst_text_is_absent(req->held))
        req->held = PST_TEXT("");
    if (!ended && req->held.len < limit) {
        pst_buf_init_hold(&buf, req->arena, limit);
        pst_buf_add(&buf, req->held);
        while (!ended && buf.len < limit) {
            e = read_piece(req, &buf, limit, &ended);
            if (e)
                return e;
            ended = ended || body_left(req) == 0;
        }
        e = pst_buf_end(&buf, &req->held);
        if (e)
            return e;
    }
    *all = ended;
    return PST_OK;
}

enum pst_err
request_peek(struct request *req, size_t max, struct pst_text *head, bool *all)
{
    bool ended;
    enum pst_err e = read_ahead(req, max, &ended);

    if (e)
        return e;
    *all = ended && req->held.len <= max;
    *head = pst_text_first(req->held, max);
    return PST_OK;
}

enum pst_err
request_body(struct request *req, size_t max, struct pst_text *body)
{
    bool ended;
    enum pst_err e;

    if (req->content_length > 0 && (uint64_t)req->content_length > max)
        return PST_TOO_LARGE;
    /* One byte more tells a body of exactly `max` from a longer one. */
    e = read_ahead(req, max < SIZE_MAX ? max + 1 : max, &ended);
    if (e)
        return e;
    if (!ended || req->held.len > max)
        return PST_TOO_LARGE;
    *body = req->held;
    return PST_OK;
}

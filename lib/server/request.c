/* SPDX-License-Identifier: ISC */
/*
 * request.c - read the CGI variables of a request, and refuse those that are
 * malformed or set twice.
 */
#include "server/request.h"

#include <string.h>

/*
 * The variables that decisions depend on. None may be set twice. A client can
 * set one twice with two headers that differ only in "-" and "_", and then two
 * programs might use different ones.
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

static const struct pst_str known_variable_names[KNOWN_VARIABLE_COUNT] = {
    [REQUEST_METHOD] = {"REQUEST_METHOD", 14},
    [QUERY_STRING] = {"QUERY_STRING", 12},
    [PATH_INFO] = {"PATH_INFO", 9},
    [CONTENT_TYPE] = {"CONTENT_TYPE", 12},
    [CONTENT_LENGTH] = {"CONTENT_LENGTH", 14},
    [REMOTE_ADDR] = {"REMOTE_ADDR", 11},
    [HTTPS] = {"HTTPS", 5},
    [REQUEST_SCHEME] = {"REQUEST_SCHEME", 14},
    [SERVER_NAME] = {"SERVER_NAME", 11},
    [SERVER_PORT] = {"SERVER_PORT", 11},
    [HTTP_HOST] = {"HTTP_HOST", 9},
    [HTTP_COOKIE] = {"HTTP_COOKIE", 11},
    [HTTP_AUTHORIZATION] = {"HTTP_AUTHORIZATION", 18},
    [HTTP_ORIGIN] = {"HTTP_ORIGIN", 11},
    [HTTP_REFERER] = {"HTTP_REFERER", 12},
    [HTTP_SEC_FETCH_SITE] = {"HTTP_SEC_FETCH_SITE", 19},
    [HTTP_SEC_FETCH_MODE] = {"HTTP_SEC_FETCH_MODE", 19},
    [HTTP_ACCEPT] = {"HTTP_ACCEPT", 11},
};

/* For a web server that passes no variables at all. */
static const char *const no_variables[] = {NULL};

/* Find the first of each; PST_DUPLICATE if one is set twice. */
static enum pst_err
request_collect_variables(const struct request_variables *variables,
                          struct pst_str found[KNOWN_VARIABLE_COUNT])
{
    enum pst_err e = PST_OK;

    for (size_t i = 0; i < KNOWN_VARIABLE_COUNT; i++) {
        struct request_variable_search search =
            request_variables_search(variables, known_variable_names[i], false);

        found[i] = request_variables_next(&search);
        if (!pst_str_is_absent(found[i]) &&
            !pst_str_is_absent(request_variables_next(&search)))
            e = PST_DUPLICATE;
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
        /* The body goes to the program that is authorized, not to us. */
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
             const struct request_input *input,
             const uint8_t random[static REQUEST_RANDOM_LEN])
{
    struct pst_str found[KNOWN_VARIABLE_COUNT];
    enum pst_err duplicate;
    enum pst_err method;
    enum pst_err length;

    memset(req, 0, sizeof(*req));
    req->arena = arena;
    request_variables_init(&req->variables,
                           input->variables ? input->variables : no_variables);
    req->authorizer = input->authorizer;
    req->source = input->source;
    req->max_body = input->max_body;
    req->max_held = input->max_held;
    request_set_id(req, random);
    memcpy(req->trace, random + REQUEST_ID_LEN / 2, REQUEST_TRACE_LEN);

    duplicate = request_collect_variables(&req->variables, found);
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
    struct request_variable_search search =
        request_variables_search(&req->variables, pst_str_from(name), false);

    return request_variables_next(&search);
}

struct pst_str
request_header(const struct request *req, struct pst_str name)
{
    struct request_variable_search search;
    struct pst_str found;

    if (pst_str_equal_nocase(name, PST_STR("Content-Type")))
        return req->content_type;
    if (pst_str_equal_nocase(name, PST_STR("Content-Length")))
        return request_variable(req, "CONTENT_LENGTH");
    search = request_variables_search(&req->variables, name, true);
    found = request_variables_next(&search);
    if (pst_str_is_absent(found) || !pst_str_is_token(name) ||
        !pst_str_is_absent(request_variables_next(&search)))
        return PST_STR_NONE;
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
    return pst_str_equal(req->method, PST_STR("GET")) ||
           pst_str_equal(req->method, PST_STR("HEAD")) ||
           pst_str_equal(req->method, PST_STR("OPTIONS"));
}

/* The text before the first c, without white space around it. */
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

/* Is it "q=0", "q=0." or "q=0.000": not acceptable (RFC 9110 section 12.4.2)?
 */
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

bool
request_accepts(const struct request *req, struct pst_str type)
{
    struct pst_str accept = req->accept;
    struct pst_str range;

    while (pst_str_split(&accept, ',', &range)) {
        struct pst_str parameter;
        bool is_accepted = true;

        if (!pst_str_equal_nocase(trimmed_before(range, ';'), type))
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
    return request_accepts(req, PST_STR("text/html"));
}

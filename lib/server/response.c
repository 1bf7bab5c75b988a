/* SPDX-License-Identifier: ISC */
/*
 * response.c - headers by name, checked before they are kept, and written in
 * one piece; after them only body.
 */
#include "server/response.h"

#include <string.h>

#include "base/limits.h"
#include "codec/json_emit.h"
#include "http/cookie.h"
#include "http/redirect.h"

struct reason_phrase {
    int status;
    const char *text;
};

static const struct reason_phrase reason_phrases[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const struct pst_str SET_COOKIE = {"Set-Cookie", 10};

static const char *const class_reason_phrases[] = {
    "Success", "Redirection", "Client Error", "Server Error"};

static const char *
find_reason_phrase(int status)
{
    for (size_t i = 0; i < PST_COUNT(reason_phrases); i++) {
        if (reason_phrases[i].status == status)
            return reason_phrases[i].text;
    }
    return class_reason_phrases[status / 100 - 2];
}

/* The place of a header, or header_count when it is not set. */
static size_t
response_find_header(const struct response *res, struct pst_str name)
{
    size_t i = 0;

    while (i < res->header_count &&
           !pst_str_equal_nocase(res->headers[i].name, name))
        i++;
    return i;
}

/* Bytes of all headers but the one at `without`, line ends included. */
static size_t
response_other_headers_size(const struct response *res, size_t skipped)
{
    size_t size = 0;

    for (size_t i = 0; i < res->header_count; i++) {
        if (i != skipped)
            size += res->headers[i].name.len + res->headers[i].value.len + 4;
    }
    return size;
}

/* Look before anything is copied: may this header be set at that place? */
static enum pst_err
response_check_header(const struct response *res,
                      const struct response_header *header, size_t at)
{
    size_t capacity = PST_HEADERS_MAX - response_other_headers_size(res, at);

    if (!pst_str_is_token(header->name) || pst_str_is_absent(header->value) ||
        !pst_str_is_field_value(header->value))
        return PST_MALFORMED;
    /* One after the other, so that no sum can wrap. */
    if (at == RESPONSE_HEADERS_MAX || capacity < 4 ||
        header->name.len > capacity - 4 ||
        header->value.len > capacity - 4 - header->name.len)
        return PST_TOO_LARGE;
    return PST_OK;
}

static void
response_store_header(struct response *res, size_t index,
                      const struct response_header *header)
{
    res->headers[index] = *header;
    if (index == res->header_count)
        res->header_count++;
}

/* Set a header whose texts outlive the reply: nothing is copied. */
static enum pst_err
response_set_borrowed_header(struct response *res, struct pst_str name,
                             struct pst_str value)
{
    struct response_header header = {name, value};
    size_t index = response_find_header(res, name);
    enum pst_err e = response_check_header(res, &header, index);

    if (e)
        return e;
    response_store_header(res, index, &header);
    return PST_OK;
}

static void
response_defer_error(struct response *res, enum pst_err e)
{
    if (res->deferred_error == PST_OK)
        res->deferred_error = e;
}

static void
response_set_default_header(struct response *res, struct pst_str name,
                            struct pst_str value)
{
    if (response_find_header(res, name) == res->header_count)
        response_defer_error(res,
                             response_set_borrowed_header(res, name, value));
}

void
response_init(struct response *res, struct pst_arena *arena,
              const struct response_sink *sink)
{
    memset(res, 0, sizeof(*res));
    /* No browser asks for a password because of a scheme it does not know. */
    res->challenge = PST_STR("Postern realm=\"session\"");
    res->arena = arena;
    res->sink = *sink;
    response_reset(res, NULL);
}

static bool
is_in_header_names(const struct pst_str *names, struct pst_str name)
{
    for (; names && !pst_str_is_absent(*names); names++) {
        if (pst_str_equal_nocase(*names, name))
            return true;
    }
    return false;
}

void
response_reset(struct response *res, const struct pst_str *keep_names)
{
    size_t kept_count = 0;

    PST_REQUIRE(!res->begun);
    for (size_t i = 0; i < res->header_count; i++) {
        if (is_in_header_names(keep_names, res->headers[i].name))
            res->headers[kept_count++] = res->headers[i];
    }
    res->header_count = kept_count;
    res->status = 200;
    res->deferred_error = PST_OK;
    response_set_default_header(res, PST_STR("Cache-Control"),
                                PST_STR("no-store"));
    response_set_default_header(res, PST_STR("X-Content-Type-Options"),
                                PST_STR("nosniff"));
}

void
response_set_status(struct response *res, int status)
{
    if (status < 200 || status > 599)
        response_defer_error(res, PST_INTERNAL);
    else
        res->status = status;
}

/*
 * Status is the server's own word in CGI; Location and Set-Cookie have one way
 * in each: response_redirect(), which checks it (L14), and
 * response_set_cookie().
 */
static bool
is_reserved_response_header(struct pst_str name)
{
    return pst_str_equal_nocase(name, PST_STR("Status")) ||
           pst_str_equal_nocase(name, PST_STR("Location")) ||
           pst_str_equal_nocase(name, SET_COOKIE);
}

enum pst_err
response_try_set_header(struct response *res, struct pst_str name,
                        struct pst_str value)
{
    struct response_header header = {name, value};
    size_t index;
    enum pst_err e;

    if (is_reserved_response_header(name))
        return PST_MALFORMED;
    index = response_find_header(res, name);
    e = response_check_header(res, &header, index);
    if (e)
        return e;
    e = pst_arena_copy(res->arena, name, &header.name);
    if (e)
        return e;
    e = pst_arena_copy(res->arena, value, &header.value);
    if (e)
        return e;
    response_store_header(res, index, &header);
    return PST_OK;
}

void
response_set_header(struct response *res, struct pst_str name,
                    struct pst_str value)
{
    response_defer_error(res, response_try_set_header(res, name, value));
}

/* The others keep their order. */
static void
response_remove_header_at(struct response *res, size_t index)
{
    res->header_count--;
    for (; index < res->header_count; index++)
        res->headers[index] = res->headers[index + 1];
}

static enum pst_err
response_add_cookie(struct response *res, struct pst_str line)
{
    struct response_header header = {SET_COOKIE, line};
    enum pst_err e = response_check_header(res, &header, res->header_count);

    if (!e)
        e = pst_arena_copy(res->arena, line, &header.value);
    if (!e)
        response_store_header(res, res->header_count, &header);
    return e;
}

void
response_set_cookie(struct response *res, struct pst_str line)
{
    for (size_t i = res->header_count; i-- > 0;) {
        if (pst_str_equal(res->headers[i].name, SET_COOKIE) &&
            pst_cookie_is_same(res->headers[i].value, line))
            response_remove_header_at(res, i);
    }
    response_defer_error(res, response_add_cookie(res, line));
}

void
response_remove_header(struct response *res, struct pst_str name)
{
    size_t index = response_find_header(res, name);

    if (index < res->header_count)
        response_remove_header_at(res, index);
}

struct pst_str
response_get_header(const struct response *res, struct pst_str name)
{
    size_t index = response_find_header(res, name);

    return index < res->header_count ? res->headers[index].value : PST_STR_NONE;
}

/* Is name one of those in the list so far, or swallowed by its "*"? */
static bool
is_in_vary(struct pst_str list, struct pst_str name)
{
    struct pst_str item;

    while (pst_str_next_token(&list, ", \t", &item)) {
        if (pst_str_equal(item, PST_STR("*")) ||
            pst_str_equal_nocase(item, name))
            return true;
    }
    return false;
}

void
response_add_vary(struct response *res, struct pst_str names)
{
    struct pst_str vary = PST_STR("Vary");
    struct pst_str list;
    struct pst_str name;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, res->arena, PST_HEADERS_MAX);
    pst_buf_add(&buf, response_get_header(res, vary));
    while (pst_str_next_token(&names, ", \t", &name)) {
        if (!pst_str_is_token(name) || is_in_vary(pst_buf_str(&buf), name))
            continue;
        if (pst_str_equal(name, PST_STR("*")))
            pst_buf_truncate(&buf, 0);
        if (buf.len > 0)
            pst_buf_add_string(&buf, ", ");
        pst_buf_add(&buf, name);
    }
    e = pst_buf_finish(&buf, &list);
    if (e == PST_OK && list.len > 0)
        e = response_set_borrowed_header(res, vary, list);
    response_defer_error(res, e);
}

/* RFC 9110 sections 15.3.5 and 15.4.5: these end with their headers. */
static bool
response_is_bodiless(const struct response *res)
{
    return res->status == 204 || res->status == 304;
}

static void
response_emit_head(struct pst_buf *buf, const struct response *res)
{
    pst_buf_add_string(buf, "Status: ");
    pst_buf_add_number(buf, res->status);
    pst_buf_add_char(buf, ' ');
    pst_buf_add_string(buf, find_reason_phrase(res->status));
    pst_buf_add_string(buf, "\r\n");
    for (size_t i = 0; i < res->header_count; i++) {
        pst_buf_add(buf, res->headers[i].name);
        pst_buf_add_string(buf, ": ");
        pst_buf_add(buf, res->headers[i].value);
        pst_buf_add_string(buf, "\r\n");
    }
    pst_buf_add_string(buf, "\r\n");
}

enum pst_err
response_begin(struct response *res)
{
    char small[1024];
    struct pst_str head;
    struct pst_buf buf;
    enum pst_err e;

    PST_REQUIRE(!res->begun);
    if (res->status == 401)
        response_set_default_header(res, PST_STR("WWW-Authenticate"),
                                    res->challenge);
    if (res->deferred_error)
        return res->deferred_error;
    if (response_is_bodiless(res)) {
        response_remove_header(res, PST_STR("Content-Length"));
        if (res->status == 204)
            response_remove_header(res, PST_STR("Content-Type"));
    }
    /* Without the arena if it can be: a spent one must not stop a 503. */
    pst_buf_init(&buf, small, sizeof(small));
    response_emit_head(&buf, res);
    e = pst_buf_finish(&buf, &head);
    if (e) {
        pst_buf_init_arena(&buf, res->arena, PST_HEADERS_MAX + sizeof(small));
        response_emit_head(&buf, res);
        e = pst_buf_finish(&buf, &head);
    }
    if (e)
        return e;
    res->begun = true;
    return res->sink.write(res->sink.context, head);
}

enum pst_err
response_write(struct response *res, struct pst_str piece)
{
    PST_REQUIRE(res->begun);
    /* An empty piece would end a FastCGI stream. */
    if (piece.len == 0 || response_is_bodiless(res))
        return PST_OK;
    return res->sink.write(res->sink.context, piece);
}

enum pst_err
response_flush(struct response *res)
{
    PST_REQUIRE(res->begun);
    return res->sink.flush(res->sink.context);
}

enum pst_err
response_send(struct response *res, int status, struct pst_str type,
              struct pst_str body)
{
    struct pst_str length_digits;
    struct pst_buf digits;
    enum pst_err e;

    pst_buf_init(&digits, res->length_digits, sizeof(res->length_digits));
    pst_buf_add_number(&digits, (int64_t)body.len);
    e = pst_buf_finish(&digits, &length_digits);
    if (e)
        return e;
    response_set_status(res, status);
    response_defer_error(
        res, response_set_borrowed_header(res, PST_STR("Content-Type"), type));
    response_defer_error(
        res, response_set_borrowed_header(res, PST_STR("Content-Length"),
                                          length_digits));
    e = response_begin(res);
    if (e)
        return e;
    return response_write(res, body);
}

enum pst_err
response_send_json(struct response *res, int status, struct pst_str body)
{
    return response_send(res, status,
                         PST_STR("application/json; charset=utf-8"), body);
}

enum pst_err
response_redirect(struct response *res, struct pst_str target,
                  struct pst_str fallback)
{
    struct pst_str location;
    enum pst_err e;

    e = pst_arena_copy(res->arena, pst_redirect_choose(target, fallback),
                       &location);
    if (e)
        return e;
    response_set_status(res, 303);
    response_defer_error(
        res, response_set_borrowed_header(res, PST_STR("Location"), location));
    response_remove_header(res, PST_STR("Content-Type"));
    response_remove_header(res, PST_STR("Content-Length"));
    return response_begin(res);
}

void
response_emit_error(struct pst_buf *buf, const struct request *req,
                    enum pst_err e)
{
    pst_buf_add_string(buf, "{\"errors\":[{\"message\":");
    pst_json_emit_string(buf, pst_str_from(pst_err_text(e)));
    pst_buf_add_string(buf, ",\"extensions\":{\"code\":");
    pst_json_emit_string(buf, pst_str_from(pst_err_name(e)));
    pst_buf_add_string(buf, ",\"requestId\":");
    pst_json_emit_string(buf, pst_str_from(req->id));
    pst_buf_add_string(buf, "}}]}");
}

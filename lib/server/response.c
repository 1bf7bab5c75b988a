/* SPDX-License-Identifier: ISC */
/*
 * response.c - send a response: its status and headers in one piece, then its
 * body.
 */
#include "server/response.h"

#include <string.h>

#include "base/limits.h"
#include "codec/json_emit.h"
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

void
response_init(struct response *res, struct pst_arena *arena,
              const struct response_sink *sink)
{
    memset(res, 0, sizeof(*res));
    /* A scheme that no browser knows, so that none asks for a password. */
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
    res->error = PST_OK;
    response_set_default_header(res, PST_STR("Cache-Control"),
                                PST_STR("no-store"));
    response_set_default_header(res, PST_STR("X-Content-Type-Options"),
                                PST_STR("nosniff"));
    response_set_default_header(res, PST_STR("Cross-Origin-Resource-Policy"),
                                PST_STR("same-origin"));
}

void
response_set_status(struct response *res, int status)
{
    if (status < 200 || status > 599)
        response_defer_error(res, PST_INTERNAL);
    else
        res->status = status;
}

/* These have no body (RFC 9110 sections 15.3.5 and 15.4.5). */
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
    /* Without the arena if possible: when it is full, a 503 must still go. */
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
    /* An empty record would end the FastCGI stream. */
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
response_finish(struct response *res)
{
    PST_REQUIRE(res->begun);
    if (!res->sink.finish)
        return res->sink.flush(res->sink.context);
    return res->sink.finish(res->sink.context);
}

bool
response_discard(struct response *res)
{
    if (res->begun && res->sink.discard)
        res->begun = !res->sink.discard(res->sink.context);
    return !res->begun;
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
    response_set_borrowed_header(res, PST_STR("Content-Type"), type);
    response_set_borrowed_header(res, PST_STR("Content-Length"), length_digits);
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
    response_set_borrowed_header(res, PST_STR("Location"), location);
    response_remove_header(res, PST_STR("Content-Type"));
    response_remove_header(res, PST_STR("Content-Length"));
    return response_begin(res);
}

void
response_set_error(struct response *res, enum pst_err e)
{
    res->error = e;
    if (pst_err_status(e) == 503)
        response_set_header(res, PST_STR("Retry-After"), PST_STR("1"));
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

/* SPDX-License-Identifier: ISC */
/*
 * exchange_request.c - check a request to the backend, and write its URL and
 * header lines.
 */
#include "upstream/exchange_request.h"

#include "base/buffer.h"
#include "http/message.h"

/* Headers that curl adds by itself where the caller gives none. */
static const char *const curl_default_headers[] = {"Accept", "Content-Type",
                                                   "Expect", "User-Agent"};

/* Lines beside those of the exchange: curl's defaults, Transfer-Encoding. */
#define EXTRA_LINES (PST_COUNT(curl_default_headers) + 1)

/* Append the line name, separator, value. */
static enum pst_err
add_header_line(struct pst_arena *arena, struct exchange_request *request,
                struct pst_str name, const char *separator,
                struct pst_str value)
{
    struct pst_str text = pst_str_from(separator);
    size_t len = name.len + text.len + value.len + 1;
    char *line = pst_arena_alloc(arena, len);
    struct pst_buf buf;

    if (!line)
        return PST_NO_MEMORY;
    pst_buf_init(&buf, line, len);
    pst_buf_add(&buf, name);
    pst_buf_add(&buf, text);
    pst_buf_add(&buf, value);
    pst_buf_add_char(&buf, '\0');
    request->lines[request->line_count++] = line;
    return PST_OK;
}

static enum pst_err
add_exchange_header(struct pst_arena *arena, struct exchange_request *request,
                    const struct http_header *header)
{
    struct pst_str value = pst_str_trim(header->value);

    if (!message_may_send(header->name, value))
        return PST_MALFORMED;
    return add_header_line(arena, request, header->name,
                           value.len > 0 ? ": " : ";", value);
}

static bool
has_exchange_header(const struct http_exchange *exchange, struct pst_str name)
{
    for (size_t i = 0; i < exchange->header_count; i++) {
        if (pst_str_equal_nocase(exchange->headers[i].name, name))
            return true;
    }
    return false;
}

/* The headers of the exchange, and none that curl would add by itself. */
static enum pst_err
add_header_lines(struct pst_arena *arena, const struct http_exchange *exchange,
                 struct exchange_request *request)
{
    enum pst_err e = PST_OK;

    for (size_t i = 0; i < exchange->header_count && !e; i++)
        e = add_exchange_header(arena, request, &exchange->headers[i]);
    for (size_t i = 0; i < PST_COUNT(curl_default_headers) && !e; i++) {
        struct pst_str name = pst_str_from(curl_default_headers[i]);

        if (!has_exchange_header(exchange, name))
            e = add_header_line(arena, request, name, ":", PST_STR(""));
    }
    if (!e && !request->is_get && exchange->body_length < 0)
        e = add_header_line(arena, request, PST_STR("Transfer-Encoding"), ": ",
                            PST_STR("chunked"));
    return e;
}

enum pst_err
exchange_request_make(struct pst_arena *arena, const char *base,
                      const struct http_exchange *exchange,
                      struct exchange_request *out)
{
    struct exchange_request request = {
        .is_get = pst_str_equal(exchange->method, PST_STR("GET"))};
    enum pst_err e;

    if (!request.is_get && !pst_str_equal(exchange->method, PST_STR("POST")))
        return PST_BAD_METHOD;
    e = message_url(arena, base, exchange->query, &request.url);
    if (e)
        return e;
    request.lines = pst_arena_alloc(
        arena, (exchange->header_count + EXTRA_LINES) * sizeof(*request.lines));
    if (!request.lines)
        return PST_NO_MEMORY;
    e = add_header_lines(arena, exchange, &request);
    if (e)
        return e;
    *out = request;
    return PST_OK;
}

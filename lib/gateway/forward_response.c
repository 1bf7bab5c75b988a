/* SPDX-License-Identifier: ISC */
/*
 * forward_response.c - filter a backend's response: keep the headers that pass
 * to the client or are about its session, and nothing else.
 */
#include "gateway/forward_response.h"

#include "base/buffer.h"
#include "codec/gunzip.h"
#include "codec/json_check.h"

/* Headers of the backend that pass to the client. Vary is merged. */
static const struct pst_str passed_headers[FORWARD_RESPONSE_HEADERS] = {
    {"Content-Type", 12},
    {"Content-Length", 14},
    {"Content-Encoding", 16},
    {"Content-Language", 16},
    {"ETag", 4},
    {"Last-Modified", 13},
    {"Allow", 5},
    {"Retry-After", 11},
    {"Vary", 4},
};

static struct pst_str
get_passed_name(struct pst_str name)
{
    for (size_t i = 0; i < PST_COUNT(passed_headers); i++) {
        if (pst_str_equal_nocase(name, passed_headers[i]))
            return passed_headers[i];
    }
    return PST_STR_NONE;
}

/* A token that could not be sent back in a header is ignored. */
static enum pst_err
keep_token(struct pst_arena *arena, struct forward_response *response,
           struct pst_str value)
{
    if (value.len > 0 && !pst_str_is_field_value(value))
        return PST_OK;
    return pst_arena_copy(arena, value, &response->update.token);
}

/* More cookies than a session can hold are ignored. */
static enum pst_err
keep_cookie(struct pst_arena *arena, struct forward_response *response,
            struct pst_str value)
{
    struct credentials_update *update = &response->update;

    if (update->cookie_count == CREDENTIALS_COOKIES_MAX)
        return PST_OK;
    return pst_arena_copy(arena, value,
                          &update->cookies[update->cookie_count++]);
}

/* Is the value a list, so that several lines are one list (RFC 9110 section
 * 5.3)? */
static bool
is_list_header(struct pst_str name)
{
    return pst_str_equal(name, PST_STR("Vary")) ||
           pst_str_equal(name, PST_STR("Allow")) ||
           pst_str_equal(name, PST_STR("Content-Language"));
}

/* Keep a header that passes. Of one that is not a list the last line wins. */
static enum pst_err
keep_passed_header(struct pst_arena *arena, struct forward_response *response,
                   struct pst_str name, struct pst_str value)
{
    struct pst_buf joined;
    struct pst_str had;
    size_t i = 0;

    while (i < response->header_count &&
           !pst_str_equal(response->headers[i].name, name))
        i++;
    had = response->headers[i].value;
    response->headers[i].name = name;
    if (i == response->header_count) {
        response->header_count++;
        had = PST_STR_NONE;
    }
    pst_buf_init_arena(&joined, arena, had.len + value.len + 2);
    if (had.len > 0 && is_list_header(name)) {
        pst_buf_add(&joined, had);
        pst_buf_add_string(&joined, ", ");
    }
    pst_buf_add(&joined, value);
    return pst_buf_finish(&joined, &response->headers[i].value);
}

enum pst_err
forward_keep_header(struct pst_arena *arena,
                    const struct config_backend *backend,
                    struct forward_response *response, struct pst_str name,
                    struct pst_str value)
{
    struct pst_str passed = get_passed_name(name);

    if (backend->token_location == TOKEN_IN_HEADER &&
        pst_str_equal_nocase(name, backend->token))
        return keep_token(arena, response, value);
    if (backend->token_location == TOKEN_IN_COOKIE &&
        pst_str_equal_nocase(name, PST_STR("Set-Cookie")))
        return keep_cookie(arena, response, value);
    if (pst_str_equal_nocase(name, PST_STR("Location")))
        return pst_arena_copy(arena, value, &response->location);
    if (pst_str_is_absent(passed) || !pst_str_is_field_value(value))
        return PST_OK;
    if (pst_str_equal(passed, PST_STR("Content-Encoding")))
        response->encoded = !pst_str_equal_nocase(value, PST_STR("identity"));
    return keep_passed_header(arena, response, passed, value);
}

/* The index of Content-Encoding among the kept headers; their number: none. */
static size_t
find_content_encoding(const struct forward_response *response)
{
    size_t i = 0;

    while (
        i < response->header_count &&
        !pst_str_equal(response->headers[i].name, PST_STR("Content-Encoding")))
        i++;
    return i;
}

struct pst_str
forward_content_encoding(const struct forward_response *response)
{
    size_t index = find_content_encoding(response);

    return index < response->header_count ? response->headers[index].value
                                          : PST_STR_NONE;
}

static bool
is_gzip(struct pst_str coding)
{
    return pst_str_equal_nocase(coding, PST_STR("gzip")) ||
           pst_str_equal_nocase(coding, PST_STR("x-gzip"));
}

enum pst_err
forward_decode_body(struct pst_arena *arena, struct forward_response *response,
                    size_t max)
{
    if (response->encoded && is_gzip(forward_content_encoding(response))) {
        const size_t encoding = find_content_encoding(response);
        enum pst_err e =
            gunzip_body(arena, response->body, max, &response->body);

        if (e)
            return e == PST_NO_MEMORY ? e : PST_OK;
        response->encoded = false;
        response->headers[encoding] =
            response->headers[--response->header_count];
    }
    if (!response->encoded)
        response->body = pst_json_skip_mark(response->body);
    return PST_OK;
}

void
forward_copy_head(struct response *res, const struct forward_response *response)
{
    response_set_status(res, response->status);
    for (size_t i = 0; i < response->header_count; i++) {
        const struct response_header *header = &response->headers[i];

        if (pst_str_equal(header->name, PST_STR("Vary")))
            response_add_vary(res, header->value);
        else
            response_set_header(res, header->name, header->value);
    }
}

enum pst_err
forward_send_response(struct response *res,
                      const struct forward_response *response,
                      struct pst_str body)
{
    struct pst_buf length;
    char digits[24];
    enum pst_err e;

    forward_copy_head(res, response);
    if (body.ptr != response->body.ptr)
        response_remove_header(res, PST_STR("ETag"));
    pst_buf_init(&length, digits, sizeof(digits));
    pst_buf_add_number(&length, (int64_t)body.len);
    response_set_header(res, PST_STR("Content-Length"), pst_buf_str(&length));
    e = response_begin(res);
    if (e || body.len == 0)
        return e;
    return response_write(res, body);
}

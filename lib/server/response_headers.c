/* SPDX-License-Identifier: ISC */
/*
 * response_headers.c - collect the headers of a response, each checked and none
 * twice.
 */
#include "server/response_headers.h"

#include <string.h>

#include "base/limits.h"
#include "http/cookie.h"
#include "server/response.h"

static const struct pst_str SET_COOKIE = {"Set-Cookie", 10};

/* The index of a header, or header_count if it is not set. */
static size_t
response_find_header(const struct response *res, struct pst_str name)
{
    size_t i = 0;

    while (i < res->header_count &&
           !pst_str_equal_nocase(res->headers[i].name, name))
        i++;
    return i;
}

/* Bytes of all headers except the skipped one, line breaks included. */
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

/* May this header be set at that index? Called before anything is copied. */
static enum pst_err
response_check_header(const struct response *res,
                      const struct response_header *header, size_t at)
{
    size_t capacity = PST_HEADERS_MAX - response_other_headers_size(res, at);

    if (!pst_str_is_token(header->name) || pst_str_is_absent(header->value) ||
        !pst_str_is_field_value(header->value))
        return PST_MALFORMED;
    /* Subtracted one by one, because a sum could overflow. */
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

void
response_defer_error(struct response *res, enum pst_err e)
{
    if (res->deferred_error == PST_OK)
        res->deferred_error = e;
}

void
response_set_borrowed_header(struct response *res, struct pst_str name,
                             struct pst_str value)
{
    struct response_header header = {name, value};
    size_t index = response_find_header(res, name);
    enum pst_err e = response_check_header(res, &header, index);

    if (e)
        response_defer_error(res, e);
    else
        response_store_header(res, index, &header);
}

void
response_set_default_header(struct response *res, struct pst_str name,
                            struct pst_str value)
{
    if (response_find_header(res, name) == res->header_count)
        response_set_borrowed_header(res, name, value);
}

/*
 * In CGI, Status tells the web server the status. Location and Set-Cookie each
 * have their own function: response_redirect(), which allows only local paths,
 * and response_set_cookie().
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

/* Remove one; the others keep their order. */
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

/* Is the name in the list, or is "*", which includes every name? */
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
    if (e)
        response_defer_error(res, e);
    else if (list.len > 0)
        response_set_borrowed_header(res, vary, list);
}

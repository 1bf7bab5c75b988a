/* SPDX-License-Identifier: ISC */
/*
 * json_pointer.c - JSON pointers (RFC 6901), and the values they point to.
 */
#include "codec/json_pointer.h"

#include "codec/json.h"
#include "codec/json_scan.h"
#include "codec/json_slice.h"

bool
pst_json_is_pointer(struct pst_str pointer)
{
    if (pointer.len > 0 && pointer.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < pointer.len; i++) {
        if (pointer.ptr[i] != '~')
            continue;
        i++;
        if (i == pointer.len ||
            (pointer.ptr[i] != '0' && pointer.ptr[i] != '1'))
            return false;
    }
    return true;
}

/* The tokens of a valid pointer, to be split at "/"; absent for "". */
static struct pst_str
json_pointer_tokens(struct pst_str pointer)
{
    return pointer.len > 0 ? pst_str_skip(pointer, 1) : PST_STR_NONE;
}

/* Skip `bytes` at the front of *token, where ~0 means ~ and ~1 means /. */
static bool
json_pointer_accept(struct pst_str *token, struct pst_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char c;

        if (token->len == 0)
            return false;
        c = token->ptr[0];
        if (c == '~') {
            c = token->ptr[1] == '0' ? '~' : '/';
            *token = pst_str_skip(*token, 1);
        }
        if (c != bytes.ptr[i])
            return false;
        *token = pst_str_skip(*token, 1);
    }
    return true;
}

static bool
json_pointer_token_is(struct pst_str token, struct pst_str name)
{
    return json_pointer_accept(&token, name) && token.len == 0;
}

/* The array index that a token means: digits without a leading zero. */
static bool
json_pointer_token_index(struct pst_str token, size_t *index)
{
    int64_t number;

    if (pst_str_parse_number(token, &number) != PST_OK)
        return false;
    *index = (size_t)number;
    return true;
}

static const struct pst_json *
json_pointer_step(const struct pst_json *value, struct pst_str token)
{
    struct pst_json_members members = pst_json_members(value);
    const struct pst_json *member;
    struct pst_str name;
    size_t index;

    if (pst_json_kind(value) == PST_JSON_ARRAY) {
        if (!json_pointer_token_index(token, &index) ||
            index >= pst_json_count(value))
            return NULL;
        return pst_json_element(value, index);
    }
    while (pst_json_next_member(&members, &name, &member)) {
        if (json_pointer_token_is(token, name))
            return member;
    }
    return NULL;
}

const struct pst_json *
pst_json_at(const struct pst_json *value, struct pst_str pointer)
{
    struct pst_str rest = json_pointer_tokens(pointer);
    struct pst_str token;

    if (!pst_json_is_pointer(pointer))
        return NULL;
    while (value && pst_str_split(&rest, '/', &token))
        value = json_pointer_step(value, token);
    return value;
}

/* Does a token mean the member of this name, which may hold escapes? */
static bool
json_pointer_token_is_raw(struct pst_str token, struct pst_str raw)
{
    struct pst_json_unescape name = {.rest = raw};
    struct pst_str run;

    while (name.rest.len > 0) {
        if (!pst_json_unescape_next(&name, &run) ||
            !json_pointer_accept(&token, run))
            return false;
    }
    return token.len == 0;
}

static bool
json_pointer_enter_object(struct pst_str *value, struct pst_str token)
{
    struct pst_str rest = *value;
    struct pst_str raw;

    while (pst_json_slice_next_member(&rest, &raw, value)) {
        if (json_pointer_token_is_raw(token, raw))
            return true;
    }
    return false;
}

/* Replace an object or array by the value in it that the token means. */
static bool
json_pointer_enter_value(struct pst_str *value, struct pst_str token)
{
    size_t index;

    if (pst_str_starts(*value, PST_STR("{")))
        return json_pointer_enter_object(value, token);
    return json_pointer_token_index(token, &index) &&
           pst_json_slice_element(*value, index, value);
}

enum pst_err
pst_json_locate(struct pst_str text, struct pst_str pointer,
                struct pst_str *slice)
{
    struct pst_json_scan scan = {.text = text};
    struct pst_str rest = json_pointer_tokens(pointer);
    struct pst_str value, token;
    size_t start;

    pst_json_scan_skip_space(&scan);
    start = scan.at;
    if (!pst_json_is_pointer(pointer) || !pst_json_scan_skip_value(&scan))
        return PST_NOT_FOUND;
    value = pst_json_scan_since(&scan, start);
    while (pst_str_split(&rest, '/', &token)) {
        if (!json_pointer_enter_value(&value, token))
            return PST_NOT_FOUND;
    }
    *slice = value;
    return PST_OK;
}

/* SPDX-License-Identifier: ISC */
/*
 * media_type.c - parse a media type and its parameters (RFC 9110 8.3.1).
 */
#include "http/media_type.h"

/* Split off the token that *rest begins with; false when there is none. */
static bool
media_type_parse_token(struct pst_str *rest, struct pst_str *token)
{
    size_t len = 0;

    while (len < rest->len &&
           pst_str_is_token((struct pst_str){rest->ptr + len, 1}))
        len++;
    *token = pst_str_first(*rest, len);
    *rest = pst_str_skip(*rest, len);
    return len > 0;
}

static bool
media_type_accept_char(struct pst_str *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    *rest = pst_str_skip(*rest, 1);
    return true;
}

/* Parse a quoted string (RFC 9110 5.6.4) after its first quote. */
static bool
media_type_parse_quoted(struct pst_str *rest, struct pst_str *value)
{
    size_t len = 0;

    while (len < rest->len && rest->ptr[len] != '"')
        len += rest->ptr[len] == '\\' ? 2 : 1;
    if (len >= rest->len)
        return false;
    *value = pst_str_first(*rest, len);
    *rest = pst_str_skip(*rest, len + 1);
    return pst_str_is_field_value(*value);
}

static void
media_type_skip_blanks(struct pst_str *rest)
{
    while (media_type_accept_char(rest, ' ') ||
           media_type_accept_char(rest, '\t'))
        continue;
}

bool
pst_media_type_next_parameter(struct pst_str *rest, struct pst_str *name,
                              struct pst_str *value)
{
    struct pst_str text = *rest;

    media_type_skip_blanks(&text);
    while (media_type_accept_char(&text, ';')) {
        media_type_skip_blanks(&text);
        if (!media_type_parse_token(&text, name))
            continue;
        if (!media_type_accept_char(&text, '='))
            return false;
        if (media_type_accept_char(&text, '"')
                ? !media_type_parse_quoted(&text, value)
                : !media_type_parse_token(&text, value))
            return false;
        *rest = text;
        return true;
    }
    if (text.len == 0)
        *rest = text;
    return false;
}

struct pst_str
pst_media_type_parameter(const struct pst_media_type *type, struct pst_str name)
{
    struct pst_str rest = type->parameters;
    struct pst_str found, value;

    while (pst_media_type_next_parameter(&rest, &found, &value)) {
        if (pst_str_equal_nocase(found, name))
            return value;
    }
    return PST_STR_NONE;
}

static enum pst_err
media_type_check_parameters(struct pst_str rest)
{
    struct pst_str names[PST_MEDIA_PARAMETERS_MAX];
    struct pst_str name, value;
    size_t count = 0;

    while (pst_media_type_next_parameter(&rest, &name, &value)) {
        if (count == PST_COUNT(names))
            return PST_MALFORMED;
        for (size_t i = 0; i < count; i++) {
            if (pst_str_equal_nocase(names[i], name))
                return PST_MALFORMED;
        }
        names[count++] = name;
    }
    return rest.len == 0 ? PST_OK : PST_MALFORMED;
}

enum pst_err
pst_media_type_parse(struct pst_str text, struct pst_media_type *out)
{
    struct pst_str rest = pst_str_trim(text);
    struct pst_str whole = rest;
    struct pst_str token;
    enum pst_err e;

    if (!media_type_parse_token(&rest, &token) ||
        !media_type_accept_char(&rest, '/') ||
        !media_type_parse_token(&rest, &token))
        return PST_MALFORMED;
    e = media_type_check_parameters(rest);
    if (e)
        return e;
    out->name = pst_str_first(whole, whole.len - rest.len);
    out->parameters = rest;
    return PST_OK;
}

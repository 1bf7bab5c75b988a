/* SPDX-License-Identifier: ISC */
/*
 * media_type.c - a media type and its parameters, by the grammar and no more.
 */
#include "http/media_type.h"

/* Take the token that *rest begins with; false when there is none. */
static bool
take_token(struct pst_text *rest, struct pst_text *token)
{
    size_t len = 0;

    while (len < rest->len &&
           pst_text_is_token((struct pst_text){rest->ptr + len, 1}))
        len++;
    *token = pst_text_first(*rest, len);
    *rest = pst_text_from_octet(*rest, len);
    return len > 0;
}

static bool
take_char(struct pst_text *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    *rest = pst_text_from_octet(*rest, 1);
    return true;
}

/* What stands between two quotes (section 5.6.4). */
static bool
take_quoted(struct pst_text *rest, struct pst_text *value)
{
    size_t len = 0;

    while (len < rest->len && rest->ptr[len] != '"')
        len += rest->ptr[len] == '\\' ? 2 : 1;
    if (len >= rest->len)
        return false;
    *value = pst_text_first(*rest, len);
    *rest = pst_text_from_octet(*rest, len + 1);
    return pst_text_is_field_value(*value);
}

static void
skip_blanks(struct pst_text *rest)
{
    while (take_char(rest, ' ') || take_char(rest, '\t'))
        continue;
}

bool
pst_parameter_next(struct pst_text *rest, struct pst_text *name,
                   struct pst_text *value)
{
    struct pst_text text = *rest;

    skip_blanks(&text);
    while (take_char(&text, ';')) {
        skip_blanks(&text);
        if (!take_token(&text, name))
            continue;
        if (!take_char(&text, '='))
            return false;
        if (take_char(&text, '"') ? !take_quoted(&text, value)
                                  : !take_token(&text, value))
            return false;
        *rest = text;
        return true;
    }
    if (text.len == 0)
        *rest = text;
    return false;
}

struct pst_text
pst_media_type_parameter(const struct pst_media_type *type,
                         struct pst_text name)
{
    struct pst_text rest = type->parameters;
    struct pst_text found, value;

    while (pst_parameter_next(&rest, &found, &value)) {
        if (pst_text_equal_nocase(found, name))
            return value;
    }
    return PST_NO_TEXT;
}

static enum pst_err
check_parameters(struct pst_text rest)
{
    struct pst_text names[PST_MEDIA_PARAMETERS_MAX];
    struct pst_text name, value;
    size_t count = 0;

    while (pst_parameter_next(&rest, &name, &value)) {
        if (count == PST_COUNT(names))
            return PST_MALFORMED;
        for (size_t i = 0; i < count; i++) {
            if (pst_text_equal_nocase(names[i], name))
                return PST_MALFORMED;
        }
        names[count++] = name;
    }
    return rest.len == 0 ? PST_OK : PST_MALFORMED;
}

enum pst_err
pst_media_type_parse(struct pst_text text, struct pst_media_type *out)
{
    struct pst_text rest = pst_text_trim(text);
    struct pst_text whole = rest;
    struct pst_text token;
    enum pst_err e;

    if (!take_token(&rest, &token) || !take_char(&rest, '/') ||
        !take_token(&rest, &token))
        return PST_MALFORMED;
    e = check_parameters(rest);
    if (e)
        return e;
    out->name = pst_text_first(whole, whole.len - rest.len);
    out->parameters = rest;
    return PST_OK;
}

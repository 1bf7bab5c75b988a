/* SPDX-License-Identifier: ISC */
/*
 * bearer.c - parse Authorization: Bearer, write WWW-Authenticate (RFC 6750).
 */
#include "http/bearer.h"

#include <string.h>

static bool
bearer_is_token_char(char c)
{
    return pst_is_alpha(c) || pst_is_digit(c) ||
           (c != '\0' && strchr("-._~+/", c) != NULL);
}

/* Is it a b64token: one or more token characters, then any number of "="? */
static bool
bearer_is_b64token(struct pst_str text)
{
    size_t i = 0;

    while (i < text.len && bearer_is_token_char(text.ptr[i]))
        i++;
    if (i == 0)
        return false;
    while (i < text.len && text.ptr[i] == '=')
        i++;
    return i == text.len;
}

/* Remove the spaces at both ends. The grammar has no tabs. */
static struct pst_str
bearer_trim_spaces(struct pst_str text)
{
    while (text.len > 0 && text.ptr[0] == ' ')
        text = pst_str_skip(text, 1);
    while (text.len > 0 && text.ptr[text.len - 1] == ' ')
        text.len--;
    return text;
}

enum pst_err
pst_bearer_parse(struct pst_str header, struct pst_str *token)
{
    const struct pst_str scheme = PST_STR("Bearer");
    struct pst_str rest;
    struct pst_str found;

    if (!pst_str_starts_nocase(header, scheme))
        return PST_NOT_FOUND;
    rest = pst_str_skip(header, scheme.len);
    if (pst_str_is_token(
            pst_str_first(rest, 1))) /* "Bearerx" is another scheme */
        return PST_NOT_FOUND;
    found = bearer_trim_spaces(rest);
    if (found.len > 0 && (rest.ptr[0] != ' ' || !bearer_is_b64token(found)))
        return PST_FORGED;
    *token = found;
    return PST_OK;
}

void
pst_bearer_emit_challenge(struct pst_buf *buf, bool had_token)
{
    pst_buf_add_string(buf, had_token ? "Bearer error=\"invalid_token\""
                                      : "Bearer realm=\"postern\"");
}

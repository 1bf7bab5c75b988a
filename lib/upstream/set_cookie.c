/* SPDX-License-Identifier: ISC */
/*
 * set_cookie.c - parse a Set-Cookie line of the backend as a browser would (RFC
 * 6265 section 5.2).
 */
#include "upstream/set_cookie.h"

#include "codec/date.h"

/* {"token":""} in base64: the empty session of the package cookie-session. */
static const struct pst_str EMPTY_COOKIE_SESSION = {"eyJ0b2tlbiI6IiJ9", 16};

/*
 * Apply one attribute of a Set-Cookie line (RFC 6265 section 5.2): HttpOnly,
 * and those that delete the cookie. Expires counts unless a Max-Age comes
 * before it.
 */
static void
parse_cookie_attribute(struct pst_str piece, int64_t now, bool *has_max_age,
                       struct set_cookie *line)
{
    size_t equals = pst_str_index(piece, '=');
    struct pst_str name = pst_str_trim(pst_str_first(piece, equals));
    struct pst_str value = pst_str_trim(pst_str_skip(piece, equals + 1));
    int64_t when;

    if (pst_str_equal_nocase(name, PST_STR("HttpOnly")))
        line->is_http_only = true;
    if (pst_str_equal_nocase(name, PST_STR("Max-Age"))) {
        *has_max_age = true;
        if (value.len > 0 &&
            (value.ptr[0] == '-' || pst_str_equal(value, PST_STR("0"))))
            line->value = PST_STR_NONE;
    }
    if (pst_str_equal_nocase(name, PST_STR("Expires")) && !*has_max_age &&
        pst_date_parse_http(value, &when) == PST_OK && when <= now)
        line->value = PST_STR_NONE;
}

bool
set_cookie_parse(struct pst_str text, int64_t now, struct set_cookie *line)
{
    struct pst_str rest = text;
    bool has_max_age = false;
    struct pst_str piece;
    size_t equals;

    if (!pst_str_split(&rest, ';', &piece))
        return false;
    equals = pst_str_index(piece, '=');
    *line = (struct set_cookie){
        .name = pst_str_trim(pst_str_first(piece, equals)),
        .value = pst_str_trim(pst_str_skip(piece, equals + 1))};
    if (equals == piece.len || !pst_str_is_token(line->name) ||
        !pst_str_is_field_value(line->value))
        return false;
    if (line->value.len == 0 ||
        pst_str_equal(line->value, EMPTY_COOKIE_SESSION))
        line->value = PST_STR_NONE;
    while (pst_str_split(&rest, ';', &piece))
        parse_cookie_attribute(piece, now, &has_max_age, line);
    return true;
}

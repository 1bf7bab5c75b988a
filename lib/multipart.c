/* SPDX-License-Identifier: ISC */
/*
 * multipart.c - the first part of a form with files.
 */
#include "multipart.h"

#include <string.h>

/* A boundary is at most 70 characters long (RFC 2046, 5.1.1). */
#define BOUNDARY_MAX 70

static struct pst_text
unquoted(struct pst_text value)
{
    if (value.len < 2 || value.ptr[0] != '"' || value.ptr[value.len - 1] != '"')
        return value;
    return pst_text_first(pst_text_from_octet(value, 1), value.len - 2);
}

/* The one parameter of this name; absent when there is none, or two. */
static struct pst_text
parameter(struct pst_text field, struct pst_text wanted)
{
    struct pst_text found = PST_NO_TEXT;
    struct pst_text rest = field;
    struct pst_text piece;

    while (pst_text_cut(&rest, ';', &piece)) {
        size_t equals = pst_text_index(piece, '=');

        if (equals == piece.len ||
            !pst_text_equal_nocase(pst_text_trim(pst_text_first(piece, equals)),
                                   wanted))
            continue;
        if (!pst_text_is_absent(found))
            return PST_NO_TEXT;
        found = unquoted(pst_text_trim(pst_text_from_octet(piece, equals + 1)));
    }
    return found;
}

/* Take a line that ends in CR LF off *rest. */
static bool
take_line(struct pst_text *rest, struct pst_text *line)
{
    const char *end =
        rest->len > 0 ? memmem(rest->ptr, rest->len, "\r\n", 2) : NULL;

    if (!end)
        return false;
    *line = pst_text_first(*rest, (size_t)(end - rest->ptr));
    *rest = pst_text_from_octet(*rest, line->len + 2);
    return true;
}

/* Only what every backend reads alike: one plain Content-Disposition, and at
 * most a Content-Type beside it. */
static enum pst_err
read_header(struct pst_text line, struct pst_text name, bool *is_named)
{
    size_t colon = pst_text_index(line, ':');
    struct pst_text field = pst_text_first(line, colon);
    struct pst_text value = pst_text_from_octet(line, colon + 1);

    if (pst_text_equal_nocase(field, PST_TEXT("Content-Type")))
        return parameter(value, PST_TEXT("charset")).len > 0 ? PST_MALFORMED
                                                             : PST_OK;
    if (!pst_text_equal_nocase(field, PST_TEXT("Content-Disposition")) ||
        *is_named ||
        !pst_text_equal(parameter(value, PST_TEXT("name")), name) ||
        pst_text_contains(value, PST_TEXT("filename")) ||
        pst_text_contains(value, PST_TEXT("name*")))
        return PST_MALFORMED;
    *is_named = true;
    return PST_OK;
}

enum pst_err
pst_multipart_first(struct pst_text type, struct pst_text head,
                    struct pst_text name, struct pst_text *out)
{
    struct pst_text boundary = parameter(type, PST_TEXT("boundary"));
    char delimiter[4 + BOUNDARY_MAX] = "\r\n--";
    struct pst_text rest = head;
    bool is_named = false;
    struct pst_text line;
    const char *end;

    if (boundary.len == 0 || boundary.len > BOUNDARY_MAX)
        return PST_MALFORMED;
    memcpy(delimiter + 4, boundary.ptr, boundary.len);
    if (!take_line(&rest, &line) ||
        !pst_text_equal(line,
                        (struct pst_text){delimiter + 2, boundary.len + 2}))
        return PST_MALFORMED;
    for (;;) {
        if (!take_line(&rest, &line))
            return PST_TOO_LARGE;
        if (line.len == 0)
            break;
        if (read_header(line, name, &is_named) != PST_OK)
            return PST_MALFORMED;
    }
    if (!is_named)
        return PST_MALFORMED;
    end = rest.len > 0 ? memmem(rest.ptr, rest.len, delimiter, boundary.len + 4)
                       : NULL;
    if (!end)
        return PST_TOO_LARGE;
    *out = pst_text_first(rest, (size_t)(end - rest.ptr));
    return PST_OK;
}

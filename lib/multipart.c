/* SPDX-License-Identifier: ISC */
/*
 * multipart.c - the first part of a form with files, where it is plain.
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

static bool
is_parameter(struct pst_text piece, struct pst_text wanted)
{
    size_t equals = pst_text_index(piece, '=');

    return equals < piece.len &&
           pst_text_equal_nocase(pst_text_trim(pst_text_first(piece, equals)),
                                 wanted);
}

/* The one parameter of this name; absent when there is none, or two. */
static struct pst_text
parameter(struct pst_text field, struct pst_text wanted)
{
    struct pst_text found = PST_NO_TEXT;
    struct pst_text rest = field;
    struct pst_text piece;

    while (pst_text_cut(&rest, ';', &piece)) {
        if (!is_parameter(piece, wanted))
            continue;
        if (!pst_text_is_absent(found))
            return PST_NO_TEXT;
        pst_text_cut(&piece, '=', &found);
        found = unquoted(pst_text_trim(piece));
    }
    return found;
}

static bool
has_parameter(struct pst_text field, struct pst_text wanted)
{
    struct pst_text rest = field;
    struct pst_text piece;

    while (pst_text_cut(&rest, ';', &piece)) {
        if (is_parameter(piece, wanted))
            return true;
    }
    return false;
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

/* The header lines of a part: those of the first one, or of another. */
typedef enum pst_err read_line(struct pst_text line, struct pst_text name,
                               bool *is_named);

/* "form-data; name=…" and not a word more. */
static bool
is_plain(struct pst_text value, struct pst_text name)
{
    struct pst_text rest = value;
    struct pst_text piece;

    return pst_text_cut(&rest, ';', &piece) &&
           pst_text_equal_nocase(pst_text_trim(piece), PST_TEXT("form-data")) &&
           pst_text_equal(parameter(rest, PST_TEXT("name")), name) &&
           pst_text_cut(&rest, ';', &piece) && pst_text_is_absent(rest);
}

/* A part of another type is a file to some, and a charset is read by some. */
static bool
is_plain_type(struct pst_text value)
{
    struct pst_text rest = value;
    struct pst_text type;

    return pst_text_cut(&rest, ';', &type) &&
           (pst_text_equal_nocase(pst_text_trim(type),
                                  PST_TEXT("application/json")) ||
            pst_text_equal_nocase(pst_text_trim(type),
                                  PST_TEXT("text/plain"))) &&
           !has_parameter(rest, PST_TEXT("charset"));
}

/* Only what every backend reads alike: one plain Content-Disposition, and at
 * most a Content-Type beside it. */
static enum pst_err
read_first(struct pst_text line, struct pst_text name, bool *is_named)
{
    size_t colon = pst_text_index(line, ':');
    struct pst_text field = pst_text_first(line, colon);
    struct pst_text value = pst_text_from_octet(line, colon + 1);

    if (pst_text_equal_nocase(field, PST_TEXT("Content-Type")))
        return is_plain_type(value) ? PST_OK : PST_MALFORMED;
    if (!pst_text_equal_nocase(field, PST_TEXT("Content-Disposition")) ||
        *is_named || !is_plain(value, name))
        return PST_MALFORMED;
    *is_named = true;
    return PST_OK;
}

/* Any other part may say what it likes, but not that it is the first one
 * again, nor anything that only some backends read so. */
static enum pst_err
read_other(struct pst_text line, struct pst_text name, bool *is_named)
{
    size_t colon = pst_text_index(line, ':');
    struct pst_text field = pst_text_first(line, colon);
    struct pst_text value = pst_text_from_octet(line, colon + 1);
    struct pst_text own;

    if (!pst_text_is_token(field))
        return PST_MALFORMED; /* a folded line among others */
    if (!pst_text_equal_nocase(field, PST_TEXT("Content-Disposition")))
        return PST_OK;
    own = parameter(value, PST_TEXT("name"));
    if (*is_named || pst_text_is_absent(own) || pst_text_equal(own, name) ||
        pst_text_index(own, '\\') < own.len ||
        has_parameter(value, PST_TEXT("name*")))
        return PST_MALFORMED;
    *is_named = true;
    return PST_OK;
}

/* Take the lines of a part's head off *rest, and the empty one after them. */
static enum pst_err
take_head(struct pst_text *rest, struct pst_text name, read_line *read)
{
    bool is_named = false;
    struct pst_text line;

    for (;;) {
        if (!take_line(rest, &line))
            return PST_TOO_LARGE;
        if (line.len == 0)
            return is_named ? PST_OK : PST_MALFORMED;
        if (read(line, name, &is_named) != PST_OK)
            return PST_MALFORMED;
    }
}

/*
 * Take a part's content off *rest, and the delimiter after it. To some
 * readers a line ends in LF alone, so a delimiter after such a one is refused.
 */
static enum pst_err
take_content(struct pst_text *rest, struct pst_text delimiter,
             struct pst_text *content)
{
    const char *end =
        rest->len > 0
            ? memmem(rest->ptr, rest->len, delimiter.ptr + 1, delimiter.len - 1)
            : NULL;
    size_t at;

    if (!end)
        return PST_TOO_LARGE;
    at = (size_t)(end - rest->ptr);
    if (at == 0 || rest->ptr[at - 1] != '\r')
        return PST_MALFORMED;
    *content = pst_text_first(*rest, at - 1);
    *rest = pst_text_from_octet(*rest, at + delimiter.len - 1);
    return PST_OK;
}

/* Look through the parts after the first one, as far as they are there. */
static enum pst_err
check_others(struct pst_text rest, struct pst_text delimiter,
             struct pst_text name)
{
    enum pst_err e = PST_OK;
    struct pst_text piece;

    while (!e) {
        if (!take_line(&rest, &piece) || pst_text_starts(piece, PST_TEXT("--")))
            return PST_OK;
        if (pst_text_trim(piece).len > 0)
            return PST_MALFORMED;
        e = take_head(&rest, name, read_other);
        if (!e)
            e = take_content(&rest, delimiter, &piece);
    }
    return e == PST_TOO_LARGE ? PST_OK : e;
}

enum pst_err
pst_multipart_first(struct pst_text type, struct pst_text head,
                    struct pst_text name, struct pst_text *out)
{
    struct pst_text boundary = parameter(type, PST_TEXT("boundary"));
    char text[4 + BOUNDARY_MAX] = "\r\n--";
    struct pst_text delimiter = {text, boundary.len + 4};
    struct pst_text rest = head;
    struct pst_text content;
    enum pst_err e;

    if (boundary.len == 0 || boundary.len > BOUNDARY_MAX)
        return PST_MALFORMED;
    memcpy(text + 4, boundary.ptr, boundary.len);
    if (!take_line(&rest, &content) ||
        !pst_text_equal(content, pst_text_from_octet(delimiter, 2)))
        return PST_MALFORMED;
    e = take_head(&rest, name, read_first);
    if (!e)
        e = take_content(&rest, delimiter, &content);
    if (!e)
        e = check_others(rest, delimiter, name);
    if (!e)
        *out = content;
    return e;
}

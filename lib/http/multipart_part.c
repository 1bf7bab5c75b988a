/* SPDX-License-Identifier: ISC */
/*
 * multipart_part.c - the header lines of a part, read only where all readers
 * agree.
 */
#include "http/multipart_part.h"

#include <string.h>

static const struct pst_text OPERATIONS = {"operations", 10};

static bool
is_one_of(char c, const char *set)
{
    return pst_is_alpha(c) || pst_is_digit(c) ||
           (c != '\0' && strchr(set, c) != NULL);
}

static bool
consists_of(struct pst_text text, const char *set)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_one_of(text.ptr[i], set))
            return false;
    }
    return text.len > 0;
}

/* Parameters (RFC 9110 5.6.6). */

/* Take what stands before the first parameter off *rest. */
static struct pst_text
take_value(struct pst_text *rest)
{
    size_t end = pst_text_index(*rest, ';');
    struct pst_text value = pst_text_trim(pst_text_first(*rest, end));

    *rest = pst_text_trim(pst_text_from_octet(*rest, end));
    return value;
}

/*
 * Take "; name=value" off *rest. A backslash between quotes is an escape to
 * some, and a letter of a Windows path to others.
 */
static bool
take_parameter(struct pst_text *rest, struct pst_text *name,
               struct pst_text *value)
{
    struct pst_text text = pst_text_trim(pst_text_from_octet(*rest, 1));
    size_t equals = pst_text_index(text, '=');
    bool is_quoted;
    size_t end;

    if (!pst_text_starts(*rest, PST_TEXT(";")))
        return false;
    *name = pst_text_first(text, equals);
    text = pst_text_from_octet(text, equals + 1);
    is_quoted = pst_text_starts(text, PST_TEXT("\""));
    if (!is_quoted) {
        *value = take_value(&text);
        *rest = text;
        return pst_text_is_token(*value);
    }
    text = pst_text_from_octet(text, 1);
    end = pst_text_index(text, '"');
    *value = pst_text_first(text, end);
    *rest = pst_text_trim(pst_text_from_octet(text, end + 1));
    return end < text.len && pst_text_index(*value, '\\') == value->len;
}

/*
 * Some look for a name wherever "name=" stands, and take the last one: in the
 * name of a file, or in a type.
 */
static bool
may_name(struct pst_text text)
{
    if (pst_text_index(text, '=') == text.len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (pst_text_starts_nocase(pst_text_from_octet(text, i),
                                   PST_TEXT("name")))
            return true;
    }
    return false;
}

/*
 * May a later part be called so? Not what somebody decodes (=?, %, \, what is
 * not ASCII), nor what is "operations" but for letters' case, or for signs
 * around that PHP, Rack and others take away: "operations[0]", "[operations]".
 * And "_charset_" would say how to decode the first part (RFC 7578 4.6).
 */
static bool
is_others_name(struct pst_text name)
{
    struct pst_text base = name;

    while (base.len > 0 && strchr("[].", base.ptr[0]))
        base = pst_text_from_octet(base, 1);
    base = pst_text_first(base, pst_text_index(base, '['));
    base = pst_text_first(base, pst_text_index(base, ']'));
    while (base.len > 0 && base.ptr[base.len - 1] == '.')
        base.len--;
    return consists_of(name, "_-.:/[]") &&
           !pst_text_equal_nocase(base, OPERATIONS) &&
           !pst_text_equal_nocase(base, PST_TEXT("_charset_"));
}

/*
 * What makes a file of a part: its name, which some libraries write a second
 * time as filename* (RFC 5987). That one alone makes no file of it to all.
 */
static enum pst_err
read_file(struct pst_part *part, struct pst_text rest)
{
    while (rest.len > 0) {
        struct pst_text name;
        struct pst_text value;
        struct pst_text *place = &part->filename;

        if (!take_parameter(&rest, &name, &value))
            return PST_MALFORMED;
        if (pst_text_equal_nocase(name, PST_TEXT("filename*")))
            place = &part->extended;
        else if (!pst_text_equal_nocase(name, PST_TEXT("filename")))
            return PST_MALFORMED;
        if (!pst_text_is_absent(*place) || value.len == 0 || may_name(value))
            return PST_MALFORMED;
        *place = value;
    }
    return pst_text_is_absent(part->filename) ? PST_MALFORMED : PST_OK;
}

static enum pst_err
read_disposition(struct pst_part *part, struct pst_text rest)
{
    struct pst_text form_data = take_value(&rest);
    struct pst_text parameter;
    struct pst_text name;

    if (!pst_text_is_absent(part->name) ||
        !pst_text_equal_nocase(form_data, PST_TEXT("form-data")) ||
        !take_parameter(&rest, &parameter, &name) ||
        !pst_text_equal_nocase(parameter, PST_TEXT("name")))
        return PST_MALFORMED;
    part->name = name;
    if (part->is_first)
        return rest.len == 0 && pst_text_equal(name, OPERATIONS)
                   ? PST_OK
                   : PST_MALFORMED;
    if (!is_others_name(name))
        return PST_MALFORMED;
    if (rest.len == 0 && pst_text_equal(name, PST_TEXT("map")))
        return PST_OK;
    return read_file(part, rest);
}

/* A part of another type is a file to some, and a charset is read by some. */
static bool
is_plain_type(struct pst_text rest)
{
    struct pst_text type = take_value(&rest);
    struct pst_text name;
    struct pst_text value;

    if (!pst_text_equal_nocase(type, PST_TEXT("application/json")) &&
        !pst_text_equal_nocase(type, PST_TEXT("text/plain")))
        return false;
    return rest.len == 0 ||
           (take_parameter(&rest, &name, &value) && rest.len == 0 &&
            pst_text_equal_nocase(name, PST_TEXT("charset")) &&
            pst_text_equal_nocase(value, PST_TEXT("utf-8")));
}

/* A file may be of any type, but one that has parts of its own. */
static enum pst_err
read_type(struct pst_part *part, struct pst_text value)
{
    bool is_good = part->is_first
                       ? is_plain_type(value)
                       : !may_name(value) && !pst_text_starts_nocase(
                                                 value, PST_TEXT("multipart/"));

    if (!pst_text_is_absent(part->type) || !is_good)
        return PST_MALFORMED;
    part->type = value;
    return PST_OK;
}

/* "7bit" and the like say that nothing was done to the bytes. */
static enum pst_err
read_encoding(struct pst_text value)
{
    return pst_text_equal_nocase(value, PST_TEXT("binary")) ||
                   pst_text_equal_nocase(value, PST_TEXT("8bit")) ||
                   pst_text_equal_nocase(value, PST_TEXT("7bit"))
               ? PST_OK
               : PST_MALFORMED;
}

enum pst_err
pst_part_read_line(struct pst_part *part, struct pst_text line)
{
    size_t colon = pst_text_index(line, ':');
    struct pst_text field = pst_text_first(line, colon);
    struct pst_text value = pst_text_trim(pst_text_from_octet(line, colon + 1));
    int64_t length;

    if (colon == line.len || !pst_text_is_field_value(line) ||
        pst_text_index(line, '\t') < line.len)
        return PST_MALFORMED;
    if (pst_text_equal_nocase(field, PST_TEXT("Content-Disposition")))
        return read_disposition(part, value);
    if (pst_text_equal_nocase(field, PST_TEXT("Content-Type")))
        return read_type(part, value);
    if (pst_text_equal_nocase(field, PST_TEXT("Content-Transfer-Encoding")))
        return read_encoding(value);
    if (pst_text_equal_nocase(field, PST_TEXT("Content-Length")))
        return pst_text_number(value, &length);
    return PST_MALFORMED;
}

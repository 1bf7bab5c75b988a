/* SPDX-License-Identifier: ISC */
/*
 * multipart_part.c - parse the header lines of a part of multipart/form-data
 * (RFC 7578 section 4), and refuse what programs read differently.
 */
#include "http/multipart_part.h"

#include <string.h>

static const struct pst_str OPERATIONS = {"operations", 10};

static bool
multipart_part_char_is_in(char c, const char *set)
{
    return pst_is_alpha(c) || pst_is_digit(c) ||
           (c != '\0' && strchr(set, c) != NULL);
}

static bool
multipart_part_consists_of(struct pst_str text, const char *set)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!multipart_part_char_is_in(text.ptr[i], set))
            return false;
    }
    return text.len > 0;
}

/* Split off the value before the first parameter (RFC 9110 5.6.6). */
static struct pst_str
multipart_part_parse_value(struct pst_str *rest)
{
    size_t end = pst_str_index(*rest, ';');
    struct pst_str value = pst_str_trim(pst_str_first(*rest, end));

    *rest = pst_str_trim(pst_str_skip(*rest, end));
    return value;
}

/*
 * Split off "; name=value". A backslash between quotes is refused: for some
 * programs it is an escape, for others a part of a Windows path.
 */
static bool
multipart_part_parse_parameter(struct pst_str *rest, struct pst_str *name,
                               struct pst_str *value)
{
    struct pst_str text = pst_str_trim(pst_str_skip(*rest, 1));
    size_t equals = pst_str_index(text, '=');
    bool is_quoted;
    size_t end;

    if (!pst_str_starts(*rest, PST_STR(";")))
        return false;
    *name = pst_str_first(text, equals);
    text = pst_str_skip(text, equals + 1);
    is_quoted = pst_str_starts(text, PST_STR("\""));
    if (!is_quoted) {
        *value = multipart_part_parse_value(&text);
        *rest = text;
        return pst_str_is_token(*value);
    }
    text = pst_str_skip(text, 1);
    end = pst_str_index(text, '"');
    *value = pst_str_first(text, end);
    *rest = pst_str_trim(pst_str_skip(text, end + 1));
    return end < text.len && pst_str_index(*value, '\\') == value->len;
}

/*
 * Could a program find the name of the part in this text? Some search for
 * "name=" anywhere, also in a file name or a type, and use the last one.
 */
static bool
multipart_part_may_set_name(struct pst_str text)
{
    if (pst_str_index(text, '=') == text.len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (pst_str_starts_nocase(pst_str_skip(text, i), PST_STR("name")))
            return true;
    }
    return false;
}

/*
 * May a later part have this name? Refused are
 *   - characters that some program decodes: "=?", "%", "\", not ASCII
 *   - "operations" in any case, also with the brackets and dots that PHP, Rack
 *     and others remove, as in "operations[0]" and "[operations]"
 *   - "_charset_", which says how to decode the first part (RFC 7578 4.6)
 */
static bool
multipart_part_is_safe_name(struct pst_str name)
{
    struct pst_str base = name;

    while (base.len > 0 && strchr("[].", base.ptr[0]))
        base = pst_str_skip(base, 1);
    base = pst_str_first(base, pst_str_index(base, '['));
    base = pst_str_first(base, pst_str_index(base, ']'));
    while (base.len > 0 && base.ptr[base.len - 1] == '.')
        base.len--;
    return multipart_part_consists_of(name, "_-.:/[]") &&
           !pst_str_equal_nocase(base, OPERATIONS) &&
           !pst_str_equal_nocase(base, PST_STR("_charset_"));
}

/*
 * Parse the filename, which makes the part a file. Some libraries add filename*
 * (RFC 8187). Not all programs know it, so alone it is refused.
 */
static enum pst_err
multipart_part_parse_filename(struct pst_multipart_part *part,
                              struct pst_str rest)
{
    while (rest.len > 0) {
        struct pst_str name;
        struct pst_str value;
        struct pst_str *target = &part->filename;

        if (!multipart_part_parse_parameter(&rest, &name, &value))
            return PST_MALFORMED;
        if (pst_str_equal_nocase(name, PST_STR("filename*")))
            target = &part->extended;
        else if (!pst_str_equal_nocase(name, PST_STR("filename")))
            return PST_MALFORMED;
        if (!pst_str_is_absent(*target) || value.len == 0 ||
            multipart_part_may_set_name(value))
            return PST_MALFORMED;
        *target = value;
    }
    return pst_str_is_absent(part->filename) ? PST_MALFORMED : PST_OK;
}

static enum pst_err
multipart_part_parse_disposition(struct pst_multipart_part *part,
                                 struct pst_str rest)
{
    struct pst_str form_data = multipart_part_parse_value(&rest);
    struct pst_str parameter;
    struct pst_str name;

    if (!pst_str_is_absent(part->name) ||
        !pst_str_equal_nocase(form_data, PST_STR("form-data")) ||
        !multipart_part_parse_parameter(&rest, &parameter, &name) ||
        !pst_str_equal_nocase(parameter, PST_STR("name")))
        return PST_MALFORMED;
    part->name = name;
    if (part->is_first)
        return rest.len == 0 && pst_str_equal(name, OPERATIONS) ? PST_OK
                                                                : PST_MALFORMED;
    if (!multipart_part_is_safe_name(name))
        return PST_MALFORMED;
    if (rest.len == 0 && pst_str_equal(name, PST_STR("map")))
        return PST_OK;
    return multipart_part_parse_filename(part, rest);
}

/*
 * May "operations" have this type? Some programs take other types for a file,
 * and some decode by the charset.
 */
static bool
multipart_part_is_plain_type(struct pst_str rest)
{
    struct pst_str type = multipart_part_parse_value(&rest);
    struct pst_str name;
    struct pst_str value;

    if (!pst_str_equal_nocase(type, PST_STR("application/json")) &&
        !pst_str_equal_nocase(type, PST_STR("text/plain")))
        return false;
    return rest.len == 0 ||
           (multipart_part_parse_parameter(&rest, &name, &value) &&
            rest.len == 0 && pst_str_equal_nocase(name, PST_STR("charset")) &&
            pst_str_equal_nocase(value, PST_STR("utf-8")));
}

/* A file may be of any type but multipart, which has parts of its own. */
static enum pst_err
multipart_part_parse_type(struct pst_multipart_part *part, struct pst_str value)
{
    bool is_allowed =
        part->is_first
            ? multipart_part_is_plain_type(value)
            : !multipart_part_may_set_name(value) &&
                  !pst_str_starts_nocase(value, PST_STR("multipart/"));

    if (!pst_str_is_absent(part->type) || !is_allowed)
        return PST_MALFORMED;
    part->type = value;
    return PST_OK;
}

/* Accept only the encodings that leave the bytes unchanged. */
static enum pst_err
multipart_part_check_encoding(struct pst_str value)
{
    return pst_str_equal_nocase(value, PST_STR("binary")) ||
                   pst_str_equal_nocase(value, PST_STR("8bit")) ||
                   pst_str_equal_nocase(value, PST_STR("7bit"))
               ? PST_OK
               : PST_MALFORMED;
}

/* Why a part with a wrong Content-Disposition is refused. */
static const char *
multipart_part_disposition_reason(const struct pst_multipart_part *part)
{
    return part->is_first
               ? "the first part must be named \"operations\", and be no file"
               : "the Content-Disposition of a part must be form-data with a "
                 "plain name and, but for \"map\", a filename without "
                 "backslash; filename* alone is not enough";
}

static enum pst_err
multipart_part_parse_header(struct pst_multipart_part *part,
                            struct pst_str field, struct pst_str value)
{
    int64_t length;

    if (pst_str_equal_nocase(field, PST_STR("Content-Disposition"))) {
        part->reason = multipart_part_disposition_reason(part);
        return multipart_part_parse_disposition(part, value);
    }
    if (pst_str_equal_nocase(field, PST_STR("Content-Type"))) {
        part->reason = "the Content-Type of \"operations\" must be "
                       "application/json or text/plain in UTF-8, that of a "
                       "file must not be multipart";
        return multipart_part_parse_type(part, value);
    }
    if (pst_str_equal_nocase(field, PST_STR("Content-Transfer-Encoding"))) {
        part->reason = "the Content-Transfer-Encoding of a part must be "
                       "binary, 8bit or 7bit";
        return multipart_part_check_encoding(value);
    }
    part->reason = "a part may have the headers Content-Disposition, "
                   "Content-Type, Content-Transfer-Encoding and "
                   "Content-Length only";
    return pst_str_equal_nocase(field, PST_STR("Content-Length"))
               ? pst_str_parse_number(value, &length)
               : PST_MALFORMED;
}

enum pst_err
pst_multipart_part_parse_line(struct pst_multipart_part *part,
                              struct pst_str line)
{
    size_t colon = pst_str_index(line, ':');
    struct pst_str field = pst_str_first(line, colon);
    struct pst_str value = pst_str_trim(pst_str_skip(line, colon + 1));

    part->reason = "a header line of a part is malformed";
    if (colon == line.len || !pst_str_is_field_value(line) ||
        pst_str_index(line, '\t') < line.len)
        return PST_MALFORMED;
    return multipart_part_parse_header(part, field, value);
}

/* SPDX-License-Identifier: ISC */
/*
 * multipart.c - a GraphQL request with files, watched while it passes.
 */
#include "multipart.h"

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

/* The delimiter. */

/* Knuth, Morris and Pratt's table: what is still matched when the next octet
 * is not the delimiter's. */
static void
make_borders(struct pst_multipart_watch *watch)
{
    const char *text = watch->delimiter;
    uint8_t border = 0;

    watch->border[0] = 0;
    for (size_t i = 1; i < watch->len; i++) {
        while (border > 0 && text[i] != text[border])
            border = watch->border[border - 1];
        if (text[i] == text[border])
            border++;
        watch->border[i] = border;
    }
}

/*
 * One octet of the body: does it end a delimiter? Some look for one in any
 * place, not only in lines of its own, so all of them are found. A boundary
 * has no CR LF: none that begins within another is at a line's beginning.
 */
static bool
ends_delimiter(struct pst_multipart_watch *watch, char c)
{
    size_t matched = watch->matched;

    while (matched > 0 &&
           (matched == watch->len || watch->delimiter[matched] != c)) {
        matched = watch->border[matched - 1];
        watch->is_at_line = false;
    }
    if (matched == 0)
        watch->is_at_line = watch->line == 2;
    if (watch->delimiter[matched] == c)
        matched++;
    watch->matched = matched;
    if (c == '\n' && watch->line == 1)
        watch->line = 2;
    else
        watch->line = c == '\r';
    return matched == watch->len;
}

/* A part's header lines. */

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
read_file(struct pst_text rest)
{
    bool has_filename = false;
    bool has_extended = false;

    while (rest.len > 0) {
        struct pst_text name;
        struct pst_text value;
        bool *has = &has_filename;

        if (!take_parameter(&rest, &name, &value))
            return PST_MALFORMED;
        if (pst_text_equal_nocase(name, PST_TEXT("filename*")))
            has = &has_extended;
        else if (!pst_text_equal_nocase(name, PST_TEXT("filename")))
            return PST_MALFORMED;
        if (*has || value.len == 0 || may_name(value))
            return PST_MALFORMED;
        *has = true;
    }
    return has_filename ? PST_OK : PST_MALFORMED;
}

static enum pst_err
read_disposition(struct pst_multipart_watch *watch, struct pst_text rest)
{
    struct pst_text form_data = take_value(&rest);
    struct pst_text parameter;
    struct pst_text name;

    if (watch->is_named ||
        !pst_text_equal_nocase(form_data, PST_TEXT("form-data")) ||
        !take_parameter(&rest, &parameter, &name) ||
        !pst_text_equal_nocase(parameter, PST_TEXT("name")))
        return PST_MALFORMED;
    watch->is_named = true;
    if (watch->parts == 1)
        return rest.len == 0 && pst_text_equal(name, OPERATIONS)
                   ? PST_OK
                   : PST_MALFORMED;
    if (!is_others_name(name))
        return PST_MALFORMED;
    if (rest.len == 0 && pst_text_equal(name, PST_TEXT("map")))
        return PST_OK;
    return read_file(rest);
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
read_type(struct pst_multipart_watch *watch, struct pst_text value)
{
    bool is_good = watch->parts == 1
                       ? is_plain_type(value)
                       : !may_name(value) && !pst_text_starts_nocase(
                                                 value, PST_TEXT("multipart/"));

    if (watch->is_typed || !is_good)
        return PST_MALFORMED;
    watch->is_typed = true;
    return PST_OK;
}

/* "7bit" and the like say that nothing was done to the octets. */
static enum pst_err
read_encoding(struct pst_text value)
{
    return pst_text_equal_nocase(value, PST_TEXT("binary")) ||
                   pst_text_equal_nocase(value, PST_TEXT("8bit")) ||
                   pst_text_equal_nocase(value, PST_TEXT("7bit"))
               ? PST_OK
               : PST_MALFORMED;
}

static enum pst_err
read_line(struct pst_multipart_watch *watch, struct pst_text line)
{
    size_t colon = pst_text_index(line, ':');
    struct pst_text field = pst_text_first(line, colon);
    struct pst_text value = pst_text_trim(pst_text_from_octet(line, colon + 1));
    int64_t length;

    if (colon == line.len || !pst_text_is_field_value(line) ||
        pst_text_index(line, '\t') < line.len)
        return PST_MALFORMED;
    if (pst_text_equal_nocase(field, PST_TEXT("Content-Disposition")))
        return read_disposition(watch, value);
    if (pst_text_equal_nocase(field, PST_TEXT("Content-Type")))
        return read_type(watch, value);
    if (pst_text_equal_nocase(field, PST_TEXT("Content-Transfer-Encoding")))
        return read_encoding(value);
    if (pst_text_equal_nocase(field, PST_TEXT("Content-Length")))
        return pst_text_number(value, &length);
    return PST_MALFORMED;
}

/* The body, octet by octet. */

/* The lines are over. The CR LF of the empty one is no delimiter's to all. */
static enum pst_err
end_head(struct pst_multipart_watch *watch)
{
    if (!watch->is_named)
        return PST_MALFORMED;
    watch->place = PST_MULTIPART_CONTENT;
    watch->line = 0;
    if (watch->parts == 1)
        watch->first_at = watch->seen;
    return PST_OK;
}

static enum pst_err
take_head(struct pst_multipart_watch *watch, char c)
{
    struct pst_text line;

    if (watch->head_len == sizeof(watch->head))
        return PST_MALFORMED;
    watch->head[watch->head_len++] = c;
    if (c != '\n')
        return PST_OK;
    if (watch->line != 2)
        return PST_MALFORMED;
    line = (struct pst_text){watch->head + watch->line_at,
                             watch->head_len - watch->line_at - 2};
    watch->line_at = watch->head_len;
    return line.len == 0 ? end_head(watch) : read_line(watch, line);
}

/* A delimiter ends in CR LF, the closing one in "--". */
static enum pst_err
take_behind(struct pst_multipart_watch *watch, char c)
{
    struct pst_text behind = {watch->head, 2};

    watch->head[watch->head_len++] = c;
    if (watch->head_len < 2)
        return PST_OK;
    if (pst_text_equal(behind, PST_TEXT("--"))) {
        watch->place = PST_MULTIPART_END;
        return PST_OK;
    }
    if (!pst_text_equal(behind, PST_TEXT("\r\n")))
        return PST_MALFORMED;
    watch->place = PST_MULTIPART_HEAD;
    watch->parts++;
    watch->head_len = 0;
    watch->line_at = 0;
    watch->is_named = false;
    watch->is_typed = false;
    return PST_OK;
}

static enum pst_err
take_delimiter(struct pst_multipart_watch *watch)
{
    bool is_good = watch->place == PST_MULTIPART_START ||
                   (watch->place == PST_MULTIPART_CONTENT && watch->is_at_line);

    if (!is_good)
        return PST_MALFORMED;
    if (watch->parts == 1)
        watch->first_end = watch->seen - watch->len - 2;
    watch->place = PST_MULTIPART_BEHIND;
    watch->head_len = 0;
    return PST_OK;
}

static enum pst_err
take_octet(struct pst_multipart_watch *watch, char c)
{
    watch->seen++;
    if (ends_delimiter(watch, c))
        return take_delimiter(watch);
    switch (watch->place) {
    case PST_MULTIPART_START:
        return watch->matched == watch->seen ? PST_OK : PST_MALFORMED;
    case PST_MULTIPART_BEHIND:
        return take_behind(watch, c);
    case PST_MULTIPART_HEAD:
        return take_head(watch, c);
    case PST_MULTIPART_CONTENT:
    case PST_MULTIPART_END:
        break;
    }
    return PST_OK;
}

/*
 * How many of these octets can be passed over: in what a part holds, nothing
 * is of interest but a delimiter, which begins with "-", and the two octets
 * before it.
 */
static size_t
passable(const struct pst_multipart_watch *watch, struct pst_text rest)
{
    size_t dash;

    if (watch->matched > 0 || (watch->place != PST_MULTIPART_CONTENT &&
                               watch->place != PST_MULTIPART_END))
        return 0;
    dash = pst_text_index(rest, '-');
    return dash > 2 ? dash - 2 : 0;
}

static enum pst_err
take_piece(struct pst_multipart_watch *watch, struct pst_text piece)
{
    enum pst_err e = PST_OK;

    for (size_t i = 0; i < piece.len && !e; i++) {
        size_t skip = passable(watch, pst_text_from_octet(piece, i));

        watch->seen += skip;
        i += skip;
        e = take_octet(watch, piece.ptr[i]);
    }
    return e;
}

enum pst_err
pst_multipart_watch_init(struct pst_multipart_watch *watch,
                         struct pst_text type)
{
    struct pst_text boundary = PST_NO_TEXT;
    struct pst_text rest = type;

    (void)take_value(&rest);
    while (rest.len > 0) {
        struct pst_text name;
        struct pst_text value;

        if (!take_parameter(&rest, &name, &value))
            return PST_MALFORMED;
        if (pst_text_equal_nocase(name, PST_TEXT("charset")))
            continue;
        if (!pst_text_equal_nocase(name, PST_TEXT("boundary")) ||
            !pst_text_is_absent(boundary))
            return PST_MALFORMED;
        boundary = value;
    }
    if (boundary.len > PST_BOUNDARY_MAX ||
        !consists_of(boundary, "'()+_,-./:=?"))
        return PST_MALFORMED;
    *watch = (struct pst_multipart_watch){.delimiter = "--",
                                          .len = boundary.len + 2};
    memcpy(watch->delimiter + 2, boundary.ptr, boundary.len);
    make_borders(watch);
    return PST_OK;
}

enum pst_err
pst_multipart_watch_first(struct pst_multipart_watch *watch,
                          struct pst_text head, struct pst_text *out)
{
    enum pst_err e = take_piece(watch, head);

    if (e)
        return e;
    if (watch->first_end == 0)
        return PST_TOO_LARGE;
    watch->again = head.len;
    *out = pst_text_from_octet(pst_text_first(head, watch->first_end),
                               watch->first_at);
    return PST_OK;
}

enum pst_err
pst_multipart_watch_piece(struct pst_multipart_watch *watch,
                          struct pst_text piece)
{
    size_t known = pst_text_first(piece, watch->again).len;

    watch->again -= known;
    return take_piece(watch, pst_text_from_octet(piece, known));
}

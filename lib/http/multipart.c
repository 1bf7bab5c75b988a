/* SPDX-License-Identifier: ISC */
/*
 * multipart.c - a GraphQL request with files, read while it passes.
 */
#include "http/multipart.h"

#include <string.h>

#include "http/media_type.h"

/*
 * One byte of the body: does it end a delimiter? Some look for one in any
 * place, not only in lines of its own, so all of them are found. A boundary
 * has no CR LF: none that begins within another is at a line's beginning.
 */
static bool
ends_delimiter(struct pst_multipart *reader, char c)
{
    size_t before = reader->delimiter.matched;
    bool ends = pst_needle_take(&reader->delimiter, c);

    if (before == 0)
        reader->is_at_line = reader->line == 2;
    else if (reader->delimiter.matched != before + 1)
        reader->is_at_line = false;
    if (c == '\n' && reader->line == 1)
        reader->line = 2;
    else
        reader->line = c == '\r';
    return ends;
}

/*
 * Bytes at the end of what was read that may belong to a delimiter: CR LF
 * and as much of it as there is.
 */
static size_t
withheld(const struct pst_multipart *reader)
{
    return reader->delimiter.matched > 0 && reader->is_at_line
               ? 2 + reader->delimiter.matched
               : reader->line;
}

/* The lines are over. The CR LF of the empty one is no delimiter's to all. */
static enum pst_err
end_head(struct pst_multipart *reader)
{
    if (pst_text_is_absent(reader->part.name))
        return PST_MALFORMED;
    reader->place = PST_MULTIPART_CONTENT;
    reader->line = 0;
    return PST_OK;
}

static enum pst_err
take_head(struct pst_multipart *reader, char c)
{
    struct pst_text line;

    if (reader->head_len == sizeof(reader->head))
        return PST_MALFORMED;
    reader->head[reader->head_len++] = c;
    if (c != '\n')
        return PST_OK;
    if (reader->line != 2)
        return PST_MALFORMED;
    line = (struct pst_text){reader->head + reader->line_at,
                             reader->head_len - reader->line_at - 2};
    reader->line_at = reader->head_len;
    return line.len == 0 ? end_head(reader)
                         : pst_part_read_line(&reader->part, line);
}

/* A delimiter ends in CR LF, the closing one in "--". */
static enum pst_err
take_behind(struct pst_multipart *reader, char c)
{
    struct pst_text behind = {reader->head, 2};

    reader->head[reader->head_len++] = c;
    if (reader->head_len < 2)
        return PST_OK;
    if (pst_text_equal(behind, PST_TEXT("--"))) {
        reader->place = PST_MULTIPART_END;
        return PST_OK;
    }
    if (!pst_text_equal(behind, PST_TEXT("\r\n")))
        return PST_MALFORMED;
    reader->place = PST_MULTIPART_HEAD;
    reader->parts++;
    reader->head_len = 0;
    reader->line_at = 0;
    reader->part = (struct pst_part){.is_first = reader->parts == 1};
    return PST_OK;
}

static enum pst_err
take_delimiter(struct pst_multipart *reader)
{
    bool is_good =
        reader->place == PST_MULTIPART_START ||
        (reader->place == PST_MULTIPART_CONTENT && reader->is_at_line);

    if (!is_good)
        return PST_MALFORMED;
    reader->place = PST_MULTIPART_BEHIND;
    reader->head_len = 0;
    return PST_OK;
}

static enum pst_err
take_octet(struct pst_multipart *reader, char c)
{
    reader->seen++;
    if (ends_delimiter(reader, c))
        return take_delimiter(reader);
    switch (reader->place) {
    case PST_MULTIPART_START:
        return reader->delimiter.matched == reader->seen ? PST_OK
                                                         : PST_MALFORMED;
    case PST_MULTIPART_BEHIND:
        return take_behind(reader, c);
    case PST_MULTIPART_HEAD:
        return take_head(reader, c);
    case PST_MULTIPART_CONTENT:
    case PST_MULTIPART_END:
        break;
    }
    return PST_OK;
}

/*
 * How many of these bytes can be passed over: in what a part holds, nothing
 * is of interest but a delimiter, which begins with "-", and the two bytes
 * before it.
 */
static size_t
passable(const struct pst_multipart *reader, struct pst_text rest)
{
    size_t dash;

    if (reader->delimiter.matched > 0 ||
        (reader->place != PST_MULTIPART_CONTENT &&
         reader->place != PST_MULTIPART_END))
        return 0;
    dash = pst_text_index(rest, '-');
    return dash > 2 ? dash - 2 : 0;
}

/* RFC 2046 section 5.1.1, without the space. */
static bool
is_boundary(struct pst_text boundary)
{
    static const char marks[] = "'()+_,-./:=?";

    for (size_t i = 0; i < boundary.len; i++) {
        char c = boundary.ptr[i];

        if (!pst_is_alpha(c) && !pst_is_digit(c) &&
            !memchr(marks, c, sizeof(marks) - 1))
            return false;
    }
    return boundary.len > 0 && boundary.len <= PST_BOUNDARY_MAX;
}

enum pst_err
pst_multipart_init(struct pst_multipart *reader, struct pst_text type)
{
    struct pst_text boundary = PST_NO_TEXT;
    struct pst_media_type parsed;
    struct pst_text name, value;
    enum pst_err e = pst_media_type_parse(type, &parsed);

    if (e)
        return e;
    while (pst_parameter_next(&parsed.parameters, &name, &value)) {
        if (pst_text_equal_nocase(name, PST_TEXT("charset")))
            continue;
        if (!pst_text_equal_nocase(name, PST_TEXT("boundary")))
            return PST_MALFORMED;
        boundary = value;
    }
    if (!is_boundary(boundary))
        return PST_MALFORMED;
    *reader = (struct pst_multipart){.edge = "\r\n--"};
    memcpy(reader->edge + 4, boundary.ptr, boundary.len);
    pst_needle_init(&reader->delimiter,
                    (struct pst_text){reader->edge + 2, 2 + boundary.len});
    return PST_OK;
}

/*
 * Go on as long as the reader is in one place, and take what was read off the
 * input.
 *   piece  set to what of it is content for certain: what was withheld of
 *          earlier input comes first, and what follows it is due
 */
static enum pst_err
read_place(struct pst_multipart *reader, struct pst_text *input,
           struct pst_text *piece)
{
    const enum pst_multipart_place place = reader->place;
    const size_t before = withheld(reader);
    size_t used = 0;
    size_t content = 0;

    while (used < input->len && reader->place == place) {
        size_t skip = passable(reader, pst_text_from_octet(*input, used));
        enum pst_err e;

        used += skip;
        reader->seen += skip;
        e = take_octet(reader, input->ptr[used++]);
        if (e)
            return e;
    }
    if (place == PST_MULTIPART_CONTENT)
        content = before + used - withheld(reader);
    *piece = pst_text_first(*input, content);
    if (content > 0 && before > 0) {
        *piece = (struct pst_text){reader->edge, before};
        reader->due = pst_text_first(*input, content - before);
    }
    *input = pst_text_from_octet(*input, used);
    return PST_OK;
}

enum pst_err
pst_multipart_next(struct pst_multipart *reader, struct pst_text *input,
                   enum pst_multipart_event *event, struct pst_text *piece)
{
    *piece = reader->due;
    reader->due = PST_NO_TEXT;
    *event = PST_MULTIPART_PIECE;
    while (piece->len == 0) {
        const enum pst_multipart_place place = reader->place;
        enum pst_err e;

        *event = PST_MULTIPART_MORE;
        if (input->len == 0)
            break;
        e = read_place(reader, input, piece);
        if (e)
            return e;
        if (piece->len > 0)
            *event = PST_MULTIPART_PIECE;
        else if (place != reader->place &&
                 reader->place == PST_MULTIPART_CONTENT)
            *event = PST_MULTIPART_PART;
        else if (place != reader->place && reader->place == PST_MULTIPART_END)
            *event = PST_MULTIPART_OVER;
        if (*event != PST_MULTIPART_MORE)
            break;
    }
    return PST_OK;
}

/* SPDX-License-Identifier: ISC */
/*
 * multipart.c - a streaming parser for the multipart/form-data body of a
 * GraphQL request with files.
 */
#include "http/multipart.h"

#include <string.h>

#include "http/media_type.h"

/*
 * Read one byte of the body. Returns whether it ends a delimiter. Delimiters
 * are found anywhere, not only at the beginning of a line, since some programs
 * look for them anywhere. A boundary has no CR LF, so a delimiter that begins
 * within another one is not at the beginning of a line.
 */
static bool
multipart_ends_delimiter(struct pst_multipart *reader, char c)
{
    size_t before = reader->delimiter.matched;
    bool ends = pst_search_feed(&reader->delimiter, c);

    if (before == 0)
        reader->is_at_line_start = reader->line == 2;
    else if (reader->delimiter.matched != before + 1)
        reader->is_at_line_start = false;
    if (c == '\n' && reader->line == 1)
        reader->line = 2;
    else
        reader->line = c == '\r';
    return ends;
}

/*
 * How many of the last bytes may belong to a delimiter: CR LF, and the part of
 * it that was read so far.
 */
static size_t
multipart_withheld_len(const struct pst_multipart *reader)
{
    return reader->delimiter.matched > 0 && reader->is_at_line_start
               ? 2 + reader->delimiter.matched
               : reader->line;
}

static enum pst_err
multipart_refuse(struct pst_multipart *reader, const char *reason)
{
    reader->part.reason = reason;
    return PST_MALFORMED;
}

/*
 * Leave the header lines. The CR LF of the empty line does not count as the
 * beginning of a delimiter, since not all programs do so.
 */
static enum pst_err
multipart_end_head(struct pst_multipart *reader)
{
    if (pst_str_is_absent(reader->part.name))
        return multipart_refuse(reader, "a part has no Content-Disposition");
    reader->state = PST_MULTIPART_CONTENT;
    reader->line = 0;
    return PST_OK;
}

static enum pst_err
multipart_read_head(struct pst_multipart *reader, char c)
{
    struct pst_str line;

    if (reader->head_len == sizeof(reader->head))
        return multipart_refuse(reader, "the headers of a part are too long");
    reader->head[reader->head_len++] = c;
    if (c != '\n')
        return PST_OK;
    if (reader->line != 2)
        return multipart_refuse(reader, "the header lines of a part must end "
                                        "with CR LF");
    line = (struct pst_str){reader->head + reader->line_start,
                            reader->head_len - reader->line_start - 2};
    reader->line_start = reader->head_len;
    return line.len == 0 ? multipart_end_head(reader)
                         : pst_multipart_part_parse_line(&reader->part, line);
}

/* CR LF follows a delimiter, "--" the closing one. */
static enum pst_err
multipart_read_after_delimiter(struct pst_multipart *reader, char c)
{
    struct pst_str end = {reader->head, 2};

    reader->head[reader->head_len++] = c;
    if (reader->head_len < 2)
        return PST_OK;
    if (pst_str_equal(end, PST_STR("--"))) {
        reader->state = PST_MULTIPART_EPILOGUE;
        return PST_OK;
    }
    if (!pst_str_equal(end, PST_STR("\r\n")))
        return multipart_refuse(reader, "a delimiter must be followed by CR "
                                        "LF at once, without spaces");
    reader->state = PST_MULTIPART_HEADERS;
    reader->parts++;
    reader->head_len = 0;
    reader->line_start = 0;
    reader->part = (struct pst_multipart_part){.is_first = reader->parts == 1};
    return PST_OK;
}

static enum pst_err
multipart_read_delimiter(struct pst_multipart *reader)
{
    bool is_allowed =
        reader->state == PST_MULTIPART_START ||
        (reader->state == PST_MULTIPART_CONTENT && reader->is_at_line_start);

    if (!is_allowed)
        return multipart_refuse(reader, "a delimiter must be a line of its "
                                        "own, after CR LF, and none may follow "
                                        "the last");
    reader->state = PST_MULTIPART_AFTER_DELIMITER;
    reader->head_len = 0;
    return PST_OK;
}

static enum pst_err
multipart_read_byte(struct pst_multipart *reader, char c)
{
    reader->bytes_read++;
    if (multipart_ends_delimiter(reader, c))
        return multipart_read_delimiter(reader);
    switch (reader->state) {
    case PST_MULTIPART_START:
        return reader->delimiter.matched == reader->bytes_read
                   ? PST_OK
                   : multipart_refuse(reader, "the body must begin with the "
                                              "delimiter, without a preamble");
    case PST_MULTIPART_AFTER_DELIMITER:
        return multipart_read_after_delimiter(reader, c);
    case PST_MULTIPART_HEADERS:
        return multipart_read_head(reader, c);
    case PST_MULTIPART_CONTENT:
    case PST_MULTIPART_EPILOGUE:
        break;
    }
    return PST_OK;
}

/*
 * How many of these bytes can be skipped? In the content of a part, only a
 * delimiter matters, which begins with "-", and the two bytes before it.
 */
static size_t
multipart_skippable_len(const struct pst_multipart *reader, struct pst_str rest)
{
    size_t dash;

    if (reader->delimiter.matched > 0 ||
        (reader->state != PST_MULTIPART_CONTENT &&
         reader->state != PST_MULTIPART_EPILOGUE))
        return 0;
    dash = pst_str_index(rest, '-');
    return dash > 2 ? dash - 2 : 0;
}

/* Is it a boundary (RFC 2046 section 5.1.1) without spaces? */
static bool
multipart_is_boundary(struct pst_str boundary)
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
pst_multipart_init(struct pst_multipart *reader, struct pst_str type)
{
    struct pst_str boundary = PST_STR_NONE;
    struct pst_media_type parsed;
    struct pst_str name, value;
    enum pst_err e = pst_media_type_parse(type, &parsed);

    if (e)
        return e;
    while (pst_media_type_next_parameter(&parsed.parameters, &name, &value)) {
        if (pst_str_equal_nocase(name, PST_STR("charset")))
            continue;
        if (!pst_str_equal_nocase(name, PST_STR("boundary")))
            return PST_MALFORMED;
        boundary = value;
    }
    if (!multipart_is_boundary(boundary))
        return PST_MALFORMED;
    *reader = (struct pst_multipart){.line_delimiter = "\r\n--"};
    memcpy(reader->line_delimiter + 4, boundary.ptr, boundary.len);
    pst_search_init(
        &reader->delimiter,
        (struct pst_str){reader->line_delimiter + 2, 2 + boundary.len});
    return PST_OK;
}

/*
 * Read until the state changes or the input ends, and skip what was read.
 *   piece  set to the bytes that are certainly content. Bytes withheld from
 *          earlier input come first; reader->pending is the piece after them
 */
static enum pst_err
multipart_read_state(struct pst_multipart *reader, struct pst_str *input,
                     struct pst_str *piece)
{
    const enum pst_multipart_state state = reader->state;
    const size_t before = multipart_withheld_len(reader);
    size_t used = 0;
    size_t content = 0;

    while (used < input->len && reader->state == state) {
        size_t skip =
            multipart_skippable_len(reader, pst_str_skip(*input, used));
        enum pst_err e;

        used += skip;
        reader->bytes_read += skip;
        e = multipart_read_byte(reader, input->ptr[used++]);
        if (e)
            return e;
    }
    if (state == PST_MULTIPART_CONTENT)
        content = before + used - multipart_withheld_len(reader);
    *piece = pst_str_first(*input, content);
    if (content > 0 && before > 0) {
        *piece = (struct pst_str){reader->line_delimiter, before};
        reader->pending = pst_str_first(*input, content - before);
    }
    *input = pst_str_skip(*input, used);
    return PST_OK;
}

enum pst_err
pst_multipart_next(struct pst_multipart *reader, struct pst_str *input,
                   enum pst_multipart_event *event, struct pst_str *piece)
{
    *piece = reader->pending;
    reader->pending = PST_STR_NONE;
    *event = PST_MULTIPART_DATA;
    while (piece->len == 0) {
        const enum pst_multipart_state state = reader->state;
        enum pst_err e;

        *event = PST_MULTIPART_NEED_INPUT;
        if (input->len == 0)
            break;
        e = multipart_read_state(reader, input, piece);
        if (e)
            return e;
        if (piece->len > 0)
            *event = PST_MULTIPART_DATA;
        else if (state != reader->state &&
                 reader->state == PST_MULTIPART_CONTENT)
            *event = PST_MULTIPART_PART_BEGIN;
        else if (state != reader->state &&
                 reader->state == PST_MULTIPART_EPILOGUE)
            *event = PST_MULTIPART_DONE;
        if (*event != PST_MULTIPART_NEED_INPUT)
            break;
    }
    return PST_OK;
}

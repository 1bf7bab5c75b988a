/* SPDX-License-Identifier: ISC */
/*
 * literal.c - read number and string tokens.
 *
 * Stricter than the grammar, because parsers differ: refused are a number with
 * a name or a dot right after it; control characters other than tab, unpaired
 * surrogates and \u{...} in strings; quotes and backslashes in block strings.
 */
#include "graphql/literal.h"

#include <string.h>

#include "graphql/string_value.h"

static void
skip_number_digits(struct graphql_cursor *cursor)
{
    while (cursor->at < cursor->end &&
           graphql_char_is_class(*cursor->at, GRAPHQL_DIGIT))
        cursor->at++;
}

/* Read at least one digit. `after` names what precedes it, for the message. */
static enum pst_err
read_number_digits(struct graphql_cursor *cursor, const char *after)
{
    if (cursor->at == cursor->end ||
        !graphql_char_is_class(*cursor->at, GRAPHQL_DIGIT))
        return graphql_error_set(cursor->error, graphql_cursor_location(cursor),
                                 "a number needs a digit after its %s", after);
    skip_number_digits(cursor);
    return PST_OK;
}

static enum pst_err
read_number_fraction(struct graphql_cursor *cursor, bool *is_float)
{
    if (!graphql_cursor_is_at(cursor, '.'))
        return PST_OK;
    cursor->at++;
    *is_float = true;
    return read_number_digits(cursor, "decimal point");
}

static enum pst_err
read_number_exponent(struct graphql_cursor *cursor, bool *is_float)
{
    if (!graphql_cursor_is_at(cursor, 'e') &&
        !graphql_cursor_is_at(cursor, 'E'))
        return PST_OK;
    cursor->at++;
    *is_float = true;
    if (graphql_cursor_is_at(cursor, '+') || graphql_cursor_is_at(cursor, '-'))
        cursor->at++;
    return read_number_digits(cursor, "exponent sign");
}

/* Refuse a name or a dot right after a number. */
static enum pst_err
check_number_end(const struct graphql_cursor *cursor)
{
    const char *message = "a number must not be followed by a name or a dot: "
                          "put a space or a comma after it";

    if (cursor->at == cursor->end ||
        (!graphql_char_is_class(*cursor->at, GRAPHQL_NAME_PART) &&
         *cursor->at != '.'))
        return PST_OK;
    if (graphql_char_is_class(*cursor->at, GRAPHQL_DIGIT))
        message = "a number must not begin with a zero: remove it";
    return graphql_error_set(cursor->error, graphql_cursor_location(cursor),
                             "%s", message);
}

enum pst_err
graphql_read_number(struct graphql_cursor *cursor, struct pst_str *text,
                    bool *is_float)
{
    const char *start = cursor->at;
    enum pst_err e = PST_OK;

    *is_float = false;
    if (*cursor->at == '-')
        cursor->at++;
    if (graphql_cursor_is_at(cursor, '0'))
        cursor->at++;
    else
        e = read_number_digits(cursor, "minus sign");
    if (!e)
        e = read_number_fraction(cursor, is_float);
    if (!e)
        e = read_number_exponent(cursor, is_float);
    if (!e)
        e = check_number_end(cursor);
    *text = (struct pst_str){start, (size_t)(cursor->at - start)};
    return e;
}

/* Check and skip the escape at cursor->at. */
static enum pst_err
skip_string_escape(struct graphql_cursor *cursor)
{
    static const char *const messages[] = {
        [GRAPHQL_ESCAPE_UNKNOWN] =
            "unknown escape in a string: write \\\\ for a backslash",
        [GRAPHQL_ESCAPE_BRACED] =
            "escapes of the form \\u{...} are not supported: write \\uXXXX "
            "(two of them above U+FFFF), or the character itself",
        [GRAPHQL_ESCAPE_TRUNCATED] = "\\u must be followed by four hex digits",
        [GRAPHQL_ESCAPE_LONE_SURROGATE] =
            "unpaired surrogate in a string: write both surrogates as "
            "\\uXXXX\\uXXXX, or the character itself",
    };
    uint32_t code;
    const enum graphql_escape escape =
        graphql_escape_read(&cursor->at, cursor->end, &code);

    if (escape != GRAPHQL_ESCAPE_VALID)
        return graphql_error_set(cursor->error, graphql_cursor_location(cursor),
                                 "%s", messages[escape]);
    return PST_OK;
}

/* Refuse a line end or another control character in a string. */
static enum pst_err
refuse_string_character(const struct graphql_cursor *cursor)
{
    const unsigned code = (uint8_t)*cursor->at;
    const struct pst_graphql_location location =
        graphql_cursor_location(cursor);

    if (code == '\n' || code == '\r')
        return graphql_error_set(
            cursor->error, location,
            "a string must end on its line: write \\n for a line feed");
    return graphql_error_set(cursor->error, location,
                             "strings must not contain the control character "
                             "U+%04X: write \\u%04X in an ordinary string",
                             code, code);
}

static enum pst_err
refuse_block_character(const struct graphql_cursor *cursor)
{
    const char c = *cursor->at;

    if (c == '"' || c == '\\')
        return graphql_error_set(cursor->error, graphql_cursor_location(cursor),
                                 "block strings must not contain \" or \\: "
                                 "write it as an ordinary string");
    return c == '\r' ? graphql_refuse_character(cursor)
                     : refuse_string_character(cursor);
}

static enum pst_err
refuse_unterminated_string(const struct graphql_cursor *cursor,
                           struct pst_graphql_location begin)
{
    return graphql_error_set(cursor->error, begin,
                             "the string that begins here is not terminated");
}

/* Skip an escape or a non-ASCII character; refuse anything else. */
static enum pst_err
skip_string_character(struct graphql_cursor *cursor, bool *is_encoded)
{
    uint32_t code;

    if (*cursor->at == '\\') {
        *is_encoded = true;
        return skip_string_escape(cursor);
    }
    return (uint8_t)*cursor->at >= 0x7F ? graphql_skip_non_ascii(cursor, &code)
                                        : refuse_string_character(cursor);
}

enum pst_err
graphql_read_string(struct graphql_cursor *cursor, struct pst_str *raw,
                    bool *is_encoded)
{
    const struct pst_graphql_location begin = graphql_cursor_location(cursor);
    const char *start = ++cursor->at;

    *is_encoded = false;
    while (cursor->at < cursor->end && *cursor->at != '"') {
        enum pst_err e = PST_OK;

        if (graphql_char_is_class(*cursor->at, GRAPHQL_PLAIN))
            cursor->at++;
        else
            e = skip_string_character(cursor, is_encoded);
        if (e)
            return e;
    }
    if (cursor->at == cursor->end)
        return refuse_unterminated_string(cursor, begin);
    *raw = (struct pst_str){start, (size_t)(cursor->at - start)};
    cursor->at++;
    return PST_OK;
}

bool
graphql_is_block_string(const struct graphql_cursor *cursor)
{
    return cursor->end - cursor->at >= 3 &&
           memcmp(cursor->at, "\"\"\"", 3) == 0;
}

/* Skip one character of a block string. */
static enum pst_err
skip_block_character(struct graphql_cursor *cursor)
{
    const char c = *cursor->at;
    uint32_t code;

    if (graphql_char_is_class(c, GRAPHQL_PLAIN)) {
        cursor->at++;
        return PST_OK;
    }
    if ((uint8_t)c >= 0x7F)
        return graphql_skip_non_ascii(cursor, &code);
    if ((c == '\n' || c == '\r') && graphql_skip_newline(cursor))
        return PST_OK;
    return refuse_block_character(cursor);
}

/*
 * A fourth quote at the end is refused: some parsers count it as part of the
 * string.
 */
enum pst_err
graphql_read_block_string(struct graphql_cursor *cursor, struct pst_str *raw)
{
    const struct pst_graphql_location begin = graphql_cursor_location(cursor);
    const char *start = cursor->at + 3;

    cursor->at = start;
    while (cursor->at < cursor->end && !graphql_is_block_string(cursor)) {
        const enum pst_err e = skip_block_character(cursor);

        if (e)
            return e;
    }
    if (cursor->at == cursor->end)
        return refuse_unterminated_string(cursor, begin);
    *raw = (struct pst_str){start, (size_t)(cursor->at - start)};
    cursor->at += 3;
    return graphql_cursor_is_at(cursor, '"') ? refuse_block_character(cursor)
                                             : PST_OK;
}

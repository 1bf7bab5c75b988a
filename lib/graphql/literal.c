/* SPDX-License-Identifier: ISC */
/*
 * literal.c - read numbers and strings.
 *
 * Refused here beyond the grammar, because parsers read it in different ways:
 * a number with a name or a dot right after it; control characters but tab,
 * lone surrogates and \u{...} in strings; quotes and backslashes in block
 * strings.
 */
#include "graphql/literal.h"

#include <string.h>

#include "graphql/string_value.h"

static void
skip_digits(struct graphql_cursor *cursor)
{
    while (cursor->at < cursor->end &&
           graphql_is_class(*cursor->at, GRAPHQL_DIGIT))
        cursor->at++;
}

/* At least one digit; `after` is what stands before it. */
static enum pst_err
read_digits(struct graphql_cursor *cursor, const char *after)
{
    if (cursor->at == cursor->end ||
        !graphql_is_class(*cursor->at, GRAPHQL_DIGIT))
        return graphql_error_set(cursor->error, graphql_place_here(cursor),
                                 "a number needs a digit after its %s", after);
    skip_digits(cursor);
    return PST_OK;
}

static enum pst_err
read_fraction(struct graphql_cursor *cursor, bool *is_float)
{
    if (!graphql_is_next(cursor, '.'))
        return PST_OK;
    cursor->at++;
    *is_float = true;
    return read_digits(cursor, "decimal point");
}

static enum pst_err
read_exponent(struct graphql_cursor *cursor, bool *is_float)
{
    if (!graphql_is_next(cursor, 'e') && !graphql_is_next(cursor, 'E'))
        return PST_OK;
    cursor->at++;
    *is_float = true;
    if (graphql_is_next(cursor, '+') || graphql_is_next(cursor, '-'))
        cursor->at++;
    return read_digits(cursor, "exponent sign");
}

/* What must not stand right after a number. */
static enum pst_err
check_end_of_number(const struct graphql_cursor *cursor)
{
    const char *message = "a number must not be followed by a name or a dot: "
                          "put a space or a comma after it";

    if (cursor->at == cursor->end ||
        (!graphql_is_class(*cursor->at, GRAPHQL_NAME_PART) &&
         *cursor->at != '.'))
        return PST_OK;
    if (graphql_is_class(*cursor->at, GRAPHQL_DIGIT))
        message = "a number must not begin with a zero: remove it";
    return graphql_error_set(cursor->error, graphql_place_here(cursor), "%s",
                             message);
}

enum pst_err
graphql_read_number(struct graphql_cursor *cursor, struct pst_text *text,
                    bool *is_float)
{
    const char *start = cursor->at;
    enum pst_err e = PST_OK;

    *is_float = false;
    if (*cursor->at == '-')
        cursor->at++;
    if (graphql_is_next(cursor, '0'))
        cursor->at++;
    else
        e = read_digits(cursor, "minus sign");
    if (!e)
        e = read_fraction(cursor, is_float);
    if (!e)
        e = read_exponent(cursor, is_float);
    if (!e)
        e = check_end_of_number(cursor);
    *text = (struct pst_text){start, (size_t)(cursor->at - start)};
    return e;
}

/* Check the escape at cursor->at, and pass over it. */
static enum pst_err
skip_escape(struct graphql_cursor *cursor)
{
    static const char *const messages[] = {
        [GRAPHQL_ESCAPE_UNKNOWN] =
            "unknown escape in a string: write \\\\ for a backslash",
        [GRAPHQL_ESCAPE_BRACED] =
            "escapes of the form \\u{...} are not supported: write \\uXXXX "
            "(two of them above U+FFFF), or the character itself",
        [GRAPHQL_ESCAPE_SHORT] = "\\u must be followed by four hex digits",
        [GRAPHQL_ESCAPE_HALF] =
            "half of a surrogate pair in a string: write both halves as "
            "\\uXXXX\\uXXXX, or the character itself",
    };
    uint32_t code;
    const enum graphql_escape escape =
        graphql_escape_read(&cursor->at, cursor->end, &code);

    if (escape != GRAPHQL_ESCAPE_GOOD)
        return graphql_error_set(cursor->error, graphql_place_here(cursor),
                                 "%s", messages[escape]);
    return PST_OK;
}

/* A line feed, CR or control character in a string. */
static enum pst_err
refuse_in_string(const struct graphql_cursor *cursor)
{
    const unsigned code = (uint8_t)*cursor->at;
    const struct pst_graphql_place place = graphql_place_here(cursor);

    if (code == '\n' || code == '\r')
        return graphql_error_set(
            cursor->error, place,
            "a string must end on its line: write \\n for a line feed");
    return graphql_error_set(cursor->error, place,
                             "strings must not contain the control character "
                             "U+%04X: write \\u%04X in an ordinary string",
                             code, code);
}

static enum pst_err
refuse_in_block(const struct graphql_cursor *cursor)
{
    const char c = *cursor->at;

    if (c == '"' || c == '\\')
        return graphql_error_set(cursor->error, graphql_place_here(cursor),
                                 "block strings must not contain \" or \\: "
                                 "write it as an ordinary string");
    return c == '\r' ? graphql_refuse_character(cursor)
                     : refuse_in_string(cursor);
}

static enum pst_err
refuse_unterminated(const struct graphql_cursor *cursor,
                    struct pst_graphql_place begin)
{
    return graphql_error_set(cursor->error, begin,
                             "the string that begins here has no end");
}

/* A character that does not stand for itself in every string. */
static enum pst_err
skip_in_string(struct graphql_cursor *cursor, bool *is_encoded)
{
    uint32_t code;

    if (*cursor->at == '\\') {
        *is_encoded = true;
        return skip_escape(cursor);
    }
    return (uint8_t)*cursor->at >= 0x7F ? graphql_skip_wide(cursor, &code)
                                        : refuse_in_string(cursor);
}

enum pst_err
graphql_read_string(struct graphql_cursor *cursor, struct pst_text *raw,
                    bool *is_encoded)
{
    const struct pst_graphql_place begin = graphql_place_here(cursor);
    const char *start = ++cursor->at;

    *is_encoded = false;
    while (cursor->at < cursor->end && *cursor->at != '"') {
        enum pst_err e = PST_OK;

        if (graphql_is_class(*cursor->at, GRAPHQL_PLAIN))
            cursor->at++;
        else
            e = skip_in_string(cursor, is_encoded);
        if (e)
            return e;
    }
    if (cursor->at == cursor->end)
        return refuse_unterminated(cursor, begin);
    *raw = (struct pst_text){start, (size_t)(cursor->at - start)};
    cursor->at++;
    return PST_OK;
}

bool
graphql_is_block(const struct graphql_cursor *cursor)
{
    return cursor->end - cursor->at >= 3 &&
           memcmp(cursor->at, "\"\"\"", 3) == 0;
}

/* One character of a block string. */
static enum pst_err
skip_in_block(struct graphql_cursor *cursor)
{
    const char c = *cursor->at;
    uint32_t code;

    if (graphql_is_class(c, GRAPHQL_PLAIN)) {
        cursor->at++;
        return PST_OK;
    }
    if ((uint8_t)c >= 0x7F)
        return graphql_skip_wide(cursor, &code);
    if ((c == '\n' || c == '\r') && graphql_skip_newline(cursor))
        return PST_OK;
    return refuse_in_block(cursor);
}

/*
 * A quote right after the last three is one of the string for a reader who
 * takes as many as there are.
 */
enum pst_err
graphql_read_block(struct graphql_cursor *cursor, struct pst_text *raw)
{
    const struct pst_graphql_place begin = graphql_place_here(cursor);
    const char *start = cursor->at + 3;

    cursor->at = start;
    while (cursor->at < cursor->end && !graphql_is_block(cursor)) {
        const enum pst_err e = skip_in_block(cursor);

        if (e)
            return e;
    }
    if (cursor->at == cursor->end)
        return refuse_unterminated(cursor, begin);
    *raw = (struct pst_text){start, (size_t)(cursor->at - start)};
    cursor->at += 3;
    return graphql_is_next(cursor, '"') ? refuse_in_block(cursor) : PST_OK;
}

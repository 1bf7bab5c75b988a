/* SPDX-License-Identifier: ISC */
/*
 * cursor.c - a read position in a GraphQL document: byte classes, lines and
 * columns, and errors.
 */
#include "graphql/cursor.h"

#include <stdarg.h>

#include "graphql/string_value.h"

#define T GRAPHQL_PLAIN
#define N (GRAPHQL_NAME_START | GRAPHQL_NAME_PART | GRAPHQL_PLAIN)
#define D (GRAPHQL_DIGIT | GRAPHQL_NAME_PART | GRAPHQL_PLAIN)
#define I (GRAPHQL_IGNORED | GRAPHQL_PLAIN)
#define P (GRAPHQL_PUNCTUATOR | GRAPHQL_PLAIN)
/* clang-format off */
const uint8_t graphql_char_classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0,   0, I, 0, 0, 0, 0, 0, 0, /* HTAB */
    0, 0, 0, 0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0,
    I, P, 0, T, P, T, P, T,   P, P, T, T, I, T, T, T, /*  !"#$%&'()*+,-./ */
    D, D, D, D, D, D, D, D,   D, D, P, T, T, P, T, P, /* 0-9 :;<=>? */
    P, N, N, N, N, N, N, N,   N, N, N, N, N, N, N, N, /* @ A-O */
    N, N, N, N, N, N, N, N,   N, N, N, P, 0, P, T, N, /* P-Z [\]^_ */
    T, N, N, N, N, N, N, N,   N, N, N, N, N, N, N, N, /* ` a-o */
    N, N, N, N, N, N, N, N,   N, N, N, P, P, P, T, 0, /* p-z {|}~ DEL */
};
/* clang-format on */
#undef T
#undef N
#undef D
#undef I
#undef P

#define BOM "\xEF\xBB\xBF"
#define BOM_LEN 3
#define SHOWN_MAX 40 /* bytes of a token in a message */

enum pst_err
graphql_error_set(struct pst_graphql_error *error,
                  struct pst_graphql_location location, const char *format, ...)
{
    va_list values;

    error->location = location;
    va_start(values, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, values);
    va_end(values);
    return PST_MALFORMED;
}

int
graphql_shown_len(struct pst_str name)
{
    return (int)(name.len > SHOWN_MAX ? SHOWN_MAX : name.len);
}

void
graphql_cursor_init(struct graphql_cursor *cursor, struct pst_str text,
                    struct pst_graphql_error *error)
{
    if (pst_str_is_absent(text))
        text = PST_STR("");
    if (pst_str_starts(text, PST_STR(BOM)))
        text = pst_str_skip(text, BOM_LEN);
    *cursor = (struct graphql_cursor){
        .at = text.ptr,
        .end = text.ptr + text.len,
        .column_base = text.ptr,
        .line = 1,
        .start = text.ptr,
        .error = error,
    };
}

struct pst_graphql_location
graphql_cursor_location_of(const struct graphql_cursor *cursor, const char *at)
{
    struct pst_graphql_location location = {1, 1};

    for (const char *c = cursor->start; c < at; c++) {
        if (*c == '\n')
            location = (struct pst_graphql_location){location.line + 1, 1};
        else if (((uint8_t)*c & 0xC0) != 0x80)
            location.column++;
    }
    return location;
}

enum pst_err
graphql_refuse_character(const struct graphql_cursor *cursor)
{
    const struct pst_graphql_location location =
        graphql_cursor_location(cursor);
    struct pst_graphql_error *error = cursor->error;
    uint32_t code;

    if (graphql_decode_character(cursor->at, cursor->end, &code) == 0)
        return graphql_error_set(error, location,
                                 "the document is not valid UTF-8 here");
    if (code == '\r')
        return graphql_error_set(error, location,
                                 "a carriage return must be followed by a line "
                                 "feed: end lines with LF or CR LF");
    if (code == 0xFEFF)
        return graphql_error_set(
            error, location,
            "a byte order mark (U+FEFF) is allowed only at "
            "the start of the document: remove it");
    if (code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 ||
        code == 0x2029)
        return graphql_error_set(error, location,
                                 "U+%04X is not allowed outside strings: use "
                                 "spaces and line feeds",
                                 (unsigned)code);
    if (code < 0x7F)
        return graphql_error_set(error, location, "unexpected character \"%c\"",
                                 (int)code);
    return graphql_error_set(error, location,
                             "unexpected character U+%04X: only ASCII is "
                             "allowed outside strings and comments",
                             (unsigned)code);
}

bool
graphql_skip_newline(struct graphql_cursor *cursor)
{
    const char *at = cursor->at;

    if (*at == '\r' && cursor->end - at > 1)
        at++;
    if (*at != '\n')
        return false;
    cursor->at = at + 1;
    cursor->column_base = at + 1;
    cursor->line++;
    return true;
}

enum pst_err
graphql_skip_non_ascii(struct graphql_cursor *cursor, uint32_t *out)
{
    const size_t len = graphql_decode_character(cursor->at, cursor->end, out);

    if (len == 0)
        return graphql_refuse_character(cursor);
    cursor->at += len;
    cursor->column_base += len - 1;
    return PST_OK;
}

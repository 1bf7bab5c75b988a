/* SPDX-License-Identifier: ISC */
/*
 * cursor.h - a read position in a GraphQL document: byte classes, lines and
 * columns, and errors. For this folder only.
 */
#ifndef POSTERN_GRAPHQL_CURSOR_H
#define POSTERN_GRAPHQL_CURSOR_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/tree.h"

struct graphql_cursor {
    const char *at;
    const char *end;
    const char *column_base; /* start of the line, plus one for every UTF-8
                                continuation byte before `at` */
    uint32_t line;
    const char *start; /* of the text, after a byte order mark */
    struct pst_graphql_error *error;
};

/* Classes of bytes. */
enum {
    GRAPHQL_NAME_START = 1,
    GRAPHQL_NAME_PART = 2,
    GRAPHQL_DIGIT = 4,
    GRAPHQL_IGNORED = 8,
    GRAPHQL_PUNCTUATOR = 16,
    GRAPHQL_PLAIN = 32, /* needs no check in a string or comment */
};

extern const uint8_t graphql_char_classes[256];

static inline bool
graphql_char_is_class(char c, int class)
{
    return (graphql_char_classes[(uint8_t)c] & class) != 0;
}

/* Is c the next byte? */
static inline bool
graphql_cursor_is_at(const struct graphql_cursor *cursor, char c)
{
    return cursor->at < cursor->end && *cursor->at == c;
}

/* The location of cursor->at. */
static inline struct pst_graphql_location
graphql_cursor_location(const struct graphql_cursor *cursor)
{
    return (struct pst_graphql_location){
        cursor->line, (uint32_t)(cursor->at - cursor->column_base) + 1};
}

/* The location of any byte of the text. Counts from the start: for errors. */
struct pst_graphql_location
graphql_cursor_location_of(const struct graphql_cursor *cursor, const char *at);

/*
 * Begin to read a text. A byte order mark at its start is skipped.
 *   error  set by every function that fails on this cursor
 */
void graphql_cursor_init(struct graphql_cursor *cursor, struct pst_str text,
                         struct pst_graphql_error *error);

/* Set the message and location of an error. Returns PST_MALFORMED. */
PST_PRINTF(3, 4)
enum pst_err graphql_error_set(struct pst_graphql_error *error,
                               struct pst_graphql_location location,
                               const char *format, ...);

/* The number of bytes of a name to show in a message: a precision for %.*s. */
int graphql_shown_len(struct pst_str name);

/* Refuse the character at cursor->at, which is not in a string. Returns
 * PST_MALFORMED. */
enum pst_err graphql_refuse_character(const struct graphql_cursor *cursor);

/* Skip LF or CR LF. Returns false if neither is next. */
bool graphql_skip_newline(struct graphql_cursor *cursor);

/*
 * Skip a character that is not ASCII.
 *   out  set to its code point
 * Returns PST_OK, or PST_MALFORMED if it is not valid UTF-8.
 */
enum pst_err graphql_skip_non_ascii(struct graphql_cursor *cursor,
                                    uint32_t *out);

#endif

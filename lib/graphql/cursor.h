/* SPDX-License-Identifier: ISC */
/*
 * cursor.h - where a GraphQL document is being read, the classes of its
 * bytes, and how an error names its place. Not exported.
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
    const char *column_base; /* the line's start, and one for each byte of a
                                character that is not its first */
    uint32_t line;
    const char *start; /* of the text, without a BOM */
    struct pst_graphql_error *error;
};

/* Classes of bytes. */
enum {
    GRAPHQL_NAME_START = 1,
    GRAPHQL_NAME_PART = 2,
    GRAPHQL_DIGIT = 4,
    GRAPHQL_IGNORED = 8,
    GRAPHQL_PUNCTUATOR = 16,
    GRAPHQL_PLAIN = 32, /* stands for itself in a string and in a comment */
};

extern const uint8_t graphql_char_classes[256];

static inline bool
graphql_char_is_class(char c, int class)
{
    return (graphql_char_classes[(uint8_t)c] & class) != 0;
}

/* Is c what is read next? */
static inline bool
graphql_cursor_is_at(const struct graphql_cursor *cursor, char c)
{
    return cursor->at < cursor->end && *cursor->at == c;
}

/* The place of cursor->at. */
static inline struct pst_graphql_location
graphql_cursor_location(const struct graphql_cursor *cursor)
{
    return (struct pst_graphql_location){
        cursor->line, (uint32_t)(cursor->at - cursor->column_base) + 1};
}

/* The place of another byte of the text: slower, for errors. */
struct pst_graphql_location
graphql_cursor_location_of(const struct graphql_cursor *cursor, const char *at);

/*
 * Begin to read a text, whose BOM is passed over.
 *   error  set by all that fails
 */
void graphql_cursor_init(struct graphql_cursor *cursor, struct pst_str text,
                         struct pst_graphql_error *error);

/* Set an error. Returns PST_MALFORMED. */
PST_PRINTF(3, 4)
enum pst_err graphql_error_set(struct pst_graphql_error *error,
                               struct pst_graphql_location location,
                               const char *format, ...);

/* How many bytes of a name are shown in a message. */
int graphql_shown_len(struct pst_str name);

/* Refuse the character at cursor->at, which stands outside strings. */
enum pst_err graphql_refuse_character(const struct graphql_cursor *cursor);

/* Pass over a line feed, with or without a CR before it; false: there is none.
 */
bool graphql_skip_newline(struct graphql_cursor *cursor);

/*
 * Pass over a character that is not ASCII.
 *   out  set to its number
 * Returns PST_OK, or PST_MALFORMED when it is no UTF-8.
 */
enum pst_err graphql_skip_non_ascii(struct graphql_cursor *cursor,
                                    uint32_t *out);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * lexer.c - split a GraphQL document into tokens.
 *
 * Stricter than the grammar, because parsers differ: control characters,
 * U+0085, U+2028, U+2029, a CR without LF and a byte order mark are refused
 * between tokens and in comments. One parser ends a comment there, another
 * does not, so a field could be hidden from one of them. graphql/literal.c
 * lists what is refused in numbers and strings.
 */
#include "graphql/lexer.h"

#include <string.h>

#include "graphql/literal.h"
#include "graphql/string_value.h"

void
graphql_lexer_init(struct graphql_lexer *lexer, struct pst_str text,
                   struct pst_graphql_error *error)
{
    *lexer = (struct graphql_lexer){.kind = GRAPHQL_END};
    graphql_cursor_init(&lexer->cursor, text, error);
}

/* Is this non-ASCII character allowed in a comment? */
static bool
is_comment_character(uint32_t code)
{
    return code >= 0xA0 && code != 0x2028 && code != 0x2029 && code != 0xFEFF;
}

/* Skip a non-ASCII character of a comment. */
static enum pst_err
skip_comment_non_ascii(struct graphql_cursor *cursor)
{
    const struct graphql_cursor before = *cursor;
    uint32_t code;
    const enum pst_err e = graphql_skip_non_ascii(cursor, &code);

    if (!e && !is_comment_character(code))
        return graphql_refuse_character(&before);
    return e;
}

/* Skip a comment, up to the LF or CR LF that ends it. */
static enum pst_err
skip_comment(struct graphql_cursor *cursor)
{
    while (cursor->at < cursor->end && *cursor->at != '\n' &&
           *cursor->at != '\r') {
        const char c = *cursor->at;
        enum pst_err e = PST_OK;

        if (graphql_char_is_class(c, GRAPHQL_PLAIN) || c == '"' || c == '\\')
            cursor->at++;
        else if ((uint8_t)c >= 0x80)
            e = skip_comment_non_ascii(cursor);
        else
            e = graphql_refuse_character(cursor);
        if (e)
            return e;
    }
    return PST_OK;
}

/* Skip ignored tokens: white space, line ends, commas and comments (section
 * 2.1.7). */
static enum pst_err
skip_ignored(struct graphql_cursor *cursor)
{
    while (cursor->at < cursor->end) {
        const char c = *cursor->at;
        enum pst_err e;

        if (graphql_char_is_class(c, GRAPHQL_IGNORED)) {
            cursor->at++;
        } else if (c == '\n' || c == '\r') {
            if (!graphql_skip_newline(cursor))
                return graphql_refuse_character(cursor);
        } else if (c == '#') {
            e = skip_comment(cursor);
            if (e)
                return e;
        } else {
            break;
        }
    }
    return PST_OK;
}

static enum pst_err
lex_name(struct graphql_lexer *lexer)
{
    struct graphql_cursor *cursor = &lexer->cursor;
    const char *start = cursor->at;

    do {
        cursor->at++;
    } while (cursor->at < cursor->end &&
             graphql_char_is_class(*cursor->at, GRAPHQL_NAME_PART));
    lexer->kind = GRAPHQL_NAME;
    lexer->token = (struct pst_str){start, (size_t)(cursor->at - start)};
    return PST_OK;
}

static enum pst_err
lex_spread(struct graphql_lexer *lexer)
{
    struct graphql_cursor *cursor = &lexer->cursor;

    if (cursor->end - cursor->at < 3 || memcmp(cursor->at, "...", 3) != 0)
        return graphql_refuse_character(cursor);
    lexer->kind = GRAPHQL_SPREAD;
    lexer->token = (struct pst_str){cursor->at, 3};
    cursor->at += 3;
    return PST_OK;
}

/* Read the token at cursor->at, which is not a name. */
static enum pst_err
lex_non_name(struct graphql_lexer *lexer)
{
    struct graphql_cursor *cursor = &lexer->cursor;
    const char c = *cursor->at;
    bool is_float = false;
    enum pst_err e;

    if (graphql_char_is_class(c, GRAPHQL_PUNCTUATOR)) {
        lexer->kind = (enum graphql_token_kind)c;
        lexer->token = (struct pst_str){cursor->at, 1};
        cursor->at++;
        return PST_OK;
    }
    if (graphql_char_is_class(c, GRAPHQL_DIGIT) || c == '-') {
        e = graphql_read_number(cursor, &lexer->token, &is_float);
        lexer->kind = is_float ? GRAPHQL_FLOAT : GRAPHQL_INT;
        return e;
    }
    if (c == '.')
        return lex_spread(lexer);
    if (c != '"')
        return graphql_refuse_character(cursor);
    if (graphql_is_block_string(cursor)) {
        lexer->kind = GRAPHQL_BLOCK_STRING;
        lexer->is_encoded = true;
        return graphql_read_block_string(cursor, &lexer->token);
    }
    lexer->kind = GRAPHQL_STRING;
    return graphql_read_string(cursor, &lexer->token, &lexer->is_encoded);
}

static enum pst_err
lex_token(struct graphql_lexer *lexer)
{
    struct graphql_cursor *cursor = &lexer->cursor;
    enum pst_err e = skip_ignored(cursor);

    lexer->is_encoded = false;
    lexer->location = graphql_cursor_location(cursor);
    if (e)
        return e;
    if (cursor->at == cursor->end) {
        lexer->kind = GRAPHQL_END;
        lexer->token = (struct pst_str){cursor->at, 0};
        return PST_OK;
    }
    if (lexer->tokens == PST_GRAPHQL_TOKENS_MAX) {
        (void)graphql_error_set(cursor->error, lexer->location,
                                "the document has more than %d tokens: send it "
                                "in parts",
                                PST_GRAPHQL_TOKENS_MAX);
        return PST_TOO_LARGE;
    }
    lexer->tokens++;
    return graphql_char_is_class(*cursor->at, GRAPHQL_NAME_START)
               ? lex_name(lexer)
               : lex_non_name(lexer);
}

enum pst_err
graphql_lexer_next(struct graphql_lexer *lexer)
{
    enum pst_err e = lex_token(lexer);

    if (e)
        lexer->kind = GRAPHQL_ERROR;
    return e;
}

struct pst_str
graphql_lexer_spelling(const struct graphql_lexer *lexer)
{
    const size_t quotes = lexer->kind == GRAPHQL_BLOCK_STRING ? 3
                          : lexer->kind == GRAPHQL_STRING     ? 1
                                                              : 0;

    return (struct pst_str){lexer->token.ptr - quotes,
                            lexer->token.len + 2 * quotes};
}

void
graphql_lexer_describe(const struct graphql_lexer *lexer, char *out,
                       size_t size)
{
    const int shown_len = graphql_shown_len(lexer->token);
    const bool is_long = lexer->token.len > (size_t)shown_len;
    const char *before = "";

    switch (lexer->kind) {
    case GRAPHQL_END:
        (void)snprintf(out, size, "the end of the document");
        return;
    case GRAPHQL_STRING:
    case GRAPHQL_BLOCK_STRING:
        (void)snprintf(out, size, "a string");
        return;
    case GRAPHQL_NAME:
        before = "the name ";
        break;
    case GRAPHQL_INT:
    case GRAPHQL_FLOAT:
        before = "the number ";
        break;
    default:
        break;
    }
    (void)snprintf(out, size, "%s\"%.*s%s\"", before, shown_len,
                   lexer->token.ptr, is_long ? "..." : "");
}

size_t
graphql_lexer_value(const struct graphql_lexer *lexer, char *out)
{
    return lexer->kind == GRAPHQL_BLOCK_STRING
               ? graphql_block_string_value(lexer->token, out)
               : graphql_string_value(lexer->token, out);
}

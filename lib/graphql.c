/* SPDX-License-Identifier: ISC */
/*
 * graphql.c - which names stand in a document's selection sets, found by
 * its tokens and brackets alone (GraphQL, October 2021, sections 2.1, 2.2).
 */
#include "graphql.h"

#include <string.h>

#include "limits.h"

enum kind {
    END,    /* of the document */
    BROKEN, /* no token of the grammar */
    OPEN,   /* a string that its line, or the document, ends too early */
    NAME,
    NUMBER,
    STRING,
    SPREAD, /* ... */
    PUNCTUATOR,
};

struct token {
    enum kind kind;
    struct pst_text text;
};

struct lexer {
    struct pst_text rest;
    bool blocks; /* """ begins a block string, as it does since June 2018 */
};

static struct token
token(struct lexer *lexer, enum kind kind, size_t len)
{
    struct token t = {kind, pst_text_first(lexer->rest, len)};

    lexer->rest = pst_text_from_octet(lexer->rest, len);
    return t;
}

static bool
is_name_start(char c)
{
    return pst_is_alpha(c) || c == '_';
}

static bool
is_name(char c)
{
    return is_name_start(c) || pst_is_digit(c);
}

/* The octet at index i, or a NUL, which no token may hold, at the end. */
static char
octet(struct pst_text text, size_t i)
{
    return i < text.len ? text.ptr[i] : '\0';
}

static bool
is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

/* No SourceCharacter: section 2.1.1. */
static bool
is_control(char c)
{
    return (unsigned char)c < ' ' && c != '\t' && !is_line_end(c);
}

/* Take a comment; false when there is a control character in it. */
static bool
skip_comment(struct lexer *lexer)
{
    const struct pst_text text = lexer->rest;
    size_t len = 0;

    while (len < text.len && !is_line_end(text.ptr[len])) {
        if (is_control(text.ptr[len]))
            return false;
        len++;
    }
    lexer->rest = pst_text_from_octet(text, len);
    return true;
}

/* White space, line ends, commas, byte order marks, comments: 2.1.2 to 2.1.7 */
static bool
skip_ignored(struct lexer *lexer)
{
    while (lexer->rest.len > 0) {
        if (lexer->rest.ptr[0] == '#') {
            if (!skip_comment(lexer))
                return false;
        } else if (pst_text_starts(lexer->rest, PST_TEXT("\xEF\xBB\xBF"))) {
            lexer->rest = pst_text_from_octet(lexer->rest, 3);
        } else if (memchr(" \t\n\r,", lexer->rest.ptr[0], 5)) {
            lexer->rest = pst_text_from_octet(lexer->rest, 1);
        } else {
            break;
        }
    }
    return true;
}

static struct token
lex_name(struct lexer *lexer)
{
    size_t len = 1;

    while (is_name(octet(lexer->rest, len)))
        len++;
    return token(lexer, NAME, len);
}

static size_t
digits(struct pst_text text, size_t at)
{
    size_t end = at;

    while (pst_is_digit(octet(text, end)))
        end++;
    return end - at;
}

/* IntValue, FloatValue (2.9.1, 2.9.2), and what may not follow them. */
static struct token
lex_number(struct lexer *lexer)
{
    const struct pst_text text = lexer->rest;
    size_t len = octet(text, 0) == '-' ? 1 : 0;
    size_t whole = digits(text, len);
    bool good = whole == 1 || (whole > 1 && octet(text, len) != '0');

    len += whole;
    if (octet(text, len) == '.') {
        good = good && digits(text, len + 1) > 0;
        len += 1 + digits(text, len + 1);
    }
    if (octet(text, len) == 'e' || octet(text, len) == 'E') {
        len++;
        if (octet(text, len) == '+' || octet(text, len) == '-')
            len++;
        good = good && digits(text, len) > 0;
        len += digits(text, len);
    }
    if (is_name(octet(text, len)) || octet(text, len) == '.')
        good = false;
    return token(lexer, good ? NUMBER : BROKEN, len);
}

/* The octets of the escape at `at`, or 0 when it is none (2.9.4). */
static size_t
escape(struct pst_text text, size_t at)
{
    size_t end = at + 2;
    size_t count = 0;

    if (octet(text, at + 1) != 'u')
        return memchr("\"\\/bfnrt", octet(text, at + 1), 8) ? 2 : 0;
    if (octet(text, end) != '{') {
        while (count < 4 && pst_hex_value(octet(text, end + count)) >= 0)
            count++;
        return count == 4 ? 6 : 0;
    }
    while (pst_hex_value(octet(text, end + 1 + count)) >= 0)
        count++;
    return count > 0 && octet(text, end + 1 + count) == '}' ? 4 + count : 0;
}

static struct token
lex_string(struct lexer *lexer)
{
    const struct pst_text text = lexer->rest;
    size_t at = 1;

    while (at < text.len && text.ptr[at] != '"' && !is_line_end(text.ptr[at])) {
        size_t len = text.ptr[at] == '\\' ? escape(text, at) : 1;

        if (len == 0 || is_control(text.ptr[at]))
            return token(lexer, BROKEN, at);
        at += len;
    }
    if (octet(text, at) != '"')
        return token(lexer, OPEN, at);
    return token(lexer, STRING, at + 1);
}

static struct token
lex_block_string(struct lexer *lexer)
{
    const struct pst_text text = lexer->rest;
    size_t at = 3;

    while (at < text.len) {
        struct pst_text here = pst_text_from_octet(text, at);

        if (pst_text_starts(here, PST_TEXT("\"\"\"")))
            return token(lexer, STRING, at + 3);
        if (is_control(text.ptr[at]))
            return token(lexer, BROKEN, text.len);
        at += pst_text_starts(here, PST_TEXT("\\\"\"\"")) ? 4 : 1;
    }
    return token(lexer, OPEN, text.len);
}

static struct token
lex(struct lexer *lexer)
{
    char c;

    if (!skip_ignored(lexer))
        return token(lexer, BROKEN, 0);
    if (lexer->rest.len == 0)
        return token(lexer, END, 0);
    c = lexer->rest.ptr[0];
    if (is_name_start(c))
        return lex_name(lexer);
    if (c == '-' || pst_is_digit(c))
        return lex_number(lexer);
    if (lexer->blocks && pst_text_starts(lexer->rest, PST_TEXT("\"\"\"")))
        return lex_block_string(lexer);
    if (c == '"')
        return lex_string(lexer);
    if (pst_text_starts(lexer->rest, PST_TEXT("...")))
        return token(lexer, SPREAD, 3);
    if (c != '\0' && strchr("!$&():=@[]{|}", c))
        return token(lexer, PUNCTUATOR, 1);
    return token(lexer, BROKEN, 0);
}

/* What the name to come is, in a selection set. */
enum place {
    FIELD,     /* a field, or its alias */
    FRAGMENT,  /* behind "...": a fragment's name, or "on" */
    TYPE,      /* behind "... on" */
    DIRECTIVE, /* behind "@" */
    ALIASED,   /* behind a colon: the field that got another name */
};

/* One reading of a document. */
struct reading {
    struct pst_text field; /* the name that is looked for */
    char open[PST_GRAPHQL_DEPTH];
    size_t depth;
    size_t values; /* how many of the open brackets are ( or [ */
    enum place place;
    bool last; /* the token before was a field of that name */
    bool field_found, alias_found;
};

/*
 * Braces within ( or [ are around an object value; all others are taken for
 * selection sets, so a type definition's fields count too.
 */
static bool
in_selection_set(const struct reading *reading)
{
    return reading->depth > 0 && reading->values == 0;
}

static bool
open_bracket(struct reading *reading, char c)
{
    if (reading->depth == PST_GRAPHQL_DEPTH)
        return false;
    reading->open[reading->depth++] = c;
    if (c != '{')
        reading->values++;
    return true;
}

static bool
close_bracket(struct reading *reading, char opened)
{
    if (reading->depth == 0)
        return false;
    if (reading->open[--reading->depth] != opened)
        return false;
    if (opened != '{')
        reading->values--;
    return true;
}

static bool
read_bracket(struct reading *reading, char c)
{
    switch (c) {
    case '(':
    case '[':
    case '{':
        return open_bracket(reading, c);
    case ')':
        return close_bracket(reading, '(');
    case ']':
        return close_bracket(reading, '[');
    case '}':
        return close_bracket(reading, '{');
    default:
        return true;
    }
}

static void
read_name(struct reading *reading, struct pst_text name)
{
    bool same = pst_text_equal(name, reading->field);
    enum place place = reading->place;

    reading->place = FIELD;
    if (place == FRAGMENT && pst_text_equal(name, PST_TEXT("on")))
        reading->place = TYPE;
    if (place != FIELD && place != ALIASED)
        return;
    reading->field_found |= same;
    reading->alias_found |= place == ALIASED && same != reading->last;
}

/* Take one token into account; false when the brackets do not match. */
static bool
read_token(struct reading *reading, struct token t)
{
    char c = t.kind == PUNCTUATOR ? t.text.ptr[0] : '\0';

    if (in_selection_set(reading) && t.kind == NAME)
        read_name(reading, t.text);
    else if (t.kind == SPREAD)
        reading->place = FRAGMENT;
    else if (c == '@')
        reading->place = DIRECTIVE;
    else if (c == ':')
        reading->place = ALIASED;
    else
        reading->place = FIELD;
    if (c != ':')
        reading->last =
            t.kind == NAME && pst_text_equal(t.text, reading->field);
    return read_bracket(reading, c);
}

/* Read up to the end, or to what cannot be read; tells which. */
static enum kind
read_document(struct reading *reading, struct pst_text document, bool blocks)
{
    struct lexer lexer = {document, blocks};
    struct token t;

    if (!pst_text_is_utf8(document))
        return BROKEN;
    t = lex(&lexer);
    while (t.kind != END && t.kind != BROKEN && t.kind != OPEN) {
        if (!read_token(reading, t))
            return BROKEN;
        t = lex(&lexer);
    }
    return t.kind == END && reading->depth > 0 ? BROKEN : t.kind;
}

/* Add what one reading finds; what cannot be read is taken for the worst. */
static void
read_as(struct reading *reading, struct pst_text document, bool blocks)
{
    struct reading one = {.field = reading->field};
    enum kind end = read_document(&one, document, blocks);

    if (end == OPEN && !blocks)
        return; /* a backend that reads so refuses the whole document */
    reading->field_found |= one.field_found || end != END;
    reading->alias_found |= one.alias_found || end != END;
}

/*
 * Read the document as any backend may. One older than block strings sees an
 * empty string in """ and another string behind it: with \""" a client could
 * hide a login from us, inside what is a block string to us alone. So such a
 * document is read both ways, and either may find the field.
 */
static struct reading
read_both_ways(struct pst_text document, struct pst_text field)
{
    struct reading reading = {.field = field};

    read_as(&reading, document, true);
    if (pst_text_contains(document, PST_TEXT("\"\"\"")))
        read_as(&reading, document, false);
    return reading;
}

bool
pst_graphql_has_field(struct pst_text document, struct pst_text field)
{
    return read_both_ways(document, field).field_found;
}

bool
pst_graphql_has_alias(struct pst_text document, struct pst_text field)
{
    return read_both_ways(document, field).alias_found;
}

/* The last tokens, so that a value's argument is known: "name", ":". */
struct tail {
    struct token name;
    struct token colon;
};

static void
push(struct tail *tail, struct token t)
{
    tail->name = tail->colon;
    tail->colon = t;
}

/* The argument whose value comes next; absent when it is not an argument's. */
static struct pst_text
argument_of(const struct tail *tail)
{
    if (tail->name.kind != NAME || tail->colon.kind != PUNCTUATOR ||
        tail->colon.text.ptr[0] != ':')
        return PST_NO_TEXT;
    return tail->name.text;
}

bool
pst_graphql_strings(struct pst_text document, pst_graphql_each *each,
                    void *context)
{
    struct lexer lexer = {document, true};
    struct tail tail = {{END, PST_NO_TEXT}, {END, PST_NO_TEXT}};
    struct token t;

    if (!pst_text_is_utf8(document) ||
        pst_text_contains(document, PST_TEXT("\"\"\"")))
        return false;
    for (t = lex(&lexer); t.kind != END; t = lex(&lexer)) {
        struct pst_text string =
            pst_text_first(pst_text_from_octet(t.text, 1),
                           t.text.len > 2 ? t.text.len - 2 : 0);

        if (t.kind == BROKEN || t.kind == OPEN)
            return false;
        if (t.kind == STRING && (pst_text_index(string, '\\') < string.len ||
                                 !each(context, argument_of(&tail), string)))
            return false;
        push(&tail, t);
    }
    return true;
}

bool
pst_graphql_is_only(struct pst_text document, struct pst_text variable,
                    struct pst_text argument)
{
    struct lexer lexer = {document, true};
    struct tail tail = {{END, PST_NO_TEXT}, {END, PST_NO_TEXT}};
    struct token t = lex(&lexer);
    bool is_used = false;

    while (t.kind != END && t.kind != BROKEN && t.kind != OPEN) {
        struct pst_text where = argument_of(&tail);
        bool is_dollar = t.kind == PUNCTUATOR && t.text.ptr[0] == '$';
        struct token name;

        push(&tail, t);
        t = lex(&lexer);
        if (!is_dollar || t.kind != NAME || !pst_text_equal(t.text, variable))
            continue;
        name = t;
        t = lex(&lexer);
        push(&tail, name);
        /* "$name:" declares it; anything else uses it. */
        if (t.kind == PUNCTUATOR && t.text.ptr[0] == ':')
            continue;
        if (!pst_text_equal(where, argument))
            return false;
        is_used = true;
    }
    return is_used && t.kind == END;
}

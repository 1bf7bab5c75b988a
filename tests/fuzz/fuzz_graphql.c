/* SPDX-License-Identifier: ISC */
/*
 * fuzz_graphql.c - parse any bytes as a GraphQL document, and check the
 * invariants of every tree and of every error.
 */
#include <string.h>

#include "base/limits.h"
#include "graphql/parser.h"
#include "graphql/print.h"
#include "graphql_text.h"

#define TEXT_MAX (64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pst_str input;

static bool
is_name_character(char c)
{
    return pst_is_alpha(c) || pst_is_digit(c) || c == '_';
}

/* A name is a slice of the input that cannot be extended at either end. */
static void
check_name(struct pst_str name)
{
    PST_REQUIRE(name.len > 0 && !pst_is_digit(name.ptr[0]));
    PST_REQUIRE(name.ptr >= input.ptr &&
                name.ptr + name.len <= input.ptr + input.len);
    for (size_t i = 0; i < name.len; i++)
        PST_REQUIRE(is_name_character(name.ptr[i]));
    if (name.ptr > input.ptr)
        PST_REQUIRE(!is_name_character(name.ptr[-1]));
    if (name.ptr + name.len < input.ptr + input.len)
        PST_REQUIRE(!is_name_character(name.ptr[name.len]));
}

/* Find the character at a location. Returns NULL if there is none. */
static const char *
find_place(struct pst_str text, struct pst_graphql_location location)
{
    uint32_t line = 1;
    uint32_t column = 1;

    for (size_t i = 0; i <= text.len; i++) {
        const bool is_first =
            i == text.len || ((uint8_t)text.ptr[i] & 0xC0) != 0x80;

        if (is_first && line == location.line && column == location.column)
            return text.ptr + i;
        if (i < text.len && text.ptr[i] == '\n') {
            line++;
            column = 1;
        } else if (is_first) {
            column++;
        }
    }
    return NULL;
}

/* At this location must be `other` or the start of a name. */
static void
check_place(const struct pst_graphql_document *document,
            struct pst_graphql_location location, char other)
{
    const char *at = find_place(document->text, location);

    PST_REQUIRE(at && at < document->text.ptr + document->text.len);
    PST_REQUIRE(*at == other || (is_name_character(*at) && !pst_is_digit(*at)));
}

static void
check_number(struct pst_str text)
{
    PST_REQUIRE(text.len > 0);
    for (size_t i = 0; i < text.len; i++)
        PST_REQUIRE(pst_is_digit(text.ptr[i]) ||
                    memchr("+-.eE", text.ptr[i], 5));
}

static void
check_values(const struct pst_graphql_value *first)
{
    for (const struct pst_graphql_value *v = first; v; v = v->next) {
        if (!pst_str_is_absent(v->name))
            check_name(v->name);
        PST_REQUIRE(!v->items || v->kind == PST_GRAPHQL_LIST ||
                    v->kind == PST_GRAPHQL_OBJECT);
        if (v->kind == PST_GRAPHQL_VARIABLE || v->kind == PST_GRAPHQL_ENUM)
            check_name(v->text);
        if (v->kind == PST_GRAPHQL_INT || v->kind == PST_GRAPHQL_FLOAT)
            check_number(v->text);
        if (v->kind == PST_GRAPHQL_STRING)
            PST_REQUIRE(!pst_str_is_absent(v->text) &&
                        pst_str_is_utf8(v->text));
        check_values(v->items);
    }
}

static void
check_directives(const struct pst_graphql_directive *first)
{
    for (const struct pst_graphql_directive *d = first; d; d = d->next) {
        check_name(d->name);
        check_values(d->arguments);
    }
}

static void
check_selections(const struct pst_graphql_document *document,
                 const struct pst_graphql_selection *first)
{
    for (const struct pst_graphql_selection *s = first; s; s = s->next) {
        PST_REQUIRE((s->kind == PST_GRAPHQL_INLINE) ==
                    pst_str_is_absent(s->name));
        PST_REQUIRE((s->kind == PST_GRAPHQL_SPREAD) == (s->fragment != NULL));
        PST_REQUIRE(s->kind != PST_GRAPHQL_INLINE || s->selections);
        if (s->kind != PST_GRAPHQL_INLINE)
            check_name(s->name);
        if (s->fragment)
            PST_REQUIRE(pst_str_equal(s->fragment->name, s->name));
        if (!pst_str_is_absent(s->alias))
            check_name(s->alias);
        if (!pst_str_is_absent(s->type))
            check_name(s->type);
        check_place(document, s->location, '.');
        check_values(s->arguments);
        check_directives(s->directives);
        if (s->selections)
            check_selections(document, s->selections);
    }
}

static void
check_variables(const struct pst_graphql_variable *first)
{
    for (const struct pst_graphql_variable *v = first; v; v = v->next) {
        check_name(v->name);
        PST_REQUIRE(v->type.len > 0);
        PST_REQUIRE(v->is_required == (v->type.ptr[v->type.len - 1] == '!'));
        PST_REQUIRE(!v->value || !v->value->next);
        check_values(v->value);
        check_directives(v->directives);
    }
}

static void
check_document(const struct pst_graphql_document *document)
{
    size_t operations = 0;
    size_t fragments = 0;

    PST_REQUIRE(document->text.len <= input.len);
    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next, operations++) {
        if (!pst_str_is_absent(o->name))
            check_name(o->name);
        PST_REQUIRE(pst_graphql_operation_find(document, o->name) == o);
        check_place(document, o->location, '{');
        check_variables(o->variables);
        check_directives(o->directives);
        PST_REQUIRE(o->selections != NULL);
        check_selections(document, o->selections);
    }
    for (const struct pst_graphql_fragment *f = document->fragments; f;
         f = f->next, fragments++) {
        check_name(f->name);
        check_name(f->type);
        check_place(document, f->location, 'f');
        check_directives(f->directives);
        PST_REQUIRE(f->selections != NULL);
        check_selections(document, f->selections);
    }
    PST_REQUIRE(operations > 0 && operations == document->operation_count);
    PST_REQUIRE(fragments == document->fragment_count);
}

/* The message is ASCII, and the location is in the input or at its end. */
static void
check_error(const struct pst_graphql_error *error)
{
    struct pst_str text = input;

    if (pst_str_starts(text, PST_STR("\xEF\xBB\xBF")))
        text = pst_str_skip(text, 3);
    PST_REQUIRE(memchr(error->message, '\0', sizeof(error->message)));
    PST_REQUIRE(error->message[0] != '\0');
    for (const char *c = error->message; *c; c++)
        PST_REQUIRE(*c >= ' ' && *c < 0x7F);
    PST_REQUIRE(find_place(text, error->location) != NULL);
}

static struct pst_str
write_tree(struct pst_arena *arena, const struct pst_graphql_document *document)
{
    struct pst_str text;
    struct pst_buf buf;

    pst_buf_init_heap(&buf, arena, TEXT_MAX);
    graphql_text_document(&buf, document, true);
    PST_REQUIRE(pst_buf_finish(&buf, &text) == PST_OK);
    return text;
}

/* The text to forward has the same tree as the input. */
static void
check_again(struct pst_arena *arena,
            const struct pst_graphql_document *document)
{
    const struct pst_graphql_document *again = NULL;
    const struct pst_str tree = write_tree(arena, document);
    struct pst_graphql_error error;

    PST_REQUIRE(pst_graphql_parse(arena, document->text, &again, &error) ==
                PST_OK);
    PST_REQUIRE(pst_str_equal(again->text, document->text));
    PST_REQUIRE(pst_str_equal(write_tree(arena, again), tree));
}

/* Print arguments and directives. */
static struct pst_str
write_rest(struct pst_arena *arena, const struct pst_graphql_value *arguments,
           const struct pst_graphql_directive *directives)
{
    struct pst_str text;
    struct pst_buf buf;

    pst_buf_init_heap(&buf, arena, TEXT_MAX);
    graphql_text_values(&buf, arguments);
    graphql_text_directives(&buf, directives);
    PST_REQUIRE(pst_buf_finish(&buf, &text) == PST_OK);
    return text;
}

static struct pst_str
write_variables(struct pst_arena *arena,
                const struct pst_graphql_variable *variables)
{
    struct pst_str text;
    struct pst_buf buf;

    pst_buf_init_heap(&buf, arena, TEXT_MAX);
    graphql_text_variables(&buf, variables);
    PST_REQUIRE(pst_buf_finish(&buf, &text) == PST_OK);
    return text;
}

static bool
is_same(struct pst_str a, struct pst_str b)
{
    return pst_str_equal(a, b) && pst_str_is_absent(a) == pst_str_is_absent(b);
}

/* Skip __typename and, under a type condition, the type's marker field. */
static const struct pst_graphql_selection *
skip_types(const struct pst_graphql_selection *s, struct pst_str type)
{
    const struct pst_str mark = PST_STR(PST_GRAPHQL_TYPE_KEY_PREFIX);

    PST_REQUIRE(pst_str_equal(s->name, PST_STR("__typename")));
    PST_REQUIRE(pst_str_is_absent(s->alias));
    s = s->next;
    if (pst_str_is_absent(type))
        return s;
    PST_REQUIRE(pst_str_equal(s->name, PST_STR("__typename")));
    PST_REQUIRE(pst_str_starts(s->alias, mark));
    PST_REQUIRE(pst_str_equal(pst_str_skip(s->alias, mark.len), type));
    return s->next;
}

static void
check_typed(struct pst_arena *arena, const struct pst_graphql_selection *plain,
            const struct pst_graphql_selection *typed, struct pst_str type)
{
    typed = skip_types(typed, type);
    for (; plain; plain = plain->next, typed = typed->next) {
        PST_REQUIRE(typed && plain->kind == typed->kind);
        PST_REQUIRE(is_same(plain->name, typed->name));
        PST_REQUIRE(is_same(plain->alias, typed->alias));
        PST_REQUIRE(is_same(plain->type, typed->type));
        PST_REQUIRE(pst_str_equal(
            write_rest(arena, plain->arguments, plain->directives),
            write_rest(arena, typed->arguments, typed->directives)));
        PST_REQUIRE(!plain->selections == !typed->selections);
        if (plain->selections)
            check_typed(arena, plain->selections, typed->selections,
                        plain->type);
    }
    PST_REQUIRE(!typed);
}

/* Printed with type names it is the same document with these fields added,
 * unless it is too large then. */
static void
check_printed(struct pst_arena *arena,
              const struct pst_graphql_document *document)
{
    const struct pst_graphql_document *again = NULL;
    const struct pst_graphql_operation *operation;
    const struct pst_graphql_fragment *fragment;
    struct pst_graphql_error error;
    struct pst_str text;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_heap(&buf, arena, TEXT_MAX);
    pst_graphql_print_with_typename(&buf, document);
    PST_REQUIRE(pst_buf_finish(&buf, &text) == PST_OK);
    e = pst_graphql_parse(arena, text, &again, &error);
    PST_REQUIRE(e == PST_OK || e == PST_TOO_LARGE);
    if (e)
        return;
    PST_REQUIRE(again->operation_count == document->operation_count);
    PST_REQUIRE(again->fragment_count == document->fragment_count);
    operation = again->operations;
    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next, operation = operation->next) {
        PST_REQUIRE(o->kind == operation->kind);
        PST_REQUIRE(is_same(o->name, operation->name));
        PST_REQUIRE(
            pst_str_equal(write_variables(arena, o->variables),
                          write_variables(arena, operation->variables)));
        PST_REQUIRE(
            pst_str_equal(write_rest(arena, NULL, o->directives),
                          write_rest(arena, NULL, operation->directives)));
        check_typed(arena, o->selections, operation->selections, PST_STR_NONE);
    }
    fragment = again->fragments;
    for (const struct pst_graphql_fragment *f = document->fragments; f;
         f = f->next, fragment = fragment->next) {
        PST_REQUIRE(is_same(f->name, fragment->name));
        PST_REQUIRE(is_same(f->type, fragment->type));
        PST_REQUIRE(
            pst_str_equal(write_rest(arena, NULL, f->directives),
                          write_rest(arena, NULL, fragment->directives)));
        check_typed(arena, f->selections, fragment->selections, f->type);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pst_arena *arena;
    const struct pst_graphql_document *document = NULL;
    struct pst_graphql_error error;
    enum pst_err e;

    if (!arena)
        PST_REQUIRE(pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK);
    input = pst_str_from_bytes((struct pst_bytes){data, size});
    memset(&error, 'x', sizeof(error));
    e = pst_graphql_parse(arena, input, &document, &error);
    PST_REQUIRE(e == PST_OK || e == PST_MALFORMED || e == PST_TOO_LARGE);
    if (e) {
        check_error(&error);
    } else {
        check_document(document);
        check_again(arena, document);
        check_printed(arena, document);
    }
    pst_arena_reset(arena);
    return 0;
}

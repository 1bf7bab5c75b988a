/* SPDX-License-Identifier: ISC */
/*
 * graphql_tool.c - parse GraphQL documents, for tests that compare the tree
 * with those of other parsers.
 *
 * Reads documents from standard input, each after a line with its length in
 * bytes. Prints a line of JSON for each: the tree as arrays, or
 * {"error":"…","line":1,"column":1}. Exits 2 if the input is truncated.
 */
#include <string.h>

#include "base/limits.h"
#include "graphql/parser.h"

#define DOCUMENT_MAX (2 * 1024 * 1024)

enum { MISUSED = 2 };

static void
print(const char *text)
{
    (void)fputs(text, stdout);
}

static void
print_string(struct pst_str text)
{
    if (pst_str_is_absent(text)) {
        print("null");
        return;
    }
    (void)putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = (uint8_t)text.ptr[i];

        if (c < 0x20 || c == '"' || c == '\\')
            (void)printf("\\u%04x", c);
        else
            (void)putchar(c);
    }
    (void)putchar('"');
}

/* Print a type without ignored tokens. */
static void
print_type(struct pst_str type)
{
    bool is_comment = false;

    (void)putchar('"');
    for (size_t i = 0; i < type.len; i++) {
        const char c = type.ptr[i];

        is_comment = c == '#' || (is_comment && c != '\n');
        if (!is_comment && !strchr(" \t\r\n,", c))
            (void)putchar(c);
    }
    (void)putchar('"');
}

static void print_values(const struct pst_graphql_value *first);

static void
print_value(const struct pst_graphql_value *value)
{
    static const char *const kinds[] = {
        [PST_GRAPHQL_VARIABLE] = "$",  [PST_GRAPHQL_INT] = "int",
        [PST_GRAPHQL_FLOAT] = "float", [PST_GRAPHQL_STRING] = "string",
        [PST_GRAPHQL_TRUE] = "true",   [PST_GRAPHQL_FALSE] = "false",
        [PST_GRAPHQL_NULL] = "null",   [PST_GRAPHQL_ENUM] = "enum",
        [PST_GRAPHQL_LIST] = "list",   [PST_GRAPHQL_OBJECT] = "object",
    };

    (void)printf("[\"%s\",", kinds[value->kind]);
    print_string(value->name);
    (void)putchar(',');
    if (value->kind == PST_GRAPHQL_LIST || value->kind == PST_GRAPHQL_OBJECT)
        print_values(value->items);
    else
        print_string(value->text);
    (void)putchar(']');
}

static void
print_values(const struct pst_graphql_value *first)
{
    (void)putchar('[');
    for (const struct pst_graphql_value *v = first; v; v = v->next) {
        print_value(v);
        print(v->next ? "," : "");
    }
    (void)putchar(']');
}

static void
print_directives(const struct pst_graphql_directive *first)
{
    (void)putchar('[');
    for (const struct pst_graphql_directive *d = first; d; d = d->next) {
        (void)putchar('[');
        print_string(d->name);
        (void)putchar(',');
        print_values(d->arguments);
        print(d->next ? "]," : "]");
    }
    (void)putchar(']');
}

static void
print_selections(const struct pst_graphql_selection *first)
{
    static const char *const kinds[] = {"field", "spread", "inline"};

    (void)putchar('[');
    for (const struct pst_graphql_selection *s = first; s; s = s->next) {
        (void)printf("[\"%s\",", kinds[s->kind]);
        print_string(s->name);
        (void)putchar(',');
        print_string(s->alias);
        (void)putchar(',');
        print_string(s->type);
        (void)putchar(',');
        print_values(s->arguments);
        (void)putchar(',');
        print_directives(s->directives);
        (void)putchar(',');
        print_selections(s->selections);
        (void)printf(",%u,%u]", s->location.line, s->location.column);
        print(s->next ? "," : "");
    }
    (void)putchar(']');
}

static void
print_variables(const struct pst_graphql_variable *first)
{
    (void)putchar('[');
    for (const struct pst_graphql_variable *v = first; v; v = v->next) {
        (void)putchar('[');
        print_string(v->name);
        (void)putchar(',');
        print_type(v->type);
        (void)printf(",%s,", v->is_required ? "true" : "false");
        if (v->value)
            print_value(v->value);
        else
            print("null");
        (void)putchar(',');
        print_directives(v->directives);
        print(v->next ? "]," : "]");
    }
    (void)putchar(']');
}

static void
print_document(const struct pst_graphql_document *document,
               struct pst_str input)
{
    static const char *const kinds[] = {"query", "mutation", "subscription"};

    print("{\"operations\":[");
    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next) {
        (void)printf("[\"%s\",", kinds[o->kind]);
        print_string(o->name);
        (void)putchar(',');
        print_variables(o->variables);
        (void)putchar(',');
        print_directives(o->directives);
        (void)putchar(',');
        print_selections(o->selections);
        print(o->next ? "]," : "]");
    }
    print("],\"fragments\":[");
    for (const struct pst_graphql_fragment *f = document->fragments; f;
         f = f->next) {
        (void)putchar('[');
        print_string(f->name);
        (void)putchar(',');
        print_string(f->type);
        (void)putchar(',');
        print_directives(f->directives);
        (void)putchar(',');
        print_selections(f->selections);
        print(f->next ? "]," : "]");
    }
    (void)putchar(']');
    if (document->text.ptr < input.ptr ||
        document->text.ptr > input.ptr + input.len) {
        print(",\"text\":");
        print_string(document->text);
    }
    print("}\n");
}

static int
run(struct pst_arena *arena, char *buffer)
{
    unsigned len;

    while (scanf("%u", &len) == 1) {
        const struct pst_graphql_document *document;
        struct pst_graphql_error error;
        struct pst_str text = {buffer, len};
        enum pst_err e;

        if (len > DOCUMENT_MAX || getchar() != '\n' ||
            fread(buffer, 1, len, stdin) != len)
            return MISUSED;
        e = pst_graphql_parse(arena, text, &document, &error);
        if (e) {
            (void)printf("{\"code\":\"%s\",\"error\":", pst_err_code(e));
            print_string(pst_str_from(error.message));
            (void)printf(",\"line\":%u,\"column\":%u}\n", error.location.line,
                         error.location.column);
        } else {
            print_document(document, text);
        }
        pst_arena_reset(arena);
    }
    return feof(stdin) && fflush(stdout) == 0 ? 0 : MISUSED;
}

int
main(void)
{
    struct pst_arena *arena = NULL;
    char *buffer = malloc(DOCUMENT_MAX);
    int status = MISUSED;

    if (buffer && pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK)
        status = run(arena, buffer);
    pst_arena_free(&arena);
    free(buffer);
    return status;
}

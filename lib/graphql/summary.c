/* SPDX-License-Identifier: ISC */
/*
 * summary.c - summarize a GraphQL document: parse and analyze it, and keep the
 * result in one block of memory.
 */
#include "graphql/summary.h"

#include <string.h>

#include "base/limits.h"
#include "graphql/analyze.h"

/* Bytes of the parser's arena; its tree is allocated outside the arena. */
#define SCRATCH_SIZE 1024

/* The free parts of the block: structures first, then the bytes of names. */
struct layout {
    struct pst_graphql_summary *summary;
    struct pst_graphql_summary_operation *operations;
    struct pst_str *texts;
    char *bytes;
};

static struct pst_str
layout_copy_text(struct layout *layout, struct pst_str text)
{
    struct pst_str copy = {layout->bytes, text.len};

    if (pst_str_is_absent(text))
        return text;
    memcpy(layout->bytes, text.ptr, text.len);
    layout->bytes += text.len;
    return copy;
}

static void
layout_copy_operation(struct layout *layout,
                      const struct graphql_analysis *analysis,
                      const struct pst_graphql_operation *operation,
                      const struct graphql_operation_analysis *found)
{
    *layout->operations++ = (struct pst_graphql_summary_operation){
        .kind = operation->kind,
        .name = layout_copy_text(layout, operation->name),
        .variables = layout->texts,
        .variable_count = found->variable_count,
        .roots = layout->texts + found->variable_count,
        .root_count = found->root_count,
        .has_login = found->has_login,
        .has_password = found->has_password,
    };
    for (const struct pst_graphql_variable *v = operation->variables; v;
         v = v->next)
        *layout->texts++ = layout_copy_text(layout, v->name);
    for (size_t i = 0; i < found->root_count; i++)
        *layout->texts++ =
            layout_copy_text(layout, analysis->roots[found->root_start + i]);
    layout->summary->has_login |= found->has_login;
    layout->summary->has_password |= found->has_password;
}

/* The size of the whole block; text_count is set to the number of names in
 * lists. */
static size_t
measure_summary(const struct pst_graphql_document *document,
                const struct graphql_analysis *analysis, size_t *text_count)
{
    size_t size = sizeof(struct pst_graphql_summary) + document->text.len +
                  analysis->name_bytes;
    size_t count = analysis->root_count;

    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next) {
        size += sizeof(struct pst_graphql_summary_operation) + o->name.len;
        for (const struct pst_graphql_variable *v = o->variables; v;
             v = v->next) {
            size += v->name.len;
            count++;
        }
    }
    for (size_t i = 0; i < GRAPHQL_SCOPE_COUNT; i++)
        size += analysis->secrets[i].name.len;
    *text_count = count;
    return size + count * sizeof(struct pst_str);
}

static enum pst_err
build_summary(const struct pst_graphql_document *document,
              const struct graphql_analysis *analysis,
              struct pst_graphql_summary **out)
{
    const struct graphql_secret *secret =
        &analysis->secrets[GRAPHQL_SCOPE_OTHER];
    const struct graphql_secret *login_secret =
        &analysis->secrets[GRAPHQL_SCOPE_LOGIN];
    const struct graphql_operation_analysis *found = analysis->operations;
    struct layout layout;
    size_t text_count;
    size_t size = measure_summary(document, analysis, &text_count);
    struct pst_graphql_summary *summary = malloc(size);

    if (!summary)
        return PST_NO_MEMORY;
    layout.summary = summary;
    layout.operations = (struct pst_graphql_summary_operation *)(summary + 1);
    layout.texts =
        (struct pst_str *)(layout.operations + document->operation_count);
    layout.bytes = (char *)(layout.texts + text_count);
    *summary = (struct pst_graphql_summary){
        .text = layout_copy_text(&layout, document->text),
        .operations = layout.operations,
        .operation_count = document->operation_count,
        .secret = layout_copy_text(&layout, secret->name),
        .secret_location = secret->location,
        .login_secret = layout_copy_text(&layout, login_secret->name),
        .login_secret_location = login_secret->location,
        .size = size,
    };
    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next)
        layout_copy_operation(&layout, analysis, o, found++);
    *out = summary;
    return PST_OK;
}

static enum pst_err
analyze_and_build(const struct pst_graphql_document *document,
                  const struct pst_graphql_rules *rules,
                  struct pst_graphql_summary **out)
{
    struct graphql_analysis analysis;
    enum pst_err e = graphql_analyze(document, rules, &analysis);

    if (e)
        return e;
    e = build_summary(document, &analysis, out);
    graphql_analysis_fini(&analysis);
    return e;
}

enum pst_err
pst_graphql_summary_parse(struct pst_str text,
                          const struct pst_graphql_rules *rules,
                          struct pst_graphql_summary **out,
                          struct pst_graphql_error *error)
{
    const struct pst_graphql_document *document;
    struct pst_arena *scratch;
    enum pst_err e = pst_arena_new(&scratch, SCRATCH_SIZE);

    if (e)
        return e;
    e = pst_graphql_parse(scratch, text, &document, error);
    if (!e) {
        e = analyze_and_build(document, rules, out);
        if (e == PST_TOO_LARGE)
            *error = (struct pst_graphql_error){
                "The document selects too many fields at the roots of its "
                "operations; send fewer operations in one document.",
                {1, 1}};
    }
    pst_arena_free(&scratch);
    return e;
}

void
pst_graphql_summary_free(struct pst_graphql_summary **summary)
{
    if (!*summary)
        return;
    explicit_bzero(*summary, (*summary)->size);
    free(*summary);
    *summary = NULL;
}

const struct pst_graphql_summary_operation *
pst_graphql_summary_find(const struct pst_graphql_summary *summary,
                         struct pst_str name)
{
    if (name.len == 0)
        return summary->operation_count == 1 ? summary->operations : NULL;
    for (size_t i = 0; i < summary->operation_count; i++)
        if (pst_str_equal(summary->operations[i].name, name))
            return &summary->operations[i];
    return NULL;
}

/* SPDX-License-Identifier: ISC */
/*
 * document.c - find out what a parsed document asks for.
 *
 * Work is bounded whatever fragments spread each other: at the root of an
 * operation each fragment is read once, and all such reading together stops
 * at PST_GRAPHQL_ROOTS_MAX; below root fields each fragment is read at most
 * once for each context. Only nesting inside one definition, which the parser
 * bounds, is followed by recursion.
 */
#include "graphql/document.h"

#include <string.h>

#include "base/limits.h"

#define OPERATION_KINDS 3 /* of operations */

#define SCRATCH_SIZE                                        \
    1024 /* bytes of arena for the parser: trees lie off it \
          */

/* Below what a selection stands; a fragment's are bits in its marks. */
enum scope {
    SCOPE_ELSEWHERE,
    SCOPE_LOGIN,
    SCOPE_ALLOWED,
    SCOPE_COUNT,
};

/* Where a fragment has been read already. */
struct fragment_state {
    const struct pst_graphql_fragment *fragment;
    bool is_read_below[SCOPE_COUNT];
    bool is_read_at_root[OPERATION_KINDS];
    size_t operation; /* the last one (from 1) at whose root it stands */
};

/* A fragment to be read in a context. */
struct job {
    struct fragment_state *fragment_state;
    enum scope scope;
};

/* What is known of an operation before the result is laid out. */
struct draft {
    size_t root_start;
    size_t root_count;
    size_t variable_count;
    bool has_login;
    bool has_password;
};

struct secret {
    struct pst_str name;
    struct pst_graphql_location location;
};

struct analyzer {
    const struct pst_graphql_document *document;
    const struct pst_graphql_rules *rules;

    struct fragment_state
        *fragment_states; /* by address; one for each fragment */
    struct job *jobs;     /* room for each fragment in each context */
    size_t job_count;
    struct fragment_state **queue; /* fragments at the root of one operation */
    size_t queue_count;

    struct draft *drafts; /* one for each operation */
    struct pst_str *roots;
    size_t root_count;
    size_t root_size;
    size_t root_selections_read; /* selections read at roots */
    size_t name_bytes;           /* of names in roots */

    struct secret secrets[SCOPE_COUNT];
};

/* Where in the reading a root selection is met. */
struct root_location {
    struct draft *draft;
    enum pst_graphql_operation_kind kind;
    bool is_new; /* not read for this kind of operation before */
};

static int
compare_fragment_states(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const struct fragment_state *)a)->fragment;
    uintptr_t right = (uintptr_t)((const struct fragment_state *)b)->fragment;

    return (left > right) - (left < right);
}

static struct fragment_state *
find_fragment_state(const struct analyzer *analyzer,
                    const struct pst_graphql_fragment *fragment)
{
    struct fragment_state key = {.fragment = fragment};
    struct fragment_state *fragment_state = bsearch(
        &key, analyzer->fragment_states, analyzer->document->fragment_count,
        sizeof(key), compare_fragment_states);

    PST_REQUIRE(fragment_state); /* the parser resolves each spread */
    return fragment_state;
}

static bool
root_field_is_listed(const struct pst_graphql_root_field *list, size_t count,
                     enum pst_graphql_operation_kind kind, struct pst_str field)
{
    for (size_t i = 0; i < count; i++)
        if ((list[i].is_any_kind || list[i].kind == kind) &&
            pst_str_equal(list[i].field, field))
            return true;
    return false;
}

static bool
location_is_before(struct pst_graphql_location a, struct pst_graphql_location b)
{
    return a.line < b.line || (a.line == b.line && a.column < b.column);
}

/* Keep the first in the document, in whatever order it is read. */
static void
record_secret_field(struct analyzer *analyzer,
                    const struct pst_graphql_selection *field, enum scope scope)
{
    struct secret *found = &analyzer->secrets[scope];

    for (size_t i = 0; i < analyzer->rules->secret_count; i++)
        if (pst_str_equal(analyzer->rules->secrets[i], field->name) &&
            (pst_str_is_absent(found->name) ||
             location_is_before(field->location, found->location)))
            *found = (struct secret){field->name, field->location};
}

static void
queue_fragment_job(struct analyzer *analyzer,
                   struct fragment_state *fragment_state, enum scope scope)
{
    if (fragment_state->is_read_below[scope])
        return;
    fragment_state->is_read_below[scope] = true;
    analyzer->jobs[analyzer->job_count++] = (struct job){fragment_state, scope};
}

/* Read what stands below a root field, or in a fragment somewhere below. */
static void
analyze_selections(struct analyzer *analyzer,
                   const struct pst_graphql_selection *selection,
                   enum scope scope)
{
    for (; selection; selection = selection->next) {
        if (selection->kind == PST_GRAPHQL_SPREAD) {
            queue_fragment_job(
                analyzer, find_fragment_state(analyzer, selection->fragment),
                scope);
            continue;
        }
        if (selection->kind == PST_GRAPHQL_FIELD)
            record_secret_field(analyzer, selection, scope);
        analyze_selections(analyzer, selection->selections, scope);
    }
}

static void
run_fragment_jobs(struct analyzer *analyzer)
{
    while (analyzer->job_count > 0) {
        struct job job = analyzer->jobs[--analyzer->job_count];

        analyze_selections(analyzer, job.fragment_state->fragment->selections,
                           job.scope);
    }
}

static enum pst_err
add_root_field_name(struct analyzer *analyzer, struct pst_str name)
{
    analyzer->name_bytes += name.len;
    if (analyzer->name_bytes > PST_GRAPHQL_ROOT_NAMES_MAX)
        return PST_TOO_LARGE;
    if (analyzer->root_count == analyzer->root_size) {
        size_t size = analyzer->root_size > 0 ? 2 * analyzer->root_size : 16;
        struct pst_str *roots =
            realloc(analyzer->roots, size * sizeof(*analyzer->roots));

        if (!roots)
            return PST_NO_MEMORY;
        analyzer->roots = roots;
        analyzer->root_size = size;
    }
    analyzer->roots[analyzer->root_count++] = name;
    return PST_OK;
}

static enum pst_err
analyze_root_field(struct analyzer *analyzer,
                   const struct root_location *location,
                   const struct pst_graphql_selection *field)
{
    const struct pst_graphql_rules *rules = analyzer->rules;
    enum scope scope = SCOPE_ELSEWHERE;

    if (root_field_is_listed(rules->passwords, rules->password_count,
                             location->kind, field->name))
        location->draft->has_password = true;
    if (root_field_is_listed(rules->secrets_allowed,
                             rules->secret_allowed_count, location->kind,
                             field->name))
        scope = SCOPE_ALLOWED;
    if (root_field_is_listed(rules->logins, rules->login_count, location->kind,
                             field->name)) {
        location->draft->has_login = true;
        scope = SCOPE_LOGIN;
    }
    if (location->is_new) {
        record_secret_field(analyzer, field, scope);
        analyze_selections(analyzer, field->selections, scope);
    }
    return add_root_field_name(analyzer, field->name);
}

static void
queue_root_fragment(struct analyzer *analyzer,
                    struct fragment_state *fragment_state, size_t operation)
{
    if (fragment_state->operation == operation)
        return;
    fragment_state->operation = operation;
    analyzer->queue[analyzer->queue_count++] = fragment_state;
}

static enum pst_err
analyze_root_selections(struct analyzer *analyzer,
                        const struct root_location *location,
                        const struct pst_graphql_selection *selection)
{
    size_t operation = (size_t)(location->draft - analyzer->drafts) + 1;
    enum pst_err e = PST_OK;

    for (; selection && !e; selection = selection->next) {
        if (++analyzer->root_selections_read > PST_GRAPHQL_ROOTS_MAX)
            return PST_TOO_LARGE;
        if (selection->kind == PST_GRAPHQL_SPREAD)
            queue_root_fragment(
                analyzer, find_fragment_state(analyzer, selection->fragment),
                operation);
        else if (selection->kind == PST_GRAPHQL_INLINE)
            e = analyze_root_selections(analyzer, location,
                                        selection->selections);
        else
            e = analyze_root_field(analyzer, location, selection);
    }
    return e;
}

static enum pst_err
analyze_operation(struct analyzer *analyzer,
                  const struct pst_graphql_operation *operation,
                  struct draft *draft)
{
    struct root_location location = {draft, operation->kind, true};
    enum pst_err e;

    draft->root_start = analyzer->root_count;
    for (const struct pst_graphql_variable *v = operation->variables; v;
         v = v->next)
        draft->variable_count++;
    analyzer->queue_count = 0;
    e = analyze_root_selections(analyzer, &location, operation->selections);
    for (size_t i = 0; i < analyzer->queue_count && !e; i++) {
        struct fragment_state *fragment_state = analyzer->queue[i];

        location.is_new = !fragment_state->is_read_at_root[location.kind];
        fragment_state->is_read_at_root[location.kind] = true;
        e = analyze_root_selections(analyzer, &location,
                                    fragment_state->fragment->selections);
    }
    draft->root_count = analyzer->root_count - draft->root_start;
    return e;
}

static bool
fragment_is_analyzed(const struct fragment_state *fragment_state)
{
    for (size_t i = 0; i < SCOPE_COUNT; i++)
        if (fragment_state->is_read_below[i])
            return true;
    return fragment_state->operation > 0;
}

static enum pst_err
analyze_document(struct analyzer *analyzer)
{
    const struct pst_graphql_operation *operation =
        analyzer->document->operations;
    enum pst_err e = PST_OK;

    for (size_t i = 0; operation && !e; operation = operation->next)
        e = analyze_operation(analyzer, operation, &analyzer->drafts[i++]);
    if (e)
        return e;
    run_fragment_jobs(analyzer);
    for (size_t i = 0; i < analyzer->document->fragment_count; i++)
        if (!fragment_is_analyzed(&analyzer->fragment_states[i]))
            queue_fragment_job(analyzer, &analyzer->fragment_states[i],
                               SCOPE_ELSEWHERE);
    run_fragment_jobs(analyzer);
    return PST_OK;
}

/* The result: one block, filled from its beginning (structures) and from
 * where they end (bytes of names). */

struct layout {
    struct pst_graphql_meaning *meaning;
    struct pst_graphql_meaning_operation *operations;
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
layout_copy_operation(struct layout *layout, const struct analyzer *analyzer,
                      const struct pst_graphql_operation *operation,
                      const struct draft *draft)
{
    *layout->operations++ = (struct pst_graphql_meaning_operation){
        .kind = operation->kind,
        .name = layout_copy_text(layout, operation->name),
        .variables = layout->texts,
        .variable_count = draft->variable_count,
        .roots = layout->texts + draft->variable_count,
        .root_count = draft->root_count,
        .has_login = draft->has_login,
        .has_password = draft->has_password,
    };
    for (const struct pst_graphql_variable *v = operation->variables; v;
         v = v->next)
        *layout->texts++ = layout_copy_text(layout, v->name);
    for (size_t i = 0; i < draft->root_count; i++)
        *layout->texts++ =
            layout_copy_text(layout, analyzer->roots[draft->root_start + i]);
    layout->meaning->has_login |= draft->has_login;
    layout->meaning->has_password |= draft->has_password;
}

static size_t
measure_meaning(const struct analyzer *analyzer, size_t *text_count)
{
    const struct pst_graphql_document *document = analyzer->document;
    size_t size = sizeof(struct pst_graphql_meaning) + document->text.len +
                  analyzer->name_bytes;
    size_t count = analyzer->root_count;

    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next) {
        size += sizeof(struct pst_graphql_meaning_operation) + o->name.len;
        for (const struct pst_graphql_variable *v = o->variables; v;
             v = v->next) {
            size += v->name.len;
            count++;
        }
    }
    for (size_t i = 0; i < SCOPE_COUNT; i++)
        size += analyzer->secrets[i].name.len;
    *text_count = count;
    return size + count * sizeof(struct pst_str);
}

static enum pst_err
build_meaning(const struct analyzer *analyzer, struct pst_graphql_meaning **out)
{
    const struct pst_graphql_document *document = analyzer->document;
    const struct secret *secrets = analyzer->secrets;
    const struct draft *draft = analyzer->drafts;
    struct layout layout;
    size_t text_count;
    size_t size = measure_meaning(analyzer, &text_count);
    struct pst_graphql_meaning *meaning = malloc(size);

    if (!meaning)
        return PST_NO_MEMORY;
    layout.meaning = meaning;
    layout.operations = (struct pst_graphql_meaning_operation *)(meaning + 1);
    layout.texts =
        (struct pst_str *)(layout.operations + document->operation_count);
    layout.bytes = (char *)(layout.texts + text_count);
    *meaning = (struct pst_graphql_meaning){
        .text = layout_copy_text(&layout, document->text),
        .operations = layout.operations,
        .operation_count = document->operation_count,
        .secret = layout_copy_text(&layout, secrets[SCOPE_ELSEWHERE].name),
        .secret_location = secrets[SCOPE_ELSEWHERE].location,
        .login_secret = layout_copy_text(&layout, secrets[SCOPE_LOGIN].name),
        .login_secret_location = secrets[SCOPE_LOGIN].location,
        .size = size,
    };
    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next)
        layout_copy_operation(&layout, analyzer, o, draft++);
    *out = meaning;
    return PST_OK;
}

/* Scratch memory. An array of none is not asked for. */
static bool
alloc_array(void *out, size_t count, size_t size)
{
    void *array = count > 0 ? calloc(count, size) : NULL;

    memcpy(out, &array, sizeof(array));
    return array || count == 0;
}

static enum pst_err
init_analyzer(struct analyzer *analyzer)
{
    size_t count = analyzer->document->fragment_count;
    const struct pst_graphql_fragment *fragment = analyzer->document->fragments;

    if (!alloc_array(&analyzer->drafts, analyzer->document->operation_count,
                     sizeof(*analyzer->drafts)) ||
        !alloc_array(&analyzer->fragment_states, count,
                     sizeof(*analyzer->fragment_states)) ||
        !alloc_array(&analyzer->jobs, count,
                     SCOPE_COUNT * sizeof(*analyzer->jobs)) ||
        !alloc_array(&analyzer->queue, count, sizeof(*analyzer->queue)))
        return PST_NO_MEMORY;
    for (size_t i = 0; fragment; fragment = fragment->next)
        analyzer->fragment_states[i++].fragment = fragment;
    if (count > 1)
        qsort(analyzer->fragment_states, count,
              sizeof(*analyzer->fragment_states), compare_fragment_states);
    return PST_OK;
}

enum pst_err
pst_graphql_meaning_new(const struct pst_graphql_document *document,
                        const struct pst_graphql_rules *rules,
                        struct pst_graphql_meaning **out)
{
    struct analyzer analyzer = {.document = document, .rules = rules};
    enum pst_err e = init_analyzer(&analyzer);

    if (!e)
        e = analyze_document(&analyzer);
    if (!e)
        e = build_meaning(&analyzer, out);
    free(analyzer.drafts);
    free(analyzer.fragment_states);
    free(analyzer.jobs);
    free(analyzer.queue);
    free(analyzer.roots);
    return e;
}

enum pst_err
pst_graphql_meaning_parse(struct pst_str text,
                          const struct pst_graphql_rules *rules,
                          struct pst_graphql_meaning **out,
                          struct pst_graphql_error *error)
{
    const struct pst_graphql_document *document;
    struct pst_arena *scratch;
    enum pst_err e = pst_arena_new(&scratch, SCRATCH_SIZE);

    if (e)
        return e;
    e = pst_graphql_parse(scratch, text, &document, error);
    if (!e) {
        e = pst_graphql_meaning_new(document, rules, out);
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
pst_graphql_meaning_free(struct pst_graphql_meaning **meaning)
{
    if (!*meaning)
        return;
    explicit_bzero(*meaning, (*meaning)->size);
    free(*meaning);
    *meaning = NULL;
}

const struct pst_graphql_meaning_operation *
pst_graphql_meaning_find(const struct pst_graphql_meaning *meaning,
                         struct pst_str name)
{
    if (name.len == 0)
        return meaning->operation_count == 1 ? meaning->operations : NULL;
    for (size_t i = 0; i < meaning->operation_count; i++)
        if (pst_str_equal(meaning->operations[i].name, name))
            return &meaning->operations[i];
    return NULL;
}

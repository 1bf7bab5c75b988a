/* SPDX-License-Identifier: ISC */
/*
 * analyze.c - collect the root fields of each operation, and find login,
 * password and secret fields by the configured rules.
 *
 * Fragments that spread each other can expand to 2^n fields, so the work is
 * bounded. For each operation a fragment is read at most once at the root, and
 * PST_GRAPHQL_ROOTS_MAX limits the root selections of all operations together.
 * Below root fields a fragment is read at most once for each scope. Recursion
 * follows only the nesting inside one definition, whose depth the parser
 * limits.
 */
#include "graphql/analyze.h"

#include <string.h>

#include "base/limits.h"

#define OPERATION_KINDS (PST_GRAPHQL_SUBSCRIPTION + 1)

/* Where a fragment has been read already. */
struct fragment_state {
    const struct pst_graphql_fragment *fragment;
    bool is_read_below[GRAPHQL_SCOPE_COUNT];
    bool is_read_at_root[OPERATION_KINDS];
    size_t operation; /* the last operation (from 1) that has it at its root */
};

/* A fragment to be read in a scope. */
struct fragment_job {
    struct fragment_state *fragment_state;
    enum graphql_scope scope;
};

struct analyzer {
    const struct pst_graphql_document *document;
    const struct pst_graphql_rules *rules;
    struct graphql_analysis *analysis;

    struct fragment_state *fragment_states; /* sorted by address */
    struct fragment_job *jobs; /* room for each fragment in each scope */
    size_t job_count;
    struct fragment_state **queue; /* fragments at one operation's root */
    size_t queue_count;
    size_t root_selections_read; /* in all operations */
};

/* The operation whose root selections are read. */
struct root_reader {
    struct graphql_operation_analysis *operation;
    enum pst_graphql_operation_kind kind;
    bool is_new; /* not yet read for this kind of operation */
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

/* Record a secret field, unless one that comes earlier in the document is
 * recorded: fragments are not read in document order. */
static void
record_secret_field(struct analyzer *analyzer,
                    const struct pst_graphql_selection *field,
                    enum graphql_scope scope)
{
    struct graphql_secret *found = &analyzer->analysis->secrets[scope];

    for (size_t i = 0; i < analyzer->rules->secret_count; i++)
        if (pst_str_equal(analyzer->rules->secrets[i], field->name) &&
            (pst_str_is_absent(found->name) ||
             location_is_before(field->location, found->location)))
            *found = (struct graphql_secret){field->name, field->location};
}

static void
queue_fragment_job(struct analyzer *analyzer,
                   struct fragment_state *fragment_state,
                   enum graphql_scope scope)
{
    if (fragment_state->is_read_below[scope])
        return;
    fragment_state->is_read_below[scope] = true;
    analyzer->jobs[analyzer->job_count++] =
        (struct fragment_job){fragment_state, scope};
}

/* Read selections below a root field, or of a fragment that is spread there. */
static void
analyze_selections(struct analyzer *analyzer,
                   const struct pst_graphql_selection *selection,
                   enum graphql_scope scope)
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
        struct fragment_job job = analyzer->jobs[--analyzer->job_count];

        analyze_selections(analyzer, job.fragment_state->fragment->selections,
                           job.scope);
    }
}

static enum pst_err
add_root_field_name(struct graphql_analysis *analysis, struct pst_str name)
{
    analysis->name_bytes += name.len;
    if (analysis->name_bytes > PST_GRAPHQL_ROOT_NAMES_MAX)
        return PST_TOO_LARGE;
    if (analysis->root_count == analysis->root_size) {
        size_t size = analysis->root_size > 0 ? 2 * analysis->root_size : 16;
        struct pst_str *roots =
            realloc(analysis->roots, size * sizeof(*analysis->roots));

        if (!roots)
            return PST_NO_MEMORY;
        analysis->roots = roots;
        analysis->root_size = size;
    }
    analysis->roots[analysis->root_count++] = name;
    return PST_OK;
}

static enum pst_err
analyze_root_field(struct analyzer *analyzer, const struct root_reader *reader,
                   const struct pst_graphql_selection *field)
{
    const struct pst_graphql_rules *rules = analyzer->rules;
    enum graphql_scope scope = GRAPHQL_SCOPE_OTHER;

    if (root_field_is_listed(rules->passwords, rules->password_count,
                             reader->kind, field->name))
        reader->operation->has_password = true;
    if (root_field_is_listed(rules->secrets_allowed,
                             rules->secret_allowed_count, reader->kind,
                             field->name))
        scope = GRAPHQL_SCOPE_ALLOWED;
    if (root_field_is_listed(rules->logins, rules->login_count, reader->kind,
                             field->name)) {
        reader->operation->has_login = true;
        scope = GRAPHQL_SCOPE_LOGIN;
    }
    if (reader->is_new) {
        record_secret_field(analyzer, field, scope);
        analyze_selections(analyzer, field->selections, scope);
    }
    return add_root_field_name(analyzer->analysis, field->name);
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
                        const struct root_reader *reader,
                        const struct pst_graphql_selection *selection)
{
    size_t operation =
        (size_t)(reader->operation - analyzer->analysis->operations) + 1;
    enum pst_err e = PST_OK;

    for (; selection && !e; selection = selection->next) {
        if (++analyzer->root_selections_read > PST_GRAPHQL_ROOTS_MAX)
            return PST_TOO_LARGE;
        if (selection->kind == PST_GRAPHQL_SPREAD)
            queue_root_fragment(
                analyzer, find_fragment_state(analyzer, selection->fragment),
                operation);
        else if (selection->kind == PST_GRAPHQL_INLINE)
            e = analyze_root_selections(analyzer, reader,
                                        selection->selections);
        else
            e = analyze_root_field(analyzer, reader, selection);
    }
    return e;
}

static enum pst_err
analyze_operation(struct analyzer *analyzer,
                  const struct pst_graphql_operation *operation,
                  struct graphql_operation_analysis *out)
{
    struct root_reader reader = {out, operation->kind, true};
    enum pst_err e;

    out->root_start = analyzer->analysis->root_count;
    for (const struct pst_graphql_variable *v = operation->variables; v;
         v = v->next)
        out->variable_count++;
    analyzer->queue_count = 0;
    e = analyze_root_selections(analyzer, &reader, operation->selections);
    for (size_t i = 0; i < analyzer->queue_count && !e; i++) {
        struct fragment_state *fragment_state = analyzer->queue[i];

        reader.is_new = !fragment_state->is_read_at_root[reader.kind];
        fragment_state->is_read_at_root[reader.kind] = true;
        e = analyze_root_selections(analyzer, &reader,
                                    fragment_state->fragment->selections);
    }
    out->root_count = analyzer->analysis->root_count - out->root_start;
    return e;
}

static bool
fragment_is_analyzed(const struct fragment_state *fragment_state)
{
    for (size_t i = 0; i < GRAPHQL_SCOPE_COUNT; i++)
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
        e = analyze_operation(analyzer, operation,
                              &analyzer->analysis->operations[i++]);
    if (e)
        return e;
    run_fragment_jobs(analyzer);
    for (size_t i = 0; i < analyzer->document->fragment_count; i++)
        if (!fragment_is_analyzed(&analyzer->fragment_states[i]))
            queue_fragment_job(analyzer, &analyzer->fragment_states[i],
                               GRAPHQL_SCOPE_OTHER);
    run_fragment_jobs(analyzer);
    return PST_OK;
}

/* Allocate a zeroed array; one without elements is NULL. */
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
    struct graphql_analysis *analysis = analyzer->analysis;

    if (!alloc_array(&analysis->operations, analyzer->document->operation_count,
                     sizeof(*analysis->operations)) ||
        !alloc_array(&analyzer->fragment_states, count,
                     sizeof(*analyzer->fragment_states)) ||
        !alloc_array(&analyzer->jobs, count,
                     GRAPHQL_SCOPE_COUNT * sizeof(*analyzer->jobs)) ||
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
        !alloc_array(&analyzer->queue, count, sizeof(*analyzer->queue)))
        return PST_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        analyzer->fragment_states[i].fragment = fragment;
        fragment = fragment->next;
    }
    if (count > 1)
        qsort(analyzer->fragment_states, count,
              sizeof(*analyzer->fragment_states), compare_fragment_states);
    return PST_OK;
}

enum pst_err
graphql_analyze(const struct pst_graphql_document *document,
                const struct pst_graphql_rules *rules,
                struct graphql_analysis *out)
{
    struct graphql_analysis analysis = {.operations = NULL};
    struct analyzer analyzer = {
        .document = document, .rules = rules, .analysis = &analysis};
    enum pst_err e = init_analyzer(&analyzer);

    if (!e)
        e = analyze_document(&analyzer);
    free(analyzer.fragment_states);
    free(analyzer.jobs);
    free(analyzer.queue);
    if (e)
        graphql_analysis_fini(&analysis);
    else
        *out = analysis;
    return e;
}

void
graphql_analysis_fini(struct graphql_analysis *analysis)
{
    free(analysis->operations);
    free(analysis->roots);
    *analysis = (struct graphql_analysis){.operations = NULL};
}

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

#define KINDS 3 /* of operations */

#define SCRATCH_SIZE                                        \
    1024 /* bytes of arena for the parser: trees lie off it \
          */

/* Below what a selection stands; a fragment's are bits in its marks. */
enum context {
    CONTEXT_ELSEWHERE,
    CONTEXT_LOGIN,
    CONTEXT_ALLOWED,
    CONTEXT_COUNT,
};

/* Where a fragment has been read already. */
struct mark {
    const struct pst_graphql_fragment *fragment;
    bool is_read_below[CONTEXT_COUNT];
    bool is_read_at_root[KINDS];
    size_t operation; /* the last one (from 1) at whose root it stands */
};

/* A fragment to be read in a context. */
struct job {
    struct mark *mark;
    enum context context;
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
    struct pst_text name;
    struct pst_graphql_place place;
};

struct reader {
    const struct pst_graphql_document *document;
    const struct pst_graphql_rules *rules;

    struct mark *marks; /* by address; one for each fragment */
    struct job *jobs;   /* room for each fragment in each context */
    size_t job_count;
    struct mark **queue; /* fragments at the root of one operation */
    size_t queue_count;

    struct draft *drafts; /* one for each operation */
    struct pst_text *roots;
    size_t root_count;
    size_t root_size;
    size_t steps;      /* selections read at roots */
    size_t name_bytes; /* of names in roots */

    struct secret secrets[CONTEXT_COUNT];
};

/* Where in the reading a root selection is met. */
struct root_place {
    struct draft *draft;
    enum pst_graphql_operation_kind kind;
    bool is_new; /* not read for this kind of operation before */
};

static int
compare_marks(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const struct mark *)a)->fragment;
    uintptr_t right = (uintptr_t)((const struct mark *)b)->fragment;

    return (left > right) - (left < right);
}

static struct mark *
find_mark(const struct reader *reader,
          const struct pst_graphql_fragment *fragment)
{
    struct mark key = {.fragment = fragment};
    struct mark *mark =
        bsearch(&key, reader->marks, reader->document->fragment_count,
                sizeof(key), compare_marks);

    PST_REQUIRE(mark); /* the parser resolves each spread */
    return mark;
}

static bool
is_listed(const struct pst_graphql_root *list, size_t count,
          enum pst_graphql_operation_kind kind, struct pst_text field)
{
    for (size_t i = 0; i < count; i++)
        if ((list[i].is_any_kind || list[i].kind == kind) &&
            pst_text_equal(list[i].field, field))
            return true;
    return false;
}

static bool
is_before(struct pst_graphql_place a, struct pst_graphql_place b)
{
    return a.line < b.line || (a.line == b.line && a.column < b.column);
}

/* Keep the first in the document, in whatever order it is read. */
static void
check_secret(struct reader *reader, const struct pst_graphql_selection *field,
             enum context context)
{
    struct secret *found = &reader->secrets[context];

    for (size_t i = 0; i < reader->rules->secret_count; i++)
        if (pst_text_equal(reader->rules->secrets[i], field->name) &&
            (pst_text_is_absent(found->name) ||
             is_before(field->place, found->place)))
            *found = (struct secret){field->name, field->place};
}

static void
queue_job(struct reader *reader, struct mark *mark, enum context context)
{
    if (mark->is_read_below[context])
        return;
    mark->is_read_below[context] = true;
    reader->jobs[reader->job_count++] = (struct job){mark, context};
}

/* Read what stands below a root field, or in a fragment somewhere below. */
static void
read_below(struct reader *reader, const struct pst_graphql_selection *selection,
           enum context context)
{
    for (; selection; selection = selection->next) {
        if (selection->kind == PST_GRAPHQL_SPREAD) {
            queue_job(reader, find_mark(reader, selection->fragment), context);
            continue;
        }
        if (selection->kind == PST_GRAPHQL_FIELD)
            check_secret(reader, selection, context);
        read_below(reader, selection->selections, context);
    }
}

static void
run_jobs(struct reader *reader)
{
    while (reader->job_count > 0) {
        struct job job = reader->jobs[--reader->job_count];

        read_below(reader, job.mark->fragment->selections, job.context);
    }
}

static enum pst_err
add_root(struct reader *reader, struct pst_text name)
{
    reader->name_bytes += name.len;
    if (reader->name_bytes > PST_GRAPHQL_ROOT_NAMES_MAX)
        return PST_TOO_LARGE;
    if (reader->root_count == reader->root_size) {
        size_t size = reader->root_size > 0 ? 2 * reader->root_size : 16;
        struct pst_text *roots =
            realloc(reader->roots, size * sizeof(*reader->roots));

        if (!roots)
            return PST_NO_MEMORY;
        reader->roots = roots;
        reader->root_size = size;
    }
    reader->roots[reader->root_count++] = name;
    return PST_OK;
}

static enum pst_err
read_root_field(struct reader *reader, const struct root_place *place,
                const struct pst_graphql_selection *field)
{
    const struct pst_graphql_rules *rules = reader->rules;
    enum context context = CONTEXT_ELSEWHERE;

    if (is_listed(rules->passwords, rules->password_count, place->kind,
                  field->name))
        place->draft->has_password = true;
    if (is_listed(rules->secrets_allowed, rules->secret_allowed_count,
                  place->kind, field->name))
        context = CONTEXT_ALLOWED;
    if (is_listed(rules->logins, rules->login_count, place->kind,
                  field->name)) {
        place->draft->has_login = true;
        context = CONTEXT_LOGIN;
    }
    if (place->is_new) {
        check_secret(reader, field, context);
        read_below(reader, field->selections, context);
    }
    return add_root(reader, field->name);
}

static void
queue_root(struct reader *reader, struct mark *mark, size_t operation)
{
    if (mark->operation == operation)
        return;
    mark->operation = operation;
    reader->queue[reader->queue_count++] = mark;
}

static enum pst_err
read_roots(struct reader *reader, const struct root_place *place,
           const struct pst_graphql_selection *selection)
{
    size_t operation = (size_t)(place->draft - reader->drafts) + 1;
    enum pst_err e = PST_OK;

    for (; selection && !e; selection = selection->next) {
        if (++reader->steps > PST_GRAPHQL_ROOTS_MAX)
            return PST_TOO_LARGE;
        if (selection->kind == PST_GRAPHQL_SPREAD)
            queue_root(reader, find_mark(reader, selection->fragment),
                       operation);
        else if (selection->kind == PST_GRAPHQL_INLINE)
            e = read_roots(reader, place, selection->selections);
        else
            e = read_root_field(reader, place, selection);
    }
    return e;
}

static enum pst_err
read_operation(struct reader *reader,
               const struct pst_graphql_operation *operation,
               struct draft *draft)
{
    struct root_place place = {draft, operation->kind, true};
    enum pst_err e;

    draft->root_start = reader->root_count;
    for (const struct pst_graphql_variable *v = operation->variables; v;
         v = v->next)
        draft->variable_count++;
    reader->queue_count = 0;
    e = read_roots(reader, &place, operation->selections);
    for (size_t i = 0; i < reader->queue_count && !e; i++) {
        struct mark *mark = reader->queue[i];

        place.is_new = !mark->is_read_at_root[place.kind];
        mark->is_read_at_root[place.kind] = true;
        e = read_roots(reader, &place, mark->fragment->selections);
    }
    draft->root_count = reader->root_count - draft->root_start;
    return e;
}

static bool
is_read(const struct mark *mark)
{
    for (size_t i = 0; i < CONTEXT_COUNT; i++)
        if (mark->is_read_below[i])
            return true;
    return mark->operation > 0;
}

static enum pst_err
read_document(struct reader *reader)
{
    const struct pst_graphql_operation *operation =
        reader->document->operations;
    enum pst_err e = PST_OK;

    for (size_t i = 0; operation && !e; operation = operation->next)
        e = read_operation(reader, operation, &reader->drafts[i++]);
    if (e)
        return e;
    run_jobs(reader);
    for (size_t i = 0; i < reader->document->fragment_count; i++)
        if (!is_read(&reader->marks[i]))
            queue_job(reader, &reader->marks[i], CONTEXT_ELSEWHERE);
    run_jobs(reader);
    return PST_OK;
}

/* The result: one block, filled from its beginning (structures) and from
 * where they end (bytes of names). */

struct layout {
    struct pst_graphql_meaning *meaning;
    struct pst_graphql_meaning_operation *operations;
    struct pst_text *texts;
    char *bytes;
};

static struct pst_text
copy_text(struct layout *layout, struct pst_text text)
{
    struct pst_text copy = {layout->bytes, text.len};

    if (pst_text_is_absent(text))
        return text;
    memcpy(layout->bytes, text.ptr, text.len);
    layout->bytes += text.len;
    return copy;
}

static void
copy_operation(struct layout *layout, const struct reader *reader,
               const struct pst_graphql_operation *operation,
               const struct draft *draft)
{
    *layout->operations++ = (struct pst_graphql_meaning_operation){
        .kind = operation->kind,
        .name = copy_text(layout, operation->name),
        .variables = layout->texts,
        .variable_count = draft->variable_count,
        .roots = layout->texts + draft->variable_count,
        .root_count = draft->root_count,
        .has_login = draft->has_login,
        .has_password = draft->has_password,
    };
    for (const struct pst_graphql_variable *v = operation->variables; v;
         v = v->next)
        *layout->texts++ = copy_text(layout, v->name);
    for (size_t i = 0; i < draft->root_count; i++)
        *layout->texts++ =
            copy_text(layout, reader->roots[draft->root_start + i]);
    layout->meaning->has_login |= draft->has_login;
    layout->meaning->has_password |= draft->has_password;
}

static size_t
measure(const struct reader *reader, size_t *text_count)
{
    const struct pst_graphql_document *document = reader->document;
    size_t size = sizeof(struct pst_graphql_meaning) + document->text.len +
                  reader->name_bytes;
    size_t count = reader->root_count;

    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next) {
        size += sizeof(struct pst_graphql_meaning_operation) + o->name.len;
        for (const struct pst_graphql_variable *v = o->variables; v;
             v = v->next) {
            size += v->name.len;
            count++;
        }
    }
    for (size_t i = 0; i < CONTEXT_COUNT; i++)
        size += reader->secrets[i].name.len;
    *text_count = count;
    return size + count * sizeof(struct pst_text);
}

static enum pst_err
lay_out(const struct reader *reader, struct pst_graphql_meaning **out)
{
    const struct pst_graphql_document *document = reader->document;
    const struct secret *secrets = reader->secrets;
    const struct draft *draft = reader->drafts;
    struct layout layout;
    size_t text_count;
    size_t size = measure(reader, &text_count);
    struct pst_graphql_meaning *meaning = malloc(size);

    if (!meaning)
        return PST_NO_MEMORY;
    layout.meaning = meaning;
    layout.operations = (struct pst_graphql_meaning_operation *)(meaning + 1);
    layout.texts =
        (struct pst_text *)(layout.operations + document->operation_count);
    layout.bytes = (char *)(layout.texts + text_count);
    *meaning = (struct pst_graphql_meaning){
        .text = copy_text(&layout, document->text),
        .operations = layout.operations,
        .operation_count = document->operation_count,
        .secret = copy_text(&layout, secrets[CONTEXT_ELSEWHERE].name),
        .secret_place = secrets[CONTEXT_ELSEWHERE].place,
        .login_secret = copy_text(&layout, secrets[CONTEXT_LOGIN].name),
        .login_secret_place = secrets[CONTEXT_LOGIN].place,
        .size = size,
    };
    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next)
        copy_operation(&layout, reader, o, draft++);
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
init_reader(struct reader *reader)
{
    size_t count = reader->document->fragment_count;
    const struct pst_graphql_fragment *fragment = reader->document->fragments;

    if (!alloc_array(&reader->drafts, reader->document->operation_count,
                     sizeof(*reader->drafts)) ||
        !alloc_array(&reader->marks, count, sizeof(*reader->marks)) ||
        !alloc_array(&reader->jobs, count,
                     CONTEXT_COUNT * sizeof(*reader->jobs)) ||
        !alloc_array(&reader->queue, count, sizeof(*reader->queue)))
        return PST_NO_MEMORY;
    for (size_t i = 0; fragment; fragment = fragment->next)
        reader->marks[i++].fragment = fragment;
    if (count > 1)
        qsort(reader->marks, count, sizeof(*reader->marks), compare_marks);
    return PST_OK;
}

enum pst_err
pst_graphql_meaning_new(const struct pst_graphql_document *document,
                        const struct pst_graphql_rules *rules,
                        struct pst_graphql_meaning **out)
{
    struct reader reader = {.document = document, .rules = rules};
    enum pst_err e = init_reader(&reader);

    if (!e)
        e = read_document(&reader);
    if (!e)
        e = lay_out(&reader, out);
    free(reader.drafts);
    free(reader.marks);
    free(reader.jobs);
    free(reader.queue);
    free(reader.roots);
    return e;
}

enum pst_err
pst_graphql_meaning_parse(struct pst_text text,
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
                         struct pst_text name)
{
    if (name.len == 0)
        return meaning->operation_count == 1 ? meaning->operations : NULL;
    for (size_t i = 0; i < meaning->operation_count; i++)
        if (pst_text_equal(meaning->operations[i].name, name))
            return &meaning->operations[i];
    return NULL;
}

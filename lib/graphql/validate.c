/* SPDX-License-Identifier: ISC */
/*
 * validate.c - validation that needs no schema: find duplicate names, resolve
 * fragment spreads, and refuse fragment cycles and excessive depth. The time is
 * bounded by the size of the document, not by the size of its expansion.
 */
#include "graphql/validate.h"

#include <string.h>

#include "base/limits.h"

/* Shorter names first, then by bytes. */
static int
compare_graphql_names(struct pst_str a, struct pst_str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return memcmp(a.ptr, b.ptr, a.len);
}

static bool
graphql_name_is_before(const struct graphql_name *a,
                       const struct graphql_name *b)
{
    const int order = compare_graphql_names(a->name, b->name);

    return order < 0 || (order == 0 && a->name.ptr < b->name.ptr);
}

static void
swap_graphql_names(struct graphql_name *a, struct graphql_name *b)
{
    const struct graphql_name saved = *a;

    *a = *b;
    *b = saved;
}

/* Restore the heap of `count` names after names[root] has changed. */
static void
sift_down_graphql_names(struct graphql_name *names, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;

        if (child >= count)
            return;
        if (child + 1 < count &&
            graphql_name_is_before(&names[child], &names[child + 1]))
            child++;
        if (!graphql_name_is_before(&names[root], &names[child]))
            return;
        swap_graphql_names(&names[root], &names[child]);
        root = child;
    }
}

/* Heapsort: it needs no memory, and no input makes it slow. */
const struct graphql_name *
graphql_names_sort(struct graphql_name *names, size_t count)
{
    const struct graphql_name *found = NULL;

    for (size_t i = count / 2; i > 0; i--)
        sift_down_graphql_names(names, i - 1, count);
    for (size_t i = count; i > 1; i--) {
        swap_graphql_names(&names[0], &names[i - 1]);
        sift_down_graphql_names(names, 0, i - 1);
    }
    for (size_t i = 1; i < count; i++)
        if (compare_graphql_names(names[i - 1].name, names[i].name) == 0 &&
            (!found || names[i].name.ptr < found->name.ptr))
            found = &names[i];
    return found;
}

struct graphql_fragment *
graphql_names_find(const struct graphql_name *names, size_t count,
                   struct pst_str name)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = compare_graphql_names(name, names[middle].name);

        if (order == 0)
            return names[middle].fragment;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

enum pst_err
graphql_spreads_resolve(struct graphql_spread *spreads,
                        const struct graphql_name *fragments, size_t count,
                        struct pst_graphql_error *error)
{
    for (struct graphql_spread *s = spreads; s; s = s->next) {
        const struct pst_str name = s->selection->name;

        s->target = graphql_names_find(fragments, count, name);
        if (!s->target)
            return graphql_error_set(
                error, s->selection->location,
                "there is no fragment \"%.*s\" in the document",
                graphql_shown_len(name), name.ptr);
        s->selection->fragment = &s->target->tree;
    }
    return PST_OK;
}

static enum pst_err
refuse_fragment_cycle(const struct graphql_spread *spread,
                      struct pst_graphql_error *error)
{
    const struct pst_str name = spread->selection->name;

    return graphql_error_set(
        error, spread->selection->location,
        "the fragment \"%.*s\" spreads itself, directly or "
        "through others: remove this spread",
        graphql_shown_len(name), name.ptr);
}

static enum pst_err
refuse_fragment_depth(const struct graphql_spread *spread,
                      struct pst_graphql_error *error)
{
    (void)graphql_error_set(error, spread->selection->location,
                            "through this spread the document is nested deeper "
                            "than %d levels",
                            PST_GRAPHQL_DEPTH);
    return PST_TOO_LARGE;
}

static struct graphql_fragment *
enter_fragment(struct graphql_fragment *fragment,
               struct graphql_fragment *parent)
{
    fragment->is_open = true;
    fragment->at = fragment->spreads;
    fragment->parent = parent;
    return fragment;
}

enum pst_err
graphql_fragment_check_cycles(struct graphql_fragment *fragment,
                              struct pst_graphql_error *error)
{
    struct graphql_fragment *open;

    if (fragment->is_checked)
        return PST_OK;
    open = enter_fragment(fragment, NULL);
    while (open) {
        struct graphql_spread *spread = open->at;

        if (!spread) {
            open->is_open = false;
            open->is_checked = true;
            open = open->parent;
        } else if (spread->target->is_open) {
            return refuse_fragment_cycle(spread, error);
        } else if (!spread->target->is_checked) {
            open = enter_fragment(spread->target, open);
        } else {
            const unsigned height = spread->depth + spread->target->height;

            if (height > PST_GRAPHQL_DEPTH)
                return refuse_fragment_depth(spread, error);
            if (height > open->height)
                open->height = height;
            open->at = spread->next;
        }
    }
    return PST_OK;
}

enum pst_err
graphql_spreads_check_depth(const struct graphql_spread *spreads,
                            struct pst_graphql_error *error)
{
    for (const struct graphql_spread *s = spreads; s; s = s->next)
        if (s->depth + s->target->height > PST_GRAPHQL_DEPTH)
            return refuse_fragment_depth(s, error);
    return PST_OK;
}

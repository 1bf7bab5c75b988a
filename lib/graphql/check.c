/* SPDX-License-Identifier: ISC */
/*
 * check.c - sort names, and follow spreads from fragment to fragment
 * in a time that grows with the document and not with what it expands to.
 */
#include "graphql/check.h"

#include <string.h>

#include "base/limits.h"

/* Shorter names first, then by bytes. */
static int
compare_names(struct pst_text a, struct pst_text b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return memcmp(a.ptr, b.ptr, a.len);
}

static bool
is_before(const struct graphql_named *a, const struct graphql_named *b)
{
    const int order = compare_names(a->name, b->name);

    return order < 0 || (order == 0 && a->name.ptr < b->name.ptr);
}

static void
swap_names(struct graphql_named *a, struct graphql_named *b)
{
    const struct graphql_named kept = *a;

    *a = *b;
    *b = kept;
}

/* Make names[root] the last of its heap of `count`. */
static void
sift_down(struct graphql_named *names, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;

        if (child >= count)
            return;
        if (child + 1 < count && is_before(&names[child], &names[child + 1]))
            child++;
        if (!is_before(&names[root], &names[child]))
            return;
        swap_names(&names[root], &names[child]);
        root = child;
    }
}

/* Heapsort: no memory, and no order of names that makes it slow. */
const struct graphql_named *
graphql_named_sort(struct graphql_named *names, size_t count)
{
    const struct graphql_named *found = NULL;

    for (size_t i = count / 2; i > 0; i--)
        sift_down(names, i - 1, count);
    for (size_t i = count; i > 1; i--) {
        swap_names(&names[0], &names[i - 1]);
        sift_down(names, 0, i - 1);
    }
    for (size_t i = 1; i < count; i++)
        if (compare_names(names[i - 1].name, names[i].name) == 0 &&
            (!found || names[i].name.ptr < found->name.ptr))
            found = &names[i];
    return found;
}

struct graphql_fragment *
graphql_named_find(const struct graphql_named *names, size_t count,
                   struct pst_text name)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = compare_names(name, names[middle].name);

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
                        const struct graphql_named *fragments, size_t count,
                        struct pst_graphql_error *error)
{
    for (struct graphql_spread *s = spreads; s; s = s->next) {
        const struct pst_text name = s->selection->name;

        s->target = graphql_named_find(fragments, count, name);
        if (!s->target)
            return graphql_error_set(
                error, s->selection->place,
                "there is no fragment \"%.*s\" in the document",
                graphql_shown_len(name), name.ptr);
        s->selection->fragment = &s->target->tree;
    }
    return PST_OK;
}

static enum pst_err
refuse_circle(const struct graphql_spread *spread,
              struct pst_graphql_error *error)
{
    const struct pst_text name = spread->selection->name;

    return graphql_error_set(
        error, spread->selection->place,
        "the fragment \"%.*s\" spreads itself, directly or "
        "through others: remove this spread",
        graphql_shown_len(name), name.ptr);
}

static enum pst_err
refuse_depth(const struct graphql_spread *spread,
             struct pst_graphql_error *error)
{
    (void)graphql_error_set(error, spread->selection->place,
                            "through this spread the document is nested deeper "
                            "than %d levels",
                            PST_GRAPHQL_DEPTH);
    return PST_TOO_LARGE;
}

static struct graphql_fragment *
open_fragment(struct graphql_fragment *fragment,
              struct graphql_fragment *opener)
{
    fragment->is_open = true;
    fragment->at = fragment->spreads;
    fragment->opener = opener;
    return fragment;
}

enum pst_err
graphql_fragment_follow(struct graphql_fragment *fragment,
                        struct pst_graphql_error *error)
{
    struct graphql_fragment *open;

    if (fragment->is_followed)
        return PST_OK;
    open = open_fragment(fragment, NULL);
    while (open) {
        struct graphql_spread *spread = open->at;

        if (!spread) {
            open->is_open = false;
            open->is_followed = true;
            open = open->opener;
        } else if (spread->target->is_open) {
            return refuse_circle(spread, error);
        } else if (!spread->target->is_followed) {
            open = open_fragment(spread->target, open);
        } else {
            const unsigned height = spread->depth + spread->target->height;

            if (height > PST_GRAPHQL_DEPTH)
                return refuse_depth(spread, error);
            if (height > open->height)
                open->height = height;
            open->at = spread->next;
        }
    }
    return PST_OK;
}

enum pst_err
graphql_spreads_measure(const struct graphql_spread *spreads,
                        struct pst_graphql_error *error)
{
    for (const struct graphql_spread *s = spreads; s; s = s->next)
        if (s->depth + s->target->height > PST_GRAPHQL_DEPTH)
            return refuse_depth(s, error);
    return PST_OK;
}

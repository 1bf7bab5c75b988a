/* SPDX-License-Identifier: ISC */
/*
 * check.h - what makes a document one that has one meaning: names that
 * stand once, and spreads that lead to fragments and not in circles. Not
 * exported.
 */
#ifndef POSTERN_GRAPHQL_CHECK_H
#define POSTERN_GRAPHQL_CHECK_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/cursor.h"
#include "graphql/tree.h"

/* A name in the document, and the fragment that has it. */
struct graphql_name {
    struct pst_str name;
    struct graphql_fragment *fragment; /* NULL: something else has it */
};

/*
 * Sort by name, and for the same name by place.
 * Returns the name that stands first in the document of those that have stood
 * before; NULL when each stands once.
 */
const struct graphql_name *graphql_names_sort(struct graphql_name *names,
                                              size_t count);

/* The fragment of that name among sorted names; NULL: there is none. */
struct graphql_fragment *graphql_names_find(const struct graphql_name *names,
                                            size_t count, struct pst_str name);

/* A spread, and how many selection sets are open around it. */
struct graphql_spread {
    struct pst_graphql_selection *selection;
    struct graphql_fragment *target;
    unsigned depth;
    struct graphql_spread *next;
};

struct graphql_fragment {
    struct pst_graphql_fragment tree;
    struct graphql_spread *spreads; /* that stand in it */
    unsigned height;                /* levels in it, at first without spreads */
    /* While spreads are followed. */
    bool is_open;
    bool is_checked;
    struct graphql_spread *at;       /* the next to be followed */
    struct graphql_fragment *parent; /* the fragment that spreads this one */
    struct graphql_fragment *next;
};

/*
 * Find the fragments that spreads name.
 *   fragments  sorted
 * Returns PST_OK, or PST_MALFORMED for an unknown one.
 */
enum pst_err graphql_spreads_resolve(struct graphql_spread *spreads,
                                     const struct graphql_name *fragments,
                                     size_t count,
                                     struct pst_graphql_error *error);

/*
 * Follow the resolved spreads of a fragment, to any depth. fragment->height
 * then counts the levels through fragments.
 * Returns PST_OK, PST_MALFORMED for a circle, or PST_TOO_LARGE for more than
 * PST_GRAPHQL_DEPTH levels.
 */
enum pst_err graphql_fragment_check_cycles(struct graphql_fragment *fragment,
                                           struct pst_graphql_error *error);

/* The same for the spreads of an operation, whose fragments were followed. */
enum pst_err graphql_spreads_check_depth(const struct graphql_spread *spreads,
                                         struct pst_graphql_error *error);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * validate.h - validation that needs no schema: find duplicate names, resolve
 * fragment spreads, and refuse fragment cycles and excessive depth. For
 * this folder only.
 */
#ifndef POSTERN_GRAPHQL_VALIDATE_H
#define POSTERN_GRAPHQL_VALIDATE_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/cursor.h"
#include "graphql/tree.h"

/* A name in the document; for fragment names also the fragment. */
struct graphql_name {
    struct pst_str name;
    struct graphql_fragment *fragment; /* NULL: not a fragment's name */
};

/*
 * Sort by name; equal names by their place in the document.
 * Returns NULL if all names differ. Otherwise the first name in the document
 * that repeats an earlier one.
 */
const struct graphql_name *graphql_names_sort(struct graphql_name *names,
                                              size_t count);

/* Find a fragment by name in a sorted array. Returns NULL if there is none. */
struct graphql_fragment *graphql_names_find(const struct graphql_name *names,
                                            size_t count, struct pst_str name);

/* A spread; depth is the number of selection sets around it. */
struct graphql_spread {
    struct pst_graphql_selection *selection;
    struct graphql_fragment *target;
    unsigned depth;
    struct graphql_spread *next;
};

struct graphql_fragment {
    struct pst_graphql_fragment tree;
    struct graphql_spread *spreads; /* in its selections */
    unsigned height; /* nested levels; includes its spreads once checked */
    /* State of graphql_fragment_check_cycles(). */
    bool is_open;
    bool is_checked;
    struct graphql_spread *at;       /* the next one to follow */
    struct graphql_fragment *parent; /* the fragment that spreads this one */
    struct graphql_fragment *next;
};

/*
 * Set the target of each spread.
 *   fragments  sorted
 * Returns PST_OK, or PST_MALFORMED if a fragment does not exist.
 */
enum pst_err graphql_spreads_resolve(struct graphql_spread *spreads,
                                     const struct graphql_name *fragments,
                                     size_t count,
                                     struct pst_graphql_error *error);

/*
 * Follow the resolved spreads of a fragment. Afterwards fragment->height
 * includes the levels of the fragments it spreads.
 * Returns PST_OK, PST_MALFORMED for a cycle, or PST_TOO_LARGE for more than
 * PST_GRAPHQL_DEPTH levels.
 */
enum pst_err graphql_fragment_check_cycles(struct graphql_fragment *fragment,
                                           struct pst_graphql_error *error);

/* Check the depth of an operation's spreads. All fragments must have passed
 * graphql_fragment_check_cycles(). Returns PST_OK or PST_TOO_LARGE. */
enum pst_err graphql_spreads_check_depth(const struct graphql_spread *spreads,
                                         struct pst_graphql_error *error);

#endif

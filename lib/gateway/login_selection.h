/* SPDX-License-Identifier: ISC */
/*
 * login_selection.h - collect the fields of a GraphQL selection set at one
 * level of the response: fragments are resolved, type conditions evaluated, and
 * fields of one response key merged (GraphQL, October 2021, section 6.3.2,
 * "CollectFields").
 */
#ifndef POSTERN_GATEWAY_LOGIN_SELECTION_H
#define POSTERN_GATEWAY_LOGIN_SELECTION_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json.h"
#include "gateway/login_operation.h"
#include "graphql/tree.h"

/* Selection sets that count as one: those of all fields of one response key. */
struct login_selection_sets {
    const struct pst_graphql_selection *set;
    struct login_selection_sets *next;
};

struct login_field {
    const struct pst_graphql_selection *selection; /* the first of its key */
    struct login_selection_sets *sets;             /* below it */
    struct login_field *next;
};

/* The fields of one level, in the order of the document. */
struct login_level {
    struct login_field *fields;
    struct login_field **tail;
};

/* How to evaluate type conditions. */
struct login_type_condition {
    const struct login_selection_sets *configured; /* at this level */
    const struct pst_json *value; /* NULL: conditions are taken to hold */
    bool is_configured; /* the selection that is read is the configured one */
};

struct login_selection_reader {
    struct pst_arena *arena;
    struct login_reason *reason;
    bool is_limited; /* refuse more than 1000 selections, fragments resolved */
    size_t visited;
};

/*
 * Collect the fields of a level.
 *   sets   the selection sets to read
 *   level  set on PST_OK; in reader->arena
 * Returns PST_OK; PST_LOGIN_SHAPE (reader->reason is set: a directive, one key
 * for two different fields, too many fields, or a type condition that cannot be
 * decided); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
login_level_collect(struct login_selection_reader *reader,
                    const struct login_selection_sets *sets,
                    const struct login_type_condition *condition,
                    struct login_level *level);

/* Find the field of the same name and arguments. Returns NULL if there is none.
 */
const struct login_field *login_level_find(const struct login_level *level,
                                           const struct login_field *field);

struct pst_str login_field_key(const struct login_field *field);

bool login_field_is_typename(const struct login_field *field);

#endif

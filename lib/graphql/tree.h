/* SPDX-License-Identifier: ISC */
/*
 * tree.h - the syntax tree of an executable GraphQL document, which
 * pst_graphql_parse() builds (GraphQL, October 2021, sections 2.1 to 2.12).
 */
#ifndef POSTERN_GRAPHQL_TREE_H
#define POSTERN_GRAPHQL_TREE_H

#include "base/base.h"
#include "base/str.h"

/* A position in the document: both count from 1, columns in characters. */
struct pst_graphql_location {
    uint32_t line;
    uint32_t column;
};

/* Why a document is refused. */
struct pst_graphql_error {
    char message[256]; /* what is wrong and what to write instead */
    struct pst_graphql_location location;
};

enum pst_graphql_value_kind {
    PST_GRAPHQL_VARIABLE, /* text: the name without "$" */
    PST_GRAPHQL_INT,      /* text: as spelled */
    PST_GRAPHQL_FLOAT,    /* text: as spelled */
    PST_GRAPHQL_STRING,   /* text: decoded UTF-8, block strings dedented */
    PST_GRAPHQL_TRUE,
    PST_GRAPHQL_FALSE,
    PST_GRAPHQL_NULL,
    PST_GRAPHQL_ENUM,   /* text: the name */
    PST_GRAPHQL_LIST,   /* items: its elements */
    PST_GRAPHQL_OBJECT, /* items: its fields, each with a name */
};

/* A value. Arguments and the fields of input objects are values with a name. */
struct pst_graphql_value {
    enum pst_graphql_value_kind kind;
    struct pst_str name; /* of the argument or input field; else absent */
    struct pst_str text;
    const struct pst_graphql_value *items; /* the first; NULL: none */
    const struct pst_graphql_value *next;
};

struct pst_graphql_directive {
    struct pst_str name; /* without "@" */
    const struct pst_graphql_value *arguments;
    const struct pst_graphql_directive *next;
};

struct pst_graphql_variable {
    struct pst_str name;                   /* without "$" */
    struct pst_str type;                   /* as spelled, such as "[ID!]!" */
    bool is_required;                      /* the type ends in "!" */
    const struct pst_graphql_value *value; /* the default; NULL: none */
    const struct pst_graphql_directive *directives;
    const struct pst_graphql_variable *next;
};

enum pst_graphql_selection_kind {
    PST_GRAPHQL_FIELD,
    PST_GRAPHQL_SPREAD, /* ...Name; fragment is set */
    PST_GRAPHQL_INLINE, /* ... on Type {}, or without a type */
};

struct pst_graphql_fragment;

struct pst_graphql_selection {
    enum pst_graphql_selection_kind kind;
    struct pst_str name;  /* of the field or the fragment; INLINE: absent */
    struct pst_str alias; /* absent: none */
    struct pst_str type;  /* INLINE: the type condition; absent: none */
    const struct pst_graphql_value *arguments;
    const struct pst_graphql_directive *directives;
    const struct pst_graphql_selection *selections; /* the first; NULL: none */
    const struct pst_graphql_fragment *fragment;    /* SPREAD only */
    const struct pst_graphql_selection *next;
    struct pst_graphql_location location;
};

struct pst_graphql_fragment {
    struct pst_str name;
    struct pst_str type; /* the type condition */
    const struct pst_graphql_directive *directives;
    const struct pst_graphql_selection *selections;
    const struct pst_graphql_fragment *next;
    struct pst_graphql_location location;
};

enum pst_graphql_operation_kind {
    PST_GRAPHQL_QUERY,
    PST_GRAPHQL_MUTATION,
    PST_GRAPHQL_SUBSCRIPTION,
};

struct pst_graphql_operation {
    enum pst_graphql_operation_kind kind;
    struct pst_str name; /* absent: anonymous */
    const struct pst_graphql_variable *variables;
    const struct pst_graphql_directive *directives;
    const struct pst_graphql_selection *selections;
    const struct pst_graphql_operation *next;
    struct pst_graphql_location location;
};

struct pst_graphql_document {
    /* The text to forward: the one that was parsed, without a byte order mark
     * at its start, and with descriptions replaced by spaces, which keeps
     * locations valid. */
    struct pst_str text;
    const struct pst_graphql_operation *operations; /* at least one */
    size_t operation_count;
    const struct pst_graphql_fragment *fragments; /* all spreads resolved,
                                                     without cycles */
    size_t fragment_count;
};

#endif

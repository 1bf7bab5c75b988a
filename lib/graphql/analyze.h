/* SPDX-License-Identifier: ISC */
/*
 * analyze.h - collect the root fields of each operation, and find login,
 * password and secret fields by the configured rules. For this folder only:
 * summary.h is the interface.
 */
#ifndef POSTERN_GRAPHQL_ANALYZE_H
#define POSTERN_GRAPHQL_ANALYZE_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/summary.h"
#include "graphql/tree.h"

/* Which root field a selection is below. */
enum graphql_scope {
    GRAPHQL_SCOPE_OTHER,   /* any field that the rules do not list */
    GRAPHQL_SCOPE_LOGIN,   /* a login field */
    GRAPHQL_SCOPE_ALLOWED, /* a field below which secrets are allowed */
    GRAPHQL_SCOPE_COUNT,
};

struct graphql_operation_analysis {
    size_t root_start; /* index in graphql_analysis.roots */
    size_t root_count;
    size_t variable_count;
    bool has_login;
    bool has_password;
};

/* A secret field that is selected; its name is absent if there is none. */
struct graphql_secret {
    struct pst_str name;
    struct pst_graphql_location location;
};

struct graphql_analysis {
    struct graphql_operation_analysis *operations; /* one per operation */
    struct pst_str *roots;                         /* root field names */
    size_t root_count;
    size_t root_size;  /* entries allocated in roots */
    size_t name_bytes; /* total length of the names in roots */
    /* For each scope the secret field that comes first in the document. */
    struct graphql_secret secrets[GRAPHQL_SCOPE_COUNT];
};

/*
 * Analyze a document.
 *   out  set on PST_OK; its names are slices of the document;
 *        graphql_analysis_fini() frees it
 * Returns PST_OK, PST_NO_MEMORY, or PST_TOO_LARGE (PST_GRAPHQL_ROOTS_MAX,
 * PST_GRAPHQL_ROOT_NAMES_MAX).
 */
PST_MUST_USE enum pst_err
graphql_analyze(const struct pst_graphql_document *document,
                const struct pst_graphql_rules *rules,
                struct graphql_analysis *out);

void graphql_analysis_fini(struct graphql_analysis *analysis);

#endif

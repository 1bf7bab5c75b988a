/* SPDX-License-Identifier: ISC */
/*
 * summary.h - the summary of a GraphQL document that the configured rules need:
 * its operations, their root fields (fragments resolved), and whether it
 * selects login, password or secret fields.
 *
 * A summary owns its memory and points to nothing outside it, so it can be
 * cached across requests (gateway/document_lookup.h).
 */
#ifndef POSTERN_GRAPHQL_SUMMARY_H
#define POSTERN_GRAPHQL_SUMMARY_H

#include "graphql/parser.h"

/* A root field of operations of one kind, or of any kind. */
struct pst_graphql_root_field {
    struct pst_str field;
    enum pst_graphql_operation_kind kind;
    bool is_any_kind; /* kind does not matter */
};

/* What the configuration says about fields. Lists may be empty. */
struct pst_graphql_rules {
    const struct pst_graphql_root_field *logins; /* they begin a session */
    size_t login_count;
    const struct pst_graphql_root_field *passwords; /* they check a password */
    size_t password_count;
    const struct pst_str *secrets; /* names of fields that hold a secret */
    size_t secret_count;
    const struct pst_graphql_root_field
        *secrets_allowed; /* secret fields are allowed below these */
    size_t secret_allowed_count;
};

/* One operation. */
struct pst_graphql_summary_operation {
    enum pst_graphql_operation_kind kind;
    struct pst_str name;             /* absent: anonymous */
    const struct pst_str *variables; /* declared names, without "$" */
    size_t variable_count;
    const struct pst_str *roots; /* names (not aliases) of root fields: one
                                    entry per selection, those of fragments
                                    last */
    size_t root_count;
    bool has_login;    /* one of them is a login field of this kind */
    bool has_password; /* one of them checks a password */
};

/* A whole document. */
struct pst_graphql_summary {
    struct pst_str text; /* to be forwarded: pst_graphql_document.text */
    const struct pst_graphql_summary_operation *operations;
    size_t operation_count;
    bool has_login;        /* of any operation */
    bool has_password;     /* of any operation */
    struct pst_str secret; /* the first secret field that is selected outside
                              login and allowed fields; absent: none */
    struct pst_graphql_location secret_location;
    struct pst_str login_secret; /* the same below a login field */
    struct pst_graphql_location login_secret_location;
    size_t size; /* bytes of memory allocated, text included */
};

/*
 * Parse a document and find out what it means under the rules. The parser's
 * memory is freed before this returns.
 *
 * A fragment that is spread several times at the root of an operation counts
 * once there, as in execution (section 6.3.2). A secret field belongs to the
 * root field above it, or to itself if it is a root field. A fragment that is
 * spread in several places counts as selected in each of them; one that is not
 * spread counts as selected outside login and allowed fields.
 *   text   any bytes
 *   out    set on PST_OK; free it with pst_graphql_summary_free()
 *   error  set on PST_MALFORMED and PST_TOO_LARGE
 * Returns PST_OK, PST_MALFORMED, PST_NO_MEMORY, or PST_TOO_LARGE: as
 * pst_graphql_parse(), or more than PST_GRAPHQL_ROOTS_MAX selections at the
 * roots of all operations together, or more than PST_GRAPHQL_ROOT_NAMES_MAX
 * bytes of their names.
 */
PST_MUST_USE enum pst_err pst_graphql_summary_parse(
    struct pst_str text, const struct pst_graphql_rules *rules,
    struct pst_graphql_summary **out, struct pst_graphql_error *error);

/* Wipe and free, and set *summary to NULL. A NULL *summary is allowed. */
void pst_graphql_summary_free(struct pst_graphql_summary **summary);

/* Select the operation to execute, as pst_graphql_operation_find() does. */
const struct pst_graphql_summary_operation *
pst_graphql_summary_find(const struct pst_graphql_summary *summary,
                         struct pst_str name);

#endif

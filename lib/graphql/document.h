/* SPDX-License-Identifier: ISC */
/*
 * document.h - what a parsed document asks for, as far as the rules
 * of design 2.5 need to know: its operations, their root fields through
 * fragments, and whether it selects a field that holds a secret.
 *
 * The result owns its memory and points to nothing outside, so that it can be
 * kept from request to request (gateway/documents.h).
 */
#ifndef POSTERN_GRAPHQL_DOCUMENT_H
#define POSTERN_GRAPHQL_DOCUMENT_H

#include "graphql/parser.h"

/* A field at the root of operations of one kind, or of any. */
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
        *secrets_allowed; /* secrets may stand below
                       these root fields */
    size_t secret_allowed_count;
};

/* One operation. */
struct pst_graphql_meaning_operation {
    enum pst_graphql_operation_kind kind;
    struct pst_str name;             /* absent: anonymous */
    const struct pst_str *variables; /* declared names, without "$" */
    size_t variable_count;
    const struct pst_str *roots; /* names of root fields behind their aliases,
                                     through fragments: one entry for each
                                     selection, those of fragments last */
    size_t root_count;
    bool has_login;    /* one of them is a login field of this kind */
    bool has_password; /* one of them checks a password */
};

/* A whole document. */
struct pst_graphql_meaning {
    struct pst_str text; /* to be sent on: pst_graphql_document.text */
    const struct pst_graphql_meaning_operation *operations;
    size_t operation_count;
    bool has_login;        /* one of the operations has */
    bool has_password;     /* likewise */
    struct pst_str secret; /* the first secret field that is selected outside
                               login fields and allowed roots; absent: none */
    struct pst_graphql_location secret_location;
    struct pst_str login_secret; /* the same below a login field */
    struct pst_graphql_location login_secret_location;
    size_t size; /* bytes of memory it takes, text included */
};

/*
 * Find out what a document means under the rules.
 *
 * A fragment that is spread several times at the root of an operation stands
 * there once, as it does for who executes it (section 6.3.2). Below a root
 * field that is a login or allowed, secrets are those of that place, the root
 * field's own name too. A fragment that nobody spreads, or that is spread in
 * several places, counts as selected in each, an unknown one among them.
 *   out  set on PST_OK; the caller frees it
 * Returns PST_OK, PST_NO_MEMORY, or PST_TOO_LARGE: over PST_GRAPHQL_ROOTS_MAX
 * selections at the roots of all operations together, or over
 * PST_GRAPHQL_ROOT_NAMES_MAX bytes of their names.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_graphql_meaning_new(const struct pst_graphql_document *document,
                        const struct pst_graphql_rules *rules,
                        struct pst_graphql_meaning **out);

/*
 * Parse a text and find out what it means, in memory of its own that is given
 * back before returning.
 *   out    set on PST_OK; the caller frees it
 *   error  set on PST_MALFORMED and PST_TOO_LARGE
 * Returns PST_OK, PST_MALFORMED, PST_TOO_LARGE, PST_NO_MEMORY.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_graphql_meaning_parse(
    struct pst_str text, const struct pst_graphql_rules *rules,
    struct pst_graphql_meaning **out, struct pst_graphql_error *error);

/* Wipe and free, and clear the caller's pointer; NULL inside is fine. */
PST_EXPORT void pst_graphql_meaning_free(struct pst_graphql_meaning **meaning);

/* As pst_graphql_operation_find(). */
PST_EXPORT const struct pst_graphql_meaning_operation *
pst_graphql_meaning_find(const struct pst_graphql_meaning *meaning,
                         struct pst_str name);

#endif

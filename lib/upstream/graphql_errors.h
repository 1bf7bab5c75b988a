/* SPDX-License-Identifier: ISC */
/*
 * graphql_errors.h - classify the errors of a GraphQL response (GraphQL
 * specification, section 7.1): from validation, or from a resolver.
 */
#ifndef POSTERN_UPSTREAM_GRAPHQL_ERRORS_H
#define POSTERN_UPSTREAM_GRAPHQL_ERRORS_H

#include "codec/json.h"

/* Does the response have errors? null and [] are none. */
bool graphql_has_errors(const struct pst_json *root);

/* extensions.code of one error; absent where it has none. */
struct pst_str graphql_error_code(const struct pst_json *error);

/*
 * The part of the first error's message that may be logged: its beginning, up
 * to the word "value". After that word backends repeat the value of a variable,
 * such as a password, each in its own way. Absent where there is no message.
 */
struct pst_str graphql_loggable_message(const struct pst_json *root);

/*
 * Did validation refuse the document, so that nothing of it ran? Then no
 * password was checked. True only when the response has no data, or null, and
 * every error is one of validation. An error that may come from a resolver is
 * not: the resolver has seen the password, and the login counts as an attempt.
 */
bool graphql_is_schema_mismatch(const struct pst_json *root);

#endif

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
 * What may be logged of the errors. Of validation: the beginning of the first
 * message, up to the word "value", after which backends repeat the value of a
 * variable, such as a password, each in its own way. Of other errors: only
 * extensions.code, because their messages may repeat the token of the request;
 * or a text that says that there is none.
 */
struct pst_str graphql_loggable_reason(const struct pst_json *root);

/*
 * Did validation refuse the document, so that nothing of it ran? Then no
 * password was checked. True only when the response has no data, or null, and
 * every error is one of validation. An error that may come from a resolver is
 * not: the resolver has seen the password, and the login counts as an attempt.
 */
bool graphql_is_schema_mismatch(const struct pst_json *root);

#endif

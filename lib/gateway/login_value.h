/* SPDX-License-Identifier: ISC */
/*
 * login_value.h - the values of arguments in a client's login: literals of its
 * document, or JSON of its variables. Variables are resolved, so callers see
 * the same value however the client wrote it.
 */
#ifndef POSTERN_GATEWAY_LOGIN_VALUE_H
#define POSTERN_GATEWAY_LOGIN_VALUE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json.h"
#include "graphql/tree.h"

/* One value; both NULL: it is not given. Never a literal that is a variable. */
struct login_value {
    const struct pst_graphql_value *literal;
    const struct pst_json *json;
};

/* The variables of a client's operation. */
struct login_variables {
    const struct pst_graphql_variable *declared;
    const struct pst_json *given; /* JSON object; NULL: none */
};

bool login_value_is_given(struct login_value value);

/* The type of a value; all are false if it is not given. */
bool login_value_is_null(struct login_value value);
bool login_value_is_string(struct login_value value);
bool login_value_is_list(struct login_value value);
bool login_value_is_object(struct login_value value);

/*
 * Resolve a literal. A variable is replaced by its given value, or else by its
 * default; one without either is not given.
 *   literal  NULL: not given
 */
struct login_value login_value_resolve(const struct login_variables *variables,
                                       const struct pst_graphql_value *literal);

/* Get a field of an object. Not given if there is none. */
struct login_value
login_value_get_field(const struct login_variables *variables,
                      struct login_value object, struct pst_str name);

/*
 * Format a value as JSON. Fields that are not given are omitted; an item that
 * is not given is null. out  set on PST_OK; valid until the arena's reset
 * Returns PST_OK, PST_TOO_LARGE (PST_BUFFERED_BODY_MAX), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
login_value_emit(struct pst_arena *arena,
                 const struct login_variables *variables,
                 struct login_value value, struct pst_str *out);

#endif

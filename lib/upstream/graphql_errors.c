/* SPDX-License-Identifier: ISC */
/*
 * graphql_errors.c - classify the errors of a GraphQL response: from
 * validation, or from a resolver.
 */
#include "upstream/graphql_errors.h"

#include "base/base.h"

bool
graphql_has_errors(const struct pst_json *root)
{
    const struct pst_json *errors = pst_json_get(root, PST_STR("errors"));
    enum pst_json_kind kind = pst_json_kind(errors);

    return kind != PST_JSON_ABSENT && kind != PST_JSON_NULL &&
           !(kind == PST_JSON_ARRAY && pst_json_count(errors) == 0);
}

struct pst_str
graphql_error_code(const struct pst_json *error)
{
    return pst_json_string(pst_json_at(error, PST_STR("/extensions/code")));
}

static struct pst_str
get_error_message(const struct pst_json *error)
{
    return pst_json_string(pst_json_get(error, PST_STR("message")));
}

/*
 * Is the error about the value of a variable, such as an e-mail address that
 * the schema's own type refuses? That is a refused login and not a document
 * that does not fit, and the message may repeat a password.
 */
static bool
is_variable_value_error(const struct pst_json *error)
{
    return pst_str_contains(get_error_message(error),
                            PST_STR(" invalid value"));
}

/*
 * Does the message begin like a validator's? The phrases are those of
 * graphql-js, which servers in other languages copied. Any other message may
 * be a resolver's that left out its path.
 */
static bool
has_validator_message(const struct pst_json *error)
{
    static const char *const prefixes[] = {
        "Cannot query field \"", "Directive \"",     "Field \"",
        "Fragment \"",           "Syntax Error",     "Unknown argument \"",
        "Unknown directive \"",  "Unknown fragment", "Unknown type \"",
        "Variable \"$",
    };
    struct pst_str message = get_error_message(error);

    for (size_t i = 0; i < PST_COUNT(prefixes); i++) {
        if (pst_str_starts(message, pst_str_from(prefixes[i])))
            return true;
    }
    return false;
}

/*
 * Is this an error of validation? It has no path, since nothing ran. Its code
 * says so, or its classification (graphql-java); where it has neither, its
 * message and a location in the document. The code BAD_USER_INPUT is about a
 * value.
 */
static bool
is_validation_error(const struct pst_json *error)
{
    struct pst_str code = graphql_error_code(error);
    struct pst_str classification = pst_json_string(
        pst_json_at(error, PST_STR("/extensions/classification")));

    if (pst_json_get(error, PST_STR("path")) || is_variable_value_error(error))
        return false;
    if (!pst_str_is_absent(classification))
        return pst_str_equal(classification, PST_STR("ValidationError")) ||
               pst_str_equal(classification, PST_STR("InvalidSyntax"));
    if (pst_str_is_absent(code))
        return pst_json_get(error, PST_STR("locations")) &&
               has_validator_message(error);
    return pst_str_equal(code, PST_STR("GRAPHQL_VALIDATION_FAILED")) ||
           pst_str_equal(code, PST_STR("GRAPHQL_PARSE_FAILED"));
}

bool
graphql_is_schema_mismatch(const struct pst_json *root)
{
    const struct pst_json *errors = pst_json_get(root, PST_STR("errors"));
    size_t count =
        pst_json_kind(errors) == PST_JSON_ARRAY ? pst_json_count(errors) : 0;

    for (size_t i = 0; i < count; i++) {
        if (!is_validation_error(pst_json_element(errors, i)))
            return false;
    }
    return count > 0 && !pst_json_get(root, PST_STR("data"));
}

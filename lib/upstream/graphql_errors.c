/* SPDX-License-Identifier: ISC */
/*
 * graphql_errors.c - classify the errors of a GraphQL response: from
 * validation, or from a resolver.
 */
#include "upstream/graphql_errors.h"

#include "base/base.h"

/* Bytes of the backend's error message that go into the log. */
#define MESSAGE_MAX 120

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

/* Does the text begin with the prefix, if each of its quotes stands for any? */
static bool
starts_with_any_quote(struct pst_str text, const char *prefix)
{
    size_t len = 0;

    for (; prefix[len]; len++) {
        char c = len < text.len ? text.ptr[len] : '\0';

        if (prefix[len] == '"' ? c != '"' && c != '\'' && c != '`'
                               : c != prefix[len])
            return false;
    }
    return true;
}

/*
 * Does the message begin like a validator's? The phrases are those of
 * graphql-js, which servers in other languages copied, most of them with other
 * quotes: a double quote here stands for any of " ' `. Any other message may be
 * a resolver's that left out its path.
 */
static bool
has_validator_message(const struct pst_json *error)
{
    static const char *const prefixes[] = {
        "Cannot query field \"", "Directive \"",         "Field \"",
        "Fragment \"",           "Syntax Error",         "The field \"",
        "Unknown argument \"",   "Unknown directive \"", "Unknown field \"",
        "Unknown fragment",      "Unknown type \"",      "Variable \"",
    };
    struct pst_str message = get_error_message(error);

    for (size_t i = 0; i < PST_COUNT(prefixes); i++) {
        if (starts_with_any_quote(message, prefixes[i]))
            return true;
    }
    return false;
}

/* Codes that only a validator gives, in their servers' words. */
static bool
is_validator_code(struct pst_str code)
{
    static const char *const codes[] = {
        /* Apollo, and who follows it */
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        /* Directus */
        "GRAPHQL_VALIDATION",
        "GRAPHQL_VALIDATION_EXCEPTION",
        /* Hasura */
        "parse-failed",
        "validation-failed",
    };

    for (size_t i = 0; i < PST_COUNT(codes); i++) {
        if (pst_str_equal(code, pst_str_from(codes[i])))
            return true;
    }
    return false;
}

/* Does graphql-ruby name an operation or a fragment like this? "mutation1" may
 * be a client's alias. */
static bool
is_operation(struct pst_str name)
{
    return pst_str_equal(name, PST_STR("mutation")) ||
           pst_str_equal(name, PST_STR("query")) ||
           pst_str_starts(name, PST_STR("mutation ")) ||
           pst_str_starts(name, PST_STR("query ")) ||
           pst_str_starts(name, PST_STR("fragment "));
}

/*
 * Is this an error of graphql-ruby's validator? Its path does not begin with a
 * field's key but with the operation: ["mutation Login","login"].
 */
static bool
is_ruby_validation_error(const struct pst_json *error)
{
    static const char *const codes[] = {
        "argumentLiteralsIncompatible",
        "argumentNotAccepted",
        "missingRequiredArguments",
        "missingRequiredInputObjectAttribute",
        "selectionMismatch",
        "undefinedField",
        "undefinedType",
        "variableMismatch",
        "variableRequiresValidType",
    };
    struct pst_str code = graphql_error_code(error);
    struct pst_str first =
        pst_json_string(pst_json_at(error, PST_STR("/path/0")));

    if (!is_operation(first))
        return false;
    for (size_t i = 0; i < PST_COUNT(codes); i++) {
        if (pst_str_equal(code, pst_str_from(codes[i])))
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

    if (is_ruby_validation_error(error))
        return true;
    if (pst_json_get(error, PST_STR("path")) || is_variable_value_error(error))
        return false;
    if (!pst_str_is_absent(classification))
        return pst_str_equal(classification, PST_STR("ValidationError")) ||
               pst_str_equal(classification, PST_STR("InvalidSyntax"));
    if (pst_str_is_absent(code))
        return pst_json_get(error, PST_STR("locations")) &&
               has_validator_message(error);
    return is_validator_code(code);
}

bool
graphql_is_schema_mismatch(const struct pst_json *root)
{
    const struct pst_json *errors = pst_json_get(root, PST_STR("errors"));
    size_t count =
        pst_json_kind(errors) == PST_JSON_ARRAY ? pst_json_count(errors) : 0;
    enum pst_json_kind kind;

    for (size_t i = 0; i < count; i++) {
        if (!is_validation_error(pst_json_element(errors, i)))
            return false;
    }
    /* Some servers write "data":null where nothing ran (gqlgen, Sangria). */
    kind = pst_json_kind(pst_json_get(root, PST_STR("data")));
    return count > 0 && (kind == PST_JSON_ABSENT || kind == PST_JSON_NULL);
}

struct pst_str
graphql_loggable_reason(const struct pst_json *root)
{
    const struct pst_json *first = pst_json_at(root, PST_STR("/errors/0"));
    struct pst_str text = get_error_message(first);
    size_t len = 0;

    if (!graphql_is_schema_mismatch(root)) {
        text = graphql_error_code(first);
        return text.len > 0 ? pst_str_first(text, MESSAGE_MAX)
                            : PST_STR("no extensions.code");
    }
    while (len < text.len && len < MESSAGE_MAX &&
           !pst_str_starts_nocase(pst_str_skip(text, len), PST_STR("value")))
        len++;
    return pst_str_first(text, len);
}

/* SPDX-License-Identifier: ISC */
/*
 * config_rules.c - derive the rules for clients' documents from the settings
 * about the backend.
 */
#include "server/config_rules.h"

/* "field", or "mutation.field". */
static struct pst_graphql_root_field
parse_root_field(struct pst_str text)
{
    static const struct {
        const char *type_name;
        enum pst_graphql_operation_kind kind;
    } kinds[] = {
        {"query", PST_GRAPHQL_QUERY},
        {"mutation", PST_GRAPHQL_MUTATION},
        {"subscription", PST_GRAPHQL_SUBSCRIPTION},
    };
    size_t dot = pst_str_index(text, '.');
    struct pst_graphql_root_field root = {.field = text, .is_any_kind = true};

    if (dot == text.len)
        return root;
    root.field = pst_str_skip(text, dot + 1);
    root.is_any_kind = false;
    for (size_t i = 0; i < PST_COUNT(kinds); i++)
        if (pst_str_equal(pst_str_first(text, dot),
                          pst_str_from(kinds[i].type_name)))
            root.kind = kinds[i].kind;
    return root;
}

static const struct pst_graphql_root_field *
parse_root_fields(struct pst_arena *arena, const struct pst_str *texts,
                  size_t count)
{
    struct pst_graphql_root_field *roots =
        pst_arena_alloc(arena, count * sizeof(*roots));

    for (size_t i = 0; roots && i < count; i++)
        roots[i] = parse_root_field(texts[i]);
    return roots;
}

/* Add the fields of both tokens in one document, by their names and not by
 * their aliases. Returns the new count. */
static size_t
add_secret_names(const struct config_backend *backend,
                 const struct login_document *document, struct pst_str *secrets,
                 size_t count)
{
    const struct pst_graphql_selection *refresh_token =
        document_find_field(document->field, backend->refresh_token);

    if (backend->token_location == TOKEN_IN_JSON)
        secrets[count++] =
            document_find_field(document->field, backend->token)->name;
    if (refresh_token) /* a refresh document may lack it */
        secrets[count++] = refresh_token->name;
    return count;
}

/* The fields of the tokens in each login document and in the refresh document,
 * and the fields of POSTERN_SECRET_FIELDS. */
static enum pst_err
build_secret_names(struct pst_arena *arena, struct config_backend *backend)
{
    size_t capacity =
        2 * (backend->login_count + 1) + backend->secret_name_count;
    struct pst_str *secrets =
        pst_arena_alloc(arena, capacity * sizeof(*secrets));
    size_t count = 0;

    if (!secrets)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < backend->login_count; i++)
        count = add_secret_names(backend, &backend->logins[i], secrets, count);
    if (backend->refresh.field)
        count = add_secret_names(backend, &backend->refresh, secrets, count);
    for (size_t i = 0; i < backend->secret_name_count; i++)
        secrets[count++] = backend->secret_names[i];
    backend->rules.secrets = secrets;
    backend->rules.secret_count = count;
    return PST_OK;
}

enum pst_err
config_rules_build(struct pst_arena *arena, struct config_backend *backend)
{
    struct pst_graphql_rules *rules = &backend->rules;
    struct pst_graphql_root_field *logins =
        pst_arena_alloc(arena, backend->login_count * sizeof(*logins));

    if (!logins)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < backend->login_count; i++)
        logins[i] = (struct pst_graphql_root_field){
            .field = backend->logins[i].field->name,
            .kind = PST_GRAPHQL_MUTATION};
    rules->logins = logins;
    rules->login_count = backend->login_count;
    rules->passwords = parse_root_fields(arena, backend->password_fields,
                                         backend->password_field_count);
    rules->password_count = backend->password_field_count;
    rules->secrets_allowed = parse_root_fields(arena, backend->secrets_allowed,
                                               backend->secrets_allowed_count);
    rules->secret_allowed_count = backend->secrets_allowed_count;
    if (!rules->passwords || !rules->secrets_allowed)
        return PST_NO_MEMORY;
    return build_secret_names(arena, backend);
}

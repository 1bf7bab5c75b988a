/* SPDX-License-Identifier: ISC */
/*
 * config_backend.c - the backend's documents, and what follows from them.
 */
#include "server/config_backend.h"

/* A preset's documents; what else it sets stands in the table. */
struct preset {
    struct pst_text logins[2]; /* the second may be absent */
    struct pst_text who;       /* absent: none */
    struct pst_text logout;
};

#define VENDURE_RESULT                               \
    "{__typename ... on CurrentUser{id identifier} " \
    "... on ErrorResult{errorCode message}}"

static const struct preset presets[] = {
    [PRESET_FAUNA] =
        {.logins = {{.ptr = "mutation OwnerLogin($email: String!, $password: "
                            "String!) {login(email: $email, password: "
                            "$password) {secret ttl email ownerId}}"}},
         .logout = {.ptr = "mutation OwnerLogout {logout}"}},
    [PRESET_VENDURE] =
        {.logins = {{.ptr = "mutation Login($username: String!, $password: "
                            "String!, $rememberMe: Boolean) {login(username: "
                            "$username, password: $password, rememberMe: "
                            "$rememberMe) " VENDURE_RESULT "}"},
                    {.ptr =
                         "mutation Authenticate($username: String!, $password: "
                         "String!, $rememberMe: Boolean) {authenticate(input: "
                         "{native: {username: $username, password: "
                         "$password}}, rememberMe: $rememberMe) " VENDURE_RESULT
                         "}"}},
         .who = {.ptr = "query {me {id identifier}}"},
         .logout = {.ptr = "mutation Logout {logout {success}}"}},
};

/* Say that reader->why is wrong with this variable. */
static enum pst_err
blame(struct config_reader *reader, const char *variable, enum pst_err e)
{
    if (e != PST_BAD_CONFIG)
        return e;
    config_complain(reader, variable);
    return PST_OK;
}

/* Documents. */

static void
use_preset(struct config_backend *backend, struct pst_text *room)
{
    const struct preset *preset = &presets[backend->preset];
    bool is_own = backend->login_text_count > 0;

    if (!is_own) {
        backend->login_texts = room;
        for (size_t i = 0; i < PST_COUNT(preset->logins); i++)
            if (preset->logins[i].ptr)
                room[backend->login_text_count++] =
                    pst_text_from(preset->logins[i].ptr);
    }
    if (pst_text_is_absent(backend->who_text))
        backend->who_text = pst_text_from(preset->who.ptr);
    if (pst_text_is_absent(backend->logout_text))
        backend->logout_text = pst_text_from(preset->logout.ptr);
}

static enum pst_err
read_logins(struct config_reader *reader, struct config_backend *backend)
{
    size_t count = backend->login_text_count;

    backend->logins =
        pst_arena_alloc(reader->arena, count * sizeof(*backend->logins));
    if (!backend->logins)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        enum pst_err e =
            login_document_read(reader->arena, backend->login_texts[i], i == 0,
                                &backend->logins[i], &reader->why);

        if (e)
            return e;
        backend->login_count++;
    }
    return PST_OK;
}

static enum pst_err
read_documents(struct config_reader *reader, struct config_backend *backend)
{
    enum pst_err e;

    e = blame(reader, "POSTERN_LOGIN_DOCUMENT", read_logins(reader, backend));
    if (!e && !pst_text_is_absent(backend->who_text))
        e = blame(reader, "POSTERN_WHO_DOCUMENT",
                  who_document_read(reader->arena, backend->who_text,
                                    &backend->who, &reader->why));
    if (!e)
        e = blame(
            reader, "POSTERN_LOGOUT_DOCUMENT",
            document_check(reader->arena, backend->logout_text, &reader->why));
    return e;
}

/* Pointers. */

static void
refuse_pointer(struct config_reader *reader, const char *variable,
               struct pst_text pointer, const char *document)
{
    config_refuse(&reader->why,
                  "leads to %.*s, which the %s document does not select as a "
                  "leaf; it is relative to that document's root field",
                  (int)pointer.len - 1, pointer.ptr + 1, document);
    config_complain(reader, variable);
}

static bool
is_leaf(const struct pst_graphql_selection *field, struct pst_text pointer)
{
    const struct pst_graphql_selection *found = document_find(field, pointer);

    return found && !found->selections;
}

static bool
is_in_logins(const struct config_backend *backend, struct pst_text pointer)
{
    for (size_t i = 0; i < backend->login_count; i++)
        if (!is_leaf(backend->logins[i].field, pointer))
            return false;
    return true;
}

/* Who somebody is must be found; a name that is not asked for is no fault. */
static void
check_identity(struct config_reader *reader, struct config_backend *backend,
               const char *variable, struct pst_text *pointer)
{
    bool has_who = backend->who.field != NULL;
    bool is_found = has_who ? is_leaf(backend->who.field, *pointer)
                            : is_in_logins(backend, *pointer);

    if (pst_text_is_absent(*pointer) || is_found)
        return;
    if (pointer != &backend->subject && config_given(reader, variable).len == 0)
        *pointer = PST_NO_TEXT;
    else
        refuse_pointer(reader, variable, *pointer, has_who ? "who" : "login");
}

static void
check_ttl(struct config_reader *reader, struct config_backend *backend)
{
    if (pst_text_is_absent(backend->ttl) ||
        is_in_logins(backend, backend->ttl) ||
        (backend->who.field && is_leaf(backend->who.field, backend->ttl)))
        return;
    if (config_given(reader, "POSTERN_TTL").len == 0)
        backend->ttl = PST_NO_TEXT;
    else
        refuse_pointer(reader, "POSTERN_TTL", backend->ttl, "login");
}

static void
check_who(struct config_reader *reader, const struct config_backend *backend)
{
    if (backend->who.field)
        return;
    if (backend->token_place != PLACE_JSON) {
        config_refuse(&reader->why,
                      "is not set: where the token is in a header or a cookie, "
                      "the backend must be asked who somebody is");
        config_complain(reader, "POSTERN_WHO_DOCUMENT");
    }
    if (backend->revalidate > 0) {
        config_refuse(&reader->why, "needs POSTERN_WHO_DOCUMENT, which is not "
                                    "set");
        config_complain(reader, "POSTERN_REVALIDATE");
    }
}

static void
check_pointers(struct config_reader *reader, struct config_backend *backend)
{
    check_who(reader, backend);
    if (backend->token_place == PLACE_JSON &&
        !is_in_logins(backend, backend->token))
        refuse_pointer(reader, "POSTERN_UPSTREAM_TOKEN", backend->token,
                       "login");
    check_identity(reader, backend, "POSTERN_SUBJECT", &backend->subject);
    check_identity(reader, backend, "POSTERN_NAME", &backend->name);
    check_ttl(reader, backend);
}

/* Rules for clients' documents. */

/* "field", or "mutation.field". */
static struct pst_graphql_root
parse_root(struct pst_text text)
{
    static const struct {
        const char *word;
        enum pst_graphql_operation_kind kind;
    } kinds[] = {
        {"query", PST_GRAPHQL_QUERY},
        {"mutation", PST_GRAPHQL_MUTATION},
        {"subscription", PST_GRAPHQL_SUBSCRIPTION},
    };
    size_t dot = pst_text_index(text, '.');
    struct pst_graphql_root root = {.field = text, .is_any_kind = true};

    if (dot == text.len)
        return root;
    root.field = pst_text_from_octet(text, dot + 1);
    root.is_any_kind = false;
    for (size_t i = 0; i < PST_COUNT(kinds); i++)
        if (pst_text_equal(pst_text_first(text, dot),
                           pst_text_from(kinds[i].word)))
            root.kind = kinds[i].kind;
    return root;
}

static const struct pst_graphql_root *
parse_roots(struct pst_arena *arena, const struct pst_text *texts, size_t count)
{
    struct pst_graphql_root *roots =
        pst_arena_alloc(arena, count * sizeof(*roots));

    for (size_t i = 0; roots && i < count; i++)
        roots[i] = parse_root(texts[i]);
    return roots;
}

/* The token's own field in each login document, by its real name, and what
 * POSTERN_SECRET_FIELDS adds. */
static enum pst_err
make_secrets(struct pst_arena *arena, struct config_backend *backend)
{
    size_t most = backend->login_count + backend->secret_name_count;
    struct pst_text *secrets = pst_arena_alloc(arena, most * sizeof(*secrets));
    size_t count = 0;

    if (!secrets)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < backend->login_count; i++)
        if (backend->token_place == PLACE_JSON)
            secrets[count++] =
                document_find(backend->logins[i].field, backend->token)->name;
    for (size_t i = 0; i < backend->secret_name_count; i++)
        secrets[count++] = backend->secret_names[i];
    backend->rules.secrets = secrets;
    backend->rules.secret_count = count;
    return PST_OK;
}

static enum pst_err
make_rules(struct pst_arena *arena, struct config_backend *backend)
{
    struct pst_graphql_rules *rules = &backend->rules;
    struct pst_graphql_root *logins =
        pst_arena_alloc(arena, backend->login_count * sizeof(*logins));

    if (!logins)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < backend->login_count; i++)
        logins[i] =
            (struct pst_graphql_root){.field = backend->logins[i].field->name,
                                      .kind = PST_GRAPHQL_MUTATION};
    rules->logins = logins;
    rules->login_count = backend->login_count;
    rules->passwords = parse_roots(arena, backend->password_fields,
                                   backend->password_field_count);
    rules->password_count = backend->password_field_count;
    rules->secrets_allowed = parse_roots(arena, backend->secrets_allowed,
                                         backend->secrets_allowed_count);
    rules->secret_allowed_count = backend->secrets_allowed_count;
    if (!rules->passwords || !rules->secrets_allowed)
        return PST_NO_MEMORY;
    return make_secrets(arena, backend);
}

enum pst_err
config_backend_finish(struct config_reader *reader,
                      struct config_backend *backend)
{
    struct pst_text *room =
        pst_arena_alloc(reader->arena, 2 * sizeof(struct pst_text));
    bool was_bad = reader->is_bad;
    enum pst_err e;

    if (!room)
        return PST_NO_MEMORY;
    use_preset(backend, room);
    reader->is_bad = false;
    e = read_documents(reader, backend);
    if (!e && !reader->is_bad)
        check_pointers(reader, backend);
    if (!e && !reader->is_bad)
        e = make_rules(reader->arena, backend);
    reader->is_bad |= was_bad;
    return e;
}

bool
config_backend_is_secret(const struct config_backend *backend,
                         struct pst_text name)
{
    for (size_t i = 0; i < backend->rules.secret_count; i++)
        if (pst_text_equal(backend->rules.secrets[i], name))
            return true;
    return false;
}

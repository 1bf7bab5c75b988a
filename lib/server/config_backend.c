/* SPDX-License-Identifier: ISC */
/*
 * config_backend.c - parse and check the settings about the backend.
 */
#include "server/config_backend.h"

#include "server/config_rules.h"
#include "server/config_values.h"

/* The documents of a preset; its other defaults are in the table. */
struct preset {
    struct pst_str logins[2]; /* the second may be absent */
    struct pst_str who;       /* absent: none */
    struct pst_str logout;
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

/* The file of a login document; absent: it is one of ours. */
static struct pst_str
config_login_path(const struct config_reader *reader, size_t index)
{
    struct config_error error;
    struct config_list list;

    if (config_parse_list(
            reader->arena,
            config_get_raw_value(reader, "POSTERN_LOGIN_DOCUMENT"), NULL, &list,
            &error) ||
        index >= list.count)
        return PST_STR_NONE;
    return list.items[index];
}

/* If e is PST_BAD_CONFIG, report reader->error for a file of this variable. */
static enum pst_err
config_report_bad_document(struct config_reader *reader, const char *variable,
                           struct pst_str path, enum pst_err e)
{
    if (e != PST_BAD_CONFIG)
        return e;
    config_prefix_error(&reader->error, path);
    config_report_error(reader, variable);
    return PST_OK;
}

/* Documents. */

static void
config_apply_preset(struct config_backend *backend,
                    struct pst_str *preset_logins)
{
    const struct preset *preset = &presets[backend->preset];
    bool has_own_logins = backend->login_text_count > 0;

    if (!has_own_logins) {
        backend->login_texts = preset_logins;
        for (size_t i = 0; i < PST_COUNT(preset->logins); i++)
            if (preset->logins[i].ptr)
                preset_logins[backend->login_text_count++] =
                    pst_str_from(preset->logins[i].ptr);
    }
    if (pst_str_is_absent(backend->who_text))
        backend->who_text = pst_str_from(preset->who.ptr);
    if (pst_str_is_absent(backend->logout_text))
        backend->logout_text = pst_str_from(preset->logout.ptr);
}

/* Parse the next login document. One that is there twice is never used, and
 * another was probably meant. */
static enum pst_err
config_parse_login(struct config_reader *reader, struct config_backend *backend)
{
    size_t index = backend->login_count;
    struct login_document *login = &backend->logins[index];
    enum pst_err e =
        login_document_parse(reader->arena, backend->login_texts[index],
                             index == 0, login, &reader->error);

    for (size_t i = 0; i < index && !e; i++)
        if (pst_str_equal(backend->logins[i].text, login->text))
            e = config_set_error(&reader->error,
                                 "is the same document as file %zu of this "
                                 "variable: remove one",
                                 i + 1);
    if (!e)
        backend->login_count++;
    return e;
}

static enum pst_err
config_parse_logins(struct config_reader *reader,
                    struct config_backend *backend)
{
    size_t count = backend->login_text_count;
    enum pst_err e = PST_OK;

    backend->logins =
        pst_arena_alloc(reader->arena, count * sizeof(*backend->logins));
    if (!backend->logins)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < count && !e; i++)
        e = config_parse_login(reader, backend);
    return config_report_bad_document(
        reader, "POSTERN_LOGIN_DOCUMENT",
        config_login_path(reader, backend->login_count), e);
}

static enum pst_err
config_parse_documents(struct config_reader *reader,
                       struct config_backend *backend)
{
    enum pst_err e;

    e = config_parse_logins(reader, backend);
    if (!e && !pst_str_is_absent(backend->who_text))
        e = config_report_bad_document(
            reader, "POSTERN_WHO_DOCUMENT",
            config_get_raw_value(reader, "POSTERN_WHO_DOCUMENT"),
            who_document_parse(reader->arena, backend->who_text, &backend->who,
                               &reader->error));
    if (!e && !pst_str_is_absent(backend->refresh_text))
        e = config_report_bad_document(
            reader, "POSTERN_REFRESH_DOCUMENT",
            config_get_raw_value(reader, "POSTERN_REFRESH_DOCUMENT"),
            refresh_document_parse(reader->arena, backend->refresh_text,
                                   &backend->refresh, &reader->error));
    if (!e)
        e = config_report_bad_document(
            reader, "POSTERN_LOGOUT_DOCUMENT",
            config_get_raw_value(reader, "POSTERN_LOGOUT_DOCUMENT"),
            logout_document_check(reader->arena, backend->logout_text,
                                  &reader->error));
    return e;
}

/* Pointers. */

static void
config_report_pointer(struct config_reader *reader, const char *variable,
                      struct pst_str pointer, const char *document)
{
    config_set_error(
        &reader->error,
        "names the field %.*s, which the %s document does not select as a "
        "leaf field: add it to the document, or correct the path, which begins "
        "below the document's root field",
        (int)pointer.len - 1, pointer.ptr + 1, document);
    config_report_error(reader, variable);
}

static bool
is_leaf_field(const struct pst_graphql_selection *field, struct pst_str pointer)
{
    const struct pst_graphql_selection *found =
        document_find_field(field, pointer);

    return found && !found->selections;
}

static bool
is_leaf_in_all_logins(const struct config_backend *backend,
                      struct pst_str pointer)
{
    for (size_t i = 0; i < backend->login_count; i++)
        if (!is_leaf_field(backend->logins[i].field, pointer))
            return false;
    return true;
}

/* The subject is required. A default name that the document does not select is
 * dropped. */
static void
validate_identity_pointer(struct config_reader *reader,
                          struct config_backend *backend, const char *variable,
                          struct pst_str *pointer)
{
    bool has_who = backend->who.field != NULL;
    bool is_found = has_who ? is_leaf_field(backend->who.field, *pointer)
                            : is_leaf_in_all_logins(backend, *pointer);

    if (pst_str_is_absent(*pointer) || is_found)
        return;
    if (pointer != &backend->subject &&
        config_get_raw_value(reader, variable).len == 0)
        *pointer = PST_STR_NONE;
    else
        config_report_pointer(reader, variable, *pointer,
                              has_who ? "who" : "login");
}

static void
validate_ttl_pointer(struct config_reader *reader,
                     struct config_backend *backend)
{
    if (pst_str_is_absent(backend->ttl) ||
        is_leaf_in_all_logins(backend, backend->ttl) ||
        (backend->who.field && is_leaf_field(backend->who.field, backend->ttl)))
        return;
    if (config_get_raw_value(reader, "POSTERN_TTL").len == 0)
        backend->ttl = PST_STR_NONE;
    else
        config_report_pointer(reader, "POSTERN_TTL", backend->ttl, "login");
}

/* Report a fault of a variable that depends on others. */
static void
report_setting(struct config_reader *reader, const char *variable,
               const char *reason)
{
    config_set_error(&reader->error, "%s", reason);
    config_report_error(reader, variable);
}

static void
validate_who_settings(struct config_reader *reader,
                      const struct config_backend *backend)
{
    if (backend->who.field)
        return;
    if (backend->token_location != TOKEN_IN_JSON)
        report_setting(
            reader, "POSTERN_WHO_DOCUMENT",
            "is not set: it is needed where the token is in a header or a "
            "cookie, because the backend must be asked who the user is: set it "
            "to a file with a query such as {me{id}}");
    if (backend->revalidate > 0)
        report_setting(reader, "POSTERN_REVALIDATE",
                       "needs POSTERN_WHO_DOCUMENT: set it to a file");
}

/*
 * A refresh needs to know when the token ends: there is no other sign of it
 * before a request that must not be sent twice has been sent. The who document
 * is asked after each refresh, so it may say so, too.
 */
static void
validate_refresh_pointers(struct config_reader *reader,
                          const struct config_backend *backend)
{
    const struct pst_graphql_selection *field = backend->refresh.field;
    struct pst_str pointer = backend->refresh_token;

    if (!is_leaf_in_all_logins(backend, pointer))
        config_report_pointer(reader, "POSTERN_REFRESH_TOKEN", pointer,
                              "login");
    /* The refresh document may lack it: then the token stays the same. */
    if (document_find_field(field, pointer) && !is_leaf_field(field, pointer))
        config_report_pointer(reader, "POSTERN_REFRESH_TOKEN", pointer,
                              "refresh");
    if (backend->token_location == TOKEN_IN_JSON &&
        !is_leaf_field(field, backend->token))
        config_report_pointer(reader, "POSTERN_UPSTREAM_TOKEN", backend->token,
                              "refresh");
    if (pst_str_is_absent(backend->ttl))
        report_setting(reader, "POSTERN_TTL",
                       "is needed with POSTERN_REFRESH_DOCUMENT, because a "
                       "token is refreshed shortly before its end: set it, and "
                       "add its field to the login and refresh documents");
    else if (!is_leaf_field(field, backend->ttl) &&
             !(backend->who.field &&
               is_leaf_field(backend->who.field, backend->ttl)))
        config_report_pointer(reader, "POSTERN_TTL", backend->ttl, "refresh");
}

static void
validate_refresh_settings(struct config_reader *reader,
                          const struct config_backend *backend)
{
    const struct pst_graphql_selection *field = backend->refresh.field;
    struct pst_str pointer = backend->refresh_token;

    if (!field && pst_str_is_absent(pointer))
        return;
    if (!field || pst_str_is_absent(pointer)) {
        report_setting(reader,
                       field ? "POSTERN_REFRESH_TOKEN"
                             : "POSTERN_REFRESH_DOCUMENT",
                       field ? "is not set, but POSTERN_REFRESH_DOCUMENT is: "
                               "set it to the path of the refresh token, such "
                               "as refreshToken"
                             : "is not set, but POSTERN_REFRESH_TOKEN is: set "
                               "it to a file with the refresh mutation");
        return;
    }
    if (backend->token_location == TOKEN_IN_COOKIE)
        report_setting(reader, "POSTERN_REFRESH_DOCUMENT",
                       "cannot be used with POSTERN_UPSTREAM_TOKEN=cookie: "
                       "such a backend renews its cookies by itself");
    validate_refresh_pointers(reader, backend);
}

static void
validate_backend_pointers(struct config_reader *reader,
                          struct config_backend *backend)
{
    validate_who_settings(reader, backend);
    if (backend->token_location == TOKEN_IN_JSON &&
        !is_leaf_in_all_logins(backend, backend->token))
        config_report_pointer(reader, "POSTERN_UPSTREAM_TOKEN", backend->token,
                              "login");
    /* Without the who document that is needed, they point nowhere. */
    if (backend->who.field || backend->token_location == TOKEN_IN_JSON) {
        validate_identity_pointer(reader, backend, "POSTERN_SUBJECT",
                                  &backend->subject);
        validate_identity_pointer(reader, backend, "POSTERN_NAME",
                                  &backend->name);
    }
    validate_ttl_pointer(reader, backend);
    validate_refresh_settings(reader, backend);
}

enum pst_err
config_backend_load(struct config_reader *reader,
                    struct config_backend *backend)
{
    struct pst_str *preset_logins =
        pst_arena_alloc(reader->arena, 2 * sizeof(struct pst_str));
    bool was_invalid = reader->is_invalid;
    enum pst_err e;

    if (!preset_logins)
        return PST_NO_MEMORY;
    config_apply_preset(backend, preset_logins);
    reader->is_invalid = false;
    e = config_parse_documents(reader, backend);
    if (!e && !reader->is_invalid)
        validate_backend_pointers(reader, backend);
    if (!e && !reader->is_invalid)
        e = config_rules_build(reader->arena, backend);
    reader->is_invalid |= was_invalid;
    return e;
}

bool
config_backend_is_secret(const struct config_backend *backend,
                         struct pst_str name)
{
    for (size_t i = 0; i < backend->rules.secret_count; i++)
        if (pst_str_equal(backend->rules.secrets[i], name))
            return true;
    return false;
}

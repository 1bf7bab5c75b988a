/* SPDX-License-Identifier: ISC */
/*
 * test_config_rules.c - which fields of clients' documents log in, and which
 * hold a secret, by the configured documents (L56, L57).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "configs.h"

#define BOTH "$email:String!,$password:String!"
#define BIND "email:$email,password:$password"

/* NAME=path of a new file. */
static void
write_file(char *variable, size_t size, const char *name, const char *document)
{
    char path[80];

    make_config_file(path, sizeof(path), pst_str_from(document), 0644);
    snprintf(variable, size, "%s=%s", name, path);
}

static void
unlink_file(const char *variable)
{
    unlink(strchr(variable, '=') + 1);
}

static bool
is_secret(const struct config *config, const char *name)
{
    return config_backend_is_secret(&config->backend, pst_str_from(name));
}

/* Both tokens by their names, in the login and in the refresh document. */
static void
test_secrets(void **state)
{
    char login[120];
    char refresh[120];
    struct config *config;

    (void)state;
    write_file(login, sizeof(login), "POSTERN_LOGIN_DOCUMENT",
               "mutation(" BOTH "){login(" BIND
               "){secret:access ttl email ownerId again:refreshToken}}");
    write_file(refresh, sizeof(refresh), "POSTERN_REFRESH_DOCUMENT",
               "mutation($refreshToken:ID!){renew(input:{t:$refreshToken}){"
               "secret:accessToken ttl again:nextToken}}");
    config = MAKE_CONFIG(login, refresh, "POSTERN_REFRESH_TOKEN=again",
                         "POSTERN_SECRET_FIELDS=pin");
    assert_true(is_secret(config, "access"));
    assert_true(is_secret(config, "refreshToken"));
    assert_true(is_secret(config, "accessToken"));
    assert_true(is_secret(config, "nextToken"));
    assert_true(is_secret(config, "pin"));
    assert_false(is_secret(config, "again"));
    assert_false(is_secret(config, "secret"));
    assert_false(is_secret(config, "email"));
    assert_int_equal(config->backend.rules.login_count, 1);
    config_free(&config);

    config = MAKE_CONFIG(login);
    assert_true(is_secret(config, "access"));
    assert_false(is_secret(config, "refreshToken"));
    assert_false(is_secret(config, "accessToken"));
    config_free(&config);
    unlink_file(login);
    unlink_file(refresh);
}

/* Some backends give no new refresh token, so that the old one stays. */
static void
test_refresh_without_a_new_token(void **state)
{
    char login[120];
    char refresh[120];
    struct config *config;

    (void)state;
    write_file(login, sizeof(login), "POSTERN_LOGIN_DOCUMENT",
               "mutation(" BOTH "){login(" BIND
               "){secret ttl ownerId refreshToken}}");
    write_file(refresh, sizeof(refresh), "POSTERN_REFRESH_DOCUMENT",
               "mutation($refreshToken:ID!){renew(t:$refreshToken){"
               "secret ttl}}");
    config = MAKE_CONFIG(login, refresh, "POSTERN_REFRESH_TOKEN=refreshToken");
    assert_int_equal(config->backend.rules.secret_count, 3);
    config_free(&config);
    unlink_file(login);
    unlink_file(refresh);
}

/* The variables are read, and the store is asked for. */
static void
test_store_is_needed(void **state)
{
    char login[120];
    char refresh[120];
    const char *environment[] = {SECRET,
                                 UPSTREAM,
                                 login,
                                 refresh,
                                 "POSTERN_REFRESH_TOKEN=refreshToken",
                                 "POSTERN_STORE=none",
                                 NULL};
    static struct config_errors errors; /* large */
    struct config *config = NULL;

    (void)state;
    write_file(login, sizeof(login), "POSTERN_LOGIN_DOCUMENT",
               "mutation(" BOTH "){login(" BIND
               "){secret ttl ownerId refreshToken}}");
    write_file(refresh, sizeof(refresh), "POSTERN_REFRESH_DOCUMENT",
               "mutation($refreshToken:ID!){renew(t:$refreshToken){"
               "secret ttl refreshToken}}");
    assert_int_equal(load_config(&config, environment, &errors),
                     PST_BAD_CONFIG);
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.variable[0], "POSTERN_REFRESH_DOCUMENT");
    assert_non_null(strstr(errors.message[0], "POSTERN_STORE is none"));
    environment[5] = NULL;
    assert_int_equal(load_config(&config, environment, &errors), PST_OK);
    assert_true(config->backend.refresh.field != NULL);
    expect_text("pointer", config->backend.refresh_token, "/refreshToken");
    expect_display(config, "POSTERN_REFRESH_TOKEN", "refreshToken");
    config_free(&config);
    unlink_file(login);
    unlink_file(refresh);
}

static void
test_root_fields(void **state)
{
    struct config *config =
        MAKE_CONFIG("POSTERN_BACKEND=vendure",
                    "POSTERN_SECRET_FIELDS_ALLOWED=query.checkout,cart");
    const struct pst_graphql_rules *rules = &config->backend.rules;

    (void)state;
    assert_int_equal(rules->login_count, 2);
    assert_true(pst_str_equal(rules->logins[1].field, PST_STR("authenticate")));
    assert_int_equal(rules->logins[1].kind, PST_GRAPHQL_MUTATION);
    assert_int_equal(rules->password_count, 2);
    assert_false(rules->passwords[0].is_any_kind);
    assert_int_equal(rules->passwords[0].kind, PST_GRAPHQL_MUTATION);
    assert_int_equal(rules->secret_allowed_count, 2);
    assert_int_equal(rules->secrets_allowed[0].kind, PST_GRAPHQL_QUERY);
    assert_true(rules->secrets_allowed[1].is_any_kind);
    assert_int_equal(rules->secret_count, 0); /* the token is in a header */
    config_free(&config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_refresh_without_a_new_token),
        cmocka_unit_test(test_store_is_needed),
        cmocka_unit_test(test_root_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

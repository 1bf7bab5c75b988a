/* SPDX-License-Identifier: ISC */
/*
 * test_config.c - an environment becomes a configuration, or is refused with
 * the variable and the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "codec/json.h"
#include "configs.h"
#include "server/config.h"

/* All errors are reported at once; a reporter is not required. */
static void
all_errors_are_reported(void **state)
{
    static const char *const environment[] = {
        "COOKIE_SESSION_SECRET=short", "POSTERN_LIFETIME=x",
        "POSTERN_COOKIE_PARTITIONED=on", "POSTERN_NONSENSE=1", NULL};
    static const char *const want[] = {
        "POSTERN_NONSENSE", "POSTERN_LIFETIME", "POSTERN_UPSTREAM",
        "POSTERN_COOKIE_PARTITIONED", "COOKIE_SESSION_SECRET"};
    static struct config_errors errors;
    struct config *config = NULL;

    (void)state;
    assert_int_equal(load_config(&config, environment, &errors),
                     PST_BAD_CONFIG);
    assert_int_equal(errors.count, PST_COUNT(want));
    for (size_t i = 0; i < PST_COUNT(want); i++)
        assert_string_equal(errors.variable[i], want[i]);
    assert_int_equal(config_new(&config, environment, NULL), PST_BAD_CONFIG);
    assert_null(config);
}

static void
lists_are_split(void **state)
{
    struct config *config =
        MAKE_CONFIG("POSTERN_ORIGINS=https://a.example, http://b.example:8080",
                    "POSTERN_FORWARD_HEADERS=X-One,x-two  X-Three",
                    "POSTERN_TRUSTED_PROXIES=10.0.0.0/8, ::1",
                    "POSTERN_SECRET_FIELDS=refreshToken token",
                    "POSTERN_SECRET_FIELDS_ALLOWED=query.checkout");

    (void)state;
    assert_int_equal(config->origin_count, 2);
    expect_text("first", config->origins[0], "https://a.example");
    expect_text("second", config->origins[1], "http://b.example:8080");
    assert_int_equal(config->forward_header_count, 3);
    expect_text("first", config->forward_headers[0], "X-One");
    expect_text("second", config->forward_headers[1], "x-two");
    expect_text("third", config->forward_headers[2], "X-Three");
    assert_int_equal(config->trusted_proxy_count, 2);
    expect_text("first", config->trusted_proxies[0], "10.0.0.0/8");
    expect_text("second", config->trusted_proxies[1], "::1");
    assert_int_equal(config->backend.secret_name_count, 2);
    assert_int_equal(config->backend.rules.secret_count, 3);
    assert_int_equal(config->backend.rules.secret_allowed_count, 1);
    config_free(&config);
}

/* Nothing of the environment is kept: it may be changed at once (L45). */
static void
values_are_copied(void **state)
{
    char environment[4][64] = {SECRET, UPSTREAM, "POSTERN_LOG=/tmp/a.log",
                               "POSTERN_LOGIN_URL=/in"};
    const char *pointers[] = {environment[0], environment[1], environment[2],
                              environment[3], NULL};
    static struct config_errors errors;
    struct config *config = NULL;

    (void)state;
    assert_int_equal(load_config(&config, pointers, &errors), PST_OK);
    memset(environment, 'x', sizeof(environment));
    expect_text("upstream", config->upstream, "http://127.0.0.1:4000/graphql");
    expect_text("login URL", config->login_url, "/in");
    assert_string_equal(config->log_target, "/tmp/a.log");
    config_free(&config);
}

struct file_row {
    const char *name;
    struct pst_str bytes;
    mode_t mode;
    const char *shown; /* the field that is displayed; NULL: refused */
    const char *error;
};

/* The same secret has the same keys, whichever way it came. */
static void
file_and_variable_agree(void **state)
{
    struct config *from_variable = make_config(NULL);
    struct config *from_file = NULL;
    static struct config_errors errors;
    char path[64];
    char variable[128];
    const char *environment[] = {variable, UPSTREAM, NULL};
    struct pst_kid kids[2];

    (void)state;
    make_config_file(path, sizeof(path), PST_STR(SECRET_VALUE "\n"), 0600);
    snprintf(variable, sizeof(variable), SECRET_FILE "%s", path);
    assert_int_equal(load_config(&from_file, environment, &errors), PST_OK);
    unlink(path);
    kids[0] = pst_keyring_kid(from_variable->ring, 0);
    kids[1] = pst_keyring_kid(from_file->ring, 0);
    expect_display(from_file, "COOKIE_SESSION_SECRET", "(set, 1 secret)");
    expect_display(from_file, "COOKIE_SESSION_SECRET_FILE", path);
    assert_memory_equal(kids[0].id, kids[1].id, PST_KID_ID_LEN);
    config_free(&from_variable);
    config_free(&from_file);
}

#define GOOD_LOGIN                                                  \
    "mutation($email:String!,$password:String!){signIn(e:$email,p:" \
    "$password){secret ownerId}}"

static const struct file_row documents[] = {
    {"own mutation",
     {GOOD_LOGIN, sizeof(GOOD_LOGIN) - 1},
     0644,
     "signIn",
     NULL},
    {"empty", {"", 0}, 0644, NULL, "empty"},
    {"not UTF-8 text", {"mutation \xff", 10}, 0644, NULL, "UTF-8"},
    {"NUL", {"mutation \0", 10}, 0644, NULL, "UTF-8"},
    {"no GraphQL", {"mutation", 8}, 0644, NULL, "cannot be parsed at line 1"},
    {"no mutation", {"{login{secret}}", 15}, 0644, NULL, "is not a mutation"},
};

static void
documents_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(documents); i++) {
        const struct file_row *row = &documents[i];
        char path[64];
        char variable[128];
        const char *environment[] = {SECRET, UPSTREAM, variable, NULL};
        static struct config_errors errors;
        struct config *config = NULL;
        enum pst_err e;

        make_config_file(path, sizeof(path), row->bytes, row->mode);
        snprintf(variable, sizeof(variable), "POSTERN_LOGIN_DOCUMENT=%s", path);
        e = load_config(&config, environment, &errors);
        unlink(path);
        if (row->shown) {
            if (e != PST_OK)
                fail_msg("%s: %s", row->name, errors.message[0]);
            expect_text(row->name, config->backend.logins[0].field->name,
                        row->shown);
            expect_display(config, "POSTERN_LOGIN_DOCUMENT", path);
        } else if (e != PST_BAD_CONFIG || errors.count != 1 ||
                   !strstr(errors.message[0], row->error)) {
            fail_msg("%s: %s: %s", row->name, pst_err_code(e),
                     errors.message[0]);
        }
        config_free(&config);
    }
}

/* Three documents that begin a session, one that ends it, one that asks. */
static void
several_documents_are_read(void **state)
{
    static const char who[] = "{me{ownerId}}";
    static const char logout[] = "mutation{bye}";
    char paths[4][64];
    char variables[3][256];
    struct config *config;

    (void)state;
    make_config_file(paths[0], sizeof(paths[0]), PST_STR(GOOD_LOGIN), 0644);
    make_config_file(paths[1], sizeof(paths[1]),
                     PST_STR("mutation{refresh{secret ownerId}}"), 0644);
    make_config_file(paths[2], sizeof(paths[2]), pst_str_from(who), 0644);
    make_config_file(paths[3], sizeof(paths[3]), pst_str_from(logout), 0644);
    snprintf(variables[0], sizeof(variables[0]), "POSTERN_LOGIN_DOCUMENT=%s %s",
             paths[0], paths[1]);
    snprintf(variables[1], sizeof(variables[1]), "POSTERN_WHO_DOCUMENT=%s",
             paths[2]);
    snprintf(variables[2], sizeof(variables[2]), "POSTERN_LOGOUT_DOCUMENT=%s",
             paths[3]);
    config = MAKE_CONFIG(variables[0], variables[1], variables[2],
                         "POSTERN_REVALIDATE=1h");
    for (size_t i = 0; i < PST_COUNT(paths); i++)
        unlink(paths[i]);
    assert_int_equal(config->backend.login_count, 2);
    expect_text("second", config->backend.logins[1].field->name, "refresh");
    expect_text("who", config->backend.who.text, who);
    expect_text("logout", config->backend.logout_text, logout);
    assert_int_equal(config->backend.revalidate, 3600);
    config_free(&config);
}

static void
manifest_is_named(void **state)
{
    char path[64];
    char variable[128];
    struct config *config;

    (void)state;
    make_config_file(path, sizeof(path), PST_STR("{}"), 0644);
    snprintf(variable, sizeof(variable), "POSTERN_DOCUMENTS=%s", path);
    config = MAKE_CONFIG(variable, "POSTERN_DOCUMENTS_ONLY=on",
                         "POSTERN_DOCUMENTS_SEND=id");
    unlink(path);
    assert_string_equal(config->documents, path);
    assert_true(config->documents_only);
    assert_true(config->documents_send_id);
    config_free(&config);
}

static void
certificates_are_named(void **state)
{
    char path[64];
    char variable[128];
    struct config *config;

    (void)state;
    make_config_file(path, sizeof(path), PST_STR("-----BEGIN"), 0644);
    snprintf(variable, sizeof(variable), "POSTERN_UPSTREAM_CA=%s", path);
    config = MAKE_CONFIG(variable);
    unlink(path);
    assert_string_equal(config->upstream_ca, path);
    config_free(&config);
}

/* A value as long as an environment allows is refused, and nothing breaks. */
static void
huge_values_are_refused(void **state)
{
    size_t size = 120000;
    char *huge = malloc(size + 1);
    const char *environment[] = {SECRET, UPSTREAM, huge, NULL};
    static struct config_errors errors;
    struct config *config = NULL;

    (void)state;
    assert_non_null(huge);
    memset(huge, 'a', size);
    huge[size] = '\0';
    memcpy(huge, "POSTERN_AUDIENCE=", 17);
    assert_int_equal(load_config(&config, environment, &errors),
                     PST_BAD_CONFIG);
    assert_int_equal(errors.count, 1);
    assert_non_null(strstr(errors.message[0], "32768"));
    huge[size - 88000] = '\0';
    assert_int_equal(load_config(&config, environment, &errors),
                     PST_BAD_CONFIG);
    assert_non_null(strstr(errors.message[0], "255"));
    memcpy(huge, "POSTERN_ORIGINS= ", 17);
    for (size_t i = 17; huge[i]; i++)
        huge[i] = i % 2 ? ',' : 'a';
    assert_int_equal(load_config(&config, environment, &errors),
                     PST_BAD_CONFIG);
    free(huge);
}

/* The longest that lists may be does not spend the pool. */
static void
longest_lists_fit(void **state)
{
    static char list[32 * 1024];
    const char *environment[] = {SECRET, UPSTREAM, list, NULL};
    static struct config_errors errors;
    struct config *config = NULL;
    size_t len;

    (void)state;
    len = (size_t)snprintf(list, sizeof(list), "POSTERN_ORIGINS=");
    for (int i = 0; i < 256; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len,
                                "https://%d.example ", i);
    assert_int_equal(load_config(&config, environment, &errors), PST_OK);
    assert_int_equal(config->origin_count, 256);
    config_free(&config);
    snprintf(list + len, sizeof(list) - len, "https://256.example");
    assert_int_equal(load_config(&config, environment, &errors),
                     PST_BAD_CONFIG);
    assert_non_null(strstr(errors.message[0], "256"));
}

/* No more headers are taken than a request can carry. */
static void
forwarded_headers_have_a_limit(void **state)
{
    static char list[1024];
    const char *environment[] = {SECRET, UPSTREAM, list, NULL};
    static struct config_errors errors;
    struct config *config = NULL;
    size_t len;

    (void)state;
    /* One that passes anyway is not counted. */
    len = (size_t)snprintf(list, sizeof(list),
                           "POSTERN_FORWARD_HEADERS=user_agent");
    for (int i = 0; i < CONFIG_FORWARD_MAX; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, " x-%d", i);
    assert_int_equal(load_config(&config, environment, &errors), PST_OK);
    assert_int_equal(config->forward_header_count, CONFIG_FORWARD_MAX);
    expect_text("first", config->forward_headers[0], "x-0");
    config_free(&config);
    snprintf(list + len, sizeof(list) - len, " x-more");
    assert_int_equal(load_config(&config, environment, &errors),
                     PST_BAD_CONFIG);
    assert_non_null(strstr(errors.message[0], "more than 32"));
}

/* No secret comes out, neither shown nor in what was copied. */
static void
secrets_are_masked(void **state)
{
    struct config *config = make_config(NULL);

    (void)state;
    for (size_t i = 0; i < config_row_count(); i++) {
        char storage[1024];
        struct pst_buf buf;

        pst_buf_init(&buf, storage, sizeof(storage));
        config_emit_value(&buf, config, i);
        assert_false(
            pst_str_contains(pst_buf_str(&buf), PST_STR("Xq3vT9wLk2")));
    }
    config_free(&config);
}

/* A caller that does not need a part may have it absent or wrong. */
static void
parts_that_are_not_needed_are_not_read(void **state)
{
    static const char *const wrong_backend[] = {
        SECRET,
        "POSTERN_UPSTREAM=x",
        "POSTERN_LOGIN_DOCUMENT=/nowhere",
        "POSTERN_BACKEND=vendure",
        "POSTERN_TEXTS=/nowhere",
        NULL};
    static const char *const wrong_secret[] = {SECRET_FILE "/nowhere", UPSTREAM,
                                               NULL};
    static const char *const wrong_rest[] = {"POSTERN_LIFETIME=x", NULL};
    struct config *config = NULL;

    (void)state;
    assert_int_equal(
        config_new_parts(&config, wrong_backend, NULL, CONFIG_PART_SECRET),
        PST_OK);
    assert_non_null(config->ring);
    assert_true(pst_str_is_absent(config->upstream));
    assert_int_equal(config->backend.login_count, 0);
    /* The preset is read: it changes this default. */
    assert_int_equal(config->timeouts.guest, 365 * 86400);
    assert_int_equal(config->texts.count, page_texts_shipped.count);
    config_free(&config);
    assert_int_equal(
        config_new_parts(&config, wrong_secret, NULL, CONFIG_PART_BACKEND),
        PST_OK);
    assert_null(config->ring);
    assert_int_equal(config->backend.login_count, 1);
    config_free(&config);
    assert_int_equal(config_new_parts(&config, wrong_rest, NULL, 0),
                     PST_BAD_CONFIG);
    assert_int_equal(
        config_new_parts(&config, wrong_backend, NULL, CONFIG_PART_ALL),
        PST_BAD_CONFIG);
    assert_int_equal(
        config_new_parts(&config, wrong_secret, NULL, CONFIG_PART_ALL),
        PST_BAD_CONFIG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_errors_are_reported),
        cmocka_unit_test(lists_are_split),
        cmocka_unit_test(values_are_copied),
        cmocka_unit_test(file_and_variable_agree),
        cmocka_unit_test(documents_are_read),
        cmocka_unit_test(several_documents_are_read),
        cmocka_unit_test(manifest_is_named),
        cmocka_unit_test(certificates_are_named),
        cmocka_unit_test(huge_values_are_refused),
        cmocka_unit_test(longest_lists_fit),
        cmocka_unit_test(forwarded_headers_have_a_limit),
        cmocka_unit_test(secrets_are_masked),
        cmocka_unit_test(parts_that_are_not_needed_are_not_read),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}

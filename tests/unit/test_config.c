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
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "codec/json.h"
#include "server/config.h"

#define SECRET_VALUE "Xq3vT9wLk2RzB7nPc5YhJd8sGm4FuAe6"
#define OTHER_VALUE "aN5tQ8jVx2KfW7rEy4HbMc9pZs3DgUu6"
#define SECRET "COOKIE_SESSION_SECRET=" SECRET_VALUE
#define SECRET_FILE "COOKIE_SESSION_SECRET_FILE="
#define STORE_FILE "POSTERN_STORE_FILE="
#define UPSTREAM "POSTERN_UPSTREAM=http://127.0.0.1:4000/graphql"

/* Variables of one environment at most, and complaints that are kept. */
#define ENVIRONMENT_MAX 12
#define COMPLAINTS_MAX 12

struct heard {
    size_t count;
    char variable[COMPLAINTS_MAX][80];
    char error[COMPLAINTS_MAX][400];
};

static void
hear(void *context, const char *variable, const char *error)
{
    struct heard *heard = context;

    assert_true(heard->count < COMPLAINTS_MAX);
    snprintf(heard->variable[heard->count], sizeof(heard->variable[0]), "%s",
             variable);
    snprintf(heard->error[heard->count++], sizeof(heard->error[0]), "%s",
             error);
}

static enum pst_err
make(struct config **config, const char *const *environment,
     struct heard *heard)
{
    const struct config_reporter reporter = {hear, heard};

    memset(heard, 0, sizeof(*heard));
    return config_new(config, environment, &reporter);
}

/* A configuration of these variables, beside the secret and the upstream. */
static struct config *
make_good(const char *const *more)
{
    const char *environment[ENVIRONMENT_MAX + 1] = {SECRET, UPSTREAM};
    static struct heard heard;
    struct config *config = NULL;

    for (size_t i = 0; more && more[i]; i++) {
        assert_true(i + 2 < ENVIRONMENT_MAX);
        environment[i + 2] = more[i];
    }
    if (make(&config, environment, &heard) != PST_OK)
        fail_msg("%s: %s", heard.variable[0], heard.error[0]);
    assert_int_equal(heard.count, 0);
    return config;
}

#define MAKE_GOOD(...) make_good((const char *const[]){__VA_ARGS__, NULL})

static void
expect_text(const char *what, struct pst_str text, const char *want)
{
    if (!want && !pst_str_is_absent(text))
        fail_msg("%s: is \"%.*s\", not absent", what, (int)text.len, text.ptr);
    if (want &&
        (pst_str_is_absent(text) || !pst_str_equal(text, pst_str_from(want))))
        fail_msg("%s: is \"%.*s\", not \"%s\"", what, (int)text.len,
                 text.ptr ? text.ptr : "", want);
}

/* What a variable amounts to, as `postern check` shows it. */
static void
expect_shown(const struct config *config, const char *variable,
             const char *want)
{
    char storage[1024];
    struct pst_buf buf;
    size_t index = 0;

    while (strcmp(config_row(index)->name, variable) != 0)
        index++;
    pst_buf_init(&buf, storage, sizeof(storage));
    config_emit_value(&buf, config, index);
    expect_text(variable, pst_buf_str(&buf), want);
}

static void
defaults_are_as_designed(void **state)
{
    struct config *config = make_good(NULL);
    struct pst_kid kid;

    (void)state;
    kid = pst_keyring_kid(config->ring, 86400);
    assert_int_equal(kid.day, 1);
    assert_int_equal(config->methods, TOKEN_METHOD_COOKIE);
    assert_int_equal(config->format, PST_TOKEN_SEALED);
    expect_text("header", config->auth_token_header, "vendure-auth-token");
    assert_false(config->dead_bearer_is_guest);
    expect_text("audience", config->audience, "session");
    expect_text("cookie name", config->cookie.name, "__Host-Http-session");
    expect_text("guest's cookie", config->cookie_guest_name,
                "__Host-Http-session-guest");
    expect_text("older cookie", config->cookie_legacy_name, "__Host-session");
    expect_text("cookie path", config->cookie.path, "/");
    expect_text("cookie domain", config->cookie.domain, NULL);
    assert_true(config->cookie.secure);
    assert_true(config->cookie.http_only);
    assert_false(config->cookie.partitioned);
    assert_false(config->cookie.has_max_age);
    assert_int_equal(config->cookie.same_site, PST_SAME_SITE_LAX);
    assert_int_equal(config->timeouts.idle, 1800);
    assert_int_equal(config->timeouts.lifetime, 43200);
    assert_int_equal(config->timeouts.remember, 30 * 86400);
    assert_int_equal(config->timeouts.guest, 30 * 86400);
    expect_text("upstream", config->upstream, "http://127.0.0.1:4000/graphql");
    assert_null(config->upstream_ca);
    assert_int_equal(config->upstream_logout, LOGOUT_ALWAYS);
    assert_int_equal(config->forward_header_count, 0);
    assert_int_equal(config->connect_timeout, 5);
    assert_int_equal(config->first_byte_timeout, 30);
    assert_int_equal(config->between_bytes_timeout, 60);
    assert_int_equal(config->max_body, 32 * 1024 * 1024);
    assert_int_equal(config->max_json, 4 * 1024 * 1024);
    assert_int_equal(config->max_held, 256 * 1024 * 1024);
    assert_null(config->documents);
    assert_false(config->documents_only);
    assert_false(config->documents_send_id);
    assert_int_equal(config->backend.revalidate, 0);
    assert_int_equal(config->backend.secret_name_count, 0);
    assert_int_equal(config->backend.secrets_allowed_count, 0);
    assert_int_equal(config->login_floor_ms, 500);
    assert_int_equal(config->trusted_proxy_count, 0);
    expect_text("origin", config->origin, NULL);
    assert_int_equal(config->origin_count, 0);
    expect_text("login URL", config->login_url, "/login");
    expect_text("login redirect", config->login_redirect, "/");
    expect_text("logout redirect", config->logout_redirect, "/");
    assert_int_equal(config->workers, 256);
    assert_int_equal(config->drain, 30);
    assert_string_equal(config->log_target, "stderr");
    assert_int_equal(config->log_format, LOG_LOGFMT);
    assert_int_equal(config->log_level, LEVEL_INFO);
    config_free(&config);
    assert_null(config);
    config_free(&config);
}

static void
presets_differ(void **state)
{
    struct config *config = make_good(NULL);
    const struct config_backend *backend = &config->backend;

    (void)state;
    assert_int_equal(backend->preset, PRESET_FAUNA);
    assert_int_equal(backend->token_location, TOKEN_IN_JSON);
    expect_text("token", backend->token, "/secret");
    expect_text("subject", backend->subject, "/ownerId");
    expect_text("name", backend->name, "/email");
    expect_text("ttl", backend->ttl, "/ttl");
    assert_int_equal(backend->login_count, 1);
    assert_null(backend->who.field);
    assert_int_equal(backend->password_field_count, 0);
    assert_int_equal(config->forward_parameter_count, 0);
    config_free(&config);

    config = MAKE_GOOD("POSTERN_BACKEND=vendure");
    backend = &config->backend;
    assert_int_equal(backend->preset, PRESET_VENDURE);
    assert_true(config->dead_bearer_is_guest);
    assert_int_equal(config->timeouts.guest, 365 * 86400);
    assert_int_equal(backend->token_location, TOKEN_IN_HEADER);
    expect_text("token", backend->token, "vendure-auth-token");
    expect_text("subject", backend->subject, "/id");
    expect_text("name", backend->name, "/identifier");
    expect_text("ttl", backend->ttl, NULL);
    assert_int_equal(backend->login_count, 2);
    expect_text("who", backend->who.field->name, "me");
    assert_int_equal(backend->password_field_count, 2);
    expect_text("password", backend->password_fields[0],
                "mutation.updateCustomerPassword");
    assert_int_equal(config->forward_parameter_count, 2);
    expect_text("parameter", config->forward_parameters[0], "languageCode");
    assert_int_equal(config->upstream_logout, LOGOUT_EVERYWHERE);
    config_free(&config);
}

/* What a preset sets, a variable of its own overrides. */
static void
presets_are_overridden(void **state)
{
    struct config *config = MAKE_GOOD(
        "POSTERN_BACKEND=vendure", "POSTERN_DEAD_BEARER=refuse",
        "POSTERN_GUEST_LIFETIME=1d", "POSTERN_UPSTREAM_TOKEN=json:identifier",
        "POSTERN_SUBJECT=identifier", "POSTERN_NAME=id",
        "POSTERN_UPSTREAM_LOGOUT=never", "POSTERN_PASSWORD_FIELDS=a, query.b c",
        "POSTERN_FORWARD_PARAMETERS=channel");
    const struct config_backend *backend = &config->backend;

    (void)state;
    assert_false(config->dead_bearer_is_guest);
    assert_int_equal(config->timeouts.guest, 86400);
    assert_int_equal(backend->token_location, TOKEN_IN_JSON);
    expect_text("token", backend->token, "/identifier");
    expect_text("subject", backend->subject, "/identifier");
    expect_text("name", backend->name, "/id");
    assert_int_equal(config->upstream_logout, LOGOUT_NEVER);
    assert_int_equal(backend->rules.secret_count, 2);
    expect_text("secret", backend->rules.secrets[0], "identifier");
    assert_int_equal(backend->rules.password_count, 3);
    assert_int_equal(config->forward_parameter_count, 1);
    expect_text("parameter", config->forward_parameters[0], "channel");
    config_free(&config);
}

struct accepted {
    const char *name;
    const char *set[4];
    const char *variable;
    const char *shown;
};

static const struct accepted accepted[] = {
    {"plain seconds",
     {"POSTERN_IDLE_TIMEOUT=90"},
     "POSTERN_IDLE_TIMEOUT",
     "90s"},
    {"seconds", {"POSTERN_IDLE_TIMEOUT=90s"}, "POSTERN_IDLE_TIMEOUT", "90s"},
    {"seconds that are minutes",
     {"POSTERN_IDLE_TIMEOUT=1800"},
     "POSTERN_IDLE_TIMEOUT",
     "30m"},
    {"minutes that are hours",
     {"POSTERN_LIFETIME=120m"},
     "POSTERN_LIFETIME",
     "2h"},
    {"minutes that are no hours",
     {"POSTERN_LIFETIME=90m"},
     "POSTERN_LIFETIME",
     "90m"},
    {"400 days",
     {"POSTERN_REMEMBER_LIFETIME=400d"},
     "POSTERN_REMEMBER_LIFETIME",
     "400d"},
    {"no draining", {"POSTERN_DRAIN=0"}, "POSTERN_DRAIN", "0"},
    {"plain octets", {"POSTERN_MAX_BODY=65536"}, "POSTERN_MAX_BODY", "64K"},
    {"odd octets", {"POSTERN_MAX_BODY=65537"}, "POSTERN_MAX_BODY", "65537"},
    {"kilobytes", {"POSTERN_MAX_BODY=64K"}, "POSTERN_MAX_BODY", "64K"},
    {"gigabytes", {"POSTERN_MAX_BODY=1024M"}, "POSTERN_MAX_BODY", "1G"},
    {"empty is unset",
     {"POSTERN_IDLE_TIMEOUT="},
     "POSTERN_IDLE_TIMEOUT",
     "30m"},
    {"words in any case",
     {"POSTERN_COOKIE_SAMESITE=strict"},
     "POSTERN_COOKIE_SAMESITE",
     "Strict"},
    {"switch", {"POSTERN_COOKIE_SECURE=off"}, "POSTERN_COOKIE_NAME", "session"},
    {"both methods",
     {"POSTERN_TOKEN_METHOD=bearer, cookie"},
     "POSTERN_TOKEN_METHOD",
     "bearer, cookie"},
    {"host prefix",
     {"POSTERN_COOKIE_NAME=sid"},
     "POSTERN_COOKIE_NAME",
     "__Host-Http-sid"},
    {"secure prefix for a path",
     {"POSTERN_COOKIE_PATH=/shop"},
     "POSTERN_COOKIE_NAME",
     "__Secure-session"},
    {"secure prefix for a domain",
     {"POSTERN_COOKIE_DOMAIN=shop.example"},
     "POSTERN_COOKIE_NAME",
     "__Secure-session"},
    {"a prefix is kept",
     {"POSTERN_COOKIE_NAME=__Secure-sid"},
     "POSTERN_COOKIE_NAME",
     "__Secure-sid"},
    {"R32: the new prefix",
     {"POSTERN_COOKIE_NAME=__Host-Http-sid"},
     "POSTERN_COOKIE_NAME",
     "__Host-Http-sid"},
    {"audience follows the name, without its prefix",
     {"POSTERN_COOKIE_NAME=sid"},
     "POSTERN_AUDIENCE",
     "sid"},
    {"nor with one that was given",
     {"POSTERN_COOKIE_NAME=__Secure-sid"},
     "POSTERN_AUDIENCE",
     "sid"},
    {"origins of apps",
     {"POSTERN_ORIGINS=capacitor://localhost, https://a.example"},
     "POSTERN_ORIGINS",
     "capacitor://localhost, https://a.example"},
    {"own audience",
     {"POSTERN_AUDIENCE=shop.example"},
     "POSTERN_AUDIENCE",
     "shop.example"},
    {"R43: None, Secure and Partitioned",
     {"POSTERN_COOKIE_SAMESITE=None", "POSTERN_COOKIE_PARTITIONED=on"},
     "POSTERN_COOKIE_PARTITIONED",
     "on"},
    {"token header in lower case",
     {"POSTERN_AUTH_TOKEN_HEADER=X-Auth-Token"},
     "POSTERN_AUTH_TOKEN_HEADER",
     "x-auth-token"},
    {"IPv6 upstream",
     {"POSTERN_UPSTREAM=https://[::1]:8443/a/b@c"},
     "POSTERN_UPSTREAM",
     "https://[::1]:8443/a/b@c"},
    {"upstream without a path",
     {"POSTERN_UPSTREAM=https://shop.example"},
     "POSTERN_UPSTREAM",
     "https://shop.example"},
    {"header of the backend's",
     {"POSTERN_UPSTREAM_TOKEN=header:X-Token", "POSTERN_BACKEND=vendure"},
     "POSTERN_UPSTREAM_TOKEN",
     "header:X-Token"},
    {"a pointer as it was written",
     {"POSTERN_SUBJECT=email"},
     "POSTERN_SUBJECT",
     "email"},
    {"token in JSON",
     {"POSTERN_UPSTREAM_TOKEN=json:email"},
     "POSTERN_UPSTREAM_TOKEN",
     "json:email"},
    {"asking again",
     {"POSTERN_REVALIDATE=900", "POSTERN_BACKEND=vendure"},
     "POSTERN_REVALIDATE",
     "15m"},
    {"not asking again",
     {"POSTERN_REVALIDATE=Off"},
     "POSTERN_REVALIDATE",
     "off"},
    {"the floor of failed logins",
     {"POSTERN_LOGIN_FLOOR=1500ms"},
     "POSTERN_LOGIN_FLOOR",
     "1500ms"},
    {"no floor", {"POSTERN_LOGIN_FLOOR=0"}, "POSTERN_LOGIN_FLOOR", "0"},
    {"proxies",
     {"POSTERN_TRUSTED_PROXIES=10.0.0.0/8 ::1"},
     "POSTERN_TRUSTED_PROXIES",
     "10.0.0.0/8 ::1"},
    {"no manifest", {NULL}, "POSTERN_DOCUMENTS", "(not set)"},
    {"no domain", {NULL}, "POSTERN_COOKIE_DOMAIN", "(not set)"},
    {"one secret", {NULL}, "COOKIE_SESSION_SECRET", "(set, 1 secret)"},
    {"two secrets",
     {"COOKIE_SESSION_SECRET=" SECRET_VALUE "\n " OTHER_VALUE "\n"},
     "COOKIE_SESSION_SECRET",
     "(set, 2 secrets)"},
    {"no store", {"POSTERN_STORE=none"}, "POSTERN_STORE", "none"},
    {"log file",
     {"POSTERN_LOG=/var/log/postern.log"},
     "POSTERN_LOG",
     "/var/log/postern.log"},
    {"an address that is an origin",
     {"POSTERN_ORIGIN=http://localhost:8080"},
     "POSTERN_ORIGIN",
     "http://localhost:8080"},
    {"other names are not ours",
     {"HTTP_POSTERN_X=1", "PATH=a", "PATH=b", "="},
     "POSTERN_LOG",
     "stderr"},
};

/* The base environment, in which a variable of `set` takes the place of ours.
 */
static void
fill(const char **environment, const char *const *set, size_t set_count)
{
    static const char *const base[] = {SECRET, UPSTREAM};
    size_t count = 0;

    for (size_t i = 0; i < PST_COUNT(base); i++) {
        size_t name = strcspn(base[i], "=") + 1;
        bool is_replaced = false;

        for (size_t j = 0; j < set_count && set[j]; j++)
            is_replaced = is_replaced || strncmp(set[j], base[i], name) == 0;
        if (!is_replaced)
            environment[count++] = base[i];
    }
    for (size_t j = 0; j < set_count && set[j]; j++)
        environment[count++] = set[j];
    environment[count] = NULL;
}

static void
good_values_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(accepted); i++) {
        const struct accepted *row = &accepted[i];
        const char *environment[ENVIRONMENT_MAX];
        static struct heard heard;
        struct config *config = NULL;

        fill(environment, row->set, PST_COUNT(row->set));
        if (make(&config, environment, &heard) != PST_OK)
            fail_msg("%s: %s %s", row->name, heard.variable[0], heard.error[0]);
        expect_shown(config, row->variable, row->shown);
        config_free(&config);
    }
}

struct refused {
    const char *name;
    const char *set[4];
    const char *variable;
    const char *error; /* part of the sentence */
};

static const struct refused refused[] = {
    {"R2: no secret",
     {"COOKIE_SESSION_SECRET="},
     "COOKIE_SESSION_SECRET",
     "is not set"},
    {"secret of 31 octets",
     {"COOKIE_SESSION_SECRET=Xq3vT9wLk2RzB7nPc5YhJd8sGm4FuAe"},
     "COOKIE_SESSION_SECRET",
     "32"},
    {"weak secret",
     {"COOKIE_SESSION_SECRET=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
     "COOKIE_SESSION_SECRET",
     "is refused: "},
    {"one weak among two",
     {"COOKIE_SESSION_SECRET=" SECRET_VALUE " short"},
     "COOKIE_SESSION_SECRET",
     "is refused: "},
    {"the same secret twice",
     {"COOKIE_SESSION_SECRET=" SECRET_VALUE " " SECRET_VALUE},
     "COOKIE_SESSION_SECRET",
     "is refused: "},
    {"control octet in a secret",
     {"COOKIE_SESSION_SECRET=" SECRET_VALUE "\x01"},
     "COOKIE_SESSION_SECRET",
     "control octet"},
    {"both forms of the secret",
     {SECRET_FILE "/tmp/secret"},
     "COOKIE_SESSION_SECRET",
     "only one"},
    {"missing secret file",
     {"COOKIE_SESSION_SECRET=", SECRET_FILE "/nonexistent/secret"},
     "COOKIE_SESSION_SECRET_FILE",
     "No such file"},
    {"secret file is a folder",
     {"COOKIE_SESSION_SECRET=", SECRET_FILE "/tmp"},
     "COOKIE_SESSION_SECRET_FILE",
     "no regular file"},
    {"secret file is a device",
     {"COOKIE_SESSION_SECRET=", SECRET_FILE "/dev/zero"},
     "COOKIE_SESSION_SECRET_FILE",
     "no regular file"},
    {"control octet in the secret file's name",
     {"COOKIE_SESSION_SECRET=", SECRET_FILE "/tmp/a\nb"},
     "COOKIE_SESSION_SECRET_FILE",
     "control octet"},
    {"unknown variable, near a known one",
     {"POSTERN_LIVETIME=1h"},
     "POSTERN_LIVETIME",
     "did you mean POSTERN_LIFETIME?"},
    {"unknown variable, cut short",
     {"POSTERN_IDLE=1h"},
     "POSTERN_IDLE",
     "did you mean POSTERN_IDLE_TIMEOUT?"},
    {"unknown variable, singular",
     {"POSTERN_FORWARD_HEADER=a"},
     "POSTERN_FORWARD_HEADER",
     "did you mean POSTERN_FORWARD_HEADERS?"},
    {"unknown variable, near none",
     {"POSTERN_XYZZY=1"},
     "POSTERN_XYZZY",
     "is an unknown variable"},
    {"unknown variable, empty",
     {"POSTERN_XYZZY="},
     "POSTERN_XYZZY",
     "is an unknown variable"},
    {"unknown variable without a value",
     {"POSTERN_XYZZY"},
     "POSTERN_XYZZY",
     "is an unknown variable"},
    {"nothing behind our prefix",
     {"POSTERN_=1"},
     "POSTERN_",
     "is an unknown variable"},
    {"lower case is another name",
     {"POSTERN_origin=https://a.example"},
     "POSTERN_origin",
     "is an unknown variable"},
    {"a name that would forge a line",
     {"POSTERN_A\nB=1"},
     "POSTERN_A?B",
     "is an unknown variable"},
    {"a very long name",
     {"POSTERN_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=1"},
     "POSTERN_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
     "is an unknown variable"},
    {"a name given twice",
     {"POSTERN_LOG=stderr", "POSTERN_LOG=stderr"},
     "POSTERN_LOG",
     "twice"},
    {"a name given twice, once empty",
     {"POSTERN_LOG=", "POSTERN_LOG=stderr"},
     "POSTERN_LOG",
     "twice"},
    {"the secret given twice",
     {SECRET, SECRET},
     "COOKIE_SESSION_SECRET",
     "twice"},
    {"line feed in a value",
     {"POSTERN_AUDIENCE=a\nb"},
     "POSTERN_AUDIENCE",
     "control octet"},
    {"tab in a value",
     {"POSTERN_AUDIENCE=a\tb"},
     "POSTERN_AUDIENCE",
     "control octet"},
    {"delete in a value",
     {"POSTERN_AUDIENCE=a\x7f"},
     "POSTERN_AUDIENCE",
     "control octet"},
    {"method",
     {"POSTERN_TOKEN_METHOD=header"},
     "POSTERN_TOKEN_METHOD",
     "cookie, bearer"},
    {"half a method",
     {"POSTERN_TOKEN_METHOD=cookie,basic"},
     "POSTERN_TOKEN_METHOD",
     "cookie, bearer"},
    {"only a comma",
     {"POSTERN_TOKEN_METHOD=,"},
     "POSTERN_TOKEN_METHOD",
     "cookie, bearer"},
    {"format",
     {"POSTERN_TOKEN_FORMAT=jwt"},
     "POSTERN_TOKEN_FORMAT",
     "sealed, signed"},
    {"dead bearer",
     {"POSTERN_DEAD_BEARER=on"},
     "POSTERN_DEAD_BEARER",
     "refuse, guest"},
    {"token header with a space",
     {"POSTERN_AUTH_TOKEN_HEADER=a b"},
     "POSTERN_AUTH_TOKEN_HEADER",
     "no header name"},
    {"cookie name with a space",
     {"POSTERN_COOKIE_NAME=a b"},
     "POSTERN_COOKIE_NAME",
     "token"},
    {"cookie name with a semicolon",
     {"POSTERN_COOKIE_NAME=a;b"},
     "POSTERN_COOKIE_NAME",
     "token"},
    {"prefix in another case",
     {"POSTERN_COOKIE_NAME=__host-a"},
     "POSTERN_COOKIE_NAME",
     "must spell its prefix __Host-"},
    {"long prefix in another case",
     {"POSTERN_COOKIE_NAME=__Host-HTTP-a"},
     "POSTERN_COOKIE_NAME",
     "must spell its prefix __Host-Http-"},
    {"only a prefix",
     {"POSTERN_COOKIE_NAME=__Secure-"},
     "POSTERN_COOKIE_NAME",
     "a prefix and no name"},
    {"__Host- with a domain",
     {"POSTERN_COOKIE_NAME=__Host-a", "POSTERN_COOKIE_DOMAIN=a.example"},
     "POSTERN_COOKIE_NAME",
     "__Host-"},
    {"__Host- with a path",
     {"POSTERN_COOKIE_NAME=__Host-a", "POSTERN_COOKIE_PATH=/a"},
     "POSTERN_COOKIE_NAME",
     "__Host-"},
    {"__Host- without Secure",
     {"POSTERN_COOKIE_NAME=__Host-a", "POSTERN_COOKIE_SECURE=off"},
     "POSTERN_COOKIE_NAME",
     "__Host-"},
    {"__Secure- without Secure",
     {"POSTERN_COOKIE_NAME=__Secure-a", "POSTERN_COOKIE_SECURE=off"},
     "POSTERN_COOKIE_NAME",
     "__Secure-"},
    {"cookie domain",
     {"POSTERN_COOKIE_DOMAIN=.shop.example"},
     "POSTERN_COOKIE_DOMAIN",
     "host name"},
    {"L31: cookie domain with an attribute",
     {"POSTERN_COOKIE_DOMAIN=a.example; Path=/b"},
     "POSTERN_COOKIE_DOMAIN",
     "host name"},
    {"cookie path",
     {"POSTERN_COOKIE_PATH=shop"},
     "POSTERN_COOKIE_PATH",
     "must begin with /"},
    {"L31: cookie path with an attribute",
     {"POSTERN_COOKIE_PATH=/; Secure"},
     "POSTERN_COOKIE_PATH",
     "must begin with /"},
    {"switch",
     {"POSTERN_COOKIE_SECURE=yes"},
     "POSTERN_COOKIE_SECURE",
     "off, on"},
    {"SameSite",
     {"POSTERN_COOKIE_SAMESITE=Loose"},
     "POSTERN_COOKIE_SAMESITE",
     "Lax, Strict, None"},
    {"SameSite=None without Secure",
     {"POSTERN_COOKIE_SAMESITE=None", "POSTERN_COOKIE_SECURE=off"},
     "POSTERN_COOKIE_SAMESITE",
     "needs POSTERN_COOKIE_SECURE=on"},
    {"Partitioned without Secure",
     {"POSTERN_COOKIE_PARTITIONED=on", "POSTERN_COOKIE_SECURE=off"},
     "POSTERN_COOKIE_PARTITIONED",
     "needs POSTERN_COOKIE_SECURE=on"},
    {"a bad switch is told of once",
     {"POSTERN_COOKIE_SECURE=yes", "POSTERN_COOKIE_SAMESITE=None"},
     "POSTERN_COOKIE_SECURE",
     "off, on"},
    {"R43: Partitioned without SameSite=None",
     {"POSTERN_COOKIE_PARTITIONED=on"},
     "POSTERN_COOKIE_PARTITIONED",
     "needs POSTERN_COOKIE_SAMESITE=None"},
    {"duration in words",
     {"POSTERN_DRAIN=soon"},
     "POSTERN_DRAIN",
     "no duration"},
    {"duration with a sign",
     {"POSTERN_DRAIN=-1"},
     "POSTERN_DRAIN",
     "no duration"},
    {"duration in weeks", {"POSTERN_DRAIN=1w"}, "POSTERN_DRAIN", "no duration"},
    {"duration of a unit alone",
     {"POSTERN_DRAIN=s"},
     "POSTERN_DRAIN",
     "no duration"},
    {"duration with two units",
     {"POSTERN_DRAIN=1ms"},
     "POSTERN_DRAIN",
     "no duration"},
    {"duration with a space",
     {"POSTERN_DRAIN=30 s"},
     "POSTERN_DRAIN",
     "no duration"},
    {"duration in halves",
     {"POSTERN_LIFETIME=1.5h"},
     "POSTERN_LIFETIME",
     "no duration"},
    {"duration that wraps",
     {"POSTERN_LIFETIME=200000000000000d"},
     "POSTERN_LIFETIME",
     "no duration"},
    {"R38: 401 days",
     {"POSTERN_REMEMBER_LIFETIME=401d"},
     "POSTERN_REMEMBER_LIFETIME",
     "between 1s and 400d"},
    {"no lifetime",
     {"POSTERN_LIFETIME=0"},
     "POSTERN_LIFETIME",
     "between 1s and 400d"},
    {"idle longer than lifetime",
     {"POSTERN_IDLE_TIMEOUT=2h", "POSTERN_LIFETIME=1h"},
     "POSTERN_IDLE_TIMEOUT",
     "longer than POSTERN_LIFETIME"},
    {"a bad clock is told of once",
     {"POSTERN_IDLE_TIMEOUT=24h", "POSTERN_LIFETIME=long"},
     "POSTERN_LIFETIME",
     "no duration"},
    {"timeout",
     {"POSTERN_CONNECT_TIMEOUT=2h"},
     "POSTERN_CONNECT_TIMEOUT",
     "between 1s and 1h"},
    {"size", {"POSTERN_MAX_BODY=32MB"}, "POSTERN_MAX_BODY", "no size"},
    {"size in lower case",
     {"POSTERN_MAX_BODY=32m"},
     "POSTERN_MAX_BODY",
     "no size"},
    {"size too small",
     {"POSTERN_MAX_BODY=0"},
     "POSTERN_MAX_BODY",
     "between 1K and 64G"},
    {"number", {"POSTERN_WORKERS=many"}, "POSTERN_WORKERS", "no number"},
    {"number with a unit",
     {"POSTERN_WORKERS=1K"},
     "POSTERN_WORKERS",
     "no number"},
    {"no workers",
     {"POSTERN_WORKERS=0"},
     "POSTERN_WORKERS",
     "between 1 and 4096"},
    {"no upstream", {"POSTERN_UPSTREAM="}, "POSTERN_UPSTREAM", "is not set"},
    {"upstream with another scheme",
     {"POSTERN_UPSTREAM=ftp://a/"},
     "POSTERN_UPSTREAM",
     "http:// or https://"},
    {"upstream with CR",
     {"POSTERN_UPSTREAM=http://a.example/\r"},
     "POSTERN_UPSTREAM",
     "control octet"},
    {"backend",
     {"POSTERN_BACKEND=hasura"},
     "POSTERN_BACKEND",
     "fauna, vendure"},
    {"missing document",
     {"POSTERN_LOGIN_DOCUMENT=/nonexistent/a.graphql"},
     "POSTERN_LOGIN_DOCUMENT",
     "No such file"},
    {"document that is a folder",
     {"POSTERN_LOGOUT_DOCUMENT=/tmp"},
     "POSTERN_LOGOUT_DOCUMENT",
     "no regular file"},
    {"missing certificates",
     {"POSTERN_UPSTREAM_CA=/nonexistent/ca.pem"},
     "POSTERN_UPSTREAM_CA",
     "No such file"},
    {"token in a named cookie",
     {"POSTERN_UPSTREAM_TOKEN=cookie:session"},
     "POSTERN_UPSTREAM_TOKEN",
     "is none of"},
    {"bad pointer",
     {"POSTERN_SUBJECT=/data/login/ownerId"},
     "POSTERN_SUBJECT",
     "begins with a slash; it is relative"},
    {"bad escape", {"POSTERN_TTL=a~"}, "POSTERN_TTL", "neither ~0 nor ~1"},
    {"a subject that the login document does not select",
     {"POSTERN_SUBJECT=id"},
     "POSTERN_SUBJECT",
     "leads to id, which the login document does not select"},
    {"a name that the who document does not select",
     {"POSTERN_NAME=email", "POSTERN_BACKEND=vendure"},
     "POSTERN_NAME",
     "leads to email, which the who document does not select"},
    {"a ttl that no document selects",
     {"POSTERN_TTL=end", "POSTERN_BACKEND=vendure"},
     "POSTERN_TTL",
     "leads to end, "},
    {"L53: a token in a cookie, and nobody to ask",
     {"POSTERN_UPSTREAM_TOKEN=cookie"},
     "POSTERN_WHO_DOCUMENT",
     "is not set"},
    {"asking again, and nobody to ask",
     {"POSTERN_REVALIDATE=15m"},
     "POSTERN_REVALIDATE",
     "needs POSTERN_WHO_DOCUMENT"},
    {"asking again at once",
     {"POSTERN_REVALIDATE=0"},
     "POSTERN_REVALIDATE",
     "between 1s and 400d"},
    {"a secret that is no field",
     {"POSTERN_SECRET_FIELDS=refresh-token"},
     "POSTERN_SECRET_FIELDS",
     "no name of a field"},
    {"a secret allowed in no type",
     {"POSTERN_SECRET_FIELDS_ALLOWED=checkout.token"},
     "POSTERN_SECRET_FIELDS_ALLOWED",
     "whose type is none of"},
    {"a password in no type",
     {"POSTERN_PASSWORD_FIELDS=Mutation.changePassword"},
     "POSTERN_PASSWORD_FIELDS",
     "whose type is none of"},
    {"L67: a parameter that is part of the request",
     {"POSTERN_FORWARD_PARAMETERS=lang,query"},
     "POSTERN_FORWARD_PARAMETERS",
     "names query, which is part of the GraphQL request"},
    {"missing manifest",
     {"POSTERN_DOCUMENTS=/nonexistent/manifest.json"},
     "POSTERN_DOCUMENTS",
     "No such file"},
    {"only a manifest's, without one",
     {"POSTERN_DOCUMENTS_ONLY=on"},
     "POSTERN_DOCUMENTS_ONLY",
     "needs POSTERN_DOCUMENTS"},
    {"ids of a manifest, without one",
     {"POSTERN_DOCUMENTS_SEND=id"},
     "POSTERN_DOCUMENTS_SEND",
     "needs POSTERN_DOCUMENTS"},
    {"what is sent of a manifest",
     {"POSTERN_DOCUMENTS_SEND=hash"},
     "POSTERN_DOCUMENTS_SEND",
     "text, id"},
    {"JSON too small",
     {"POSTERN_MAX_JSON=1K"},
     "POSTERN_MAX_JSON",
     "between 64K and 64M"},
    {"too little held",
     {"POSTERN_MAX_HELD=64K"},
     "POSTERN_MAX_HELD",
     "between 1M and 64G"},
    {"a floor of failed logins that is too high",
     {"POSTERN_LOGIN_FLOOR=11s"},
     "POSTERN_LOGIN_FLOOR",
     "between 0 and 10s"},
    {"a floor without a unit that is known",
     {"POSTERN_LOGIN_FLOOR=500us"},
     "POSTERN_LOGIN_FLOOR",
     "no duration such as 500ms"},
    {"a proxy by its name",
     {"POSTERN_TRUSTED_PROXIES=10.0.0.1 proxy.example"},
     "POSTERN_TRUSTED_PROXIES",
     "names proxy.example, which is no address"},
    {"upstream logout",
     {"POSTERN_UPSTREAM_LOGOUT=sometimes"},
     "POSTERN_UPSTREAM_LOGOUT",
     "always, everywhere, never"},
    {"forwarding no token",
     {"POSTERN_FORWARD_HEADERS=a:b"},
     "POSTERN_FORWARD_HEADERS",
     "no header name"},
    {"forwarding our token header",
     {"POSTERN_FORWARD_HEADERS=Vendure-Auth-Token"},
     "POSTERN_FORWARD_HEADERS",
     "carries tokens"},
    {"forwarding the backend's token header",
     {"POSTERN_FORWARD_HEADERS=x_tok", "POSTERN_UPSTREAM_TOKEN=header:X-Tok",
      "POSTERN_BACKEND=vendure"},
     "POSTERN_FORWARD_HEADERS",
     "carries tokens"},
    {"forwarding twice",
     {"POSTERN_FORWARD_HEADERS=x-a,X_A"},
     "POSTERN_FORWARD_HEADERS",
     "twice"},
    {"an empty list",
     {"POSTERN_FORWARD_HEADERS= , "},
     "POSTERN_FORWARD_HEADERS",
     "no list"},
    {"origin with a slash",
     {"POSTERN_ORIGIN=https://shop.example/"},
     "POSTERN_ORIGIN",
     "write https://shop.example"},
    {"any origin", {"POSTERN_ORIGINS=*"}, "POSTERN_ORIGINS", "any page"},
    {"one bad origin of two",
     {"POSTERN_ORIGINS=https://a.example,https://B.example"},
     "POSTERN_ORIGINS",
     "write https://b.example"},
    {"L11: login URL elsewhere",
     {"POSTERN_LOGIN_URL=https://evil.example/"},
     "POSTERN_LOGIN_URL",
     "no path on this site"},
    {"L11: login redirect elsewhere",
     {"POSTERN_LOGIN_REDIRECT=//evil.example"},
     "POSTERN_LOGIN_REDIRECT",
     "no path on this site"},
    {"L14: logout redirect elsewhere",
     {"POSTERN_LOGOUT_REDIRECT=/\\evil.example"},
     "POSTERN_LOGOUT_REDIRECT",
     "no path on this site"},
    {"no such store",
     {"POSTERN_STORE=memcached://localhost"},
     "POSTERN_STORE",
     ""},
    {"both forms of the store",
     {"POSTERN_STORE=redis://localhost", STORE_FILE "/tmp/store"},
     "POSTERN_STORE_FILE",
     "only one"},
    {"missing file of the store",
     {STORE_FILE "/nonexistent/store"},
     "POSTERN_STORE_FILE",
     "No such file"},
    {"file of the store is a folder",
     {STORE_FILE "/tmp"},
     "POSTERN_STORE_FILE",
     "no regular file"},
    {"a rate without a time",
     {"POSTERN_LOGIN_PER_ACCOUNT=10"},
     "POSTERN_LOGIN_PER_ACCOUNT",
     ""},
    {"a cap without a store",
     {"POSTERN_STORE=none", "POSTERN_MAX_SESSIONS=3"},
     "POSTERN_MAX_SESSIONS",
     "POSTERN_STORE"},
    {"log to nowhere", {"POSTERN_LOG=syslog"}, "POSTERN_LOG", "absolute path"},
    {"log level",
     {"POSTERN_LOG_LEVEL=trace"},
     "POSTERN_LOG_LEVEL",
     "error, warning, info, debug"},
    {"log format",
     {"POSTERN_LOG_FORMAT=xml"},
     "POSTERN_LOG_FORMAT",
     "logfmt, json"},
};

static void
bad_values_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(refused); i++) {
        const struct refused *row = &refused[i];
        const char *environment[ENVIRONMENT_MAX];
        static struct heard heard;
        struct config *config = NULL;
        enum pst_err e;

        fill(environment, row->set, PST_COUNT(row->set));
        e = make(&config, environment, &heard);
        if (e != PST_BAD_CONFIG || config || heard.count != 1 ||
            strcmp(heard.variable[0], row->variable) != 0 ||
            !strstr(heard.error[0], row->error) ||
            strstr(heard.error[0], SECRET_VALUE))
            fail_msg("%s: %s, %zu complaints, %s %s", row->name,
                     pst_err_code(e), heard.count, heard.variable[0],
                     heard.error[0]);
    }
}

/* Everything that is wrong is told at once, and without anybody to tell. */
static void
all_is_told_at_once(void **state)
{
    static const char *const environment[] = {
        "COOKIE_SESSION_SECRET=short", "POSTERN_LIFETIME=x",
        "POSTERN_COOKIE_PARTITIONED=on", "POSTERN_NONSENSE=1", NULL};
    static const char *const want[] = {
        "POSTERN_NONSENSE", "POSTERN_LIFETIME", "POSTERN_UPSTREAM",
        "POSTERN_COOKIE_PARTITIONED", "COOKIE_SESSION_SECRET"};
    static struct heard heard;
    struct config *config = NULL;

    (void)state;
    assert_int_equal(make(&config, environment, &heard), PST_BAD_CONFIG);
    assert_int_equal(heard.count, PST_COUNT(want));
    for (size_t i = 0; i < PST_COUNT(want); i++)
        assert_string_equal(heard.variable[i], want[i]);
    assert_int_equal(config_new(&config, environment, NULL), PST_BAD_CONFIG);
    assert_null(config);
}

static void
lists_are_split(void **state)
{
    struct config *config =
        MAKE_GOOD("POSTERN_ORIGINS=https://a.example, http://b.example:8080",
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
    static struct heard heard;
    struct config *config = NULL;

    (void)state;
    assert_int_equal(make(&config, pointers, &heard), PST_OK);
    memset(environment, 'x', sizeof(environment));
    expect_text("upstream", config->upstream, "http://127.0.0.1:4000/graphql");
    expect_text("login URL", config->login_url, "/in");
    assert_string_equal(config->log_target, "/tmp/a.log");
    config_free(&config);
}

/* A file with these bytes and this mode; the caller unlinks it. */
static void
make_file(char *path, size_t size, struct pst_str octets, mode_t mode)
{
    int descriptor;

    snprintf(path, size, "/tmp/postern-test-config-XXXXXX");
    descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, octets.ptr, octets.len), octets.len);
    assert_int_equal(fchmod(descriptor, mode), 0);
    close(descriptor);
}

struct file_row {
    const char *name;
    struct pst_str octets;
    mode_t mode;
    const char *shown; /* of the secrets; NULL: refused */
    const char *error;
};

/* The same secret has the same keys, whichever way it came. */
static void
file_and_variable_agree(void **state)
{
    struct config *from_variable = make_good(NULL);
    struct config *from_file = NULL;
    static struct heard heard;
    char path[64];
    char variable[128];
    const char *environment[] = {variable, UPSTREAM, NULL};
    struct pst_kid kids[2];

    (void)state;
    make_file(path, sizeof(path), PST_STR(SECRET_VALUE "\n"), 0600);
    snprintf(variable, sizeof(variable), SECRET_FILE "%s", path);
    assert_int_equal(make(&from_file, environment, &heard), PST_OK);
    unlink(path);
    kids[0] = pst_keyring_kid(from_variable->ring, 0);
    kids[1] = pst_keyring_kid(from_file->ring, 0);
    expect_shown(from_file, "COOKIE_SESSION_SECRET", "(set, 1 secret)");
    expect_shown(from_file, "COOKIE_SESSION_SECRET_FILE", path);
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
    {"no UTF-8", {"mutation \xff", 10}, 0644, NULL, "UTF-8"},
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
        static struct heard heard;
        struct config *config = NULL;
        enum pst_err e;

        make_file(path, sizeof(path), row->octets, row->mode);
        snprintf(variable, sizeof(variable), "POSTERN_LOGIN_DOCUMENT=%s", path);
        e = make(&config, environment, &heard);
        unlink(path);
        if (row->shown) {
            if (e != PST_OK)
                fail_msg("%s: %s", row->name, heard.error[0]);
            expect_text(row->name, config->backend.logins[0].field->name,
                        row->shown);
            expect_shown(config, "POSTERN_LOGIN_DOCUMENT", path);
        } else if (e != PST_BAD_CONFIG || heard.count != 1 ||
                   !strstr(heard.error[0], row->error)) {
            fail_msg("%s: %s: %s", row->name, pst_err_code(e), heard.error[0]);
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
    make_file(paths[0], sizeof(paths[0]), PST_STR(GOOD_LOGIN), 0644);
    make_file(paths[1], sizeof(paths[1]),
              PST_STR("mutation{refresh{secret ownerId}}"), 0644);
    make_file(paths[2], sizeof(paths[2]), pst_str_from(who), 0644);
    make_file(paths[3], sizeof(paths[3]), pst_str_from(logout), 0644);
    snprintf(variables[0], sizeof(variables[0]), "POSTERN_LOGIN_DOCUMENT=%s %s",
             paths[0], paths[1]);
    snprintf(variables[1], sizeof(variables[1]), "POSTERN_WHO_DOCUMENT=%s",
             paths[2]);
    snprintf(variables[2], sizeof(variables[2]), "POSTERN_LOGOUT_DOCUMENT=%s",
             paths[3]);
    config = MAKE_GOOD(variables[0], variables[1], variables[2],
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
    make_file(path, sizeof(path), PST_STR("{}"), 0644);
    snprintf(variable, sizeof(variable), "POSTERN_DOCUMENTS=%s", path);
    config = MAKE_GOOD(variable, "POSTERN_DOCUMENTS_ONLY=on",
                       "POSTERN_DOCUMENTS_SEND=id");
    unlink(path);
    assert_string_equal(config->documents, path);
    assert_true(config->documents_only);
    assert_true(config->documents_send_id);
    config_free(&config);
}

/* With the NULs inside it, but for the last one. */
#define OCTETS(literal)                \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

#define REDIS_URL "redis://ann:hidden-word@db.example/3"
#define REDIS_SHOWN "redis://ann:***@db.example:6379/3"

static char long_line[5000];

static const struct file_row stores[] = {
    {"a line", OCTETS(REDIS_URL "\n"), 0600, REDIS_SHOWN, NULL},
    {"no end of line", OCTETS(REDIS_URL), 0440, REDIS_SHOWN, NULL},
    {"white space around", OCTETS("\r\n \t" REDIS_URL " \t\r\n\n"), 0640,
     REDIS_SHOWN, NULL},
    {"none", OCTETS("none\n"), 0600, "none", NULL},
    {"readable by everybody", OCTETS(REDIS_URL), 0604, NULL,
     "everybody may read"},
    {"writable by everybody", OCTETS(REDIS_URL), 0602, NULL,
     "everybody may write"},
    {"empty", OCTETS(""), 0600, NULL, "empty"},
    {"white space alone", OCTETS(" \n"), 0600, NULL, "nothing in it"},
    {"two lines", OCTETS(REDIS_URL "\nnone\n"), 0600, NULL,
     "more than one line"},
    {"a NUL", OCTETS(REDIS_URL "\0"), 0600, NULL, "control octet"},
    {"a tab inside", OCTETS("lmdb:/a\tb"), 0600, NULL, "control octet"},
    {"too long", {long_line, sizeof(long_line)}, 0600, NULL, "more than 4096"},
    {"no store's URL", OCTETS("memcached://ann:hidden-word@a"), 0600, NULL,
     "a file whose URL is none of"},
};

/* Shown are the file and, in its variable's place, the URL, masked. */
static void
expect_store(const struct config *config, const char *path, const char *shown)
{
    bool is_redis = strcmp(shown, "none") != 0;

    expect_shown(config, "POSTERN_STORE", shown);
    expect_shown(config, "POSTERN_STORE_FILE", path);
    assert_int_equal(config->store.kind, is_redis ? STORE_REDIS : STORE_NONE);
    assert_string_equal(config->store.password, is_redis ? "hidden-word" : "");
}

static void
stores_are_read_from_files(void **state)
{
    (void)state;
    memset(long_line, 'a', sizeof(long_line));
    for (size_t i = 0; i < PST_COUNT(stores); i++) {
        const struct file_row *row = &stores[i];
        char path[64];
        char variable[128];
        const char *environment[] = {SECRET, UPSTREAM,
                                     "POSTERN_STORE=", variable, NULL};
        static struct heard heard;
        struct config *config = NULL;
        enum pst_err e;

        make_file(path, sizeof(path), row->octets, row->mode);
        snprintf(variable, sizeof(variable), STORE_FILE "%s", path);
        e = make(&config, environment, &heard);
        unlink(path);
        if (row->shown) {
            if (e != PST_OK)
                fail_msg("%s: %s", row->name, heard.error[0]);
            expect_store(config, path, row->shown);
        } else if (e != PST_BAD_CONFIG || heard.count != 1 ||
                   strcmp(heard.variable[0], "POSTERN_STORE_FILE") != 0 ||
                   !strstr(heard.error[0], row->error) ||
                   strstr(heard.error[0], "hidden-word")) {
            fail_msg("%s: %s: %s", row->name, pst_err_code(e), heard.error[0]);
        }
        config_free(&config);
    }
}

static void
certificates_are_named(void **state)
{
    char path[64];
    char variable[128];
    struct config *config;

    (void)state;
    make_file(path, sizeof(path), PST_STR("-----BEGIN"), 0644);
    snprintf(variable, sizeof(variable), "POSTERN_UPSTREAM_CA=%s", path);
    config = MAKE_GOOD(variable);
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
    static struct heard heard;
    struct config *config = NULL;

    (void)state;
    assert_non_null(huge);
    memset(huge, 'a', size);
    huge[size] = '\0';
    memcpy(huge, "POSTERN_AUDIENCE=", 17);
    assert_int_equal(make(&config, environment, &heard), PST_BAD_CONFIG);
    assert_int_equal(heard.count, 1);
    assert_non_null(strstr(heard.error[0], "32768"));
    huge[size - 88000] = '\0';
    assert_int_equal(make(&config, environment, &heard), PST_BAD_CONFIG);
    assert_non_null(strstr(heard.error[0], "255"));
    memcpy(huge, "POSTERN_ORIGINS= ", 17);
    for (size_t i = 17; huge[i]; i++)
        huge[i] = i % 2 ? ',' : 'a';
    assert_int_equal(make(&config, environment, &heard), PST_BAD_CONFIG);
    free(huge);
}

/* The longest that lists may be does not spend the pool. */
static void
longest_lists_fit(void **state)
{
    static char list[32 * 1024];
    const char *environment[] = {SECRET, UPSTREAM, list, NULL};
    static struct heard heard;
    struct config *config = NULL;
    size_t len;

    (void)state;
    len = (size_t)snprintf(list, sizeof(list), "POSTERN_ORIGINS=");
    for (int i = 0; i < 256; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len,
                                "https://%d.example ", i);
    assert_int_equal(make(&config, environment, &heard), PST_OK);
    assert_int_equal(config->origin_count, 256);
    config_free(&config);
    snprintf(list + len, sizeof(list) - len, "https://256.example");
    assert_int_equal(make(&config, environment, &heard), PST_BAD_CONFIG);
    assert_non_null(strstr(heard.error[0], "256"));
}

/* No more headers are taken than a request can carry. */
static void
forwarded_headers_have_a_limit(void **state)
{
    static char list[1024];
    const char *environment[] = {SECRET, UPSTREAM, list, NULL};
    static struct heard heard;
    struct config *config = NULL;
    size_t len;

    (void)state;
    /* One that passes anyway is not counted. */
    len = (size_t)snprintf(list, sizeof(list),
                           "POSTERN_FORWARD_HEADERS=user_agent");
    for (int i = 0; i < CONFIG_FORWARD_MAX; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, " x-%d", i);
    assert_int_equal(make(&config, environment, &heard), PST_OK);
    assert_int_equal(config->forward_header_count, CONFIG_FORWARD_MAX);
    expect_text("first", config->forward_headers[0], "x-0");
    config_free(&config);
    snprintf(list + len, sizeof(list) - len, " x-more");
    assert_int_equal(make(&config, environment, &heard), PST_BAD_CONFIG);
    assert_non_null(strstr(heard.error[0], "more than 32"));
}

/* The table keeps its own promises: names, order, and what its help says. */
static void
table_is_sound(void **state)
{
    struct config *fauna = make_good(NULL);
    struct config *vendure = MAKE_GOOD("POSTERN_BACKEND=vendure");

    (void)state;
    for (size_t i = 0; i < config_row_count(); i++) {
        const struct config_row *row = config_row(i);
        size_t help = strlen(row->help);
        char shown[2][256];
        struct pst_buf bufs[2];

        if (strncmp(row->name, "POSTERN_", 8) != 0 &&
            strncmp(row->name, "COOKIE_SESSION_SECRET", 21) != 0)
            fail_msg("%s: a name not of ours", row->name);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(config_row(j)->name, row->name) == 0)
                fail_msg("%s: stands twice", row->name);
            if (strcmp(config_row(j)->group, row->group) == 0 &&
                strcmp(config_row(i - 1)->group, row->group) != 0)
                fail_msg("%s: stands apart from its group", row->name);
        }
        if (!*row->group || !*row->kind || help < 10 ||
            row->help[help - 1] != '.' || strpbrk(row->help, "|\n\t"))
            fail_msg("%s: \"%s\" is no sentence for a table", row->name,
                     row->help);
        if (row->is_secret != (i == 0))
            fail_msg("%s: is it a secret?", row->name);
        pst_buf_init(&bufs[0], shown[0], sizeof(shown[0]));
        pst_buf_init(&bufs[1], shown[1], sizeof(shown[1]));
        config_emit_value(&bufs[0], fauna, i);
        config_emit_value(&bufs[1], vendure, i);
        if (!pst_str_equal(pst_buf_str(&bufs[0]), pst_buf_str(&bufs[1])) &&
            !strstr(row->help, "vendure"))
            fail_msg("%s: differs with vendure, and its help does not say so",
                     row->name);
    }
    config_free(&fauna);
    config_free(&vendure);
}

/* No secret comes out, neither shown nor in what was copied. */
static void
secrets_are_masked(void **state)
{
    struct config *config = make_good(NULL);

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_designed),
        cmocka_unit_test(presets_differ),
        cmocka_unit_test(presets_are_overridden),
        cmocka_unit_test(good_values_are_taken),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(all_is_told_at_once),
        cmocka_unit_test(lists_are_split),
        cmocka_unit_test(values_are_copied),
        cmocka_unit_test(file_and_variable_agree),
        cmocka_unit_test(documents_are_read),
        cmocka_unit_test(several_documents_are_read),
        cmocka_unit_test(manifest_is_named),
        cmocka_unit_test(stores_are_read_from_files),
        cmocka_unit_test(certificates_are_named),
        cmocka_unit_test(huge_values_are_refused),
        cmocka_unit_test(longest_lists_fit),
        cmocka_unit_test(forwarded_headers_have_a_limit),
        cmocka_unit_test(table_is_sound),
        cmocka_unit_test(secrets_are_masked),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}

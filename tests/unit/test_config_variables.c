/* SPDX-License-Identifier: ISC */
/*
 * test_config_variables.c - every variable takes its good values, and refuses
 * others with a reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buffer.h"
#include "configs.h"
#include "server/config.h"

static void
defaults_are_as_designed(void **state)
{
    struct config *config = make_config(NULL);
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
    assert_false(config->ordered);
    assert_null(config->documents);
    assert_false(config->documents_only);
    assert_false(config->documents_send_id);
    assert_int_equal(config->backend.revalidate, 0);
    assert_null(config->backend.refresh.field);
    expect_text("refresh token", config->backend.refresh_token, NULL);
    assert_int_equal(config->backend.secret_name_count, 0);
    assert_int_equal(config->backend.secrets_allowed_count, 0);
    assert_int_equal(config->login_floor_ms, 500);
    assert_int_equal(config->trusted_proxy_count, 0);
    expect_text("origin", config->origin, NULL);
    assert_int_equal(config->origin_count, 0);
    expect_text("login URL", config->login_url, "/login");
    expect_text("login redirect", config->login_redirect, "/");
    expect_text("logout redirect", config->logout_redirect, "/");
    assert_int_equal(config->loops, 0);
    assert_int_equal(config->max_requests, 10000);
    assert_int_equal(config->body_timeout, 30);
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
    struct config *config = make_config(NULL);
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

    config = MAKE_CONFIG("POSTERN_BACKEND=vendure");
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

/* A variable overrides the value of a preset. */
static void
presets_are_overridden(void **state)
{
    struct config *config = MAKE_CONFIG(
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
    {"minutes that are not hours",
     {"POSTERN_LIFETIME=90m"},
     "POSTERN_LIFETIME",
     "90m"},
    {"400 days",
     {"POSTERN_REMEMBER_LIFETIME=400d"},
     "POSTERN_REMEMBER_LIFETIME",
     "400d"},
    {"no draining", {"POSTERN_DRAIN=0"}, "POSTERN_DRAIN", "0"},
    {"a loop for each processor", {"POSTERN_LOOPS=0"}, "POSTERN_LOOPS", "0"},
    {"many loops", {"POSTERN_LOOPS=256"}, "POSTERN_LOOPS", "256"},
    {"many requests",
     {"POSTERN_MAX_REQUESTS=1000000"},
     "POSTERN_MAX_REQUESTS",
     "1000000"},
    {"a long time for a body",
     {"POSTERN_BODY_TIMEOUT=3600"},
     "POSTERN_BODY_TIMEOUT",
     "1h"},
    {"plain bytes", {"POSTERN_MAX_BODY=65536"}, "POSTERN_MAX_BODY", "64K"},
    {"odd bytes", {"POSTERN_MAX_BODY=65537"}, "POSTERN_MAX_BODY", "65537"},
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
    {"no total timeout",
     {"POSTERN_TOTAL_TIMEOUT=off"},
     "POSTERN_TOTAL_TIMEOUT",
     "off"},
    {"total timeout",
     {"POSTERN_TOTAL_TIMEOUT=2m"},
     "POSTERN_TOTAL_TIMEOUT",
     "2m"},
    {"Unix socket upstream",
     {"POSTERN_UPSTREAM=unix:/run/api.sock:/graphql"},
     "POSTERN_UPSTREAM",
     "unix:/run/api.sock:/graphql"},
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
    {"no link", {NULL}, "POSTERN_REGISTER_URL", "(not set)"},
    {"a link",
     {"POSTERN_REGISTER_URL=/register"},
     "POSTERN_REGISTER_URL",
     "/register"},
    {"a link to another site",
     {"POSTERN_RESET_URL=https://shop.example/reset?a"},
     "POSTERN_RESET_URL",
     "https://shop.example/reset?a"},
    {"no texts", {NULL}, "POSTERN_TEXTS", "(not set)"},
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
    {"log of the machine", {"POSTERN_LOG=syslog"}, "POSTERN_LOG", "syslog"},
    {"log of systemd", {"POSTERN_LOG=journald"}, "POSTERN_LOG", "journald"},
    {"an address that is an origin",
     {"POSTERN_ORIGIN=http://localhost:8080"},
     "POSTERN_ORIGIN",
     "http://localhost:8080"},
    {"other names are not ours",
     {"HTTP_POSTERN_X=1", "PATH=a", "PATH=b", "="},
     "POSTERN_LOG",
     "stderr"},
};

/* The base environment. A variable in `set` replaces the base variable. */
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
        static struct config_errors errors;
        struct config *config = NULL;

        fill(environment, row->set, PST_COUNT(row->set));
        if (load_config(&config, environment, &errors) != PST_OK)
            fail_msg("%s: %s %s", row->name, errors.variable[0],
                     errors.message[0]);
        expect_display(config, row->variable, row->shown);
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
    {"secret of 31 bytes",
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
    {"control character in a secret",
     {"COOKIE_SESSION_SECRET=" SECRET_VALUE "\x01"},
     "COOKIE_SESSION_SECRET",
     "control character"},
    {"both forms of the secret",
     {SECRET_FILE "/tmp/secret"},
     "COOKIE_SESSION_SECRET",
     "set only one"},
    {"missing secret file",
     {"COOKIE_SESSION_SECRET=", SECRET_FILE "/nonexistent/secret"},
     "COOKIE_SESSION_SECRET_FILE",
     "No such file"},
    {"secret file is a folder",
     {"COOKIE_SESSION_SECRET=", SECRET_FILE "/tmp"},
     "COOKIE_SESSION_SECRET_FILE",
     "not a regular file"},
    {"secret file is a device",
     {"COOKIE_SESSION_SECRET=", SECRET_FILE "/dev/zero"},
     "COOKIE_SESSION_SECRET_FILE",
     "not a regular file"},
    {"control character in the secret file's name",
     {"COOKIE_SESSION_SECRET=", SECRET_FILE "/tmp/a\nb"},
     "COOKIE_SESSION_SECRET_FILE",
     "control character"},
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
     "is an unknown variable: see"},
    {"unknown variable, empty",
     {"POSTERN_XYZZY="},
     "POSTERN_XYZZY",
     "is an unknown variable: see"},
    {"unknown variable without a value",
     {"POSTERN_XYZZY"},
     "POSTERN_XYZZY",
     "is an unknown variable: see"},
    {"nothing behind our prefix",
     {"POSTERN_=1"},
     "POSTERN_",
     "is an unknown variable: see"},
    {"lower case is another name",
     {"POSTERN_origin=https://a.example"},
     "POSTERN_origin",
     "is an unknown variable: see"},
    {"a name that would forge a line",
     {"POSTERN_A\nB=1"},
     "POSTERN_A\\x0aB",
     "is an unknown variable: see"},
    {"a very long name",
     {"POSTERN_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=1"},
     "POSTERN_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
     "is an unknown variable: see"},
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
     "control character"},
    {"tab in a value",
     {"POSTERN_AUDIENCE=a\tb"},
     "POSTERN_AUDIENCE",
     "control character"},
    {"delete in a value",
     {"POSTERN_AUDIENCE=a\x7f"},
     "POSTERN_AUDIENCE",
     "control character"},
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
     "not the name of a header"},
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
     "has its prefix in the wrong case: write __Host-"},
    {"long prefix in another case",
     {"POSTERN_COOKIE_NAME=__Host-HTTP-a"},
     "POSTERN_COOKIE_NAME",
     "has its prefix in the wrong case: write __Host-Http-"},
    {"only a prefix",
     {"POSTERN_COOKIE_NAME=__Secure-"},
     "POSTERN_COOKIE_NAME",
     "only a prefix: add a name"},
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
    {"a bad switch is reported once",
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
     "not a duration"},
    {"duration with a sign",
     {"POSTERN_DRAIN=-1"},
     "POSTERN_DRAIN",
     "not a duration"},
    {"duration in weeks",
     {"POSTERN_DRAIN=1w"},
     "POSTERN_DRAIN",
     "not a duration"},
    {"duration of a unit alone",
     {"POSTERN_DRAIN=s"},
     "POSTERN_DRAIN",
     "not a duration"},
    {"duration with two units",
     {"POSTERN_DRAIN=1ms"},
     "POSTERN_DRAIN",
     "not a duration"},
    {"duration with a space",
     {"POSTERN_DRAIN=30 s"},
     "POSTERN_DRAIN",
     "not a duration"},
    {"duration in halves",
     {"POSTERN_LIFETIME=1.5h"},
     "POSTERN_LIFETIME",
     "not a duration"},
    {"duration that wraps",
     {"POSTERN_LIFETIME=200000000000000d"},
     "POSTERN_LIFETIME",
     "not a duration"},
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
    {"a bad clock is reported once",
     {"POSTERN_IDLE_TIMEOUT=24h", "POSTERN_LIFETIME=long"},
     "POSTERN_LIFETIME",
     "not a duration"},
    {"timeout",
     {"POSTERN_CONNECT_TIMEOUT=2h"},
     "POSTERN_CONNECT_TIMEOUT",
     "between 1s and 1h"},
    {"total timeout",
     {"POSTERN_TOTAL_TIMEOUT=0"},
     "POSTERN_TOTAL_TIMEOUT",
     "between 1s and 1h"},
    {"size", {"POSTERN_MAX_BODY=32MB"}, "POSTERN_MAX_BODY", "not a size"},
    {"size in lower case",
     {"POSTERN_MAX_BODY=32m"},
     "POSTERN_MAX_BODY",
     "not a size"},
    {"size too small",
     {"POSTERN_MAX_BODY=0"},
     "POSTERN_MAX_BODY",
     "between 1K and 64G"},
    {"number", {"POSTERN_LOOPS=many"}, "POSTERN_LOOPS", "not a whole number"},
    {"number with a unit",
     {"POSTERN_LOOPS=1K"},
     "POSTERN_LOOPS",
     "not a whole number"},
    {"too many loops",
     {"POSTERN_LOOPS=257"},
     "POSTERN_LOOPS",
     "between 0 and 256"},
    {"no requests",
     {"POSTERN_MAX_REQUESTS=0"},
     "POSTERN_MAX_REQUESTS",
     "between 1 and 1000000"},
    {"no time for a body",
     {"POSTERN_BODY_TIMEOUT=0"},
     "POSTERN_BODY_TIMEOUT",
     "between 1s and 1h"},
    {"no upstream", {"POSTERN_UPSTREAM="}, "POSTERN_UPSTREAM", "is not set"},
    {"upstream with another scheme",
     {"POSTERN_UPSTREAM=ftp://a/"},
     "POSTERN_UPSTREAM",
     "http:// or https://"},
    {"upstream with CR",
     {"POSTERN_UPSTREAM=http://a.example/\r"},
     "POSTERN_UPSTREAM",
     "control character"},
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
     "not a regular file"},
    {"missing certificates",
     {"POSTERN_UPSTREAM_CA=/nonexistent/ca.pem"},
     "POSTERN_UPSTREAM_CA",
     "No such file"},
    {"token in a named cookie",
     {"POSTERN_UPSTREAM_TOKEN=cookie:session"},
     "POSTERN_UPSTREAM_TOKEN",
     "is not one of"},
    {"bad pointer",
     {"POSTERN_SUBJECT=/data/login/ownerId"},
     "POSTERN_SUBJECT",
     "must not begin with a slash"},
    {"bad escape", {"POSTERN_TTL=a~"}, "POSTERN_TTL", "write ~0 for ~"},
    {"a subject that the login document does not select",
     {"POSTERN_SUBJECT=id"},
     "POSTERN_SUBJECT",
     "names the field id, which the login document does not select"},
    {"a name that the who document does not select",
     {"POSTERN_NAME=email", "POSTERN_BACKEND=vendure"},
     "POSTERN_NAME",
     "names the field email, which the who document does not select"},
    {"a ttl that no document selects",
     {"POSTERN_TTL=end", "POSTERN_BACKEND=vendure"},
     "POSTERN_TTL",
     "names the field end, "},
    {"L53: a token in a cookie, no who document",
     {"POSTERN_UPSTREAM_TOKEN=cookie"},
     "POSTERN_WHO_DOCUMENT",
     "is not set"},
    {"revalidation, no who document",
     {"POSTERN_REVALIDATE=15m"},
     "POSTERN_REVALIDATE",
     "needs POSTERN_WHO_DOCUMENT"},
    {"a pointer to a refresh token, and no document",
     {"POSTERN_REFRESH_TOKEN=email"},
     "POSTERN_REFRESH_DOCUMENT",
     "is not set"},
    {"a pointer that begins with a slash",
     {"POSTERN_REFRESH_TOKEN=/email"},
     "POSTERN_REFRESH_TOKEN",
     "slash"},
    {"a refresh document that is not there",
     {"POSTERN_REFRESH_DOCUMENT=/nonexistent/refresh"},
     "POSTERN_REFRESH_DOCUMENT",
     "/nonexistent/refresh"},
    {"asking again at once",
     {"POSTERN_REVALIDATE=0"},
     "POSTERN_REVALIDATE",
     "between 1s and 400d"},
    {"a secret that is not a field",
     {"POSTERN_SECRET_FIELDS=refresh-token"},
     "POSTERN_SECRET_FIELDS",
     "not the name of a GraphQL field"},
    {"a secret allowed in no type",
     {"POSTERN_SECRET_FIELDS_ALLOWED=checkout.token"},
     "POSTERN_SECRET_FIELDS_ALLOWED",
     "must begin with query."},
    {"a password in no type",
     {"POSTERN_PASSWORD_FIELDS=Mutation.changePassword"},
     "POSTERN_PASSWORD_FIELDS",
     "must begin with query."},
    {"L67: a parameter that is part of the request",
     {"POSTERN_FORWARD_PARAMETERS=lang,query"},
     "POSTERN_FORWARD_PARAMETERS",
     "'query' is part of the GraphQL request"},
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
     "not a duration: write it like 500ms"},
    {"a proxy by its name",
     {"POSTERN_TRUSTED_PROXIES=10.0.0.1 proxy.example"},
     "POSTERN_TRUSTED_PROXIES",
     "'proxy.example' is not an IP address"},
    {"upstream logout",
     {"POSTERN_UPSTREAM_LOGOUT=sometimes"},
     "POSTERN_UPSTREAM_LOGOUT",
     "always, everywhere, never"},
    {"forwarding no token",
     {"POSTERN_FORWARD_HEADERS=a:b"},
     "POSTERN_FORWARD_HEADERS",
     "not the name of a header"},
    {"forwarding our token header",
     {"POSTERN_FORWARD_HEADERS=Vendure-Auth-Token"},
     "POSTERN_FORWARD_HEADERS",
     "header of the token"},
    {"forwarding the backend's token header",
     {"POSTERN_FORWARD_HEADERS=x_tok", "POSTERN_UPSTREAM_TOKEN=header:X-Tok",
      "POSTERN_BACKEND=vendure"},
     "POSTERN_FORWARD_HEADERS",
     "header of the token"},
    {"forwarding twice",
     {"POSTERN_FORWARD_HEADERS=x-a,X_A"},
     "POSTERN_FORWARD_HEADERS",
     "twice"},
    {"an empty list",
     {"POSTERN_FORWARD_HEADERS= , "},
     "POSTERN_FORWARD_HEADERS",
     "must be a list"},
    {"origin with a slash",
     {"POSTERN_ORIGIN=https://shop.example/"},
     "POSTERN_ORIGIN",
     "set it to https://shop.example"},
    {"any origin",
     {"POSTERN_ORIGINS=*"},
     "POSTERN_ORIGINS",
     "allow every page"},
    {"one bad origin of two",
     {"POSTERN_ORIGINS=https://a.example,https://B.example"},
     "POSTERN_ORIGINS",
     "set it to https://b.example"},
    {"L11: login URL elsewhere",
     {"POSTERN_LOGIN_URL=https://evil.example/"},
     "POSTERN_LOGIN_URL",
     "not a path on this site"},
    {"L11: login redirect elsewhere",
     {"POSTERN_LOGIN_REDIRECT=//evil.example"},
     "POSTERN_LOGIN_REDIRECT",
     "not a path on this site"},
    {"L14: logout redirect elsewhere",
     {"POSTERN_LOGOUT_REDIRECT=/\\evil.example"},
     "POSTERN_LOGOUT_REDIRECT",
     "not a path on this site"},
    {"no such store",
     {"POSTERN_STORE=memcached://localhost"},
     "POSTERN_STORE",
     ""},
    {"both forms of the store",
     {"POSTERN_STORE=none", STORE_FILE "/tmp/store"},
     "POSTERN_STORE_FILE",
     "set only one"},
    {"missing file of the store",
     {STORE_FILE "/nonexistent/store"},
     "POSTERN_STORE_FILE",
     "No such file"},
    {"file of the store is a folder",
     {STORE_FILE "/tmp"},
     "POSTERN_STORE_FILE",
     "not a regular file"},
    {"a rate without a time",
     {"POSTERN_LOGIN_PER_ACCOUNT=10"},
     "POSTERN_LOGIN_PER_ACCOUNT",
     ""},
    {"a cap without a store",
     {"POSTERN_STORE=none", "POSTERN_MAX_SESSIONS=3"},
     "POSTERN_MAX_SESSIONS",
     "POSTERN_STORE"},
    {"order without a store",
     {"POSTERN_STORE=none", "POSTERN_ORDERED=on"},
     "POSTERN_ORDERED",
     "POSTERN_STORE"},
    {"order that is neither on nor off",
     {"POSTERN_ORDERED=yes"},
     "POSTERN_ORDERED",
     "on"},
    {"a link that is a script",
     {"POSTERN_REGISTER_URL=javascript:alert(1)"},
     "POSTERN_REGISTER_URL",
     "neither a path on this site nor an https:// URL"},
    {"a link by http",
     {"POSTERN_RESET_URL=http://shop.example/reset"},
     "POSTERN_RESET_URL",
     "neither a path on this site nor an https:// URL"},
    {"missing texts",
     {"POSTERN_TEXTS=/nonexistent/texts"},
     "POSTERN_TEXTS",
     "/nonexistent/texts cannot be read: No such file"},
    {"texts in a file",
     {"POSTERN_TEXTS=/dev/null"},
     "POSTERN_TEXTS",
     "/dev/null cannot be read: Not a directory"},
    {"log to nowhere", {"POSTERN_LOG=syslogd"}, "POSTERN_LOG", "absolute path"},
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
        static struct config_errors errors;
        struct config *config = NULL;
        enum pst_err e;

        fill(environment, row->set, PST_COUNT(row->set));
        e = load_config(&config, environment, &errors);
        if (e != PST_BAD_CONFIG || config || errors.count != 1 ||
            strcmp(errors.variable[0], row->variable) != 0 ||
            !strstr(errors.message[0], row->error) ||
            strstr(errors.message[0], SECRET_VALUE))
            fail_msg("%s: %s, %zu errors, %s %s", row->name, pst_err_code(e),
                     errors.count, errors.variable[0], errors.message[0]);
    }
}

/* The table has valid names, order and help texts. */
static void
table_is_sound(void **state)
{
    struct config *fauna = make_config(NULL);
    struct config *vendure = MAKE_CONFIG("POSTERN_BACKEND=vendure");

    (void)state;
    for (size_t i = 0; i < config_row_count(); i++) {
        const struct config_row *row = config_row(i);
        size_t help = strlen(row->help);
        char shown[2][256];
        struct pst_buf bufs[2];

        if (strncmp(row->name, "POSTERN_", 8) != 0 &&
            strncmp(row->name, "COOKIE_SESSION_SECRET", 21) != 0)
            fail_msg("%s: a name without our prefix", row->name);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(config_row(j)->name, row->name) == 0)
                fail_msg("%s: listed twice", row->name);
            if (strcmp(config_row(j)->group, row->group) == 0 &&
                strcmp(config_row(i - 1)->group, row->group) != 0)
                fail_msg("%s: separate from its group", row->name);
        }
        if (!*row->group || !*row->kind || help < 10 ||
            row->help[help - 1] != '.' || strpbrk(row->help, "|\n\t"))
            fail_msg("%s: '%s' is not a sentence for a table", row->name,
                     row->help);
        if (row->is_secret !=
            (strcmp(row->name, "COOKIE_SESSION_SECRET") == 0 ||
             strcmp(row->name, "POSTERN_STORE") == 0))
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_designed),
        cmocka_unit_test(presets_differ),
        cmocka_unit_test(presets_are_overridden),
        cmocka_unit_test(good_values_are_taken),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(table_is_sound),
    };

    return cmocka_run_group_tests_name("config_variables", tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * check_settings.c - warn, for `postern check`, of settings that are allowed
 * and probably not meant.
 */
#include "check_settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "gateway/secure_cookie.h"
#include "print.h"
#include "server/config_backend.h"

/* 2025-01-01: a clock that is behind it is wrong. */
#define CLOCK_MIN 1735689600

/* A browser drops a Secure cookie that comes over http, and says nothing: the
 * user logs in, and is asked to log in again. */
static void
check_secure_cookie(const struct config *config)
{
    if (!(config->methods & TOKEN_METHOD_COOKIE) || !config->cookie.secure ||
        !pst_str_starts(config->origin, PST_STR("http://")))
        return;
    if (secure_cookie_is_loopback(config->origin))
        puts("POSTERN_ORIGIN is http:// on this machine: Chrome and Firefox "
             "keep a Secure cookie there, Safari does not "
             "(POSTERN_COOKIE_SECURE=off, for a try only)");
    else
        print_error_line(
            "warning: POSTERN_ORIGIN: is %.*s, and POSTERN_COOKIE_SECURE is "
            "on: browsers drop a Secure cookie that comes over http, so that a "
            "login has no effect. Serve the site over https; or, for a try "
            "only, set POSTERN_COOKIE_SECURE=off",
            (int)config->origin.len, config->origin.ptr);
}

static void
check_origin_behind_proxy(const struct config *config)
{
    if (config->trusted_proxy_count > 0 && pst_str_is_absent(config->origin))
        print_error_line(
            "warning: POSTERN_ORIGIN: is not set, but POSTERN_TRUSTED_PROXIES "
            "is: behind a proxy the web server's own name, port or scheme may "
            "not be those that browsers see, and every POST would be refused "
            "as cross-site. Set it, such as https://shop.example");
}

/* The variable that gave the cookie another variant than the default one, or
 * NULL. */
static const char *
find_cookie_variant(const struct pst_cookie *cookie)
{
    if (cookie->partitioned)
        return "POSTERN_COOKIE_PARTITIONED";
    if (!pst_str_is_absent(cookie->domain))
        return "POSTERN_COOKIE_DOMAIN";
    if (!pst_str_equal(cookie->path, PST_STR("/")))
        return "POSTERN_COOKIE_PATH";
    return NULL;
}

/* Older cookies of the same name, which browsers send beside the new one. With
 * a store, a login or a logout ends their sessions. Without it nothing does. */
static void
check_cookie_variants(const struct config *config)
{
    const char *variable = find_cookie_variant(&config->cookie);
    struct pst_str name = config->cookie.name;

    if (!variable || !(config->methods & TOKEN_METHOD_COOKIE))
        return;
    if (config->store.kind == STORE_NONE)
        print_error_line(
            "warning: %s: is set, and there is no store: if it was changed "
            "while people were logged in, their browsers still send an older "
            "cookie %.*s. It stays valid after a logout, and beside a new "
            "login both count as none: change POSTERN_COOKIE_NAME together "
            "with it, or set POSTERN_STORE",
            variable, (int)name.len, name.ptr);
    else
        printf("if %s was changed while people were logged in, their browsers "
               "also send an older cookie %.*s: it keeps them logged in until "
               "the next login or logout, which ends its session\n",
               variable, (int)name.len, name.ptr);
}

/* Does the name of a field sound like a secret? */
static bool
sounds_secret(struct pst_str name)
{
    static const char *const words[] = {"token", "secret", "jwt", "password"};

    for (size_t at = 0; at < name.len; at++)
        for (size_t i = 0; i < PST_COUNT(words); i++)
            if (pst_str_starts_nocase(pst_str_skip(name, at),
                                      pst_str_from(words[i])))
                return true;
    return false;
}

/* A token that a document selects, beside the one of POSTERN_UPSTREAM_TOKEN. A
 * session's public fields, or a client's own login, would show it. */
static void
check_selected_secrets(const struct config_backend *backend,
                       const char *document,
                       const struct pst_graphql_selection *selection)
{
    for (; selection; selection = selection->next) {
        bool is_leaf =
            selection->kind == PST_GRAPHQL_FIELD && !selection->selections;

        if (is_leaf && sounds_secret(selection->name) &&
            !config_backend_is_secret(backend, selection->name))
            print_error_line(
                "warning: POSTERN_SECRET_FIELDS: the %s document selects "
                "%.*s, which clients may see: if it is a secret, add it to "
                "this variable",
                document, (int)selection->name.len, selection->name.ptr);
        check_selected_secrets(backend, document,
                               selection->kind == PST_GRAPHQL_SPREAD
                                   ? selection->fragment->selections
                                   : selection->selections);
    }
}

static void
check_secret_fields(const struct config_backend *backend)
{
    for (size_t i = 0; i < backend->login_count; i++)
        check_selected_secrets(backend, "login",
                               backend->logins[i].field->selections);
    if (backend->who.field)
        check_selected_secrets(backend, "who", backend->who.field->selections);
}

/* POSTERN_ names that do not exist are errors. These may belong to others. */
static void
check_secret_names(void)
{
    for (char **at = environ; *at; at++) {
        struct pst_str name = pst_str_first(
            pst_str_from(*at), pst_str_index(pst_str_from(*at), '='));

        if (pst_str_starts(name, PST_STR("COOKIE_SESSION_")) &&
            !pst_str_equal(name, PST_STR("COOKIE_SESSION_SECRET")) &&
            !pst_str_equal(name, PST_STR("COOKIE_SESSION_SECRET_FILE")))
            print_error_line(
                "warning: %.*s: is unknown: did you mean COOKIE_SESSION_SECRET "
                "or COOKIE_SESSION_SECRET_FILE?",
                (int)name.len, name.ptr);
    }
}

static void
check_sandbox(const struct config *config)
{
    if (!config->sandbox)
        print_error_line(
            "warning: POSTERN_SANDBOX: is off: somebody who takes over a "
            "program can use all files and networks that its user can");
}

void
check_settings(const struct config *config)
{
    if (geteuid() == 0)
        puts("this is root, who may read and write everything: to try what the "
             "programs may, run it as their user (runuser -u postern -- ...)");
    check_secret_names();
    check_secure_cookie(config);
    check_origin_behind_proxy(config);
    check_cookie_variants(config);
    check_secret_fields(&config->backend);
    check_sandbox(config);
}

void
check_clock(int64_t now, int64_t backend)
{
    int64_t difference = now > backend ? now - backend : backend - now;

    if (now < CLOCK_MIN)
        print_error_line("warning: the clock of this machine is behind: set it "
                         "(NTP)");
    else if (backend >= 0 && difference > PST_CLOCK_SKEW_MAX)
        print_error_line("warning: the clocks of this machine and of the "
                         "backend differ by %lld seconds: set the wrong one "
                         "(NTP), or sessions end at the wrong time",
                         (long long)difference);
}

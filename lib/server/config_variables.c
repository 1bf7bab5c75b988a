/* SPDX-License-Identifier: ISC */
/*
 * config_variables.c - the table of all environment variables: name, kind,
 * default, help, and the field of struct config that each one sets.
 */
#include "server/config_variables.h"

#include "base/limits.h"
#include "server/config.h"
#include "server/config_cookie.h"
#include "server/config_files.h"
#include "server/config_keywords.h"
#include "server/config_names.h"
#include "server/config_store.h"
#include "server/config_texts.h"
#include "server/config_values.h"
#include "server/page_texts.h"

#define TIMEOUT_MAX 3600 /* seconds */
#define LOOPS_MAX 256
#define MAX_REQUESTS_MAX 1000000
#define MAX_BODY_MIN 1024
#define MAX_JSON_MIN (64L * 1024)
#define MAX_JSON_MAX (64L * 1024 * 1024)
#define MAX_HELD_MIN (1024L * 1024)
#define LOGIN_FLOOR_MAX 10000 /* milliseconds */
#define MAX_BODY_MAX (64L * 1024 * 1024 * 1024)

/* The parts of a row: its name and texts, and the field that it sets. */
#define ROW(row_name, row_group, row_default, row_help) \
    .row.name = (row_name), .row.group = (row_group),   \
    .row.default_value = (row_default), .row.help = (row_help)
#define FIELD(row_kind, read_function, field)        \
    .row.kind = (row_kind), .read = (read_function), \
    .offset = offsetof(struct config, field)
#define DURATION(field, lowest, highest)                             \
    FIELD("duration", config_read_duration, field), .min = (lowest), \
                                                    .max = (highest)
#define KEYWORD(field, keyword_list) \
    FIELD("word", config_read_keyword, field), .keywords = (keyword_list)
#define BOOLEAN(field, keyword_list) \
    FIELD("word", config_read_bool, field), .keywords = (keyword_list)
#define SWITCH(field) \
    FIELD("switch", config_read_bool, field), .keywords = switch_keywords
#define STRING(kind_name, field, check_function) \
    FIELD(kind_name, config_read_text, field), .check = (check_function)
#define POINTER(field) \
    FIELD("pointer", config_read_pointer, field), .check = config_check_pointer
#define SIZE(field, lowest, highest) \
    FIELD("size", config_read_size, field), .min = (lowest), .max = (highest)
#define LIST(field, count, check_function)  \
    FIELD("list", config_read_list, field), \
        .check = (check_function),          \
        .second_offset = offsetof(struct config, count)

const struct config_entry config_variables[] = {
    {ROW("COOKIE_SESSION_SECRET", CONFIG_GROUP_TOKEN, "",
         "The secrets that seal sessions, at least 32 bytes each, "
         "separated by white space: the first one seals, all of them open."),
     .row.kind = "secret", .row.is_secret = true},
    {ROW("COOKIE_SESSION_SECRET_FILE", CONFIG_GROUP_TOKEN, "",
         "A file that contains the secrets instead; it must not be "
         "readable by everybody."),
     .row.kind = "file"},
    {ROW("POSTERN_TOKEN_METHOD", CONFIG_GROUP_TOKEN, "cookie",
         "Where clients send the token: cookie, bearer, or cookie,bearer."),
     FIELD("word", config_read_flags, methods),
     .keywords = token_method_keywords},
    {ROW("POSTERN_TOKEN_FORMAT", CONFIG_GROUP_TOKEN, "sealed",
         "sealed (JWE, encrypted) or signed (JWS: other programs can read "
         "the claims, but not the backend's token)."),
     KEYWORD(format, token_format_keywords)},
    {ROW("POSTERN_DEAD_BEARER", CONFIG_GROUP_TOKEN, "refuse",
         "How a request with a bearer token that does not open is treated:"
         " refuse (401), or guest (no session; the default with vendure)."),
     .vendure_default = "guest",
     BOOLEAN(dead_bearer_is_guest, dead_bearer_keywords)},
    {ROW("POSTERN_AUTH_TOKEN_HEADER", CONFIG_GROUP_TOKEN, "vendure-auth-token",
         "The response header that contains a new bearer token."),
     FIELD("header", config_read_lower_case, auth_token_header),
     .check = config_check_token_header},
    {ROW("POSTERN_AUDIENCE", CONFIG_GROUP_TOKEN, "",
         "A name of the site that goes into its keys, so that its tokens do "
         "not open on another site; if unset, the cookie's name without its "
         "prefix."),
     STRING("text", audience, config_check_audience)},

    {ROW("POSTERN_COOKIE_NAME", CONFIG_GROUP_COOKIE, "session",
         "The cookie's name; the prefix __Host-Http- or __Secure- is added"
         " if the attributes allow it."),
     STRING("text", cookie.name, config_check_cookie_name)},
    {ROW("POSTERN_COOKIE_DOMAIN", CONFIG_GROUP_COOKIE, "",
         "The cookie's Domain; if unset, only this exact host gets the "
         "cookie."),
     STRING("text", cookie.domain, config_check_cookie_domain)},
    {ROW("POSTERN_COOKIE_PATH", CONFIG_GROUP_COOKIE, "/", "The cookie's Path."),
     STRING("text", cookie.path, config_check_cookie_path)},
    {ROW("POSTERN_COOKIE_SECURE", CONFIG_GROUP_COOKIE, "on",
         "Whether the cookie is sent over https only."),
     SWITCH(cookie.secure)},
    {ROW("POSTERN_COOKIE_SAMESITE", CONFIG_GROUP_COOKIE, "Lax",
         "The cookie's SameSite: Lax, Strict, or None, which needs Secure."),
     KEYWORD(cookie.same_site, same_site_keywords)},
    {ROW("POSTERN_COOKIE_PARTITIONED", CONFIG_GROUP_COOKIE, "off",
         "Whether the cookie is Partitioned, which needs SameSite=None."),
     SWITCH(cookie.partitioned)},

    {ROW("POSTERN_IDLE_TIMEOUT", CONFIG_GROUP_CLOCKS, "30m",
         "How long a session lives without a request."),
     DURATION(timeouts.idle, 1, PST_LIFETIME_MAX)},
    {ROW("POSTERN_LIFETIME", CONFIG_GROUP_CLOCKS, "12h",
         "How long a session lives after the login, even if it is used."),
     DURATION(timeouts.lifetime, 1, PST_LIFETIME_MAX)},
    {ROW("POSTERN_REMEMBER_LIFETIME", CONFIG_GROUP_CLOCKS, "30d",
         "The same for a user who asked to stay logged in."),
     DURATION(timeouts.remember, 1, PST_LIFETIME_MAX)},
    {ROW("POSTERN_GUEST_LIFETIME", CONFIG_GROUP_CLOCKS, "30d",
         "The same for the session of a guest (365d with vendure)."),
     .vendure_default = "365d", DURATION(timeouts.guest, 1, PST_LIFETIME_MAX)},

    {ROW("POSTERN_UPSTREAM", CONFIG_GROUP_BACKEND, "",
         "The URL to which GraphQL requests are forwarded: http://, https:// "
         "or, for a Unix socket, unix:/run/api.sock:/graphql; required."),
     STRING("URL", upstream, config_check_url)},
    {ROW("POSTERN_BACKEND", CONFIG_GROUP_BACKEND, "fauna",
         "The kind of backend, fauna or vendure, which changes some "
         "defaults."),
     KEYWORD(backend.preset, preset_keywords)},
    {ROW("POSTERN_LOGIN_DOCUMENT", CONFIG_GROUP_BACKEND, "",
         "Files with the login mutations, the first one by e-mail address "
         "or user name and password; if unset, those of the kind of "
         "backend."),
     FIELD("files", config_read_documents, backend.login_texts),
     .second_offset = offsetof(struct config, backend.login_text_count)},
    {ROW("POSTERN_WHO_DOCUMENT", CONFIG_GROUP_BACKEND, "",
         "A file with the query that asks the backend for the user of a "
         "token; if unset, that of the kind of backend."),
     FIELD("file", config_read_document, backend.who_text)},
    {ROW("POSTERN_LOGOUT_DOCUMENT", CONFIG_GROUP_BACKEND, "",
         "A file with the logout mutation; if unset, that of the kind of "
         "backend."),
     FIELD("file", config_read_document, backend.logout_text)},
    {ROW("POSTERN_UPSTREAM_TOKEN", CONFIG_GROUP_BACKEND, "json:secret",
         "Where the backend returns its token: json:POINTER, header:NAME "
         "(header:vendure-auth-token with vendure), or cookie, for a "
         "backend that uses cookies itself."),
     .vendure_default = "header:vendure-auth-token",
     FIELD("place", config_read_token_location, backend.token_location),
     .second_offset = offsetof(struct config, backend.token),
     .keywords = token_location_keywords, .check = config_check_token_location},
    {ROW("POSTERN_SECRET_FIELDS", CONFIG_GROUP_BACKEND, "",
         "Names of more fields that contain a secret, such as a refresh "
         "token: no client may select them."),
     LIST(backend.secret_names, backend.secret_name_count,
          config_check_field_name)},
    {ROW("POSTERN_SECRET_FIELDS_ALLOWED", CONFIG_GROUP_BACKEND, "",
         "Root fields, such as query.checkout, below which such a field is"
         " not a secret."),
     LIST(backend.secrets_allowed, backend.secrets_allowed_count,
          config_check_root_field)},
    {ROW("POSTERN_PASSWORD_FIELDS", CONFIG_GROUP_BACKEND, "",
         "Root fields that check a password and are not a login "
         "(mutation.updateCustomerPassword and "
         "mutation.requestUpdateCustomerEmailAddress with vendure)."),
     .vendure_default = "mutation.updateCustomerPassword "
                        "mutation.requestUpdateCustomerEmailAddress",
     LIST(backend.password_fields, backend.password_field_count,
          config_check_root_field)},
    {ROW("POSTERN_REFRESH_DOCUMENT", CONFIG_GROUP_BACKEND, "",
         "A file with the mutation that replaces an expiring token, with the "
         "variable $refreshToken; needs a store, POSTERN_REFRESH_TOKEN and "
         "POSTERN_TTL."),
     FIELD("file", config_read_document, backend.refresh_text)},
    {ROW("POSTERN_REFRESH_TOKEN", CONFIG_GROUP_BACKEND, "",
         "The path of the refresh token below the root field, in the answers "
         "to the login and to the refresh document."),
     POINTER(backend.refresh_token)},
    {ROW("POSTERN_REVALIDATE", CONFIG_GROUP_BACKEND, "off",
         "How often the backend is asked again for the user of a session's"
         " token, or off."),
     FIELD("duration", config_read_optional_duration, backend.revalidate),
     .min = 1, .max = PST_LIFETIME_MAX},
    {ROW("POSTERN_SUBJECT", CONFIG_GROUP_BACKEND, "ownerId",
         "The path of the user's id below the root field, in the answer to"
         " the who document or, without one, to the login (id with "
         "vendure)."),
     .vendure_default = "id", POINTER(backend.subject)},
    {ROW("POSTERN_NAME", CONFIG_GROUP_BACKEND, "email",
         "The path of the user's name, as it is shown to people, in the "
         "same answer (identifier with vendure)."),
     .vendure_default = "identifier", POINTER(backend.name)},
    {ROW("POSTERN_TTL", CONFIG_GROUP_BACKEND, "ttl",
         "The path of the time when the backend's token expires, in one of"
         " these answers (none with vendure)."),
     .vendure_default = "", POINTER(backend.ttl)},
    {ROW("POSTERN_UPSTREAM_LOGOUT", CONFIG_GROUP_BACKEND, "always",
         "When the backend's own logout is called: always, everywhere "
         "(only for a logout everywhere; the default with vendure), or "
         "never."),
     .vendure_default = "everywhere",
     KEYWORD(upstream_logout, logout_keywords)},
    {ROW("POSTERN_DOCUMENTS", CONFIG_GROUP_BACKEND, "",
         "A manifest: a JSON file of the documents that clients can "
         "request by id."),
     FIELD("file", config_read_file_name, documents)},
    {ROW("POSTERN_DOCUMENTS_ONLY", CONFIG_GROUP_BACKEND, "off",
         "Whether only documents of the manifest are allowed."),
     SWITCH(documents_only)},
    {ROW("POSTERN_DOCUMENTS_SEND", CONFIG_GROUP_BACKEND, "text",
         "What is sent to the backend for a document of the manifest: its "
         "text, or its id."),
     BOOLEAN(documents_send_id, documents_send_keywords)},
    {ROW("POSTERN_FORWARD_PARAMETERS", CONFIG_GROUP_BACKEND, "",
         "URL parameters that are forwarded, separated by spaces or commas"
         " (languageCode and currencyCode with vendure)."),
     .vendure_default = "languageCode currencyCode",
     LIST(forward_parameters, forward_parameter_count,
          config_check_url_parameter)},
    {ROW("POSTERN_FORWARD_HEADERS", CONFIG_GROUP_BACKEND, "",
         "Request headers that are forwarded in addition to the usual "
         "ones, separated by spaces or commas."),
     LIST(forward_headers, forward_header_count, config_check_forward_header)},
    {ROW("POSTERN_UPSTREAM_CA", CONFIG_GROUP_BACKEND, "",
         "A PEM file of the certificates to trust for the backend; if "
         "unset, those of the system."),
     FIELD("file", config_read_file_name, upstream_ca)},
    {ROW("POSTERN_CONNECT_TIMEOUT", CONFIG_GROUP_BACKEND, "5s",
         "How long connecting to the backend may take."),
     DURATION(connect_timeout, 1, TIMEOUT_MAX)},
    {ROW("POSTERN_FIRST_BYTE_TIMEOUT", CONFIG_GROUP_BACKEND, "30s",
         "How long the backend may take to begin its answer."),
     DURATION(first_byte_timeout, 1, TIMEOUT_MAX)},
    {ROW("POSTERN_BETWEEN_BYTES_TIMEOUT", CONFIG_GROUP_BACKEND, "60s",
         "How long the backend may pause within its answer."),
     DURATION(between_bytes_timeout, 1, TIMEOUT_MAX)},
    {ROW("POSTERN_TOTAL_TIMEOUT", CONFIG_GROUP_BACKEND, "off",
         "How long an answer of the backend may take in all, even if it is a "
         "stream, not counting waits for the client; or off."),
     FIELD("duration", config_read_optional_duration, total_timeout), .min = 1,
     .max = TIMEOUT_MAX},
    {ROW("POSTERN_MAX_BODY", CONFIG_GROUP_BACKEND, "32M",
         "The maximum size of a request's body."),
     SIZE(max_body, MAX_BODY_MIN, MAX_BODY_MAX)},
    {ROW("POSTERN_MAX_JSON", CONFIG_GROUP_BACKEND, "4M",
         "The maximum size of a JSON body, which is read whole."),
     SIZE(max_json, MAX_JSON_MIN, MAX_JSON_MAX)},
    {ROW("POSTERN_MAX_HELD", CONFIG_GROUP_BACKEND, "256M",
         "The maximum memory for the bodies of all requests of one process"
         " together."),
     SIZE(max_held, MAX_HELD_MIN, MAX_BODY_MAX)},
    {ROW("POSTERN_ORDERED", CONFIG_GROUP_BACKEND, "off",
         "Whether the POSTs of one session reach the backend one after "
         "another; needs a store."),
     SWITCH(ordered)},

    {ROW("POSTERN_ORIGIN", CONFIG_GROUP_SITES, "",
         "The site's own origin, such as https://shop.example; if unset, "
         "it is taken from the web server's variables."),
     STRING("origin", origin, config_check_origin)},
    {ROW("POSTERN_ORIGINS", CONFIG_GROUP_SITES, "",
         "Other origins whose pages may use sessions, separated by spaces "
         "or commas."),
     LIST(origins, origin_count, config_check_listed_origin)},
    {ROW("POSTERN_LOGIN_URL", CONFIG_GROUP_SITES, "/login",
         "The path of the login page on this site."),
     STRING("path", login_url, config_check_local_path)},
    {ROW("POSTERN_LOGIN_REDIRECT", CONFIG_GROUP_SITES, "/",
         "The path to redirect to after a form's login, unless the form "
         "has one itself."),
     STRING("path", login_redirect, config_check_local_path)},
    {ROW("POSTERN_LOGOUT_REDIRECT", CONFIG_GROUP_SITES, "/",
         "The path to redirect to after a form's logout."),
     STRING("path", logout_redirect, config_check_local_path)},
    {ROW("POSTERN_CSRF_TOKEN", CONFIG_GROUP_SITES, "checked",
         "How a form without our CSRF token is treated: checked accepts "
         "it, so that sites can use their own form, required refuses it; a"
         " wrong token is always refused."),
     BOOLEAN(csrf_token_required, csrf_token_keywords)},
    {ROW("POSTERN_LOGIN_PAGE", CONFIG_GROUP_SITES, "on",
         "Whether a GET of the login program answers with a form."),
     SWITCH(login_page)},
    {ROW("POSTERN_SITE_NAME", CONFIG_GROUP_SITES, "",
         "The site's name, shown in the login and error pages."),
     STRING("text", site_name, config_check_site_name)},
    {ROW("POSTERN_STYLESHEET", CONFIG_GROUP_SITES, "",
         "The path of a style sheet on this site, which these pages use "
         "after their own."),
     STRING("path", stylesheet, config_check_local_path)},
    {ROW("POSTERN_REGISTER_URL", CONFIG_GROUP_SITES, "",
         "The page where a user creates an account, a path on this site or an "
         "https:// URL; the login form links to it."),
     STRING("url", register_url, config_check_link)},
    {ROW("POSTERN_RESET_URL", CONFIG_GROUP_SITES, "",
         "The same for a user who has forgotten the password."),
     STRING("url", reset_url, config_check_link)},
    {ROW("POSTERN_TEXTS", CONFIG_GROUP_SITES, "",
         "A folder with the texts of these pages, a file for each language "
         "such as en.txt; if unset, English and German."),
     FIELD("folder", config_read_page_texts, texts)},

    {ROW("POSTERN_STORE", CONFIG_GROUP_STORE, STORE_URL_DEFAULT,
         "Where live and ended sessions are stored: lmdb:/directory for "
         "one machine; redis://user:password@host:port/db, "
         "redis+sentinel://host:port,host:port/master/db or unix:/path of a "
         "Redis for several; or none."),
     FIELD("url", config_read_store_url, store), .row.is_secret = true},
    {ROW("POSTERN_STORE_FILE", CONFIG_GROUP_STORE, "",
         "A file that contains the store's URL with its password instead; "
         "it must not be readable by everybody."),
     .row.kind = "file", .read = config_read_store_file},
    {ROW("POSTERN_STORE_GRACE", CONFIG_GROUP_STORE, "0",
         "How long a process accepts a session that the store confirmed to "
         "it, while the store does not answer; for that long, a logout may "
         "not take effect."),
     DURATION(store_grace, 0, TIMEOUT_MAX)},
    {ROW("POSTERN_MAX_SESSIONS", CONFIG_GROUP_STORE, "0",
         "How many sessions one user may have; a new one ends the oldest; "
         "0: no limit."),
     FIELD("number", config_read_number, max_sessions), .min = 0, .max = 1000},
    {ROW("POSTERN_LOGIN_PER_ACCOUNT", CONFIG_GROUP_STORE, "10/15m",
         "How many failed logins an account may have, and in what time, or "
         "off. Unless off, there is also a limit of 100 in a row."),
     FIELD("rate", config_read_rate, login_per_account)},
    {ROW("POSTERN_LOGIN_PER_ADDRESS", CONFIG_GROUP_STORE, "100/15m",
         "The same for a client address (IPv6: a /64), or off."),
     FIELD("rate", config_read_rate, login_per_address)},
    {ROW("POSTERN_LOGIN_FLOOR", CONFIG_GROUP_STORE, "500ms",
         "How long a failed login takes at least, so that its duration "
         "reveals nothing."),
     FIELD("duration", config_read_milliseconds, login_floor_ms), .min = 0,
     .max = LOGIN_FLOOR_MAX},
    {ROW("POSTERN_TRUSTED_PROXIES", CONFIG_GROUP_STORE, "",
         "Addresses or networks of proxies in front of the web server "
         "whose X-Forwarded-For is trusted."),
     LIST(trusted_proxies, trusted_proxy_count, config_check_network)},

    {ROW("POSTERN_AUTHORIZE_UPSTREAM", CONFIG_GROUP_PAGES, "off",
         "Whether authorize gives the web server the backend's token, so that "
         "the server's own proxy can use it."),
     SWITCH(authorize_upstream)},
    {ROW("POSTERN_AUTHORIZE_PREFLIGHT", CONFIG_GROUP_PAGES, "refuse",
         "Whether authorize lets CORS preflights through to a protected page, "
         "which must answer them itself: refuse or pass."),
     BOOLEAN(authorize_preflight, preflight_keywords)},

    {ROW("POSTERN_LOOPS", CONFIG_GROUP_RUNNING, "0",
         "How many event loops, each a thread, one process has; 0: one for "
         "each processor."),
     FIELD("number", config_read_number, loops), .min = 0, .max = LOOPS_MAX},
    {ROW("POSTERN_MAX_REQUESTS", CONFIG_GROUP_RUNNING, "10000",
         "How many requests one process handles at a time; more are answered "
         "with 503 and Retry-After."),
     FIELD("number", config_read_number, max_requests), .min = 1,
     .max = MAX_REQUESTS_MAX},
    {ROW("POSTERN_BODY_TIMEOUT", CONFIG_GROUP_RUNNING, "30s",
         "How long the body of a request may take to arrive, as a whole."),
     DURATION(body_timeout, 1, TIMEOUT_MAX)},
    {ROW("POSTERN_DRAIN", CONFIG_GROUP_RUNNING, "30s",
         "How long running requests may take to finish after SIGTERM."),
     DURATION(drain, 0, TIMEOUT_MAX)},
    {ROW("POSTERN_LOG", CONFIG_GROUP_RUNNING, "stderr",
         "Where the log is written: stderr, syslog (/dev/log), journald, or "
         "the absolute path of a file."),
     FIELD("file", config_read_string, log_target),
     .check = config_check_log_target},
    {ROW("POSTERN_LOG_LEVEL", CONFIG_GROUP_RUNNING, "info",
         "What is logged: error, warning, info or debug, each including "
         "those before it."),
     KEYWORD(log_level, log_level_keywords)},
    {ROW("POSTERN_LOG_FORMAT", CONFIG_GROUP_RUNNING, "logfmt",
         "The format of a log line: logfmt or json."),
     KEYWORD(log_format, log_format_keywords)},
    {ROW("POSTERN_SANDBOX", CONFIG_GROUP_RUNNING, "on",
         "Whether a program gives up, once it has started, the files, system "
         "calls and sockets that it does not need (Landlock, seccomp)."),
     SWITCH(sandbox)},
};

static_assert(PST_COUNT(config_variables) == CONFIG_VARIABLE_COUNT,
              "CONFIG_VARIABLE_COUNT must be the number of rows");

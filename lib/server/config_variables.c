/* SPDX-License-Identifier: ISC */
/*
 * config_variables.c - the table of all variables.
 */
#include "server/config_variables.h"

#include "base/limits.h"
#include "server/config.h"
#include "server/config_cookie.h"
#include "server/config_files.h"
#include "server/config_names.h"
#include "server/config_texts.h"
#include "server/config_values.h"

/* The longest timeout, seconds. */
#define TIMEOUT_MAX 3600

#define WORKERS_MAX 4096
#define MAX_BODY_MIN 1024
#define MAX_JSON_MIN (64L * 1024)
#define MAX_JSON_MAX (64L * 1024 * 1024)
#define MAX_HELD_MIN (1024L * 1024)
#define LOGIN_FLOOR_MAX 10000 /* milliseconds */
#define MAX_BODY_MAX (64L * 1024 * 1024 * 1024)

static const struct config_keyword switch_keywords[] = {
    {"off", false}, {"on", true}, {NULL, 0}};
static const struct config_keyword token_method_keywords[] = {
    {"cookie", TOKEN_METHOD_COOKIE},
    {"bearer", TOKEN_METHOD_BEARER},
    {NULL, 0}};
static const struct config_keyword token_format_keywords[] = {
    {"sealed", PST_TOKEN_SEALED}, {"signed", PST_TOKEN_SIGNED}, {NULL, 0}};
static const struct config_keyword dead_bearer_keywords[] = {
    {"refuse", false}, {"guest", true}, {NULL, 0}};
static const struct config_keyword documents_send_keywords[] = {
    {"text", false}, {"id", true}, {NULL, 0}};
static const struct config_keyword csrf_token_keywords[] = {
    {"checked", false}, {"required", true}, {NULL, 0}};
static const struct config_keyword same_site_keywords[] = {
    {"Lax", PST_SAME_SITE_LAX},
    {"Strict", PST_SAME_SITE_STRICT},
    {"None", PST_SAME_SITE_NONE},
    {NULL, 0}};
static const struct config_keyword preset_keywords[] = {
    {"fauna", PRESET_FAUNA}, {"vendure", PRESET_VENDURE}, {NULL, 0}};
static const struct config_keyword token_location_keywords[] = {
    {"json", TOKEN_IN_JSON},
    {"header", TOKEN_IN_HEADER},
    {"cookie", TOKEN_IN_COOKIE},
    {NULL, 0}};
static const struct config_keyword logout_keywords[] = {
    {"always", LOGOUT_ALWAYS},
    {"everywhere", LOGOUT_EVERYWHERE},
    {"never", LOGOUT_NEVER},
    {NULL, 0}};
static const struct config_keyword log_level_keywords[] = {
    {"error", LEVEL_ERROR},
    {"warning", LEVEL_WARNING},
    {"info", LEVEL_INFO},
    {"debug", LEVEL_DEBUG},
    {NULL, 0}};
static const struct config_keyword log_format_keywords[] = {
    {"logfmt", LOG_LOGFMT}, {"json", LOG_JSON}, {NULL, 0}};

static_assert(sizeof(enum pst_token_format) == sizeof(unsigned) &&
                  sizeof(enum pst_same_site) == sizeof(unsigned) &&
                  sizeof(enum config_token_location) == sizeof(unsigned) &&
                  sizeof(enum config_preset) == sizeof(unsigned) &&
                  sizeof(enum config_logout) == sizeof(unsigned) &&
                  sizeof(enum log_level) == sizeof(unsigned) &&
                  sizeof(enum log_format) == sizeof(unsigned),
              "a keyword's value is stored as unsigned");

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
         "The secrets that seal sessions, at least 32 octets each, with white "
         "space between: the first one seals, all of them open."),
     .row.kind = "secret", .row.is_secret = true},
    {ROW("COOKIE_SESSION_SECRET_FILE", CONFIG_GROUP_TOKEN, "",
         "A file that holds the secrets instead, which not everybody may "
         "read."),
     .row.kind = "file"},
    {ROW("POSTERN_TOKEN_METHOD", CONFIG_GROUP_TOKEN, "cookie",
         "How a session travels: cookie, bearer, or cookie,bearer."),
     FIELD("word", config_read_flags, methods),
     .keywords = token_method_keywords},
    {ROW("POSTERN_TOKEN_FORMAT", CONFIG_GROUP_TOKEN, "sealed",
         "sealed (JWE, nobody reads it) or signed (JWS, other programs may "
         "read the claims but not the backend's token)."),
     KEYWORD(format, token_format_keywords)},
    {ROW("POSTERN_DEAD_BEARER", CONFIG_GROUP_TOKEN, "refuse",
         "What a bearer token that does not open is: refuse (401), or guest "
         "(no session; the default with vendure)."),
     .vendure_default = "guest",
     BOOLEAN(dead_bearer_is_guest, dead_bearer_keywords)},
    {ROW("POSTERN_AUTH_TOKEN_HEADER", CONFIG_GROUP_TOKEN, "vendure-auth-token",
         "The response header that hands out bearer tokens."),
     FIELD("header", config_read_lower_case, auth_token_header),
     .check = config_check_token_header},
    {ROW("POSTERN_AUDIENCE", CONFIG_GROUP_TOKEN, "",
         "What keeps one site's tokens from opening on another; unset, it is "
         "the cookie's name without its prefix."),
     STRING("text", audience, config_check_audience)},

    {ROW("POSTERN_COOKIE_NAME", CONFIG_GROUP_COOKIE, "session",
         "The cookie's name, to which __Host-Http- or __Secure- is added where "
         "the attributes allow it."),
     STRING("text", cookie.name, config_check_cookie_name)},
    {ROW("POSTERN_COOKIE_DOMAIN", CONFIG_GROUP_COOKIE, "",
         "The cookie's Domain; unset, only the very host gets it."),
     STRING("text", cookie.domain, config_check_cookie_domain)},
    {ROW("POSTERN_COOKIE_PATH", CONFIG_GROUP_COOKIE, "/", "The cookie's Path."),
     STRING("text", cookie.path, config_check_cookie_path)},
    {ROW("POSTERN_COOKIE_SECURE", CONFIG_GROUP_COOKIE, "on",
         "Whether the cookie travels over https only."),
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
         "How long a session lives after its login, whatever happens."),
     DURATION(timeouts.lifetime, 1, PST_LIFETIME_MAX)},
    {ROW("POSTERN_REMEMBER_LIFETIME", CONFIG_GROUP_CLOCKS, "30d",
         "How long it lives for a user who asked to be remembered."),
     DURATION(timeouts.remember, 1, PST_LIFETIME_MAX)},
    {ROW("POSTERN_GUEST_LIFETIME", CONFIG_GROUP_CLOCKS, "30d",
         "How long the session of a guest lives (365d with vendure)."),
     .vendure_default = "365d", DURATION(timeouts.guest, 1, PST_LIFETIME_MAX)},

    {ROW("POSTERN_UPSTREAM", CONFIG_GROUP_BACKEND, "",
         "The one URL that GraphQL requests go to; it must be set."),
     STRING("URL", upstream, config_check_url)},
    {ROW("POSTERN_BACKEND", CONFIG_GROUP_BACKEND, "fauna",
         "The kind of backend, fauna or vendure, on which some defaults "
         "depend."),
     KEYWORD(backend.preset, preset_keywords)},
    {ROW("POSTERN_LOGIN_DOCUMENT", CONFIG_GROUP_BACKEND, "",
         "Files with the mutations that begin a session, the first by e-mail "
         "or user name and password; unset, those of the backend's kind."),
     FIELD("files", config_read_documents, backend.login_texts),
     .second_offset = offsetof(struct config, backend.login_text_count)},
    {ROW("POSTERN_WHO_DOCUMENT", CONFIG_GROUP_BACKEND, "",
         "A file with the query that asks the backend who a token belongs to; "
         "unset, the one of the backend's kind."),
     FIELD("file", config_read_document, backend.who_text)},
    {ROW("POSTERN_LOGOUT_DOCUMENT", CONFIG_GROUP_BACKEND, "",
         "A file with the logout mutation; unset, the one of the backend's "
         "kind."),
     FIELD("file", config_read_document, backend.logout_text)},
    {ROW("POSTERN_UPSTREAM_TOKEN", CONFIG_GROUP_BACKEND, "json:secret",
         "Where the backend gives its token: json:POINTER, header:NAME "
         "(header:vendure-auth-token with vendure), or cookie, for a backend "
         "that uses cookies itself."),
     .vendure_default = "header:vendure-auth-token",
     FIELD("place", config_read_token_location, backend.token_location),
     .second_offset = offsetof(struct config, backend.token),
     .keywords = token_location_keywords, .check = config_check_token_location},
    {ROW("POSTERN_SECRET_FIELDS", CONFIG_GROUP_BACKEND, "",
         "Names of further fields that hold a secret, such as a refresh "
         "token: no client may select them."),
     LIST(backend.secret_names, backend.secret_name_count,
          config_check_field_name)},
    {ROW("POSTERN_SECRET_FIELDS_ALLOWED", CONFIG_GROUP_BACKEND, "",
         "Root fields, such as query.checkout, below which a field of such a "
         "name is no secret."),
     LIST(backend.secrets_allowed, backend.secrets_allowed_count,
          config_check_root_field)},
    {ROW("POSTERN_PASSWORD_FIELDS", CONFIG_GROUP_BACKEND, "",
         "Root fields that check a password without being a login "
         "(mutation.updateCustomerPassword and "
         "mutation.requestUpdateCustomerEmailAddress with vendure)."),
     .vendure_default = "mutation.updateCustomerPassword "
                        "mutation.requestUpdateCustomerEmailAddress",
     LIST(backend.password_fields, backend.password_field_count,
          config_check_root_field)},
    {ROW("POSTERN_REVALIDATE", CONFIG_GROUP_BACKEND, "off",
         "How often the backend is asked again who a session's token belongs "
         "to, or off."),
     FIELD("duration", config_read_optional_duration, backend.revalidate),
     .min = 1, .max = PST_LIFETIME_MAX},
    {ROW("POSTERN_SUBJECT", CONFIG_GROUP_BACKEND, "ownerId",
         "Where the answer to the who document or, without one, to the login "
         "has the user's id, below its root field (id with vendure)."),
     .vendure_default = "id", POINTER(backend.subject)},
    {ROW("POSTERN_NAME", CONFIG_GROUP_BACKEND, "email",
         "Where that answer has the user's name for people "
         "(identifier with vendure)."),
     .vendure_default = "identifier", POINTER(backend.name)},
    {ROW("POSTERN_TTL", CONFIG_GROUP_BACKEND, "ttl",
         "Where one of those answers says when the backend's token ends "
         "(nowhere with vendure)."),
     .vendure_default = "", POINTER(backend.ttl)},
    {ROW("POSTERN_UPSTREAM_LOGOUT", CONFIG_GROUP_BACKEND, "always",
         "When the backend's own logout is called: always, everywhere (only "
         "to log out everywhere; the default with vendure), or never."),
     .vendure_default = "everywhere",
     KEYWORD(upstream_logout, logout_keywords)},
    {ROW("POSTERN_DOCUMENTS", CONFIG_GROUP_BACKEND, "",
         "A manifest: a JSON file of the documents that clients may ask for "
         "by id."),
     FIELD("file", config_read_file_name, documents)},
    {ROW("POSTERN_DOCUMENTS_ONLY", CONFIG_GROUP_BACKEND, "off",
         "Whether nothing but the manifest's documents passes."),
     SWITCH(documents_only)},
    {ROW("POSTERN_DOCUMENTS_SEND", CONFIG_GROUP_BACKEND, "text",
         "What the backend gets of a document of the manifest: its text, or "
         "its id."),
     BOOLEAN(documents_send_id, documents_send_keywords)},
    {ROW("POSTERN_FORWARD_PARAMETERS", CONFIG_GROUP_BACKEND, "",
         "Parameters of the URL that pass on, with spaces or commas between "
         "(languageCode and currencyCode with vendure)."),
     .vendure_default = "languageCode currencyCode",
     LIST(forward_parameters, forward_parameter_count,
          config_check_url_parameter)},
    {ROW("POSTERN_FORWARD_HEADERS", CONFIG_GROUP_BACKEND, "",
         "Request headers to pass on besides the usual ones, with spaces or "
         "commas between."),
     LIST(forward_headers, forward_header_count, config_check_forward_header)},
    {ROW("POSTERN_UPSTREAM_CA", CONFIG_GROUP_BACKEND, "",
         "A PEM file of the certificates to trust there; unset, the "
         "system's."),
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
    {ROW("POSTERN_MAX_BODY", CONFIG_GROUP_BACKEND, "32M",
         "The most bytes that a request's body may have."),
     SIZE(max_body, MAX_BODY_MIN, MAX_BODY_MAX)},
    {ROW("POSTERN_MAX_JSON", CONFIG_GROUP_BACKEND, "4M",
         "The most bytes that a body of JSON may have, which is read whole."),
     SIZE(max_json, MAX_JSON_MIN, MAX_JSON_MAX)},
    {ROW("POSTERN_MAX_HELD", CONFIG_GROUP_BACKEND, "256M",
         "The most bytes that one process may hold of all its requests' "
         "bodies together."),
     SIZE(max_held, MAX_HELD_MIN, MAX_BODY_MAX)},

    {ROW("POSTERN_ORIGIN", CONFIG_GROUP_SITES, "",
         "Our own origin, such as https://shop.example; unset, it is told "
         "from the web server's variables."),
     STRING("origin", origin, config_check_origin)},
    {ROW("POSTERN_ORIGINS", CONFIG_GROUP_SITES, "",
         "Other origins whose pages may use sessions, with spaces or commas "
         "between."),
     LIST(origins, origin_count, config_check_listed_origin)},
    {ROW("POSTERN_LOGIN_URL", CONFIG_GROUP_SITES, "/login",
         "The path of the login page on this site."),
     STRING("path", login_url, config_check_local_path)},
    {ROW("POSTERN_LOGIN_REDIRECT", CONFIG_GROUP_SITES, "/",
         "The path that a form's login leads to, unless it says so itself."),
     STRING("path", login_redirect, config_check_local_path)},
    {ROW("POSTERN_LOGOUT_REDIRECT", CONFIG_GROUP_SITES, "/",
         "The path that a form's logout leads to."),
     STRING("path", logout_redirect, config_check_local_path)},
    {ROW("POSTERN_CSRF_TOKEN", CONFIG_GROUP_SITES, "checked",
         "What a form's post without our CSRF token is: checked lets it pass, "
         "so that people can bring their own form, required refuses it; a "
         "wrong one is refused in any case."),
     BOOLEAN(csrf_token_required, csrf_token_keywords)},
    {ROW("POSTERN_LOGIN_PAGE", CONFIG_GROUP_SITES, "on",
         "Whether a GET of the login program shows a form."),
     SWITCH(login_page)},
    {ROW("POSTERN_SITE_NAME", CONFIG_GROUP_SITES, "",
         "The site's name, as our pages show it."),
     STRING("text", site_name, config_check_site_name)},
    {ROW("POSTERN_STYLESHEET", CONFIG_GROUP_SITES, "",
         "The path of a style sheet on this site, which our pages use after "
         "their own."),
     STRING("path", stylesheet, config_check_local_path)},

    {ROW("POSTERN_STORE", CONFIG_GROUP_STORE, "lmdb:" POSTERN_STATE,
         "Where ended and live sessions are kept: lmdb:/folder for one "
         "machine, redis://user:password@host:port/db, rediss://… or "
         "unix:/path of a Redis for several, or none."),
     FIELD("url", config_read_store_url, store), .row.is_secret = false},
    {ROW("POSTERN_STORE_FILE", CONFIG_GROUP_STORE, "",
         "A file that holds the store's URL instead, with its password, which "
         "not everybody may read."),
     .row.kind = "file", .read = config_read_store_file},
    {ROW("POSTERN_STORE_GRACE", CONFIG_GROUP_STORE, "0",
         "How long a store that does not answer is taken to say yes; a "
         "logout may go unnoticed for so long."),
     DURATION(store_grace, 0, TIMEOUT_MAX)},
    {ROW("POSTERN_MAX_SESSIONS", CONFIG_GROUP_STORE, "0",
         "How many sessions one user may have, the oldest out; 0: no cap."),
     FIELD("number", config_read_number, max_sessions), .min = 0, .max = 1000},
    {ROW("POSTERN_LOGIN_PER_ACCOUNT", CONFIG_GROUP_STORE, "10/15m",
         "How many failed logins one account may have in how long, or off; "
         "unless off, 100 in 30 days as well."),
     FIELD("rate", config_read_rate, login_per_account)},
    {ROW("POSTERN_LOGIN_PER_ADDRESS", CONFIG_GROUP_STORE, "100/15m",
         "The same for one address (IPv6: one /64), or off."),
     FIELD("rate", config_read_rate, login_per_address)},
    {ROW("POSTERN_LOGIN_FLOOR", CONFIG_GROUP_STORE, "500ms",
         "How long a failed login takes at least, so that its time tells "
         "nothing."),
     FIELD("duration", config_read_milliseconds, login_floor_ms), .min = 0,
     .max = LOGIN_FLOOR_MAX},
    {ROW("POSTERN_TRUSTED_PROXIES", CONFIG_GROUP_STORE, "",
         "Addresses or networks of proxies in front of the web server whose "
         "X-Forwarded-For is believed."),
     LIST(trusted_proxies, trusted_proxy_count, config_check_network)},

    {ROW("POSTERN_WORKERS", CONFIG_GROUP_RUNNING, "256",
         "How many requests one process serves at a time, at most."),
     FIELD("number", config_read_number, workers), .min = 1,
     .max = WORKERS_MAX},
    {ROW("POSTERN_DRAIN", CONFIG_GROUP_RUNNING, "30s",
         "How long running requests may take to end after SIGTERM."),
     DURATION(drain, 0, TIMEOUT_MAX)},
    {ROW("POSTERN_LOG", CONFIG_GROUP_RUNNING, "stderr",
         "Where the log goes: stderr, or the absolute path of a file."),
     FIELD("file", config_read_string, log_target),
     .check = config_check_log_target},
    {ROW("POSTERN_LOG_LEVEL", CONFIG_GROUP_RUNNING, "info",
         "What is logged: error, warning, info or debug, each with those "
         "before it."),
     KEYWORD(log_level, log_level_keywords)},
    {ROW("POSTERN_LOG_FORMAT", CONFIG_GROUP_RUNNING, "logfmt",
         "How a line of the log is written: logfmt or json."),
     KEYWORD(log_format, log_format_keywords)},
};

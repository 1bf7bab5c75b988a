/* SPDX-License-Identifier: ISC */
/*
 * config.c - the environment, read once into a struct, or refused.
 */
#include "server/config.h"

#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "crypto/crypto.h"
#include "server/config_backend.h"
#include "server/config_check.h"
#include "server/config_cookie.h"
#include "server/config_file.h"
#include "server/config_parse.h"
#include "server/config_read.h"
#include "server/config_secret.h"

/* The memory of a configuration but for what its values need, bytes. */
#define MEMORY_BASE_SIZE                                        \
    ((CONFIG_DOCUMENTS_MAX + 3) * (size_t)CONFIG_DOCUMENT_MAX + \
     CONFIG_SECRETS_MAX + 256 * 1024)

/* Seconds that a timeout may last. */
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
              "a word's value is stored as unsigned");

/* The parts of a row: what it is called, and where it goes. */
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

/* The groups, in order. */
#define GROUP_TOKEN "secret and token"
#define GROUP_COOKIE "cookie"
#define GROUP_CLOCKS "clocks"
#define GROUP_BACKEND "backend"
#define GROUP_SITES "sites"
#define GROUP_STORE "store and limits"
#define GROUP_RUNNING "running"

static const struct config_entry entries[] = {
    {ROW("COOKIE_SESSION_SECRET", GROUP_TOKEN, "",
         "The secrets that seal sessions, at least 32 octets each, with white "
         "space between: the first one seals, all of them open."),
     .row.kind = "secret", .row.is_secret = true},
    {ROW("COOKIE_SESSION_SECRET_FILE", GROUP_TOKEN, "",
         "A file that holds the secrets instead, which not everybody may "
         "read."),
     .row.kind = "file"},
    {ROW("POSTERN_TOKEN_METHOD", GROUP_TOKEN, "cookie",
         "How a session travels: cookie, bearer, or cookie,bearer."),
     FIELD("word", config_read_flags, methods),
     .keywords = token_method_keywords},
    {ROW("POSTERN_TOKEN_FORMAT", GROUP_TOKEN, "sealed",
         "sealed (JWE, nobody reads it) or signed (JWS, other programs may "
         "read the claims but not the backend's token)."),
     KEYWORD(format, token_format_keywords)},
    {ROW("POSTERN_DEAD_BEARER", GROUP_TOKEN, "refuse",
         "What a bearer token that does not open is: refuse (401), or guest "
         "(no session; the default with vendure)."),
     .vendure_default = "guest",
     BOOLEAN(dead_bearer_is_guest, dead_bearer_keywords)},
    {ROW("POSTERN_AUTH_TOKEN_HEADER", GROUP_TOKEN, "vendure-auth-token",
         "The response header that hands out bearer tokens."),
     FIELD("header", config_read_lower_case, auth_token_header),
     .check = config_check_token_header},
    {ROW("POSTERN_AUDIENCE", GROUP_TOKEN, "",
         "What keeps one site's tokens from opening on another; unset, it is "
         "the cookie's name without its prefix."),
     STRING("text", audience, config_check_audience)},

    {ROW("POSTERN_COOKIE_NAME", GROUP_COOKIE, "session",
         "The cookie's name, to which __Host-Http- or __Secure- is added where "
         "the attributes allow it."),
     STRING("text", cookie.name, config_check_cookie_name)},
    {ROW("POSTERN_COOKIE_DOMAIN", GROUP_COOKIE, "",
         "The cookie's Domain; unset, only the very host gets it."),
     STRING("text", cookie.domain, config_check_cookie_domain)},
    {ROW("POSTERN_COOKIE_PATH", GROUP_COOKIE, "/", "The cookie's Path."),
     STRING("text", cookie.path, config_check_cookie_path)},
    {ROW("POSTERN_COOKIE_SECURE", GROUP_COOKIE, "on",
         "Whether the cookie travels over https only."),
     SWITCH(cookie.secure)},
    {ROW("POSTERN_COOKIE_SAMESITE", GROUP_COOKIE, "Lax",
         "The cookie's SameSite: Lax, Strict, or None, which needs Secure."),
     KEYWORD(cookie.same_site, same_site_keywords)},
    {ROW("POSTERN_COOKIE_PARTITIONED", GROUP_COOKIE, "off",
         "Whether the cookie is Partitioned, which needs SameSite=None."),
     SWITCH(cookie.partitioned)},

    {ROW("POSTERN_IDLE_TIMEOUT", GROUP_CLOCKS, "30m",
         "How long a session lives without a request."),
     DURATION(timeouts.idle, 1, PST_LIFETIME_MAX)},
    {ROW("POSTERN_LIFETIME", GROUP_CLOCKS, "12h",
         "How long a session lives after its login, whatever happens."),
     DURATION(timeouts.lifetime, 1, PST_LIFETIME_MAX)},
    {ROW("POSTERN_REMEMBER_LIFETIME", GROUP_CLOCKS, "30d",
         "How long it lives for a user who asked to be remembered."),
     DURATION(timeouts.remember, 1, PST_LIFETIME_MAX)},
    {ROW("POSTERN_GUEST_LIFETIME", GROUP_CLOCKS, "30d",
         "How long the session of a guest lives (365d with vendure)."),
     .vendure_default = "365d", DURATION(timeouts.guest, 1, PST_LIFETIME_MAX)},

    {ROW("POSTERN_UPSTREAM", GROUP_BACKEND, "",
         "The one URL that GraphQL requests go to; it must be set."),
     STRING("URL", upstream, config_check_url)},
    {ROW("POSTERN_BACKEND", GROUP_BACKEND, "fauna",
         "The kind of backend, fauna or vendure, on which some defaults "
         "depend."),
     KEYWORD(backend.preset, preset_keywords)},
    {ROW("POSTERN_LOGIN_DOCUMENT", GROUP_BACKEND, "",
         "Files with the mutations that begin a session, the first by e-mail "
         "or user name and password; unset, those of the backend's kind."),
     FIELD("files", config_read_documents, backend.login_texts),
     .second_offset = offsetof(struct config, backend.login_text_count)},
    {ROW("POSTERN_WHO_DOCUMENT", GROUP_BACKEND, "",
         "A file with the query that asks the backend who a token belongs to; "
         "unset, the one of the backend's kind."),
     FIELD("file", config_read_document, backend.who_text)},
    {ROW("POSTERN_LOGOUT_DOCUMENT", GROUP_BACKEND, "",
         "A file with the logout mutation; unset, the one of the backend's "
         "kind."),
     FIELD("file", config_read_document, backend.logout_text)},
    {ROW("POSTERN_UPSTREAM_TOKEN", GROUP_BACKEND, "json:secret",
         "Where the backend gives its token: json:POINTER, header:NAME "
         "(header:vendure-auth-token with vendure), or cookie, for a backend "
         "that uses cookies itself."),
     .vendure_default = "header:vendure-auth-token",
     FIELD("place", config_read_token_location, backend.token_location),
     .second_offset = offsetof(struct config, backend.token),
     .keywords = token_location_keywords, .check = config_check_token_location},
    {ROW("POSTERN_SECRET_FIELDS", GROUP_BACKEND, "",
         "Names of further fields that hold a secret, such as a refresh "
         "token: no client may select them."),
     FIELD("list", config_read_list, backend.secret_names),
     .check = config_check_field_name,
     .second_offset = offsetof(struct config, backend.secret_name_count)},
    {ROW("POSTERN_SECRET_FIELDS_ALLOWED", GROUP_BACKEND, "",
         "Root fields, such as query.checkout, below which a field of such a "
         "name is no secret."),
     FIELD("list", config_read_list, backend.secrets_allowed),
     .check = config_check_root_field,
     .second_offset = offsetof(struct config, backend.secrets_allowed_count)},
    {ROW("POSTERN_PASSWORD_FIELDS", GROUP_BACKEND, "",
         "Root fields that check a password without being a login "
         "(mutation.updateCustomerPassword and "
         "mutation.requestUpdateCustomerEmailAddress with vendure)."),
     .vendure_default = "mutation.updateCustomerPassword "
                        "mutation.requestUpdateCustomerEmailAddress",
     FIELD("list", config_read_list, backend.password_fields),
     .check = config_check_root_field,
     .second_offset = offsetof(struct config, backend.password_field_count)},
    {ROW("POSTERN_REVALIDATE", GROUP_BACKEND, "off",
         "How often the backend is asked again who a session's token belongs "
         "to, or off."),
     FIELD("duration", config_read_optional_duration, backend.revalidate),
     .min = 1, .max = PST_LIFETIME_MAX},
    {ROW("POSTERN_SUBJECT", GROUP_BACKEND, "ownerId",
         "Where the answer to the who document or, without one, to the login "
         "has the user's id, below its root field (id with vendure)."),
     .vendure_default = "id",
     FIELD("pointer", config_read_pointer, backend.subject),
     .check = config_check_pointer},
    {ROW("POSTERN_NAME", GROUP_BACKEND, "email",
         "Where that answer has the user's name for people "
         "(identifier with vendure)."),
     .vendure_default = "identifier",
     FIELD("pointer", config_read_pointer, backend.name),
     .check = config_check_pointer},
    {ROW("POSTERN_TTL", GROUP_BACKEND, "ttl",
         "Where one of those answers says when the backend's token ends "
         "(nowhere with vendure)."),
     .vendure_default = "", FIELD("pointer", config_read_pointer, backend.ttl),
     .check = config_check_pointer},
    {ROW("POSTERN_UPSTREAM_LOGOUT", GROUP_BACKEND, "always",
         "When the backend's own logout is called: always, everywhere (only "
         "to log out everywhere; the default with vendure), or never."),
     .vendure_default = "everywhere",
     KEYWORD(upstream_logout, logout_keywords)},
    {ROW("POSTERN_DOCUMENTS", GROUP_BACKEND, "",
         "A manifest: a JSON file of the documents that clients may ask for "
         "by id."),
     FIELD("file", config_read_file_name, documents)},
    {ROW("POSTERN_DOCUMENTS_ONLY", GROUP_BACKEND, "off",
         "Whether nothing but the manifest's documents passes."),
     SWITCH(documents_only)},
    {ROW("POSTERN_DOCUMENTS_SEND", GROUP_BACKEND, "text",
         "What the backend gets of a document of the manifest: its text, or "
         "its id."),
     BOOLEAN(documents_send_id, documents_send_keywords)},
    {ROW("POSTERN_FORWARD_PARAMETERS", GROUP_BACKEND, "",
         "Parameters of the URL that pass on, with spaces or commas between "
         "(languageCode and currencyCode with vendure)."),
     .vendure_default = "languageCode currencyCode",
     FIELD("list", config_read_list, forward_parameters),
     .check = config_check_url_parameter,
     .second_offset = offsetof(struct config, forward_parameter_count)},
    {ROW("POSTERN_FORWARD_HEADERS", GROUP_BACKEND, "",
         "Request headers to pass on besides the usual ones, with spaces or "
         "commas between."),
     FIELD("list", config_read_list, forward_headers),
     .check = config_check_forward_header,
     .second_offset = offsetof(struct config, forward_header_count)},
    {ROW("POSTERN_UPSTREAM_CA", GROUP_BACKEND, "",
         "A PEM file of the certificates to trust there; unset, the "
         "system's."),
     FIELD("file", config_read_file_name, upstream_ca)},
    {ROW("POSTERN_CONNECT_TIMEOUT", GROUP_BACKEND, "5s",
         "How long connecting to the backend may take."),
     DURATION(connect_timeout, 1, TIMEOUT_MAX)},
    {ROW("POSTERN_FIRST_BYTE_TIMEOUT", GROUP_BACKEND, "30s",
         "How long the backend may take to begin its answer."),
     DURATION(first_byte_timeout, 1, TIMEOUT_MAX)},
    {ROW("POSTERN_BETWEEN_BYTES_TIMEOUT", GROUP_BACKEND, "60s",
         "How long the backend may pause within its answer."),
     DURATION(between_bytes_timeout, 1, TIMEOUT_MAX)},
    {ROW("POSTERN_MAX_BODY", GROUP_BACKEND, "32M",
         "The most bytes that a request's body may have."),
     FIELD("size", config_read_size, max_body), .min = MAX_BODY_MIN,
     .max = MAX_BODY_MAX},
    {ROW("POSTERN_MAX_JSON", GROUP_BACKEND, "4M",
         "The most bytes that a body of JSON may have, which is read whole."),
     FIELD("size", config_read_size, max_json), .min = MAX_JSON_MIN,
     .max = MAX_JSON_MAX},
    {ROW("POSTERN_MAX_HELD", GROUP_BACKEND, "256M",
         "The most bytes that one process may hold of all its requests' "
         "bodies together."),
     FIELD("size", config_read_size, max_held), .min = MAX_HELD_MIN,
     .max = MAX_BODY_MAX},

    {ROW("POSTERN_ORIGIN", GROUP_SITES, "",
         "Our own origin, such as https://shop.example; unset, it is told "
         "from the web server's variables."),
     STRING("origin", origin, config_check_origin)},
    {ROW("POSTERN_ORIGINS", GROUP_SITES, "",
         "Other origins whose pages may use sessions, with spaces or commas "
         "between."),
     FIELD("list", config_read_list, origins),
     .check = config_check_listed_origin,
     .second_offset = offsetof(struct config, origin_count)},
    {ROW("POSTERN_LOGIN_URL", GROUP_SITES, "/login",
         "The path of the login page on this site."),
     STRING("path", login_url, config_check_local_path)},
    {ROW("POSTERN_LOGIN_REDIRECT", GROUP_SITES, "/",
         "The path that a form's login leads to, unless it says so itself."),
     STRING("path", login_redirect, config_check_local_path)},
    {ROW("POSTERN_LOGOUT_REDIRECT", GROUP_SITES, "/",
         "The path that a form's logout leads to."),
     STRING("path", logout_redirect, config_check_local_path)},
    {ROW("POSTERN_CSRF_TOKEN", GROUP_SITES, "checked",
         "What a form's post without our CSRF token is: checked lets it pass, "
         "so that people can bring their own form, required refuses it; a "
         "wrong one is refused in any case."),
     BOOLEAN(csrf_token_required, csrf_token_keywords)},
    {ROW("POSTERN_LOGIN_PAGE", GROUP_SITES, "on",
         "Whether a GET of the login program shows a form."),
     SWITCH(login_page)},
    {ROW("POSTERN_SITE_NAME", GROUP_SITES, "",
         "The site's name, as our pages show it."),
     STRING("text", site_name, config_check_site_name)},
    {ROW("POSTERN_STYLESHEET", GROUP_SITES, "",
         "The path of a style sheet on this site, which our pages use after "
         "their own."),
     STRING("path", stylesheet, config_check_local_path)},

    {ROW("POSTERN_STORE", GROUP_STORE, STORE_URL_DEFAULT,
         "Where ended and live sessions are kept: lmdb:/folder for one "
         "machine, redis://user:password@host:port/db, rediss://… or "
         "unix:/path of a Redis for several, or none."),
     FIELD("url", config_read_store_url, store), .row.is_secret = false},
    {ROW("POSTERN_STORE_FILE", GROUP_STORE, "",
         "A file that holds the store's URL instead, with its password, which "
         "not everybody may read."),
     .row.kind = "file", .read = config_read_store_file},
    {ROW("POSTERN_STORE_GRACE", GROUP_STORE, "0",
         "How long a store that does not answer is taken to say yes; a "
         "logout may go unnoticed for so long."),
     DURATION(store_grace, 0, TIMEOUT_MAX)},
    {ROW("POSTERN_MAX_SESSIONS", GROUP_STORE, "0",
         "How many sessions one user may have, the oldest out; 0: no cap."),
     FIELD("number", config_read_number, max_sessions), .min = 0, .max = 1000},
    {ROW("POSTERN_LOGIN_PER_ACCOUNT", GROUP_STORE, "10/15m",
         "How many failed logins one account may have in how long, or off; "
         "unless off, 100 in 30 days as well."),
     FIELD("rate", config_read_rate, login_per_account)},
    {ROW("POSTERN_LOGIN_PER_ADDRESS", GROUP_STORE, "100/15m",
         "The same for one address (IPv6: one /64), or off."),
     FIELD("rate", config_read_rate, login_per_address)},
    {ROW("POSTERN_LOGIN_FLOOR", GROUP_STORE, "500ms",
         "How long a failed login takes at least, so that its time tells "
         "nothing."),
     FIELD("duration", config_read_milliseconds, login_floor_ms), .min = 0,
     .max = LOGIN_FLOOR_MAX},
    {ROW("POSTERN_TRUSTED_PROXIES", GROUP_STORE, "",
         "Addresses or networks of proxies in front of the web server whose "
         "X-Forwarded-For is believed."),
     FIELD("list", config_read_list, trusted_proxies),
     .check = config_check_network,
     .second_offset = offsetof(struct config, trusted_proxy_count)},

    {ROW("POSTERN_WORKERS", GROUP_RUNNING, "256",
         "How many requests one process serves at a time, at most."),
     FIELD("number", config_read_number, workers), .min = 1,
     .max = WORKERS_MAX},
    {ROW("POSTERN_DRAIN", GROUP_RUNNING, "30s",
         "How long running requests may take to end after SIGTERM."),
     DURATION(drain, 0, TIMEOUT_MAX)},
    {ROW("POSTERN_LOG", GROUP_RUNNING, "stderr",
         "Where the log goes: stderr, or the absolute path of a file."),
     FIELD("file", config_read_string, log_target),
     .check = config_check_log_target},
    {ROW("POSTERN_LOG_LEVEL", GROUP_RUNNING, "info",
         "What is logged: error, warning, info or debug, each with those "
         "before it."),
     KEYWORD(log_level, log_level_keywords)},
    {ROW("POSTERN_LOG_FORMAT", GROUP_RUNNING, "logfmt",
         "How a line of the log is written: logfmt or json."),
     KEYWORD(log_format, log_format_keywords)},
};

/* Bytes for the name of the file of secrets, and what is said of it. */
#define SECRET_ARENA_SIZE 16384

struct config_memory {
    struct pst_arena *arena; /* in which all of this lies */
    struct pst_str display[PST_COUNT(entries)];
};

static enum pst_err
config_load_backend_group(struct config_reader *reader, struct config *config)
{
    if (config_get_raw_value(reader, "POSTERN_UPSTREAM").len == 0) {
        config_set_error(&reader->error,
                         "is not set: it is the URL of the GraphQL backend");
        config_report_error(reader, "POSTERN_UPSTREAM");
    }
    if (!config->documents && config->documents_only) {
        config_set_error(&reader->error,
                         "needs POSTERN_DOCUMENTS, which is not set");
        config_report_error(reader, "POSTERN_DOCUMENTS_ONLY");
    }
    if (!config->documents && config->documents_send_id) {
        config_set_error(&reader->error,
                         "needs POSTERN_DOCUMENTS, which is not set");
        config_report_error(reader, "POSTERN_DOCUMENTS_SEND");
    }
    if (config_is_group_invalid(reader, GROUP_BACKEND))
        return PST_OK;
    return config_backend_load(reader, &config->backend);
}

static void
config_validate_clock_group(struct config_reader *reader,
                            const struct config *config)
{
    if (config_is_group_invalid(reader, GROUP_CLOCKS) ||
        config->timeouts.idle <= config->timeouts.lifetime)
        return;
    config_set_error(&reader->error, "is longer than POSTERN_LIFETIME");
    config_report_error(reader, "POSTERN_IDLE_TIMEOUT");
}

/* What only a store can do must not be asked for without one. */
static void
config_validate_store_group(struct config_reader *reader,
                            const struct config *config)
{
    if (config_is_group_invalid(reader, GROUP_STORE) ||
        config->store.kind != STORE_NONE)
        return;
    if (config->max_sessions > 0) {
        config_set_error(&reader->error,
                         "needs a store, and POSTERN_STORE is none");
        config_report_error(reader, "POSTERN_MAX_SESSIONS");
    }
}

/* What is wrong with passing this one on, beside the first of the others? */
static const char *
find_forward_header_error(const struct config *config, struct pst_str name,
                          size_t other_count)
{
    if (config_is_same_header(name, config->auth_token_header) ||
        (config->backend.token_location == TOKEN_IN_HEADER &&
         config_is_same_header(name, config->backend.token)))
        return "which carries tokens and is never passed on";
    for (size_t i = 0; i < other_count; i++)
        if (config_is_same_header(name, config->forward_headers[i]))
            return "twice";
    return NULL;
}

/*
 * The token's own headers are ours to send, and a header passes once: one
 * that passes anyway adds nothing.
 */
static void
config_filter_forward_headers(struct config_reader *reader,
                              struct config *config)
{
    size_t count = config->forward_header_count;

    config->forward_header_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct pst_str name = config->forward_headers[i];
        size_t kept = config->forward_header_count;
        const char *header_error =
            find_forward_header_error(config, name, kept);

        if (header_error) {
            config_set_error(&reader->error, "names %.*s, %s", (int)name.len,
                             name.ptr, header_error);
            config_report_error(reader, "POSTERN_FORWARD_HEADERS");
        } else if (!config_is_default_forward_header(name))
            config->forward_headers[config->forward_header_count++] = name;
    }
    if (config->forward_header_count <= CONFIG_FORWARD_MAX)
        return;
    config_set_error(&reader->error, "names more than %d headers",
                     CONFIG_FORWARD_MAX);
    config_report_error(reader, "POSTERN_FORWARD_HEADERS");
}

static enum pst_err
config_prepare_cookie_group(struct config_reader *reader, struct config *config)
{
    const struct pst_session_timeouts *timeouts = &config->timeouts;
    int64_t longest = timeouts->remember > timeouts->guest ? timeouts->remember
                                                           : timeouts->guest;
    size_t name = config_find_entry(reader, "POSTERN_COOKIE_NAME");
    size_t audience = config_find_entry(reader, "POSTERN_AUDIENCE");
    const char *variable = "";
    enum pst_err e;

    if (config_is_group_invalid(reader, GROUP_COOKIE))
        return PST_OK;
    e = config_cookie_prepare(reader->arena, &config->cookie, longest,
                              &variable, &reader->error);
    if (e == PST_BAD_CONFIG)
        config_report_error(reader, variable);
    if (e)
        return e == PST_BAD_CONFIG ? PST_OK : e;
    reader->display[name] = config->cookie.name;
    /* Without its prefix, so that a change of that loses no session. */
    if (pst_str_is_absent(config->audience))
        config->audience = reader->display[audience] = pst_str_skip(
            config->cookie.name, pst_cookie_prefix(config->cookie.name).len);
    return config_cookie_derive_names(reader->arena, config->cookie.name,
                                      &config->cookie_guest_name,
                                      &config->cookie_legacy_name);
}

/* Only the keys are kept of the secrets. */
static enum pst_err
config_load_secret_group(struct config_reader *reader, struct config *config)
{
    struct config_secret secret = {
        .value = config_get_raw_value(reader, "COOKIE_SESSION_SECRET"),
        .file = config_get_raw_value(reader, "COOKIE_SESSION_SECRET_FILE"),
        .audience = config->audience,
    };
    enum pst_err e = config_secret_load(reader->arena, &secret, &reader->error);

    if (e == PST_BAD_CONFIG) {
        config_report_error(reader, secret.variable);
        return PST_OK;
    }
    if (e)
        return e;
    config->ring = secret.ring;
    config->secret_file = secret.display_file.ptr;
    reader->display[config_find_entry(reader, "COOKIE_SESSION_SECRET")] =
        secret.display;
    reader->display[config_find_entry(reader, "COOKIE_SESSION_SECRET_FILE")] =
        secret.display_file;
    return PST_OK;
}

/* The preset comes first, since it decides what the others default to. */
static enum pst_err
config_read_entries(struct config_reader *reader, const struct config *config)
{
    size_t preset = config_find_entry(reader, "POSTERN_BACKEND");
    enum pst_err e;

    e = config_read_entry(reader, preset, entries[preset].row.default_value);
    for (size_t i = 0; i < PST_COUNT(entries) && !e; i++) {
        const struct config_entry *entry = &entries[i];
        const char *default_value = entry->row.default_value;

        if (config->backend.preset == PRESET_VENDURE && entry->vendure_default)
            default_value = entry->vendure_default;
        if (i != preset && entry->read)
            e = config_read_entry(reader, i, default_value);
    }
    return e;
}

static enum pst_err
config_read_environment(struct config_reader *reader, struct config *config,
                        const char *const *environment)
{
    enum pst_err e;

    config_scan_environment(reader, environment);
    e = config_read_entries(reader, config);
    if (e)
        return e;
    e = config_load_backend_group(reader, config);
    if (e)
        return e;
    config_validate_store_group(reader, config);
    config_validate_clock_group(reader, config);
    config_filter_forward_headers(reader, config);
    e = config_prepare_cookie_group(reader, config);
    if (e)
        return e;
    e = config_load_secret_group(reader, config);
    if (e)
        return e;
    return reader->is_invalid ? PST_BAD_CONFIG : PST_OK;
}

static void
config_free_keyring(void *handle)
{
    struct config *config = handle;

    pst_keyring_free(&config->ring);
}

static enum pst_err
config_new_in_arena(struct pst_arena *arena, struct config **out,
                    const char *const *environment,
                    const struct config_reporter *reporter)
{
    struct config *config = pst_arena_alloc(arena, sizeof(*config));
    struct config_memory *memory = pst_arena_alloc(arena, sizeof(*memory));
    struct config_state states[PST_COUNT(entries)] = {0};
    struct config_reader reader = {.entries = entries,
                                   .count = PST_COUNT(entries),
                                   .states = states,
                                   .arena = arena,
                                   .target = config,
                                   .reporter = reporter};
    enum pst_err e;

    if (!config || !memory ||
        pst_arena_defer(arena, config_free_keyring, config) != PST_OK)
        return PST_NO_MEMORY;
    memory->arena = arena;
    config->memory = memory;
    reader.display = memory->display;
    e = config_read_environment(&reader, config, environment);
    if (e)
        return e;
    *out = config;
    return PST_OK;
}

/* What is copied of an environment: twice its bytes is enough. */
static size_t
config_environment_size(const char *const *environment)
{
    size_t size = 0;

    for (const char *const *at = environment; *at; at++)
        size += 2 * (strlen(*at) + sizeof(max_align_t));
    return size;
}

enum pst_err
config_new(struct config **out, const char *const *environment,
           const struct config_reporter *reporter)
{
    struct pst_arena *arena = NULL;
    enum pst_err e = pst_crypto_init();

    if (e)
        return e;
    e = pst_arena_new(&arena,
                      MEMORY_BASE_SIZE + config_environment_size(environment));
    if (e)
        return e;
    e = config_new_in_arena(arena, out, environment, reporter);
    if (e)
        pst_arena_free(&arena);
    return e;
}

enum pst_err
config_read_secret(const struct config *config, struct pst_keyring **ring,
                   struct config_error *error)
{
    struct config_secret secret = {
        .file = pst_str_from(config->secret_file),
        .audience = config->audience,
    };
    struct pst_arena *arena = NULL;
    enum pst_err e;

    PST_REQUIRE(config->secret_file != NULL);
    e = pst_arena_new(&arena, SECRET_ARENA_SIZE);
    if (e)
        return e;
    e = config_secret_load(arena, &secret, error);
    if (!e)
        *ring = secret.ring;
    pst_arena_free(&arena);
    return e;
}

void
config_free(struct config **config)
{
    struct pst_arena *arena;

    if (!*config)
        return;
    /* The arena holds the configuration too, and knows how to drop the ring. */
    arena = (*config)->memory->arena;
    *config = NULL;
    pst_arena_free(&arena);
}

size_t
config_row_count(void)
{
    return PST_COUNT(entries);
}

const struct config_row *
config_row(size_t index)
{
    PST_REQUIRE(index < PST_COUNT(entries));
    return &entries[index].row;
}

void
config_emit_value(struct pst_buf *buf, const struct config *config,
                  size_t index)
{
    struct pst_str display;

    PST_REQUIRE(index < PST_COUNT(entries));
    display = config->memory->display[index];
    pst_buf_add(buf,
                pst_str_is_absent(display) ? PST_STR("(not set)") : display);
}

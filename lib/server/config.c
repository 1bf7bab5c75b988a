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
#define POOL_SIZE                                               \
    ((CONFIG_DOCUMENTS_MAX + 3) * (size_t)CONFIG_DOCUMENT_MAX + \
     CONFIG_SECRETS_MAX + 256 * 1024)

/* Seconds that a timeout may last. */
#define TIMEOUT_MAX 3600

#define WORKERS_MAX 4096
#define BODY_MIN 1024
#define JSON_MIN (64L * 1024)
#define JSON_MAX (64L * 1024 * 1024)
#define HELD_MIN (1024L * 1024)
#define FLOOR_MAX 10000 /* milliseconds */
#define BODY_MAX (64L * 1024 * 1024 * 1024)

static const struct config_word switch_words[] = {
    {"off", false}, {"on", true}, {NULL, 0}};
static const struct config_word method_words[] = {
    {"cookie", METHOD_COOKIE}, {"bearer", METHOD_BEARER}, {NULL, 0}};
static const struct config_word format_words[] = {
    {"sealed", PST_TOKEN_SEALED}, {"signed", PST_TOKEN_SIGNED}, {NULL, 0}};
static const struct config_word dead_bearer_words[] = {
    {"refuse", false}, {"guest", true}, {NULL, 0}};
static const struct config_word send_words[] = {
    {"text", false}, {"id", true}, {NULL, 0}};
static const struct config_word csrf_token_words[] = {
    {"checked", false}, {"required", true}, {NULL, 0}};
static const struct config_word same_site_words[] = {
    {"Lax", PST_SAME_SITE_LAX},
    {"Strict", PST_SAME_SITE_STRICT},
    {"None", PST_SAME_SITE_NONE},
    {NULL, 0}};
static const struct config_word preset_words[] = {
    {"fauna", PRESET_FAUNA}, {"vendure", PRESET_VENDURE}, {NULL, 0}};
static const struct config_word place_words[] = {{"json", PLACE_JSON},
                                                 {"header", PLACE_HEADER},
                                                 {"cookie", PLACE_COOKIE},
                                                 {NULL, 0}};
static const struct config_word logout_words[] = {
    {"always", LOGOUT_ALWAYS},
    {"everywhere", LOGOUT_EVERYWHERE},
    {"never", LOGOUT_NEVER},
    {NULL, 0}};
static const struct config_word level_words[] = {{"error", LEVEL_ERROR},
                                                 {"warning", LEVEL_WARNING},
                                                 {"info", LEVEL_INFO},
                                                 {"debug", LEVEL_DEBUG},
                                                 {NULL, 0}};
static const struct config_word log_format_words[] = {
    {"logfmt", LOG_LOGFMT}, {"json", LOG_JSON}, {NULL, 0}};

static_assert(sizeof(enum pst_token_format) == sizeof(unsigned) &&
                  sizeof(enum pst_same_site) == sizeof(unsigned) &&
                  sizeof(enum config_token_place) == sizeof(unsigned) &&
                  sizeof(enum config_preset) == sizeof(unsigned) &&
                  sizeof(enum config_logout) == sizeof(unsigned) &&
                  sizeof(enum log_level) == sizeof(unsigned) &&
                  sizeof(enum log_format) == sizeof(unsigned),
              "a word's value is stored as unsigned");

/* The parts of a row: what it is called, and where it goes. */
#define ROW(row_name, row_group, row_default, row_help) \
    .row.name = (row_name), .row.group = (row_group),   \
    .row.default_value = (row_default), .row.help = (row_help)
#define FIELD(row_kind, reads, field)        \
    .row.kind = (row_kind), .read = (reads), \
    .offset = offsetof(struct config, field)
#define DURATION(field, least, most)                                \
    FIELD("duration", config_read_duration, field), .min = (least), \
                                                    .max = (most)
#define WORD(field, list) \
    FIELD("word", config_read_word, field), .words = (list)
#define FLAG(field, list) \
    FIELD("word", config_read_flag, field), .words = (list)
#define SWITCH(field) \
    FIELD("switch", config_read_flag, field), .words = switch_words
#define TEXT(kind_name, field, checks) \
    FIELD(kind_name, config_read_text, field), .check = (checks)

/* The groups, in order. */
#define TOKEN "secret and token"
#define COOKIE "cookie"
#define CLOCKS "clocks"
#define BACKEND "backend"
#define SITES "sites"
#define STORE "store and limits"
#define RUNNING "running"

static const struct config_entry entries[] = {
    {ROW("COOKIE_SESSION_SECRET", TOKEN, "",
         "The secrets that seal sessions, at least 32 octets each, with white "
         "space between: the first one seals, all of them open."),
     .row.kind = "secret", .row.is_secret = true},
    {ROW("COOKIE_SESSION_SECRET_FILE", TOKEN, "",
         "A file that holds the secrets instead, which not everybody may "
         "read."),
     .row.kind = "file"},
    {ROW("POSTERN_TOKEN_METHOD", TOKEN, "cookie",
         "How a session travels: cookie, bearer, or cookie,bearer."),
     FIELD("word", config_read_words, methods), .words = method_words},
    {ROW("POSTERN_TOKEN_FORMAT", TOKEN, "sealed",
         "sealed (JWE, nobody reads it) or signed (JWS, other programs may "
         "read the claims but not the backend's token)."),
     WORD(format, format_words)},
    {ROW("POSTERN_DEAD_BEARER", TOKEN, "refuse",
         "What a bearer token that does not open is: refuse (401), or guest "
         "(no session; the default with vendure)."),
     .vendure_default = "guest", FLAG(dead_bearer_is_guest, dead_bearer_words)},
    {ROW("POSTERN_AUTH_TOKEN_HEADER", TOKEN, "vendure-auth-token",
         "The response header that hands out bearer tokens."),
     FIELD("header", config_read_lower, auth_token_header),
     .check = config_check_token_header},
    {ROW("POSTERN_AUDIENCE", TOKEN, "",
         "What keeps one site's tokens from opening on another; unset, it is "
         "the cookie's name without its prefix."),
     TEXT("text", audience, config_check_audience)},

    {ROW("POSTERN_COOKIE_NAME", COOKIE, "session",
         "The cookie's name, to which __Host-Http- or __Secure- is added where "
         "the attributes allow it."),
     TEXT("text", cookie.name, config_check_cookie_name)},
    {ROW("POSTERN_COOKIE_DOMAIN", COOKIE, "",
         "The cookie's Domain; unset, only the very host gets it."),
     TEXT("text", cookie.domain, config_check_cookie_domain)},
    {ROW("POSTERN_COOKIE_PATH", COOKIE, "/", "The cookie's Path."),
     TEXT("text", cookie.path, config_check_cookie_path)},
    {ROW("POSTERN_COOKIE_SECURE", COOKIE, "on",
         "Whether the cookie travels over https only."),
     SWITCH(cookie.secure)},
    {ROW("POSTERN_COOKIE_SAMESITE", COOKIE, "Lax",
         "The cookie's SameSite: Lax, Strict, or None, which needs Secure."),
     WORD(cookie.same_site, same_site_words)},
    {ROW("POSTERN_COOKIE_PARTITIONED", COOKIE, "off",
         "Whether the cookie is Partitioned, which needs SameSite=None."),
     SWITCH(cookie.partitioned)},

    {ROW("POSTERN_IDLE_TIMEOUT", CLOCKS, "30m",
         "How long a session lives without a request."),
     DURATION(clocks.idle, 1, PST_LIFETIME_MAX)},
    {ROW("POSTERN_LIFETIME", CLOCKS, "12h",
         "How long a session lives after its login, whatever happens."),
     DURATION(clocks.lifetime, 1, PST_LIFETIME_MAX)},
    {ROW("POSTERN_REMEMBER_LIFETIME", CLOCKS, "30d",
         "How long it lives for a user who asked to be remembered."),
     DURATION(clocks.remember, 1, PST_LIFETIME_MAX)},
    {ROW("POSTERN_GUEST_LIFETIME", CLOCKS, "30d",
         "How long the session of a guest lives (365d with vendure)."),
     .vendure_default = "365d", DURATION(clocks.guest, 1, PST_LIFETIME_MAX)},

    {ROW("POSTERN_UPSTREAM", BACKEND, "",
         "The one URL that GraphQL requests go to; it must be set."),
     TEXT("URL", upstream, config_check_url)},
    {ROW("POSTERN_BACKEND", BACKEND, "fauna",
         "The kind of backend, fauna or vendure, on which some defaults "
         "depend."),
     WORD(backend.preset, preset_words)},
    {ROW("POSTERN_LOGIN_DOCUMENT", BACKEND, "",
         "Files with the mutations that begin a session, the first by e-mail "
         "or user name and password; unset, those of the backend's kind."),
     FIELD("files", config_read_documents, backend.login_texts),
     .second_offset = offsetof(struct config, backend.login_text_count)},
    {ROW("POSTERN_WHO_DOCUMENT", BACKEND, "",
         "A file with the query that asks the backend who a token belongs to; "
         "unset, the one of the backend's kind."),
     FIELD("file", config_read_document, backend.who_text)},
    {ROW("POSTERN_LOGOUT_DOCUMENT", BACKEND, "",
         "A file with the logout mutation; unset, the one of the backend's "
         "kind."),
     FIELD("file", config_read_document, backend.logout_text)},
    {ROW("POSTERN_UPSTREAM_TOKEN", BACKEND, "json:secret",
         "Where the backend gives its token: json:POINTER, header:NAME "
         "(header:vendure-auth-token with vendure), or cookie, for a backend "
         "that uses cookies itself."),
     .vendure_default = "header:vendure-auth-token",
     FIELD("place", config_read_place, backend.token_place),
     .second_offset = offsetof(struct config, backend.token),
     .words = place_words, .check = config_check_place},
    {ROW("POSTERN_SECRET_FIELDS", BACKEND, "",
         "Names of further fields that hold a secret, such as a refresh "
         "token: no client may select them."),
     FIELD("list", config_read_list, backend.secret_names),
     .check = config_check_field_name,
     .second_offset = offsetof(struct config, backend.secret_name_count)},
    {ROW("POSTERN_SECRET_FIELDS_ALLOWED", BACKEND, "",
         "Root fields, such as query.checkout, below which a field of such a "
         "name is no secret."),
     FIELD("list", config_read_list, backend.secrets_allowed),
     .check = config_check_root_field,
     .second_offset = offsetof(struct config, backend.secrets_allowed_count)},
    {ROW("POSTERN_PASSWORD_FIELDS", BACKEND, "",
         "Root fields that check a password without being a login "
         "(mutation.updateCustomerPassword and "
         "mutation.requestUpdateCustomerEmailAddress with vendure)."),
     .vendure_default = "mutation.updateCustomerPassword "
                        "mutation.requestUpdateCustomerEmailAddress",
     FIELD("list", config_read_list, backend.password_fields),
     .check = config_check_root_field,
     .second_offset = offsetof(struct config, backend.password_field_count)},
    {ROW("POSTERN_REVALIDATE", BACKEND, "off",
         "How often the backend is asked again who a session's token belongs "
         "to, or off."),
     FIELD("duration", config_read_optional_duration, backend.revalidate),
     .min = 1, .max = PST_LIFETIME_MAX},
    {ROW("POSTERN_SUBJECT", BACKEND, "ownerId",
         "Where the answer to the who document or, without one, to the login "
         "has the user's id, below its root field (id with vendure)."),
     .vendure_default = "id",
     FIELD("pointer", config_read_pointer, backend.subject),
     .check = config_check_pointer},
    {ROW("POSTERN_NAME", BACKEND, "email",
         "Where that answer has the user's name for people "
         "(identifier with vendure)."),
     .vendure_default = "identifier",
     FIELD("pointer", config_read_pointer, backend.name),
     .check = config_check_pointer},
    {ROW("POSTERN_TTL", BACKEND, "ttl",
         "Where one of those answers says when the backend's token ends "
         "(nowhere with vendure)."),
     .vendure_default = "", FIELD("pointer", config_read_pointer, backend.ttl),
     .check = config_check_pointer},
    {ROW("POSTERN_UPSTREAM_LOGOUT", BACKEND, "always",
         "When the backend's own logout is called: always, everywhere (only "
         "to log out everywhere; the default with vendure), or never."),
     .vendure_default = "everywhere", WORD(upstream_logout, logout_words)},
    {ROW("POSTERN_DOCUMENTS", BACKEND, "",
         "A manifest: a JSON file of the documents that clients may ask for "
         "by id."),
     FIELD("file", config_read_file_name, documents)},
    {ROW("POSTERN_DOCUMENTS_ONLY", BACKEND, "off",
         "Whether nothing but the manifest's documents passes."),
     SWITCH(documents_only)},
    {ROW("POSTERN_DOCUMENTS_SEND", BACKEND, "text",
         "What the backend gets of a document of the manifest: its text, or "
         "its id."),
     FLAG(documents_send_id, send_words)},
    {ROW("POSTERN_FORWARD_PARAMETERS", BACKEND, "",
         "Parameters of the URL that pass on, with spaces or commas between "
         "(languageCode and currencyCode with vendure)."),
     .vendure_default = "languageCode currencyCode",
     FIELD("list", config_read_list, forward_parameters),
     .check = config_check_parameter,
     .second_offset = offsetof(struct config, forward_parameter_count)},
    {ROW("POSTERN_FORWARD_HEADERS", BACKEND, "",
         "Request headers to pass on besides the usual ones, with spaces or "
         "commas between."),
     FIELD("list", config_read_list, forward_headers),
     .check = config_check_forward_header,
     .second_offset = offsetof(struct config, forward_header_count)},
    {ROW("POSTERN_UPSTREAM_CA", BACKEND, "",
         "A PEM file of the certificates to trust there; unset, the "
         "system's."),
     FIELD("file", config_read_file_name, upstream_ca)},
    {ROW("POSTERN_CONNECT_TIMEOUT", BACKEND, "5s",
         "How long connecting to the backend may take."),
     DURATION(connect_timeout, 1, TIMEOUT_MAX)},
    {ROW("POSTERN_FIRST_BYTE_TIMEOUT", BACKEND, "30s",
         "How long the backend may take to begin its answer."),
     DURATION(first_byte_timeout, 1, TIMEOUT_MAX)},
    {ROW("POSTERN_BETWEEN_BYTES_TIMEOUT", BACKEND, "60s",
         "How long the backend may pause within its answer."),
     DURATION(between_bytes_timeout, 1, TIMEOUT_MAX)},
    {ROW("POSTERN_MAX_BODY", BACKEND, "32M",
         "The most bytes that a request's body may have."),
     FIELD("size", config_read_size, max_body), .min = BODY_MIN,
     .max = BODY_MAX},
    {ROW("POSTERN_MAX_JSON", BACKEND, "4M",
         "The most bytes that a body of JSON may have, which is read whole."),
     FIELD("size", config_read_size, max_json), .min = JSON_MIN,
     .max = JSON_MAX},
    {ROW("POSTERN_MAX_HELD", BACKEND, "256M",
         "The most bytes that one process may hold of all its requests' "
         "bodies together."),
     FIELD("size", config_read_size, max_held), .min = HELD_MIN,
     .max = BODY_MAX},

    {ROW("POSTERN_ORIGIN", SITES, "",
         "Our own origin, such as https://shop.example; unset, it is told "
         "from the web server's variables."),
     TEXT("origin", origin, config_check_origin)},
    {ROW("POSTERN_ORIGINS", SITES, "",
         "Other origins whose pages may use sessions, with spaces or commas "
         "between."),
     FIELD("list", config_read_list, origins),
     .check = config_check_listed_origin,
     .second_offset = offsetof(struct config, origin_count)},
    {ROW("POSTERN_LOGIN_URL", SITES, "/login",
         "The path of the login page on this site."),
     TEXT("path", login_url, config_check_local)},
    {ROW("POSTERN_LOGIN_REDIRECT", SITES, "/",
         "The path that a form's login leads to, unless it says so itself."),
     TEXT("path", login_redirect, config_check_local)},
    {ROW("POSTERN_LOGOUT_REDIRECT", SITES, "/",
         "The path that a form's logout leads to."),
     TEXT("path", logout_redirect, config_check_local)},
    {ROW("POSTERN_CSRF_TOKEN", SITES, "checked",
         "What a form's post without our CSRF token is: checked lets it pass, "
         "so that people can bring their own form, required refuses it; a "
         "wrong one is refused in any case."),
     FLAG(csrf_token_required, csrf_token_words)},
    {ROW("POSTERN_LOGIN_PAGE", SITES, "on",
         "Whether a GET of the login program shows a form."),
     SWITCH(login_page)},
    {ROW("POSTERN_SITE_NAME", SITES, "",
         "The site's name, as our pages show it."),
     TEXT("text", site_name, config_check_site_name)},
    {ROW("POSTERN_STYLESHEET", SITES, "",
         "The path of a style sheet on this site, which our pages use after "
         "their own."),
     TEXT("path", stylesheet, config_check_local)},

    {ROW("POSTERN_STORE", STORE, "lmdb:" POSTERN_STATE,
         "Where ended and live sessions are kept: lmdb:/folder for one "
         "machine, redis://user:password@host:port/db, rediss://… or "
         "unix:/path of a Redis for several, or none."),
     FIELD("url", config_read_store, store), .row.is_secret = false},
    {ROW("POSTERN_STORE_FILE", STORE, "",
         "A file that holds the store's URL instead, with its password, which "
         "not everybody may read."),
     .row.kind = "file", .read = config_read_store_file},
    {ROW("POSTERN_STORE_GRACE", STORE, "0",
         "How long a store that does not answer is taken to say yes; a "
         "logout may go unnoticed for so long."),
     DURATION(store_grace, 0, TIMEOUT_MAX)},
    {ROW("POSTERN_MAX_SESSIONS", STORE, "0",
         "How many sessions one user may have, the oldest out; 0: no cap."),
     FIELD("number", config_read_number, max_sessions), .min = 0, .max = 1000},
    {ROW("POSTERN_LOGIN_PER_ACCOUNT", STORE, "10/15m",
         "How many failed logins one account may have in how long, or off; "
         "unless off, 100 in 30 days as well."),
     FIELD("rate", config_read_rate, login_per_account)},
    {ROW("POSTERN_LOGIN_PER_ADDRESS", STORE, "100/15m",
         "The same for one address (IPv6: one /64), or off."),
     FIELD("rate", config_read_rate, login_per_address)},
    {ROW("POSTERN_LOGIN_FLOOR", STORE, "500ms",
         "How long a failed login takes at least, so that its time tells "
         "nothing."),
     FIELD("duration", config_read_milliseconds, login_floor_ms), .min = 0,
     .max = FLOOR_MAX},
    {ROW("POSTERN_TRUSTED_PROXIES", STORE, "",
         "Addresses or networks of proxies in front of the web server whose "
         "X-Forwarded-For is believed."),
     FIELD("list", config_read_list, trusted_proxies),
     .check = config_check_network,
     .second_offset = offsetof(struct config, trusted_proxy_count)},

    {ROW("POSTERN_WORKERS", RUNNING, "256",
         "How many requests one process serves at a time, at most."),
     FIELD("number", config_read_number, workers), .min = 1,
     .max = WORKERS_MAX},
    {ROW("POSTERN_DRAIN", RUNNING, "30s",
         "How long running requests may take to end after SIGTERM."),
     DURATION(drain, 0, TIMEOUT_MAX)},
    {ROW("POSTERN_LOG", RUNNING, "stderr",
         "Where the log goes: stderr, or the absolute path of a file."),
     FIELD("file", config_read_string, log_target), .check = config_check_log},
    {ROW("POSTERN_LOG_LEVEL", RUNNING, "info",
         "What is logged: error, warning, info or debug, each with those "
         "before it."),
     WORD(log_level, level_words)},
    {ROW("POSTERN_LOG_FORMAT", RUNNING, "logfmt",
         "How a line of the log is written: logfmt or json."),
     WORD(log_format, log_format_words)},
};

/* Bytes for the name of the file of secrets, and what is said of it. */
#define SECRET_ARENA 16384

struct config_pool {
    struct pst_arena *arena; /* in which all of this lies */
    struct pst_text shown[PST_COUNT(entries)];
};

static enum pst_err
finish_backend(struct config_reader *reader, struct config *config)
{
    if (config_given(reader, "POSTERN_UPSTREAM").len == 0) {
        config_refuse(&reader->why,
                      "is not set: it is the URL of the GraphQL backend");
        config_complain(reader, "POSTERN_UPSTREAM");
    }
    if (!config->documents && config->documents_only) {
        config_refuse(&reader->why,
                      "needs POSTERN_DOCUMENTS, which is not set");
        config_complain(reader, "POSTERN_DOCUMENTS_ONLY");
    }
    if (!config->documents && config->documents_send_id) {
        config_refuse(&reader->why,
                      "needs POSTERN_DOCUMENTS, which is not set");
        config_complain(reader, "POSTERN_DOCUMENTS_SEND");
    }
    if (config_is_group_bad(reader, BACKEND))
        return PST_OK;
    return config_backend_finish(reader, &config->backend);
}

static void
finish_clocks(struct config_reader *reader, const struct config *config)
{
    if (config_is_group_bad(reader, CLOCKS) ||
        config->clocks.idle <= config->clocks.lifetime)
        return;
    config_refuse(&reader->why, "is longer than POSTERN_LIFETIME");
    config_complain(reader, "POSTERN_IDLE_TIMEOUT");
}

/* What only a store can do must not be asked for without one. */
static void
finish_store(struct config_reader *reader, const struct config *config)
{
    if (config_is_group_bad(reader, STORE) || config->store.kind != STORE_NONE)
        return;
    if (config->max_sessions > 0) {
        config_refuse(&reader->why, "needs a store, and POSTERN_STORE is none");
        config_complain(reader, "POSTERN_MAX_SESSIONS");
    }
}

/* What is wrong with passing this one on, beside the first of the others? */
static const char *
header_fault(const struct config *config, struct pst_text name, size_t others)
{
    if (config_is_same_header(name, config->auth_token_header) ||
        (config->backend.token_place == PLACE_HEADER &&
         config_is_same_header(name, config->backend.token)))
        return "which carries tokens and is never passed on";
    for (size_t i = 0; i < others; i++)
        if (config_is_same_header(name, config->forward_headers[i]))
            return "twice";
    return NULL;
}

/*
 * The token's own headers are ours to send, and a header passes once: one
 * that passes anyway adds nothing.
 */
static void
finish_headers(struct config_reader *reader, struct config *config)
{
    size_t count = config->forward_header_count;

    config->forward_header_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct pst_text name = config->forward_headers[i];
        size_t kept = config->forward_header_count;
        const char *fault = header_fault(config, name, kept);

        if (fault) {
            config_refuse(&reader->why, "names %.*s, %s", (int)name.len,
                          name.ptr, fault);
            config_complain(reader, "POSTERN_FORWARD_HEADERS");
        } else if (!config_is_passed_header(name))
            config->forward_headers[config->forward_header_count++] = name;
    }
    if (config->forward_header_count <= CONFIG_FORWARD_MAX)
        return;
    config_refuse(&reader->why, "names more than %d headers",
                  CONFIG_FORWARD_MAX);
    config_complain(reader, "POSTERN_FORWARD_HEADERS");
}

static enum pst_err
finish_cookie(struct config_reader *reader, struct config *config)
{
    const struct pst_clocks *clocks = &config->clocks;
    int64_t longest =
        clocks->remember > clocks->guest ? clocks->remember : clocks->guest;
    size_t name = config_find(reader, "POSTERN_COOKIE_NAME");
    size_t audience = config_find(reader, "POSTERN_AUDIENCE");
    const char *variable = "";
    enum pst_err e;

    if (config_is_group_bad(reader, COOKIE))
        return PST_OK;
    e = config_cookie_finish(reader->arena, &config->cookie, longest, &variable,
                             &reader->why);
    if (e == PST_BAD_CONFIG)
        config_complain(reader, variable);
    if (e)
        return e == PST_BAD_CONFIG ? PST_OK : e;
    reader->shown[name] = config->cookie.name;
    /* Without its prefix, so that a change of that loses no session. */
    if (pst_text_is_absent(config->audience))
        config->audience = reader->shown[audience] = pst_text_from_octet(
            config->cookie.name, pst_cookie_prefix(config->cookie.name).len);
    return config_cookie_names(reader->arena, config->cookie.name,
                               &config->cookie_guest_name,
                               &config->cookie_older_name);
}

/* Only the keys are kept of the secrets. */
static enum pst_err
finish_secret(struct config_reader *reader, struct config *config)
{
    struct config_secret secret = {
        .value = config_given(reader, "COOKIE_SESSION_SECRET"),
        .file = config_given(reader, "COOKIE_SESSION_SECRET_FILE"),
        .audience = config->audience,
    };
    enum pst_err e = config_secret_open(reader->arena, &secret, &reader->why);

    if (e == PST_BAD_CONFIG) {
        config_complain(reader, secret.variable);
        return PST_OK;
    }
    if (e)
        return e;
    config->ring = secret.ring;
    config->secret_file = secret.shown_file.ptr;
    reader->shown[config_find(reader, "COOKIE_SESSION_SECRET")] = secret.shown;
    reader->shown[config_find(reader, "COOKIE_SESSION_SECRET_FILE")] =
        secret.shown_file;
    return PST_OK;
}

/* The preset comes first, since it decides what the others default to. */
static enum pst_err
read_entries(struct config_reader *reader, const struct config *config)
{
    size_t preset = config_find(reader, "POSTERN_BACKEND");
    enum pst_err e;

    e = config_read_entry(reader, preset, entries[preset].row.default_value);
    for (size_t i = 0; i < PST_COUNT(entries) && !e; i++) {
        const struct config_entry *entry = &entries[i];
        const char *otherwise = entry->row.default_value;

        if (config->backend.preset == PRESET_VENDURE && entry->vendure_default)
            otherwise = entry->vendure_default;
        if (i != preset && entry->read)
            e = config_read_entry(reader, i, otherwise);
    }
    return e;
}

static enum pst_err
read_all(struct config_reader *reader, struct config *config,
         const char *const *environment)
{
    enum pst_err e;

    config_scan(reader, environment);
    e = read_entries(reader, config);
    if (e)
        return e;
    e = finish_backend(reader, config);
    if (e)
        return e;
    finish_store(reader, config);
    finish_clocks(reader, config);
    finish_headers(reader, config);
    e = finish_cookie(reader, config);
    if (e)
        return e;
    e = finish_secret(reader, config);
    if (e)
        return e;
    return reader->is_bad ? PST_BAD_CONFIG : PST_OK;
}

static void
drop_ring(void *handle)
{
    struct config *config = handle;

    pst_keyring_free(&config->ring);
}

static enum pst_err
new_in(struct pst_arena *arena, struct config **out,
       const char *const *environment, const struct config_complaint *complaint)
{
    struct config *config = pst_arena_alloc(arena, sizeof(*config));
    struct config_pool *pool = pst_arena_alloc(arena, sizeof(*pool));
    struct config_state states[PST_COUNT(entries)] = {0};
    struct config_reader reader = {.entries = entries,
                                   .count = PST_COUNT(entries),
                                   .states = states,
                                   .arena = arena,
                                   .target = config,
                                   .complaint = complaint};
    enum pst_err e;

    if (!config || !pool || pst_arena_defer(arena, drop_ring, config) != PST_OK)
        return PST_NO_MEMORY;
    pool->arena = arena;
    config->pool = pool;
    reader.shown = pool->shown;
    e = read_all(&reader, config, environment);
    if (e)
        return e;
    *out = config;
    return PST_OK;
}

/* What is copied of an environment: twice its bytes is enough. */
static size_t
copied_size(const char *const *environment)
{
    size_t size = 0;

    for (const char *const *at = environment; *at; at++)
        size += 2 * (strlen(*at) + sizeof(max_align_t));
    return size;
}

enum pst_err
config_new(struct config **out, const char *const *environment,
           const struct config_complaint *complaint)
{
    struct pst_arena *arena = NULL;
    enum pst_err e = pst_crypt_init();

    if (e)
        return e;
    e = pst_arena_new(&arena, POOL_SIZE + copied_size(environment));
    if (e)
        return e;
    e = new_in(arena, out, environment, complaint);
    if (e)
        pst_arena_free(&arena);
    return e;
}

enum pst_err
config_read_secret(const struct config *config, struct pst_keyring **ring,
                   struct config_why *why)
{
    struct config_secret secret = {
        .file = pst_text_from(config->secret_file),
        .audience = config->audience,
    };
    struct pst_arena *arena = NULL;
    enum pst_err e;

    PST_REQUIRE(config->secret_file != NULL);
    e = pst_arena_new(&arena, SECRET_ARENA);
    if (e)
        return e;
    e = config_secret_open(arena, &secret, why);
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
    arena = (*config)->pool->arena;
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
    struct pst_text shown;

    PST_REQUIRE(index < PST_COUNT(entries));
    shown = config->pool->shown[index];
    pst_buf_add(buf, pst_text_is_absent(shown) ? PST_TEXT("(not set)") : shown);
}

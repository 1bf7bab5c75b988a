/* SPDX-License-Identifier: ISC */
/*
 * config.c - load the configuration from the environment, or report what is
 * wrong.
 */
#include "server/config.h"

#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "crypto/crypto.h"
#include "server/config_cookie.h"
#include "server/config_files.h"
#include "server/config_names.h"
#include "server/config_reader.h"
#include "server/config_variables.h"

/* Bytes of memory for a configuration, without those of the environment. */
#define MEMORY_BASE_SIZE                                        \
    ((CONFIG_DOCUMENTS_MAX + 3) * (size_t)CONFIG_DOCUMENT_MAX + \
     CONFIG_SECRETS_MAX + PAGE_TEXTS_MEMORY_MAX + 256 * 1024)

/* Bytes of memory to read the file of secrets again: its name and display. */
#define SECRET_ARENA_SIZE 16384

struct config_memory {
    struct pst_arena *arena; /* holds all of the configuration */
    struct pst_str display[CONFIG_VARIABLE_COUNT];
};

static enum pst_err
config_load_backend_group(struct config_reader *reader, struct config *config)
{
    if (config_get_raw_value(reader, "POSTERN_UPSTREAM").len == 0) {
        config_set_error(&reader->error,
                         "is not set: set it to the URL of the GraphQL "
                         "backend");
        config_report_error(reader, "POSTERN_UPSTREAM");
    }
    if (!config->documents && config->documents_only) {
        config_set_error(&reader->error,
                         "needs POSTERN_DOCUMENTS: set it to the manifest");
        config_report_error(reader, "POSTERN_DOCUMENTS_ONLY");
    }
    if (!config->documents && config->documents_send_id) {
        config_set_error(&reader->error,
                         "needs POSTERN_DOCUMENTS: set it to the manifest");
        config_report_error(reader, "POSTERN_DOCUMENTS_SEND");
    }
    if (config_is_group_invalid(reader, CONFIG_GROUP_BACKEND))
        return PST_OK;
    return config_backend_load(reader, &config->backend);
}

static void
config_validate_clock_group(struct config_reader *reader,
                            const struct config *config)
{
    if (config_is_group_invalid(reader, CONFIG_GROUP_CLOCKS) ||
        config->timeouts.idle <= config->timeouts.lifetime)
        return;
    config_set_error(&reader->error,
                     "is longer than POSTERN_LIFETIME: set it to less");
    config_report_error(reader, "POSTERN_IDLE_TIMEOUT");
}

/* Settings that need a store are refused without one. */
static void
config_validate_store_group(struct config_reader *reader,
                            const struct config *config)
{
    const struct {
        const char *variable;
        bool is_set;
    } settings[] = {{"POSTERN_MAX_SESSIONS", config->max_sessions > 0},
                    {"POSTERN_ORDERED", config->ordered},
                    {"POSTERN_REFRESH_DOCUMENT",
                     !pst_str_is_absent(config->backend.refresh_text)}};

    if (config_is_group_invalid(reader, CONFIG_GROUP_STORE) ||
        config->store.kind != STORE_NONE)
        return;
    for (size_t i = 0; i < PST_COUNT(settings); i++) {
        if (!settings[i].is_set)
            continue;
        config_set_error(&reader->error,
                         "needs a store, but POSTERN_STORE is none: set "
                         "POSTERN_STORE, or remove this variable");
        config_report_error(reader, settings[i].variable);
    }
}

/* Why must this header not be forwarded beside the first ones? NULL: it may. */
static const char *
find_forward_header_error(const struct config *config, struct pst_str name,
                          size_t other_count)
{
    if (config_is_same_header(name, config->auth_token_header) ||
        (config->backend.token_location == TOKEN_IN_HEADER &&
         config_is_same_header(name, config->backend.token)))
        return "is the header of the token and is never forwarded: remove it";
    for (size_t i = 0; i < other_count; i++)
        if (config_is_same_header(name, config->forward_headers[i]))
            return "is there twice: remove one";
    return NULL;
}

/*
 * Refuse the headers that hold tokens, and those that are there twice. Drop
 * those that are always forwarded.
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
            config_set_value_error(&reader->error, name, "%s", header_error);
            config_report_error(reader, "POSTERN_FORWARD_HEADERS");
        } else if (!config_is_default_forward_header(name))
            config->forward_headers[config->forward_header_count++] = name;
    }
    if (config->forward_header_count <= CONFIG_FORWARD_MAX)
        return;
    config_set_error(&reader->error, "lists more than %d headers",
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

    if (config_is_group_invalid(reader, CONFIG_GROUP_COOKIE))
        return PST_OK;
    e = config_cookie_prepare(reader->arena, &config->cookie, longest,
                              &variable, &reader->error);
    if (e == PST_BAD_CONFIG)
        config_report_error(reader, variable);
    if (e)
        return e == PST_BAD_CONFIG ? PST_OK : e;
    reader->display[name] = config->cookie.name;
    /* Without its prefix, so that sessions survive a change of the prefix. */
    if (pst_str_is_absent(config->audience))
        config->audience = reader->display[audience] = pst_str_skip(
            config->cookie.name, pst_cookie_prefix(config->cookie.name).len);
    return config_cookie_derive_names(reader->arena, config->cookie.name,
                                      &config->cookie_guest_name,
                                      &config->cookie_legacy_name);
}

/* Derive the keys from the secrets, which are not kept themselves. */
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

static bool
is_entry_needed(const struct config_entry *entry, unsigned parts)
{
    if (entry->read == config_read_page_texts)
        return parts & CONFIG_PART_PAGES;
    return (parts & CONFIG_PART_BACKEND) ||
           strcmp(entry->row.group, CONFIG_GROUP_BACKEND) != 0;
}

/* Read the preset first, because other defaults depend on it. */
static enum pst_err
config_read_entries(struct config_reader *reader, const struct config *config,
                    unsigned parts)
{
    size_t preset = config_find_entry(reader, "POSTERN_BACKEND");
    enum pst_err e;

    e = config_read_entry(reader, preset,
                          config_variables[preset].row.default_value);
    for (size_t i = 0; i < CONFIG_VARIABLE_COUNT && !e; i++) {
        const struct config_entry *entry = &config_variables[i];
        const char *default_value = entry->row.default_value;

        if (config->backend.preset == PRESET_VENDURE && entry->vendure_default)
            default_value = entry->vendure_default;
        if (i != preset && entry->read && is_entry_needed(entry, parts))
            e = config_read_entry(reader, i, default_value);
    }
    return e;
}

static enum pst_err
config_read_environment(struct config_reader *reader, struct config *config,
                        const char *const *environment, unsigned parts)
{
    enum pst_err e;

    config_scan_environment(reader, environment);
    e = config_read_entries(reader, config, parts);
    if (!e && (parts & CONFIG_PART_BACKEND))
        e = config_load_backend_group(reader, config);
    if (e)
        return e;
    config_validate_store_group(reader, config);
    config_validate_clock_group(reader, config);
    config_filter_forward_headers(reader, config);
    e = config_prepare_cookie_group(reader, config);
    if (e)
        return e;
    if (parts & CONFIG_PART_SECRET)
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
                    const struct config_reporter *reporter, unsigned parts)
{
    struct config *config = pst_arena_alloc(arena, sizeof(*config));
    struct config_memory *memory = pst_arena_alloc(arena, sizeof(*memory));
    struct config_state states[CONFIG_VARIABLE_COUNT] = {0};
    struct config_reader reader = {.entries = config_variables,
                                   .count = CONFIG_VARIABLE_COUNT,
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
    config->texts = page_texts_shipped;
    reader.display = memory->display;
    e = config_read_environment(&reader, config, environment, parts);
    if (e)
        return e;
    *out = config;
    return PST_OK;
}

/* Bytes that copies of the values need at most: twice the environment. */
static size_t
config_environment_size(const char *const *environment)
{
    size_t size = 0;

    for (const char *const *at = environment; *at; at++)
        size += 2 * (strlen(*at) + sizeof(max_align_t));
    return size;
}

enum pst_err
config_new_parts(struct config **out, const char *const *environment,
                 const struct config_reporter *reporter, unsigned parts)
{
    struct pst_arena *arena = NULL;
    enum pst_err e = pst_crypto_init();

    if (e)
        return e;
    e = pst_arena_new(&arena,
                      MEMORY_BASE_SIZE + config_environment_size(environment));
    if (e)
        return e;
    e = config_new_in_arena(arena, out, environment, reporter, parts);
    if (e)
        pst_arena_free(&arena);
    return e;
}

enum pst_err
config_new(struct config **out, const char *const *environment,
           const struct config_reporter *reporter)
{
    return config_new_parts(out, environment, reporter, CONFIG_PART_ALL);
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
config_wipe_environment(char *const *environment)
{
    config_wipe_secrets(config_variables, CONFIG_VARIABLE_COUNT, environment);
}

void
config_free(struct config **config)
{
    struct pst_arena *arena;

    if (!*config)
        return;
    /* The arena holds the configuration too, and frees the keyring. */
    arena = (*config)->memory->arena;
    *config = NULL;
    pst_arena_free(&arena);
}

size_t
config_row_count(void)
{
    return CONFIG_VARIABLE_COUNT;
}

const struct config_row *
config_row(size_t index)
{
    PST_REQUIRE(index < CONFIG_VARIABLE_COUNT);
    return &config_variables[index].row;
}

void
config_emit_value(struct pst_buf *buf, const struct config *config,
                  size_t index)
{
    struct pst_str display;

    PST_REQUIRE(index < CONFIG_VARIABLE_COUNT);
    display = config->memory->display[index];
    pst_buf_add(buf,
                pst_str_is_absent(display) ? PST_STR("(not set)") : display);
}

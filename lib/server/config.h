/* SPDX-License-Identifier: ISC */
/*
 * config.h - the configuration, loaded once from the environment.
 *
 * One table in server/config_variables.c (name, type, default, limits, help)
 * is the source for reading, `postern check` and the documentation. Nothing is
 * ever read from request parameters or HTTP_*.
 */
#ifndef POSTERN_SERVER_CONFIG_H
#define POSTERN_SERVER_CONFIG_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "crypto/keyring.h"
#include "crypto/token.h"
#include "http/cookie.h"
#include "server/config_backend.h"
#include "server/config_reader.h"
#include "server/log.h"
#include "server/page_texts.h"
#include "server/rate.h"
#include "server/store_url.h"
#include "session/session.h"

/* Where clients send the token (POSTERN_TOKEN_METHOD); flags. */
enum config_token_method {
    TOKEN_METHOD_COOKIE = 1 << 0,
    TOKEN_METHOD_BEARER = 1 << 1
};

/* POSTERN_UPSTREAM_LOGOUT */
enum config_logout { LOGOUT_ALWAYS, LOGOUT_EVERYWHERE, LOGOUT_NEVER };

/* Headers that POSTERN_FORWARD_HEADERS may add at most. With more, the
 * configuration is refused, so that a header is never left out silently. */
#define CONFIG_FORWARD_MAX 32

/* All settings, in the types that the programs need. Texts live as long as it.
 */
struct config {
    struct pst_keyring *ring; /* of COOKIE_SESSION_SECRET */
    const char *secret_file;  /* COOKIE_SESSION_SECRET_FILE, or NULL */
    unsigned methods;         /* enum config_token_method flags */
    enum pst_token_format format;
    struct pst_str auth_token_header; /* lower case, a token */
    bool dead_bearer_is_guest;
    struct pst_str audience;

    struct pst_cookie cookie; /* without a value; the name with its prefix */
    struct pst_str cookie_guest_name;
    struct pst_str cookie_legacy_name; /* absent: there was no other */

    struct pst_session_timeouts timeouts;

    struct pst_str upstream; /* http://, https:// or unix: URL, no fragment */
    const char *upstream_ca; /* file of certificates, or NULL */
    struct config_backend backend;
    enum config_logout upstream_logout;
    const char *documents; /* the manifest file, or NULL */
    bool documents_only;
    bool documents_send_id;
    struct pst_str *forward_parameters;
    size_t forward_parameter_count;
    struct pst_str *forward_headers; /* those of POSTERN_FORWARD_HEADERS */
    size_t forward_header_count;
    int64_t connect_timeout; /* seconds */
    int64_t first_byte_timeout;
    int64_t between_bytes_timeout;
    int64_t total_timeout; /* 0: none */
    int64_t max_body;      /* bytes */
    int64_t max_json;
    int64_t max_held;
    bool ordered; /* the POSTs of one session, one after another */

    struct pst_str origin; /* our own; absent: see request_own_origin() */
    struct pst_str *origins;
    size_t origin_count;
    struct pst_str login_url; /* local paths */
    struct pst_str login_redirect;
    struct pst_str logout_redirect;
    bool csrf_token_required;
    bool login_page;             /* a GET of login answers with a form */
    struct pst_str site_name;    /* shown in our pages; absent: none */
    struct pst_str stylesheet;   /* a local path; absent: none */
    struct pst_str register_url; /* local paths or https:// URLs */
    struct pst_str reset_url;
    struct page_texts texts; /* of our pages */

    struct store_url store;
    int64_t store_grace;  /* seconds */
    int64_t max_sessions; /* of one user; 0: no limit */
    struct rate login_per_account;
    struct rate login_per_address;
    int64_t login_floor_ms; /* milliseconds */
    struct pst_str *trusted_proxies;
    size_t trusted_proxy_count;

    bool authorize_upstream;  /* authorize hands out the backend's token */
    bool authorize_preflight; /* authorize lets CORS preflights pass */

    int64_t loops;        /* 0: one for each processor */
    int64_t max_requests; /* at once */
    int64_t body_timeout; /* seconds */
    int64_t drain;        /* seconds */
    const char *log_target;
    enum log_format log_format;
    enum log_level log_level;
    bool sandbox;

    struct config_memory *memory; /* owns every text above */
};

/* What a caller needs beside the rest; flags. */
enum config_part {
    CONFIG_PART_SECRET = 1 << 0,  /* ring */
    CONFIG_PART_BACKEND = 1 << 1, /* the variables of that group */
    CONFIG_PART_PAGES = 1 << 2,   /* texts; without it the shipped ones */
    CONFIG_PART_ALL =
        CONFIG_PART_SECRET | CONFIG_PART_BACKEND | CONFIG_PART_PAGES
};

/*
 * Load the configuration from an environment.
 *   out       set on PST_OK only; config_free() it
 *   environ   NAME=value strings, NULL at the end
 *   reporter  called for every error, not only for the first; may be NULL
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY, PST_INTERNAL (libgcrypt).
 * Errors are, too: an unknown POSTERN_* name, a name that is set twice, a
 * secret both in a variable and in a file, and settings that contradict each
 * other. An empty variable is the same as one that is not set.
 */
PST_MUST_USE enum pst_err config_new(struct config **out,
                                     const char *const *environ,
                                     const struct config_reporter *reporter);

/*
 * The same for a caller that does not need every part. The variables of another
 * part may be absent or wrong: they are not read, and its fields are 0. (Only
 * POSTERN_BACKEND is read always, because other defaults depend on it.)
 *   parts  enum config_part flags
 */
PST_MUST_USE enum pst_err
config_new_parts(struct config **out, const char *const *environ,
                 const struct config_reporter *reporter, unsigned parts);

/*
 * Overwrite the values of an environment that contain secrets: then
 * /proc/PID/environ does not show them either. A struct config has copies.
 */
void config_wipe_environment(char *const *environment);

void config_free(struct config **config);

/*
 * Read the file of secrets again, into a new keyring. There must be a file
 * (secret_file is not NULL).
 *   ring   set on PST_OK: the caller's to free
 *   error  set on PST_BAD_CONFIG
 * Returns as config_new().
 */
PST_MUST_USE enum pst_err config_read_secret(const struct config *config,
                                             struct pst_keyring **ring,
                                             struct config_error *error);

/* The rows of the table, in the order of the documentation (struct config_row:
 * server/config_reader.h). */
size_t config_row_count(void);
const struct config_row *config_row(size_t index);

/*
 * Write the value in use of the variable in row index: the one that is set or
 * the default, secrets masked. For `postern check`.
 */
void config_emit_value(struct pst_buf *buf, const struct config *config,
                       size_t index);

#endif

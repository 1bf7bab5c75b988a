/* SPDX-License-Identifier: ISC */
/*
 * config_backend.h - the settings about the backend: its GraphQL documents,
 * where its answers have the token and the user, and the rules for clients'
 * documents that follow from them.
 */
#ifndef POSTERN_SERVER_CONFIG_BACKEND_H
#define POSTERN_SERVER_CONFIG_BACKEND_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/summary.h"
#include "server/config_reader.h"
#include "server/login_document.h"

enum config_preset { PRESET_FAUNA, PRESET_VENDURE };

/* Where the backend returns its token (POSTERN_UPSTREAM_TOKEN). */
enum config_token_location { TOKEN_IN_JSON, TOKEN_IN_HEADER, TOKEN_IN_COOKIE };

struct config_backend {
    /* Read from the variables. */
    enum config_preset preset;
    struct pst_str *login_texts; /* documents; none: the preset's */
    size_t login_text_count;
    struct pst_str who_text;      /* absent: the preset's, or none */
    struct pst_str logout_text;   /* likewise */
    struct pst_str refresh_text;  /* absent: tokens are not refreshed */
    struct pst_str refresh_token; /* pointer below the login field and below the
                                     refresh field; absent likewise */
    enum config_token_location token_location;
    struct pst_str token;         /* pointer below the login field, or header */
    struct pst_str subject;       /* pointers below the who field, or below */
    struct pst_str name;          /* the login field without a who document */
    struct pst_str ttl;           /* below either of them; absent: none */
    struct pst_str *secret_names; /* POSTERN_SECRET_FIELDS */
    size_t secret_name_count;
    struct pst_str *secrets_allowed; /* "field" or "mutation.field" */
    size_t secrets_allowed_count;
    struct pst_str *password_fields; /* likewise */
    size_t password_field_count;
    int64_t revalidate; /* seconds; 0: off */

    /* Derived from them by config_backend_load(). */
    struct login_document *logins; /* the first takes name and password */
    size_t login_count;
    struct login_document refresh; /* text absent: tokens are not refreshed */
    struct who_document who; /* text absent: the login's answer has the user */
    struct pst_graphql_rules rules;
};

/*
 * Parse the documents, and check that they select the fields that the pointers
 * name. Reports every variable that is wrong (reader->is_invalid).
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_backend_load(struct config_reader *reader,
                                              struct config_backend *backend);

/* Does a field of this name hold a secret? */
bool config_backend_is_secret(const struct config_backend *backend,
                              struct pst_str name);

#endif

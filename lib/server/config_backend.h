/* SPDX-License-Identifier: ISC */
/*
 * config_backend.h - what the configuration says of the backend: its
 * documents, where its answers have what, and the rules for clients' documents
 * that follow from them (design 2.5 and 2.6).
 */
#ifndef POSTERN_SERVER_CONFIG_BACKEND_H
#define POSTERN_SERVER_CONFIG_BACKEND_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/meaning.h"
#include "server/config_table.h"
#include "server/login_document.h"

enum config_preset { PRESET_FAUNA, PRESET_VENDURE };

/* Where the backend's token is found (POSTERN_UPSTREAM_TOKEN). */
enum config_token_location { TOKEN_IN_JSON, TOKEN_IN_HEADER, TOKEN_IN_COOKIE };

struct config_backend {
    /* As the table reads them. */
    enum config_preset preset;
    struct pst_str *login_texts; /* documents; none: the preset's */
    size_t login_text_count;
    struct pst_str who_text;    /* absent: the preset's, or none */
    struct pst_str logout_text; /* likewise */
    enum config_token_location token_location;
    struct pst_str token;         /* pointer below the login field, or name */
    struct pst_str subject;       /* pointers below the who field or, without */
    struct pst_str name;          /* a who document, the login field */
    struct pst_str ttl;           /* below either of them; absent: none */
    struct pst_str *secret_names; /* POSTERN_SECRET_FIELDS */
    size_t secret_name_count;
    struct pst_str *secrets_allowed; /* "field" or "mutation.field" */
    size_t secrets_allowed_count;
    struct pst_str *password_fields; /* likewise */
    size_t password_field_count;
    int64_t revalidate; /* seconds; 0: off */

    /* Made of them by config_backend_load(). */
    struct login_document *logins; /* the first is for e-mail and password */
    size_t login_count;
    struct who_document who; /* text absent: the login's answer says it */
    struct pst_graphql_rules rules;
};

/*
 * Read the documents, and see that the pointers lead somewhere in them.
 * Complains of every variable that is wrong (reader->is_invalid).
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_backend_load(struct config_reader *reader,
                                              struct config_backend *backend);

/* Does a field of this name hold a secret? */
bool config_backend_is_secret(const struct config_backend *backend,
                              struct pst_str name);

#endif

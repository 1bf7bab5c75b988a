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
#include "graphql/document.h"
#include "server/config_table.h"
#include "server/login_document.h"

enum config_preset { PRESET_FAUNA, PRESET_VENDURE };

/* Where the backend's token is found (POSTERN_UPSTREAM_TOKEN). */
enum config_token_place { PLACE_JSON, PLACE_HEADER, PLACE_COOKIE };

struct config_backend {
    /* As the table reads them. */
    enum config_preset preset;
    struct pst_text *login_texts; /* documents; none: the preset's */
    size_t login_text_count;
    struct pst_text who_text;    /* absent: the preset's, or none */
    struct pst_text logout_text; /* likewise */
    enum config_token_place token_place;
    struct pst_text token;   /* pointer below the login field, or name */
    struct pst_text subject; /* pointers below the who field or, without */
    struct pst_text name;    /* a who document, the login field */
    struct pst_text ttl;     /* below either of them; absent: none */
    struct pst_text *secret_names; /* POSTERN_SECRET_FIELDS */
    size_t secret_name_count;
    struct pst_text *secrets_allowed; /* "field" or "mutation.field" */
    size_t secrets_allowed_count;
    struct pst_text *password_fields; /* likewise */
    size_t password_field_count;
    int64_t revalidate; /* seconds; 0: off */

    /* Made of them by config_backend_finish(). */
    struct login_document *logins; /* the first is for e-mail and password */
    size_t login_count;
    struct who_document who; /* text absent: the login's answer says it */
    struct pst_graphql_rules rules;
};

/*
 * Read the documents, and see that the pointers lead somewhere in them.
 * Complains of every variable that is wrong (reader->is_bad).
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_backend_finish(struct config_reader *reader,
                                                struct config_backend *backend);

/* Does a field of this name hold a secret? */
bool config_backend_is_secret(const struct config_backend *backend,
                              struct pst_text name);

#endif

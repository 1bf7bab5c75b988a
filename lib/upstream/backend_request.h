/* SPDX-License-Identifier: ISC */
/*
 * backend_request.h - write the GraphQL requests that we make ourselves: the
 * login, the refresh of a token, and the queries of our own documents.
 */
#ifndef POSTERN_UPSTREAM_BACKEND_REQUEST_H
#define POSTERN_UPSTREAM_BACKEND_REQUEST_H

#include "base/buffer.h"
#include "base/str.h"
#include "server/login_document.h"

struct login_credentials {
    struct pst_str username; /* or e-mail address */
    struct pst_str password; /* unchanged */
    bool remember;
};

/* Write the variables of a login document, such as {"email":…,"password":…}.
 *   login  its name_variable is set */
void backend_emit_login_variables(struct pst_buf *buf,
                                  const struct login_document *login,
                                  const struct login_credentials *credentials);

/* Write the variables of the refresh document, {"refreshToken":…}.
 *   token  JSON */
void backend_emit_refresh_variables(struct pst_buf *buf, struct pst_str token);

/*
 * Write {"query":document,"variables":variables}.
 *   variables  a JSON object; absent: no "variables"
 */
void backend_emit_request(struct pst_buf *buf, struct pst_str document,
                          struct pst_str variables);

#endif

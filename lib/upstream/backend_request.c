/* SPDX-License-Identifier: ISC */
/*
 * backend_request.c - write the GraphQL requests that we make ourselves, as
 * JSON.
 */
#include "upstream/backend_request.h"

#include "codec/json.h"

static void
add_variable_name(struct pst_buf *buf, const char *name)
{
    if (!pst_str_ends(pst_buf_str(buf), PST_STR("{")))
        pst_buf_add_char(buf, ',');
    pst_json_emit_string(buf, pst_str_from(name));
    pst_buf_add_char(buf, ':');
}

void
backend_emit_login_variables(struct pst_buf *buf,
                             const struct login_document *login,
                             const struct login_credentials *credentials)
{
    PST_REQUIRE(!pst_str_is_absent(login->name_variable));
    pst_buf_add_char(buf, '{');
    pst_json_emit_string(buf, login->name_variable);
    pst_buf_add_char(buf, ':');
    pst_json_emit_string(buf, credentials->username);
    add_variable_name(buf, "password");
    pst_json_emit_string(buf, credentials->password);
    if (login->has_remember) {
        add_variable_name(buf, "rememberMe");
        pst_buf_add_string(buf, credentials->remember ? "true" : "false");
    }
    pst_buf_add_char(buf, '}');
}

void
backend_emit_refresh_variables(struct pst_buf *buf, struct pst_str token)
{
    pst_buf_add_string(buf, "{\"" REFRESH_VARIABLE "\":");
    pst_buf_add(buf, token);
    pst_buf_add_char(buf, '}');
}

void
backend_emit_request(struct pst_buf *buf, struct pst_str document,
                     struct pst_str variables)
{
    pst_buf_add_string(buf, "{\"query\":");
    pst_json_emit_string(buf, document);
    if (!pst_str_is_absent(variables)) {
        pst_buf_add_string(buf, ",\"variables\":");
        pst_buf_add(buf, variables);
    }
    pst_buf_add_char(buf, '}');
}

/* SPDX-License-Identifier: ISC */
/*
 * session.c - show who is logged in and until when, list the user's sessions,
 * and end one of them. Never shows a token.
 */
#include "base/limits.h"
#include "codec/date.h"
#include "codec/json_emit.h"
#include "gateway/auth_session.h"
#include "gateway/program.h"
#include "gateway/session_registry.h"
#include "http/form.h"

static void
session_emit_text(struct pst_buf *buf, const char *name, struct pst_str value)
{
    pst_buf_add_char(buf, '"');
    pst_buf_add_string(buf, name);
    pst_buf_add_string(buf, "\":");
    if (value.len == 0)
        pst_buf_add_string(buf, "null");
    else
        pst_json_emit_string(buf, value);
    pst_buf_add_char(buf, ',');
}

static void
session_emit_date(struct pst_buf *buf, const char *name, int64_t when)
{
    pst_buf_add_char(buf, '"');
    pst_buf_add_string(buf, name);
    pst_buf_add_string(buf, "\":\"");
    pst_date_emit_rfc3339(buf, when);
    pst_buf_add_string(buf, "\",");
}

/* The members are listed here one by one, so that nothing that is added to a
 * session becomes public by itself. */
static void
session_emit_session(struct pst_buf *buf, const struct pst_session *session,
                     int64_t idle_end, int64_t now)
{
    pst_buf_add_char(buf, '{');
    session_emit_text(buf, "subject", session->sub);
    session_emit_text(buf, "name", session->name);
    pst_buf_add_string(buf, "\"who\":");
    pst_buf_add(buf, session->who);
    pst_buf_add_string(buf, ",\"guest\":");
    pst_buf_add_string(buf, pst_session_is_guest(session) ? "true," : "false,");
    if (session->known == PST_IDENTITY_UNKNOWN)
        pst_buf_add_string(buf, "\"identity\":\"unknown\",");
    session_emit_date(buf, "authenticatedAt", session->iat);
    session_emit_date(buf, "expiresAt", session->exp);
    session_emit_date(buf, "idleExpiresAt", idle_end);
    pst_buf_add_string(buf, "\"secondsLeft\":");
    pst_buf_add_number(buf, idle_end - now);
    pst_buf_add_char(buf, '}');
}

/* {"data":{"session":…}}: the current session, or null. */
static void
session_emit_current(struct pst_buf *buf, const struct context *ctx,
                     const struct auth *auth)
{
    pst_buf_add_string(buf, "{\"data\":{\"session\":");
    if (auth->has_session)
        session_emit_session(
            buf, &auth->session,
            pst_session_idle_expiry(&auth->session, &ctx->config->timeouts),
            ctx->now);
    else
        pst_buf_add_string(buf, "null");
    pst_buf_add_string(buf, "}}");
}

/* {"data":{"sessions":[…]}}: all sessions of the user. */
static enum pst_err
session_emit_list(struct pst_buf *buf, struct context *ctx, struct request *req,
                  const struct auth *auth)
{
    enum pst_err e = PST_OK;

    pst_buf_add_string(buf, "{\"data\":{\"sessions\":");
    if (auth->has_session)
        e = registry_list(ctx, req, &auth->session, buf);
    else
        pst_buf_add_string(buf, "[]");
    pst_buf_add_string(buf, "}}");
    return e;
}

/* Renew the session, unless the query says touch=0: a page that polls must not
 * keep the session alive. */
static enum pst_err
session_renew(struct context *ctx, struct request *req, struct response *res,
              const struct pst_form *form, struct auth *auth)
{
    struct pst_str touch;
    enum pst_err e = pst_form_get(form, PST_STR("touch"), &touch);

    if (e && e != PST_NOT_FOUND)
        return e;
    if (!e && pst_str_equal(touch, PST_STR("0")))
        return PST_OK;
    return auth_renew_if_due(ctx, req, res, auth);
}

static enum pst_err
session_show(struct context *ctx, struct request *req, struct response *res,
             const struct pst_form *form, struct auth *auth)
{
    struct pst_str list;
    struct pst_str body;
    struct pst_buf buf;
    enum pst_err e;

    e = session_renew(ctx, req, res, form, auth);
    if (e)
        return e;
    e = pst_form_get(form, PST_STR("list"), &list);
    if (e && e != PST_NOT_FOUND)
        return e;
    pst_buf_init_heap(&buf, req->arena, PST_BUFFERED_BODY_MAX);
    if (!e && pst_str_equal(list, PST_STR("1"))) {
        e = session_emit_list(&buf, ctx, req, auth);
        if (e)
            return e;
    } else {
        session_emit_current(&buf, ctx, auth);
    }
    e = pst_buf_finish(&buf, &body);
    if (e)
        return e;
    return response_send_json(res, 200, body);
}

/* DELETE ?id=…: end one session of the user, perhaps the current one. */
static enum pst_err
session_end(struct context *ctx, struct request *req, struct response *res,
            const struct pst_form *form, struct auth *auth)
{
    struct pst_str name;
    bool is_own;
    enum pst_err e;

    if (!auth->has_session)
        return PST_NO_SESSION;
    e = pst_form_get(form, PST_STR("id"), &name);
    if (e)
        return e == PST_NOT_FOUND ? PST_MALFORMED : e;
    e = registry_revoke_by_name(ctx, req, &auth->session, name, &is_own);
    if (e)
        return e;
    LOG_EVENT(
        ctx->log, LEVEL_INFO, "session-ended", LOG_C_STRING("request", req->id),
        LOG_C_STRING("by", auth_log_id(auth, (char[AUTH_LOG_ID_SIZE]){0})),
        LOG_STR("session", pst_str_first(name, 8)));
    e = is_own ? auth_end_session(ctx, req, res, auth)
               : auth_renew_if_due(ctx, req, res, auth);
    if (e)
        return e;
    return response_send_json(
        res, 200, PST_STR("{\"data\":{\"endSession\":{\"success\":true}}}"));
}

static enum pst_err
session(struct context *ctx, struct request *req, struct response *res)
{
    static const struct auth_rules rules = {.methods =
                                                "GET, HEAD, DELETE, OPTIONS"};
    struct pst_form form;
    struct auth auth;
    enum pst_err e;

    e = authenticate(ctx, req, res, &rules, &auth);
    if (e || res->begun)
        return e;
    e = pst_form_parse(req->arena, req->query, &form);
    if (e)
        return e;
    if (pst_str_equal(req->method, PST_STR("DELETE")))
        return session_end(ctx, req, res, &form, &auth);
    return session_show(ctx, req, res, &form, &auth);
}

int
main(int argc, char **argv)
{
    return program_serve(argc, argv, "session", PROGRAM_USES_STORE, session);
}

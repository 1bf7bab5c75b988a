/* SPDX-License-Identifier: ISC */
/*
 * session.c - who am I, and until when; never the token. The user's other
 * sessions too: listed, and ended one by one.
 */
#include "base/limits.h"
#include "codec/date.h"
#include "codec/json_text.h"
#include "gateway/auth_session.h"
#include "gateway/serve.h"
#include "gateway/session_registry.h"
#include "http/form.h"

static void
emit_text(struct pst_buf *buf, const char *name, struct pst_text value)
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
emit_date(struct pst_buf *buf, const char *name, int64_t when)
{
    pst_buf_add_char(buf, '"');
    pst_buf_add_string(buf, name);
    pst_buf_add_string(buf, "\":\"");
    pst_date_emit_rfc3339(buf, when);
    pst_buf_add_string(buf, "\",");
}

/* An allow-list of members: what is added to a session stays inside (L34). */
static void
emit_session(struct pst_buf *buf, const struct pst_session *session,
             int64_t idle_end, int64_t now)
{
    pst_buf_add_char(buf, '{');
    emit_text(buf, "subject", session->sub);
    emit_text(buf, "name", session->name);
    pst_buf_add_string(buf, "\"who\":");
    pst_buf_add(buf, session->who);
    pst_buf_add_string(buf, ",\"guest\":");
    pst_buf_add_string(buf, pst_session_is_guest(session) ? "true," : "false,");
    if (session->known == PST_IDENTITY_UNKNOWN)
        pst_buf_add_string(buf, "\"identity\":\"unknown\",");
    emit_date(buf, "authenticatedAt", session->iat);
    emit_date(buf, "expiresAt", session->exp);
    emit_date(buf, "idleExpiresAt", idle_end);
    pst_buf_add_string(buf, "\"secondsLeft\":");
    pst_buf_add_number(buf, idle_end - now);
    pst_buf_add_char(buf, '}');
}

/* {"data":{"session":…}}: this one, or null. */
static void
emit_current(struct pst_buf *buf, const struct gate *gate,
             const struct visit *visit)
{
    pst_buf_add_string(buf, "{\"data\":{\"session\":");
    if (visit->has_session)
        emit_session(
            buf, &visit->session,
            pst_session_idle_end(&visit->session, &gate->config->clocks),
            gate->now);
    else
        pst_buf_add_string(buf, "null");
    pst_buf_add_string(buf, "}}");
}

/* {"data":{"sessions":[…]}}: all of the user's. */
static enum pst_err
emit_list(struct pst_buf *buf, struct gate *gate, struct request *req,
          const struct visit *visit)
{
    enum pst_err e = PST_OK;

    pst_buf_add_string(buf, "{\"data\":{\"sessions\":");
    if (visit->has_session)
        e = roster_emit(gate, req, &visit->session, buf);
    else
        pst_buf_add_string(buf, "[]");
    pst_buf_add_string(buf, "}}");
    return e;
}

/* ?touch=0: a page that asks each second must not keep the session alive. */
static enum pst_err
renew(struct gate *gate, struct request *req, struct reply *rep,
      const struct pst_form *form, struct visit *visit)
{
    struct pst_text touch;
    enum pst_err e = pst_form_get(form, PST_TEXT("touch"), &touch);

    if (e && e != PST_ABSENT)
        return e;
    if (!e && pst_text_equal(touch, PST_TEXT("0")))
        return PST_OK;
    return visit_finish(gate, req, rep, visit);
}

static enum pst_err
show(struct gate *gate, struct request *req, struct reply *rep,
     const struct pst_form *form, struct visit *visit)
{
    struct pst_text list;
    struct pst_text body;
    struct pst_buf buf;
    enum pst_err e;

    e = renew(gate, req, rep, form, visit);
    if (e)
        return e;
    e = pst_form_get(form, PST_TEXT("list"), &list);
    if (e && e != PST_ABSENT)
        return e;
    pst_buf_init_hold(&buf, req->arena, PST_HOLD_MAX);
    if (!e && pst_text_equal(list, PST_TEXT("1"))) {
        e = emit_list(&buf, gate, req, visit);
        if (e)
            return e;
    } else {
        emit_current(&buf, gate, visit);
    }
    e = pst_buf_end(&buf, &body);
    if (e)
        return e;
    return reply_json(rep, 200, body);
}

/* DELETE ?id=…: one of the user's own sessions, this one included. */
static enum pst_err
end(struct gate *gate, struct request *req, struct reply *rep,
    const struct pst_form *form, struct visit *visit)
{
    struct pst_text name;
    bool is_own;
    enum pst_err e;

    if (!visit->has_session)
        return PST_ABSENT;
    e = pst_form_get(form, PST_TEXT("id"), &name);
    if (e)
        return e == PST_ABSENT ? PST_MALFORMED : e;
    e = roster_end_named(gate, req, &visit->session, name, &is_own);
    if (e)
        return e;
    LOG_EVENT(gate->log, LEVEL_INFO, "session-ended",
              LOG_STRING("request", req->id), LOG_STRING("by", visit->mark),
              LOG_TEXT("session", pst_text_first(name, 8)));
    e = is_own ? visit_end(gate, req, rep, visit)
               : visit_finish(gate, req, rep, visit);
    if (e)
        return e;
    return reply_json(
        rep, 200, PST_TEXT("{\"data\":{\"endSession\":{\"success\":true}}}"));
}

static enum pst_err
session(struct gate *gate, struct request *req, struct reply *rep)
{
    static const struct visit_rules rules = {.methods =
                                                 "GET, HEAD, DELETE, OPTIONS"};
    struct pst_form form;
    struct visit visit;
    enum pst_err e;

    e = visit_enter(gate, req, rep, &rules, &visit);
    if (e || rep->begun)
        return e;
    e = pst_form_parse(req->arena, req->query, &form);
    if (e)
        return e;
    if (pst_text_equal(req->method, PST_TEXT("DELETE")))
        return end(gate, req, rep, &form, &visit);
    return show(gate, req, rep, &form, &visit);
}

int
main(int argc, char **argv)
{
    return gate_serve(argc, argv, "session", session);
}

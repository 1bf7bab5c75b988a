/* SPDX-License-Identifier: ISC */
/*
 * session.c - who am I, and until when; never the token.
 */
#include "date.h"
#include "json.h"
#include "limits.h"
#include "serve.h"
#include "visit.h"

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
    emit_date(buf, "authenticatedAt", session->iat);
    emit_date(buf, "expiresAt", session->exp);
    emit_date(buf, "idleExpiresAt", idle_end);
    pst_buf_add_string(buf, "\"secondsLeft\":");
    pst_buf_add_number(buf, idle_end - now);
    pst_buf_add_char(buf, '}');
}

static enum pst_err
session(struct gate *gate, struct request *req, struct reply *rep)
{
    struct visit visit;
    struct pst_text body;
    struct pst_buf buf;
    enum pst_err e;

    e = visit_enter(gate, req, rep, "GET, OPTIONS", &visit);
    if (e || rep->begun)
        return e;
    pst_buf_init_arena(&buf, req->arena, PST_CLAIMS_MAX + 1024);
    pst_buf_add_string(&buf, "{\"data\":{\"session\":");
    if (visit.has_session)
        emit_session(
            &buf, &visit.session,
            pst_session_idle_end(&visit.session, &gate->config->clocks),
            gate->now);
    else
        pst_buf_add_string(&buf, "null");
    pst_buf_add_string(&buf, "}}");
    e = pst_buf_end(&buf, &body);
    if (e)
        return e;
    return reply_json(rep, 200, body);
}

int
main(int argc, char **argv)
{
    return gate_serve(argc, argv, "session", session);
}

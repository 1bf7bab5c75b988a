/* SPDX-License-Identifier: ISC */
/*
 * identity.c - whose session is it? By the backend's answer to our question.
 */
#include "gateway/identity.h"

#include "gateway/forward.h"
#include "gateway/login_throttle.h"
#include "gateway/session_registry.h"

/* Send one of our own documents, and hold the answer. */
static enum pst_err
send_document(struct gate *gate, struct request *req, struct pst_text document,
              const struct forward_request *how, struct forward_answer *answer)
{
    struct forward_request what = *how;
    struct pst_buf body;
    enum pst_err e;

    what.method = PST_TEXT("POST");
    pst_buf_init_hold(&body, req->arena, PST_HOLD_MAX);
    backend_emit_request(&body, document, PST_NO_TEXT);
    e = pst_buf_end(&body, &what.body);
    return e ? e : forward_hold(gate, req, &what, answer);
}

/* Keep what the answer to our question did to the token itself. */
static enum pst_err
follow_own(struct gate *gate, struct request *req,
           const struct forward_answer *answer, struct pst_text *upstream,
           bool *is_ended)
{
    const struct jar_answer heard = {gate->now, *upstream, &answer->news};
    enum jar_change change;
    struct pst_text fresh;
    enum pst_err e =
        jar_follow(req->arena, gate->config, &heard, &change, &fresh);

    *is_ended = !e && change == JAR_ENDED;
    if (!e)
        *upstream = fresh;
    return e;
}

enum pst_err
identity_ask(struct gate *gate, struct request *req, struct pst_text *upstream,
             struct backend_identity *out)
{
    const struct forward_request how = {.upstream = *upstream,
                                        .headers = FORWARD_WHO};
    struct forward_answer *held;
    struct backend_answer answer;
    bool is_ended;
    enum pst_err e;

    *out = (struct backend_identity){.known = PST_IDENTITY_NOBODY,
                                     .sub = PST_TEXT(""),
                                     .name = PST_TEXT(""),
                                     .who = PST_TEXT("{}")};
    if (pst_text_is_absent(*upstream))
        return PST_OK;
    held = pst_arena_alloc(req->arena, sizeof(*held));
    if (!held)
        return PST_NO_MEMORY;
    e = send_document(gate, req, gate->config->backend.who.text, &how, held);
    if (!e)
        e = follow_own(gate, req, held, upstream, &is_ended);
    if (e) {
        out->known = PST_IDENTITY_UNKNOWN;
        return e == PST_NO_MEMORY || e == PST_CLIENT_GONE ? e : PST_OK;
    }
    answer = (struct backend_answer){held->status,
                                     held->encoded ? PST_TEXT("") : held->body};
    e = backend_read_who(req->arena, gate->config, gate->now, &answer, out);
    if (!e && is_ended && out->known == PST_IDENTITY_UNKNOWN)
        out->known = PST_IDENTITY_NOBODY;
    return e;
}

struct visit_grant
identity_grant(const struct gate *gate, const struct backend_identity *identity,
               struct pst_text upstream)
{
    return (struct visit_grant){
        .sub = identity->sub,
        .name = identity->name,
        .who = identity->who,
        .upstream = upstream,
        .backend_end = identity->end,
        .is_unknown = identity->known == PST_IDENTITY_UNKNOWN,
        .asked = gate->config->backend.who.field &&
                         identity->known != PST_IDENTITY_UNKNOWN
                     ? gate->now
                     : 0,
    };
}

/* Too large a session is our trouble, not a fault of the request. */
enum pst_err
identity_begin(struct gate *gate, const struct request *req, struct reply *rep,
               struct visit *visit, const struct visit_grant *grant)
{
    enum pst_err e = visit_begin(gate, req, rep, visit, grant);

    if (e == PST_TOO_LARGE)
        LOG_EVENT(gate->log, LEVEL_ERROR, "session-too-large",
                  LOG_STRING("request", req->id),
                  LOG_TEXT("subject", grant->sub),
                  LOG_NUMBER("upstream_bytes", (int64_t)grant->upstream.len),
                  LOG_STRING("why", "the backend's token does not fit into "
                                    "a cookie, and there is no store"));
    if (e == PST_EXPIRED)
        LOG_EVENT(gate->log, LEVEL_WARNING, "backend-token-ended",
                  LOG_STRING("request", req->id),
                  LOG_NUMBER("end", grant->backend_end));
    if (e == PST_EXPIRED)
        return PST_UPSTREAM_BROKEN;
    return e == PST_TOO_LARGE ? PST_INTERNAL : e;
}

static void
log_identity(const struct gate *gate, const struct request *req,
             const char *event, const struct visit *visit,
             const struct backend_identity *identity)
{
    static const char *const words[] = {
        [PST_IDENTITY_KNOWN] = "known",
        [PST_IDENTITY_NOBODY] = "nobody",
        [PST_IDENTITY_UNKNOWN] = "unknown",
    };

    LOG_EVENT(gate->log, LEVEL_INFO, event, LOG_STRING("request", req->id),
              LOG_STRING("session", visit->mark),
              LOG_STRING("identity", words[identity->known]),
              LOG_TEXT("subject", identity->sub),
              LOG_TEXT("address", req->remote_addr));
}

/* Is the session's owner still who it was? */
static bool
is_same_owner(const struct visit *visit,
              const struct backend_identity *identity)
{
    const struct pst_session *session = &visit->session;

    if (!visit->has_session)
        return false;
    if (session->known != identity->known)
        return false;
    return pst_text_equal(session->sub, identity->sub);
}

/* Nothing but the token, and what is told of its owner, is new. */
static enum pst_err
keep_owner(struct gate *gate, struct request *req, struct reply *rep,
           struct visit *visit, const struct visit_grant *grant)
{
    struct pst_session *session = &visit->session;

    session->upstream = grant->upstream;
    if (grant->sub.len > 0) {
        session->name = grant->name;
        session->who = grant->who;
    }
    if (grant->asked > 0)
        session->asked = grant->asked;
    return visit_renew(gate, req, rep, visit);
}

/* A session that was ended or replaced while the backend was at work is none
 * any more. Nothing is cleared: what the browser has now may be another. */
static enum pst_err
forget_revoked(struct visit *visit, enum pst_err e)
{
    if (e != PST_REVOKED)
        return e;
    visit->has_session = false;
    return PST_OK;
}

/* End it, as the backend has. */
static enum pst_err
end_session(struct gate *gate, struct request *req, struct reply *rep,
            struct visit *visit)
{
    enum pst_err e = PST_OK;

    if (visit->has_session)
        e = roster_check(gate, req, &visit->session);
    if (e == PST_REVOKED)
        return forget_revoked(visit, e);
    return visit_end(gate, req, rep, visit);
}

/* A user's session that no password began. */
static enum pst_err
begin_without_password(struct gate *gate, struct request *req,
                       struct reply *rep, struct visit *visit,
                       const struct visit_grant *grant)
{
    enum pst_err e = PST_OK;

    if (grant->sub.len > 0)
        e = login_throttle_address(gate, req, rep);
    return e ? e : identity_begin(gate, req, rep, visit, grant);
}

/*
 * Another token: who holds it?
 *   is_new  it is another session at the backend, which nobody will hold if
 *           this fails; otherwise it is the one that the session holds already
 */
static enum pst_err
replace_token(struct gate *gate, struct request *req, struct reply *rep,
              struct visit *visit, struct pst_text upstream, bool is_new)
{
    struct backend_identity identity;
    struct visit_grant grant;
    enum pst_err e;

    e = identity_ask(gate, req, &upstream, &identity);
    if (e)
        return e;
    if (pst_text_is_absent(upstream))
        return end_session(gate, req, rep, visit);
    grant = identity_grant(gate, &identity, upstream);
    log_identity(gate, req, "backend-token-changed", visit, &identity);
    if (is_same_owner(visit, &identity))
        e = keep_owner(gate, req, rep, visit, &grant);
    else
        e = begin_without_password(gate, req, rep, visit, &grant);
    if (e && is_new && grant.sub.len > 0)
        identity_hand_back(gate, req, upstream);
    return forget_revoked(visit, e);
}

enum pst_err
identity_follow(struct gate *gate, struct request *req, struct reply *rep,
                struct visit *visit, const struct jar_news *news)
{
    const struct jar_answer answer = {gate->now, visit_upstream(visit), news};
    enum jar_change change;
    struct pst_text upstream;
    enum pst_err e;

    e = jar_follow(req->arena, gate->config, &answer, &change, &upstream);
    if (e)
        return e == PST_TOO_LARGE ? PST_UPSTREAM_BROKEN : e;
    switch (change) {
    case JAR_SAME:
        return PST_OK;
    case JAR_ENDED:
        LOG_EVENT(gate->log, LEVEL_INFO, "ended-by-backend",
                  LOG_STRING("request", req->id),
                  LOG_STRING("session", visit->mark));
        return end_session(gate, req, rep, visit);
    case JAR_KEPT:
        if (!visit->has_session)
            return PST_OK; /* a cookie, but nobody's session */
        break;             /* hardly another owner, yet only who knows */
    case JAR_REPLACED:
        break;
    }
    return replace_token(gate, req, rep, visit, upstream,
                         change == JAR_REPLACED);
}

/* Is it time to ask again? */
static bool
is_due(const struct gate *gate, const struct visit *visit)
{
    int64_t every = gate->config->backend.revalidate;
    const struct pst_session *session = &visit->session;

    if (!visit->has_session)
        return false;
    if (session->known == PST_IDENTITY_UNKNOWN)
        return true;
    return every > 0 && session->known == PST_IDENTITY_KNOWN &&
           gate->now - session->asked >= every;
}

enum pst_err
identity_confirm(struct gate *gate, struct request *req, struct reply *rep,
                 struct visit *visit)
{
    struct backend_identity identity;
    struct visit_grant grant;
    struct pst_text upstream;
    enum pst_err e;

    if (!is_due(gate, visit))
        return PST_OK;
    upstream = visit_upstream(visit);
    e = identity_ask(gate, req, &upstream, &identity);
    if (e)
        return e;
    if (identity.known == PST_IDENTITY_UNKNOWN) {
        log_identity(gate, req, "identity-unknown", visit, &identity);
        return PST_UPSTREAM_BROKEN;
    }
    grant = identity_grant(gate, &identity, upstream);
    if (is_same_owner(visit, &identity))
        return forget_revoked(visit, keep_owner(gate, req, rep, visit, &grant));
    log_identity(gate, req, "identity-changed", visit, &identity);
    if (visit->session.known != PST_IDENTITY_UNKNOWN ||
        pst_text_is_absent(upstream))
        return end_session(gate, req, rep, visit);
    e = begin_without_password(gate, req, rep, visit, &grant);
    /* A request beside this one was first: the client has its answer. */
    return e == PST_REVOKED ? PST_UNCONFIRMED : e;
}

enum pst_err
identity_log_out(struct gate *gate, struct request *req,
                 struct pst_text upstream)
{
    const struct forward_request how = {.upstream = upstream,
                                        .headers = FORWARD_LOGIN};
    struct forward_answer *answer =
        pst_arena_alloc(req->arena, sizeof(*answer));

    if (!answer)
        return PST_NO_MEMORY;
    return send_document(gate, req, gate->config->backend.logout_text, &how,
                         answer);
}

void
identity_hand_back(struct gate *gate, struct request *req,
                   struct pst_text upstream)
{
    enum pst_err e;

    if (gate->config->upstream_logout != LOGOUT_ALWAYS ||
        pst_text_is_absent(upstream))
        return;
    e = identity_log_out(gate, req, upstream);
    LOG_EVENT(gate->log, LEVEL_INFO, "login-handed-back",
              LOG_STRING("request", req->id),
              LOG_STRING("backend", pst_err_code(e)));
}

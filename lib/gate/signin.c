/* SPDX-License-Identifier: ISC */
/*
 * signin.c - one login, three ways to it.
 */
#include "signin.h"

#include "json.h"

static void
log_outcome(const struct gate *gate, const struct request *req,
            const char *event, const struct visit *visit,
            const struct backend_outcome *outcome)
{
    LOG_EVENT(gate->log, LEVEL_INFO, event, LOG_STRING("request", req->id),
              LOG_STRING("session", visit->mark),
              LOG_TEXT("subject", outcome->grant.sub),
              LOG_TEXT("address", req->remote_addr),
              LOG_TEXT("backend_code", outcome->code));
}

/* Too large a session is our trouble, not a fault of the request. */
static enum pst_err
begin(struct gate *gate, const struct request *req, struct reply *rep,
      struct visit *visit, const struct visit_grant *grant,
      struct pst_text *bearer)
{
    enum pst_err e = visit_begin(gate, rep, visit, grant, bearer);

    if (e == PST_TOO_LARGE)
        LOG_EVENT(gate->log, LEVEL_ERROR, "session-too-large",
                  LOG_STRING("request", req->id),
                  LOG_TEXT("subject", grant->sub),
                  LOG_NUMBER("upstream_octets", (int64_t)grant->upstream.len),
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

/* Read a held answer as the answer to a login. */
static enum pst_err
read_answer(struct gate *gate, const struct request *req, struct pst_text typed,
            const struct forward_answer *held, struct backend_outcome *outcome)
{
    const struct backend_answer answer = {held->status, held->token_header,
                                          held->encoded ? PST_TEXT("")
                                                        : held->body};

    return backend_read_login(req->arena, gate->config, gate->now, typed,
                              &answer, outcome);
}

/* A cart follows its owner: a guest's token goes with the login. */
static enum pst_err
guest_token(const struct request *req, const struct visit *visit,
            struct pst_text *token)
{
    *token = PST_NO_TEXT;
    if (!visit->has_session || !pst_session_is_guest(&visit->session))
        return PST_OK;
    return visit_upstream_token(visit, req->arena, token);
}

enum pst_err
signin_with(struct gate *gate, struct request *req, struct reply *rep,
            struct visit *visit, const struct backend_credentials *credentials)
{
    struct forward_request what = {.method = PST_TEXT("POST"), .own = true};
    struct backend_outcome outcome;
    struct forward_answer *held;
    struct pst_buf body;
    enum pst_err e;

    held = pst_arena_alloc(req->arena, sizeof(*held));
    if (!held)
        return PST_NO_MEMORY;
    pst_buf_init_hold(&body, req->arena, PST_HOLD_MAX);
    backend_emit_login(&body, gate->config, credentials);
    e = pst_buf_end(&body, &what.body);
    if (e)
        return e;
    e = guest_token(req, visit, &what.token);
    if (e)
        return e;
    e = forward_hold(gate, req, &what, held);
    if (e)
        return e;
    e = read_answer(gate, req, credentials->username, held, &outcome);
    if (e)
        return e;
    if (outcome.verdict != BACKEND_GRANTED) {
        log_outcome(gate, req, "login-refused", visit, &outcome);
        return outcome.verdict == BACKEND_REFUSED ? PST_REFUSED
                                                  : PST_UPSTREAM_BROKEN;
    }
    outcome.grant.remember = credentials->remember;
    e = begin(gate, req, rep, visit, &outcome.grant, NULL);
    if (!e)
        log_outcome(gate, req, "login", visit, &outcome);
    return e;
}

/*
 * The body for the client: the secret is null, or our own token where the
 * client is one that keeps data.login.secret and sends it back.
 */
static enum pst_err
take_secret_out(const struct request *req, const struct forward_answer *held,
                struct pst_text secret, struct pst_text bearer,
                struct pst_text *out)
{
    struct pst_text replacement = PST_TEXT("null");
    struct pst_buf quoted;
    struct pst_buf body;
    enum pst_err e;

    *out = held->body;
    if (secret.len == 0 || held->encoded)
        return PST_OK;
    pst_buf_init_arena(&quoted, req->arena, PST_TOKEN_MAX + 2);
    if (!pst_text_is_absent(bearer)) {
        pst_json_emit_string(&quoted, bearer);
        e = pst_buf_end(&quoted, &replacement);
        if (e)
            return e;
    }
    pst_buf_init_hold(&body, req->arena, 2 * PST_HOLD_MAX);
    pst_json_redact(&body, held->body, secret, replacement);
    return pst_buf_end(&body, out);
}

/* The backend granted a login: ours begins, if it may. */
static enum pst_err
relay_granted(struct gate *gate, struct request *req, struct reply *rep,
              struct visit *visit, struct backend_outcome *outcome,
              struct pst_text *bearer)
{
    enum pst_err e;

    /* No login by GET: a link must not be able to log anybody in. */
    if (request_is_safe(req)) {
        log_outcome(gate, req, "login-by-get-refused", visit, outcome);
        return PST_BAD_METHOD;
    }
    e = begin(gate, req, rep, visit, &outcome->grant, bearer);
    if (!e)
        log_outcome(gate, req, "login", visit, outcome);
    return e;
}

enum pst_err
signin_relay(struct gate *gate, struct request *req, struct reply *rep,
             struct visit *visit, const struct backend_request *what)
{
    struct forward_request forward = {.method = req->method,
                                      .query = req->query};
    struct pst_text bearer = PST_NO_TEXT;
    struct backend_outcome outcome;
    struct forward_answer *held;
    struct pst_text body;
    enum pst_err e;

    held = pst_arena_alloc(req->arena, sizeof(*held));
    if (!held)
        return PST_NO_MEMORY;
    e = visit_upstream_token(visit, req->arena, &forward.token);
    if (e)
        return e;
    e = forward_hold(gate, req, &forward, held);
    if (e)
        return e;
    e = read_answer(gate, req, what->typed, held, &outcome);
    if (e)
        return e;
    if (outcome.verdict == BACKEND_GRANTED) {
        outcome.grant.remember = what->remember;
        e = relay_granted(gate, req, rep, visit, &outcome, &bearer);
        if (e)
            return e;
    } else if (what->kind == BACKEND_LOGIN) {
        log_outcome(gate, req, "login-refused", visit, &outcome);
        /* What cannot be read may hold the secret, if it claims success. */
        if (outcome.verdict == BACKEND_BROKEN && held->status < 400)
            return PST_UPSTREAM_BROKEN;
    }
    e = take_secret_out(req, held, outcome.token, bearer, &body);
    if (e)
        return e;
    return forward_relay(rep, held, body);
}

/* SPDX-License-Identifier: ISC */
/*
 * signin.c - one login, three ways to it; and a backend's session followed
 * through its answers.
 */
#include "signin.h"

#include "json.h"
#include "roster.h"
#include "throttle.h"

/* One attempt to log in, from the request to what became of it. */
struct attempt {
    struct gate *gate;
    struct request *req;
    struct reply *rep;
    struct visit *visit;
    struct forward_request what;
    struct pst_text typed; /* who, by the request's own word */
    bool remember;
    struct forward_answer held;
    struct backend_outcome outcome;
    struct throttle throttle;
    struct throttle_attempt taken; /* from the budgets of guesses */
};

static struct attempt *
attempt_new(struct gate *gate, struct request *req, struct reply *rep,
            struct visit *visit)
{
    struct attempt *attempt = pst_arena_alloc(req->arena, sizeof(*attempt));

    if (attempt) {
        attempt->gate = gate;
        attempt->req = req;
        attempt->rep = rep;
        attempt->visit = visit;
    }
    return attempt;
}

static void
log_attempt(const struct attempt *attempt, const char *event)
{
    const struct request *req = attempt->req;

    LOG_EVENT(attempt->gate->log, LEVEL_INFO, event,
              LOG_STRING("request", req->id),
              LOG_STRING("session", attempt->visit->mark),
              LOG_TEXT("subject", attempt->outcome.grant.sub),
              LOG_TEXT("address", req->remote_addr),
              LOG_TEXT("backend_code", attempt->outcome.code));
}

/* Too large a session is our trouble, not a fault of the request. */
static enum pst_err
begin(struct gate *gate, const struct request *req, struct reply *rep,
      struct visit *visit, const struct visit_grant *grant)
{
    enum pst_err e = visit_begin(gate, req, rep, visit, grant);

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

enum pst_err
signin_follow(struct gate *gate, const struct request *req, struct reply *rep,
              struct visit *visit, const struct jar_news *news)
{
    struct visit_grant guest = {.who = PST_TEXT("{}")};
    enum jar_change change;
    struct pst_text upstream;
    enum pst_err e;

    e = jar_follow(req->arena, gate->config, gate->now, visit_upstream(visit),
                   news, &change, &upstream);
    if (e)
        return e == PST_TOO_LARGE ? PST_UPSTREAM_BROKEN : e;
    switch (change) {
    case JAR_SAME:
        return PST_OK;
    case JAR_ENDED:
        LOG_EVENT(gate->log, LEVEL_INFO, "ended-by-backend",
                  LOG_STRING("request", req->id),
                  LOG_STRING("session", visit->mark));
        return visit_end(gate, req, rep, visit);
    case JAR_KEPT:
        if (!visit->has_session)
            return PST_OK; /* a cookie, but nobody's session */
        visit->session.upstream = upstream;
        return visit_renew(gate, req, rep, visit);
    case JAR_REPLACED:
        /* Ended while the backend was at work: its new token would bring
         * back, under another id, what a logout has just taken away. */
        e = visit->has_session ? roster_check(gate, req, &visit->session)
                               : PST_OK;
        if (e == PST_REVOKED)
            return visit_end(gate, req, rep, visit);
        if (e)
            return e;
        break;
    }
    guest.upstream = upstream;
    return begin(gate, req, rep, visit, &guest);
}

/* --- how often a password may be guessed ---------------------------------- */

/* A device that was remembered by this very account has a budget of its own. */
static struct pst_bytes
known_device(const struct attempt *attempt)
{
    const struct visit *visit = attempt->visit;

    if (visit->was_remembered &&
        pst_text_equal_nocase(visit->session.name, attempt->typed))
        return (struct pst_bytes){visit->session.sid, PST_SID_LEN};
    return (struct pst_bytes){NULL, 0};
}

static enum pst_err
refuse_throttled(struct attempt *attempt, int64_t wait)
{
    struct pst_buf buf;
    char digits[24];

    pst_buf_init(&buf, digits, sizeof(digits));
    pst_buf_add_number(&buf, wait);
    reply_put(attempt->rep, PST_TEXT("Retry-After"), pst_buf_text(&buf));
    LOG_EVENT(attempt->gate->log, LEVEL_WARNING, "login-throttled",
              LOG_STRING("request", attempt->req->id),
              LOG_TEXT("address", attempt->req->remote_addr),
              LOG_NUMBER("retry_after", wait));
    return PST_THROTTLED;
}

/* Take from the budgets before the backend is asked. */
static enum pst_err
take(struct attempt *attempt)
{
    struct gate *gate = attempt->gate;
    const struct throttle_visitor visitor = {
        attempt->typed, attempt->req->remote_addr, known_device(attempt)};
    int64_t wait;
    enum pst_err e;

    if (!gate->store)
        return PST_OK;
    attempt->throttle =
        (struct throttle){gate->store, gate->config->login_per_account,
                          gate->config->login_per_address};
    e = throttle_begin(&attempt->throttle, &visitor, gate->now, &attempt->taken,
                       &wait);
    if (e == PST_THROTTLED)
        return refuse_throttled(attempt, wait);
    if (e == PST_STORE_DOWN)
        LOG_EVENT(gate->log, LEVEL_ERROR, "store-down",
                  LOG_STRING("request", attempt->req->id),
                  LOG_STRING("why", store_why(gate->store)));
    return e;
}

/*
 * What was taken stays taken for a wrong password only: a success makes the
 * account's budget whole, and what was no guess gives back. Failing to give
 * back is no reason to fail a login.
 */
static void
give_back(struct attempt *attempt, bool is_guess)
{
    struct gate *gate = attempt->gate;

    if (!gate->store)
        return;
    if (attempt->outcome.verdict == BACKEND_GRANTED)
        (void)!throttle_pass(&attempt->throttle, &attempt->taken, gate->now);
    else if (!is_guess)
        (void)!throttle_cancel(&attempt->throttle, &attempt->taken, gate->now);
}

/* --- what the backend says
 * ------------------------------------------------------- */

/* Send the request, hold the answer, and read it as a login's. */
static enum pst_err
ask(struct attempt *attempt)
{
    struct gate *gate = attempt->gate;
    struct forward_answer *held = &attempt->held;
    struct backend_answer answer;
    enum pst_err e;

    e = forward_hold(gate, attempt->req, &attempt->what, held);
    if (e)
        return e;
    answer = (struct backend_answer){
        .status = held->status,
        .body = held->encoded ? PST_TEXT("") : held->body,
        .news = &held->news,
        .upstream = attempt->what.upstream,
    };
    return backend_read_login(attempt->req->arena, gate->config, gate->now,
                              attempt->typed, &answer, &attempt->outcome);
}

/* The answer did not say who it is: ask, once, with the new token. */
static enum pst_err
ask_who(struct attempt *attempt)
{
    struct forward_request what = {.method = PST_TEXT("POST"), .own = true};
    struct visit_grant *grant = &attempt->outcome.grant;
    struct forward_answer *held;
    struct pst_buf body;
    enum pst_err e;

    if (!attempt->outcome.is_nameless ||
        !backend_knows_identity(attempt->gate->config))
        return PST_OK;
    held = pst_arena_alloc(attempt->req->arena, sizeof(*held));
    if (!held)
        return PST_NO_MEMORY;
    pst_buf_init_arena(&body, attempt->req->arena, 256);
    backend_emit_identity(&body);
    e = pst_buf_end(&body, &what.body);
    if (e)
        return e;
    what.upstream = grant->upstream;
    e = forward_hold(attempt->gate, attempt->req, &what, held);
    if (!e)
        e = backend_read_identity(attempt->req->arena, held->body, grant);
    if (e == PST_NO_MEMORY)
        return e;
    /* What was typed will do, where the backend would not tell. */
    return grant->sub.len > 0 ? PST_OK : PST_UPSTREAM_BROKEN;
}

/* The backend granted it: a session of ours begins. */
static enum pst_err
granted(struct attempt *attempt)
{
    enum pst_err e = ask_who(attempt);

    if (e)
        return e;
    attempt->outcome.grant.remember = attempt->remember;
    e = begin(attempt->gate, attempt->req, attempt->rep, attempt->visit,
              &attempt->outcome.grant);
    if (!e)
        log_attempt(attempt, "login");
    return e;
}

/* --- credentials
 * ------------------------------------------------------------------ */

enum pst_err
signin_with(struct gate *gate, struct request *req, struct reply *rep,
            struct visit *visit, const struct backend_credentials *credentials)
{
    struct attempt *attempt = attempt_new(gate, req, rep, visit);
    struct pst_buf body;
    enum pst_err e;

    if (!attempt)
        return PST_NO_MEMORY;
    attempt->typed = credentials->username;
    attempt->remember = credentials->remember;
    attempt->what.method = PST_TEXT("POST");
    attempt->what.own = true;
    /* A cart follows its owner: a guest's token goes with the login. That of
     * a user who is logged in does not: a backend may end what it names. */
    if (visit->has_session && pst_session_is_guest(&visit->session))
        attempt->what.upstream = visit_upstream(visit);
    pst_buf_init_hold(&body, req->arena, PST_HOLD_MAX);
    backend_emit_login(&body, gate->config, credentials);
    e = pst_buf_end(&body, &attempt->what.body);
    if (e)
        return e;
    e = take(attempt);
    if (e)
        return e;
    e = ask(attempt);
    give_back(attempt, !e && attempt->outcome.verdict == BACKEND_REFUSED);
    if (e)
        return e;
    if (attempt->outcome.verdict == BACKEND_GRANTED)
        return granted(attempt);
    log_attempt(attempt, "login-refused");
    if (attempt->outcome.verdict == BACKEND_BROKEN)
        return PST_UPSTREAM_BROKEN;
    e = signin_follow(gate, req, rep, visit, &attempt->held.news);
    return e ? e : PST_REFUSED;
}

/* --- a client's own mutation
 * -------------------------------------------------------- */

/*
 * The body for the client: the secret is null, or our own token where the
 * client is one that keeps data.login.secret and sends it back.
 */
static enum pst_err
take_secret_out(const struct attempt *attempt, struct pst_text *out)
{
    const struct forward_answer *held = &attempt->held;
    struct pst_arena *arena = attempt->req->arena;
    struct pst_text replacement = PST_TEXT("null");
    struct pst_buf quoted;
    struct pst_buf body;
    enum pst_err e;

    *out = held->body;
    if (attempt->outcome.token.len == 0 || held->encoded)
        return PST_OK;
    pst_buf_init_arena(&quoted, arena, PST_TOKEN_MAX + 2);
    if (attempt->visit->bearer.len > 0) {
        pst_json_emit_string(&quoted, attempt->visit->bearer);
        e = pst_buf_end(&quoted, &replacement);
        if (e)
            return e;
    }
    pst_buf_init_hold(&body, arena, 2 * PST_HOLD_MAX);
    pst_json_redact(&body, held->body, attempt->outcome.token, replacement);
    return pst_buf_end(&body, out);
}

/* What the answer means for the session, by what it was the answer to. */
static enum pst_err
settle(struct attempt *attempt, enum backend_kind kind)
{
    if (attempt->outcome.verdict == BACKEND_GRANTED) {
        /* No login by GET: a link must not be able to log anybody in. */
        if (request_is_safe(attempt->req)) {
            log_attempt(attempt, "login-by-get-refused");
            return PST_BAD_METHOD;
        }
        return granted(attempt);
    }
    if (kind == BACKEND_LOGIN)
        log_attempt(attempt, "login-refused");
    /* What cannot be read may hold the secret, if it claims success. */
    if (attempt->outcome.verdict == BACKEND_BROKEN &&
        attempt->held.status < 400 &&
        (kind == BACKEND_LOGIN ||
         (attempt->held.body.len > 0 &&
          attempt->gate->config->token_place == PLACE_JSON)))
        return PST_UPSTREAM_BROKEN;
    return signin_follow(attempt->gate, attempt->req, attempt->rep,
                         attempt->visit, &attempt->held.news);
}

/*
 * Was it a wrong password? Of a request that could not be looked into, any
 * failure may be one.
 */
static bool
is_guess(const struct attempt *attempt, enum backend_kind kind)
{
    if (attempt->outcome.verdict != BACKEND_REFUSED)
        return false;
    return kind == BACKEND_LOGIN || attempt->outcome.has_failed;
}

enum pst_err
signin_relay(struct gate *gate, struct request *req, struct reply *rep,
             struct visit *visit, const struct backend_request *what)
{
    struct attempt *attempt = attempt_new(gate, req, rep, visit);
    struct pst_text body;
    enum pst_err e;

    if (!attempt)
        return PST_NO_MEMORY;
    attempt->typed = what->typed;
    attempt->remember = what->remember;
    attempt->what.method = req->method;
    attempt->what.query = req->query;
    attempt->what.upstream = visit_upstream(visit);
    e = request_is_safe(req) ? PST_OK : take(attempt);
    if (e)
        return e;
    e = ask(attempt);
    if (!request_is_safe(req))
        give_back(attempt, !e && is_guess(attempt, what->kind));
    if (e)
        return e;
    e = settle(attempt, what->kind);
    if (e)
        return e;
    e = take_secret_out(attempt, &body);
    if (e)
        return e;
    return forward_relay(rep, &attempt->held, body);
}

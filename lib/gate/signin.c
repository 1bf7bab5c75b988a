/* SPDX-License-Identifier: ISC */
/*
 * signin.c - one login, three ways to it; and a backend's session followed
 * through its answers.
 */
#include "signin.h"

#include "json.h"
#include "limits.h"
#include "roster.h"
#include "throttle.h"

/* One attempt to log in, from the request to what became of it. */
struct attempt {
    struct gate *gate;
    struct request *req;
    struct reply *rep;
    struct visit *visit;
    struct forward_request what;
    struct pst_text typed;        /* who, where the document is our own */
    const struct pst_text *names; /* who it may be, by the request's own word */
    size_t name_count;
    bool remember;
    struct forward_answer held;
    struct backend_outcome outcome;
    struct throttle throttle;
    struct throttle_attempt taken[OPERATION_NAMES_MAX]; /* from the budgets */
    size_t taken_count;
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

/* How often a password may be guessed. */

/*
 * A device that was remembered by this very account has a budget of its own:
 * the account's name in the session is the backend's word, and whatever else
 * the request may log into is counted under its own name.
 */
static struct pst_bytes
known_device(const struct attempt *attempt, struct pst_text name)
{
    const struct visit *visit = attempt->visit;

    if (name.len > 0 && visit->was_remembered &&
        pst_text_equal_nocase(visit->session.name, name))
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

/* Give back what was taken; failing to is no reason to fail a login. */
static void
give_back(struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->taken_count; i++)
        (void)!throttle_cancel(&attempt->throttle, &attempt->taken[i],
                               attempt->gate->now);
    attempt->taken_count = 0;
}

/*
 * Did asking end without a guess? Not where the client went away or cut its
 * request: the backend may have heard it, and its doing shows elsewhere.
 */
static bool
was_unheard(enum pst_err e)
{
    return e == PST_UPSTREAM_DOWN || e == PST_UPSTREAM_TIMEOUT ||
           e == PST_UPSTREAM_BROKEN;
}

/* Take one from the budgets of a name; the address is counted once. */
static enum pst_err
take_for(struct attempt *attempt, struct pst_text name, int64_t *wait)
{
    const struct throttle_visitor visitor = {
        .account = name,
        .address =
            attempt->taken_count == 0 ? attempt->req->remote_addr : PST_NO_TEXT,
        .device = known_device(attempt, name),
        .is_one_of_many = attempt->name_count > 1,
    };
    enum pst_err e =
        throttle_begin(&attempt->throttle, &visitor, attempt->gate->now,
                       &attempt->taken[attempt->taken_count], wait);

    if (!e)
        attempt->taken_count++;
    return e;
}

/* Take from the budgets of all that the login may be for, or from none. */
static enum pst_err
take(struct attempt *attempt)
{
    struct gate *gate = attempt->gate;
    enum pst_err e = PST_OK;
    int64_t wait = 0;

    if (!gate->store)
        return PST_OK;
    attempt->throttle =
        (struct throttle){gate->store, gate->config->login_per_account,
                          gate->config->login_per_address};
    if (attempt->name_count == 0)
        e = take_for(attempt, PST_NO_TEXT, &wait);
    for (size_t i = 0; i < attempt->name_count && !e; i++)
        e = take_for(attempt, attempt->names[i], &wait);
    if (!e)
        return PST_OK;
    give_back(attempt);
    if (e == PST_THROTTLED)
        return refuse_throttled(attempt, wait);
    return roster_told(gate, attempt->req, e);
}

/*
 * The right password makes the account's budget whole: that of the account
 * which is logged in now, by the backend's word, and no other that was named.
 */
static void
pass(struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->taken_count; i++) {
        struct throttle_attempt *taken = &attempt->taken[i];
        bool is_theirs = attempt->typed.len > 0 ||
                         (attempt->name_count > 0 &&
                          pst_text_equal_nocase(attempt->names[i],
                                                attempt->visit->session.name));

        (void)!(is_theirs ? throttle_pass : throttle_cancel)(
            &attempt->throttle, taken, attempt->gate->now);
    }
    attempt->taken_count = 0;
}

/* What the backend says. */

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
        .typed = attempt->typed,
    };
    return backend_read_login(attempt->req->arena, gate->config, gate->now,
                              &answer, &attempt->outcome);
}

/*
 * Who is it? Where the answer does not say so, or could say what the client
 * wants it to, the backend is asked, once, with the new token.
 * Returns PST_REFUSED when that is nobody's: then there was no login.
 */
static enum pst_err
ask_who(struct attempt *attempt)
{
    struct forward_request what = {.method = PST_TEXT("POST"), .own = true};
    struct visit_grant *grant = &attempt->outcome.grant;
    struct visit_grant known = *grant;
    struct forward_answer *held;
    struct pst_buf body;
    enum pst_err e;

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
    if (e)
        return e;
    e = backend_read_identity(attempt->req->arena, held->body, &known);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_REFUSED;
    *grant = known;
    return PST_OK;
}

enum pst_err
signin_log_out(struct gate *gate, struct request *req, struct pst_text upstream)
{
    struct forward_request what = {
        .method = PST_TEXT("POST"), .upstream = upstream, .own = true};
    struct forward_answer *answer =
        pst_arena_alloc(req->arena, sizeof(*answer));
    struct pst_buf body;
    enum pst_err e;

    if (!answer)
        return PST_NO_MEMORY;
    pst_buf_init_arena(&body, req->arena, PST_PAGE_MAX);
    backend_emit_logout(&body, gate->config);
    e = pst_buf_end(&body, &what.body);
    return e ? e : forward_hold(gate, req, &what, answer);
}

/*
 * The backend's session lives, and nobody holds it: end it, if we may and can.
 * Where a logout ends the user's other sessions too, it is left to expire.
 */
static void
hand_back(const struct attempt *attempt)
{
    struct gate *gate = attempt->gate;
    enum pst_err e;

    if (gate->config->upstream_logout != LOGOUT_ALWAYS)
        return;
    e = signin_log_out(gate, attempt->req, attempt->outcome.grant.upstream);
    LOG_EVENT(gate->log, LEVEL_INFO, "login-handed-back",
              LOG_STRING("request", attempt->req->id),
              LOG_STRING("backend", pst_err_code(e)));
}

/*
 * The backend granted it: a session of ours begins. Where nobody can be
 * asked, and the document could not be looked into, it names nobody.
 */
static enum pst_err
granted(struct attempt *attempt, enum operation_kind kind)
{
    struct visit_grant *grant = &attempt->outcome.grant;
    enum pst_err e = PST_OK;

    if (attempt->outcome.is_nameless &&
        backend_knows_identity(attempt->gate->config)) {
        e = ask_who(attempt);
    } else if (kind == OPERATION_UNSURE) {
        grant->sub = PST_TEXT("");
        grant->name = PST_TEXT("");
        grant->who = PST_TEXT("{}");
    }
    if (e)
        return e;
    grant->remember = attempt->remember;
    e = begin(attempt->gate, attempt->req, attempt->rep, attempt->visit, grant);
    if (e)
        hand_back(attempt);
    else
        log_attempt(attempt, "login");
    return e;
}

/* Credentials. */

/* What to tell of a login that was not granted; `e` is how asking ended. */
static enum pst_err
refused(struct attempt *attempt, enum pst_err e)
{
    bool is_broken = attempt->outcome.verdict == BACKEND_BROKEN;

    /* A backend that did not answer, or not as one does, heard no guess. */
    if (was_unheard(e) || (!e && is_broken && !attempt->outcome.has_failed))
        give_back(attempt);
    if (e && e != PST_REFUSED)
        return e;
    log_attempt(attempt, "login-refused");
    if (is_broken)
        return PST_UPSTREAM_BROKEN;
    e = signin_follow(attempt->gate, attempt->req, attempt->rep, attempt->visit,
                      &attempt->held.news);
    return e ? e : PST_REFUSED;
}

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
    attempt->names = &attempt->typed;
    attempt->name_count = 1;
    attempt->remember = credentials->remember;
    attempt->what.method = PST_TEXT("POST");
    attempt->what.own = true;
    e = visit_guest_upstream(gate, req, visit, &attempt->what.upstream);
    if (e)
        return e;
    pst_buf_init_hold(&body, req->arena, PST_HOLD_MAX);
    backend_emit_login(&body, gate->config, credentials);
    e = pst_buf_end(&body, &attempt->what.body);
    if (!e)
        e = take(attempt);
    if (e)
        return e;
    e = ask(attempt);
    if (e || attempt->outcome.verdict != BACKEND_GRANTED)
        return refused(attempt, e);
    e = granted(attempt, OPERATION_LOGIN);
    if (e)
        return refused(attempt, e);
    pass(attempt);
    return PST_OK;
}

/* A client's own mutation. */

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

/* Is there anything of a login in the answer, and did it fail? */
static bool
is_guess(const struct attempt *attempt, const struct operation *what)
{
    const struct backend_outcome *outcome = &attempt->outcome;

    if (outcome->verdict == BACKEND_GRANTED)
        return false;
    if (what->is_mutation)
        return outcome->verdict == BACKEND_REFUSED || outcome->has_failed;
    return outcome->is_login;
}

/* No login by GET: a link must not be able to log anybody in, nor try a
 * password. */
static enum pst_err
refuse_get(const struct attempt *attempt)
{
    log_attempt(attempt, "login-by-get-refused");
    reply_put(attempt->rep, PST_TEXT("Allow"), PST_TEXT("POST"));
    return PST_BAD_METHOD;
}

/*
 * Count it. A request that names a login has paid beforehand; one that turns
 * out to be one pays now. When it cannot, or may not be a login, or when it
 * brought more strings than could be counted, what the backend said of the
 * password is not told.
 */
static enum pst_err
settle_budgets(struct attempt *attempt, const struct operation *what)
{
    bool is_granted = attempt->outcome.verdict == BACKEND_GRANTED;
    bool guess = is_guess(attempt, what);
    enum pst_err e = PST_OK;

    if (!guess && !is_granted) {
        give_back(attempt);
        return PST_OK;
    }
    if (what->kind != OPERATION_LOGIN)
        e = take(attempt);
    if (!e && request_is_safe(attempt->req))
        e = refuse_get(attempt);
    if (!e && what->is_partial)
        e = PST_MALFORMED;
    if (e && is_granted)
        hand_back(attempt);
    return e;
}

/* What the answer means for the session, by what it was the answer to. */
static enum pst_err
settle(struct attempt *attempt, enum operation_kind kind)
{
    enum pst_err e;

    if (attempt->outcome.verdict == BACKEND_GRANTED) {
        e = granted(attempt, kind);
        if (!e)
            pass(attempt);
        else if (e != PST_REFUSED)
            give_back(attempt);
        if (e != PST_REFUSED)
            return e;
    }
    if (kind == OPERATION_LOGIN)
        log_attempt(attempt, "login-refused");
    /* What cannot be read may hold the secret, if it claims success. */
    if (attempt->outcome.verdict == BACKEND_BROKEN &&
        attempt->gate->config->token_place == PLACE_JSON &&
        attempt->held.status < 400 &&
        (kind == OPERATION_LOGIN || attempt->held.body.len > 0))
        return PST_UPSTREAM_BROKEN;
    return signin_follow(attempt->gate, attempt->req, attempt->rep,
                         attempt->visit, &attempt->held.news);
}

/* The exchange of a client's request, counted if it is a login. */
static enum pst_err
exchange(struct attempt *attempt, const struct operation *what)
{
    enum pst_err e = PST_OK;

    if (what->is_mutation && request_is_safe(attempt->req))
        return refuse_get(attempt);
    if (what->kind == OPERATION_LOGIN)
        e = take(attempt);
    if (e)
        return e;
    e = ask(attempt);
    if (was_unheard(e))
        give_back(attempt);
    return e ? e : settle_budgets(attempt, what);
}

enum pst_err
signin_relay(struct gate *gate, struct request *req, struct reply *rep,
             struct visit *visit, const struct operation *what)
{
    struct attempt *attempt = attempt_new(gate, req, rep, visit);
    struct pst_text body;
    enum pst_err e;

    if (!attempt)
        return PST_NO_MEMORY;
    attempt->names = what->names;
    attempt->name_count = what->name_count;
    attempt->remember = what->remember;
    attempt->what.method = req->method;
    attempt->what.query = req->query;
    attempt->what.watch = what->watch;
    attempt->what.watching = what->watching;
    attempt->what.upstream = visit_upstream(visit);
    e = what->kind == OPERATION_LOGIN
            ? visit_guest_upstream(gate, req, visit, &attempt->what.upstream)
            : PST_OK;
    if (!e)
        e = exchange(attempt, what);
    if (e)
        return e;
    e = settle(attempt, what->kind);
    if (e)
        return e;
    e = take_secret_out(attempt, &body);
    if (e)
        return e;
    e = visit_finish(gate, req, rep, visit);
    return e ? e : forward_relay(rep, &attempt->held, body);
}

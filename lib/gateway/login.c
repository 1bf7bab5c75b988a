/* SPDX-License-Identifier: ISC */
/*
 * login.c - one login, three ways to it.
 */
#include "gateway/login.h"

#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include "gateway/forward.h"
#include "gateway/identity.h"
#include "gateway/login_shape.h"
#include "gateway/login_throttle.h"

/* One attempt to log in, from the request to what became of it. */
struct attempt {
    struct gate *gate;
    struct request *req;
    struct reply *rep;
    struct visit *visit;
    const struct login_document *matched; /* the one it is; NULL: social */
    const struct login_document *login;   /* ours that is sent; NULL: theirs */
    const struct login_shape *shape;      /* a client's; NULL: as it comes */
    struct forward_request what;
    struct pst_text name; /* whom it is for; absent: it does not say */
    bool remember;
    struct forward_answer held;
    struct backend_outcome outcome;
    struct pst_text upstream; /* of the session to begin; absent: none */
    struct backend_identity identity;
    struct login_budget budget;
    bool is_new_token;  /* in a header or cookie: the answer has another one */
    bool is_unfit;      /* a client's document does not fit the schema */
    int64_t started_ms; /* ticks_ms(), with the whole request read */
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
        attempt->what.method = PST_TEXT("POST");
        attempt->started_ms = ticks_ms();
    }
    return attempt;
}

static bool
is_json(const struct attempt *attempt)
{
    return attempt->gate->config->backend.token_place == PLACE_JSON;
}

static void
log_attempt(const struct attempt *attempt, const char *event)
{
    const struct request *req = attempt->req;

    LOG_EVENT(attempt->gate->log, LEVEL_INFO, event,
              LOG_STRING("request", req->id),
              LOG_STRING("session", attempt->visit->mark),
              LOG_TEXT("subject", attempt->identity.sub),
              LOG_TEXT("address", req->remote_addr),
              LOG_TEXT("backend_code", attempt->outcome.code));
}

/* Set the token that goes along with a login: a guest's, so that a cart follows
 * its owner; a user's own only where no password decides (a refresh). */
static enum pst_err
set_upstream(struct attempt *attempt)
{
    const struct login_document *matched = attempt->matched;
    struct visit *visit = attempt->visit;

    if (matched && pst_text_is_absent(matched->name_variable) &&
        !matched->has_password) {
        attempt->what.upstream = visit_upstream(visit);
        return PST_OK;
    }
    return visit_guest_upstream(attempt->gate, attempt->req, visit,
                                &attempt->what.upstream);
}

/* Asking the backend. */

/* Did the backend ever hear of it? Whatever it has heard may have been a
 * guess, and what it did then shows elsewhere. */
static bool
was_unheard(enum pst_err e)
{
    return e == PST_UPSTREAM_DOWN;
}

/* Token in JSON: what a session holds. */
static enum pst_err
take_secret(struct attempt *attempt)
{
    struct pst_buf buf;

    if (attempt->outcome.verdict != BACKEND_GRANTED)
        return PST_OK;
    pst_buf_init_arena(&buf, attempt->req->arena, PST_UPSTREAM_MAX);
    pst_json_emit_string(&buf, attempt->outcome.secret);
    return pst_buf_end(&buf, &attempt->upstream);
}

/* Token in a header or cookie: the new one, or the one that went along. */
static enum pst_err
take_news(struct attempt *attempt)
{
    const struct jar_answer heard = {attempt->gate->now, attempt->what.upstream,
                                     &attempt->held.news};
    enum jar_change change;
    enum pst_err e = jar_follow(attempt->req->arena, attempt->gate->config,
                                &heard, &change, &attempt->upstream);

    attempt->is_new_token = !e && change == JAR_REPLACED;
    return e;
}

/* Ask who it is. The token ends when either answer says so. */
static enum pst_err
ask_who(struct attempt *attempt)
{
    struct backend_identity *identity = &attempt->identity;
    int64_t end = attempt->outcome.identity.end;
    enum pst_err e =
        identity_ask(attempt->gate, attempt->req, &attempt->upstream, identity);

    if (end > 0 && (identity->end == 0 || end < identity->end))
        identity->end = end;
    return e;
}

/* Send it, hold the answer, and find out who it is now. */
static enum pst_err
ask(struct attempt *attempt)
{
    struct gate *gate = attempt->gate;
    struct backend_answer answer;
    enum pst_err e =
        forward_hold(gate, attempt->req, &attempt->what, &attempt->held);

    if (e)
        return e;
    answer = (struct backend_answer){
        attempt->held.status,
        attempt->held.encoded ? PST_TEXT("") : attempt->held.body};
    attempt->upstream = PST_NO_TEXT;
    if (attempt->login)
        e = backend_read_login(attempt->req->arena, gate->config,
                               attempt->login, gate->now, &answer,
                               &attempt->outcome);
    else
        e = backend_read_fit(attempt->req->arena, &answer, &attempt->is_unfit);
    if (!e)
        e = is_json(attempt) ? take_secret(attempt) : take_news(attempt);
    if (e)
        return e == PST_TOO_LARGE ? PST_UPSTREAM_BROKEN : e;
    attempt->identity = attempt->outcome.identity;
    return gate->config->backend.who.field ? ask_who(attempt) : PST_OK;
}

/* What came of it. */

/*
 * May the guess be taken back? A new token in answer to a request without one
 * is this login's own; where a guest's went along, a request beside this one
 * may have logged in with it, so the owner must be the one that was named.
 */
static bool
is_proven(const struct attempt *attempt)
{
    if (is_json(attempt) || pst_text_is_absent(attempt->what.upstream))
        return true;
    return attempt->is_new_token &&
           (login_budget_is_named(&attempt->budget, attempt->identity.name) ||
            login_budget_is_named(&attempt->budget, attempt->identity.sub));
}

static enum pst_err
begin(struct attempt *attempt)
{
    struct visit_grant grant =
        identity_grant(attempt->gate, &attempt->identity, attempt->upstream);
    bool was_refused =
        attempt->login && attempt->outcome.verdict == BACKEND_REFUSED;
    enum pst_err e;

    grant.remember = attempt->remember;
    grant.by_password = attempt->matched && attempt->matched->has_password;
    e = identity_begin(attempt->gate, attempt->req, attempt->rep,
                       attempt->visit, &grant);
    if (e) {
        identity_hand_back(attempt->gate, attempt->req, attempt->upstream);
        return e;
    }
    log_attempt(attempt, "login");
    if (!was_refused && is_proven(attempt))
        login_budget_reset(&attempt->budget, attempt->rep,
                           attempt->visit->carrier != VISIT_BY_BEARER);
    return PST_OK;
}

static enum pst_err
refuse_misconfigured(struct attempt *attempt, const char *why)
{
    LOG_EVENT(attempt->gate->log, LEVEL_ERROR, "login-misconfigured",
              LOG_STRING("request", attempt->req->id),
              LOG_NUMBER("status", attempt->held.status),
              LOG_STRING("why", why));
    if (attempt->outcome.verdict == BACKEND_UNFIT)
        login_budget_refund(&attempt->budget);
    return PST_UPSTREAM_BROKEN;
}

/*
 * The backend did not say who holds the token. A new one is given back. A
 * guest's own may be a user's from now on: its session gives way to one that
 * is nobody's until the backend says whose.
 */
static void
leave_unknown(struct attempt *attempt)
{
    const struct visit_grant grant =
        identity_grant(attempt->gate, &attempt->identity, attempt->upstream);

    if (pst_text_equal(attempt->upstream, attempt->what.upstream))
        (void)!identity_begin(attempt->gate, attempt->req, attempt->rep,
                              attempt->visit, &grant);
    else
        identity_hand_back(attempt->gate, attempt->req, attempt->upstream);
}

/*
 * Did the backend grant it, by what it says of the token's owner?
 * Returns PST_OK (a session has begun), PST_REFUSED, PST_UPSTREAM_BROKEN.
 */
static enum pst_err
settle(struct attempt *attempt)
{
    bool has_who = attempt->gate->config->backend.who.field != NULL;
    enum backend_verdict verdict =
        attempt->login ? attempt->outcome.verdict : BACKEND_REFUSED;

    if (has_who && !pst_text_is_absent(attempt->upstream)) {
        /* A guest's token may have become somebody's by another request: what
         * the backend has refused to us, it has not granted. */
        if (attempt->login && verdict == BACKEND_REFUSED &&
            !attempt->is_new_token)
            return PST_REFUSED;
        if (attempt->identity.known == PST_IDENTITY_KNOWN)
            return begin(attempt);
        if (attempt->identity.known == PST_IDENTITY_UNKNOWN) {
            leave_unknown(attempt);
            return refuse_misconfigured(
                attempt, "the backend did not say who has logged in "
                         "(POSTERN_WHO_DOCUMENT)");
        }
        if (verdict == BACKEND_GRANTED)
            return refuse_misconfigured(
                attempt, "the login was granted, and the backend says that "
                         "its token is nobody's (POSTERN_UPSTREAM_TOKEN, "
                         "POSTERN_WHO_DOCUMENT)");
    } else if (verdict == BACKEND_GRANTED) {
        if (has_who)
            return refuse_misconfigured(
                attempt, "the login was granted, and there is no token where "
                         "POSTERN_UPSTREAM_TOKEN says");
        return begin(attempt);
    }
    if (attempt->is_unfit)
        login_budget_refund(&attempt->budget);
    if (verdict == BACKEND_INVALID || verdict == BACKEND_UNFIT)
        return refuse_misconfigured(attempt, attempt->outcome.why);
    return PST_REFUSED;
}

/* Did the session's own token go along, so that the answer is about it? */
static bool
has_sent_own(const struct attempt *attempt)
{
    struct pst_text own = visit_upstream(attempt->visit);

    return pst_text_is_absent(own) ==
               pst_text_is_absent(attempt->what.upstream) &&
           pst_text_equal(own, attempt->what.upstream);
}

static void
wait_for_floor(const struct attempt *attempt)
{
    throttle_floor_wait(attempt->started_ms,
                        attempt->gate->config->login_floor_ms);
}

/* A login that was refused may have changed a guest's token all the same. A
 * user's did not go along: whoever mistypes a password keeps the session. */
static enum pst_err
follow_refusal(struct attempt *attempt)
{
    enum pst_err e = PST_OK;

    log_attempt(attempt, "login-refused");
    if (!is_json(attempt) && has_sent_own(attempt))
        e = identity_follow(attempt->gate, attempt->req, attempt->rep,
                            attempt->visit, &attempt->held.news);
    wait_for_floor(attempt);
    return e;
}

/* Only now it shows whether the client's conditions on types can be decided:
 * before a session begins of which the client would not hear. */
static enum pst_err
check_shape(struct attempt *attempt)
{
    const struct login_answer answer = {.root = attempt->outcome.root};
    struct pst_text unused;
    enum pst_err e;

    if (!attempt->shape || !attempt->outcome.root)
        return PST_OK;
    e = login_shape_emit(attempt->shape, &answer, &unused);
    if (e && attempt->outcome.verdict == BACKEND_GRANTED) {
        identity_hand_back(attempt->gate, attempt->req, attempt->upstream);
        login_budget_refund(&attempt->budget); /* the password was right */
    }
    return e;
}

/* From the budgets to the session. Returns as settle(), and what asking may. */
static enum pst_err
carry_out(struct attempt *attempt)
{
    enum pst_err e =
        login_budget_acquire(&attempt->budget, attempt->gate, attempt->req,
                             attempt->rep, attempt->name);

    if (e)
        return e;
    e = ask(attempt);
    if (was_unheard(e))
        login_budget_refund(&attempt->budget);
    if (!e)
        e = check_shape(attempt);
    if (!e)
        e = settle(attempt);
    if (e && e != PST_REFUSED)
        wait_for_floor(attempt); /* its time must tell nothing either */
    return e;
}

/* Credentials. */

enum pst_err
login_with_credentials(struct gate *gate, struct request *req,
                       struct reply *rep, struct visit *visit,
                       const struct backend_credentials *credentials)
{
    struct attempt *attempt = attempt_new(gate, req, rep, visit);
    struct pst_text variables;
    struct pst_buf buf;
    enum pst_err e;

    if (!attempt)
        return PST_NO_MEMORY;
    attempt->login = &gate->config->backend.logins[0];
    attempt->matched = attempt->login;
    attempt->name = credentials->username;
    attempt->remember = credentials->remember;
    attempt->what.headers = FORWARD_LOGIN;
    e = set_upstream(attempt);
    if (e)
        return e;
    pst_buf_init_hold(&buf, req->arena, PST_HOLD_MAX);
    backend_emit_credentials(&buf, attempt->login, credentials);
    e = pst_buf_end(&buf, &variables);
    if (e)
        return e;
    pst_buf_init_hold(&buf, req->arena, 2 * PST_HOLD_MAX);
    backend_emit_request(&buf, attempt->login->text, variables);
    e = pst_buf_end(&buf, &attempt->what.body);
    if (!e)
        e = carry_out(attempt);
    if (e != PST_REFUSED)
        return e;
    e = follow_refusal(attempt);
    return e ? e : PST_REFUSED;
}

/* A client's own mutation. */

/* The client's document, parsed again: it is not kept, for it may hold a
 * password. */
static enum pst_err
read_operation(struct attempt *attempt, const struct login_call *login,
               struct login_request *request)
{
    const struct pst_graphql_document *document;
    struct pst_graphql_error error;
    enum pst_err e = pst_graphql_parse(attempt->req->arena, login->document,
                                       &document, &error);

    if (e)
        return e == PST_NO_MEMORY ? e : PST_MALFORMED;
    request->operation =
        pst_graphql_operation_find(document, login->call->operation_name);
    request->variables = login->call->variables;
    return request->operation ? PST_OK : PST_MALFORMED;
}

/* Our own document in the place of the client's. */
static enum pst_err
send_ours(struct attempt *attempt, const struct login_call *login,
          const struct login_match *match)
{
    struct pst_buf buf;

    attempt->login = match->login;
    attempt->what.headers = FORWARD_LOGIN;
    attempt->what.query = login->list->parameters;
    pst_buf_init_hold(&buf, attempt->req->arena, 2 * PST_HOLD_MAX);
    backend_emit_request(&buf, match->login->text, match->variables);
    return pst_buf_end(&buf, &attempt->what.body);
}

/* The client's document, written anew. */
static enum pst_err
send_theirs(struct attempt *attempt, const struct login_call *login,
            struct login_why *why)
{
    const struct pst_graphql_meaning *meaning = login->meaning;
    const struct pst_graphql_meaning_operation *operation =
        pst_graphql_meaning_find(meaning, login->call->operation_name);
    struct call_plan plan = {.call = login->call, .document = meaning->text};
    struct call_list alone = *login->list;
    struct pst_buf buf;

    if (!pst_text_is_absent(meaning->login_secret) ||
        !pst_text_is_absent(meaning->secret)) {
        struct pst_text name = pst_text_is_absent(meaning->secret)
                                   ? meaning->login_secret
                                   : meaning->secret;

        (void)login_refuse(why, "%.*s holds a secret and cannot be selected",
                           (int)name.len, name.ptr);
        return PST_SECRET_FIELD;
    }
    PST_REQUIRE(operation != NULL);
    plan.variables = operation->variables;
    plan.variable_count = operation->variable_count;
    alone.is_batch = false;
    alone.form = CALL_SINGLE;
    attempt->what.headers = FORWARD_CLIENT;
    attempt->what.query = login->list->parameters;
    pst_buf_init_hold(&buf, attempt->req->arena,
                      8 * (size_t)attempt->gate->config->max_json);
    call_emit(&buf, &alone, &plan);
    return pst_buf_end(&buf, &attempt->what.body);
}

/* The answer to our document in the client's shape, or the backend's own; of
 * what is no GraphQL answer no array is made. */
static enum pst_err
answer(struct attempt *attempt, const struct login_call *login,
       struct pst_text *out)
{
    const struct login_shape *shape = attempt->shape;
    const struct login_answer answer = {.root = attempt->outcome.root,
                                        .secret = attempt->outcome.secret,
                                        .token = attempt->visit->bearer};
    struct pst_text body = attempt->held.body;
    struct pst_buf buf;
    enum pst_err e = PST_OK;

    if (shape && attempt->outcome.root)
        e = login_shape_emit(shape, &answer, &body);
    else if (shape)
        body = PST_TEXT("");
    if (e || !login->list->is_batch || !pst_text_starts(body, PST_TEXT("{"))) {
        *out = body;
        return e;
    }
    pst_buf_init_hold(&buf, attempt->req->arena, 2 * PST_HOLD_MAX);
    pst_buf_add_char(&buf, '[');
    pst_buf_add(&buf, body);
    pst_buf_add_char(&buf, ']');
    return pst_buf_end(&buf, out);
}

/* Carry it out, and answer; a refusal is shaped alike. */
static enum pst_err
run(struct attempt *attempt, const struct login_call *login)
{
    const struct login_shape *shape = attempt->shape;
    struct pst_text body;
    enum pst_err e = carry_out(attempt);

    if (e == PST_REFUSED)
        e = follow_refusal(attempt);
    if (e)
        return e;
    /* A refusal without JSON has no shape that a GraphQL client could read. */
    if (shape && !attempt->outcome.root)
        return PST_REFUSED;
    e = answer(attempt, login, &body);
    if (e)
        return e;
    return forward_relay(attempt->rep, &attempt->held, body);
}

enum pst_err
login_by_call(struct gate *gate, struct request *req, struct reply *rep,
              struct visit *visit, const struct login_call *login,
              struct login_why *why)
{
    struct attempt *attempt = attempt_new(gate, req, rep, visit);
    struct login_request request = {.operation = NULL};
    struct login_match match = {.login = NULL};
    struct login_shape shape = {.arena = req->arena,
                                .config = gate->config,
                                .theirs = &request,
                                .why = why};
    enum pst_err e;

    if (!attempt)
        return PST_NO_MEMORY;
    e = read_operation(attempt, login, &request);
    if (!e)
        e = login_request_read(&request, why);
    if (!e)
        e = login_match(req->arena, gate->config, &request, &match, why);
    if (e)
        return e;
    attempt->name = match.name;
    attempt->remember = match.remember;
    attempt->matched = match.login;
    shape.ours = match.login;
    if (is_json(attempt)) {
        attempt->shape = &shape;
        e = login_shape_check(&shape);
        if (!e)
            e = send_ours(attempt, login, &match);
    } else {
        e = send_theirs(attempt, login, why);
    }
    if (!e)
        e = set_upstream(attempt);
    return e ? e : run(attempt, login);
}

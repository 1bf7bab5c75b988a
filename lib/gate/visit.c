/* SPDX-License-Identifier: ISC */
/*
 * visit.c - find the token, open it, and hand out what becomes of it.
 */
#include "visit.h"

#include "bearer.h"
#include "cookie.h"
#include "cors.h"
#include "crypt.h"
#include "json.h"
#include "token.h"

static const struct pst_text SET_COOKIE = {"Set-Cookie", 10};

static struct pst_token_use
use_of(const struct gate *gate, enum pst_purpose purpose)
{
    return (struct pst_token_use){gate->ring, purpose, gate->config->format};
}

/* The backend's token stays sealed even where the claims can be read. */
static struct pst_token_use
upstream_use(const struct gate *gate)
{
    return (struct pst_token_use){gate->ring, PST_PURPOSE_UPSTREAM,
                                  PST_TOKEN_SEALED};
}

static enum pst_err
set_mark(struct visit *visit)
{
    uint8_t hash[PST_HASH_LEN];
    struct pst_buf buf;
    enum pst_err e;

    e = pst_crypt_sha256((struct pst_bytes){visit->session.sid, PST_SID_LEN},
                         hash);
    if (e)
        return e;
    pst_buf_init(&buf, visit->mark, sizeof(visit->mark) - 1);
    pst_buf_add_hex(&buf, (struct pst_bytes){hash, 4});
    visit->mark[8] = '\0';
    return PST_OK;
}

/* In the signed form `upstream` is a JWE of its own: open it in its place. */
static enum pst_err
open_upstream(const struct gate *gate, struct pst_arena *arena,
              struct pst_session *session)
{
    struct pst_token_use use = upstream_use(gate);
    const struct pst_json *value;
    enum pst_err e;

    if (gate->config->format == PST_TOKEN_SEALED)
        return PST_OK;
    e = pst_json_parse(arena, session->upstream, &value);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_FORGED;
    return pst_token_open(&use, arena, pst_json_text(value), &session->upstream,
                          NULL);
}

/* Length, shape, key, tag, then JSON, then clocks: the order of design 2.2. */
static enum pst_err
open_token(const struct gate *gate, struct pst_arena *arena,
           enum pst_purpose purpose, struct pst_text token, struct visit *visit)
{
    struct pst_token_use use = use_of(gate, purpose);
    struct pst_session session;
    struct pst_text claims;
    enum pst_err e;

    e = pst_token_open(&use, arena, token, &claims, NULL);
    if (e)
        return e;
    e = pst_session_parse(arena, claims, &session);
    if (e)
        return e;
    e = pst_session_check(&session, &gate->config->clocks, gate->now);
    if (e)
        return e;
    e = open_upstream(gate, arena, &session);
    if (e)
        return e;
    visit->session = session;
    visit->has_session = true;
    return set_mark(visit);
}

static enum pst_err
seal_upstream(struct gate *gate, struct pst_arena *arena,
              struct pst_session *session)
{
    struct pst_token_use use = upstream_use(gate);
    uint8_t nonce[PST_NONCE_LEN];
    struct pst_buf token;
    struct pst_buf json;
    enum pst_err e;

    if (gate->config->format == PST_TOKEN_SEALED)
        return PST_OK;
    e = gate->random(nonce, sizeof(nonce));
    if (e)
        return e;
    pst_buf_init_arena(&token, arena, PST_TOKEN_MAX);
    e = pst_token_seal(&use, gate->now, nonce, session->upstream, &token);
    if (e)
        return e;
    pst_buf_init_arena(&json, arena, PST_TOKEN_MAX);
    pst_json_emit_string(&json, pst_buf_text(&token));
    return pst_buf_end(&json, &session->upstream);
}

static enum pst_err
seal(struct gate *gate, struct pst_arena *arena, enum pst_purpose purpose,
     const struct pst_session *session, struct pst_text *out)
{
    struct pst_token_use use = use_of(gate, purpose);
    struct pst_session inside = *session;
    uint8_t nonce[PST_NONCE_LEN];
    struct pst_text claims;
    struct pst_buf buf;
    enum pst_err e;

    e = seal_upstream(gate, arena, &inside);
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_CLAIMS_MAX);
    pst_session_emit(&buf, &inside);
    e = pst_buf_end(&buf, &claims);
    if (e)
        return e;
    e = gate->random(nonce, sizeof(nonce));
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_TOKEN_MAX);
    e = pst_token_seal(&use, gate->now, nonce, claims, &buf);
    if (e)
        return e;
    return pst_buf_end(&buf, out);
}

/* The Set-Cookie line that carries token. */
static enum pst_err
cookie_line(const struct gate *gate, struct pst_arena *arena,
            const struct pst_session *session, struct pst_text token,
            struct pst_text *out)
{
    struct pst_cookie cookie = gate->config->cookie;
    struct pst_buf buf;

    cookie.value = token;
    if (pst_session_is_persistent(session)) {
        cookie.has_max_age = true;
        cookie.max_age = session->exp - gate->now;
    }
    pst_buf_init_arena(&buf, arena, PST_COOKIE_HEADER_MAX);
    pst_cookie_emit(&buf, &cookie);
    return pst_buf_end(&buf, out);
}

static void
clear_cookie(const struct gate *gate, struct reply *rep)
{
    struct pst_text line;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, rep->arena, PST_COOKIE_HEADER_MAX);
    pst_cookie_emit_clear(&buf, &gate->config->cookie);
    e = pst_buf_end(&buf, &line);
    if (e) {
        rep->refused = e;
        return;
    }
    reply_put(rep, SET_COOKIE, line);
}

/* An answer goes the way its request came; a first one goes every way. */
static unsigned
ways_of(const struct gate *gate, const struct visit *visit)
{
    switch (visit->carrier) {
    case VISIT_BY_COOKIE:
        return METHOD_COOKIE;
    case VISIT_BY_BEARER:
        return METHOD_BEARER;
    case VISIT_BY_NOTHING:
        break;
    }
    return gate->config->methods;
}

/* Make what goes out first, so that a failure hands out nothing. */
static enum pst_err
hand_out(struct gate *gate, struct reply *rep, struct visit *visit)
{
    unsigned ways = ways_of(gate, visit);
    struct pst_text header = PST_NO_TEXT;
    struct pst_text line = PST_NO_TEXT;
    struct pst_text token;
    enum pst_err e;

    if (ways & METHOD_COOKIE) {
        e = seal(gate, rep->arena, PST_PURPOSE_COOKIE, &visit->session, &token);
        if (e)
            return e;
        e = cookie_line(gate, rep->arena, &visit->session, token, &line);
        if (e)
            return e;
    }
    if (ways & METHOD_BEARER) {
        e = seal(gate, rep->arena, PST_PURPOSE_BEARER, &visit->session,
                 &header);
        if (e)
            return e;
    }
    if (ways & METHOD_COOKIE)
        reply_put(rep, SET_COOKIE, line);
    if (ways & METHOD_BEARER)
        reply_put(rep, gate->config->auth_token_header, header);
    visit->bearer = header;
    return PST_OK;
}

static void
log_unopened(const struct gate *gate, const struct request *req,
             const char *carrier, enum pst_err why)
{
    LOG_EVENT(gate->log, LEVEL_INFO, "token-refused",
              LOG_STRING("request", req->id), LOG_STRING("carrier", carrier),
              LOG_STRING("cause", pst_err_code(why)));
}

static enum pst_err
refuse_bearer(struct gate *gate, const struct request *req, struct reply *rep,
              enum pst_err why)
{
    struct pst_buf buf;

    log_unopened(gate, req, "bearer", why);
    reply_put(rep, gate->config->auth_token_header, PST_TEXT(""));
    if (gate->config->dead_bearer_is_guest)
        return PST_OK;
    pst_buf_init_arena(&buf, rep->arena, 256);
    pst_bearer_emit_challenge(&buf, true);
    reply_put(rep, PST_TEXT("WWW-Authenticate"), pst_buf_text(&buf));
    return PST_FORGED;
}

static bool
is_unopened(enum pst_err e)
{
    return e == PST_FORGED || e == PST_EXPIRED || e == PST_REVOKED;
}

/* *found tells whether the request's token is a bearer token. */
static enum pst_err
open_bearer(struct gate *gate, const struct request *req, struct reply *rep,
            struct visit *visit)
{
    struct pst_text token;
    enum pst_err e = pst_bearer_parse(req->authorization, &token);

    if (e == PST_ABSENT)
        return PST_OK;
    visit->carrier = VISIT_BY_BEARER;
    if (!e)
        e = open_token(gate, req->arena, PST_PURPOSE_BEARER, token, visit);
    return is_unopened(e) ? refuse_bearer(gate, req, rep, e) : e;
}

static enum pst_err
open_cookie(struct gate *gate, const struct request *req, struct reply *rep,
            struct visit *visit)
{
    struct pst_text token;
    enum pst_err e;

    e = pst_cookie_find(req->cookie, gate->config->cookie.name, &token);
    if (e == PST_ABSENT)
        return PST_OK;
    visit->carrier = VISIT_BY_COOKIE;
    /* Of two cookies one was planted, and nothing tells which. */
    if (!e)
        e = open_token(gate, req->arena, PST_PURPOSE_COOKIE, token, visit);
    if (e != PST_DUPLICATE && !is_unopened(e))
        return e;
    log_unopened(gate, req, "cookie", e);
    clear_cookie(gate, rep);
    return PST_OK;
}

enum pst_err
visit_open(struct gate *gate, const struct request *req, struct reply *rep,
           struct visit *visit)
{
    enum pst_err e = PST_OK;

    *visit = (struct visit){.carrier = VISIT_BY_NOTHING};
    if (gate->config->methods & METHOD_BEARER) {
        reply_vary(rep, PST_TEXT("Authorization"));
        e = open_bearer(gate, req, rep, visit);
    }
    if (gate->config->methods & METHOD_COOKIE) {
        reply_vary(rep, PST_TEXT("Cookie"));
        if (!e && visit->carrier == VISIT_BY_NOTHING)
            e = open_cookie(gate, req, rep, visit);
    }
    return e;
}

enum pst_err
visit_check_site(struct gate *gate, const struct request *req,
                 const struct visit *visit)
{
    const struct config *config = gate->config;
    const struct pst_origin_rules rules = {
        request_own_origin(req, config->origin), config->origins,
        config->origin_count};
    const struct pst_origin_facts facts = {
        .origin = req->origin,
        .sec_fetch_site = req->sec_fetch_site,
        .referer = req->referer,
        .safe = request_is_safe(req),
        .bearer = visit->carrier == VISIT_BY_BEARER,
    };
    enum pst_err e = pst_origin_check(&rules, &facts);

    if (e)
        LOG_EVENT(gate->log, LEVEL_WARNING, "cross-site-refused",
                  LOG_STRING("request", req->id),
                  LOG_TEXT("origin", req->origin),
                  LOG_TEXT("sec_fetch_site", req->sec_fetch_site),
                  LOG_TEXT("own_origin", rules.own));
    return e;
}

/* Is there such a path, and such a method? */
static enum pst_err
check_method(const struct request *req, struct reply *rep, const char *methods)
{
    if (req->path_info.len > 0)
        return PST_NOT_FOUND;
    if (request_is_one_of(req, methods))
        return PST_OK;
    reply_put(rep, PST_TEXT("Allow"), pst_text_from(methods));
    return PST_BAD_METHOD;
}

enum pst_err
visit_enter(struct gate *gate, const struct request *req, struct reply *rep,
            const char *methods, struct visit *visit)
{
    enum pst_err e = check_method(req, rep, methods);

    if (e)
        return e;
    if (pst_text_equal(req->method, PST_TEXT("OPTIONS")))
        return cors_preflight(gate, req, rep, methods);
    e = visit_open(gate, req, rep, visit);
    if (e)
        return e;
    e = visit_check_site(gate, req, visit);
    if (e || !visit->has_session)
        return e;
    if (!pst_session_is_due(&visit->session, &gate->config->clocks, gate->now))
        return PST_OK;
    return visit_renew(gate, rep, visit);
}

enum pst_err
visit_begin(struct gate *gate, struct reply *rep, struct visit *visit,
            const struct visit_grant *grant)
{
    struct visit fresh = {.carrier = visit->carrier, .has_session = true};
    struct pst_session *session = &fresh.session;
    enum pst_err e;

    session->sub = grant->sub;
    session->name = grant->name;
    session->who = grant->who;
    session->upstream = grant->upstream;
    session->remember = grant->remember;
    /* Always a new id: one that was planted before the login is worth
     * nothing after it. */
    e = gate->random(session->sid, sizeof(session->sid));
    if (e)
        return e;
    e = pst_session_start(session, &gate->config->clocks, gate->now,
                          grant->backend_end);
    if (e)
        return e;
    e = set_mark(&fresh);
    if (e)
        return e;
    e = hand_out(gate, rep, &fresh);
    if (e)
        return e;
    *visit = fresh;
    return PST_OK;
}

enum pst_err
visit_renew(struct gate *gate, struct reply *rep, struct visit *visit)
{
    pst_session_touch(&visit->session, gate->now);
    return hand_out(gate, rep, visit);
}

void
visit_end(struct gate *gate, struct reply *rep, struct visit *visit)
{
    unsigned ways = ways_of(gate, visit);

    if (ways & METHOD_COOKIE)
        clear_cookie(gate, rep);
    if (ways & METHOD_BEARER)
        reply_put(rep, gate->config->auth_token_header, PST_TEXT(""));
    visit->has_session = false;
}

struct pst_text
visit_upstream(const struct visit *visit)
{
    return visit->has_session ? visit->session.upstream : PST_NO_TEXT;
}

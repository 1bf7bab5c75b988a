/* SPDX-License-Identifier: ISC */
/*
 * visit.c - find the token, open it, and hand out what becomes of it.
 */
#include "visit.h"

#include "bearer.h"
#include "carry.h"
#include "cookie.h"
#include "cors.h"
#include "crypt.h"
#include "origin.h"
#include "roster.h"

static const struct pst_text SET_COOKIE = {"Set-Cookie", 10};

static void
set_mark(struct visit *visit)
{
    uint8_t hash[PST_HASH_LEN];
    struct pst_buf buf;

    pst_crypt_sha256((struct pst_bytes){visit->session.sid, PST_SID_LEN}, hash);
    pst_buf_init(&buf, visit->mark, sizeof(visit->mark) - 1);
    pst_buf_add_hex(&buf, (struct pst_bytes){hash, 4});
    visit->mark[8] = '\0';
}

/* Key and shape, then clocks, then revocation: the order of design 2.2. */
static enum pst_err
open_token(struct gate *gate, const struct request *req,
           enum pst_purpose purpose, struct pst_text token, struct visit *visit)
{
    struct pst_session *session = &visit->session;
    enum pst_err e;

    e = carry_open(gate, req->arena, purpose, token, session, &visit->is_stale);
    if (e)
        return roster_told(gate, req, e);
    set_mark(visit);
    visit->was_remembered = session->remember;
    e = pst_session_check(session, &gate->config->clocks, gate->now);
    if (e)
        return e;
    e = roster_check(gate, req, session);
    visit->has_session = !e;
    visit->is_unchecked = e == PST_STORE_DOWN;
    return e;
}

static void
clear_cookie(const struct gate *gate, struct reply *rep)
{
    struct pst_text line;
    enum pst_err e = carry_clear(gate, rep->arena, &line);

    if (e)
        rep->refused = e;
    else
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

static void
hand_out(struct gate *gate, struct reply *rep, struct visit *visit,
         const struct carry *carry)
{
    if (carry->cookie.len > 0)
        reply_put(rep, SET_COOKIE, carry->cookie);
    if (carry->bearer.len > 0)
        reply_put(rep, gate->config->auth_token_header, carry->bearer);
    visit->bearer = carry->bearer;
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
        e = open_token(gate, req, PST_PURPOSE_BEARER, token, visit);
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
        e = open_token(gate, req, PST_PURPOSE_COOKIE, token, visit);
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
    enum pst_err site;
    enum pst_err e;

    cors_allow(gate, req, rep);
    e = check_method(req, rep, methods);
    if (e)
        return e;
    if (pst_text_equal(req->method, PST_TEXT("OPTIONS")))
        return cors_preflight(gate, req, rep, methods);
    e = visit_open(gate, req, rep, visit);
    if (e && e != PST_STORE_DOWN)
        return e;
    site = visit_check_site(gate, req, visit);
    if (site)
        return site;
    if (e || !visit->has_session)
        return e;
    if (!visit->is_stale &&
        !pst_session_is_due(&visit->session, &gate->config->clocks, gate->now))
        return PST_OK;
    return visit_renew(gate, req, rep, visit);
}

/* How often one session is sealed: twice in the second of a "log out
 * everywhere"; more means that one follows another. */
#define SEALS_MAX 3

/*
 * Make what goes out, let the session take the place of what was before, in
 * one step of the store, and only then hand it out: whatever fails, nothing
 * half-made remains.
 */
static enum pst_err
establish(struct gate *gate, const struct request *req, struct reply *rep,
          struct visit *visit, struct visit *fresh)
{
    struct roster_replacement replaced = {
        .old = visit->has_session ? &visit->session : NULL,
        .follows = !fresh->is_by_password,
    };
    enum pst_err e = PST_EXPIRED;
    struct carry carry;

    for (unsigned i = 0; i < SEALS_MAX && e == PST_EXPIRED; i++) {
        e = carry_seal(gate, rep->arena, ways_of(gate, visit), &fresh->session,
                       true, &carry);
        if (e)
            return e;
        replaced.blob = carry.blob;
        e = roster_replace(gate, req, &replaced, &fresh->session);
    }
    if (e == PST_REVOKED)
        LOG_EVENT(gate->log, LEVEL_INFO, "ended-meanwhile",
                  LOG_STRING("request", req->id),
                  LOG_STRING("session", visit->mark));
    if (e)
        return e == PST_EXPIRED ? PST_OVERLOADED : e;
    hand_out(gate, rep, fresh, &carry);
    *visit = *fresh;
    return PST_OK;
}

enum pst_err
visit_begin(struct gate *gate, const struct request *req, struct reply *rep,
            struct visit *visit, const struct visit_grant *grant)
{
    struct visit fresh = {.carrier = visit->carrier,
                          .has_session = true,
                          .is_by_password = grant->by_password};
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
    set_mark(&fresh);
    return establish(gate, req, rep, visit, &fresh);
}

/*
 * A session that was ended while this request was on its way stays ended:
 * what is sealed here carries the id that the roster refuses.
 */
enum pst_err
visit_renew(struct gate *gate, const struct request *req, struct reply *rep,
            struct visit *visit)
{
    struct carry carry;
    enum pst_err e;

    pst_session_touch(&visit->session, &gate->config->clocks, gate->now);
    e = carry_seal(gate, rep->arena, ways_of(gate, visit), &visit->session,
                   false, &carry);
    if (e)
        return e == PST_TOO_LARGE ? PST_INTERNAL : roster_told(gate, req, e);
    /* The list is for reading; that it is a little behind refuses nobody. */
    (void)!roster_touch(gate, req, &visit->session);
    hand_out(gate, rep, visit, &carry);
    return PST_OK;
}

enum pst_err
visit_end(struct gate *gate, const struct request *req, struct reply *rep,
          struct visit *visit)
{
    unsigned ways = ways_of(gate, visit);
    enum pst_err e = PST_OK;

    if (ways & METHOD_COOKIE)
        clear_cookie(gate, rep);
    if (ways & METHOD_BEARER)
        reply_put(rep, gate->config->auth_token_header, PST_TEXT(""));
    if (visit->has_session || visit->is_unchecked)
        e = roster_end(gate, req, &visit->session);
    visit->has_session = false;
    visit->is_unchecked = false;
    return e;
}

struct pst_text
visit_upstream(const struct visit *visit)
{
    return visit->has_session ? visit->session.upstream : PST_NO_TEXT;
}

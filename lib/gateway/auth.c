/* SPDX-License-Identifier: ISC */
/*
 * auth.c - find the token, open it, and see whether the request may enter.
 */
#include "gateway/auth.h"

#include "crypto/crypto.h"
#include "gateway/cors.h"
#include "gateway/session_open.h"
#include "gateway/token_transport.h"
#include "http/bearer.h"
#include "http/origin.h"

void
visit_set_mark(struct visit *visit)
{
    uint8_t hash[PST_HASH_LEN];
    struct pst_buf buf;

    pst_crypt_sha256((struct pst_bytes){visit->session.sid, PST_SID_LEN}, hash);
    pst_buf_init(&buf, visit->mark, sizeof(visit->mark) - 1);
    pst_buf_add_hex(&buf, (struct pst_bytes){hash, 4});
    visit->mark[8] = '\0';
}

static void
log_unopened(const struct gate *gate, const struct request *req,
             const char *carrier, enum pst_err why)
{
    LOG_EVENT(gate->log, LEVEL_INFO, "token-refused",
              LOG_STRING("request", req->id), LOG_STRING("carrier", carrier),
              LOG_STRING("cause", pst_err_code(why)));
}

/* Take over what was opened; e is how that ended. */
static void
take_opened(const struct gate *gate, struct visit *visit,
            const struct session_opened *opened, enum pst_err e)
{
    if (!opened->is_set)
        return;
    visit->session = opened->session;
    visit_set_mark(visit);
    visit->was_remembered = opened->session.remember;
    visit->is_unchecked = opened->is_unchecked;
    visit->has_session = !e;
    visit->is_due =
        !e &&
        (opened->is_stale ||
         pst_session_is_due(&visit->session, &gate->config->clocks, gate->now));
}

/* It is on no list and in no store: there is nothing of anybody's in it. */
static enum pst_err
seal_nobody(struct gate *gate, struct pst_arena *arena, struct pst_text *token)
{
    struct pst_session session = {.who = PST_TEXT("{}"),
                                  .known = PST_IDENTITY_NOBODY};
    struct carry carry;
    enum pst_err e = gate->random(session.sid, sizeof(session.sid));

    if (!e)
        e = pst_session_start(&session, &gate->config->clocks, gate->now, 0);
    if (!e)
        e = carry_seal(gate, arena, METHOD_BEARER, &session, true, &carry);
    if (!e)
        *token = carry.bearer;
    return e;
}

void
visit_forget_bearer(struct gate *gate, const struct request *req,
                    struct reply *rep)
{
    struct pst_text token = PST_TEXT("");
    enum pst_err e = PST_OK;

    if (pst_text_starts_nocase(request_variable(req, "SERVER_SOFTWARE"),
                               PST_TEXT("lighttpd")))
        e = seal_nobody(gate, rep->arena, &token);
    if (!e)
        reply_put(rep, gate->config->auth_token_header, token);
    else if (!rep->refused)
        rep->refused = e;
}

static enum pst_err
refuse_bearer(struct gate *gate, const struct request *req, struct reply *rep,
              enum pst_err why)
{
    struct pst_buf buf;

    log_unopened(gate, req, "bearer", why);
    visit_forget_bearer(gate, req, rep);
    if (gate->config->dead_bearer_is_guest)
        return PST_OK;
    pst_buf_init_arena(&buf, rep->arena, 256);
    pst_bearer_emit_challenge(&buf, true);
    reply_put(rep, PST_TEXT("WWW-Authenticate"), pst_buf_text(&buf));
    return PST_FORGED;
}

static enum pst_err
open_bearer(struct gate *gate, const struct request *req, struct reply *rep,
            struct visit *visit)
{
    struct session_opened opened = {.is_set = false};
    struct pst_text token;
    enum pst_err e = pst_bearer_parse(req->authorization, &token);

    if (e == PST_ABSENT)
        return PST_OK;
    visit->carrier = VISIT_BY_BEARER;
    rep->challenge = PST_TEXT("Bearer realm=\"postern\"");
    if (!e && token.len == 0)
        return PST_OK; /* a client that has none yet, or none any more */
    if (!e)
        e = session_open_token(gate, req, PST_PURPOSE_BEARER, token, &opened);
    take_opened(gate, visit, &opened, e);
    return session_is_unopened(e) ? refuse_bearer(gate, req, rep, e) : e;
}

static enum pst_err
open_kind(struct gate *gate, const struct request *req, enum cookies_kind kind,
          struct visit *visit)
{
    struct session_opened opened;
    enum pst_err e =
        session_open_cookies(gate, req, &visit->cookies, kind, &opened);

    if (e == PST_ABSENT)
        return PST_OK;
    visit->carrier = VISIT_BY_COOKIE;
    take_opened(gate, visit, &opened, e);
    if (!session_is_unopened(e))
        return e;
    log_unopened(gate, req, "cookie", e);
    visit->is_dead[kind] = true;
    return PST_OK;
}

/* A guest's counts only where there is no user's. */
static enum pst_err
open_cookies(struct gate *gate, const struct request *req, struct visit *visit)
{
    enum pst_err e;

    cookies_find(gate->config, req->cookie, &visit->cookies);
    e = open_kind(gate, req, COOKIES_USER, visit);
    if (!e && !visit->has_session)
        e = open_kind(gate, req, COOKIES_GUEST, visit);
    return e;
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
            e = open_cookies(gate, req, visit);
    }
    return e;
}

void
visit_clear_dead(const struct gate *gate, struct reply *rep,
                 const struct visit *visit)
{
    for (unsigned kind = 0; kind < COOKIES_KINDS; kind++) {
        if (visit->is_dead[kind])
            cookies_clear(gate->config, rep, kind);
    }
}

/* Entering. */

/* A header that no form of another site can add to its post. */
static bool
is_preflighted(const struct request *req)
{
    static const struct pst_text names[] = {
        {"apollo-require-preflight", 24},
        {"x-apollo-operation-name", 23},
        {"graphql-preflight", 17},
    };

    for (size_t i = 0; i < PST_COUNT(names); i++) {
        if (request_header(req, names[i]).len > 0)
            return true;
    }
    return false;
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
        /* Not one that does not open: anybody can make that up. */
        .bearer = visit->carrier == VISIT_BY_BEARER &&
                  (visit->has_session || visit->is_unchecked),
        .form_with_cookie =
            visit->carrier == VISIT_BY_COOKIE &&
            pst_text_equal_nocase(request_media_type(req),
                                  PST_TEXT("multipart/form-data")),
        .preflighted = is_preflighted(req),
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
            const struct visit_rules *rules, struct visit *visit)
{
    enum pst_err site;
    enum pst_err e;

    cors_allow(gate, req, rep);
    e = check_method(req, rep, rules->methods);
    if (e)
        return e;
    if (pst_text_equal(req->method, PST_TEXT("OPTIONS")))
        return cors_preflight(gate, req, rep, rules->methods);
    e = visit_open(gate, req, rep, visit);
    if (e && e != PST_STORE_DOWN)
        return e;
    visit->keeps_dead_cookies = rules->keeps_dead_cookies;
    site = visit_check_site(gate, req, visit);
    if (site)
        return site;
    if (!visit->keeps_dead_cookies)
        visit_clear_dead(gate, rep, visit);
    return e;
}

struct pst_text
visit_upstream(const struct visit *visit)
{
    return visit->has_session ? visit->session.upstream : PST_NO_TEXT;
}

/* SPDX-License-Identifier: ISC */
/*
 * auth_session.c - begin a session, renew it, end it, and say so in the reply.
 */
#include "gateway/auth_session.h"

#include "gateway/session_open.h"
#include "gateway/session_registry.h"
#include "gateway/token_transport.h"

/* An answer goes the way its request came; a first one goes every way, but not
 * in a header to a page of our own, whose scripts could read it. */
static unsigned
ways_of(const struct gate *gate, const struct request *req,
        const struct visit *visit)
{
    unsigned methods = gate->config->methods;

    switch (visit->carrier) {
    case VISIT_BY_COOKIE:
        return METHOD_COOKIE;
    case VISIT_BY_BEARER:
        return METHOD_BEARER;
    case VISIT_BY_NOTHING:
        break;
    }
    if ((methods & METHOD_COOKIE) &&
        pst_text_equal(req->sec_fetch_site, PST_TEXT("same-origin")))
        return METHOD_COOKIE;
    return methods;
}

static enum cookies_kind
kind_of(const struct pst_session *session)
{
    return pst_session_is_guest(session) ? COOKIES_GUEST : COOKIES_USER;
}

static void
hand_out(struct gate *gate, struct reply *rep, struct visit *visit,
         const struct carry *carry)
{
    if (carry->cookie.len > 0)
        reply_put_cookie(rep, carry->cookie);
    if (carry->bearer.len > 0)
        reply_put(rep, gate->config->auth_token_header, carry->bearer);
    visit->bearer = carry->bearer;
}

/* Did cookies of this kind come that are not the session, or copies of it? */
static bool
has_others(const struct visit *visit, enum cookies_kind kind)
{
    return visit->cookies.count[kind] > 1 || visit->is_dead[kind];
}

/* The guest's cookie beside a user's; a dead one is only noted. */
static enum pst_err
open_guest(struct gate *gate, const struct request *req, struct visit *visit)
{
    struct session_opened opened;
    enum pst_err e;

    if (visit->is_guest_opened || visit->is_dead[COOKIES_GUEST])
        return PST_OK;
    e = session_open_cookies(gate, req, &visit->cookies, COOKIES_GUEST,
                             &opened);
    if (e && e != PST_ABSENT && !session_is_unopened(e))
        return e;
    visit->is_guest_opened = true;
    visit->has_guest = !e;
    visit->guest = opened.session;
    return PST_OK;
}

/* Is the session a user's, so that a guest's may stand beside it? */
static bool
is_users(const struct visit *visit)
{
    return visit->has_session && !pst_session_is_guest(&visit->session);
}

enum pst_err
visit_guest_upstream(struct gate *gate, const struct request *req,
                     struct visit *visit, struct pst_text *upstream)
{
    enum pst_err e;

    *upstream = PST_NO_TEXT;
    if (!is_users(visit)) {
        *upstream = visit_upstream(visit);
        return PST_OK;
    }
    e = open_guest(gate, req, visit);
    if (!e && visit->has_guest)
        *upstream = visit->guest.upstream;
    return e;
}

/*
 * Clear what would stand in the way of the new cookie: other variants of its
 * own name, the one that the session before it had, and, for a user, a guest's
 * and that of an older name. A guest's leaves the user's alone.
 */
static void
clear_replaced(const struct gate *gate, struct reply *rep,
               const struct visit *visit, const struct visit *fresh)
{
    enum cookies_kind kind = kind_of(&fresh->session);
    const size_t *count = visit->cookies.count;

    if (has_others(visit, kind))
        cookies_clear(gate->config, rep, kind);
    if (is_users(fresh)) {
        if (count[COOKIES_GUEST] > 0)
            cookies_clear(gate->config, rep, COOKIES_GUEST);
        if (count[COOKIES_OLDER] > 0)
            cookies_clear(gate->config, rep, COOKIES_OLDER);
    } else if (is_users(visit) && count[COOKIES_USER] > 0) {
        cookies_clear(gate->config, rep, COOKIES_USER);
    }
}

/* How often one session is sealed: twice in the second of a "log out
 * everywhere"; more means that one follows another. */
#define SEALS_MAX 3

/* A user's session that takes the place of a user's ends the guest's beside
 * it, too. */
static enum pst_err
find_replaced(struct gate *gate, const struct request *req, struct visit *visit,
              const struct visit *fresh, struct roster_replacement *replaced)
{
    enum pst_err e = PST_OK;

    replaced->old = visit->has_session ? &visit->session : NULL;
    if (is_users(fresh) && is_users(visit))
        e = open_guest(gate, req, visit);
    if (!e && is_users(fresh) && is_users(visit) && visit->has_guest)
        replaced->guest = &visit->guest;
    return e;
}

/*
 * Make what goes out, let the session take the place of what was before, in
 * one step of the store, and only then hand it out: whatever fails, nothing
 * half-made remains.
 */
static enum pst_err
establish(struct gate *gate, const struct request *req, struct reply *rep,
          struct visit *visit, struct visit *fresh)
{
    struct roster_replacement replaced = {.follows = !fresh->is_by_password};
    enum pst_err e = find_replaced(gate, req, visit, fresh, &replaced);
    struct carry carry;

    if (!e)
        e = PST_EXPIRED;
    for (unsigned i = 0; i < SEALS_MAX && e == PST_EXPIRED; i++) {
        e = carry_seal(gate, rep->arena, ways_of(gate, req, visit),
                       &fresh->session, true, &carry);
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
    clear_replaced(gate, rep, visit, fresh);
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
    session->known = grant->is_unknown    ? PST_IDENTITY_UNKNOWN
                     : grant->sub.len > 0 ? PST_IDENTITY_KNOWN
                                          : PST_IDENTITY_NOBODY;
    session->asked = grant->asked;
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
    visit_set_mark(&fresh);
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
    enum cookies_kind kind = kind_of(&visit->session);
    struct carry carry;
    enum pst_err e;

    e = roster_check(gate, req, &visit->session);
    if (e)
        return e;
    pst_session_touch(&visit->session, &gate->config->clocks, gate->now);
    e = carry_seal(gate, rep->arena, ways_of(gate, req, visit), &visit->session,
                   false, &carry);
    if (e)
        return e == PST_TOO_LARGE ? PST_INTERNAL : roster_told(gate, req, e);
    /* The list is for reading; that it is a little behind refuses nobody. */
    (void)!roster_touch(gate, req, &visit->session);
    if (!visit->keeps_dead_cookies && has_others(visit, kind))
        cookies_clear(gate->config, rep, kind);
    hand_out(gate, rep, visit, &carry);
    visit->is_due = false;
    return PST_OK;
}

enum pst_err
visit_finish(struct gate *gate, const struct request *req, struct reply *rep,
             struct visit *visit)
{
    /* Of several copies one is left, in the variant that is configured. */
    bool has_copies = visit->carrier == VISIT_BY_COOKIE &&
                      !visit->keeps_dead_cookies &&
                      has_others(visit, kind_of(&visit->session));
    enum pst_err e;

    if (!visit->has_session || (!visit->is_due && !has_copies))
        return PST_OK;
    e = visit_renew(gate, req, rep, visit);
    if (e == PST_REVOKED)
        visit->has_session = false;
    return e == PST_REVOKED || e == PST_STORE_DOWN ? PST_OK : e;
}

enum pst_err
visit_end(struct gate *gate, const struct request *req, struct reply *rep,
          struct visit *visit)
{
    bool is_set = visit->has_session || visit->is_unchecked;
    unsigned ways = ways_of(gate, req, visit);
    enum pst_err e = PST_OK;

    if (ways & METHOD_COOKIE)
        cookies_clear(gate->config, rep,
                      is_set ? kind_of(&visit->session) : COOKIES_USER);
    if (ways & METHOD_BEARER)
        visit_forget_bearer(gate, req, rep);
    if (is_set)
        e = roster_end(gate, req, &visit->session);
    visit->has_session = false;
    visit->is_unchecked = false;
    visit->is_due = false;
    return e;
}

enum pst_err
visit_end_all(struct gate *gate, const struct request *req, struct reply *rep,
              struct visit *visit)
{
    bool is_guest_beside = is_users(visit);
    enum pst_err guest = PST_OK;
    enum pst_err e = visit_end(gate, req, rep, visit);

    if (!(ways_of(gate, req, visit) & METHOD_COOKIE))
        return e;
    if (is_guest_beside)
        guest = open_guest(gate, req, visit);
    if (!guest && visit->has_guest)
        guest = roster_end(gate, req, &visit->guest);
    /* The user's last: curl up to 7.88 at least, with one file for -b and -c,
     * forgets what a line before the last one cleared. */
    for (unsigned kind = COOKIES_KINDS; kind-- > 0;) {
        if (kind == COOKIES_USER || visit->cookies.count[kind] > 0)
            cookies_clear(gate->config, rep, kind);
    }
    return e ? e : guest;
}

/* SPDX-License-Identifier: ISC */
/*
 * session_open.c - open a token, and choose among cookies.
 */
#include "gateway/session_open.h"

#include <string.h>

#include "gateway/session_registry.h"
#include "gateway/token_transport.h"

bool
session_is_unopened(enum pst_err e)
{
    return e == PST_FORGED || e == PST_EXPIRED || e == PST_REVOKED ||
           e == PST_DUPLICATE;
}

enum pst_err
session_open_token(struct gate *gate, const struct request *req,
                   enum pst_purpose purpose, struct pst_text token,
                   struct session_opened *out)
{
    enum pst_err e;

    *out = (struct session_opened){.is_set = false};
    e = carry_open(gate, req->arena, purpose, token, &out->session,
                   &out->is_stale);
    if (e)
        return roster_told(gate, req, e);
    out->is_set = true;
    e = pst_session_check(&out->session, &gate->config->clocks, gate->now);
    if (e)
        return e;
    e = roster_check(gate, req, &out->session);
    out->is_unchecked = e == PST_STORE_DOWN;
    return e;
}

static bool
is_same_session(const struct pst_session *a, const struct pst_session *b)
{
    return memcmp(a->sid, b->sid, PST_SID_LEN) == 0;
}

static bool
is_newer(const struct pst_session *a, const struct pst_session *b)
{
    return a->seen > b->seen || (a->seen == b->seen && a->iat > b->iat);
}

static void
log_conflict(const struct gate *gate, const struct request *req,
             enum cookies_kind kind, size_t count)
{
    LOG_EVENT(gate->log, LEVEL_WARNING, "cookies-of-different-sessions",
              LOG_STRING("request", req->id),
              LOG_TEXT("cookie", cookies_describe(gate->config, kind).name),
              LOG_NUMBER("count", (int64_t)count));
}

/* Is the one just opened to be kept in the place of the one so far? */
static bool
is_better(const struct session_opened *one, enum pst_err e,
          const struct session_opened *best, enum pst_err best_e)
{
    if (best_e == PST_OK)
        return e == PST_OK && is_newer(&one->session, &best->session);
    return e == PST_OK || one->is_set;
}

enum pst_err
session_open_cookies(struct gate *gate, const struct request *req,
                     const struct cookies *cookies, enum cookies_kind kind,
                     struct session_opened *out)
{
    const enum pst_purpose purpose =
        kind == COOKIES_GUEST ? PST_PURPOSE_GUEST : PST_PURPOSE_COOKIE;
    size_t count = cookies->count[kind];
    bool is_conflict = count > COOKIES_MAX;
    enum pst_err outcome = PST_ABSENT;
    struct session_opened one;

    *out = (struct session_opened){.is_set = false};
    for (size_t i = 0; i < count && !is_conflict; i++) {
        enum pst_err e = session_open_token(gate, req, purpose,
                                            cookies->values[kind][i], &one);

        if (e && !session_is_unopened(e)) {
            *out = one;
            return e;
        }
        is_conflict = outcome == PST_OK && !e &&
                      !is_same_session(&one.session, &out->session);
        if (is_better(&one, e, out, outcome))
            *out = one;
        if (outcome != PST_OK)
            outcome = e;
    }
    if (!is_conflict)
        return outcome;
    log_conflict(gate, req, kind, count);
    *out = (struct session_opened){.is_set = false};
    return PST_DUPLICATE;
}

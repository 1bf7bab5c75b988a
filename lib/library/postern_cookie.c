/* SPDX-License-Identifier: ISC */
/*
 * postern_cookie.c - the public library's session cookies: find and open one,
 * seal one, clear them.
 *
 * The programs follow the same rules, and use a store in addition:
 * tests/unit/test_postern.c and tests/e2e/test_library.py compare the two.
 */
#include "library/postern_cookie.h"

#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "crypto/crypto.h"
#include "session/claims.h"
#include "session/hidden_claims.h"

/* Session cookies of one name that are opened. More of them are a conflict, as
 * no browser stores so many. */
#define SESSION_COOKIES_MAX 8

/* Bytes of memory for one call. Sealing takes 20 KiB at most; opening takes
 * twice the size of all cookies, which share this memory. It is small because
 * every call clears it. */
#define CALL_SIZE (32 * 1024)
#define CALL_COOKIE_FACTOR 4
#define CALL_COOKIES_MAX (1024 * 1024) /* longer headers may not fit */

/* The call. */

enum pst_err
cookie_call_begin(struct cookie_call *call, const struct pst_sessions *sessions,
                  const char *cookie)
{
    struct pst_str cookies =
        pst_str_first(pst_str_from(cookie), CALL_COOKIES_MAX);
    enum pst_err e = settings_now(sessions, &call->now);

    call->sessions = sessions;
    call->arena = NULL;
    if (e)
        return e;
    return pst_arena_new(&call->arena,
                         CALL_SIZE + CALL_COOKIE_FACTOR * cookies.len);
}

void
cookie_call_end(struct cookie_call *call)
{
    pst_arena_free(&call->arena);
}

/* Opening. */

static enum pst_purpose
cookie_get_purpose(const struct pst_session *session)
{
    return pst_session_is_guest(session) ? PST_PURPOSE_GUEST
                                         : PST_PURPOSE_COOKIE;
}

/* Open one token and check its claims and timeouts. Every failure except
 * PST_NO_MEMORY and PST_INTERNAL means that it is not a valid session. */
static enum pst_err
cookie_open(const struct cookie_call *call, enum pst_purpose purpose,
            struct pst_str token, struct cookie_session *out)
{
    const struct pst_sessions *sessions = call->sessions;
    const struct pst_token_use use = {sessions->ring, purpose,
                                      sessions->format};
    struct pst_str claims;
    struct pst_kid kid;
    enum pst_err e;

    e = pst_token_open(&use, call->arena, token, &claims, &kid);
    if (!e)
        e = pst_claims_parse(call->arena, claims, &out->session);
    if (!e && sessions->format == PST_TOKEN_SIGNED)
        e = pst_hidden_claims_open(sessions->ring, call->arena, &out->session);
    if (!e && purpose != cookie_get_purpose(&out->session))
        e = PST_FORGED;
    if (!e)
        e = pst_session_check(&out->session, &sessions->clocks, call->now);
    if (e)
        return e;
    out->is_from_older_secret = !pst_keyring_is_first(sessions->ring, &kid);
    out->is_in_store = pst_str_starts(out->session.upstream, PST_STR("["));
    return PST_OK;
}

static bool
cookie_is_same_session(const struct pst_session *a, const struct pst_session *b)
{
    return memcmp(a->sid, b->sid, PST_SID_LEN) == 0;
}

static bool
cookie_is_newer(const struct pst_session *a, const struct pst_session *b)
{
    return a->seen > b->seen || (a->seen == b->seen && a->iat > b->iat);
}

/* cookie_find() for the cookies of one name. */
static enum pst_err
cookie_find_by_name(const struct cookie_call *call, struct pst_str header,
                    struct pst_str wanted, enum pst_purpose purpose,
                    struct cookie_session *out)
{
    struct cookie_session one;
    struct pst_str value;
    struct pst_str name;
    size_t count = 0;
    bool has_one = false;

    while (pst_cookie_next(&header, &name, &value)) {
        enum pst_err e;

        if (!pst_str_equal(name, wanted))
            continue;
        if (++count > SESSION_COOKIES_MAX)
            return PST_NO_SESSION;
        e = cookie_open(call, purpose, value, &one);
        if (e == PST_NO_MEMORY || e == PST_INTERNAL)
            return e;
        if (e)
            continue;
        /* An attacker planted one of them, and we cannot know which. */
        if (has_one && !cookie_is_same_session(&one.session, &out->session))
            return PST_NO_SESSION;
        if (!has_one || cookie_is_newer(&one.session, &out->session))
            *out = one;
        has_one = true;
    }
    return has_one ? PST_OK : PST_NO_SESSION;
}

enum pst_err
cookie_find(const struct cookie_call *call, struct pst_str header,
            struct cookie_session *out)
{
    const struct pst_sessions *sessions = call->sessions;
    struct cookie_session found;
    enum pst_err e;

    e = cookie_find_by_name(call, header, sessions->cookie.name,
                            PST_PURPOSE_COOKIE, &found);
    if (e == PST_NO_SESSION)
        e = cookie_find_by_name(call, header, sessions->guest_name,
                                PST_PURPOSE_GUEST, &found);
    if (!e)
        *out = found;
    return e;
}

/* Sealing. */

static enum pst_err
cookie_seal_token(const struct cookie_call *call, enum pst_purpose purpose,
                  struct pst_str claims, struct pst_str *out)
{
    const struct pst_token_use use = {call->sessions->ring, purpose,
                                      call->sessions->format};
    uint8_t nonce[PST_NONCE_LEN];
    struct pst_buf buf;
    enum pst_err e = pst_crypto_random(nonce, sizeof(nonce));

    if (e)
        return e;
    pst_buf_init_arena(&buf, call->arena, PST_TOKEN_MAX);
    e = pst_token_seal(&use, call->now, nonce, claims, &buf);
    return e ? e : pst_buf_finish(&buf, out);
}

static enum pst_err
cookie_hide_claims(const struct cookie_call *call, struct pst_session *session)
{
    uint8_t nonces[PST_HIDDEN_CLAIM_COUNT][PST_NONCE_LEN];
    enum pst_err e;

    if (call->sessions->format == PST_TOKEN_SEALED)
        return PST_OK;
    e = pst_crypto_random(nonces, sizeof(nonces));
    return e ? e
             : pst_hidden_claims_seal(call->sessions->ring, call->arena,
                                      call->now, nonces, session);
}

/* Emit the claims, and parse them once more: a session that could not be
 * opened, or that would be another one, must not be issued. */
static enum pst_err
cookie_emit_claims(const struct cookie_call *call,
                   const struct pst_session *session, struct pst_str *claims)
{
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, call->arena, PST_CLAIMS_MAX);
    pst_claims_emit(&buf, session);
    e = pst_buf_finish(&buf, claims);
    if (e)
        return e;
    e = pst_session_verify_claims(call->arena, *claims, session);
    return e == PST_FORGED ? PST_MALFORMED : e;
}

enum pst_err
cookie_seal(const struct cookie_call *call, const struct pst_session *session,
            struct pst_str *line)
{
    const struct pst_sessions *sessions = call->sessions;
    struct pst_cookie cookie = sessions->cookie;
    struct pst_session inside = *session;
    struct pst_str claims;
    struct pst_buf buf;
    enum pst_err e;

    if (pst_session_is_guest(session))
        cookie.name = sessions->guest_name;
    if (pst_session_is_persistent(session)) {
        cookie.has_max_age = true;
        cookie.max_age = session->exp - call->now;
    }
    e = cookie_hide_claims(call, &inside);
    if (!e)
        e = cookie_emit_claims(call, &inside, &claims);
    if (!e)
        e = cookie_seal_token(call, cookie_get_purpose(session), claims,
                              &cookie.value);
    if (e)
        return e;
    pst_buf_init_arena(&buf, call->arena, PST_COOKIE_HEADER_MAX);
    pst_cookie_emit(&buf, &cookie);
    return pst_buf_finish(&buf, line);
}

/* Clearing. */

static bool
cookie_is_sent(struct pst_str header, struct pst_str wanted)
{
    struct pst_str value;
    struct pst_str name;

    while (pst_cookie_next(&header, &name, &value)) {
        if (pst_str_equal(name, wanted))
            return true;
    }
    return false;
}

/* Make the n-th variant of a cookie: Partitioned or not, with its Domain or
 * without, with its Path or "/". Returns false if it is the same as another
 * one, or if no browser would have stored it. */
static bool
cookie_set_variant(struct pst_cookie *cookie, unsigned n)
{
    const char *reason;

    if (((n & 1) && pst_str_is_absent(cookie->domain)) ||
        ((n & 2) && pst_str_equal(cookie->path, PST_STR("/"))))
        return false;
    if (n & 1)
        cookie->domain = PST_STR_NONE;
    if (n & 2)
        cookie->path = PST_STR("/");
    if (n & 4)
        cookie->partitioned = !cookie->partitioned;
    /* Partitioned cookies are only ever set with SameSite=None. */
    if (cookie->partitioned)
        cookie->same_site = PST_SAME_SITE_NONE;
    cookie->value = PST_STR("");
    return pst_cookie_check(cookie, &reason) == PST_OK;
}

enum pst_err
cookie_clear(const struct pst_sessions *sessions, struct pst_str header,
             size_t index, struct pst_buf *line)
{
    /* The user's cookie comes last: curl, at least up to 7.88, with one file
     * for -b and -c, undoes what a line before the last one cleared. */
    const struct pst_str names[] = {sessions->older_name, sessions->guest_name,
                                    sessions->cookie.name};
    struct pst_str text;

    for (size_t i = 0; i < PST_COUNT(names); i++) {
        bool is_users = i == PST_COUNT(names) - 1;

        if (pst_str_is_absent(names[i]) ||
            (!is_users && !pst_str_is_absent(header) &&
             !cookie_is_sent(header, names[i])))
            continue;
        for (unsigned n = 0; n < 8; n++) {
            struct pst_cookie cookie = sessions->cookie;

            cookie.name = names[i];
            if (!cookie_set_variant(&cookie, n) || index-- > 0)
                continue;
            pst_cookie_emit_clear(line, &cookie);
            return pst_buf_finish(line, &text);
        }
    }
    return PST_NOT_FOUND;
}

/* SPDX-License-Identifier: ISC */
/*
 * postern_csrf.c - the public library's CSRF tokens: make one for a form and a
 * session, and check it. The tokens of the programs' own forms are the same.
 */
#include "postern.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "library/postern_caller.h"
#include "library/postern_cookie.h"

/* Bytes of {"form":"…","session":"0123456789abcdef0123456789abcdef","iat":…},
 * and of the name of a form. */
#define CLAIMS_MAX 160
#define FORM_MAX 32
#define LIFETIME 3600 /* seconds */

/* Bytes of the session id's hash in a token, half of it: it distinguishes
 * sessions and reveals nothing of the id. */
#define SESSION_HASH_LEN 16

/* A valid name of a form is 1 to 32 characters of A-Z a-z 0-9 - _ . */
static bool
csrf_is_form(struct pst_str form)
{
    for (size_t i = 0; i < form.len; i++) {
        char c = form.ptr[i];

        if (!pst_is_alpha(c) && !pst_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return form.len >= 1 && form.len <= FORM_MAX;
}

/* Emit the hash that names the session in a token. Without a session it is
 * empty. */
static void
csrf_emit_session(struct pst_buf *buf, const struct pst_session *session)
{
    uint8_t hash[PST_HASH_LEN];

    if (!session)
        return;
    pst_crypto_sha256((struct pst_bytes){session->sid, PST_SID_LEN}, hash);
    pst_buf_add_hex(buf, (struct pst_bytes){hash, SESSION_HASH_LEN});
}

/*
 * Make a token.
 *   session  of the request; NULL: there is none
 *   token    invalid on failure
 * Returns PST_OK, PST_TOO_LARGE (token is too small), PST_NO_RANDOM,
 * PST_INTERNAL.
 */
static enum pst_err
csrf_make(const struct cookie_call *call, const struct pst_session *session,
          struct pst_str form, struct pst_buf *token)
{
    const struct pst_token_use use = {call->sessions->ring, PST_PURPOSE_CSRF,
                                      PST_TOKEN_SEALED};
    uint8_t nonce[PST_NONCE_LEN];
    char storage[CLAIMS_MAX];
    struct pst_str claims;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_buf_add_string(&buf, "{\"form\":");
    pst_json_emit_string(&buf, form);
    pst_buf_add_string(&buf, ",\"session\":\"");
    csrf_emit_session(&buf, session);
    pst_buf_add_string(&buf, "\",\"iat\":");
    pst_buf_add_number(&buf, call->now);
    pst_buf_add_char(&buf, '}');
    e = pst_buf_finish(&buf, &claims);
    if (!e)
        e = pst_crypto_random(nonce, sizeof(nonce));
    return e ? e : pst_token_seal(&use, call->now, nonce, claims, token);
}

/* Was the token made for this session, or for none if there is none? */
static bool
csrf_is_for_session(const struct pst_session *session, struct pst_str hash)
{
    char storage[2 * SESSION_HASH_LEN];
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    csrf_emit_session(&buf, session);
    return pst_str_equal(hash, pst_buf_str(&buf));
}

static bool
csrf_is_fresh(int64_t now, int64_t made)
{
    return made >= 0 && made <= now + PST_CLOCK_SKEW_MAX &&
           now - made < LIFETIME;
}

/*
 * Is the token valid for this form and this session (NULL: none)?
 * Returns PST_OK, PST_STALE_FORM, PST_NO_MEMORY, PST_INTERNAL.
 */
static enum pst_err
csrf_check(const struct cookie_call *call, const struct pst_session *session,
           struct pst_str form, struct pst_str token)
{
    const struct pst_token_use use = {call->sessions->ring, PST_PURPOSE_CSRF,
                                      PST_TOKEN_SEALED};
    const struct pst_json *root;
    struct pst_str claims;
    struct pst_str hash;
    int64_t made;
    enum pst_err e;

    e = pst_token_open(&use, call->arena, token, &claims, NULL);
    if (!e)
        e = pst_json_parse(call->arena, claims, &root);
    if (e)
        return e == PST_NO_MEMORY || e == PST_INTERNAL ? e : PST_STALE_FORM;
    hash = pst_json_string(pst_json_at(root, PST_STR("/session")));
    if (pst_str_is_absent(hash) ||
        !pst_str_equal(pst_json_string(pst_json_at(root, PST_STR("/form"))),
                       form) ||
        pst_json_integer(pst_json_at(root, PST_STR("/iat")), &made) != PST_OK ||
        !csrf_is_fresh(call->now, made))
        return PST_STALE_FORM;
    if (csrf_is_for_session(session, hash))
        return PST_OK;
    /* A user who logs in or out in one tab may still use the login form of
     * another tab, which was made before. If the present session existed when
     * the form was made, the form was made for another browser: login CSRF. */
    if (pst_str_equal(form, PST_STR("login")) &&
        (!session || session->iat >= made))
        return PST_OK;
    return PST_STALE_FORM;
}

/*
 * Find the session of the request. All sessions have forms: also a guest's,
 * one in the store, and one whose owner the backend has not named yet.
 *   session  set to &found->session; NULL if there is none
 */
static enum pst_err
csrf_find_session(const struct cookie_call *call, const char *cookie,
                  struct cookie_session *found,
                  const struct pst_session **session)
{
    enum pst_err e = cookie_find(call, pst_str_from(cookie), found);

    *session = e ? NULL : &found->session;
    return e == PST_NO_SESSION ? PST_OK : e;
}

static int
csrf_make_for_request(const struct pst_sessions *sessions, const char *cookie,
                      struct pst_str form, char *token, size_t size)
{
    const struct pst_session *session;
    char storage[PST_CSRF_SIZE - 1];
    struct cookie_session found;
    struct cookie_call call;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init(&buf, storage, sizeof(storage));
    e = cookie_call_begin(&call, sessions, cookie);
    if (!e)
        e = csrf_find_session(&call, cookie, &found, &session);
    if (!e)
        e = csrf_make(&call, session, form, &buf);
    cookie_call_end(&call);
    return e ? caller_code(e) : caller_copy(token, size, pst_buf_str(&buf));
}

int
pst_csrf_make(const struct pst_sessions *sessions, const char *cookie,
              const char *form, char *token, size_t size)
{
    int code = PST_E_BAD_ARGUMENT;

    if (sessions && token && size > 0 && csrf_is_form(pst_str_from(form)))
        code = csrf_make_for_request(sessions, cookie, pst_str_from(form),
                                     token, size);
    return caller_finish(token, size, code);
}

int
pst_csrf_check(const struct pst_sessions *sessions, const char *cookie,
               const char *form, const char *token)
{
    const struct pst_session *session;
    struct cookie_session found;
    struct cookie_call call;
    enum pst_err e;

    if (!sessions || !csrf_is_form(pst_str_from(form)))
        return PST_E_BAD_ARGUMENT;
    if (!token || !*token)
        return PST_E_BAD_CSRF;
    e = cookie_call_begin(&call, sessions, cookie);
    if (!e)
        e = csrf_find_session(&call, cookie, &found, &session);
    if (!e)
        e = csrf_check(&call, session, pst_str_from(form), pst_str_from(token));
    cookie_call_end(&call);
    return caller_code(e);
}

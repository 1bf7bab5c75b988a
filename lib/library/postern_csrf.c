/* SPDX-License-Identifier: ISC */
/*
 * postern_csrf.c - the public library's CSRF tokens: make one for a form and a
 * session, and check it.
 */
#include "library/postern_csrf.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/json.h"
#include "crypto/crypto.h"

/* {"form":"…","session":"0123456789abcdef0123456789abcdef","iat":…} */
#define CLAIMS_MAX 160
#define FORM_MAX 32
#define LIFETIME 3600 /* seconds */

/* Half of a hash, in hex: enough to tell sessions apart, none of the id. */
#define SESSION_LEN 16

bool
csrf_is_form(struct pst_str form)
{
    for (size_t i = 0; i < form.len; i++) {
        char c = form.ptr[i];

        if (!pst_is_alpha(c) && !pst_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return form.len >= 1 && form.len <= FORM_MAX;
}

/* Whose form it is: a session's, or "" for a visitor without one. */
static void
csrf_emit_session(struct pst_buf *buf, const struct pst_session *session)
{
    uint8_t hash[PST_HASH_LEN];

    if (!session)
        return;
    pst_crypto_sha256((struct pst_bytes){session->sid, PST_SID_LEN}, hash);
    pst_buf_add_hex(buf, (struct pst_bytes){hash, SESSION_LEN});
}

enum pst_err
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

/* The very session it was made for, or none where it was made for none. */
static bool
csrf_is_theirs(const struct pst_session *session, struct pst_str whose)
{
    char storage[2 * SESSION_LEN];
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    csrf_emit_session(&buf, session);
    return pst_str_equal(whose, pst_buf_str(&buf));
}

static bool
csrf_is_fresh(int64_t now, int64_t made)
{
    return made >= 0 && made <= now + PST_CLOCK_SKEW_MAX &&
           now - made < LIFETIME;
}

enum pst_err
csrf_check(const struct cookie_call *call, const struct pst_session *session,
           struct pst_str form, struct pst_str token)
{
    const struct pst_token_use use = {call->sessions->ring, PST_PURPOSE_CSRF,
                                      PST_TOKEN_SEALED};
    const struct pst_json *root;
    struct pst_str claims;
    struct pst_str whose;
    int64_t made;
    enum pst_err e;

    e = pst_token_open(&use, call->arena, token, &claims, NULL);
    if (!e)
        e = pst_json_parse(call->arena, claims, &root);
    if (e)
        return e == PST_NO_MEMORY || e == PST_INTERNAL ? e : PST_STALE_FORM;
    whose = pst_json_string(pst_json_at(root, PST_STR("/session")));
    if (pst_str_is_absent(whose) ||
        !pst_str_equal(pst_json_string(pst_json_at(root, PST_STR("/form"))),
                       form) ||
        pst_json_integer(pst_json_at(root, PST_STR("/iat")), &made) != PST_OK ||
        !csrf_is_fresh(call->now, made))
        return PST_STALE_FORM;
    if (csrf_is_theirs(session, whose))
        return PST_OK;
    /* Somebody who has logged in, or out, in one tab may log in in another
     * that was open before. A session that was there when the form was made is
     * another matter: the form was made for somebody else, and brought here. */
    if (pst_str_equal(form, PST_STR("login")) &&
        (!session || session->iat >= made))
        return PST_OK;
    return PST_STALE_FORM;
}

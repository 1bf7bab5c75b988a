/* SPDX-License-Identifier: ISC */
/*
 * csrf_token.c - seal which form, for whom and when; open it again.
 */
#include "gateway/csrf_token.h"

#include "codec/json.h"
#include "crypto/crypto.h"
#include "crypto/token.h"

/* {"form":"logout","session":"0123456789abcdef0123456789abcdef","iat":…} */
#define CLAIMS_MAX 160
#define TOKEN_MAX 512

/* Half of a hash, in hex: enough to tell sessions apart, none of the id. */
#define SESSION_LEN 16

static const struct pst_text form_names[] = {
    [FORMTOKEN_LOGIN] = {"login", 5},
    [FORMTOKEN_LOGOUT] = {"logout", 6},
};

static struct pst_token_use
use_of(const struct gate *gate)
{
    return (struct pst_token_use){gate->ring, PST_PURPOSE_CSRF,
                                  PST_TOKEN_SEALED};
}

/* Whose form it is: a session's, or "" for a visitor without one. */
static void
emit_session(struct pst_buf *buf, const struct visit *visit)
{
    uint8_t hash[PST_HASH_LEN];

    if (!visit->has_session)
        return;
    pst_crypt_sha256((struct pst_bytes){visit->session.sid, PST_SID_LEN}, hash);
    pst_buf_add_hex(buf, (struct pst_bytes){hash, SESSION_LEN});
}

enum pst_err
formtoken_make(struct gate *gate, struct pst_arena *arena,
               const struct visit *visit, enum formtoken_form form,
               struct pst_text *token)
{
    struct pst_token_use use = use_of(gate);
    uint8_t nonce[PST_NONCE_LEN];
    char claims[CLAIMS_MAX];
    struct pst_buf buf;
    struct pst_buf sealed;
    enum pst_err e;

    pst_buf_init(&buf, claims, sizeof(claims));
    pst_buf_add_string(&buf, "{\"form\":");
    pst_json_emit_string(&buf, form_names[form]);
    pst_buf_add_string(&buf, ",\"session\":\"");
    emit_session(&buf, visit);
    pst_buf_add_string(&buf, "\",\"iat\":");
    pst_buf_add_number(&buf, gate->now);
    pst_buf_add_char(&buf, '}');
    e = gate->random(nonce, sizeof(nonce));
    if (e)
        return e;
    pst_buf_init_arena(&sealed, arena, TOKEN_MAX);
    e = pst_token_seal(&use, gate->now, nonce, pst_buf_text(&buf), &sealed);
    if (e)
        return e;
    return pst_buf_end(&sealed, token);
}

static bool
is_fresh(const struct gate *gate, int64_t made)
{
    return made <= gate->now + PST_SKEW &&
           gate->now < made + FORMTOKEN_LIFETIME;
}

/* The very session it was made for, or none where it was made for none. */
static bool
is_theirs(const struct visit *visit, struct pst_text whose)
{
    char storage[2 * SESSION_LEN];
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    emit_session(&buf, visit);
    return pst_text_equal(whose, pst_buf_text(&buf));
}

/*
 * Whoever has logged in, or out, in one tab may log in in another that was
 * open before. A session that was there when the form was made is another
 * matter: the form was made for somebody else, and brought here.
 */
static bool
is_newer(const struct visit *visit, int64_t made)
{
    return !visit->has_session || visit->session.iat >= made;
}

static enum pst_err
judge(const struct gate *gate, const struct request *req,
      const struct visit *visit, enum formtoken_form form,
      struct pst_text token)
{
    struct pst_token_use use = use_of(gate);
    const struct pst_json *root;
    struct pst_text claims;
    struct pst_text whose;
    int64_t made;
    enum pst_err e;

    if (token.len == 0)
        return gate->config->csrf_token_required ? PST_STALE_FORM : PST_OK;
    e = pst_token_open(&use, req->arena, token, &claims, NULL);
    if (e)
        return e == PST_FORGED ? PST_STALE_FORM : e;
    e = pst_json_parse(req->arena, claims, &root);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_STALE_FORM;
    whose = pst_json_text(pst_json_at(root, PST_TEXT("/session")));
    if (pst_text_is_absent(whose) ||
        !pst_text_equal(pst_json_text(pst_json_at(root, PST_TEXT("/form"))),
                        form_names[form]) ||
        pst_json_integer(pst_json_at(root, PST_TEXT("/iat")), &made) !=
            PST_OK ||
        !is_fresh(gate, made))
        return PST_STALE_FORM;
    if (is_theirs(visit, whose) ||
        (form == FORMTOKEN_LOGIN && is_newer(visit, made)))
        return PST_OK;
    return PST_STALE_FORM;
}

enum pst_err
formtoken_check(const struct gate *gate, const struct request *req,
                const struct visit *visit, enum formtoken_form form,
                struct pst_text token)
{
    enum pst_err e = judge(gate, req, visit, form, token);

    if (e == PST_STALE_FORM)
        LOG_EVENT(gate->log, LEVEL_WARNING, "csrf-token-refused",
                  LOG_STRING("request", req->id),
                  LOG_TEXT("form", form_names[form]),
                  LOG_STRING("token", token.len > 0 ? "wrong" : "missing"));
    return e;
}

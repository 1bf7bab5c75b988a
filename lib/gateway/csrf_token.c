/* SPDX-License-Identifier: ISC */
/*
 * csrf_token.c - seal a form's name, session and time into a CSRF token, and
 * check it.
 */
#include "gateway/csrf_token.h"

#include "codec/json.h"
#include "crypto/crypto.h"
#include "crypto/token.h"

/* {"form":"logout","session":"0123456789abcdef0123456789abcdef","iat":…} */
#define CLAIMS_MAX 160
#define TOKEN_MAX 512

/* Bytes of a hash of the session's id: enough to tell sessions apart, and the
 * id cannot be found from it. */
#define SESSION_HASH_LEN 16

static const struct pst_str form_names[] = {
    [CSRF_TOKEN_LOGIN] = {"login", 5},
    [CSRF_TOKEN_LOGOUT] = {"logout", 6},
};

static struct pst_token_use
csrf_token_use(const struct context *ctx)
{
    return (struct pst_token_use){ctx->ring, PST_PURPOSE_CSRF,
                                  PST_TOKEN_SEALED};
}

/* Write the hash of the session, or nothing where there is none. */
static void
emit_form_session(struct pst_buf *buf, const struct auth *auth)
{
    uint8_t hash[PST_HASH_LEN];

    if (!auth->has_session)
        return;
    pst_crypto_sha256((struct pst_bytes){auth->session.sid, PST_SID_LEN}, hash);
    pst_buf_add_hex(buf, (struct pst_bytes){hash, SESSION_HASH_LEN});
}

enum pst_err
csrf_token_make(struct context *ctx, struct pst_arena *arena,
                const struct auth *auth, enum csrf_token_form form,
                struct pst_str *token)
{
    struct pst_token_use use = csrf_token_use(ctx);
    uint8_t nonce[PST_NONCE_LEN];
    char claims[CLAIMS_MAX];
    struct pst_buf buf;
    struct pst_buf sealed;
    enum pst_err e;

    pst_buf_init(&buf, claims, sizeof(claims));
    pst_buf_add_string(&buf, "{\"form\":");
    pst_json_emit_string(&buf, form_names[form]);
    pst_buf_add_string(&buf, ",\"session\":\"");
    emit_form_session(&buf, auth);
    pst_buf_add_string(&buf, "\",\"iat\":");
    pst_buf_add_number(&buf, ctx->now);
    pst_buf_add_char(&buf, '}');
    e = ctx->random(nonce, sizeof(nonce));
    if (e)
        return e;
    pst_buf_init_arena(&sealed, arena, TOKEN_MAX);
    e = pst_token_seal(&use, ctx->now, nonce, pst_buf_str(&buf), &sealed);
    if (e)
        return e;
    return pst_buf_finish(&sealed, token);
}

static bool
is_form_unexpired(const struct context *ctx, int64_t issued_at)
{
    return issued_at <= ctx->now + PST_CLOCK_SKEW_MAX &&
           ctx->now < issued_at + CSRF_TOKEN_LIFETIME;
}

/* Is the token of exactly this session, or of none where there is none? */
static bool
is_same_form_session(const struct auth *auth, struct pst_str session_hash)
{
    char storage[2 * SESSION_HASH_LEN];
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    emit_form_session(&buf, auth);
    return pst_str_equal(session_hash, pst_buf_str(&buf));
}

/*
 * Did the session begin after the form was made, or has it ended since? A user
 * who logs in or out in one tab may still log in in another. A session that was
 * older than the form, and is not the form's, means that the form was made for
 * another browser and planted in this one.
 */
static bool
is_session_newer_than_form(const struct auth *auth, int64_t issued_at)
{
    return !auth->has_session || auth->session.iat >= issued_at;
}

static enum pst_err
verify_csrf_token(const struct context *ctx, const struct request *req,
                  const struct auth *auth, enum csrf_token_form form,
                  struct pst_str token)
{
    struct pst_token_use use = csrf_token_use(ctx);
    const struct pst_json *root;
    struct pst_str claims;
    struct pst_str session_hash;
    int64_t issued_at;
    enum pst_err e;

    if (token.len == 0)
        return ctx->config->csrf_token_required ? PST_STALE_FORM : PST_OK;
    e = pst_token_open(&use, req->arena, token, &claims, NULL);
    if (e)
        return e == PST_FORGED ? PST_STALE_FORM : e;
    e = pst_json_parse(req->arena, claims, &root);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_STALE_FORM;
    session_hash = pst_json_string(pst_json_at(root, PST_STR("/session")));
    if (pst_str_is_absent(session_hash) ||
        !pst_str_equal(pst_json_string(pst_json_at(root, PST_STR("/form"))),
                       form_names[form]) ||
        pst_json_integer(pst_json_at(root, PST_STR("/iat")), &issued_at) !=
            PST_OK ||
        !is_form_unexpired(ctx, issued_at))
        return PST_STALE_FORM;
    if (is_same_form_session(auth, session_hash) ||
        (form == CSRF_TOKEN_LOGIN &&
         is_session_newer_than_form(auth, issued_at)))
        return PST_OK;
    return PST_STALE_FORM;
}

enum pst_err
csrf_token_check(const struct context *ctx, const struct request *req,
                 const struct auth *auth, enum csrf_token_form form,
                 struct pst_str token)
{
    enum pst_err e = verify_csrf_token(ctx, req, auth, form, token);

    if (e == PST_STALE_FORM)
        LOG_EVENT(ctx->log, LEVEL_WARNING, "csrf-token-refused",
                  LOG_C_STRING("request", req->id),
                  LOG_STR("form", form_names[form]),
                  LOG_C_STRING("token", token.len > 0 ? "wrong" : "missing"));
    return e;
}

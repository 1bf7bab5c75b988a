/* SPDX-License-Identifier: ISC */
/*
 * token_refresh.c - send the backend the refresh document, and read the new
 * tokens.
 */
#include "gateway/token_refresh.h"

#include "base/limits.h"
#include "gateway/auth.h"
#include "gateway/forward.h"
#include "session/refresh.h"
#include "upstream/backend_login.h"
#include "upstream/backend_request.h"
#include "upstream/credentials.h"
#include "upstream/graphql_errors.h"

/* Bytes. The tokens are read, sealed and stored several times. */
#define REFRESH_ARENA_SIZE (4 * PST_ARENA_SIZE)

static void
free_memory(void *handle)
{
    struct pst_arena *arena = handle;

    pst_arena_free(&arena);
}

enum pst_err
token_refresh_begin_memory(struct request *req, struct pst_arena **own)
{
    struct pst_arena *arena;
    enum pst_err e = pst_arena_may_alloc(req->arena)
                         ? pst_arena_new(&arena, REFRESH_ARENA_SIZE)
                         : PST_NO_MEMORY;

    if (e)
        return e;
    e = pst_arena_defer(req->arena, free_memory, arena);
    if (e) {
        pst_arena_free(&arena);
        return e;
    }
    *own = req->arena;
    req->arena = arena;
    return PST_OK;
}

static enum pst_err
send_refresh_document(struct context *ctx, struct request *req,
                      const struct pst_session *session,
                      struct forward_response *response)
{
    struct forward_request outgoing = {.method = PST_STR("POST"),
                                       .headers = FORWARD_LOGIN,
                                       .has_mutation = true,
                                       .is_detached = true};
    struct pst_str variables;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_heap(&buf, req->arena, PST_BUFFERED_BODY_MAX);
    backend_emit_refresh_variables(&buf, session->refresh);
    e = pst_buf_finish(&buf, &variables);
    if (e)
        return e;
    pst_buf_init_heap(&buf, req->arena, 2 * PST_BUFFERED_BODY_MAX);
    backend_emit_request(&buf, ctx->config->backend.refresh.text, variables);
    e = pst_buf_finish(&buf, &outgoing.body);
    return e ? e : forward_buffered(ctx, req, &outgoing, response);
}

static void
set_failed(const struct context *ctx, const struct request *req,
           struct token_refresh *out, enum pst_err e, const char *reason)
{
    out->result = TOKEN_REFRESH_FAILED;
    out->error = e;
    LOG_EVENT(ctx->log, LEVEL_WARNING, "token-refresh-failed",
              LOG_C_STRING("request", req->id),
              LOG_C_STRING("cause", pst_err_code(e)),
              LOG_C_STRING("reason", reason));
}

/* Codes of errors that will pass, in the words of the servers that give them,
 * in either case. */
static bool
is_temporary_code(struct pst_str code)
{
    static const char *const codes[] = {
        "DOWNSTREAM_SERVICE_ERROR",
        "GATEWAY_TIMEOUT",
        "INTERNAL",
        "INTERNAL_ERROR",
        "INTERNAL_SERVER_ERROR",
        "RATE_LIMITED",
        "RATE_LIMIT_EXCEEDED",
        "REQUEST_RATE_LIMITED",
        "REQUEST_TIMEOUT",
        "SERVICE_UNAVAILABLE",
        "SUBREQUEST_HTTP_ERROR",
        "THROTTLED",
        "TIMEOUT",
        "TOO_MANY_REQUESTS",
        "UNAVAILABLE",
        "UNEXPECTED",
    };

    for (size_t i = 0; i < PST_COUNT(codes); i++) {
        if (pst_str_equal_nocase(code, pst_str_from(codes[i])))
            return true;
    }
    return false;
}

/* Does the answer say nothing about the refresh token? A 404 in plain text, for
 * example, is from a server in front of the backend. */
static bool
is_temporary(int status, const struct backend_outcome *outcome)
{
    if (is_temporary_code(outcome->code))
        return true;
    switch (status) {
    case 400:
    case 401:
    case 403:
        return false;
    case 408: /* Request Timeout */
    case 425: /* Too Early */
    case 429: /* Too Many Requests */
        return true;
    default:
        return status >= 500 || (status >= 400 && !outcome->root);
    }
}

/* Errors without a code, and without a status that says more. They may pass, or
 * not: the session does not end before its token. */
static bool
is_unclear(const struct pst_session *session, int64_t now, int status,
           const struct backend_outcome *outcome)
{
    return status < 400 && graphql_has_errors(outcome->root) &&
           outcome->code.len == 0 && !pst_refresh_is_overdue(session, now);
}

static struct pst_str
refusal_reason(const struct backend_outcome *outcome)
{
    if (!outcome->root)
        return PST_STR("the answer is not JSON");
    return graphql_has_errors(outcome->root)
               ? graphql_loggable_reason(outcome->root)
               : PST_STR("the answer has no token");
}

/* May a session hold both? What the store keeps of it has a limit. */
static bool
tokens_fit(struct pst_str upstream, struct pst_str refresh)
{
    return upstream.len + refresh.len <= PST_UPSTREAM_MAX;
}

/* The new access token, in JSON or in a header.
 *   upstream  set on PST_OK; PST_NOT_FOUND: there is none */
static enum pst_err
read_new_token(struct context *ctx, struct request *req,
               const struct pst_session *session,
               const struct forward_response *response,
               const struct backend_outcome *outcome, struct pst_str *upstream)
{
    const struct credentials_response input = {ctx->now, session->upstream,
                                               &response->update};
    enum credentials_change change;
    enum pst_err e;

    if (ctx->config->backend.token_location == TOKEN_IN_JSON)
        return credentials_emit_token(req->arena, outcome->secret, upstream);
    e = credentials_apply_update(req->arena, ctx->config, &input, &change,
                                 upstream);
    if (!e && change != CREDENTIALS_REPLACED)
        e = PST_NOT_FOUND;
    return e;
}

static enum pst_err
set_granted(struct context *ctx, struct request *req,
            const struct pst_session *session,
            const struct forward_response *response,
            const struct backend_outcome *outcome, struct token_refresh *out)
{
    const struct backend_identity *identity = &outcome->identity;
    int64_t life = session->token_end - session->token_begun;
    int64_t begun = out->session.token_begun;
    int64_t end = identity->end > out->now ? identity->end : out->now + life;
    enum pst_err e = read_new_token(ctx, req, session, response, outcome,
                                    &out->session.upstream);

    if (!e && !pst_str_is_absent(outcome->refresh))
        e = credentials_emit_token(req->arena, outcome->refresh,
                                   &out->session.refresh);
    if (!e && !tokens_fit(out->session.upstream, out->session.refresh))
        e = PST_TOO_LARGE;
    if (e == PST_NO_MEMORY)
        return e;
    if (e) {
        set_failed(ctx, req, out, PST_UPSTREAM_BROKEN,
                   e == PST_NOT_FOUND
                       ? "there is no token where POSTERN_UPSTREAM_TOKEN says"
                       : "the tokens are longer than a session holds");
        return PST_OK;
    }
    out->session.token_end = end > begun ? end : begun + 1;
    if (identity->known == PST_IDENTITY_KNOWN)
        out->sub = identity->sub;
    out->result = TOKEN_REFRESH_GRANTED;
    return PST_OK;
}

static enum pst_err
read_refresh_answer(struct context *ctx, struct request *req,
                    const struct pst_session *session,
                    const struct forward_response *response,
                    struct token_refresh *out)
{
    const struct backend_response answer = {
        response->status, response->encoded ? PST_STR("") : response->body};
    struct backend_outcome *outcome =
        pst_arena_alloc(req->arena, sizeof(*outcome));
    enum pst_err e;

    if (!outcome)
        return PST_NO_MEMORY;
    e = backend_parse_login(req->arena, ctx->config,
                            &ctx->config->backend.refresh, out->now, &answer,
                            outcome);
    if (e)
        return e;
    if (is_temporary(response->status, outcome)) {
        set_failed(ctx, req, out, PST_UPSTREAM_BROKEN,
                   "the answer has a status or an extensions.code that says "
                   "nothing about the token");
        return PST_OK;
    }
    switch (outcome->result) {
    case BACKEND_GRANTED:
        return set_granted(ctx, req, session, response, outcome, out);
    case BACKEND_REFUSED:
        if (is_unclear(session, out->now, response->status, outcome)) {
            set_failed(ctx, req, out, PST_UPSTREAM_BROKEN,
                       "the answer has errors without extensions.code");
            return PST_OK;
        }
        out->result = TOKEN_REFRESH_REFUSED;
        out->reason = refusal_reason(outcome);
        return PST_OK;
    case BACKEND_INVALID:
    case BACKEND_SCHEMA_MISMATCH:
        break;
    }
    set_failed(ctx, req, out, PST_UPSTREAM_BROKEN, outcome->reason);
    return PST_OK;
}

enum pst_err
token_refresh_run(struct context *ctx, struct request *req,
                  const struct pst_session *session, int64_t now,
                  struct token_refresh *out)
{
    struct forward_response *response =
        pst_arena_alloc(req->arena, sizeof(*response));
    enum pst_err e;

    if (!response)
        return PST_NO_MEMORY;
    *out = (struct token_refresh){
        .session = *session, .now = now, .sub = PST_STR_NONE};
    out->session.token_begun = pst_refresh_begin(session, now);
    e = send_refresh_document(ctx, req, session, response);
    if (e == PST_NO_MEMORY || e == PST_OVERLOADED)
        return e;
    if (e) {
        set_failed(ctx, req, out,
                   e == PST_UPSTREAM_DOWN || e == PST_UPSTREAM_TIMEOUT
                       ? e
                       : PST_UPSTREAM_BROKEN,
                   "there is no answer");
        return PST_OK;
    }
    return read_refresh_answer(ctx, req, session, response, out);
}

enum pst_err
token_refresh_grant(const struct context *ctx, struct request *req,
                    const struct backend_outcome *outcome,
                    struct auth_grant *grant)
{
    bool has_token = !pst_str_is_absent(outcome->refresh);
    enum pst_err e;

    if (!ctx->config->backend.refresh.field)
        return PST_OK;
    if (!has_token || grant->backend_end == 0)
        LOG_EVENT(ctx->log, LEVEL_WARNING, "token-not-refreshable",
                  LOG_C_STRING("request", req->id),
                  LOG_C_STRING("reason",
                               has_token ? "there is no time at POSTERN_TTL"
                                         : "there is no token at "
                                           "POSTERN_REFRESH_TOKEN, or the "
                                           "client's own document was sent"));
    if (!has_token)
        return PST_OK;
    e = credentials_emit_token(req->arena, outcome->refresh, &grant->refresh);
    if (!e && !tokens_fit(grant->upstream, grant->refresh))
        e = PST_TOO_LARGE;
    if (e == PST_TOO_LARGE)
        LOG_EVENT(ctx->log, LEVEL_ERROR, "session-too-large",
                  LOG_C_STRING("request", req->id),
                  LOG_STR("subject", grant->sub),
                  LOG_NUMBER("upstream_bytes", (int64_t)(grant->upstream.len +
                                                         outcome->refresh.len)),
                  LOG_C_STRING("reason",
                               "both tokens are longer than a session holds"));
    return e == PST_TOO_LARGE ? PST_UPSTREAM_BROKEN : e;
}

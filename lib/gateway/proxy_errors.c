/* SPDX-License-Identifier: ISC */
/*
 * proxy_errors.c - log a refused GraphQL request, and answer it with a GraphQL
 * error, alone or in a batch.
 */
#include "gateway/proxy_errors.h"

#include <stdarg.h>

#include "base/limits.h"
#include "codec/json_emit.h"
#include "codec/json_slice.h"

/* One error: a message, a code, a request id, perhaps a place. */
#define REFUSAL_MAX 2048

static const struct pst_str GRAPHQL_TYPE = {"application/graphql-response+json",
                                            33};

enum pst_err
proxy_set_refusal(struct proxy_item *item, enum pst_err e, const char *format,
                  ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(item->reason, sizeof(item->reason), format, values);
    va_end(values);
    return e;
}

/* The message for the client. */
static struct pst_str
get_refusal_message(const struct proxy_item *item, enum pst_err e)
{
    if (item->reason[0])
        return pst_str_from(item->reason);
    if (e == PST_PARSE_FAILED || (e == PST_TOO_LARGE && item->error.message[0]))
        return pst_str_from(item->error.message);
    return pst_str_from(pst_err_text(e));
}

/*
 * The message without its quoted parts, for the log. The parser quotes the
 * document, and a document with a syntax error near a password may have the
 * password in the quoted part.
 *   out  as large as the message
 */
static struct pst_str
remove_quoted_text(const char *message, char *out)
{
    bool is_quoted = false;
    size_t len = 0;

    for (const char *at = message; *at; at++) {
        if (*at == '"')
            is_quoted = !is_quoted;
        if (*at == '"' || !is_quoted)
            out[len++] = *at;
    }
    return (struct pst_str){out, len};
}

static struct pst_str
get_refusal_log_message(const struct proxy_item *item, char *storage)
{
    if (item->reason[0])
        return pst_str_from(item->reason);
    if (item->error.message[0])
        return remove_quoted_text(item->error.message, storage);
    return pst_str_from(pst_err_text(item->refusal));
}

void
proxy_log_refusal(const struct context *ctx, const struct request *req,
                  const struct proxy_item *item)
{
    enum pst_err e = item->refusal;
    char storage[sizeof(item->error.message)];

    LOG_EVENT(ctx->log, LEVEL_INFO, "request-refused",
              LOG_C_STRING("request", req->id),
              LOG_C_STRING("code", pst_err_name(e)),
              LOG_STR("reason", get_refusal_log_message(item, storage)),
              LOG_NUMBER("line", (int64_t)item->error.location.line),
              LOG_NUMBER("column", (int64_t)item->error.location.column),
              LOG_STR("address", req->remote_addr));
}

/* {"errors":[{"message":…,"locations":[…],"extensions":{…}}]} */
static void
emit_refusal(struct pst_buf *buf, const struct request *req,
             const struct proxy_item *item, enum pst_err e)
{
    pst_buf_add_string(buf, "{\"errors\":[{\"message\":");
    pst_json_emit_string(buf, get_refusal_message(item, e));
    if (item->error.location.line > 0) {
        pst_buf_add_string(buf, ",\"locations\":[{\"line\":");
        pst_buf_add_number(buf, (int64_t)item->error.location.line);
        pst_buf_add_string(buf, ",\"column\":");
        pst_buf_add_number(buf, (int64_t)item->error.location.column);
        pst_buf_add_string(buf, "}]");
    }
    pst_buf_add_string(buf, ",\"extensions\":{\"code\":");
    pst_json_emit_string(buf, pst_str_from(pst_err_name(e)));
    pst_buf_add_string(buf, ",\"requestId\":");
    pst_json_emit_string(buf, pst_str_from(req->id));
    pst_buf_add_string(buf, "}}]}");
}

enum pst_err
proxy_send_refusal(const struct request *req, struct response *res,
                   const struct proxy_item *item, enum pst_err e)
{
    bool wants_graphql = request_accepts(req, GRAPHQL_TYPE);
    int status = pst_err_status(e);
    struct pst_str body;
    struct pst_buf buf;
    enum pst_err failed;
    bool is_graphql;

    response_set_error(res, e);
    if (e == PST_BAD_METHOD)
        response_set_header(res, PST_STR("Allow"), PST_STR("POST"));
    if (status == 200 || status == 400)
        response_add_vary(res, PST_STR("Accept"));
    if (e == PST_PARSE_FAILED && !wants_graphql)
        status = 200;
    is_graphql = wants_graphql && (status == 200 || status == 400);
    pst_buf_init_arena(&buf, req->arena, REFUSAL_MAX);
    emit_refusal(&buf, req, item, e);
    failed = pst_buf_finish(&buf, &body);
    if (failed)
        return failed;
    if (!is_graphql)
        return response_send_json(res, status, body);
    return response_send(res, status,
                         PST_STR("application/graphql-response+json; "
                                 "charset=utf-8"),
                         body);
}

/* The next result of the backend's array, or our error. Returns false when the
 * array has no more. */
static bool
emit_batch_item(struct pst_buf *buf, const struct request *req,
                const struct proxy_item *item, struct pst_str *results)
{
    struct pst_str result;

    if (item->refusal) {
        emit_refusal(buf, req, item, item->refusal);
        return true;
    }
    if (!pst_json_slice_next_element(results, &result))
        return false;
    pst_buf_add(buf, result);
    return true;
}

enum pst_err
proxy_send_batch(const struct request *req, struct response *res,
                 const struct proxy_batch *batch, struct pst_str results)
{
    struct pst_str rest = results;
    struct pst_str body;
    struct pst_str more;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_heap(&buf, req->arena,
                      results.len + batch->count * (size_t)REFUSAL_MAX);
    pst_buf_add_char(&buf, '[');
    for (size_t i = 0; i < batch->count; i++) {
        if (i > 0)
            pst_buf_add_char(&buf, ',');
        if (!emit_batch_item(&buf, req, &batch->items[i], &rest))
            return PST_UPSTREAM_BROKEN;
    }
    pst_buf_add_char(&buf, ']');
    if (results.len > 0 && pst_json_slice_next_element(&rest, &more))
        return PST_UPSTREAM_BROKEN;
    e = pst_buf_finish(&buf, &body);
    return e ? e : response_send_json(res, 200, body);
}

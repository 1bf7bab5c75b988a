/* SPDX-License-Identifier: ISC */
/*
 * proxy_errors.c - what a client is told of a GraphQL request that we refuse.
 */
#include "gateway/proxy_errors.h"

#include <stdarg.h>

#include "base/limits.h"
#include "codec/json_check.h"
#include "codec/json_slice.h"
#include "codec/json_text.h"

/* One error: a message, a code, a request id, perhaps a place. */
#define ERROR_MAX 2048

static const struct pst_text GRAPHQL_TYPE = {
    "application/graphql-response+json", 33};

enum pst_err
proxy_refuse(struct proxy_item *item, enum pst_err e, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(item->why, sizeof(item->why), format, values);
    va_end(values);
    return e;
}

/* What the client and the log are told. */
static struct pst_text
message_of(const struct proxy_item *item, enum pst_err e)
{
    if (item->why[0])
        return pst_text_from(item->why);
    if (e == PST_PARSE_FAILED || (e == PST_TOO_LARGE && item->error.message[0]))
        return pst_text_from(item->error.message);
    return pst_text_from(pst_err_text(e));
}

/*
 * The parser's message quotes the document, in which somebody may have
 * forgotten the quotes round a password: what stands between quotes is for the
 * client alone.
 *   out  room for the whole message
 */
static struct pst_text
cut_quotes(const char *message, char *out)
{
    bool is_quoted = false;
    size_t len = 0;

    for (const char *at = message; *at; at++) {
        if (*at == '"')
            is_quoted = !is_quoted;
        if (*at == '"' || !is_quoted)
            out[len++] = *at;
    }
    return (struct pst_text){out, len};
}

static struct pst_text
logged_message(const struct proxy_item *item, char *room)
{
    if (item->why[0])
        return pst_text_from(item->why);
    if (item->error.message[0])
        return cut_quotes(item->error.message, room);
    return pst_text_from(pst_err_text(item->refusal));
}

void
proxy_log_refusal(const struct gate *gate, const struct request *req,
                  const struct proxy_item *item)
{
    enum pst_err e = item->refusal;
    char room[sizeof(item->error.message)];

    LOG_EVENT(gate->log, LEVEL_INFO, "request-refused",
              LOG_STRING("request", req->id),
              LOG_STRING("code", pst_err_name(e)),
              LOG_TEXT("why", logged_message(item, room)),
              LOG_NUMBER("line", (int64_t)item->error.place.line),
              LOG_NUMBER("column", (int64_t)item->error.place.column),
              LOG_TEXT("address", req->remote_addr));
}

/* {"errors":[{"message":…,"locations":[…],"extensions":{…}}]} */
static void
emit_refusal(struct pst_buf *buf, const struct request *req,
             const struct proxy_item *item, enum pst_err e)
{
    pst_buf_add_string(buf, "{\"errors\":[{\"message\":");
    pst_json_emit_string(buf, message_of(item, e));
    if (item->error.place.line > 0) {
        pst_buf_add_string(buf, ",\"locations\":[{\"line\":");
        pst_buf_add_number(buf, (int64_t)item->error.place.line);
        pst_buf_add_string(buf, ",\"column\":");
        pst_buf_add_number(buf, (int64_t)item->error.place.column);
        pst_buf_add_string(buf, "}]");
    }
    pst_buf_add_string(buf, ",\"extensions\":{\"code\":");
    pst_json_emit_string(buf, pst_text_from(pst_err_name(e)));
    pst_buf_add_string(buf, ",\"requestId\":");
    pst_json_emit_string(buf, pst_text_from(req->id));
    pst_buf_add_string(buf, "}}]}");
}

enum pst_err
proxy_answer_refusal(const struct request *req, struct reply *rep,
                     const struct proxy_item *item, enum pst_err e)
{
    bool wants_graphql = pst_text_contains(req->accept, GRAPHQL_TYPE);
    int status = pst_err_status(e);
    struct pst_text body;
    struct pst_buf buf;
    enum pst_err failed;

    if (e == PST_BAD_METHOD)
        reply_put(rep, PST_TEXT("Allow"), PST_TEXT("POST"));
    if (e == PST_PARSE_FAILED && !wants_graphql)
        status = 200;
    pst_buf_init_arena(&buf, req->arena, ERROR_MAX);
    emit_refusal(&buf, req, item, e);
    failed = pst_buf_end(&buf, &body);
    if (failed)
        return failed;
    if (e != PST_PARSE_FAILED || !wants_graphql)
        return reply_json(rep, status, body);
    return reply_whole(rep, status,
                       PST_TEXT("application/graphql-response+json; "
                                "charset=utf-8"),
                       body);
}

/* The next answer of the backend's, or our refusal. */
static bool
emit_item(struct pst_buf *buf, const struct request *req,
          const struct proxy_item *item, struct pst_text *answers)
{
    struct pst_text answer;

    if (item->refusal) {
        emit_refusal(buf, req, item, item->refusal);
        return true;
    }
    if (!pst_json_slice_next_element(answers, &answer))
        return false;
    pst_buf_add(buf, answer);
    return true;
}

enum pst_err
proxy_answer_batch(const struct request *req, struct reply *rep,
                   const struct proxy_batch *batch, struct pst_text answers)
{
    struct pst_text rest = answers;
    struct pst_text body;
    struct pst_text more;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_hold(&buf, req->arena,
                      answers.len + batch->count * (size_t)ERROR_MAX);
    pst_buf_add_char(&buf, '[');
    for (size_t i = 0; i < batch->count; i++) {
        if (i > 0)
            pst_buf_add_char(&buf, ',');
        if (!emit_item(&buf, req, &batch->items[i], &rest))
            return PST_UPSTREAM_BROKEN;
    }
    pst_buf_add_char(&buf, ']');
    if (answers.len > 0 && pst_json_slice_next_element(&rest, &more))
        return PST_UPSTREAM_BROKEN;
    e = pst_buf_end(&buf, &body);
    return e ? e : reply_json(rep, 200, body);
}

enum pst_err
proxy_splice(struct gate *gate, struct request *req, struct reply *rep,
             const struct forward_request *what,
             const struct forward_follow *follow,
             const struct proxy_batch *batch)
{
    struct forward_answer *held = pst_arena_alloc(req->arena, sizeof(*held));
    struct pst_json_fault fault;
    struct pst_text answers;
    enum pst_err e;

    if (!held)
        return PST_NO_MEMORY;
    e = forward_hold(gate, req, what, held);
    if (!e)
        e = follow->head(follow->context, &held->news);
    if (e)
        return e;
    /* What cannot be read may be an array whose items would be taken for the
     * answers to others. */
    if (held->encoded)
        return PST_UPSTREAM_BROKEN;
    /* An answer that is no array says something of the batch as a whole. */
    if (pst_json_check(req->arena, held->body, &answers, &fault) != PST_OK ||
        pst_json_slice_kind(answers) != PST_JSON_ARRAY)
        return forward_relay(rep, held, held->body);
    return proxy_answer_batch(req, rep, batch, answers);
}

/* Streaming a multipart body. */

struct upload_source {
    struct request *req;
    struct call_list *list;
};

static enum pst_err
read_upload(void *context, char *out, size_t size, size_t *len)
{
    const struct upload_source *source = context;

    return call_multipart_read(source->req, source->list, out, size, len);
}

enum pst_err
proxy_upload(struct request *req, struct call_list *list,
             const struct call_plan *plans, struct forward_request *what)
{
    struct upload_source *source = pst_arena_alloc(req->arena, sizeof(*source));

    if (!source)
        return PST_NO_MEMORY;
    *source = (struct upload_source){req, list};
    what->read = read_upload;
    what->context = source;
    return call_multipart_begin(req, list, plans, &what->type);
}

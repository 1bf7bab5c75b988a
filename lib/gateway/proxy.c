/* SPDX-License-Identifier: ISC */
/*
 * proxy.c - answer a client's GraphQL request: log in, refuse, or forward it
 * and return the response.
 */
#include "gateway/proxy.h"

#include "codec/json_check.h"
#include "codec/json_slice.h"
#include "gateway/forward.h"
#include "gateway/identity.h"
#include "gateway/login.h"
#include "gateway/login_budget.h"
#include "gateway/proxy_errors.h"
#include "gateway/proxy_rules.h"
#include "gateway/session_order.h"
#include "gateway/session_refresh.h"
#include "gateway/session_registry.h"
#include "server/request_body.h"

/* One HTTP request that is being answered. */
struct proxying {
    struct context *ctx;
    struct request *req;
    struct response *res;
    struct auth *auth;
    struct graphql_request_list list;
    struct proxy_item *items; /* one for each of the list */
    bool is_login_program;
};

static bool
is_get_request(const struct proxying *proxying)
{
    return proxying->list.form == GRAPHQL_REQUEST_GET;
}

/* Before the response head is sent: apply what the backend did to its session,
 * and renew ours if it is due. */
static enum pst_err
apply_response_head(void *context, const struct credentials_update *update)
{
    const struct proxying *proxying = context;
    enum pst_err e = identity_apply_update(
        proxying->ctx, proxying->req, proxying->res, proxying->auth, update);

    return e ? e
             : auth_renew_if_due(proxying->ctx, proxying->req, proxying->res,
                                 proxying->auth);
}

static struct graphql_request_plan
make_emit_plan(const struct proxying *proxying, const struct proxy_item *item)
{
    const struct config *config = proxying->ctx->config;
    struct graphql_request_plan plan = {.gql = item->gql, .is_omitted = true};

    if (item->refusal)
        return plan;
    plan.is_omitted = false;
    plan.variables = item->operation->variables;
    plan.variable_count = item->operation->variable_count;
    if (config->documents_send_id && !pst_str_is_absent(item->gql->id))
        plan.id = item->gql->id;
    else
        plan.document = item->summary->text;
    return plan;
}

static enum pst_err
read_upload(void *context, char *out, size_t size, size_t *len)
{
    struct proxying *proxying = context;

    return graphql_request_multipart_read(proxying->req, &proxying->list, out,
                                          size, len);
}

/* Is an operation of this kind among those that are sent? */
static bool
has_operation(const struct proxying *proxying,
              enum pst_graphql_operation_kind kind)
{
    for (size_t i = 0; i < proxying->list.count; i++)
        if (!proxying->items[i].refusal &&
            proxying->items[i].operation->kind == kind)
            return true;
    return false;
}

/* Write the body or query string anew, from what was checked: two parsers may
 * not read one text differently. */
static enum pst_err
write_backend_request(struct proxying *proxying,
                      const struct graphql_request_plan *plans,
                      struct forward_request *outgoing)
{
    size_t max_len = 8 * (size_t)proxying->ctx->config->max_json;
    struct request *req = proxying->req;
    struct pst_buf buf;
    enum pst_err e;

    outgoing->method =
        is_get_request(proxying) ? PST_STR("GET") : PST_STR("POST");
    outgoing->query = proxying->list.parameters;
    outgoing->upstream = auth_upstream(proxying->auth);
    outgoing->has_mutation = has_operation(proxying, PST_GRAPHQL_MUTATION);
    outgoing->is_repeatable =
        !outgoing->has_mutation &&
        !has_operation(proxying, PST_GRAPHQL_SUBSCRIPTION);
    if (proxying->list.form == GRAPHQL_REQUEST_MULTIPART) {
        outgoing->read = read_upload;
        outgoing->context = proxying;
        return graphql_request_multipart_begin(req, &proxying->list, plans,
                                               &outgoing->type);
    }
    pst_buf_init_heap(&buf, req->arena, max_len);
    if (is_get_request(proxying)) {
        graphql_request_emit_query(&buf, &proxying->list, plans);
        return pst_buf_finish(&buf, &outgoing->query);
    }
    graphql_request_emit(&buf, &proxying->list, plans);
    e = pst_buf_finish(&buf, &outgoing->body);
    return e ? e : request_reserve_bytes(req, outgoing->body.len);
}

/* A broken file part is found only while the body is streamed: refuse it like
 * any other request, unless the response has begun. */
static enum pst_err
report_broken_upload(struct proxying *proxying, enum pst_err e)
{
    struct proxy_item item = {.gql = NULL};

    if (!proxying->list.reason || proxying->res->begun ||
        proxying->list.form != GRAPHQL_REQUEST_MULTIPART)
        return e;
    item.refusal = proxy_set_refusal(&item, e, "%s", proxying->list.reason);
    proxy_log_refusal(proxying->ctx, proxying->req, &item);
    return proxy_send_refusal(proxying->req, proxying->res, &item, e);
}

/*
 * Forward the requests of a batch that may pass, and put our errors in their
 * places in its response.
 */
static enum pst_err
forward_partial_batch(struct proxying *proxying,
                      const struct forward_request *outgoing,
                      const struct forward_hook *hook)
{
    struct request *req = proxying->req;
    const struct proxy_batch batch = {proxying->items, proxying->list.count};
    struct forward_response *buffered =
        pst_arena_alloc(req->arena, sizeof(*buffered));
    struct pst_json_error error;
    struct pst_str results;
    enum pst_err e;

    if (!buffered)
        return PST_NO_MEMORY;
    e = forward_buffered(proxying->ctx, req, outgoing, buffered);
    if (!e)
        e = hook->head(hook->context, &buffered->update);
    if (e)
        return e;
    /* An encoded body may be an array whose elements the client would take for
     * the results of other requests. */
    if (buffered->encoded)
        return PST_UPSTREAM_BROKEN;
    /* A response that is not an array is about the batch as a whole. */
    if (pst_json_check(req->arena, buffered->body, &results, &error) !=
            PST_OK ||
        pst_json_slice_kind(results) != PST_JSON_ARRAY)
        return forward_send_response(proxying->res, buffered, buffered->body);
    return proxy_send_batch(req, proxying->res, &batch, results);
}

static enum pst_err
forward_items(struct proxying *proxying, bool is_partial)
{
    struct request *req = proxying->req;
    size_t count = proxying->list.count;
    struct graphql_request_plan *plans =
        pst_arena_alloc(req->arena, count * sizeof(*plans));
    const struct forward_hook hook = {apply_response_head, proxying};
    struct forward_request outgoing = {.headers = FORWARD_CLIENT};
    enum pst_err e;

    if (!plans)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        plans[i] = make_emit_plan(proxying, &proxying->items[i]);
    e = write_backend_request(proxying, plans, &outgoing);
    if (e)
        return e;
    if (!is_partial) {
        e = forward_stream(proxying->ctx, req, proxying->res, &outgoing, &hook);
        return e ? report_broken_upload(proxying, e) : PST_OK;
    }
    return forward_partial_batch(proxying, &outgoing, &hook);
}

/* Some fields check a password without being a login. Each attempt counts as
 * failed: a response to a client's document does not prove the contrary. */
static enum pst_err
throttle_passwords(struct proxying *proxying)
{
    enum pst_err e = PST_OK;

    for (size_t i = 0; i < proxying->list.count && !e; i++)
        if (!proxying->items[i].refusal &&
            proxying->items[i].operation->has_password)
            e = login_budget_acquire_password(proxying->ctx, proxying->req,
                                              proxying->res, proxying->auth);
    return e;
}

/* Wait for earlier requests of the session. One of them may have ended it: this
 * request was sent before its client could know. */
static enum pst_err
wait_for_order(struct proxying *proxying)
{
    bool has_waited;
    enum pst_err e;

    if (is_get_request(proxying))
        return PST_OK;
    e = session_order_begin(proxying->ctx, proxying->req, proxying->auth,
                            &has_waited);
    if (!e && has_waited)
        e = registry_check(proxying->ctx, proxying->req,
                           &proxying->auth->session);
    return e == PST_REVOKED ? PST_UNCONFIRMED : e;
}

static enum pst_err
run_login_item(struct proxying *proxying, struct proxy_item *item)
{
    const struct login_graphql_request login = {
        .list = &proxying->list,
        .gql = item->gql,
        .document = item->summary->text,
        .summary = item->summary,
    };
    struct login_reason reason = {""};
    enum pst_err e =
        login_with_graphql(proxying->ctx, proxying->req, proxying->res,
                           proxying->auth, &login, &reason);

    if (e && reason.text[0])
        item->refusal = proxy_set_refusal(item, e, "%s", reason.text);
    return e;
}

/* Check all requests of the list. Returns how many are refused. */
static size_t
check_all_items(struct proxying *proxying)
{
    const struct proxy_rules rules = {proxying->ctx, proxying->req->arena,
                                      &proxying->list,
                                      proxying->is_login_program};
    size_t refused = 0;

    for (size_t i = 0; i < proxying->list.count; i++) {
        struct proxy_item *item = &proxying->items[i];

        item->gql = &proxying->list.requests[i];
        item->refusal = proxy_check_item(&rules, item);
        if (!item->refusal)
            continue;
        refused++;
        proxy_log_refusal(proxying->ctx, proxying->req, item);
    }
    return refused;
}

/* The refusal that stops the whole HTTP request: any one, except of a part of a
 * JSON batch. */
static enum pst_err
find_decisive_refusal(const struct proxying *proxying, struct proxy_item **out)
{
    for (size_t i = 0; i < proxying->list.count; i++) {
        enum pst_err e = proxying->items[i].refusal;

        *out = &proxying->items[i];
        if (e && (!proxying->list.is_batch || e == PST_NO_MEMORY ||
                  proxying->list.form == GRAPHQL_REQUEST_MULTIPART))
            return e;
    }
    return PST_OK;
}

static enum pst_err
run_proxying(struct proxying *proxying)
{
    size_t count = proxying->list.count;
    struct proxy_item *item = NULL;
    size_t refused;
    enum pst_err e;

    proxying->items =
        pst_arena_alloc(proxying->req->arena, count * sizeof(*item));
    if (!proxying->items)
        return PST_NO_MEMORY;
    refused = check_all_items(proxying);
    e = find_decisive_refusal(proxying, &item);
    if (!e && count == 1 && proxying->items[0].is_login) {
        item = &proxying->items[0];
        e = run_login_item(proxying, item);
        if (!e || !item->reason[0])
            return e;
        proxy_log_refusal(proxying->ctx, proxying->req, item);
    }
    if (e)
        return proxy_send_refusal(proxying->req, proxying->res, item, e);
    if (refused == count)
        return proxy_send_batch(proxying->req, proxying->res,
                                &(struct proxy_batch){proxying->items, count},
                                PST_STR_NONE);
    e = wait_for_order(proxying);
    if (!e)
        e = session_refresh(proxying->ctx, proxying->req, proxying->res,
                            proxying->auth);
    /* The user must be known before an attempt at a password is counted. */
    if (!e)
        e = identity_revalidate(proxying->ctx, proxying->req, proxying->res,
                                proxying->auth);
    if (!e)
        e = throttle_passwords(proxying);
    return e ? e : forward_items(proxying, refused > 0);
}

static enum pst_err
read_and_run(struct context *ctx, struct request *req, struct response *res,
             struct auth *auth, bool is_login_program)
{
    struct proxying *proxying = pst_arena_alloc(req->arena, sizeof(*proxying));
    struct proxy_item unread = {.gql = NULL};
    enum pst_err e;

    if (!proxying)
        return PST_NO_MEMORY;
    *proxying = (struct proxying){.ctx = ctx,
                                  .req = req,
                                  .res = res,
                                  .auth = auth,
                                  .is_login_program = is_login_program};
    e = graphql_request_read(req, ctx->config, &proxying->list);
    if (!e)
        return run_proxying(proxying);
    if (!proxying->list.reason || e == PST_NO_MEMORY || e == PST_CLIENT_GONE)
        return e;
    unread.refusal = proxy_set_refusal(&unread, e, "%s", proxying->list.reason);
    proxy_log_refusal(ctx, req, &unread);
    return proxy_send_refusal(req, res, &unread, e);
}

enum pst_err
proxy_request(struct context *ctx, struct request *req, struct response *res,
              struct auth *auth)
{
    return read_and_run(ctx, req, res, auth, false);
}

enum pst_err
proxy_login(struct context *ctx, struct request *req, struct response *res,
            struct auth *auth)
{
    return read_and_run(ctx, req, res, auth, true);
}

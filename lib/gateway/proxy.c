/* SPDX-License-Identifier: ISC */
/*
 * proxy.c - a client's GraphQL request, judged and passed on.
 */
#include "gateway/proxy.h"

#include "gateway/documents.h"
#include "gateway/forward.h"
#include "gateway/identity.h"
#include "gateway/login.h"
#include "gateway/login_throttle.h"
#include "gateway/proxy_errors.h"
#include "server/request_body.h"

/* One HTTP request on its way. */
struct proxying {
    struct context *ctx;
    struct request *req;
    struct response *res;
    struct auth *auth;
    struct graphql_request_list list;
    struct proxy_item *items; /* one for each call */
    bool is_login_program;
};

static bool
is_get_request(const struct proxying *proxying)
{
    return proxying->list.form == GRAPHQL_REQUEST_GET;
}

/* The document. */

static void
decode_document_hash(struct pst_str hex,
                     uint8_t hash[static DOCUMENTS_HASH_LEN])
{
    for (size_t i = 0; i < DOCUMENTS_HASH_LEN; i++)
        hash[i] = (uint8_t)(pst_hex_value(hex.ptr[2 * i]) << 4 |
                            pst_hex_value(hex.ptr[2 * i + 1]));
}

/* A call that brings a hash and no text. */
static enum pst_err
find_persisted_document(struct proxying *proxying, struct proxy_item *item)
{
    struct documents *documents = proxying->ctx->documents;
    uint8_t hash[DOCUMENTS_HASH_LEN];
    enum pst_err e = PST_NOT_FOUND;

    if (!pst_str_is_absent(item->gql->hash)) {
        decode_document_hash(item->gql->hash, hash);
        e = documents_find_hash(documents, proxying->req->arena, hash,
                                &item->meaning);
    }
    if (e != PST_NOT_FOUND)
        return e;
    return documents_is_persistent(documents) &&
                   !item->gql->is_unsupported_persisted
               ? PST_PERSISTED_NOT_FOUND
               : PST_PERSISTED_NOT_SUPPORTED;
}

/* A call that brings its text, and perhaps a hash to remember it under. */
static enum pst_err
read_document_text(struct proxying *proxying, struct proxy_item *item)
{
    struct documents *documents = proxying->ctx->documents;
    struct pst_arena *arena = proxying->req->arena;
    uint8_t hash[DOCUMENTS_HASH_LEN];

    if (pst_str_is_absent(item->gql->hash))
        return documents_read(documents, arena, item->gql->document,
                              &item->meaning, &item->error);
    decode_document_hash(item->gql->hash, hash);
    return documents_persist(documents, arena, item->gql->document, hash,
                             &item->meaning, &item->error);
}

static enum pst_err
find_item_document(struct proxying *proxying, struct proxy_item *item)
{
    const struct graphql_request *gql = item->gql;
    enum pst_err e;

    if (!pst_str_is_absent(gql->id)) {
        e = documents_find_id(proxying->ctx->documents, proxying->req->arena,
                              gql->id, &item->meaning);
        return e == PST_NOT_FOUND
                   ? proxy_set_refusal(
                         item, PST_MALFORMED,
                         "the manifest has no document of this id")
                   : e;
    }
    if (!pst_str_is_absent(gql->document))
        return read_document_text(proxying, item);
    if (!pst_str_is_absent(gql->hash) || gql->is_unsupported_persisted)
        return find_persisted_document(proxying, item);
    return proxy_set_refusal(item, PST_MALFORMED,
                             "there is no document: the "
                             "member query is missing or "
                             "blank");
}

/* The rules. */

static enum pst_err
find_item_operation(struct proxy_item *item)
{
    struct pst_str name = item->gql->operation_name;

    item->operation = pst_graphql_meaning_find(item->meaning, name);
    if (item->operation)
        return PST_OK;
    item->error.location = (struct pst_graphql_location){1, 1};
    if (pst_str_is_absent(name))
        (void)snprintf(item->error.message, sizeof(item->error.message),
                       "the document has several operations: name one of "
                       "them in operationName");
    else
        (void)snprintf(item->error.message, sizeof(item->error.message),
                       "the document has no operation of the name that "
                       "operationName gives");
    return PST_PARSE_FAILED;
}

/* A login must come alone, by POST, as JSON (design 2.5). */
static enum pst_err
check_login_item(const struct proxying *proxying, struct proxy_item *item)
{
    if (item->meaning->operation_count > 1)
        return proxy_set_refusal(item, PST_LOGIN_SHAPE,
                                 "one of the document's operations is a login: "
                                 "send it in a document of its own");
    if (proxying->list.form == GRAPHQL_REQUEST_MULTIPART)
        return proxy_set_refusal(
            item, PST_LOGIN_SHAPE,
            "a login cannot be sent as multipart/form-data: "
            "send it as application/json");
    if (proxying->list.count > 1)
        return proxy_set_refusal(
            item, PST_LOGIN_SHAPE,
            "a login cannot be part of a batch: send it in a "
            "request of its own");
    item->is_login = true;
    return PST_OK;
}

/* How many of the operation's root fields check a password? Each is a guess. */
static size_t
count_password_fields(const struct proxying *proxying,
                      const struct pst_graphql_meaning_operation *operation)
{
    const struct pst_graphql_rules *rules =
        &proxying->ctx->config->backend.rules;
    size_t count = 0;

    if (!operation->has_password)
        return 0;
    for (size_t i = 0; i < operation->root_count; i++)
        for (size_t k = 0; k < rules->password_count; k++)
            count +=
                (rules->passwords[k].is_any_kind ||
                 rules->passwords[k].kind == operation->kind) &&
                pst_str_equal(rules->passwords[k].field, operation->roots[i]);
    return count;
}

static enum pst_err
check_operation_rules(const struct proxying *proxying, struct proxy_item *item)
{
    const struct pst_graphql_meaning *meaning = item->meaning;

    if (is_get_request(proxying) &&
        item->operation->kind == PST_GRAPHQL_MUTATION)
        return PST_BAD_METHOD;
    if (meaning->has_login)
        return check_login_item(proxying, item);
    if (proxying->is_login_program)
        return proxy_set_refusal(
            item, PST_LOGIN_SHAPE,
            "this is no login: the operation has none of the "
            "configured login fields at its root "
            "(POSTERN_LOGIN_DOCUMENT)");
    if (count_password_fields(proxying, item->operation) > 1)
        return proxy_set_refusal(
            item, PST_MALFORMED,
            "the operation checks a password more than once: "
            "send each such field in a request of its own");
    if (pst_str_is_absent(meaning->secret))
        return PST_OK;
    item->error.location = meaning->secret_location;
    return proxy_set_refusal(item, PST_SECRET_FIELD,
                             "%.*s holds a secret and cannot be selected here; "
                             "POSTERN_SECRET_FIELDS_ALLOWED can except a root "
                             "field, POSTERN_LOGIN_DOCUMENT add a login",
                             (int)meaning->secret.len, meaning->secret.ptr);
}

static enum pst_err
check_item(struct proxying *proxying, struct proxy_item *item)
{
    enum pst_err e = item->gql->error;

    if (e)
        return proxy_set_refusal(item, e, "%s", item->gql->reason);
    e = find_item_document(proxying, item);
    if (e == PST_MALFORMED && item->reason[0] == '\0')
        e = PST_PARSE_FAILED; /* item->error says why */
    if (!e)
        e = find_item_operation(item);
    if (!e)
        e = check_operation_rules(proxying, item);
    return e;
}

/* Passing it on. */

/* Before the head goes out: what became of the backend's session, and ours. */
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
        plan.document = item->meaning->text;
    return plan;
}

/* The body or query string, written anew. */
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
    if (proxying->list.form == GRAPHQL_REQUEST_MULTIPART)
        return proxy_begin_upload(req, &proxying->list, plans, outgoing);
    pst_buf_init_heap(&buf, req->arena, max_len);
    if (is_get_request(proxying)) {
        graphql_request_emit_query(&buf, &proxying->list, plans);
        return pst_buf_finish(&buf, &outgoing->query);
    }
    graphql_request_emit(&buf, &proxying->list, plans);
    e = pst_buf_finish(&buf, &outgoing->body);
    return e ? e : request_reserve_bytes(req, outgoing->body.len);
}

/* A file that cannot be passed on shows only while it passes. */
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
    return proxy_forward_partial_batch(
        proxying->ctx, req, proxying->res, &outgoing, &hook,
        &(struct proxy_batch){proxying->items, count});
}

/* Some fields check a password without being a login: each try counts, and
 * whether it was right is not for a client's document to say. */
static enum pst_err
throttle_passwords(struct proxying *proxying)
{
    enum pst_err e = PST_OK;

    for (size_t i = 0; i < proxying->list.count && !e; i++)
        if (!proxying->items[i].refusal &&
            proxying->items[i].operation->has_password)
            e = login_throttle_password(proxying->ctx, proxying->req,
                                        proxying->res, proxying->auth);
    return e;
}

static enum pst_err
run_login_item(struct proxying *proxying, struct proxy_item *item)
{
    const struct login_graphql_request login = {
        .list = &proxying->list,
        .gql = item->gql,
        .document = item->meaning->text,
        .meaning = item->meaning,
    };
    struct login_reason reason = {""};
    enum pst_err e =
        login_with_graphql(proxying->ctx, proxying->req, proxying->res,
                           proxying->auth, &login, &reason);

    if (e && reason.text[0])
        item->refusal = proxy_set_refusal(item, e, "%s", reason.text);
    return e;
}

/* Judge all calls; returns how many are refused. */
static size_t
check_all_items(struct proxying *proxying)
{
    size_t refused = 0;

    for (size_t i = 0; i < proxying->list.count; i++) {
        struct proxy_item *item = &proxying->items[i];

        item->gql = &proxying->list.requests[i];
        item->refusal = check_item(proxying, item);
        if (!item->refusal)
            continue;
        refused++;
        proxy_log_refusal(proxying->ctx, proxying->req, item);
    }
    return refused;
}

/* What stops a request as a whole: any refusal but of one in a batch. */
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
    /* Only then is it known whose password a request may check. */
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

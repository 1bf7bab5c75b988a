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

/* One HTTP request on its way. */
struct proxying {
    struct gate *gate;
    struct request *req;
    struct reply *rep;
    struct visit *visit;
    struct call_list list;
    struct proxy_item *items; /* one for each call */
    bool is_login_program;
};

static bool
is_get(const struct proxying *proxying)
{
    return proxying->list.form == CALL_GET;
}

/* The document. */

static void
decode_hash(struct pst_text hex, uint8_t hash[static DOCUMENTS_HASH_LEN])
{
    for (size_t i = 0; i < DOCUMENTS_HASH_LEN; i++)
        hash[i] = (uint8_t)(pst_hex_value(hex.ptr[2 * i]) << 4 |
                            pst_hex_value(hex.ptr[2 * i + 1]));
}

/* A call that brings a hash and no text. */
static enum pst_err
find_persisted(struct proxying *proxying, struct proxy_item *item)
{
    struct documents *documents = proxying->gate->documents;
    uint8_t hash[DOCUMENTS_HASH_LEN];
    enum pst_err e = PST_NOT_FOUND;

    if (!pst_text_is_absent(item->call->hash)) {
        decode_hash(item->call->hash, hash);
        e = documents_find_hash(documents, proxying->req->arena, hash,
                                &item->meaning);
    }
    if (e != PST_NOT_FOUND)
        return e;
    return documents_is_lasting(documents) && !item->call->is_unknown_persisted
               ? PST_PERSISTED_NOT_FOUND
               : PST_PERSISTED_NOT_SUPPORTED;
}

/* A call that brings its text, and perhaps a hash to remember it under. */
static enum pst_err
read_text(struct proxying *proxying, struct proxy_item *item)
{
    struct documents *documents = proxying->gate->documents;
    struct pst_arena *arena = proxying->req->arena;
    uint8_t hash[DOCUMENTS_HASH_LEN];

    if (pst_text_is_absent(item->call->hash))
        return documents_read(documents, arena, item->call->document,
                              &item->meaning, &item->error);
    decode_hash(item->call->hash, hash);
    return documents_persist(documents, arena, item->call->document, hash,
                             &item->meaning, &item->error);
}

static enum pst_err
find_document(struct proxying *proxying, struct proxy_item *item)
{
    const struct call *call = item->call;
    enum pst_err e;

    if (!pst_text_is_absent(call->id)) {
        e = documents_find_id(proxying->gate->documents, proxying->req->arena,
                              call->id, &item->meaning);
        return e == PST_NOT_FOUND
                   ? proxy_refuse(item, PST_MALFORMED,
                                  "the manifest has no document of this id")
                   : e;
    }
    if (!pst_text_is_absent(call->document))
        return read_text(proxying, item);
    if (!pst_text_is_absent(call->hash) || call->is_unknown_persisted)
        return find_persisted(proxying, item);
    return proxy_refuse(item, PST_MALFORMED,
                        "there is no document: the "
                        "member query is missing or "
                        "blank");
}

/* The rules. */

static enum pst_err
find_operation(struct proxy_item *item)
{
    struct pst_text name = item->call->operation_name;

    item->operation = pst_graphql_meaning_find(item->meaning, name);
    if (item->operation)
        return PST_OK;
    item->error.place = (struct pst_graphql_place){1, 1};
    if (pst_text_is_absent(name))
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
check_login(const struct proxying *proxying, struct proxy_item *item)
{
    if (item->meaning->operation_count > 1)
        return proxy_refuse(item, PST_LOGIN_SHAPE,
                            "one of the document's operations is a login: "
                            "send it in a document of its own");
    if (proxying->list.form == CALL_MULTIPART)
        return proxy_refuse(item, PST_LOGIN_SHAPE,
                            "a login cannot be sent as multipart/form-data: "
                            "send it as application/json");
    if (proxying->list.count > 1)
        return proxy_refuse(item, PST_LOGIN_SHAPE,
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
        &proxying->gate->config->backend.rules;
    size_t count = 0;

    if (!operation->has_password)
        return 0;
    for (size_t i = 0; i < operation->root_count; i++)
        for (size_t k = 0; k < rules->password_count; k++)
            count +=
                (rules->passwords[k].is_any_kind ||
                 rules->passwords[k].kind == operation->kind) &&
                pst_text_equal(rules->passwords[k].field, operation->roots[i]);
    return count;
}

static enum pst_err
check_rules(const struct proxying *proxying, struct proxy_item *item)
{
    const struct pst_graphql_meaning *meaning = item->meaning;

    if (is_get(proxying) && item->operation->kind == PST_GRAPHQL_MUTATION)
        return PST_BAD_METHOD;
    if (meaning->has_login)
        return check_login(proxying, item);
    if (proxying->is_login_program)
        return proxy_refuse(item, PST_LOGIN_SHAPE,
                            "this is no login: the operation has none of the "
                            "configured login fields at its root "
                            "(POSTERN_LOGIN_DOCUMENT)");
    if (count_password_fields(proxying, item->operation) > 1)
        return proxy_refuse(item, PST_MALFORMED,
                            "the operation checks a password more than once: "
                            "send each such field in a request of its own");
    if (pst_text_is_absent(meaning->secret))
        return PST_OK;
    item->error.place = meaning->secret_place;
    return proxy_refuse(item, PST_SECRET_FIELD,
                        "%.*s holds a secret and cannot be selected here; "
                        "POSTERN_SECRET_FIELDS_ALLOWED can except a root "
                        "field, POSTERN_LOGIN_DOCUMENT add a login",
                        (int)meaning->secret.len, meaning->secret.ptr);
}

static enum pst_err
judge(struct proxying *proxying, struct proxy_item *item)
{
    enum pst_err e = item->call->error;

    if (e)
        return proxy_refuse(item, e, "%s", item->call->why);
    e = find_document(proxying, item);
    if (e == PST_MALFORMED && item->why[0] == '\0')
        e = PST_PARSE_FAILED; /* item->error says why */
    if (!e)
        e = find_operation(item);
    if (!e)
        e = check_rules(proxying, item);
    return e;
}

/* Passing it on. */

/* Before the head goes out: what became of the backend's session, and ours. */
static enum pst_err
follow(void *context, const struct jar_news *news)
{
    const struct proxying *proxying = context;
    enum pst_err e = identity_follow(proxying->gate, proxying->req,
                                     proxying->rep, proxying->visit, news);

    return e ? e
             : visit_finish(proxying->gate, proxying->req, proxying->rep,
                            proxying->visit);
}

static struct call_plan
plan_of(const struct proxying *proxying, const struct proxy_item *item)
{
    const struct config *config = proxying->gate->config;
    struct call_plan plan = {.call = item->call, .is_left_out = true};

    if (item->refusal)
        return plan;
    plan.is_left_out = false;
    plan.variables = item->operation->variables;
    plan.variable_count = item->operation->variable_count;
    if (config->documents_send_id && !pst_text_is_absent(item->call->id))
        plan.id = item->call->id;
    else
        plan.document = item->meaning->text;
    return plan;
}

/* The body or query string, written anew. */
static enum pst_err
write_request(struct proxying *proxying, const struct call_plan *plans,
              struct forward_request *what)
{
    size_t most = 8 * (size_t)proxying->gate->config->max_json;
    struct request *req = proxying->req;
    struct pst_buf buf;
    enum pst_err e;

    what->method = is_get(proxying) ? PST_TEXT("GET") : PST_TEXT("POST");
    what->query = proxying->list.parameters;
    what->upstream = visit_upstream(proxying->visit);
    if (proxying->list.form == CALL_MULTIPART)
        return proxy_upload(req, &proxying->list, plans, what);
    pst_buf_init_hold(&buf, req->arena, most);
    if (is_get(proxying)) {
        call_emit_query(&buf, &proxying->list, plans);
        return pst_buf_end(&buf, &what->query);
    }
    call_emit(&buf, &proxying->list, plans);
    e = pst_buf_end(&buf, &what->body);
    return e ? e : request_reserve(req, what->body.len);
}

/* A file that cannot be passed on shows only while it passes. */
static enum pst_err
tell_broken_upload(struct proxying *proxying, enum pst_err e)
{
    struct proxy_item item = {.call = NULL};

    if (!proxying->list.why || proxying->rep->begun ||
        proxying->list.form != CALL_MULTIPART)
        return e;
    item.refusal = proxy_refuse(&item, e, "%s", proxying->list.why);
    proxy_log_refusal(proxying->gate, proxying->req, &item);
    return proxy_answer_refusal(proxying->req, proxying->rep, &item, e);
}

static enum pst_err
forward_calls(struct proxying *proxying, bool is_partial)
{
    struct request *req = proxying->req;
    size_t count = proxying->list.count;
    struct call_plan *plans =
        pst_arena_alloc(req->arena, count * sizeof(*plans));
    const struct forward_follow hook = {follow, proxying};
    struct forward_request what = {.headers = FORWARD_CLIENT};
    enum pst_err e;

    if (!plans)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        plans[i] = plan_of(proxying, &proxying->items[i]);
    e = write_request(proxying, plans, &what);
    if (e)
        return e;
    if (!is_partial) {
        e = forward_stream(proxying->gate, req, proxying->rep, &what, &hook);
        return e ? tell_broken_upload(proxying, e) : PST_OK;
    }
    return proxy_splice(proxying->gate, req, proxying->rep, &what, &hook,
                        &(struct proxy_batch){proxying->items, count});
}

/* Some fields check a password without being a login: each try counts, and
 * whether it was right is not for a client's document to say. */
static enum pst_err
count_passwords(struct proxying *proxying)
{
    enum pst_err e = PST_OK;

    for (size_t i = 0; i < proxying->list.count && !e; i++)
        if (!proxying->items[i].refusal &&
            proxying->items[i].operation->has_password)
            e = login_throttle_password(proxying->gate, proxying->req,
                                        proxying->rep, proxying->visit);
    return e;
}

static enum pst_err
carry_out_login(struct proxying *proxying, struct proxy_item *item)
{
    const struct login_call login = {
        .list = &proxying->list,
        .call = item->call,
        .document = item->meaning->text,
        .meaning = item->meaning,
    };
    struct login_why why = {""};
    enum pst_err e = login_by_call(proxying->gate, proxying->req, proxying->rep,
                                   proxying->visit, &login, &why);

    if (e && why.text[0])
        item->refusal = proxy_refuse(item, e, "%s", why.text);
    return e;
}

/* Judge all calls; returns how many are refused. */
static size_t
judge_all(struct proxying *proxying)
{
    size_t refused = 0;

    for (size_t i = 0; i < proxying->list.count; i++) {
        struct proxy_item *item = &proxying->items[i];

        item->call = &proxying->list.calls[i];
        item->refusal = judge(proxying, item);
        if (!item->refusal)
            continue;
        refused++;
        proxy_log_refusal(proxying->gate, proxying->req, item);
    }
    return refused;
}

/* What stops a request as a whole: any refusal but of one in a batch. */
static enum pst_err
first_refusal(const struct proxying *proxying, struct proxy_item **out)
{
    for (size_t i = 0; i < proxying->list.count; i++) {
        enum pst_err e = proxying->items[i].refusal;

        *out = &proxying->items[i];
        if (e && (!proxying->list.is_batch || e == PST_NO_MEMORY ||
                  proxying->list.form == CALL_MULTIPART))
            return e;
    }
    return PST_OK;
}

static enum pst_err
run(struct proxying *proxying)
{
    size_t count = proxying->list.count;
    struct proxy_item *item = NULL;
    size_t refused;
    enum pst_err e;

    proxying->items =
        pst_arena_alloc(proxying->req->arena, count * sizeof(*item));
    if (!proxying->items)
        return PST_NO_MEMORY;
    refused = judge_all(proxying);
    e = first_refusal(proxying, &item);
    if (!e && count == 1 && proxying->items[0].is_login) {
        item = &proxying->items[0];
        e = carry_out_login(proxying, item);
        if (!e || !item->why[0])
            return e;
        proxy_log_refusal(proxying->gate, proxying->req, item);
    }
    if (e)
        return proxy_answer_refusal(proxying->req, proxying->rep, item, e);
    if (refused == count)
        return proxy_answer_batch(proxying->req, proxying->rep,
                                  &(struct proxy_batch){proxying->items, count},
                                  PST_NO_TEXT);
    /* Only then is it known whose password a request may check. */
    e = identity_confirm(proxying->gate, proxying->req, proxying->rep,
                         proxying->visit);
    if (!e)
        e = count_passwords(proxying);
    return e ? e : forward_calls(proxying, refused > 0);
}

static enum pst_err
proxy(struct gate *gate, struct request *req, struct reply *rep,
      struct visit *visit, bool is_login_program)
{
    struct proxying *proxying = pst_arena_alloc(req->arena, sizeof(*proxying));
    struct proxy_item unread = {.call = NULL};
    enum pst_err e;

    if (!proxying)
        return PST_NO_MEMORY;
    *proxying = (struct proxying){.gate = gate,
                                  .req = req,
                                  .rep = rep,
                                  .visit = visit,
                                  .is_login_program = is_login_program};
    e = call_read(req, gate->config, &proxying->list);
    if (!e)
        return run(proxying);
    if (!proxying->list.why || e == PST_NO_MEMORY || e == PST_CLIENT_GONE)
        return e;
    unread.refusal = proxy_refuse(&unread, e, "%s", proxying->list.why);
    proxy_log_refusal(gate, req, &unread);
    return proxy_answer_refusal(req, rep, &unread, e);
}

enum pst_err
proxy_request(struct gate *gate, struct request *req, struct reply *rep,
              struct visit *visit)
{
    return proxy(gate, req, rep, visit, false);
}

enum pst_err
proxy_login(struct gate *gate, struct request *req, struct reply *rep,
            struct visit *visit)
{
    return proxy(gate, req, rep, visit, true);
}

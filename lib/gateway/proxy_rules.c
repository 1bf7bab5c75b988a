/* SPDX-License-Identifier: ISC */
/*
 * proxy_rules.c - find the document and the operation of a GraphQL request,
 * and refuse what may not be forwarded.
 */
#include "gateway/proxy_rules.h"

#include "gateway/document_lookup.h"

static void
decode_document_hash(struct pst_str hex,
                     uint8_t hash[static DOCUMENTS_HASH_LEN])
{
    for (size_t i = 0; i < DOCUMENTS_HASH_LEN; i++)
        hash[i] = (uint8_t)(pst_hex_value(hex.ptr[2 * i]) << 4 |
                            pst_hex_value(hex.ptr[2 * i + 1]));
}

/* A request with a hash and no text. */
static enum pst_err
find_persisted_document(const struct proxy_rules *rules,
                        struct proxy_item *item)
{
    struct document_lookup *documents = rules->ctx->documents;
    uint8_t hash[DOCUMENTS_HASH_LEN];
    enum pst_err e = PST_NOT_FOUND;

    if (!pst_str_is_absent(item->gql->hash)) {
        decode_document_hash(item->gql->hash, hash);
        e = document_lookup_find_hash(documents, rules->arena, hash,
                                      &item->summary);
    }
    if (e != PST_NOT_FOUND)
        return e;
    return document_lookup_is_persistent(documents) &&
                   !item->gql->is_unsupported_persisted
               ? PST_PERSISTED_NOT_FOUND
               : PST_PERSISTED_NOT_SUPPORTED;
}

/* A request with a text, and perhaps a hash under which to keep it. */
static enum pst_err
read_document_text(const struct proxy_rules *rules, struct proxy_item *item)
{
    struct document_lookup *documents = rules->ctx->documents;
    struct pst_arena *arena = rules->arena;
    uint8_t hash[DOCUMENTS_HASH_LEN];

    if (pst_str_is_absent(item->gql->hash))
        return document_lookup_read(documents, arena, item->gql->document,
                                    &item->summary, &item->error);
    decode_document_hash(item->gql->hash, hash);
    return document_lookup_persist(documents, arena, item->gql->document, hash,
                                   &item->summary, &item->error);
}

static enum pst_err
find_item_document(const struct proxy_rules *rules, struct proxy_item *item)
{
    const struct graphql_request *gql = item->gql;
    enum pst_err e;

    if (!pst_str_is_absent(gql->id)) {
        e = document_lookup_find_id(rules->ctx->documents, rules->arena,
                                    gql->id, &item->summary);
        return e == PST_NOT_FOUND
                   ? proxy_set_refusal(
                         item, PST_MALFORMED,
                         "no document of the manifest has this id")
                   : e;
    }
    if (!pst_str_is_absent(gql->document))
        return read_document_text(rules, item);
    if (!pst_str_is_absent(gql->hash) || gql->is_unsupported_persisted)
        return find_persisted_document(rules, item);
    return proxy_set_refusal(item, PST_MALFORMED,
                             "there is no document: the member query is "
                             "missing or blank");
}

static enum pst_err
find_item_operation(struct proxy_item *item)
{
    struct pst_str name = item->gql->operation_name;

    item->operation = pst_graphql_summary_find(item->summary, name);
    if (item->operation)
        return PST_OK;
    item->error.location = (struct pst_graphql_location){1, 1};
    if (pst_str_is_absent(name))
        (void)snprintf(item->error.message, sizeof(item->error.message),
                       "the document has several operations: name one of "
                       "them in operationName");
    else
        (void)snprintf(item->error.message, sizeof(item->error.message),
                       "the document has no operation with the name in "
                       "operationName");
    return PST_PARSE_FAILED;
}

/* A login must be the only operation of the only document of a POST as JSON:
 * its response is replaced, and each attempt counts. */
static enum pst_err
check_login_item(const struct proxy_rules *rules, struct proxy_item *item)
{
    if (item->summary->operation_count > 1)
        return proxy_set_refusal(item, PST_LOGIN_SHAPE,
                                 "one of the document's operations is a login: "
                                 "send it in a document of its own");
    if (rules->list->form == GRAPHQL_REQUEST_MULTIPART)
        return proxy_set_refusal(
            item, PST_LOGIN_SHAPE,
            "a login cannot be sent as multipart/form-data: "
            "send it as application/json");
    if (rules->list->count > 1)
        return proxy_set_refusal(
            item, PST_LOGIN_SHAPE,
            "a login cannot be part of a batch: send it in a "
            "request of its own");
    item->is_login = true;
    return PST_OK;
}

/* How many root fields of the operation check a password? Each is an attempt.
 */
static size_t
count_password_fields(const struct proxy_rules *rules,
                      const struct pst_graphql_summary_operation *operation)
{
    const struct pst_graphql_rules *fields = &rules->ctx->config->backend.rules;
    size_t count = 0;

    if (!operation->has_password)
        return 0;
    for (size_t i = 0; i < operation->root_count; i++)
        for (size_t k = 0; k < fields->password_count; k++)
            count +=
                (fields->passwords[k].is_any_kind ||
                 fields->passwords[k].kind == operation->kind) &&
                pst_str_equal(fields->passwords[k].field, operation->roots[i]);
    return count;
}

static enum pst_err
check_operation_rules(const struct proxy_rules *rules, struct proxy_item *item)
{
    const struct pst_graphql_summary *summary = item->summary;

    if (rules->list->form == GRAPHQL_REQUEST_GET &&
        item->operation->kind == PST_GRAPHQL_MUTATION)
        return PST_BAD_METHOD;
    if (summary->has_login)
        return check_login_item(rules, item);
    if (rules->is_login_program)
        return proxy_set_refusal(
            item, PST_LOGIN_SHAPE,
            "this is not a login: the operation has none of the configured "
            "login fields at its root (POSTERN_LOGIN_DOCUMENT)");
    if (count_password_fields(rules, item->operation) > 1)
        return proxy_set_refusal(
            item, PST_MALFORMED,
            "the operation checks a password more than once: "
            "send each such field in a request of its own");
    if (pst_str_is_absent(summary->secret))
        return PST_OK;
    item->error.location = summary->secret_location;
    return proxy_set_refusal(item, PST_SECRET_FIELD,
                             "%.*s holds a secret and cannot be selected here; "
                             "POSTERN_SECRET_FIELDS_ALLOWED can except a root "
                             "field, POSTERN_LOGIN_DOCUMENT add a login",
                             (int)summary->secret.len, summary->secret.ptr);
}

enum pst_err
proxy_check_item(const struct proxy_rules *rules, struct proxy_item *item)
{
    enum pst_err e = item->gql->error;

    if (e)
        return proxy_set_refusal(item, e, "%s", item->gql->reason);
    e = find_item_document(rules, item);
    if (e == PST_MALFORMED && item->reason[0] == '\0')
        e = PST_PARSE_FAILED; /* item->error says why */
    if (!e)
        e = find_item_operation(item);
    if (!e)
        e = check_operation_rules(rules, item);
    return e;
}

/* SPDX-License-Identifier: ISC */
/*
 * proxy_errors.h - what a client is told of a GraphQL request that we refuse,
 * alone or in its place in a batch (GraphQL over HTTP; design 2.5 and 2.9).
 */
#ifndef POSTERN_GATEWAY_PROXY_ERRORS_H
#define POSTERN_GATEWAY_PROXY_ERRORS_H

#include "gateway/context.h"
#include "gateway/forward.h"
#include "gateway/graphql_request.h"
#include "graphql/meaning.h"

/* One call, and what was found out about it. */
struct proxy_item {
    const struct graphql_request *gql;
    const struct pst_graphql_meaning *meaning;
    const struct pst_graphql_meaning_operation *operation;
    bool is_login;
    enum pst_err refusal; /* PST_OK: it may pass */
    char reason[400];     /* for the client and the log; "": the error's own */
    struct pst_graphql_error error; /* PST_PARSE_FAILED: its message; and the
                                       place, where the line is not 0 */
};

struct proxy_batch {
    const struct proxy_item *items;
    size_t count;
};

/* Say why in item->reason. Returns e. */
enum pst_err proxy_set_refusal(struct proxy_item *item, enum pst_err e,
                               const char *format, ...) PST_PRINTF(3, 4);

/* One line: what was refused, and why. */
void proxy_log_refusal(const struct context *ctx, const struct request *req,
                       const struct proxy_item *item);

/*
 * Answer with one refusal: its status and a GraphQL error that says why. A
 * document that cannot be parsed is a GraphQL answer: 200 for a client that
 * takes application/json, 400 for application/graphql-response+json.
 */
PST_MUST_USE enum pst_err proxy_send_refusal(const struct request *req,
                                             struct response *res,
                                             const struct proxy_item *item,
                                             enum pst_err e);

/*
 * Answer a batch of which some were refused.
 *   results  the backend's JSON array for those that were not; absent: none
 * Returns as response_send_json(); PST_UPSTREAM_BROKEN when answers is no array
 * of just as many.
 */
PST_MUST_USE enum pst_err proxy_send_batch(const struct request *req,
                                           struct response *res,
                                           const struct proxy_batch *batch,
                                           struct pst_str results);

/* Send what passes, and put our errors in their places of its answer. */
PST_MUST_USE enum pst_err proxy_forward_partial_batch(
    struct context *ctx, struct request *req, struct response *res,
    const struct forward_request *outgoing, const struct forward_hook *hook,
    const struct proxy_batch *batch);

/* A multipart request's new body, as it is to be streamed. */
PST_MUST_USE enum pst_err
proxy_begin_upload(struct request *req, struct graphql_request_list *list,
                   const struct graphql_request_plan *plans,
                   struct forward_request *outgoing);

#endif

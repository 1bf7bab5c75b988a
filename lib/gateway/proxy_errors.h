/* SPDX-License-Identifier: ISC */
/*
 * proxy_errors.h - log a refused GraphQL request, and answer it with a GraphQL
 * error, alone or in a batch (GraphQL over HTTP).
 */
#ifndef POSTERN_GATEWAY_PROXY_ERRORS_H
#define POSTERN_GATEWAY_PROXY_ERRORS_H

#include "gateway/context.h"
#include "gateway/graphql_request.h"
#include "graphql/summary.h"

/* One request of a list, and the result of checking it. */
struct proxy_item {
    const struct graphql_request *gql;
    const struct pst_graphql_summary *summary;
    const struct pst_graphql_summary_operation *operation;
    bool is_login;
    enum pst_err refusal; /* PST_OK: it may be forwarded */
    char reason[400];     /* for the client and the log; "": error's, or the
                             text of refusal */
    struct pst_graphql_error error; /* PST_PARSE_FAILED: message. A location
                                       where its line is not 0 */
};

struct proxy_batch {
    const struct proxy_item *items;
    size_t count;
};

/* Set item->reason. Returns e. */
enum pst_err proxy_set_refusal(struct proxy_item *item, enum pst_err e,
                               const char *format, ...) PST_PRINTF(3, 4);

/* Log what was refused, and why, without anything secret. */
void proxy_log_refusal(const struct context *ctx, const struct request *req,
                       const struct proxy_item *item);

/*
 * Send one refusal: its status, and a GraphQL error with the reason. What is
 * wrong with a document (200 or 400) is a GraphQL response: it has the type
 * application/graphql-response+json for a client that accepts that, since such
 * clients show the reason in no other type. A document that cannot be parsed is
 * 200 for application/json, 400 for that type.
 * Returns as response_send().
 */
PST_MUST_USE enum pst_err proxy_send_refusal(const struct request *req,
                                             struct response *res,
                                             const struct proxy_item *item,
                                             enum pst_err e);

/*
 * Send the response to a batch of which some requests were refused: each
 * result, or our error, in the place of its request.
 *   results  the backend's JSON array for those that were not refused; absent:
 *            all were
 * Returns as response_send_json(); PST_UPSTREAM_BROKEN when results is not an
 * array of as many elements.
 */
PST_MUST_USE enum pst_err proxy_send_batch(const struct request *req,
                                           struct response *res,
                                           const struct proxy_batch *batch,
                                           struct pst_str results);

#endif

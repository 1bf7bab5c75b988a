/* SPDX-License-Identifier: ISC */
/*
 * proxy_rules.h - decide which document and operation a client's GraphQL
 * request runs, and whether it may be forwarded.
 */
#ifndef POSTERN_GATEWAY_PROXY_RULES_H
#define POSTERN_GATEWAY_PROXY_RULES_H

#include "gateway/proxy_errors.h"

/* What the rules depend on beside the document. */
struct proxy_rules {
    const struct context *ctx;
    struct pst_arena *arena;
    const struct graphql_request_list *list; /* of the HTTP request */
    bool is_login_program;                   /* only a login is allowed */
};

/*
 * Check one request of the list.
 *   item  its gql is set; its summary, operation and is_login are set on
 *         PST_OK, its reason or error on a refusal
 * Returns PST_OK (forward it, or log in where is_login is set);
 * PST_PARSE_FAILED; PST_PERSISTED_NOT_FOUND, PST_PERSISTED_NOT_SUPPORTED,
 * PST_DOCUMENT_NOT_ALLOWED, PST_HASH_MISMATCH (gateway/document_lookup.h);
 * PST_BAD_METHOD (a mutation by GET); PST_LOGIN_SHAPE; PST_SECRET_FIELD;
 * PST_MALFORMED; PST_TOO_LARGE; PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err proxy_check_item(const struct proxy_rules *rules,
                                           struct proxy_item *item);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * graphql_parameters.h - the parameters in the URL of a GraphQL request:
 * GraphQL's own, and those that are forwarded to the backend.
 */
#ifndef POSTERN_GATEWAY_GRAPHQL_PARAMETERS_H
#define POSTERN_GATEWAY_GRAPHQL_PARAMETERS_H

#include "base/error.h"
#include "base/str.h"
#include "gateway/graphql_request_fields.h"
#include "server/config.h"
#include "server/request.h"

struct graphql_parameters {
    /* GraphQL's own parameters, decoded; absent: not given. */
    struct pst_str values[GRAPHQL_REQUEST_FIELD_COUNT];
    /* The parameters that POSTERN_FORWARD_PARAMETERS lists, as a new
     * query string without "?"; absent: none. */
    struct pst_str forwarded;
};

/*
 * Parse the query string of a request.
 *   is_get  GraphQL's own parameters are allowed; otherwise they are refused
 *   out     set on PST_OK; in the request's arena
 *   reason  set on any error: what is wrong, a literal
 * Returns PST_OK; PST_MALFORMED (not UTF-8, a NUL, a parameter that is not
 * allowed, or a bad value of a forwarded one); PST_DUPLICATE (a parameter given
 * twice, or a name that differs from a GraphQL parameter only in letter case);
 * PST_TOO_LARGE (too many parameters); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
graphql_parameters_parse(const struct request *req, const struct config *config,
                         bool is_get, struct graphql_parameters *out,
                         const char **reason);

#endif

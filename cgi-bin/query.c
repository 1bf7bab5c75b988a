/* SPDX-License-Identifier: ISC */
/*
 * query.c - forward a GraphQL request to the backend, with the credentials from
 * the session.
 */
#include "gateway/auth.h"
#include "gateway/program.h"
#include "gateway/proxy.h"

static enum pst_err
query(struct context *ctx, struct request *req, struct response *res)
{
    /* A query's answer may arrive after that of a new login, so it must not
     * clear cookies. */
    static const struct auth_rules rules = {
        .methods = "GET, HEAD, POST, OPTIONS", .keeps_dead_cookies = true};
    struct auth auth;
    enum pst_err e = authenticate(ctx, req, res, &rules, &auth);

    if (e || res->begun)
        return e;
    return proxy_request(ctx, req, res, &auth);
}

int
main(int argc, char **argv)
{
    return program_serve(argc, argv, "query", PROGRAM_USES_BACKEND, query);
}

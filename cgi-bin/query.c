/* SPDX-License-Identifier: ISC */
/*
 * query.c - pass a GraphQL request to the backend with the session's token.
 */
#include "gateway/auth.h"
#include "gateway/proxy.h"
#include "gateway/serve.h"

static enum pst_err
query(struct gate *gate, struct request *req, struct reply *rep)
{
    /* An answer may arrive after a new login: it clears no cookie. */
    static const struct visit_rules rules = {
        .methods = "GET, HEAD, POST, OPTIONS", .keeps_dead_cookies = true};
    struct visit visit;
    enum pst_err e = visit_enter(gate, req, rep, &rules, &visit);

    if (e || rep->begun)
        return e;
    return proxy_request(gate, req, rep, &visit);
}

int
main(int argc, char **argv)
{
    return gate_serve(argc, argv, "query", query);
}

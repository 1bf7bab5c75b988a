/* SPDX-License-Identifier: ISC */
/*
 * query.c - pass a GraphQL request to the backend with the session's token.
 */
#include "backend.h"
#include "forward.h"
#include "limits.h"
#include "serve.h"
#include "signin.h"
#include "visit.h"

/*
 * A GET has no body, so it may name JSON or nothing: an odd type is how a
 * browser was once made to skip its preflight (L42).
 */
static enum pst_err
check_type(const struct request *req)
{
    struct pst_text type = request_media_type(req);

    if (pst_text_equal(req->method, PST_TEXT("GET")) &&
        req->content_type.len == 0)
        return PST_OK;
    if (pst_text_equal_nocase(type, PST_TEXT("application/json")))
        return PST_OK;
    if (pst_text_equal(req->method, PST_TEXT("GET")))
        return PST_BAD_TYPE;
    if (pst_text_equal_nocase(type,
                              PST_TEXT("application/graphql-response+json")) ||
        pst_text_equal_nocase(type, PST_TEXT("multipart/form-data")))
        return PST_OK;
    return PST_BAD_TYPE;
}

/*
 * Does it log somebody in? What is too long to be read whole, encoded, or in
 * parts cannot be told, and is treated as if it did.
 */
static enum pst_err
classify(const struct gate *gate, struct request *req,
         struct backend_request *what)
{
    struct pst_text encoding =
        request_header(req, PST_TEXT("Content-Encoding"));
    struct pst_text head;
    enum pst_err e;
    bool all;

    if (pst_text_equal(req->method, PST_TEXT("GET")))
        return backend_read_query(req->arena, gate->config, req->query, what);
    *what = (struct backend_request){.kind = BACKEND_UNSURE};
    if (encoding.len > 0 ||
        pst_text_equal_nocase(request_media_type(req),
                              PST_TEXT("multipart/form-data")))
        return PST_OK;
    e = request_peek(req, PST_HOLD_MAX, &head, &all);
    if (e || !all)
        return e;
    return backend_read_request(req->arena, gate->config, head, what);
}

/* What a streamed answer's head is followed with. */
struct following {
    struct gate *gate;
    struct request *req;
    struct reply *rep;
    struct visit *visit;
};

static enum pst_err
follow(void *context, const struct jar_news *news)
{
    const struct following *following = context;

    return signin_follow(following->gate, following->req, following->rep,
                         following->visit, news);
}

static enum pst_err
query(struct gate *gate, struct request *req, struct reply *rep)
{
    struct visit visit;
    struct following following = {gate, req, rep, &visit};
    const struct forward_follow hook = {follow, &following};
    struct forward_request forward = {.method = req->method,
                                      .query = req->query};
    struct backend_request what;
    enum pst_err e;

    e = visit_enter(gate, req, rep, "GET, POST, OPTIONS", &visit);
    if (e || rep->begun)
        return e;
    e = check_type(req);
    if (e)
        return e;
    e = classify(gate, req, &what);
    if (e)
        return e;
    if (what.kind != BACKEND_PLAIN)
        return signin_relay(gate, req, rep, &visit, &what);
    forward.upstream = visit_upstream(&visit);
    return forward_stream(gate, req, rep, &forward, &hook);
}

int
main(int argc, char **argv)
{
    return gate_serve(argc, argv, "query", query);
}

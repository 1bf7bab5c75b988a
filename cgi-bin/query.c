/* SPDX-License-Identifier: ISC */
/*
 * query.c - pass a GraphQL request to the backend with the session's token.
 */
#include "forward.h"
#include "limits.h"
#include "multipart.h"
#include "operation.h"
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

    if (!request_is_utf8(req))
        return PST_BAD_TYPE;
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

/* The document of a multipart request is its first part, "operations". */
static enum pst_err
classify_multipart(const struct gate *gate, struct request *req,
                   struct pst_text head, struct operation *what)
{
    struct pst_text operations;
    enum pst_err e;

    e = pst_multipart_first(req->content_type, head, PST_TEXT("operations"),
                            &operations);
    if (e)
        return e;
    return operation_read_body(req->arena, gate->config, operations, what);
}

/*
 * What cannot be looked into may be anything, and is let through for people
 * only who have shown who they are.
 */
static enum pst_err
classify_opaque(const struct visit *visit, enum pst_err otherwise,
                struct operation *what)
{
    if (!visit->has_session || pst_session_is_guest(&visit->session))
        return otherwise;
    *what = (struct operation){.kind = OPERATION_UNSURE, .is_opaque = true};
    return PST_OK;
}

/* Does it log somebody in? */
static enum pst_err
classify(const struct gate *gate, struct request *req,
         const struct visit *visit, struct operation *what)
{
    struct pst_text encoding =
        request_header(req, PST_TEXT("Content-Encoding"));
    struct pst_text head;
    enum pst_err e;
    bool all;

    if (pst_text_equal(req->method, PST_TEXT("GET")))
        return operation_read_query(req->arena, gate->config, req->query, what);
    e = operation_check_query(req->arena, req->query);
    if (e)
        return e;
    if (encoding.len > 0 &&
        !pst_text_equal_nocase(encoding, PST_TEXT("identity")))
        return classify_opaque(visit, PST_BAD_TYPE, what);
    e = request_peek(req, PST_HOLD_MAX, &head, &all);
    if (e)
        return e;
    if (pst_text_equal_nocase(request_media_type(req),
                              PST_TEXT("multipart/form-data")))
        return classify_multipart(gate, req, head, what);
    if (!all)
        return classify_opaque(visit, PST_TOO_LARGE, what);
    return operation_read_body(req->arena, gate->config, head, what);
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
    struct operation what;
    enum pst_err e;

    e = visit_enter(gate, req, rep, "GET, POST, OPTIONS", &visit);
    if (e || rep->begun)
        return e;
    e = check_type(req);
    if (e)
        return e;
    e = classify(gate, req, &visit, &what);
    if (e)
        return e;
    if (what.kind != OPERATION_PLAIN)
        return signin_relay(gate, req, rep, &visit, &what);
    forward.upstream = visit_upstream(&visit);
    return forward_stream(gate, req, rep, &forward, &hook);
}

int
main(int argc, char **argv)
{
    return gate_serve(argc, argv, "query", query);
}

/* SPDX-License-Identifier: ISC */
/*
 * query.c - pass a GraphQL request to the backend with the session's token.
 */
#include "forward.h"
#include "gunzip.h"
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

static enum pst_err
watch_parts(void *watching, struct pst_text piece)
{
    return pst_multipart_watch_piece(watching, piece);
}

/*
 * The document of a multipart request is its first part, "operations". What
 * comes after it is seen as it passes: another one, which some backends would
 * take instead, would be a request that nobody has read.
 */
static enum pst_err
classify_multipart(const struct gate *gate, struct request *req,
                   struct pst_text head, bool all, struct operation *what)
{
    struct pst_multipart_watch *watch =
        pst_arena_alloc(req->arena, sizeof(*watch));
    struct pst_text operations;
    enum pst_err e;

    if (!watch)
        return PST_NO_MEMORY;
    e = pst_multipart_watch_init(watch, req->content_type);
    if (!e)
        e = pst_multipart_watch_first(watch, head, &operations);
    if (e == PST_TOO_LARGE && all)
        e = PST_MALFORMED; /* it does not end at all */
    if (!e)
        e = operation_read_body(req->arena, gate->config, operations, what);
    if (e)
        return e;
    what->watch = watch_parts;
    what->watching = watch;
    return PST_OK;
}

static bool
is_multipart(const struct request *req)
{
    return pst_text_equal_nocase(request_media_type(req),
                                 PST_TEXT("multipart/form-data"));
}

/*
 * An encoded body is held whole, read, and sent as it came. Not one in parts:
 * what reads those in some backends does not know of encodings, and would
 * take for a preamble what we decode, and for a part what stands in gzip's
 * own header.
 */
static enum pst_err
classify_gzip(const struct gate *gate, struct request *req,
              struct operation *what)
{
    struct pst_text encoded;
    struct pst_text body;
    enum pst_err e;

    if (is_multipart(req))
        return PST_BAD_TYPE;
    e = request_body(req, PST_HOLD_MAX, &encoded);
    if (e)
        return e;
    e = gunzip_body(req->arena, encoded, PST_HOLD_MAX, &body);
    if (e)
        return e;
    return operation_read_body(req->arena, gate->config, body, what);
}

static enum pst_err
classify_plain(const struct gate *gate, struct request *req,
               struct operation *what)
{
    struct pst_text head;
    enum pst_err e;
    bool all;

    e = request_peek(req, PST_HOLD_MAX, &head, &all);
    if (e)
        return e;
    if (is_multipart(req))
        return classify_multipart(gate, req, head, all, what);
    if (!all)
        return operation_read_head(req->arena, gate->config, head, what);
    return operation_read_body(req->arena, gate->config, head, what);
}

/* Does it log somebody in? */
static enum pst_err
classify(const struct gate *gate, struct request *req, struct operation *what)
{
    enum pst_err e;

    if (pst_text_equal(req->method, PST_TEXT("GET")))
        return operation_read_query(req->arena, gate->config, req->query, what);
    e = operation_check_query(req->arena, req->query);
    if (e)
        return e;
    switch (request_coding(req)) {
    case CODING_NONE:
        return classify_plain(gate, req, what);
    case CODING_GZIP:
        return classify_gzip(gate, req, what);
    default:
        return PST_BAD_TYPE;
    }
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

    enum pst_err e = signin_follow(following->gate, following->req,
                                   following->rep, following->visit, news);

    return e ? e
             : visit_finish(following->gate, following->req, following->rep,
                            following->visit);
}

static enum pst_err
query(struct gate *gate, struct request *req, struct reply *rep)
{
    static const struct visit_rules rules = {.methods = "GET, POST, OPTIONS",
                                             .keeps_dead_cookies = true};
    struct visit visit;
    struct following following = {gate, req, rep, &visit};
    const struct forward_follow hook = {follow, &following};
    struct forward_request forward = {.method = req->method,
                                      .query = req->query};
    struct operation what;
    enum pst_err e;

    e = visit_enter(gate, req, rep, &rules, &visit);
    if (e || rep->begun)
        return e;
    e = check_type(req);
    if (e)
        return e;
    e = classify(gate, req, &what);
    if (e)
        return e;
    if (what.kind != OPERATION_PLAIN)
        return signin_relay(gate, req, rep, &visit, &what);
    forward.upstream = visit_upstream(&visit);
    forward.watch = what.watch;
    forward.watching = what.watching;
    return forward_stream(gate, req, rep, &forward, &hook);
}

int
main(int argc, char **argv)
{
    return gate_serve(argc, argv, "query", query);
}

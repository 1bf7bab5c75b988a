/* SPDX-License-Identifier: ISC */
/*
 * forward.c - what passes to the backend, what passes back, and nothing else.
 */
#include "gateway/forward.h"

#include <string.h>

#include "gateway/cors.h"
#include "server/config_check.h"

/* What goes along with a request that we make ourselves. */
static const struct pst_text passed_on_own[] = {
    {"Accept-Language", 15},
    {"vendure-token", 13},
};

/* Headers of the backend that pass to the client. Vary is merged. */
static const struct pst_text passed_back[FORWARD_BACK_COUNT] = {
    {"Content-Type", 12},
    {"Content-Length", 14},
    {"Content-Encoding", 16},
    {"Content-Language", 16},
    {"ETag", 4},
    {"Last-Modified", 13},
    {"Allow", 5},
    {"Retry-After", 11},
    {"Vary", 4},
};

/* Headers of one request to the backend: those of the client, three of
 * X-Forwarded-*, two of the trace, the token, and three about bodies. */
#define SENT_MAX (CONFIG_PASSED_COUNT + CONFIG_FORWARD_MAX + 9)

struct headers {
    struct upstream_header list[SENT_MAX];
    size_t count;
};

static void
add(struct headers *headers, struct pst_text name, struct pst_text value)
{
    if (pst_text_is_absent(value))
        return;
    PST_REQUIRE(headers->count < SENT_MAX);
    headers->list[headers->count++] = (struct upstream_header){name, value};
}

/* Trace context (W3C Trace Context, section 3.2). */

static bool
is_lower_hex(struct pst_text text)
{
    bool all_zero = true;

    for (size_t i = 0; i < text.len; i++) {
        if (pst_hex_value(text.ptr[i]) < 0 ||
            pst_lower(text.ptr[i]) != text.ptr[i])
            return false;
        all_zero = all_zero && text.ptr[i] == '0';
    }
    return !all_zero;
}

/* "00-<32 hex>-<16 hex>-<2 hex>", neither id all zeros. */
static bool
is_traceparent(struct pst_text text)
{
    static const struct pst_text version = {"00-", 3};

    return text.len == 55 && pst_text_starts(text, version) &&
           text.ptr[35] == '-' && text.ptr[52] == '-' &&
           is_lower_hex(pst_text_first(pst_text_from_octet(text, 3), 32)) &&
           is_lower_hex(pst_text_first(pst_text_from_octet(text, 36), 16)) &&
           pst_hex_value(text.ptr[53]) >= 0 && pst_hex_value(text.ptr[54]) >= 0;
}

/* All exchanges of one request are one trace, and its one span. */
static enum pst_err
make_traceparent(const struct request *req, struct pst_text *out)
{
    uint8_t ids[REQUEST_TRACE_LEN];
    struct pst_buf buf;

    memcpy(ids, req->trace, sizeof(ids));
    ids[0] |= 1; /* neither id may be all zeros */
    ids[16] |= 1;
    pst_buf_init_arena(&buf, req->arena, 55);
    pst_buf_add_string(&buf, "00-");
    pst_buf_add_hex(&buf, (struct pst_bytes){ids, 16});
    pst_buf_add_char(&buf, '-');
    pst_buf_add_hex(&buf, (struct pst_bytes){ids + 16, 8});
    pst_buf_add_string(&buf, "-00");
    return pst_buf_end(&buf, out);
}

static enum pst_err
add_trace(const struct request *req, enum forward_headers kind,
          struct headers *headers)
{
    struct pst_text parent = request_header(req, PST_TEXT("traceparent"));
    enum pst_err e;

    if (kind != FORWARD_WHO && is_traceparent(parent)) {
        add(headers, PST_TEXT("traceparent"), parent);
        add(headers, PST_TEXT("tracestate"),
            request_header(req, PST_TEXT("tracestate")));
        return PST_OK;
    }
    e = make_traceparent(req, &parent);
    if (e)
        return e;
    add(headers, PST_TEXT("traceparent"), parent);
    return PST_OK;
}

/* The request. */

/* Set, never appended to: what the client says of itself is not evidence. */
static void
add_forwarded(const struct gate *gate, const struct request *req,
              struct headers *headers)
{
    struct pst_text host = request_own_origin(req, gate->config->origin);
    struct pst_text scheme;

    add(headers, PST_TEXT("X-Forwarded-For"), req->remote_addr);
    if (pst_text_is_absent(host) || !pst_text_cut(&host, ':', &scheme))
        return;
    add(headers, PST_TEXT("X-Forwarded-Proto"), scheme);
    add(headers, PST_TEXT("X-Forwarded-Host"), pst_text_from_octet(host, 2));
}

/* What the body is, and how the answer is to come, is for us to say. */
static bool
is_about_bodies(struct pst_text name)
{
    return pst_text_equal_nocase(name, PST_TEXT("Content-Type")) ||
           pst_text_equal_nocase(name, PST_TEXT("Content-Encoding"));
}

/* Of the client's headers, those on the list (gateway/cors.h) and no other. An
 * answer that we have to read must come as it is. */
static void
add_listed(const struct gate *gate, const struct request *req, bool hold,
           struct headers *headers)
{
    for (size_t i = 0;; i++) {
        struct pst_text name = cors_passed_header(gate->config, i);
        bool is_coding = pst_text_equal(name, PST_TEXT("Accept-Encoding"));

        if (pst_text_is_absent(name))
            break;
        if (!is_about_bodies(name) && !(hold && is_coding))
            add(headers, name, request_header(req, name));
    }
    if (hold)
        add(headers, PST_TEXT("Accept-Encoding"), PST_TEXT("identity"));
}

/* A client that speaks the newer type wants its statuses for logins, too. */
static struct pst_text
accepted_type(const struct request *req)
{
    if (pst_text_contains(req->accept,
                          PST_TEXT("application/graphql-response+json")))
        return PST_TEXT("application/graphql-response+json, "
                        "application/json;q=0.9");
    return PST_TEXT("application/json");
}

/* Beside a request of our own, only what is about language and channel. */
static void
add_own(const struct gate *gate, const struct request *req,
        enum forward_headers kind, struct headers *headers)
{
    add(headers, PST_TEXT("Accept-Encoding"), PST_TEXT("identity"));
    if (kind == FORWARD_WHO) {
        add(headers, PST_TEXT("Accept"), PST_TEXT("application/json"));
        return;
    }
    add(headers, PST_TEXT("Accept"), accepted_type(req));
    for (size_t i = 0; i < PST_COUNT(passed_on_own); i++)
        add(headers, passed_on_own[i], request_header(req, passed_on_own[i]));
    for (size_t i = 0; i < gate->config->forward_header_count; i++)
        add(headers, gate->config->forward_headers[i],
            request_header(req, gate->config->forward_headers[i]));
}

/* The backend's token or cookies. */
static enum pst_err
add_jar(const struct request *req, struct pst_text upstream,
        struct headers *headers)
{
    struct pst_text name;
    struct pst_text value;
    enum pst_err e = jar_emit(req->arena, upstream, &name, &value);

    if (!e)
        add(headers, name, value);
    return e;
}

static bool
has_body(const struct forward_request *what)
{
    return !pst_text_is_absent(what->body) || what->read;
}

static enum pst_err
make_headers(struct gate *gate, const struct request *req,
             const struct forward_request *what, bool hold,
             struct headers *headers)
{
    enum pst_err e;

    headers->count = 0;
    if (what->headers == FORWARD_CLIENT)
        add_listed(gate, req, hold, headers);
    else
        add_own(gate, req, what->headers, headers);
    if (has_body(what))
        add(headers, PST_TEXT("Content-Type"),
            pst_text_is_absent(what->type) ? PST_TEXT("application/json")
                                           : what->type);
    e = add_jar(req, what->upstream, headers);
    if (e)
        return e;
    add_forwarded(gate, req, headers);
    return add_trace(req, what->headers, headers);
}

/* The exchange. */

/* What the functions that upstream_run() calls work on. */
struct passage {
    struct gate *gate;
    struct request *req;
    struct reply *rep; /* streamed into; NULL: held */
    const struct forward_request *what;
    size_t body_sent; /* bytes of what->body */
    struct forward_answer *answer;
    const struct forward_follow *follow;
    struct pst_buf held;
    bool sized;            /* the answer told its length */
    bool is_redirect;      /* and so refused */
    bool is_broken_upload; /* what->read failed: not the backend's fault */
};

static enum pst_err
read_own(void *context, char *out, size_t size, size_t *len)
{
    struct passage *passage = context;
    struct pst_text piece = pst_text_first(
        pst_text_from_octet(passage->what->body, passage->body_sent), size);

    memcpy(out, piece.ptr, piece.len);
    passage->body_sent += piece.len;
    *len = piece.len;
    return PST_OK;
}

static enum pst_err
read_streamed(void *context, char *out, size_t size, size_t *len)
{
    struct passage *passage = context;
    enum pst_err e;

    if (!passage->what->read) {
        *len = 0;
        return PST_OK;
    }
    e = passage->what->read(passage->what->context, out, size, len);
    passage->is_broken_upload = e != PST_OK;
    return e;
}

static struct pst_text
passed_back_name(struct pst_text name)
{
    for (size_t i = 0; i < PST_COUNT(passed_back); i++) {
        if (pst_text_equal_nocase(name, passed_back[i]))
            return passed_back[i];
    }
    return PST_NO_TEXT;
}

/* A token that could not be sent back is none. */
static enum pst_err
take_token(struct passage *passage, struct pst_text value)
{
    if (value.len > 0 && !pst_text_is_field_value(value))
        return PST_OK;
    return pst_arena_text(passage->req->arena, value,
                          &passage->answer->news.token);
}

/* A line too many is no line: the jar would not hold it either. */
static enum pst_err
take_cookie(struct passage *passage, struct pst_text value)
{
    struct jar_news *news = &passage->answer->news;

    if (news->cookie_count == JAR_COOKIES_MAX)
        return PST_OK;
    return pst_arena_text(passage->req->arena, value,
                          &news->cookies[news->cookie_count++]);
}

/* Headers that are lists: several lines of one are one list (RFC 9110
 * section 5.3). */
static bool
is_list(struct pst_text name)
{
    return pst_text_equal(name, PST_TEXT("Vary")) ||
           pst_text_equal(name, PST_TEXT("Allow")) ||
           pst_text_equal(name, PST_TEXT("Content-Language"));
}

/* Keep an allowed header; of one that is no list, the last line counts. */
static enum pst_err
keep_header(struct passage *passage, struct pst_text name,
            struct pst_text value)
{
    struct forward_answer *answer = passage->answer;
    struct pst_buf joined;
    struct pst_text had;
    size_t i = 0;

    while (i < answer->header_count &&
           !pst_text_equal(answer->headers[i].name, name))
        i++;
    had = answer->headers[i].value;
    answer->headers[i].name = name;
    if (i == answer->header_count) {
        answer->header_count++;
        had = PST_NO_TEXT;
    }
    pst_buf_init_arena(&joined, passage->req->arena, had.len + value.len + 2);
    if (had.len > 0 && is_list(name)) {
        pst_buf_add(&joined, had);
        pst_buf_add_string(&joined, ", ");
    }
    pst_buf_add(&joined, value);
    return pst_buf_end(&joined, &answer->headers[i].value);
}

static enum pst_err
take_header(void *context, struct pst_text name, struct pst_text value)
{
    struct passage *passage = context;
    struct forward_answer *answer = passage->answer;
    const struct config_backend *backend = &passage->gate->config->backend;
    struct pst_text known = passed_back_name(name);

    if (backend->token_place == PLACE_HEADER &&
        pst_text_equal_nocase(name, backend->token))
        return take_token(passage, value);
    if (backend->token_place == PLACE_COOKIE &&
        pst_text_equal_nocase(name, PST_TEXT("Set-Cookie")))
        return take_cookie(passage, value);
    if (pst_text_equal_nocase(name, PST_TEXT("Location")))
        return pst_arena_text(passage->req->arena, value, &answer->location);
    if (pst_text_is_absent(known) || !pst_text_is_field_value(value))
        return PST_OK;
    if (pst_text_equal(known, PST_TEXT("Content-Encoding")))
        answer->encoded = !pst_text_equal_nocase(value, PST_TEXT("identity"));
    return keep_header(passage, known, value);
}

static void
copy_headers(struct reply *rep, const struct forward_answer *answer)
{
    reply_set_status(rep, answer->status);
    for (size_t i = 0; i < answer->header_count; i++) {
        const struct reply_header *header = &answer->headers[i];

        if (pst_text_equal(header->name, PST_TEXT("Vary")))
            reply_vary(rep, header->value);
        else
            reply_put(rep, header->name, header->value);
    }
}

static enum pst_err
take_head(void *context, int status)
{
    struct passage *passage = context;
    enum pst_err e;

    passage->answer->status = status;
    /* Never followed, and the client could not follow it either. */
    if (status >= 300 && status < 400 && status != 304) {
        passage->is_redirect = true;
        return PST_UPSTREAM_BROKEN;
    }
    if (!passage->rep)
        return PST_OK;
    if (passage->follow) {
        e = passage->follow->head(passage->follow->context,
                                  &passage->answer->news);
        if (e)
            return e;
    }
    copy_headers(passage->rep, passage->answer);
    passage->sized = !pst_text_is_absent(
        reply_get(passage->rep, PST_TEXT("Content-Length")));
    return reply_begin(passage->rep);
}

/*
 * An answer that does not tell its length may be a stream of events: what is
 * there goes on at once. One that does is only a matter of time.
 */
static enum pst_err
take_body(void *context, struct pst_text piece)
{
    struct passage *passage = context;
    enum pst_err e;

    if (!passage->rep) {
        pst_buf_add(&passage->held, piece);
        return passage->held.err == PST_TOO_LARGE ? PST_UPSTREAM_BROKEN
                                                  : passage->held.err;
    }
    e = reply_write(passage->rep, piece);
    if (e || passage->sized)
        return e;
    return reply_flush(passage->rep);
}

static int64_t
body_length(const struct forward_request *what)
{
    if (!pst_text_is_absent(what->body))
        return (int64_t)what->body.len;
    return what->read ? -1 : 0;
}

static void
log_failure(const struct passage *passage, const struct upstream *upstream,
            enum pst_err e)
{
    struct log *log = passage->gate->log;

    if (passage->is_redirect)
        LOG_EVENT(log, LEVEL_WARNING, "backend-redirects",
                  LOG_STRING("request", passage->req->id),
                  LOG_NUMBER("status", passage->answer->status),
                  LOG_TEXT("target", passage->answer->location));
    else
        LOG_EVENT(log, LEVEL_WARNING, "backend-failed",
                  LOG_STRING("request", passage->req->id),
                  LOG_STRING("cause", pst_err_code(e)),
                  LOG_STRING("why", upstream_why(upstream)));
}

/* While one answer's head is looked at, another request needs a connection of
 * its own; kept for the next time. */
static enum pst_err
pick_upstream(struct gate *gate, struct upstream **out)
{
    enum pst_err e = PST_OK;

    *out = gate->upstream;
    if (!gate->is_exchanging)
        return PST_OK;
    if (!gate->upstream_aside)
        e = upstream_copy(gate->upstream, &gate->upstream_aside);
    if (!e)
        *out = gate->upstream_aside;
    return e;
}

static enum pst_err
run(struct passage *passage, const struct forward_request *what)
{
    struct gate *gate = passage->gate;
    struct request *req = passage->req;
    bool was_exchanging = gate->is_exchanging;
    struct upstream_exchange exchange;
    struct upstream *upstream;
    struct headers *headers;
    enum pst_err e;

    headers = pst_arena_alloc(req->arena, sizeof(*headers));
    if (!headers)
        return PST_NO_MEMORY;
    passage->what = what;
    e = make_headers(gate, req, what, passage->rep == NULL, headers);
    if (!e)
        e = pick_upstream(gate, &upstream);
    if (e)
        return e;
    exchange = (struct upstream_exchange){
        .method = what->method,
        .query = what->query,
        .headers = headers->list,
        .header_count = headers->count,
        .body_length = body_length(what),
        .context = passage,
        .read = pst_text_is_absent(what->body) ? read_streamed : read_own,
        .header = take_header,
        .head = take_head,
        .body = take_body,
        .client = req->source.descriptor,
    };
    gate->is_exchanging = true;
    e = upstream_run(upstream, req->arena, &exchange);
    gate->is_exchanging = was_exchanging;
    if (e && e != PST_CLIENT_GONE && !passage->is_broken_upload)
        log_failure(passage, upstream, e);
    return e;
}

enum pst_err
forward_stream(struct gate *gate, struct request *req, struct reply *rep,
               const struct forward_request *what,
               const struct forward_follow *follow)
{
    struct forward_answer *answer =
        pst_arena_alloc(req->arena, sizeof(*answer));
    struct passage passage = {.gate = gate,
                              .req = req,
                              .rep = rep,
                              .answer = answer,
                              .follow = follow};

    if (!answer)
        return PST_NO_MEMORY;
    return run(&passage, what);
}

enum pst_err
forward_hold(struct gate *gate, struct request *req,
             const struct forward_request *what, struct forward_answer *answer)
{
    struct passage passage = {.gate = gate, .req = req, .answer = answer};
    enum pst_err e;

    *answer = (struct forward_answer){.status = 0};
    pst_buf_init_hold(&passage.held, req->arena, PST_HOLD_MAX);
    e = run(&passage, what);
    if (e)
        return e;
    return pst_buf_end(&passage.held, &answer->body);
}

enum pst_err
forward_relay(struct reply *rep, const struct forward_answer *answer,
              struct pst_text body)
{
    struct pst_buf length;
    char digits[24];
    enum pst_err e;

    copy_headers(rep, answer);
    if (body.ptr != answer->body.ptr)
        reply_unset(rep, PST_TEXT("ETag"));
    pst_buf_init(&length, digits, sizeof(digits));
    pst_buf_add_number(&length, (int64_t)body.len);
    reply_put(rep, PST_TEXT("Content-Length"), pst_buf_text(&length));
    e = reply_begin(rep);
    if (e || body.len == 0)
        return e;
    return reply_write(rep, body);
}

/* SPDX-License-Identifier: ISC */
/*
 * forward.c - what passes to the backend, what passes back, and nothing else.
 */
#include "forward.h"

#include <string.h>

#include "config_check.h"
#include "cors.h"

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
 * X-Forwarded-*, two of the trace, and the token. A request of our own takes
 * fewer of the client's, and has two of its own. */
#define SENT_MAX (CONFIG_PASSED_COUNT + CONFIG_FORWARD_MAX + 6)

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
add_trace(const struct request *req, struct headers *headers)
{
    struct pst_text parent = request_header(req, PST_TEXT("traceparent"));
    enum pst_err e;

    if (is_traceparent(parent)) {
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

/* Of the client's headers, those on the list (cors.h) and no other. */
static void
add_listed(const struct gate *gate, const struct request *req, bool hold,
           struct headers *headers)
{
    for (size_t i = 0;; i++) {
        struct pst_text name = cors_passed_header(gate->config, i);

        if (pst_text_is_absent(name))
            return;
        /* An answer that we have to read must come as it is. */
        if (hold && pst_text_equal(name, PST_TEXT("Accept-Encoding")))
            continue;
        add(headers, name, request_header(req, name));
    }
}

/* Beside a request of our own, only those about language and channel. */
static void
add_own(const struct gate *gate, const struct request *req,
        struct headers *headers)
{
    for (size_t i = 0; i < PST_COUNT(passed_on_own); i++)
        add(headers, passed_on_own[i], request_header(req, passed_on_own[i]));
    for (size_t i = 0; i < gate->config->forward_header_count; i++)
        add(headers, gate->config->forward_headers[i],
            request_header(req, gate->config->forward_headers[i]));
    add(headers, PST_TEXT("Content-Type"), PST_TEXT("application/json"));
    add(headers, PST_TEXT("Accept"), PST_TEXT("application/json"));
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

static enum pst_err
make_headers(struct gate *gate, const struct request *req,
             const struct forward_request *what, bool hold,
             struct headers *headers)
{
    enum pst_err e;

    headers->count = 0;
    if (what->own)
        add_own(gate, req, headers);
    else
        add_listed(gate, req, hold, headers);
    e = add_jar(req, what->upstream, headers);
    if (e)
        return e;
    add_forwarded(gate, req, headers);
    return add_trace(req, headers);
}

/* The exchange. */

/* What the functions that upstream_run() calls work on. */
struct passage {
    struct gate *gate;
    struct request *req;
    struct reply *rep; /* streamed into; NULL: held */
    const struct forward_request *what;
    size_t body_sent; /* octets of what->body */
    struct forward_answer *answer;
    const struct forward_follow *follow;
    struct pst_buf held;
    bool sized;      /* the answer told its length */
    bool is_refused; /* what->watch let a piece not pass */
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
read_client(void *context, char *out, size_t size, size_t *len)
{
    struct passage *passage = context;
    const struct forward_request *what = passage->what;
    enum pst_err e = request_read(passage->req, out, size, len);

    if (e || *len == 0 || !what->watch)
        return e;
    e = what->watch(what->watching, (struct pst_text){out, *len});
    passage->is_refused = e != PST_OK;
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

/* Keep an allowed header; the last one of a name counts. */
static enum pst_err
take_header(void *context, struct pst_text name, struct pst_text value)
{
    struct passage *passage = context;
    struct forward_answer *answer = passage->answer;
    const struct config *config = passage->gate->config;
    struct pst_text known = passed_back_name(name);
    size_t i = 0;
    enum pst_err e;

    if (config->token_place == PLACE_HEADER &&
        pst_text_equal_nocase(name, config->token_name))
        return take_token(passage, value);
    if (config->token_place == PLACE_COOKIE &&
        pst_text_equal_nocase(name, PST_TEXT("Set-Cookie")))
        return take_cookie(passage, value);
    if (pst_text_is_absent(known) || !pst_text_is_field_value(value))
        return PST_OK;
    while (i < answer->header_count &&
           !pst_text_equal(answer->headers[i].name, known))
        i++;
    e = pst_arena_text(passage->req->arena, value, &answer->headers[i].value);
    if (e)
        return e;
    answer->headers[i].name = known;
    if (i == answer->header_count)
        answer->header_count++;
    if (pst_text_equal(known, PST_TEXT("Content-Encoding")))
        answer->encoded = !pst_text_equal_nocase(value, PST_TEXT("identity"));
    return PST_OK;
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
body_length(const struct request *req, const struct forward_request *what)
{
    if (!pst_text_is_absent(what->body))
        return (int64_t)what->body.len;
    if (pst_text_equal(what->method, PST_TEXT("GET")))
        return 0;
    return req->content_length;
}

static enum pst_err
run(struct passage *passage, const struct forward_request *what)
{
    struct gate *gate = passage->gate;
    struct request *req = passage->req;
    bool ours = !pst_text_is_absent(what->body);
    struct upstream_exchange exchange;
    struct headers *headers;
    enum pst_err e;

    headers = pst_arena_alloc(req->arena, sizeof(*headers));
    if (!headers)
        return PST_NO_MEMORY;
    e = make_headers(gate, req, what, passage->rep == NULL, headers);
    if (e)
        return e;
    passage->what = what;
    exchange = (struct upstream_exchange){
        .method = what->method,
        .query = what->query,
        .headers = headers->list,
        .header_count = headers->count,
        .body_length = body_length(req, what),
        .context = passage,
        .read = ours ? read_own : read_client,
        .header = take_header,
        .head = take_head,
        .body = take_body,
        .client = req->source.descriptor,
    };
    e = upstream_run(gate->upstream, req->arena, &exchange);
    if (e && e != PST_CLIENT_GONE && !passage->is_refused)
        LOG_EVENT(gate->log, LEVEL_WARNING, "backend-failed",
                  LOG_STRING("request", req->id),
                  LOG_STRING("cause", pst_err_code(e)),
                  LOG_STRING("why", upstream_why(gate->upstream)));
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

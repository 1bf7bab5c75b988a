/* SPDX-License-Identifier: ISC */
/*
 * doctor_probe.c - send one request to the site for `postern doctor`, and keep
 * the answer.
 */
#include "doctor_probe.h"

#define BODY_MAX ((size_t)64 * 1024)
#define REQUEST_HEADERS_MAX 20
#define CONNECT_TIMEOUT 10 /* seconds */
#define ANSWER_TIMEOUT 30

/* The names under which pages get the user, as a client could write them: with
 * an underscore, some servers make the same variable of them. */
static const char *const identity_headers[] = {
    "X-Session-User",          "X-Session-Subject",
    "X-Session-Name",          "X-Session-Expires",
    "X-Session-Authorization", "X_Session_User",
    "X_Session_Subject",       "Remote-User",
    "X-Remote-User",           "X-Forwarded-User",
};

static enum pst_err
probe_on_header(void *context, struct pst_str name, struct pst_str value)
{
    struct doctor_probe *probe = context;
    struct http_header *header = &probe->headers[probe->header_count];
    enum pst_err e;

    if (probe->header_count == DOCTOR_HEADERS_MAX)
        return PST_OK;
    e = pst_arena_copy(probe->arena, name, &header->name);
    if (!e)
        e = pst_arena_copy(probe->arena, value, &header->value);
    if (!e)
        probe->header_count++;
    return e;
}

static enum pst_err
probe_on_status(void *context, int status)
{
    struct doctor_probe *probe = context;

    probe->status = status;
    return PST_OK;
}

/* A body without an end must not hold us up. */
static enum pst_err
probe_on_body(void *context, struct pst_str piece)
{
    struct doctor_probe *probe = context;
    size_t room = BODY_MAX - probe->body.len;

    probe->is_cut = piece.len > room;
    pst_buf_add(&probe->body,
                probe->is_cut ? pst_str_first(piece, room) : piece);
    return probe->is_cut ? PST_TOO_LARGE : PST_OK;
}

static void
add_header(struct http_exchange *exchange, struct http_header *headers,
           const char *name, const char *value)
{
    if (!value)
        return;
    PST_REQUIRE(exchange->header_count < REQUEST_HEADERS_MAX);
    headers[exchange->header_count++] =
        (struct http_header){pst_str_from(name), pst_str_from(value)};
}

static void
add_headers(struct http_exchange *exchange, struct http_header *headers,
            const struct doctor_request *request)
{
    exchange->headers = headers;
    add_header(exchange, headers, "User-Agent", "postern-doctor");
    add_header(exchange, headers, "Accept",
               request->json ? "application/json" : "*/*");
    add_header(exchange, headers, "Accept-Encoding", "identity");
    add_header(exchange, headers, "Content-Type",
               request->json ? "application/json" : NULL);
    add_header(exchange, headers, "Cookie", request->cookie);
    add_header(exchange, headers, "Origin", request->origin);
    if (request->origin)
        add_header(exchange, headers, "Sec-Fetch-Site",
                   request->is_same_origin ? "same-origin" : "cross-site");
    for (size_t i = 0; i < PST_COUNT(identity_headers); i++)
        add_header(exchange, headers, identity_headers[i], request->forged);
}

static enum pst_err
probe_run(struct doctor_probe *probe, struct pst_str url,
          const struct doctor_request *request)
{
    const struct http_client_options options = {
        .url = url,
        .ca = probe->ca,
        .connect_timeout = CONNECT_TIMEOUT,
        .first_byte_timeout = ANSWER_TIMEOUT,
        .between_bytes_timeout = ANSWER_TIMEOUT,
        .total_timeout = ANSWER_TIMEOUT,
    };
    struct http_header headers[REQUEST_HEADERS_MAX];
    struct http_exchange exchange = {
        .method = request->json ? PST_STR("POST") : PST_STR("GET"),
        .whole_body = pst_str_from(request->json),
        .context = probe,
        .header = probe_on_header,
        .head = probe_on_status,
        .body = probe_on_body,
        .client = -1,
    };
    struct http_client *client = NULL;
    enum pst_err e = http_client_new(&client, &options);

    if (e)
        return e;
    exchange.body_length = (int64_t)exchange.whole_body.len;
    add_headers(&exchange, headers, request);
    e = http_client_run(client, probe->arena, &exchange, &probe->error);
    http_client_free(&client);
    return e;
}

enum pst_err
doctor_probe_send(struct doctor_probe *probe,
                  const struct doctor_request *request)
{
    struct pst_str url;
    struct pst_buf buf;
    enum pst_err e;

    pst_arena_reset(probe->arena);
    probe->status = 0;
    probe->header_count = 0;
    probe->is_cut = false;
    probe->error = (struct http_error){""};
    pst_buf_init_heap(&probe->body, probe->arena, BODY_MAX);
    pst_buf_init_arena(&buf, probe->arena, probe->site.len + 4096);
    pst_buf_add(&buf, probe->site);
    pst_buf_add_string(&buf, request->path);
    e = pst_buf_finish(&buf, &url);
    if (!e)
        e = probe_run(probe, url, request);
    return probe->is_cut ? PST_OK : e;
}

struct pst_str
doctor_probe_header(const struct doctor_probe *probe, const char *name)
{
    for (size_t i = 0; i < probe->header_count; i++)
        if (pst_str_equal_nocase(probe->headers[i].name, pst_str_from(name)))
            return probe->headers[i].value;
    return PST_STR_NONE;
}

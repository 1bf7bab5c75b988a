/* SPDX-License-Identifier: ISC */
/*
 * backend_probe.c - send one GraphQL request to the backend for `postern
 * check`, and say what is wrong if no GraphQL server answers.
 */
#include "backend_probe.h"

#include <sysexits.h>

#include "codec/date.h"
#include "print.h"

/* Bytes of an answer that are kept. */
#define ANSWER_MAX ((size_t)64 * 1024)

static enum pst_err
probe_on_header(void *context, struct pst_str name, struct pst_str value)
{
    struct backend_probe *probe = context;

    if (pst_str_equal_nocase(name, PST_STR("Content-Type")))
        return pst_arena_copy(probe->arena, value, &probe->type);
    if (pst_str_equal_nocase(name, PST_STR("Location")))
        return pst_arena_copy(probe->arena, value, &probe->location);
    if (pst_str_equal_nocase(name, PST_STR("Date")) &&
        pst_date_parse_http(value, &probe->date) != PST_OK)
        probe->date = -1;
    return PST_OK;
}

static enum pst_err
probe_on_status(void *context, int status)
{
    struct backend_probe *probe = context;

    probe->status = status;
    return PST_OK;
}

static enum pst_err
probe_on_body(void *context, struct pst_str piece)
{
    struct backend_probe *probe = context;

    if (probe->answer.len + piece.len <= ANSWER_MAX)
        pst_buf_add(&probe->answer, piece);
    return PST_OK;
}

int
backend_probe_send(struct backend_probe *probe, struct pst_str body)
{
    static const struct http_header headers[] = {
        {{"Content-Type", 12}, {"application/json", 16}},
        {{"Accept", 6}, {"application/json", 16}},
        {{"Accept-Encoding", 15}, {"identity", 8}},
    };
    const struct http_exchange exchange = {
        .method = PST_STR("POST"),
        .headers = headers,
        .header_count = PST_COUNT(headers),
        .whole_body = body,
        .body_length = (int64_t)body.len,
        .context = probe,
        .header = probe_on_header,
        .head = probe_on_status,
        .body = probe_on_body,
        .client = -1,
    };
    struct http_error error;
    enum pst_err e;

    probe->type = probe->location = PST_STR_NONE;
    probe->date = -1;
    pst_buf_init_heap(&probe->answer, probe->arena, ANSWER_MAX);
    e = http_client_run(probe->client, probe->arena, &exchange, &error);
    if (!e)
        return 0;
    print_error_line("POSTERN_UPSTREAM: %s: %s", pst_err_text(e), error.text);
    return EX_UNAVAILABLE;
}

int
backend_probe_report_no_graphql(const struct backend_probe *probe)
{
    if (probe->status >= 300 && probe->status < 400)
        print_error_line(
            "POSTERN_UPSTREAM: the backend redirects (status %d) to %.*s, "
            "and redirects are never followed: set POSTERN_UPSTREAM to "
            "that address if it is the GraphQL server's",
            probe->status, (int)probe->location.len, probe->location.ptr);
    else if (pst_str_starts_nocase(probe->type, PST_STR("text/html")))
        print_error_line(
            "POSTERN_UPSTREAM: the answer is an HTML page (status %d): "
            "correct the path, which does not lead to a GraphQL server",
            probe->status);
    else
        print_error_line(
            "POSTERN_UPSTREAM: the answer is not from a GraphQL server "
            "(status %d, Content-Type %.*s): check the host and the path",
            probe->status, (int)probe->type.len, probe->type.ptr);
    return EX_CONFIG;
}

const struct pst_json *
backend_probe_response(const struct backend_probe *probe)
{
    const struct pst_json *root = NULL;

    if (pst_json_parse(probe->arena, pst_buf_str(&probe->answer), &root) !=
            PST_OK ||
        pst_json_kind(root) != PST_JSON_OBJECT ||
        (!pst_json_get(root, PST_STR("data")) &&
         !pst_json_get(root, PST_STR("errors"))))
        return NULL;
    return root;
}

void
backend_probe_report_message(const char *variable, const char *sentence,
                             const struct pst_json *root)
{
    struct pst_str message =
        pst_json_string(pst_json_at(root, PST_STR("/errors/0/message")));

    print_error_line("%s: %s: %.*s", variable, sentence, (int)message.len,
                     message.ptr);
}

/* SPDX-License-Identifier: ISC */
/*
 * fuzz_response.c - parse any bytes as HTTP/1.1 responses, and check that it
 * does not matter in which pieces they come (L4).
 */
#include <string.h>

#include "base/limits.h"
#include "http/response_body.h"
#include "http/response_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is made of the input. */
struct outcome {
    enum pst_err err;
    int status; /* of the final head; 0: it has not come */
    size_t interim_count;
    size_t body_len;
    uint64_t body_sum;
    bool is_complete;
    bool may_close;
    size_t rest; /* bytes after the body */
};

static enum pst_err
check_header(void *context, struct pst_str name, struct pst_str value)
{
    size_t *count = context;

    PST_REQUIRE(pst_str_is_token(name));
    PST_REQUIRE(pst_str_is_field_value(value));
    PST_REQUIRE(pst_str_equal(pst_str_trim(value), value));
    (*count)++;
    return PST_OK;
}

static void
check_head(const struct response_head *head)
{
    size_t count = 0;

    PST_REQUIRE(head->status >= 100 && head->status <= 599);
    PST_REQUIRE(head->status != 101);
    PST_REQUIRE(head->framing != RESPONSE_LENGTH || head->length >= 0);
    PST_REQUIRE(!head->keeps_open || head->framing != RESPONSE_UNTIL_CLOSE);
    PST_REQUIRE(response_walk_head(head, check_header, &count) == PST_OK);
    PST_REQUIRE(count <= PST_HEADER_COUNT_MAX);
}

/* Read the heads, up to the final one. Returns the bytes that were read. */
static size_t
read_heads(struct pst_str input, size_t step, struct response_head *head,
           struct outcome *out)
{
    struct response_scan scan = {0};
    const char *reason = NULL;
    size_t begin = 0;
    size_t arrived = 0;

    while (!out->err && out->status == 0) {
        struct pst_str bytes = pst_str_skip(input, begin);
        size_t len = 0;

        out->err = response_scan_head(
            &scan, pst_str_first(bytes, arrived - begin), &len, &reason);
        if (!out->err && len > 0) {
            out->err =
                response_parse_head(pst_str_first(bytes, len), head, &reason);
            begin += len;
            scan = (struct response_scan){0};
            if (!out->err) {
                check_head(head);
                out->status = head->status >= 200 ? head->status : 0;
                out->interim_count += head->status < 200;
            }
        } else if (!out->err && arrived == input.len) {
            break;
        } else if (!out->err) {
            arrived += step < input.len - arrived ? step : input.len - arrived;
        }
    }
    PST_REQUIRE((out->err == PST_OK) == (reason == NULL));
    PST_REQUIRE(out->err == PST_OK || out->err == PST_UPSTREAM_BROKEN);
    return begin;
}

static void
read_body(struct pst_str input, size_t step, const struct response_head *head,
          struct outcome *out)
{
    struct response_body body;
    const char *reason = NULL;

    response_body_init(&body, head);
    while (!out->err && input.len > 0 && !response_body_is_complete(&body)) {
        struct pst_str part = pst_str_first(input, step);
        size_t before = part.len;
        struct pst_str piece;

        out->err = response_body_take(&body, &part, &piece, &reason);
        if (out->err)
            break;
        PST_REQUIRE(piece.len <= before - part.len);
        PST_REQUIRE(piece.len == 0 || piece.ptr >= input.ptr);
        for (size_t i = 0; i < piece.len; i++)
            out->body_sum = out->body_sum * 31 + (uint8_t)piece.ptr[i];
        out->body_len += piece.len;
        input = pst_str_skip(input, before - part.len);
    }
    out->rest = out->err ? 0 : input.len;
    out->is_complete = response_body_is_complete(&body);
    PST_REQUIRE((out->err == PST_OK) == (reason == NULL));
    out->may_close = response_body_close(&body, &reason) == PST_OK;
    if (head->framing == RESPONSE_LENGTH)
        PST_REQUIRE((int64_t)out->body_len <= head->length &&
                    out->is_complete ==
                        ((int64_t)out->body_len == head->length));
}

/* Read the input in pieces of `step` bytes. */
static struct outcome
read_response(struct pst_str input, size_t step)
{
    struct outcome out;
    struct response_head head;
    size_t begin;

    memset(&out, 0, sizeof(out));
    begin = read_heads(input, step, &head, &out);
    if (!out.err && out.status > 0)
        read_body(pst_str_skip(input, begin), step, &head, &out);
    return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7, 64};
    struct pst_str input = pst_str_from_bytes((struct pst_bytes){data, size});
    struct outcome whole = read_response(input, size > 0 ? size : 1);

    for (size_t i = 0; i < PST_COUNT(steps); i++) {
        struct outcome out = read_response(input, steps[i]);

        PST_REQUIRE(out.err == whole.err && out.status == whole.status &&
                    out.interim_count == whole.interim_count &&
                    out.body_len == whole.body_len &&
                    out.body_sum == whole.body_sum && out.rest == whole.rest &&
                    out.is_complete == whole.is_complete &&
                    out.may_close == whole.may_close);
    }
    return 0;
}

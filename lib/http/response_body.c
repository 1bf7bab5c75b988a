/* SPDX-License-Identifier: ISC */
/*
 * response_body.c - find the body of a response, and its end, in the bytes that
 * arrive (RFC 9112 section 6).
 */
#include "http/response_body.h"

void
response_body_init(struct response_body *body, const struct response_head *head)
{
    *body = (struct response_body){
        .framing = head->framing,
        .left = head->framing == RESPONSE_LENGTH ? (uint64_t)head->length : 0};
}

bool
response_body_is_complete(const struct response_body *body)
{
    switch (body->framing) {
    case RESPONSE_CHUNKED:
        return body->chunked.state == CHUNKED_DONE;
    case RESPONSE_UNTIL_CLOSE:
        return false;
    default:
        return body->left == 0;
    }
}

enum pst_err
response_body_take(struct response_body *body, struct pst_str *bytes,
                   struct pst_str *piece, const char **reason)
{
    if (body->framing == RESPONSE_CHUNKED)
        return chunked_decode(&body->chunked, bytes, piece, reason);
    *piece = *bytes;
    if (body->framing != RESPONSE_UNTIL_CLOSE) {
        if (body->left < bytes->len)
            *piece = pst_str_first(*bytes, (size_t)body->left);
        body->left -= piece->len;
    }
    *bytes = pst_str_skip(*bytes, piece->len);
    return PST_OK;
}

enum pst_err
response_body_close(const struct response_body *body, const char **reason)
{
    if (body->framing == RESPONSE_UNTIL_CLOSE ||
        response_body_is_complete(body))
        return PST_OK;
    *reason = "the backend closed the connection before the end of the body";
    return PST_UPSTREAM_BROKEN;
}

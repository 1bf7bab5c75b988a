/* SPDX-License-Identifier: ISC */
/*
 * forward_headers.h - make the headers of a request to the backend: the
 * client's that are listed, our own, and the session's credentials.
 */
#ifndef POSTERN_GATEWAY_FORWARD_HEADERS_H
#define POSTERN_GATEWAY_FORWARD_HEADERS_H

#include "gateway/forward.h"
#include "server/config_names.h"

/* The client's, three of X-Forwarded-*, two of the trace, the credentials, and
 * three about bodies. */
#define FORWARD_HEADERS_MAX \
    (CONFIG_DEFAULT_FORWARD_COUNT + CONFIG_FORWARD_MAX + 9)

struct forward_header_list {
    struct http_header list[FORWARD_HEADERS_MAX];
    size_t count;
};

/*
 * Collect the headers of a request.
 *   is_buffered  the response will be read here: it must not be encoded
 *   out          set on PST_OK
 * Returns PST_OK, PST_NO_MEMORY, or what credentials_emit_header() returns.
 */
PST_MUST_USE enum pst_err
forward_make_headers(const struct context *ctx, const struct request *req,
                     const struct forward_request *outgoing, bool is_buffered,
                     struct forward_header_list *out);

#endif

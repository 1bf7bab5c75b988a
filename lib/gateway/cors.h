/* SPDX-License-Identifier: ISC */
/*
 * cors.h - what a page of another origin may send and read (Fetch, section
 * 3.2): exactly the origins that are listed, and nothing for any other.
 */
#ifndef POSTERN_GATEWAY_CORS_H
#define POSTERN_GATEWAY_CORS_H

#include "gateway/context.h"

/*
 * Say in the reply that a listed origin may read it, the token header
 * included: for every answer of our own, an error too (U7). Varies by Origin.
 * Not for authorize: a server may pass what it says on to a page that is not
 * ours (Apache does), and who may read that is the page's to say.
 */
void cors_allow_origin(const struct context *ctx, const struct request *req,
                       struct response *res);

/*
 * Answer an OPTIONS: 204, and to a listed origin's preflight what it may send.
 *   methods  such as "GET, POST, OPTIONS"
 */
PST_MUST_USE enum pst_err cors_answer_preflight(const struct context *ctx,
                                                const struct request *req,
                                                struct response *res,
                                                const char *methods);

/* A request header that passes to the backend: index 0.., absent at the end. */
struct pst_str cors_get_forward_header(const struct config *config,
                                       size_t index);

#endif

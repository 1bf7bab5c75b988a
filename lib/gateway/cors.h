/* SPDX-License-Identifier: ISC */
/*
 * cors.h - CORS (Fetch standard, section 3.2): allow the pages of listed
 * origins to send requests and read the responses.
 */
#ifndef POSTERN_GATEWAY_CORS_H
#define POSTERN_GATEWAY_CORS_H

#include "gateway/context.h"

/*
 * Set the headers that let a page of a listed origin read the response and its
 * token header; also for errors. Adds Origin to Vary.
 * Not for authorize: Apache copies its headers to the response of another
 * program, and that program must decide who may read it.
 */
void cors_allow_origin(const struct context *ctx, const struct request *req,
                       struct response *res);

/*
 * Answer an OPTIONS request with 204, and tell the preflight of a listed origin
 * which methods and headers it may send.
 *   methods  such as "GET, POST, OPTIONS"
 * Returns as response_begin().
 */
PST_MUST_USE enum pst_err cors_answer_preflight(const struct context *ctx,
                                                const struct request *req,
                                                struct response *res,
                                                const char *methods);

/* A request header that is forwarded to the backend, by index from 0; absent:
 * there are no more. */
struct pst_str cors_get_forward_header(const struct config *config,
                                       size_t index);

#endif

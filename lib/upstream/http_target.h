/* SPDX-License-Identifier: ISC */
/*
 * http_target.h - check the options of an HTTP client (URL, CA file, timeouts),
 * and keep a copy of them.
 */
#ifndef POSTERN_UPSTREAM_HTTP_TARGET_H
#define POSTERN_UPSTREAM_HTTP_TARGET_H

#include "upstream/http_client.h"

struct http_target {
    char *url;
    char *ca;                /* PEM file; NULL: the system's certificates */
    int64_t connect_timeout; /* milliseconds, each */
    int64_t first_byte_timeout;
    int64_t between_bytes_timeout;
};

/*
 * Check the options and copy them.
 *   target  the caller's storage; pass it to http_target_fini() on success
 *           and on failure
 * Whether the URL can be parsed is left to the HTTP library.
 * Returns PST_OK; PST_BAD_CONFIG (no http:// or https:// URL, longer than
 * PST_URL_MAX bytes, a control byte or a fragment in it, a timeout outside 1
 * second to one year); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
http_target_init(struct http_target *target,
                 const struct http_client_options *options);

/* The options that give this target; they point into it. */
struct http_client_options
http_target_options(const struct http_target *target);

void http_target_fini(struct http_target *target);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * response_body.h - find the body of a response, and its end, in the bytes that
 * arrive (RFC 9112 section 6).
 */
#ifndef POSTERN_HTTP_RESPONSE_BODY_H
#define POSTERN_HTTP_RESPONSE_BODY_H

#include "http/chunked.h"
#include "http/response_head.h"

struct response_body {
    enum response_framing framing;
    uint64_t left; /* bytes, for RESPONSE_LENGTH */
    struct chunked chunked;
};

/* Begin the body that a head announces. */
void response_body_init(struct response_body *body,
                        const struct response_head *head);

/* Is the end known to be reached? Never for RESPONSE_UNTIL_CLOSE. */
bool response_body_is_complete(const struct response_body *body);

/*
 * Take the next piece of the body.
 *   bytes   what has arrived; what is read is removed. Bytes after the end of
 *           the body stay
 *   piece   set on PST_OK to a slice of them; empty: there is no more in them
 *   reason  set on PST_UPSTREAM_BROKEN: what is wrong, for the log
 * Returns PST_OK; PST_UPSTREAM_BROKEN as chunked_decode().
 */
PST_MUST_USE enum pst_err response_body_take(struct response_body *body,
                                             struct pst_str *bytes,
                                             struct pst_str *piece,
                                             const char **reason);

/*
 * The connection was closed. Returns PST_OK where this is the end of the body,
 * or PST_UPSTREAM_BROKEN with the reason where bytes are missing.
 */
PST_MUST_USE enum pst_err response_body_close(const struct response_body *body,
                                              const char **reason);

#endif

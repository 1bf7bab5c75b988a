/* SPDX-License-Identifier: ISC */
/*
 * bearer.h - parse Authorization: Bearer, write WWW-Authenticate (RFC 6750).
 */
#ifndef POSTERN_HTTP_BEARER_H
#define POSTERN_HTTP_BEARER_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/*
 * Parse an Authorization header: the scheme "Bearer" in any case, one or more
 * spaces, a b64token, spaces.
 *   header  the value; may be absent
 *   token   set on PST_OK to a slice of header; empty when there is nothing
 *           after "Bearer". An empty token is never valid
 * Returns PST_OK; PST_NOT_FOUND (no header, or another scheme); PST_FORGED
 * (what follows is not one b64token, such as "a b", or two headers that a
 * server has joined with a comma).
 * Source: RFC 6750 section 2.1.
 */
PST_MUST_USE enum pst_err pst_bearer_parse(struct pst_str header,
                                           struct pst_str *token);

/*
 * Write a WWW-Authenticate value (RFC 6750 section 3): error="invalid_token"
 * when the request had a token. Without a token there may be no error, but one
 * parameter is required: a realm.
 */
void pst_bearer_emit_challenge(struct pst_buf *buf, bool had_token);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * bearer.h - Authorization: Bearer (RFC 6750 sections 2.1 and 3).
 */
#ifndef POSTERN_HTTP_BEARER_H
#define POSTERN_HTTP_BEARER_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/*
 * Read an Authorization header's value: the scheme in any case, one or more
 * spaces, a b64token, and spaces after it.
 *   header  may be absent
 *   token   set on PST_OK to a slice of header; empty, which opens nothing,
 *           when there is nothing after "Bearer"
 * Returns PST_OK; PST_NOT_FOUND when there is no header, or another scheme;
 * PST_FORGED when what follows is no single b64token
 * (such as "a b", or two headers that a server joined with a comma).
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_bearer_parse(struct pst_str header,
                                                      struct pst_str *token);

/*
 * The WWW-Authenticate value: error="invalid_token" if a token came, else
 * only a realm, for RFC 6750 section 3 wants one parameter at least.
 */
PST_EXPORT void pst_bearer_emit_challenge(struct pst_buf *buf, bool had_token);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * claims.h - write and read the claims of a session, as JSON.
 *
 *   {"v":2,"sid":...,"sub":...,"name":...,"iat":...,"exp":...,"seen":...,
 *    "remember":...,"who":{...},"upstream":...,"known":"unknown","asked":...,
 *    "refresh":{"token":"...","begun":...,"end":...}}
 *
 * The fields of struct pst_session have the same names; begun and end are
 * token_begun and token_end. sid is base64url, times are unix seconds. upstream
 * is left out where the session has no credentials, known where it follows from
 * sub, asked where the backend was never asked, and refresh where there is no
 * refresh token.
 */
#ifndef POSTERN_SESSION_CLAIMS_H
#define POSTERN_SESSION_CLAIMS_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"
#include "session/session.h"

#define PST_SESSION_VERSION 2 /* the claim "v" */

/*
 * Write the claims of a session.
 *   buf      its error is set to PST_TOO_LARGE when a field is over its limit,
 *            or to PST_MALFORMED when sub or name is not UTF-8
 *   session  who, upstream and refresh are JSON, and are written as they are
 */
void pst_claims_emit(struct pst_buf *buf, const struct pst_session *session);

/*
 * Read claims. Each must be there, of its type and within its limit; only
 * upstream, known, asked and refresh may be missing, and there may be no other.
 * Times are integers >= 0, exp is after iat, and end after begun. known is
 * "unknown" and only allowed with an empty sub. upstream is one of
 *   - a string that is not empty: a token
 *   - an object with at least one member, all strings: cookies by name
 *   - an array of one string: the key of a session that the store keeps
 *   claims  from a token whose tag has been checked
 *   out     set on PST_OK only; its slices live as long as arena; who,
 *           upstream and refresh are slices of claims
 * Returns PST_OK, PST_FORGED (anything is wrong with them), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err pst_claims_parse(struct pst_arena *arena,
                                           struct pst_str claims,
                                           struct pst_session *out);

/*
 * Check that claims read as the session from which they were written. who,
 * upstream and refresh are written as they are: if one is not exactly one JSON
 * value, it adds members to the claims.
 *   claims  as pst_claims_emit() wrote them
 * Returns PST_OK; PST_FORGED (they cannot be read, or who, upstream, known,
 * asked or refresh is another one); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
pst_session_verify_claims(struct pst_arena *arena, struct pst_str claims,
                          const struct pst_session *session);

#endif

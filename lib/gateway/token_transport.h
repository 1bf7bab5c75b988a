/* SPDX-License-Identifier: ISC */
/*
 * token_transport.h - seal a session into a cookie or a bearer token, and open
 * it again. A session that is too large for either is kept in the store.
 *
 * A session in the store is sealed under a key of its own that only the token
 * has. So neither the store nor our secret alone opens it. The key is derived
 * from our secret and the session's id; the store knows only the id's hash.
 */
#ifndef POSTERN_GATEWAY_TOKEN_TRANSPORT_H
#define POSTERN_GATEWAY_TOKEN_TRANSPORT_H

#include "gateway/context.h"
#include "session/session.h"

/* What is issued. Slices live as long as the arena. */
struct transport {
    struct pst_str cookie; /* the value of Set-Cookie; absent: none */
    struct pst_str bearer; /* the value of the token header; absent: none */
    struct pst_bytes blob; /* of a new session: what the store is to keep
                              (registry_replace()); absent: nothing */
};

/*
 * Open a token: length, shape, key, tag, then the claims, then the store where
 * the token says so. The session's times are not checked.
 *   purpose   PST_PURPOSE_COOKIE (a user's), PST_PURPOSE_GUEST (a guest's
 *             cookie), or PST_PURPOSE_BEARER (either)
 *   session   set on PST_OK; its slices live as long as the arena
 *   is_stale  set on PST_OK: an older secret sealed it
 * Returns PST_OK, PST_FORGED, PST_REVOKED (no longer in the store),
 * PST_STORE_DOWN, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err
transport_verify(struct context *ctx, struct pst_arena *arena,
                 enum pst_purpose purpose, struct pst_str token,
                 struct pst_session *session, bool *is_stale);

/*
 * Seal a session for each method.
 *   methods  enum config_token_method flags
 *   is_new   true: nothing is stored yet; out->blob is what is to be stored.
 *            false: its blob in the store is replaced only if there is one, so
 *            that a late request does not bring back a revoked session
 *   out      set on PST_OK
 * Returns PST_OK; PST_TOO_LARGE (too large for a token without a store, or for
 * the store); PST_REVOKED (not new, and no longer in the store);
 * PST_STORE_DOWN; PST_NO_RANDOM; PST_NO_MEMORY; PST_INTERNAL.
 */
PST_MUST_USE enum pst_err transport_issue(struct context *ctx,
                                          struct pst_arena *arena,
                                          unsigned methods,
                                          const struct pst_session *session,
                                          bool is_new, struct transport *out);

#endif

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

/* A token of a request, and what it was sent as. */
struct transport_token {
    enum pst_purpose purpose; /* PST_PURPOSE_COOKIE (a user's),
                                 PST_PURPOSE_GUEST (a guest's cookie), or
                                 PST_PURPOSE_BEARER (either) */
    struct pst_str text;
};

/*
 * Open a token: length, shape, key, tag, then the claims, then the store where
 * the token says so. The session's times are not checked.
 *   session   set on PST_OK; its slices live as long as the arena
 *   is_from_older_secret  set on PST_OK: an older secret sealed it
 * Returns PST_OK, PST_FORGED, PST_REVOKED (no longer in the store),
 * PST_STORE_DOWN, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err transport_verify(struct context *ctx,
                                           struct pst_arena *arena,
                                           struct transport_token token,
                                           struct pst_session *session,
                                           bool *is_from_older_secret);

/*
 * Seal a new session for each method.
 *   methods  enum config_token_method flags
 *   out      set on PST_OK; its blob is to be stored
 * Returns PST_OK; PST_TOO_LARGE (too large for a token without a store, or for
 * the store); PST_NO_RANDOM; PST_NO_MEMORY; PST_INTERNAL.
 */
PST_MUST_USE enum pst_err
transport_issue(struct context *ctx, struct pst_arena *arena, unsigned methods,
                const struct pst_session *session, struct transport *out);

/*
 * Seal a session again that was issued before. A blob in the store is replaced
 * only if there is one, so that a late request does not bring back a revoked
 * session.
 *   methods, out  as for transport_issue(); there is no blob
 * Returns as transport_issue(); PST_REVOKED (no longer in the store);
 * PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err transport_reissue(struct context *ctx,
                                            struct pst_arena *arena,
                                            unsigned methods,
                                            const struct pst_session *session,
                                            struct transport *out);

#endif

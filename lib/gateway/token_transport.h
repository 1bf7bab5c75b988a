/* SPDX-License-Identifier: ISC */
/*
 * token_transport.h - a session sealed into what travels, and opened again:
 * cookie, bearer token, and, where it does not fit these, the store
 * (design 2.2).
 *
 * A session in the store is sealed under a key of its own that only the
 * token carries, so that neither the store nor our secret opens it alone. It
 * is made of our secret and of the session's id, of which the store knows but
 * the hash: whoever seals the same session at the same moment has the same.
 */
#ifndef POSTERN_GATEWAY_TOKEN_TRANSPORT_H
#define POSTERN_GATEWAY_TOKEN_TRANSPORT_H

#include "gateway/context.h"
#include "session/session.h"

/* What goes out. Slices live as long as the arena they were made in. */
struct transport {
    struct pst_str cookie; /* the Set-Cookie line; absent: none */
    struct pst_str bearer; /* the token header's value; absent: none */
    struct pst_bytes blob; /* of a new session: what the store is to keep of
                              it (registry_replace()); absent: nothing */
};

/*
 * Open a token: length, shape, key, tag, then JSON, then (where the token
 * says so) the store.
 *   purpose   PST_PURPOSE_COOKIE (names a user), PST_PURPOSE_GUEST (a cookie
 *             that names nobody), or PST_PURPOSE_BEARER (either)
 *   session   set on PST_OK; its clocks are not looked at
 *   is_stale  set on PST_OK: an older secret sealed it
 * Returns PST_OK, PST_FORGED, PST_REVOKED (no longer in the store),
 * PST_STORE_DOWN, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err
transport_verify(struct context *ctx, struct pst_arena *arena,
                 enum pst_purpose purpose, struct pst_str token,
                 struct pst_session *session, bool *is_stale);

/*
 * Seal a session for each way it is to go; a guest's cookie is one of its own.
 *   methods    enum config_token_method flags
 *   is_new  true: nothing is stored yet, out->blob is what is to be.
 *           false: what the store holds of it is replaced only if it is
 *           still there, so that a request in flight revives nothing
 * Returns PST_OK; PST_TOO_LARGE (there is no store, or even that has no room
 * for it); PST_REVOKED (not new, and gone from the store); PST_STORE_DOWN,
 * PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err transport_issue(struct context *ctx,
                                          struct pst_arena *arena,
                                          unsigned methods,
                                          const struct pst_session *session,
                                          bool is_new, struct transport *out);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * listed_name.h - the user's name on a list of sessions: sealed, so that the
 * store has no names. Only the secret opens it. It is bound to the session.
 */
#ifndef POSTERN_GATEWAY_LISTED_NAME_H
#define POSTERN_GATEWAY_LISTED_NAME_H

#include "gateway/context.h"
#include "session/session.h"

/* Bytes of a name on a list. A longer one is cut before the character that
 * does not fit. */
#define LISTED_NAME_MAX 128

/*
 * Set listed->sealed_name. A session without a name leaves it as it is.
 *   listed  its sid is set; sealed_name lives as long as the arena
 * Returns PST_OK, PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err listed_name_seal(const struct context *ctx,
                                           struct pst_arena *arena,
                                           const struct pst_session *session,
                                           struct store_session *listed);

/*
 * Open the name of a listed session.
 *   name  set on PST_OK; lives as long as the arena
 * Returns PST_OK; PST_NOT_FOUND (it has none); PST_FORGED (its secret is gone,
 * or somebody changed the record); PST_NO_MEMORY; PST_INTERNAL.
 */
PST_MUST_USE enum pst_err listed_name_open(const struct pst_keyring *ring,
                                           struct pst_arena *arena,
                                           const struct store_session *listed,
                                           struct pst_str *name);

#endif

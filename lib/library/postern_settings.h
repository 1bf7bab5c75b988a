/* SPDX-License-Identifier: ISC */
/*
 * postern_settings.h - the public library's settings: make a struct
 * pst_sessions of the caller's struct pst_settings.
 */
#ifndef POSTERN_POSTERN_SETTINGS_H
#define POSTERN_POSTERN_SETTINGS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "crypto/keyring.h"
#include "crypto/token.h"
#include "http/cookie.h"
#include "postern.h"
#include "session/session.h"

/* Nothing in it changes once it is made, so that threads may share it. */
struct pst_sessions {
    struct pst_arena *arena; /* the texts below */
    struct pst_keyring *ring;
    struct pst_cookie cookie;  /* a user's, all but its value */
    struct pst_str guest_name; /* of a guest's cookie */
    struct pst_str older_name; /* the user's before __Host-Http-; or absent */
    struct pst_session_timeouts clocks;
    enum pst_token_format format;
    bool allows_guests;
    int64_t (*clock)(void *clock_context);
    void *clock_context;
};

/*
 * Fill in all but the arena, which must be there.
 *   sessions  on failure settings_drop() is still needed
 *   reason    set to a sentence on PST_BAD_CONFIG; a string literal
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err settings_apply(struct pst_sessions *sessions,
                                         const struct pst_settings *settings,
                                         const char **reason);

/* Wipe the keys and free what settings_apply() took, and the arena. */
void settings_drop(struct pst_sessions *sessions);

/* The time, unix seconds. PST_INTERNAL where it cannot be a time. */
PST_MUST_USE enum pst_err settings_now(const struct pst_sessions *sessions,
                                       int64_t *now);

#endif

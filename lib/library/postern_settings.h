/* SPDX-License-Identifier: ISC */
/*
 * postern_settings.h - the public library's settings: make a struct
 * pst_sessions from the caller's struct pst_settings.
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

/* It never changes after it is made, so that threads may share it. */
struct pst_sessions {
    struct pst_arena *arena; /* of the strings below */
    struct pst_keyring *ring;
    struct pst_cookie cookie;  /* the user's, without its value */
    struct pst_str guest_name; /* name of a guest's cookie */
    struct pst_str older_name; /* the user's with __Host-; may be absent */
    struct pst_session_timeouts clocks;
    enum pst_token_format format;
    bool allows_guests;
    int64_t (*clock)(void *clock_context);
    void *clock_context;
};

/*
 * Check the settings and fill in sessions.
 *   sessions  zeroed, except its arena, which the caller has made. After a
 *             failure, too, settings_fini() must be called
 *   reason    set to a sentence, a string literal, on PST_BAD_CONFIG only
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err settings_apply(struct pst_sessions *sessions,
                                         const struct pst_settings *settings,
                                         const char **reason);

/* Wipe the keys, and free them and the arena. */
void settings_fini(struct pst_sessions *sessions);

/* Read the clock, in unix seconds. Returns PST_OK, PST_INTERNAL (the time is
 * negative or too far in the future). */
PST_MUST_USE enum pst_err settings_now(const struct pst_sessions *sessions,
                                       int64_t *now);

#endif

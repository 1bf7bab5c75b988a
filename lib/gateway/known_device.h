/* SPDX-License-Identifier: ISC */
/*
 * known_device.h - a sealed cookie that marks a device on which a user has
 * logged in: make it, and open it. Failed logins from elsewhere do not use up
 * the attempts of such a device.
 *
 * The cookie's name is that of the session with "-device" after it; its
 * attributes are the same. It is sealed for a purpose of its own and lasts
 * KNOWN_DEVICE_LIFETIME. A login by cookie sets it; a logout leaves it. It
 * holds a random id, and hashes of the last names that logged in there. The
 * names are compared byte for byte: a device that knows "victim" does not know
 * "Victim". The attack: guess the victim's password with the attempts of a
 * device that knows the attacker's own, similar name.
 *
 * It is not a session: it only gives attempts (store/throttle.h).
 */
#ifndef POSTERN_GATEWAY_KNOWN_DEVICE_H
#define POSTERN_GATEWAY_KNOWN_DEVICE_H

#include "gateway/context.h"

#define KNOWN_DEVICE_LIFETIME PST_COOKIE_AGE_MAX /* seconds */

/* Names that one device knows, such as those of a family. A new one replaces
 * the oldest. */
#define KNOWN_DEVICE_NAMES_MAX 4

/* Bytes of a name's hash: the first half of its SHA-256. */
#define KNOWN_DEVICE_HASH_LEN 16

/* The device of a request. All zero: unknown. */
struct known_device {
    bool is_known; /* there is a cookie, and it opened */
    uint8_t id[PST_SID_LEN];
    uint8_t names[KNOWN_DEVICE_NAMES_MAX]
                 [KNOWN_DEVICE_HASH_LEN]; /* hashes; the newest first */
    size_t name_count;
};

/*
 * Open the cookie. One that does not open or has expired is ignored, and so are
 * two of them.
 *   header  Cookie; may be absent
 *   out     set on PST_OK; look at is_known
 * Returns PST_OK, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err known_device_open(const struct context *ctx,
                                            struct pst_arena *arena,
                                            struct pst_str header,
                                            struct known_device *out);

/*
 * The id under which the throttle counts a login on this device.
 *   name  as the user typed it
 * Returns a slice of device; absent where it does not know exactly this name.
 */
struct pst_bytes known_device_id(const struct known_device *device,
                                 struct pst_str name);

/*
 * Make the cookie after a login.
 *   device  from the request; where it is unknown a new id is drawn
 *   name    added to its names
 *   line    set on PST_OK: the value of Set-Cookie, in the arena
 * Returns PST_OK, PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err known_device_issue(struct context *ctx,
                                             struct pst_arena *arena,
                                             const struct known_device *device,
                                             struct pst_str name,
                                             struct pst_str *line);

#endif

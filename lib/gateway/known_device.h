/* SPDX-License-Identifier: ISC */
/*
 * known_device.h - the cookie of a device on which somebody has logged in
 * (design 2.5): who guesses elsewhere cannot use up its budgets.
 *
 * The cookie is called like the session's with "-device" after it, and has its
 * attributes. It is sealed for a purpose of its own, lasts
 * KNOWN_DEVICE_LIFETIME, is set by a login by cookie, and stays when the user
 * logs out. It holds a random id and the last names that were right there, as
 * hashes of their very bytes: a device knows "victim" and not "Victim". The
 * attack: to guess at a victim from the budget of a device that knows the
 * attacker's own account.
 *
 * It is no session: all it gives is a budget (store/throttle.h).
 */
#ifndef POSTERN_GATEWAY_KNOWN_DEVICE_H
#define POSTERN_GATEWAY_KNOWN_DEVICE_H

#include "gateway/context.h"

#define KNOWN_DEVICE_LIFETIME PST_COOKIE_AGE_MAX /* seconds */

/* Names that one device knows: a household's. The oldest gives way. */
#define KNOWN_DEVICE_NAMES_MAX 4

/* Bytes of a name's hash: the first half of its SHA-256. */
#define KNOWN_DEVICE_HASH_LEN 16

/* What a request's cookie says. All zero: there is none. */
struct known_device {
    bool is_known; /* there is a cookie, and it opened */
    uint8_t id[PST_SID_LEN];
    uint8_t names[KNOWN_DEVICE_NAMES_MAX]
                 [KNOWN_DEVICE_HASH_LEN]; /* the newest first */
    size_t name_count;
};

/*
 * Open the cookie. One that does not open, has ended, or stands twice is none,
 * and nothing is said about it.
 *   header  Cookie; may be absent
 *   out     set on PST_OK; look at is_known
 * Returns PST_OK, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err known_device_open(const struct context *ctx,
                                            struct pst_arena *arena,
                                            struct pst_str header,
                                            struct known_device *out);

/*
 * The id by which the throttle counts a login on this device.
 *   name  in its very bytes
 * Absent where the device does not know this identical name. Lives as long as
 * device.
 */
struct pst_bytes known_device_id(const struct known_device *device,
                                 struct pst_str name);

/*
 * Make the cookie after a login: the same device, or a new one, that knows this
 * name and those before it.
 *   line  set on PST_OK: the value of a Set-Cookie line
 * Returns PST_OK, PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err known_device_issue(struct context *ctx,
                                             struct pst_arena *arena,
                                             const struct known_device *device,
                                             struct pst_str name,
                                             struct pst_str *line);

#endif

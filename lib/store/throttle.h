/* SPDX-License-Identifier: ISC */
/*
 * throttle.h - rate limits on login attempts, per account and per address.
 *
 * The counters are in the store, so all processes and machines share them. An
 * attempt acquires from its budgets before the backend is asked: of many
 * concurrent guesses no more pass than the rate allows. When it turns out not
 * to be a guess, it is refunded.
 *
 * An account has two budgets: the configured one, and the streak:
 * PST_LOGIN_FAILURES_MAX failures in a row. The streak recovers so slowly that
 * a patient attacker gains little after the first hundred. The account is the
 * name that is bound to our login document, folded (codec/name_fold.h), so all
 * spellings share both budgets.
 *
 * A success refunds its attempt. It also resets the streak, but only the
 * failures under the identical name, byte for byte. The attack: 9 wrong
 * passwords for "victim", then the right one for the attacker's own account,
 * "victim" with an accent, again and again. So each spelling is counted beside
 * the account, and a success takes off only the share of its spelling.
 *
 * The attack: somebody who keeps guessing at an account uses up its budgets,
 * and so locks its owner out. Therefore a device on which somebody has logged
 * in under this identical name (gateway/known_device.h) has budgets of its own,
 * and uses only those.
 */
#ifndef POSTERN_STORE_THROTTLE_H
#define POSTERN_STORE_THROTTLE_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/rate.h"
#include "store/store.h"

/* The configured rates, and the store that counts. */
struct throttle {
    struct store *store;
    struct rate account; /* limit 0: off, and so is the streak */
    struct rate address; /* limit 0: off */
};

/* An attempt to log in. */
struct throttle_login {
    /* The exact value of the name variable. Empty is a name like any other.
     * Absent: the login has no name, and is counted only by address. */
    struct pst_str name;

    /* The client's address. IPv6 is counted by /64, IPv4 inside IPv6 as IPv4.
     * Absent or empty (a Unix socket): no limit by address. */
    struct pst_str address;

    /* The id of the device, if it knows this identical name
     * (known_device_id()); otherwise absent. */
    struct pst_bytes device;
};

/* What an attempt acquired. All zero: nothing. */
struct throttle_attempt {
    struct store_counter counters[STORE_COUNTERS_MAX];
    size_t count;
    size_t streak_count; /* so many counters, the first ones, are streaks */
};

/*
 * Acquire one attempt from each budget of the login, or none from any.
 *   attempt      set on PST_OK
 *   retry_after  set on PST_THROTTLED: seconds for Retry-After, 1 or more, the
 *                longest of all budgets
 * When the backend refuses the login, in whatever form, it was a guess, and the
 * caller does nothing. The caller refunds an attempt that was not a guess: the
 * backend was not reached, or rejected the document itself.
 * Returns PST_OK, PST_THROTTLED, PST_MALFORMED (the name is not UTF-8: 400),
 * PST_STORE_DOWN, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err throttle_acquire(const struct throttle *throttle,
                                           const struct throttle_login *login,
                                           int64_t now,
                                           struct throttle_attempt *attempt,
                                           int64_t *retry_after);

/*
 * The same for a request that checks the password of the user who is logged in:
 * counted by the session's subject, separately from login names. It is never
 * refunded, so there is no streak.
 *   subject  not empty
 */
PST_MUST_USE enum pst_err throttle_acquire_subject(
    const struct throttle *throttle, struct pst_str subject, int64_t now,
    struct throttle_attempt *attempt, int64_t *retry_after);

/*
 * The same for a user's session that begins or ends without a password: counted
 * by address, at the same rate, but separately from guesses. Not for guest
 * sessions: a server that renders pages makes them all from one address.
 */
PST_MUST_USE enum pst_err throttle_acquire_address(
    const struct throttle *throttle, struct pst_str address, int64_t now,
    struct throttle_attempt *attempt, int64_t *retry_after);

/* The attempt was not a guess: give back what it acquired. Does nothing the
 * second time. Returns PST_OK or PST_STORE_DOWN. */
PST_MUST_USE enum pst_err throttle_refund(const struct throttle *throttle,
                                          struct throttle_attempt *attempt,
                                          int64_t now);

/*
 * The password was right: give back what the attempt acquired, and reset the
 * streak of this identical name (or of this device). Does nothing the second
 * time. Returns PST_OK or PST_STORE_DOWN; the login may go on all the same.
 */
PST_MUST_USE enum pst_err throttle_reset(const struct throttle *throttle,
                                         struct throttle_attempt *attempt,
                                         int64_t now);

/*
 * How long to wait until a failed login has taken POSTERN_LOGIN_FLOOR.
 * The attack: a backend hashes the password only if the account exists, so the
 * time of a refusal reveals which accounts exist. Therefore all refusals take
 * the same time.
 *   started_ms  clock_ms() when the whole request had been read: a client that
 *               sends its body slowly must not use up the time
 *   now_ms      clock_ms()
 *   floor_ms    0: no minimum
 * Returns milliseconds, 0 or more.
 */
int64_t throttle_floor_remaining(int64_t started_ms, int64_t now_ms,
                                 int64_t floor_ms);

/* Wait for that long. To be called after every result but success, before any
 * part of the response is sent. */
void throttle_floor_wait(int64_t started_ms, int64_t floor_ms);

/*
 * Reset the budgets of an account, in all its spellings, and of an address:
 * that of guesses, and that of sessions without a password. Those of devices
 * that know the account are not changed.
 *   name     absent: no account
 *   address  absent: no address. A caller's bug: both are absent.
 *   in_use   set on PST_OK: how many of the budgets were in use
 * Returns PST_OK, PST_MALFORMED (the name is not UTF-8), PST_STORE_DOWN,
 * PST_INTERNAL.
 */
PST_MUST_USE enum pst_err throttle_unlock(const struct throttle *throttle,
                                          struct pst_str name,
                                          struct pst_str address, int64_t now,
                                          int64_t *in_use);

#endif

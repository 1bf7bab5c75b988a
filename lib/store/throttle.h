/* SPDX-License-Identifier: ISC */
/*
 * throttle.h - how often a password may be guessed (design 2.5).
 *
 * Counted per account and per address, in the store, so by all processes and
 * machines together. An attempt acquires from its budgets before the backend
 * is asked: of many guesses at once no more pass than the rate allows. What it
 * acquired is refunded when it was no guess.
 *
 * An account has two budgets: the configured one, and PST_LOGIN_FAILURES_MAX
 * failures in a row, which comes back so slowly that a patient attacker gains
 * little after the first hundred. The account is the name that is bound to our
 * login document, folded (codec/name_fold.h), so all spellings share both.
 *
 * A success gives back what its attempt acquired. It also ends the failures in
 * a row, but only those under the identical name, byte for byte. The attack:
 * 9 wrong passwords for "victim", then the right one for the attacker's own
 * account "victim" with an accent, again and again. So each spelling is counted
 * beside the account, and a success takes only the spelling's share off.
 *
 * Who keeps guessing at an account uses up the account's budgets. So a device
 * on which somebody has logged in under this identical name
 * (gateway/known_device.h) has budgets of its own, and those alone: others
 * cannot lock its owner out.
 */
#ifndef POSTERN_STORE_THROTTLE_H
#define POSTERN_STORE_THROTTLE_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/rate.h"
#include "store/store.h"

/* What is configured, and where it is counted. */
struct throttle {
    struct store *store;
    struct rate account; /* limit 0: off, and the streak with it */
    struct rate address; /* limit 0: off */
};

/* Who tries to log in. */
struct throttle_login {
    /* The value bound to the name variable, in its very bytes. Empty is a name
     * like any other. Absent: the login has none, and is counted by address
     * alone. */
    struct pst_str name;

    /* The client's address: IPv4 whole, IPv6 by /64, IPv4 inside IPv6 as IPv4.
     * Absent or empty (a Unix socket): no budget of an address. */
    struct pst_str address;

    /* Its id where a device knows this identical name (known_device_open()),
     * else absent. */
    struct pst_bytes device;
};

/* What an attempt acquired. All zero: nothing. */
struct throttle_attempt {
    struct store_counter counters[STORE_COUNTERS_MAX];
    size_t count;
    size_t streak_count; /* so many, the first, count failures in a row */
};

/*
 * Acquire one attempt from each budget of the login, or none from any.
 *   attempt      set on PST_OK; when the login fails, nothing more is to be
 *                done
 *   retry_after  set on PST_THROTTLED: seconds for Retry-After, 1 or more; the
 *                longest of all budgets
 * A refusal by the backend is a guess and stays acquired, whatever its form:
 * a 401 as text/plain as well. The caller refunds what was no guess: the
 * backend was not reached, or complained of the document itself.
 * Returns PST_OK, PST_THROTTLED, PST_MALFORMED (the name is not UTF-8: 400),
 * PST_STORE_DOWN, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err throttle_acquire(const struct throttle *throttle,
                                           const struct throttle_login *login,
                                           int64_t now,
                                           struct throttle_attempt *attempt,
                                           int64_t *retry_after);

/*
 * The same for a request that checks the password of whoever is logged in: by
 * the session's subject, apart from all names of logins. It is never given
 * back, so there is no count of failures in a row.
 *   subject  not empty
 */
PST_MUST_USE enum pst_err throttle_acquire_subject(
    const struct throttle *throttle, struct pst_str subject, int64_t now,
    struct throttle_attempt *attempt, int64_t *retry_after);

/*
 * The same for a user's session that begins or ends without a password: by
 * address alone, at the same rate, but counted apart from guesses. Not for
 * guest sessions: a rendering server has them all from one address.
 */
PST_MUST_USE enum pst_err throttle_acquire_address(
    const struct throttle *throttle, struct pst_str address, int64_t now,
    struct throttle_attempt *attempt, int64_t *retry_after);

/* It was no guess: give back what was acquired, once. Returns PST_OK or
 * PST_STORE_DOWN. */
PST_MUST_USE enum pst_err throttle_refund(const struct throttle *throttle,
                                          struct throttle_attempt *attempt,
                                          int64_t now);

/*
 * The password was right: give back what was acquired, and end the failures in
 * a row under this identical name (or of this device). Once.
 * Returns PST_OK or PST_STORE_DOWN, which need not stop a login.
 */
PST_MUST_USE enum pst_err throttle_reset(const struct throttle *throttle,
                                         struct throttle_attempt *attempt,
                                         int64_t now);

/*
 * Failed logins take one time (POSTERN_LOGIN_FLOOR), whether the account exists
 * or not: a backend may hash the password only where there is an account, and
 * the time would tell (L66).
 *   started_ms  by clock_ms(), once the whole request has been read: a client
 *               that sends its body slowly must not use the time up before the
 *               backend is asked
 *   now_ms      by clock_ms()
 *   floor_ms    0: no floor
 * Returns the milliseconds that are still to be waited, 0 or more.
 */
int64_t throttle_floor_remaining(int64_t started_ms, int64_t now_ms,
                                 int64_t floor_ms);

/* Wait for that long: for whatever came of the password but success, before
 * anything of the answer goes out. */
void throttle_floor_wait(int64_t started_ms, int64_t floor_ms);

/*
 * Free the budgets of an account, whatever it is spelt like, and of an
 * address. Those of devices that know the account stay as they are.
 *   name     absent: no account
 *   address  absent: no address
 *   in_use     set on PST_OK: how many of the budgets were in use
 * Returns PST_OK, PST_MALFORMED (the name is not UTF-8), PST_STORE_DOWN,
 * PST_INTERNAL. PST_REQUIREs that one of the two is given.
 */
PST_MUST_USE enum pst_err throttle_unlock(const struct throttle *throttle,
                                          struct pst_str name,
                                          struct pst_str address, int64_t now,
                                          int64_t *in_use);

#endif

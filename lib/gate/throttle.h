/* SPDX-License-Identifier: ISC */
/*
 * throttle.h - how often a password may be guessed (design 2.5).
 *
 * Per account and per address, counted in the store, so by all processes and
 * machines together. Only failures count: an attempt takes from its budgets
 * before the backend is asked, so that many guesses at once pass no more
 * than the rate allows, and gives back when it was none.
 *
 * An account has two budgets: what is configured, which somebody patient never
 * spends, and PST_LOGIN_STREAK, which ends patience too: it comes back so
 * slowly that weeks of guessing pass few more than the first hundred.
 *
 * Who keeps guessing at an account uses up the account's budgets, and would
 * lock its owner out. So a device that had a remembered session of this very
 * account has its own two, and those alone: nobody else can spend them.
 */
#ifndef GATE_THROTTLE_H
#define GATE_THROTTLE_H

#include "base.h"
#include "err.h"
#include "limits.h"
#include "rate.h"
#include "store.h"
#include "text.h"

/* What is configured, and where it is counted. */
struct throttle {
    struct store *store;
    struct rate account; /* limit 0: off, and the streak with it */
    struct rate address; /* limit 0: off */
};

/* Who tries to log in. */
struct throttle_visitor {
    /* As typed: only its printable ASCII counts, in either case. Empty: no
     * budget of an account. */
    struct pst_text account;

    /* REMOTE_ADDR: IPv4 whole, IPv6 by /64, IPv4 inside IPv6 as IPv4. Absent
     * or empty (a Unix socket): no budget of an address. */
    struct pst_text address;

    /* The id of a remembered session that opened, however old, and that is
     * this account's own: the caller has compared. Absent for strangers. A
     * session of another account must not be given here, or its owner could
     * guess at everybody's. */
    struct pst_bytes device;

    /* The request brings other strings that may be the account as well, and
     * this one may be a constant that everybody sends: no streak is counted,
     * which would shut everybody out for hours. */
    bool is_one_of_many;
};

/* The account's two, and the address's. */
#define THROTTLE_BUDGETS_MAX 3

/* What an attempt took. */
struct throttle_attempt {
    struct store_counter counters[THROTTLE_BUDGETS_MAX];
    size_t count;
    size_t
        account_count; /* so many, the first, are the account's or device's */
};

static_assert(THROTTLE_BUDGETS_MAX <= STORE_COUNTERS_MAX,
              "one call must take from all budgets, or from none");

/*
 * Take one attempt from each budget of the visitor, or none from any; the
 * longest wait of any is the one that is told.
 *   attempt      set on PST_OK; when it fails, nothing more is to be done
 *   retry_after  set on PST_THROTTLED: seconds for Retry-After, 1 or more
 * Returns PST_OK, PST_THROTTLED, PST_STORE_DOWN, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err throttle_begin(const struct throttle *throttle,
                                         const struct throttle_visitor *visitor,
                                         int64_t now,
                                         struct throttle_attempt *attempt,
                                         int64_t *retry_after);

/*
 * The password was right: the budgets of the account (or of the known device)
 * are whole again, and the address gets its attempt back.
 * Returns PST_OK or PST_STORE_DOWN, which need not stop a login.
 */
PST_MUST_USE enum pst_err throttle_pass(const struct throttle *throttle,
                                        struct throttle_attempt *attempt,
                                        int64_t now);

/* It was no guess: the backend did not answer. Gives back what was taken.
 * Returns PST_OK or PST_STORE_DOWN. */
PST_MUST_USE enum pst_err throttle_cancel(const struct throttle *throttle,
                                          struct throttle_attempt *attempt,
                                          int64_t now);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * timers.h - a set of timers, of which the one that expires first is known: a
 * binary heap. For one thread.
 */
#ifndef POSTERN_ENGINE_TIMERS_H
#define POSTERN_ENGINE_TIMERS_H

#include "base/base.h"
#include "base/error.h"

/* One timer, in its owner's storage; zero at first. */
struct timer {
    int64_t at; /* of clock_ms() */
    void (*on_expire)(struct timer *timer);
    void *owner;  /* the caller's, for on_expire() */
    size_t place; /* in the heap, from 1; 0: it is not set */
};

struct timers {
    struct timer **heap;
    size_t count;
    size_t size;
};

void timers_init(struct timers *timers);
void timers_fini(struct timers *timers);

/*
 * Make room, so that this many timers can be set.
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err timers_reserve(struct timers *timers, size_t count);

/* Set a timer; there must be room for it. If it is set already, move it. */
void timers_set(struct timers *timers, struct timer *timer, int64_t at);

/* Clear a timer; does nothing if it is not set. */
void timers_clear(struct timers *timers, struct timer *timer);

/* When the first one expires; INT64_MAX: none is set. */
int64_t timers_first(const struct timers *timers);

/* Clear and call every timer that has expired by `now`. on_expire() may set
 * and clear timers. */
void timers_run(struct timers *timers, int64_t now);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * fiber.h - a fiber: a function with a stack of its own, which can stop in the
 * middle and go on later. Switching costs no system call.
 *
 * A fiber belongs to the thread that made it, and runs there only.
 */
#ifndef POSTERN_ENGINE_FIBER_H
#define POSTERN_ENGINE_FIBER_H

#include "base/base.h"
#include "base/error.h"

struct fiber;
typedef void fiber_fn(void *argument);

/*
 * Make a fiber. Its stack has a guard page below it: an overflow is a SIGSEGV
 * there, which fiber_report_overflow() explains.
 *   owner  the caller's, for fiber_owner()
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err fiber_new(struct fiber **out, void *owner);

void *fiber_owner(const struct fiber *fiber);

/* Free a fiber that is not in a function. */
void fiber_free(struct fiber **fiber);

/* Give a fiber that is in no function one to run. It runs at the first
 * fiber_resume(). */
void fiber_assign(struct fiber *fiber, fiber_fn *fn, void *argument);

/* Is the fiber in a function, and what is its argument? */
bool fiber_is_busy(const struct fiber *fiber);
void *fiber_argument(const struct fiber *fiber);

/*
 * Run the fiber until it suspends itself or its function returns. Not from
 * within a fiber. Afterwards its stack is wiped when the function returned.
 * Returns whether it is still in its function.
 */
bool fiber_resume(struct fiber *fiber);

/* Stop here, and return from fiber_resume(). Only within a fiber. */
void fiber_suspend(void);

/* The fiber that runs in this thread; NULL outside of fibers. */
struct fiber *fiber_current(void);

/*
 * Call a function on the thread's own large stack, for libraries with deep
 * stacks. It must not wait. Outside of fibers it is a plain call.
 */
void fiber_call_outside(fiber_fn *fn, void *argument);

/* Let SIGSEGV in the guard page of a stack print what happened, before it ends
 * the process. For each thread that runs fibers; once. */
void fiber_report_overflow(void);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * fiber.c - a fiber: a function with a stack of its own.
 *
 * makecontext() prepares a stack once; from then on sigsetjmp() and
 * siglongjmp() switch, without the system call of swapcontext(). The method is
 * that of QEMU's coroutines.
 */

/* The fortified longjmp() takes a jump to another stack for an attack. */
#undef _FORTIFY_SOURCE

#include "engine/fiber.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "crypto/crypto.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

/* Sanitizers make frames several times as large. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_SIZE ((size_t)1024 * 1024)
#else
#define STACK_SIZE ((size_t)64 * 1024)
#endif

#define GUARD_SIZE ((size_t)64 * 1024) /* below a stack; many whole pages */
#define STEP_SIZE ((size_t)4096) /* the use of a stack is noted in these */

/* Uses of a stack between two exact measurements of its depth. */
#define MEASURE_INTERVAL 64

struct fiber {
    sigjmp_buf env;
    fiber_fn *fn; /* NULL: it is in no function */
    void *argument;
    void *owner;
    uint8_t *stack; /* STACK_SIZE bytes above a guard page */
    uint8_t *top;   /* what is below it is free between two functions */
    uint8_t *low;   /* what is below it is zero; a page boundary */
    unsigned use_count;
#ifdef __SANITIZE_ADDRESS__
    void *fake_stack;
#endif
#ifdef __SANITIZE_THREAD__
    void *tsan;
#endif
};

/* What a thread knows of its fibers. */
static _Thread_local struct {
    struct fiber *current;
    sigjmp_buf env; /* of fiber_resume() */
    fiber_fn *outside_fn;
    void *outside_argument;
#ifdef __SANITIZE_ADDRESS__
    void *fake_stack;
    const void *stack;
    size_t stack_size;
#endif
#ifdef __SANITIZE_THREAD__
    void *tsan;
#endif
} thread;

/* Tell the sanitizers that the thread leaves its stack for the fiber's. */
static inline __attribute__((always_inline)) void
sanitizer_enter(struct fiber *fiber)
{
    (void)fiber;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&thread.fake_stack, fiber->stack,
                                   STACK_SIZE);
#endif
#ifdef __SANITIZE_THREAD__
    thread.tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->tsan, 0);
#endif
}

/* The fiber leaves its stack for the thread's. */
static inline __attribute__((always_inline)) void
sanitizer_leave(struct fiber *fiber)
{
    (void)fiber;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&fiber->fake_stack, thread.stack,
                                   thread.stack_size);
#endif
#ifdef __SANITIZE_THREAD__
    __tsan_switch_to_fiber(thread.tsan, 0);
#endif
}

/* The fiber has arrived on its stack. */
static inline __attribute__((always_inline)) void
sanitizer_entered(struct fiber *fiber)
{
    (void)fiber;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(fiber->fake_stack, &thread.stack,
                                    &thread.stack_size);
#endif
}

/* The thread has arrived on its own stack. */
static inline __attribute__((always_inline)) void
sanitizer_left(void)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(thread.fake_stack, NULL, NULL);
#endif
}

/* Suspend a fiber. A macro, because a function that calls sigsetjmp() must not
 * return before the jump, and cannot be inlined. */
#define SWITCH_TO_THREAD(fiber)                \
    do {                                       \
        if (sigsetjmp((fiber)->env, 0) == 0) { \
            sanitizer_leave(fiber);            \
            siglongjmp(thread.env, 1);         \
        }                                      \
        sanitizer_entered(fiber);              \
    } while (0)

/* Note where the stack of a fiber ends that is in no function. */
static __attribute__((noinline)) void
fiber_mark_top(struct fiber *fiber)
{
    fiber->top = __builtin_frame_address(0);
}

/* Where every fiber begins; makecontext() passes a pointer in two halves. */
static void
fiber_main(unsigned low, unsigned high)
{
    struct fiber *fiber =
        (struct fiber *)(uintptr_t)((uint64_t)high << 32 | low);

    sanitizer_entered(fiber);
    fiber_mark_top(fiber);
    for (;;) {
        SWITCH_TO_THREAD(fiber);
        fiber->fn(fiber->argument);
        fiber->fn = NULL;
    }
}

/* Run fiber_main() up to its first switch. */
static enum pst_err
fiber_prepare(struct fiber *fiber)
{
    const uint64_t address = (uintptr_t)fiber;
    ucontext_t context;

    if (getcontext(&context) != 0)
        return PST_NO_MEMORY;
    context.uc_stack.ss_sp = fiber->stack;
    context.uc_stack.ss_size = STACK_SIZE;
    context.uc_link = NULL;
    makecontext(&context, (void (*)(void))fiber_main, 2, (unsigned)address,
                (unsigned)(address >> 32));
    if (sigsetjmp(thread.env, 0) == 0) {
        sanitizer_enter(fiber);
        setcontext(&context);
    }
    sanitizer_left();
    return PST_OK;
}

enum pst_err
fiber_new(struct fiber **out, void *owner)
{
    struct fiber *fiber = calloc(1, sizeof(*fiber));
    uint8_t *mapped;

    if (!fiber)
        return PST_NO_MEMORY;
    mapped =
        mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED || mprotect(mapped, GUARD_SIZE, PROT_NONE) != 0) {
        if (mapped != MAP_FAILED)
            munmap(mapped, GUARD_SIZE + STACK_SIZE);
        free(fiber);
        return PST_NO_MEMORY;
    }
    fiber->owner = owner;
    fiber->stack = mapped + GUARD_SIZE;
    fiber->low = fiber->stack + STACK_SIZE - STEP_SIZE;
#ifdef __SANITIZE_ADDRESS__
    __lsan_register_root_region(fiber->stack, STACK_SIZE);
#endif
#ifdef __SANITIZE_THREAD__
    fiber->tsan = __tsan_create_fiber(0);
#endif
    if (fiber_prepare(fiber) != PST_OK) {
        fiber_free(&fiber);
        return PST_NO_MEMORY;
    }
    *out = fiber;
    return PST_OK;
}

void
fiber_free(struct fiber **fiber)
{
    struct fiber *freed = *fiber;

    if (!freed)
        return;
    PST_REQUIRE(!freed->fn);
#ifdef __SANITIZE_ADDRESS__
    __lsan_unregister_root_region(freed->stack, STACK_SIZE);
    __asan_unpoison_memory_region(freed->stack, STACK_SIZE);
#endif
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(freed->tsan);
#endif
    munmap(freed->stack - GUARD_SIZE, GUARD_SIZE + STACK_SIZE);
    free(freed);
    *fiber = NULL;
}

void *
fiber_owner(const struct fiber *fiber)
{
    return fiber->owner;
}

bool
fiber_is_busy(const struct fiber *fiber)
{
    return fiber->fn != NULL;
}

void *
fiber_argument(const struct fiber *fiber)
{
    return fiber->argument;
}

void
fiber_assign(struct fiber *fiber, fiber_fn *fn, void *argument)
{
    PST_REQUIRE(!fiber->fn && fn);
    fiber->fn = fn;
    fiber->argument = argument;
}

static bool
page_is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, STEP_SIZE - 1) == 0;
}

/* Put the mark at the lowest page that has content, and release those below:
 * one request that went deep must not make all later ones slower. */
static void
fiber_measure(struct fiber *fiber)
{
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char is_resident[STACK_SIZE / STEP_SIZE];
    size_t page = 0;

    if (mincore(fiber->stack, STACK_SIZE, is_resident) != 0)
        return;
    while (page < STACK_SIZE / page_size && !(is_resident[page] & 1))
        page++;
    fiber->low = fiber->stack + page * page_size;
    while (fiber->low < fiber->top - STEP_SIZE && page_is_zero(fiber->low))
        fiber->low += STEP_SIZE;
    (void)madvise(fiber->stack,
                  (size_t)(fiber->low - fiber->stack) & ~(page_size - 1),
                  MADV_DONTNEED);
}

/* Wipe what a function has left on the stack. How deep it went is measured now
 * and then; in between, the page below the mark tells by its content. */
static void
fiber_wipe(struct fiber *fiber)
{
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(fiber->stack,
                                  (size_t)(fiber->top - fiber->stack));
#endif
    if (fiber->use_count++ % MEASURE_INTERVAL == 0)
        fiber_measure(fiber);
    while (fiber->low > fiber->stack && !page_is_zero(fiber->low - STEP_SIZE))
        fiber->low -= STEP_SIZE;
    pst_crypto_wipe(fiber->low, (size_t)(fiber->top - fiber->low));
}

/* Run the current fiber until it suspends itself. */
static void
fiber_enter(void)
{
    if (sigsetjmp(thread.env, 0) == 0) {
        sanitizer_enter(thread.current);
        siglongjmp(thread.current->env, 1);
    }
    sanitizer_left();
}

bool
fiber_resume(struct fiber *fiber)
{
    PST_REQUIRE(!thread.current && fiber->fn);
    do {
        thread.outside_fn = NULL;
        thread.current = fiber;
        fiber_enter();
        thread.current = NULL;
        if (thread.outside_fn)
            thread.outside_fn(thread.outside_argument);
    } while (thread.outside_fn);
    if (fiber->fn)
        return true;
    fiber_wipe(fiber);
    return false;
}

void
fiber_suspend(void)
{
    PST_REQUIRE(thread.current);
    SWITCH_TO_THREAD(thread.current);
}

struct fiber *
fiber_current(void)
{
    return thread.current;
}

void
fiber_call_outside(fiber_fn *fn, void *argument)
{
    if (!thread.current) {
        fn(argument);
        return;
    }
    thread.outside_fn = fn;
    thread.outside_argument = argument;
    fiber_suspend();
}

#ifndef __SANITIZE_ADDRESS__ /* it reports the same itself */
/* Print what a SIGSEGV in a guard page means; then the fault repeats, and ends
 * the process as it would have. */
static void
on_segv(int number, siginfo_t *info, void *context)
{
    static const char text[] =
        "postern: bug: the stack of a fiber has overflowed\n";
    const struct fiber *fiber = thread.current;
    const uint8_t *address = info->si_addr;

    (void)context;
    if (fiber && address < fiber->stack && address >= fiber->stack - GUARD_SIZE)
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    signal(number, SIG_DFL);
}
#endif

void
fiber_report_overflow(void)
{
#ifndef __SANITIZE_ADDRESS__
    static _Thread_local uint8_t stack[16 * 1024];
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_sigaction = on_segv,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};

    if (sigaltstack(&alternate, NULL) == 0)
        (void)sigaction(SIGSEGV, &action, NULL);
#endif
}

/* SPDX-License-Identifier: ISC */
/*
 * test_fiber.c - fibers run in turn, each on a stack of its own, which is wiped
 * after each function and guarded below.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/fiber.h"

#define MANY 200
#define TRACE_MAX 64

static struct fiber *fibers[MANY];
static char trace[TRACE_MAX]; /* what has run, a letter each */
static size_t trace_len;

static void
note(char letter)
{
    assert_true(trace_len < sizeof(trace) - 1);
    trace[trace_len++] = letter;
    trace[trace_len] = '\0';
}

static int
set_up(void **state)
{
    (void)state;
    trace_len = 0;
    trace[0] = '\0';
    return 0;
}

static struct fiber *
new_fiber(void)
{
    struct fiber *fiber = NULL;

    assert_int_equal(fiber_new(&fiber, trace), PST_OK);
    return fiber;
}

/* Note the letter at `argument`, three times. */
static void
note_thrice(void *argument)
{
    const char *letter = argument;

    for (int i = 0; i < 3; i++) {
        note(letter[0]);
        assert_non_null(fiber_current());
        assert_ptr_equal(fiber_argument(fiber_current()), argument);
        if (i < 2)
            fiber_suspend();
    }
}

static void
test_turns(void **state)
{
    struct fiber *first = new_fiber();
    struct fiber *second = new_fiber();
    char a[] = "a";
    char b[] = "b";

    (void)state;
    assert_ptr_equal(fiber_owner(first), trace);
    assert_false(fiber_is_busy(first));
    fiber_assign(first, note_thrice, a);
    fiber_assign(second, note_thrice, b);
    assert_true(fiber_is_busy(first));
    assert_string_equal(trace, ""); /* nothing runs before it is resumed */
    assert_true(fiber_resume(first));
    assert_null(fiber_current());
    assert_true(fiber_resume(second));
    assert_true(fiber_resume(first));
    assert_false(fiber_resume(first));
    assert_false(fiber_is_busy(first));
    assert_true(fiber_resume(second));
    assert_false(fiber_resume(second));
    assert_string_equal(trace, "abaabb");
    fiber_free(&first);
    assert_null(first);
    fiber_free(&first); /* does nothing */
    fiber_free(&second);
}

static void
test_next_function(void **state)
{
    struct fiber *fiber = new_fiber();
    char letters[] = "abc";

    (void)state;
    for (int i = 0; i < 3; i++) {
        fiber_assign(fiber, note_thrice, letters + i);
        while (fiber_resume(fiber))
            continue;
    }
    assert_string_equal(trace, "aaabbbccc");
    fiber_free(&fiber);
}

/* What a fiber has in its variables stays through many turns of others. */
static void
sum_up(void *argument)
{
    size_t *sum = argument;
    volatile size_t mine[100];

    for (size_t i = 0; i < PST_COUNT(mine); i++) {
        mine[i] = *sum + i;
        fiber_suspend();
    }
    for (size_t i = 0; i < PST_COUNT(mine); i++)
        *sum += mine[i] == i ? 1 : 1000;
}

static void
test_many(void **state)
{
    static size_t sums[MANY];
    size_t busy = MANY;

    (void)state;
    memset(sums, 0, sizeof(sums));
    for (size_t i = 0; i < MANY; i++) {
        fibers[i] = new_fiber();
        fiber_assign(fibers[i], sum_up, &sums[i]);
    }
    while (busy > 0)
        for (size_t i = 0; i < MANY; i++)
            if (fiber_is_busy(fibers[i]) && !fiber_resume(fibers[i]))
                busy--;
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(sums[i], 100);
        fiber_free(&fibers[i]);
    }
}

/* Use so many KiB of stack. */
static __attribute__((noinline)) size_t
use_stack(size_t kib)
{
    volatile char frame[1024];

    frame[0] = (char)kib;
    return kib == 0 ? 0 : use_stack(kib - 1) + (size_t)frame[0];
}

/* Use more stack than a fiber has. */
static void
use_much_stack(void *argument)
{
    (void)use_stack(3000);
    assert_null(fiber_current());
    note(*(char *)argument);
}

static void
call_outside(void *argument)
{
    char inner = 'o';

    note('1');
    fiber_call_outside(use_much_stack, &inner);
    note('2');
    fiber_call_outside(use_much_stack, argument);
    assert_non_null(fiber_current());
    fiber_suspend();
    note('3');
}

static void
test_call_outside(void **state)
{
    struct fiber *fiber = new_fiber();
    char letter[] = "p";

    (void)state;
    fiber_call_outside(use_much_stack, letter); /* a plain call here */
    assert_string_equal(trace, "p");
    fiber_assign(fiber, call_outside, letter);
    assert_true(fiber_resume(fiber)); /* returns at fiber_suspend() only */
    assert_string_equal(trace, "p1o2p");
    assert_false(fiber_resume(fiber));
    assert_string_equal(trace, "p1o2p3");
    fiber_free(&fiber);
}

#define SECRET 0x5ec2e7

/* What leave_secrets() has filled, as addresses. */
static uintptr_t secrets;
static uintptr_t secrets_end;

/* Fill so many KiB of stack with secrets. */
static __attribute__((noinline)) uint32_t
leave_secrets(size_t kib)
{
    volatile uint32_t words[256];
    uint32_t sum = 0;

    for (size_t i = 0; i < PST_COUNT(words); i++)
        words[i] = SECRET;
    secrets = (uintptr_t)words;
    if (kib > 1)
        sum = leave_secrets(kib - 1);
    return sum + words[kib];
}

static void
run_secrets(void *argument)
{
    size_t kib = *(size_t *)argument;
    volatile uint32_t here = 0;

    secrets_end = (uintptr_t)&here;
    (void)leave_secrets(kib);
    fiber_suspend();
}

/* Count the secrets that are still there. */
static __attribute__((noinline, no_sanitize_address)) size_t
count_secrets(void)
{
    size_t count = 0;

    for (uintptr_t at = secrets; at < secrets_end; at += sizeof(uint32_t))
        count += *(const volatile uint32_t *)at == SECRET;
    return count;
}

/* Nothing of one request is on the stack of the next (L45), however deep it
 * went: deeper than ever before, and deep once after many that were not. */
static void
test_stack_is_wiped(void **state)
{
    static const size_t depths[] = {1, 1, 3, 40, 1, 40, 9, 20, 45, 50, 1, 50};
    struct fiber *fiber = new_fiber();

    (void)state;
    for (size_t i = 0; i < 600; i++) {
        size_t kib = i % 50 < PST_COUNT(depths) ? depths[i % 50] : 1;

        fiber_assign(fiber, run_secrets, &kib);
        assert_true(fiber_resume(fiber));
        /* They are found before the function returns. */
        assert_in_range(count_secrets(), kib * 128, kib * 512);
        assert_false(fiber_resume(fiber));
        if (count_secrets() > 0)
            fail_msg("use %zu: %zu words are left", i, count_secrets());
    }
    fiber_free(&fiber);
}

/* Is the page that holds this address in memory? */
static bool
is_page_resident(uintptr_t address)
{
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = (void *)(address - address % page_size);
    unsigned char is_resident = 0;

    assert_int_equal(mincore(page, page_size, &is_resident), 0);
    return (is_resident & 1) != 0;
}

/* The stack of one function that went deep is given back some time later. */
static void
test_unused_stack_is_released(void **state)
{
    struct fiber *fiber = new_fiber();
    uintptr_t deepest = UINTPTR_MAX;
    size_t kib = 40;

    (void)state;
    for (size_t i = 0; i < 200; i++, kib = 1) {

        fiber_assign(fiber, run_secrets, &kib);
        (void)fiber_resume(fiber);
        (void)fiber_resume(fiber);
        deepest = secrets < deepest ? secrets : deepest;
    }
    assert_false(is_page_resident(deepest));
    fiber_free(&fiber);
}

static void
run_overflow(void *argument)
{
    *(size_t *)argument = use_stack(3000);
}

/* In a child: end with the signal, after an explanation on standard error. */
static void
overflow_in_child(int out)
{
    const struct rlimit no_core = {0, 0};
    struct fiber *fiber = new_fiber();
    size_t result = 0;

    setrlimit(RLIMIT_CORE, &no_core);
    dup2(out, STDERR_FILENO);
    fiber_report_overflow();
    fiber_assign(fiber, run_overflow, &result);
    fiber_resume(fiber);
    _exit(0);
}

static void
test_overflow_is_reported(void **state)
{
    static char text[16384];
    int ends[2];
    size_t len = 0;
    ssize_t got;
    int status = 0;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        overflow_in_child(ends[1]);
    close(ends[1]);
    while ((got = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)got;
    close(ends[0]);
    text[len] = '\0';
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#ifndef __SANITIZE_ADDRESS__ /* it would explain it, but for cmocka's handler \
                              */
    if (!strstr(text, "the stack of a fiber has overflowed"))
        fail_msg("status %d, and it printed '%s'", status, text);
#endif
}

static void *
run_in_thread(void *argument)
{
    struct fiber *fiber = NULL;
    size_t *sum = argument;

    if (fiber_new(&fiber, NULL) != PST_OK)
        return NULL;
    fiber_assign(fiber, sum_up, sum);
    while (fiber_resume(fiber))
        continue;
    fiber_free(&fiber);
    return NULL;
}

/* Threads have fibers of their own at the same time. */
static void
test_threads(void **state)
{
    pthread_t threads[4];
    size_t sums[4] = {0};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(threads); i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, run_in_thread, &sums[i]), 0);
    for (size_t i = 0; i < PST_COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sums[i], 100);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_turns, set_up),
        cmocka_unit_test_setup(test_next_function, set_up),
        cmocka_unit_test_setup(test_many, set_up),
        cmocka_unit_test_setup(test_call_outside, set_up),
        cmocka_unit_test_setup(test_stack_is_wiped, set_up),
        cmocka_unit_test_setup(test_unused_stack_is_released, set_up),
        cmocka_unit_test_setup(test_overflow_is_reported, set_up),
        cmocka_unit_test_setup(test_threads, set_up),
    };

    return cmocka_run_group_tests_name("fiber", tests, NULL, NULL);
}

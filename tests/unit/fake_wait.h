/* SPDX-License-Identifier: ISC */
/*
 * fake_wait.h - for tests: waits in epoll_wait(2) and poll(2) that end at the
 * time that the fake clock has then reached, at once: where nothing is ready,
 * they let that time pass. Waits without a time limit are real. Link it with
 * fake_clock.c.
 */
#ifndef TESTS_FAKE_WAIT_H
#define TESTS_FAKE_WAIT_H

#include <stdbool.h>
#include <stddef.h>

/* Do waits skip the time? At first they do. If not, they are real, for tests
 * of which another thread will end the wait. */
void fake_wait_set_skipping(bool is_skipping);

/* How often waits had a time limit above 0. */
size_t fake_wait_count(void);

/* Set a function that is called where a wait would begin, with or without a
 * time limit. True: it has made something happen. NULL: none. */
void fake_wait_set_hook(bool (*hook)(void));

#endif

/* SPDX-License-Identifier: ISC */
/*
 * stores.h - an LMDB store or a Redis server in a temporary folder, for tests.
 */
#ifndef TESTS_STORES_H
#define TESTS_STORES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <sys/types.h>

#include "store/store.h"

/* The time of the tests, in unix seconds; no clock is read. */
#define NOW 1800000000

struct stores {
    char folder[64];
    char url[128];
    pid_t redis;                /* 0: does not run */
    const char *const *options; /* of redis-server */
};

/*
 * Make a store.
 *   options  more arguments of redis-server, NULL at the end; or NULL
 */
void stores_start(struct stores *stores, enum store_kind kind,
                  const char *const *options);

/* Kill Redis, and start it again in the same folder. */
void stores_start_redis(struct stores *stores);
void stores_kill(struct stores *stores);

/* Kill Redis, and remove the folder. */
void stores_stop(struct stores *stores);

/* Open the store, or another URL. Fails the test when that fails. */
struct store *stores_open(const struct stores *stores, const char *audience);
struct store *stores_open_url(const char *url, const char *audience);

/* Make an id from a number. */
struct store_id stores_id(unsigned n);

/* Add a session, with store_session_replace(). */
enum pst_err stores_add(struct store *store,
                        const struct store_session *session, int64_t cap,
                        int64_t now);

/* Send an inline command to Redis and read the reply, less than size bytes. */
void stores_say(const struct stores *stores, const char *command, char *answer,
                size_t size);

/* Milliseconds of the monotonic clock; and wait for some. */
int64_t stores_clock(void);
void stores_pause(int milliseconds);

/* Fail the test unless got is want. `what` names the row. */
void stores_expect(const struct store *store, const char *what,
                   enum pst_err got, enum pst_err want);

/*
 * Run `child` in `count` processes (at most 64) and wait for all.
 * Returns the sum of their results, each 0..100. Fails the test when a process
 * crashes.
 */
unsigned stores_fork(unsigned count, unsigned (*child)(unsigned index));

#endif

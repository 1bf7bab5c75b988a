/* SPDX-License-Identifier: ISC */
/*
 * stores.h - for tests: an LMDB folder, or a Redis of our own on a socket, in
 * a temporary folder that is removed again.
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

/* The instant at which the tests take place; no clock is read. */
#define NOW 1800000000

/* A store that is down, one that this build has. */
#define STORES_DOWN_URL                              \
    (POSTERN_WITH_LMDB ? "lmdb:/nonexistent/postern" \
                       : "unix:/nonexistent/postern.sock")

/* Which store a program tests that can test each of them: Makefile.am builds it
 * twice. So LMDB is tested on machines without redis-server. */
#ifndef STORES_KIND
#define STORES_KIND STORE_LMDB
#endif

/* The exit status of a test program that cannot test anything. */
#define STORES_SKIPPED 77

struct stores {
    char folder[64];
    char url[128];
    pid_t redis; /* 0: none runs */
    int log;     /* its output, while it runs */
    const char *const *options;
};

/* False, with a message on stderr, when redis-server is needed and not
 * installed. */
bool stores_can_start(enum store_kind kind);

/* Make one of a kind. A build without LMDB starts a Redis for STORE_LMDB; one
 * without any store ends the program, as skipped. `options` are more words for
 * redis-server, or NULL. */
void stores_start(struct stores *stores, enum store_kind kind,
                  const char *const *options);

/* Start Redis again in its folder, after stores_kill(). */
void stores_start_redis(struct stores *stores);
void stores_kill(struct stores *stores);

/* Stop what runs, and remove the folder. */
void stores_stop(struct stores *stores);

/* Open a handle, by another URL too; fails the test when that fails. */
struct store *stores_open(const struct stores *stores, const char *audience);
struct store *stores_open_url(const char *url, const char *audience);

/* The id of the n-th thing. */
struct store_id stores_id(unsigned n);

/* store_session_replace() of nothing: list a session. */
enum pst_err stores_add(struct store *store,
                        const struct store_session *session, int64_t cap,
                        int64_t now);

/* store_session_touch(), whenever it was used before; and wait until it is
 * written. */
enum pst_err stores_touch(struct store *store,
                          const struct store_session *session, int64_t expires,
                          int64_t now);

/* Send an inline command to Redis, and read the reply, at most size. */
void stores_say(const struct stores *stores, const char *command, char *answer,
                size_t size);

/* A number in Redis's reply to INFO.
 *   name  with its colon */
long stores_info(const struct stores *stores, const char *section,
                 const char *name);

/* Fail unless e is want. `what` names the row. The message has the store's
 * reason. */
void stores_expect(const struct store *store, const char *what,
                   enum pst_err got, enum pst_err want);

/*
 * Run `child` in `count` processes, and wait for all.
 * Returns the sum of what they returned, each 0..100; fails the test when
 * one does not end well.
 */
unsigned stores_fork(unsigned count, unsigned (*child)(unsigned index));

#endif

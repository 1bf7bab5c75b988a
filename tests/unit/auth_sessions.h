/* SPDX-License-Identifier: ISC */
/*
 * auth_sessions.h - sessions of one user and of a guest, for tests that begin,
 * renew and end them.
 */
#ifndef TESTS_AUTH_SESSIONS_H
#define TESTS_AUTH_SESSIONS_H

#include "fixture.h"
#include "stores.h"

#define GET "REQUEST_METHOD=GET"
#define POST "REQUEST_METHOD=POST"

/* Settings. */
extern const char *const cookie_only[];
extern const char *const both[];

/* A user, and a guest with a cart. */
extern const struct auth_grant alice;
extern const struct auth_grant cart;

/* Authenticate a GET with one more variable, and renew as a program does. */
enum pst_err enter(struct fixture *f, struct auth *auth, const char *variable);

/* Is it the session of alice? */
bool is_alice(const struct auth *auth);

/* A worker with a store. */
extern struct stores stores;
void init_with_store(struct fixture *f, const char *const *settings);
void fini_with_store(struct fixture *f);

#endif

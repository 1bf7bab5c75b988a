/* SPDX-License-Identifier: ISC */
/*
 * library.h - use the public library as a program does, for tests: with a clock
 * that the test sets, and cookies as a browser sends them.
 */
#ifndef TESTS_LIBRARY_H
#define TESTS_LIBRARY_H

#include "postern.h"

/* The secret and the time of the programs in fixture.h. */
#define LIBRARY_SECRET "Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe"
#define LIBRARY_NOW 1700000000

#define LIBRARY_OTHER_SECRET "b8Tz1LrQ6nYc4WfJ0pXgU3mKd9VhSe7iOa2RtBxNq5E"

/* The time of the clock of library_settings(). */
extern int64_t library_now;

/* Settings with one secret, that clock, and defaults. */
struct pst_settings library_settings(void);

/* pst_sessions_new(); fails the test on an error. */
struct pst_sessions *library_new(const struct pst_settings *settings);

/* Log a user in and write the cookie "name=token", as a browser sends it. Fails
 * the test on an error. */
void library_login(const struct pst_sessions *sessions, const char *subject,
                   char cookie[static PST_LINE_SIZE]);

/* Cut a Set-Cookie value to its "name=token". */
void library_cut(char *line);

/* pst_check() of two Cookie headers joined by "; "; b may be "". */
int library_check(const struct pst_sessions *sessions, const char *a,
                  const char *b, struct pst_visitor *visitor);

#endif

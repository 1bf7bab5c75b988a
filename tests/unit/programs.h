/* SPDX-License-Identifier: ISC */
/*
 * programs.h - the handlers of the programs in cgi-bin/, for tests of several
 * of them.
 */
#ifndef TESTS_PROGRAMS_H
#define TESTS_PROGRAMS_H

#include "gateway/context.h"

extern handler_fn *const program_login;
extern handler_fn *const program_logout;
extern handler_fn *const program_query;
extern handler_fn *const program_authorize;
extern handler_fn *const program_session;

#endif

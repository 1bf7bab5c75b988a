/* SPDX-License-Identifier: ISC */
/*
 * programs.h - what the programs in cgi-bin/ do with a request, without their
 * main(): for tests that ask several of them the same.
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

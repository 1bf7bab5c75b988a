/* SPDX-License-Identifier: ISC */
/*
 * programs.h - what the programs in cgi-bin/ do with a request, without their
 * main(): for tests that ask several of them the same.
 */
#ifndef TESTS_PROGRAMS_H
#define TESTS_PROGRAMS_H

#include "gateway/context.h"

extern gate_handler *const program_login;
extern gate_handler *const program_logout;
extern gate_handler *const program_query;
extern gate_handler *const program_authorize;
extern gate_handler *const program_session;

#endif

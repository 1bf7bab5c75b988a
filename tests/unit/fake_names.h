/* SPDX-License-Identifier: ISC */
/*
 * fake_names.h - for tests: getaddrinfo() with the answers of the test, without
 * a name server. IP addresses are resolved as usual.
 */
#ifndef TESTS_FAKE_NAMES_H
#define TESTS_FAKE_NAMES_H

#include <stdatomic.h>
#include <stddef.h>

/* The addresses of every name, in this order; a NULL ends them. Without any,
 * names are unknown. */
extern const char *fake_names[8];

/* How many names were looked up. */
extern atomic_size_t fake_name_lookups;

/* Milliseconds of real time that a look-up of a name takes. */
extern atomic_int fake_name_delay;

/* A look-up first reads a byte from this descriptor; -1: it does not. */
extern atomic_int fake_name_gate;

#endif

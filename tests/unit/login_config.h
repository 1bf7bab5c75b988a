/* SPDX-License-Identifier: ISC */
/*
 * login_config.h - a configuration whose login document has a result of two
 * types, one of them an interface, and a nested secret.
 */
#ifndef POSTERN_TESTS_LOGIN_CONFIG_H
#define POSTERN_TESTS_LOGIN_CONFIG_H

#include "server/config.h"

/* Free it with config_free(). */
struct config *login_config(void);

#endif

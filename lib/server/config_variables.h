/* SPDX-License-Identifier: ISC */
/*
 * config_variables.h - the table of all environment variables: name, kind,
 * default, help, and the field of struct config that each one sets.
 */
#ifndef POSTERN_SERVER_CONFIG_VARIABLES_H
#define POSTERN_SERVER_CONFIG_VARIABLES_H

#include "server/config_reader.h"

/* The groups, in the order of the table. */
#define CONFIG_GROUP_TOKEN "secret and token"
#define CONFIG_GROUP_COOKIE "cookie"
#define CONFIG_GROUP_CLOCKS "clocks"
#define CONFIG_GROUP_BACKEND "backend"
#define CONFIG_GROUP_SITES "sites"
#define CONFIG_GROUP_STORE "store and limits"
#define CONFIG_GROUP_PAGES "pages"
#define CONFIG_GROUP_RUNNING "running"

/* The rows: offsets are into struct config. A row without a read function is
 * read by config.c itself. */
#define CONFIG_VARIABLE_COUNT 77
extern const struct config_entry config_variables[];

#endif

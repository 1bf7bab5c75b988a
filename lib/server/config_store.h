/* SPDX-License-Identifier: ISC */
/*
 * config_store.h - readers of the variables that name the store: its URL
 * (server/store_url.h), or a file that contains the URL.
 */
#ifndef POSTERN_SERVER_CONFIG_STORE_H
#define POSTERN_SERVER_CONFIG_STORE_H

#include "server/config_reader.h"

/* Reader for the table: to struct store_url, from a URL. */
config_read_fn config_read_store_url;

/* The same from a file that contains the URL: to the field of POSTERN_STORE,
 * which must not be set itself. Its entry comes after that of POSTERN_STORE,
 * whose default it replaces. */
config_read_fn config_read_store_file;

#endif

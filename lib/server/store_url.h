/* SPDX-License-Identifier: ISC */
/*
 * store_url.h - parse and print the URL of a store (POSTERN_STORE):
 *
 *   none
 *   lmdb:/var/lib/postern[?size=256M]
 *   redis://[[user]:password@]host[:port][/db]
 *   redis+sentinel://[[user]:password@]host[:port][,...]/master[/db]
 *   unix:/run/redis.sock[?db=0&user=U&password=P]
 *
 * User, password, host, master, path and the values after "?" are
 * percent-decoded. A build without LMDB or without Redis refuses its URLs.
 */
#ifndef POSTERN_SERVER_STORE_URL_H
#define POSTERN_SERVER_STORE_URL_H

#include <sys/types.h>

#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"
#include "server/config_reader.h"

/* The default: without LMDB there is no store that needs no further set-up. */
#if POSTERN_WITH_LMDB
#define STORE_URL_DEFAULT "lmdb:" POSTERN_STATE
#else
#define STORE_URL_DEFAULT "none"
#endif

/* LMDB: bytes of address space, and the limit of the file's size. The file
 * grows only as needed. */
#define STORE_MAP_DEFAULT (256L * 1024 * 1024)
#define STORE_MAP_MIN (1024L * 1024)
#define STORE_MAP_MAX (1024L * 1024 * 1024 * 1024)

/* Redis: its default port, that of its sentinels, how many of these may be
 * named, and the highest number of a database. */
#define STORE_REDIS_PORT 6379
#define STORE_SENTINEL_PORT 26379
#define STORE_SENTINELS_MAX 7
#define STORE_REDIS_DB_MAX 65535

/* Bytes of a name, host or path, and of a socket: sun_path has 108. */
#define STORE_URL_PART_MAX 255
#define STORE_SOCKET_PATH_MAX 107

enum store_kind { STORE_NONE, STORE_LMDB, STORE_REDIS };

/* A server by TCP. */
struct store_address {
    char host[STORE_URL_PART_MAX + 1]; /* "": none */
    char port[6];
};

struct store_url {
    enum store_kind kind;
    char path[STORE_URL_PART_MAX + 1]; /* LMDB's folder, or Redis's socket */
    struct store_address server;       /* Redis by TCP */
    struct store_address sentinels[STORE_SENTINELS_MAX]; /* which know it */
    size_t sentinel_count;
    char master[STORE_URL_PART_MAX + 1]; /* as the sentinels call it */
    char user[STORE_URL_PART_MAX + 1];   /* "": Redis's default user */
    char password[STORE_URL_PART_MAX + 1];
    int64_t db;       /* Redis */
    int64_t map_size; /* LMDB, bytes */
};

/*
 * Parse the URL of a store.
 *   out  set on PST_OK only
 * Returns PST_OK or PST_BAD_CONFIG (error is set; it contains no part of the
 * value, so no password).
 */
PST_MUST_USE enum pst_err store_url_parse(struct pst_str value,
                                          struct store_url *out,
                                          struct config_error *error);

/* Print it with its password masked: for `postern check` and the log. */
void store_url_emit(struct pst_buf *buf, const struct store_url *url);

/*
 * Do several users share an LMDB folder of this mode? Its group may write there
 * and others may do nothing there; new files get its group (set-group-ID: mode
 * 2770).
 */
bool store_folder_is_shared(mode_t mode);

#endif

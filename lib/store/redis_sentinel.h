/* SPDX-License-Identifier: ISC */
/*
 * redis_sentinel.h - ask the sentinels of a URL which server is the master.
 */
#ifndef POSTERN_STORE_REDIS_SENTINEL_H
#define POSTERN_STORE_REDIS_SENTINEL_H

#include "store/redis_connect.h"

/*
 * Ask the sentinels in turn, beginning with the one that answered last. They
 * get the user and the password of the URL, if it has one; those that want none
 * answer as well.
 *   master  set on success
 *   error   set on failure: what the last one said
 */
PST_MUST_USE bool redis_sentinel_find(struct redis_target *target,
                                      int64_t deadline,
                                      struct store_address *master,
                                      struct redis_error *error);

#endif

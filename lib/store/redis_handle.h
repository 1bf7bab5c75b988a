/* SPDX-License-Identifier: ISC */
/*
 * redis_handle.h - a store handle on Redis (or Valkey): it runs commands in
 * round trips. The fibers of a loop share its one connection. A call takes at
 * most a second, connecting included.
 */
#ifndef POSTERN_STORE_REDIS_HANDLE_H
#define POSTERN_STORE_REDIS_HANDLE_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "server/store_url.h"
#include "store/redis.h"
#include "store/store_operations.h"

/* Its first member is its struct store. */
struct redis_handle;

/*
 * Make a handle that is not connected yet.
 *   url  STORE_REDIS; copied
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err redis_handle_new(struct redis_handle **out,
                                           const struct store_url *url);
void redis_handle_free(struct redis_handle *handle);

struct store *redis_handle_base(struct redis_handle *handle);
struct redis_handle *redis_handle_from_base(struct store *store);

/* Of redis_handle_new(). */
const struct store_url *redis_handle_url(const struct redis_handle *handle);

/* Set the error: the URL, and two parts of a sentence. Returns PST_STORE_DOWN,
 * always. */
enum pst_err redis_set_error(struct redis_handle *handle, const char *what,
                             const char *cause);

/* The same for a reply of an unexpected type. */
enum pst_err redis_set_reply_error(struct redis_handle *handle);

/*
 * The key of a record: postern:{<audience>}:<kind>:<id in hex>. In a cluster,
 * the part in braces puts all keys of a script on one server.
 *   id  NULL: the prefix of all keys of that kind
 */
struct redis_key redis_key_make(struct redis_handle *handle, const char *kind,
                                const struct store_id *id);

/*
 * Send the commands and receive their replies: one round trip.
 * Returns PST_OK: there are as many replies as commands, none of them an error,
 * and the caller frees the batch. Or PST_STORE_DOWN: the batch is freed.
 */
PST_MUST_USE enum pst_err redis_call(struct redis_handle *handle,
                                     struct redis_batch *batch);

/* Call one script, whose reply is a number: by its hash, and if the server does
 * not know it yet, by its text. Returns PST_OK or PST_STORE_DOWN. */
PST_MUST_USE enum pst_err redis_call_script(struct redis_handle *handle,
                                            struct redis_command *command,
                                            int64_t *number);

/* The value of a reply, as redis_reply_parse_bytes() and -_list() set it.
 * Returns PST_OK, or PST_STORE_DOWN when it is of another type. */
PST_MUST_USE enum pst_err redis_reply_bytes(struct redis_handle *handle,
                                            const struct redisReply *reply,
                                            struct pst_bytes *bytes);
PST_MUST_USE enum pst_err redis_reply_list(struct redis_handle *handle,
                                           const struct redisReply *reply,
                                           struct redisReply ***items,
                                           size_t *count);

#endif

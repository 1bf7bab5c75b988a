/* SPDX-License-Identifier: ISC */
/*
 * redis_cluster.h - follow the redirections of a Redis Cluster.
 *
 * All keys of an audience are in one slot, so one node serves a handle. MOVED
 * says which; ASK sends one command to another node, while the slot moves
 * there. A command that gets either was not executed.
 */
#ifndef POSTERN_STORE_REDIS_CLUSTER_H
#define POSTERN_STORE_REDIS_CLUSTER_H

#include "store/redis_link.h"

/* Where an error reply sends a command. */
struct redis_redirection {
    struct store_address address; /* host "": that of the server itself */
    bool is_ask;
};

/* Parse "MOVED 3999 127.0.0.1:6381" or "ASK 3999 127.0.0.1:6381". Returns false
 * for anything else. */
PST_MUST_USE bool redis_redirection_parse(const char *error,
                                          struct redis_redirection *out);

/*
 * Send those commands again that were redirected, and put the new replies in
 * the place of the old ones.
 *   link   becomes one to the server that MOVED names
 *   asked  a link for commands that ASK redirects
 *   error  set when the result is false
 */
PST_MUST_USE bool redis_cluster_follow(struct redis_link *link,
                                       struct redis_link *asked,
                                       struct redis_batch *batch,
                                       int64_t deadline,
                                       struct redis_error *error);

#endif

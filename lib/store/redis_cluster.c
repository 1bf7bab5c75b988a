/* SPDX-License-Identifier: ISC */
/*
 * redis_cluster.c - follow the redirections of a Redis Cluster.
 */
#include "store/redis_cluster.h"

#include <string.h>

/* Redirections of one command: our choice. */
#define REDIRECTIONS_MAX 5

struct redis_attempt {
    int64_t deadline;
    struct redis_error *error;
};

bool
redis_redirection_parse(const char *error, struct redis_redirection *out)
{
    struct pst_str rest = pst_str_from(error);
    struct redis_redirection found = {.is_ask = false};
    struct pst_str kind;
    struct pst_str slot;
    size_t colon;
    int64_t port;

    if (!pst_str_split(&rest, ' ', &kind) ||
        !pst_str_split(&rest, ' ', &slot) || pst_str_is_absent(rest))
        return false;
    found.is_ask = pst_str_equal(kind, PST_STR("ASK"));
    colon = pst_str_last_index(rest, ':');
    if ((!found.is_ask && !pst_str_equal(kind, PST_STR("MOVED"))) ||
        colon >= rest.len || colon >= sizeof(found.address.host) ||
        pst_str_parse_port(pst_str_skip(rest, colon + 1), &port) != PST_OK)
        return false;
    memcpy(found.address.host, rest.ptr, colon);
    memcpy(found.address.port, rest.ptr + colon + 1, rest.len - colon - 1);
    *out = found;
    return true;
}

static bool
redis_is_redirected(const struct redisReply *reply,
                    struct redis_redirection *redirection)
{
    const char *error = redis_reply_error(reply);

    return error && redis_redirection_parse(error, redirection);
}

/* A host that a node does not know is the one that we have reached. */
static void
redis_complete_address(const struct redis_link *link,
                       struct store_address *address)
{
    if (address->host[0] != '\0' && strcmp(address->host, "?") != 0)
        return;
    memcpy(address->host, link->target.at.host, sizeof(address->host));
}

/* Let the link be one to this server; it may be already. */
static void
redis_link_move(struct redis_link *link, const struct store_address *address)
{
    struct redis_target *target = &link->target;

    if (link->connection && strcmp(target->at.host, address->host) == 0 &&
        strcmp(target->at.port, address->port) == 0)
        return;
    target->moved = *address;
    target->is_moved_first = true;
    redis_link_close(link);
}

/* Send one command where its reply says, and take the new reply. */
static bool
redis_follow_one(struct redis_link *link, struct redis_batch *batch, size_t i,
                 bool is_ask, const struct redis_attempt *attempt)
{
    static char asking[] = "*1\r\n$6\r\nASKING\r\n";
    struct redis_batch one = {.is_read_only = batch->is_read_only};
    bool is_done;

    if (is_ask) {
        one.texts[0] = asking;
        one.lens[0] = sizeof(asking) - 1;
        one.count = 1;
    }
    one.texts[one.count] = batch->texts[i];
    one.lens[one.count] = batch->lens[i];
    one.count++;
    is_done =
        redis_link_exchange(link, &one, attempt->deadline, attempt->error);
    if (is_done) {
        redis_reply_free(batch->replies[i]);
        batch->replies[i] = one.replies[one.count - 1];
        one.replied--;
    }
    redis_batch_rewind(&one);
    return is_done;
}

bool
redis_cluster_follow(struct redis_link *link, struct redis_link *asked,
                     struct redis_batch *batch, int64_t deadline,
                     struct redis_error *error)
{
    struct redis_redirection redirection;
    const struct redis_attempt attempt = {deadline, error};
    int count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        while (count < REDIRECTIONS_MAX &&
               redis_is_redirected(batch->replies[i], &redirection)) {
            struct redis_link *next = redirection.is_ask ? asked : link;

            redis_complete_address(link, &redirection.address);
            redis_link_move(next, &redirection.address);
            if (!redis_follow_one(next, batch, i, redirection.is_ask, &attempt))
                return false;
            count++;
        }
    }
    return true;
}

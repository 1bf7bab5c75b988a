/* SPDX-License-Identifier: ISC */
/*
 * tls_client.c - HTTP exchanges over TLS, several at once.
 */
#include "upstream/tls_client.h"

#include "upstream/http_error.h"
#include "upstream/tls_exchange.h"

#define SESSIONS_KEPT_MAX 4 /* our choice */

struct tls_client {
    const struct http_target *target;
    struct tls_session
        *kept[SESSIONS_KEPT_MAX]; /* the last one is the newest */
    size_t kept_count;
};

enum pst_err
tls_client_new(struct tls_client **out, const struct http_target *target)
{
    enum pst_err e = tls_session_start(target->url);
    struct tls_client *client;

    if (e)
        return e;
    client = calloc(1, sizeof(*client));
    if (!client)
        return PST_NO_MEMORY;
    client->target = target;
    client->kept[0] = tls_session_new(target);
    if (!client->kept[0]) {
        free(client);
        return PST_NO_MEMORY;
    }
    client->kept_count = 1;
    *out = client;
    return PST_OK;
}

void
tls_client_free(struct tls_client **client)
{
    struct tls_client *gone = *client;

    *client = NULL;
    if (!gone)
        return;
    for (size_t i = 0; i < gone->kept_count; i++)
        tls_session_free(&gone->kept[i]);
    free(gone);
}

enum pst_err
tls_client_run(struct tls_client *client, struct pst_arena *arena,
               const struct http_exchange *exchange, struct http_error *error)
{
    struct tls_session *session = client->kept_count > 0
                                      ? client->kept[--client->kept_count]
                                      : tls_session_new(client->target);
    enum pst_err e;

    if (!session)
        return http_error_set(error, PST_NO_MEMORY,
                              "out of memory or file descriptors");
    e = tls_exchange_run(session, arena, exchange, error);
    if (client->kept_count == SESSIONS_KEPT_MAX)
        tls_session_free(&session);
    else
        client->kept[client->kept_count++] = session;
    return e;
}

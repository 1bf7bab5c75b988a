/* SPDX-License-Identifier: ISC */
/*
 * http_client.c - HTTP exchanges with the backend: choose between our own
 * client and libcurl's.
 */
#include "upstream/http_client.h"

#include <signal.h>

#include "base/clock.h"
#include "engine/resolver.h"
#include "upstream/http_target.h"
#include "upstream/plain_client.h"
#include "upstream/tls_events.h"
#include "upstream/tls_exchange.h"

struct http_client {
    struct http_target target;
    struct plain_client plain;
    struct tls_session *tls; /* NULL: not https:// */
};

enum pst_err
http_client_start(void)
{
    /* A write to a closed socket would otherwise end the process. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return PST_INTERNAL;
    return resolver_start();
}

void
http_client_stop(void)
{
    resolver_stop();
    tls_session_stop();
}

static enum pst_err
open_tls(struct http_client *http)
{
    enum pst_err e = tls_session_start(http->target.url);

    if (e)
        return e;
    http->tls = tls_session_new(&http->target);
    return http->tls ? PST_OK : PST_NO_MEMORY;
}

enum pst_err
http_client_new(struct http_client **out,
                const struct http_client_options *options)
{
    struct http_client *http = calloc(1, sizeof(*http));
    enum pst_err e;

    if (!http)
        return PST_NO_MEMORY;
    plain_client_init(&http->plain, &http->target);
    e = http_target_init(&http->target, options);
    if (!e && http->target.scheme == HTTP_SCHEME_TLS)
        e = open_tls(http);
    if (e) {
        http_client_free(&http);
        return e;
    }
    *out = http;
    return PST_OK;
}

void
http_client_free(struct http_client **http)
{
    struct http_client *gone = *http;

    *http = NULL;
    if (!gone)
        return;
    if (gone->tls)
        tls_events_detach(gone->tls);
    tls_session_free(&gone->tls);
    plain_client_fini(&gone->plain);
    http_target_fini(&gone->target);
    free(gone);
}

void
http_client_close_idle(struct http_client *http)
{
    connection_pool_close_idle(&http->plain.pool, clock_ms());
}

enum pst_err
http_client_run(struct http_client *http, struct pst_arena *arena,
                const struct http_exchange *exchange, struct http_error *error)
{
    PST_REQUIRE(pst_str_is_absent(exchange->whole_body) ||
                exchange->body_length == (int64_t)exchange->whole_body.len);
    return http->tls ? tls_exchange_run(http->tls, arena, exchange, error)
                     : plain_client_run(&http->plain, arena, exchange, error);
}

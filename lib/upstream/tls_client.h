/* SPDX-License-Identifier: ISC */
/*
 * tls_client.h - HTTP exchanges over TLS, several at once: each has a session
 * of libcurl's to itself, and a few sessions are kept.
 */
#ifndef POSTERN_UPSTREAM_TLS_CLIENT_H
#define POSTERN_UPSTREAM_TLS_CLIENT_H

#include "upstream/http_client.h"
#include "upstream/http_target.h"

struct tls_client;

/*
 * Make a client for one thread. The first one of a process starts libcurl: no
 * thread may be running then. One session is made, so that an error shows at
 * the start and not at each request. target  must outlive the client Returns as
 * tls_session_start(); PST_NO_MEMORY without descriptors, too.
 */
PST_MUST_USE enum pst_err tls_client_new(struct tls_client **out,
                                         const struct http_target *target);

/* Free the client and set the pointer to NULL. No exchange may be running. */
void tls_client_free(struct tls_client **client);

/* As http_client_run(). */
PST_MUST_USE enum pst_err tls_client_run(struct tls_client *client,
                                         struct pst_arena *arena,
                                         const struct http_exchange *exchange,
                                         struct http_error *error);

#endif

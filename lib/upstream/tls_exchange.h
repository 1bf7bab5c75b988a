/* SPDX-License-Identifier: ISC */
/*
 * tls_exchange.h - run one HTTP exchange over TLS to its end.
 */
#ifndef POSTERN_UPSTREAM_TLS_EXCHANGE_H
#define POSTERN_UPSTREAM_TLS_EXCHANGE_H

#include "upstream/tls_session.h"

/* As http_client_run(). */
PST_MUST_USE enum pst_err tls_exchange_run(struct tls_session *session,
                                           struct pst_arena *arena,
                                           const struct http_exchange *exchange,
                                           struct http_error *error);

#endif

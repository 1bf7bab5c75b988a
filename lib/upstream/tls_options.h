/* SPDX-License-Identifier: ISC */
/*
 * tls_options.h - what libcurl gets for one exchange. Of tls_session.c.
 */
#ifndef POSTERN_UPSTREAM_TLS_OPTIONS_H
#define POSTERN_UPSTREAM_TLS_OPTIONS_H

#include "upstream/tls_session.h"

/*
 * Check what is sent, and set every option of a handle without any.
 *   arena  keeps what libcurl does not copy, until the end of the exchange
 * Returns PST_OK, PST_NO_MEMORY, or as exchange_request_make().
 */
PST_MUST_USE enum pst_err tls_options_set(struct tls_handle *handle,
                                          struct pst_arena *arena);

#endif

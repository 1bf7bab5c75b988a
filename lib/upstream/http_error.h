/* SPDX-License-Identifier: ISC */
/*
 * http_error.h - write the text that says why an exchange failed.
 */
#ifndef POSTERN_UPSTREAM_HTTP_ERROR_H
#define POSTERN_UPSTREAM_HTTP_ERROR_H

#include "upstream/http_client.h"

/* Set the text. Returns e. */
enum pst_err http_error_set(struct http_error *error, enum pst_err e,
                            const char *format, ...) PST_PRINTF(3, 4);

#endif

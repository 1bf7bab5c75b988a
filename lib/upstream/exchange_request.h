/* SPDX-License-Identifier: ISC */
/*
 * exchange_request.h - the URL and the header lines of one request to the
 * backend, checked and written in the notation of CURLOPT_HTTPHEADER.
 */
#ifndef POSTERN_UPSTREAM_EXCHANGE_REQUEST_H
#define POSTERN_UPSTREAM_EXCHANGE_REQUEST_H

#include "upstream/http_client.h"

struct exchange_request {
    bool is_get;     /* else POST */
    const char *url; /* with the exchange's query string */
    char **lines;    /* "Name: value"; "Name;" is an empty header, "Name:"
                        keeps curl from adding a default one */
    size_t line_count;
};

/*
 * Check an exchange and write what it sends before its body.
 *   base  URL of the backend
 *   out   set on PST_OK; everything in it lies in the arena
 * Returns PST_OK; PST_BAD_METHOD (neither GET nor POST); PST_MALFORMED (a
 * header or a query that http/message.h refuses); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
exchange_request_make(struct pst_arena *arena, const char *base,
                      const struct http_exchange *exchange,
                      struct exchange_request *out);

#endif

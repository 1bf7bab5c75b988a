/* SPDX-License-Identifier: ISC */
/*
 * http_target.h - check the options of an HTTP client, take its URL apart, and
 * keep a copy of them.
 */
#ifndef POSTERN_UPSTREAM_HTTP_TARGET_H
#define POSTERN_UPSTREAM_HTTP_TARGET_H

#include "engine/socket_address.h"
#include "upstream/http_client.h"

enum http_scheme { HTTP_SCHEME_PLAIN, HTTP_SCHEME_TLS, HTTP_SCHEME_UNIX };

struct http_target {
    enum http_scheme scheme;
    char *url;
    char *ca;                /* PEM file; NULL: the system's certificates */
    int64_t connect_timeout; /* milliseconds, each */
    int64_t first_byte_timeout;
    int64_t between_bytes_timeout;
    int64_t total_timeout; /* 0: none */

    /* Not for https://, which libcurl takes apart itself. */
    char *host;             /* without brackets; NULL: a Unix socket */
    char port[6];           /* decimal */
    char *path;             /* with the query string, if there is one */
    char *authority;        /* the value of Host */
    bool has_fixed_address; /* host is an IP address, or a Unix socket */
    struct socket_address address;
};

/*
 * Check the options and copy them.
 *   target  the caller's storage; pass it to http_target_fini() on success
 *           and on failure
 * Whether an https:// URL can be parsed is left to libcurl.
 * Returns PST_OK; PST_BAD_CONFIG (no http://, https:// or unix: URL, longer
 * than PST_URL_MAX bytes, a control byte or a fragment in it; except for
 * https://: a user name, a host, port or path that is not valid, the path of a
 * socket over 107 bytes; a timeout outside its range); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
http_target_init(struct http_target *target,
                 const struct http_client_options *options);

void http_target_fini(struct http_target *target);

/*
 * Take "host:port" or "[address]:port" apart.
 *   host  set to the name or the address, without brackets
 *   port  set to what follows the colon; absent: nothing
 * Returns whether the host is valid; the port may be anything.
 */
PST_MUST_USE bool http_target_split_authority(struct pst_str authority,
                                              struct pst_str *host,
                                              struct pst_str *port);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * service.h - what a program starts with: arguments, configuration, log and
 * libraries.
 */
#ifndef GATE_SERVICE_H
#define GATE_SERVICE_H

#include "config.h"
#include "err.h"
#include "keys.h"
#include "log.h"
#include "store.h"
#include "upstream.h"

struct service {
    const char *name; /* the program's, such as "query" */
    struct config *config;
    struct log *log;
    struct keys *keys;
};

/*
 * Read the arguments: --listen ADDRESS, --help, --version; none of them when
 * a web server started us as CGI.
 *   argv     NULL at the end, the program's name first
 *   address  set to what --listen was given, else NULL
 *   status   set when false is returned: what to leave with
 * Help and complaints are printed. Without arguments on a terminal, there is
 * nothing to serve: that, too, is answered with help.
 */
bool service_read_arguments(const char *const *argv, const char *name,
                            const char **address, int *status);

/*
 * Start: standard descriptors, libgcrypt, configuration, log, keys, libcurl,
 * in this order, and see that service_connect() works. Everything that is
 * wrong is said on stderr, of the configuration one "name: VARIABLE: why" a
 * line.
 *   service  all zero but for its name; close it whatever is returned
 * Returns EX_OK or what to leave with: EX_CONFIG, EX_OSERR (no memory, no
 * descriptors), EX_SOFTWARE (a library that cannot be used).
 */
int service_open(struct service *service);

void service_close(struct service *service);

/*
 * Handles to the configured backend and store, for one thread.
 *   upstream, store  set on PST_OK, the caller's to free and to close; store
 *                    to NULL where there is to be none
 * Returns PST_OK, PST_BAD_CONFIG (the backend's URL, its timeouts),
 * PST_NO_MEMORY (no descriptors, too), PST_INTERNAL (libgcrypt).
 */
PST_MUST_USE enum pst_err service_connect(const struct service *service,
                                          struct upstream **upstream,
                                          struct store **store);

#endif

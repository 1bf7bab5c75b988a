/* SPDX-License-Identifier: ISC */
/*
 * program.h - what a program starts with: arguments, configuration, log and
 * libraries.
 */
#ifndef POSTERN_GATEWAY_PROGRAM_H
#define POSTERN_GATEWAY_PROGRAM_H

#include "base/error.h"
#include "gateway/documents.h"
#include "server/config.h"
#include "server/keyring_cache.h"
#include "server/log.h"
#include "store/store.h"
#include "upstream/http_client.h"

struct program {
    const char *name; /* the program's, such as "query" */
    struct config *config;
    struct log *log;
    struct keyring_cache *keyring_cache;
    struct documents *documents; /* NULL until program_load_documents() */
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
bool program_parse_arguments(const char *const *argv, const char *name,
                             const char **address, int *status);

/* From here on no core is dumped, since it would have the secrets in it, and
 * only root may look into our memory (L68). */
void program_hide_memory(void);

/*
 * Start: standard descriptors, libgcrypt, configuration, log, keys, libcurl,
 * in this order, and see that program_connect() works. Everything that is
 * wrong is reported on stderr, each error on a line in the form of the log
 * with event=start-failed.
 *   program  all zero but for its name; close it whatever is returned
 * Returns EX_OK or what to leave with: EX_CONFIG, EX_OSERR (no memory, no
 * descriptors), EX_SOFTWARE (a library that cannot be used).
 */
int program_open(struct program *program);

/*
 * Read the manifest, and make room for the documents that clients send.
 *   is_persistent  the process serves more than one request
 * Returns as program_open().
 */
int program_load_documents(struct program *program, bool is_persistent);

void program_close(struct program *program);

/*
 * Handles to the configured backend and store, for one thread.
 *   upstream, store  set on PST_OK, the caller's to free and to close; store
 *                    to NULL where there is to be none
 * Returns PST_OK, PST_BAD_CONFIG (the backend's URL, its timeouts),
 * PST_NO_MEMORY (no descriptors, too), PST_INTERNAL (libgcrypt).
 */
PST_MUST_USE enum pst_err program_connect(const struct program *program,
                                          struct http_client **upstream,
                                          struct store **store);

#endif

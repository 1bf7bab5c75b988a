/* SPDX-License-Identifier: ISC */
/*
 * program.h - the main function of each program in cgi-bin: read arguments and
 * configuration, start, serve, and stop.
 */
#ifndef POSTERN_GATEWAY_PROGRAM_H
#define POSTERN_GATEWAY_PROGRAM_H

#include "gateway/context.h"

/* Which servers a program connects to. Its sandbox allows no others. */
enum program_use {
    PROGRAM_USES_BACKEND,     /* and the store */
    PROGRAM_REFRESHES_TOKENS, /* the store; and the backend, to refresh a token
                                 that it hands out (POSTERN_AUTHORIZE_UPSTREAM)
                               */
    PROGRAM_USES_STORE        /* and no backend */
};

/*
 * Run a program: read the arguments and the configuration, start, serve, and
 * stop on SIGTERM. It serves one request as plain CGI; or FastCGI on
 * descriptor 0, on sockets that systemd passed, or on a socket of its own.
 *   name     the program's, such as "query", for logs and messages
 *   handler  answers one request
 * Arguments: none, --listen ADDRESS, --help or --version. Errors are printed
 * on standard error, those after the arguments as lines of the log with
 * event=start-failed, one for each wrong variable. Returns the exit status
 * (sysexits(3)): EX_OK, EX_USAGE, EX_CONFIG (a variable is wrong), EX_OSERR (no
 * memory, descriptors or socket), EX_SOFTWARE (a library fails), EX_IOERR (the
 * answer to the CGI request was cut off).
 */
int program_serve(int argc, char **argv, const char *name, enum program_use use,
                  handler_fn *handler);

#endif

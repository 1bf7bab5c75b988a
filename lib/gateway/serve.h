/* SPDX-License-Identifier: ISC */
/*
 * serve.h - the door to libfcgi: run one handler as plain CGI, FastCGI on
 * descriptor 0, on a socket that systemd passed, or on one of our own.
 */
#ifndef POSTERN_GATEWAY_SERVE_H
#define POSTERN_GATEWAY_SERVE_H

#include "gateway/context.h"
#include "gateway/handler.h"

/*
 * The whole life of a program: read the configuration, or say what is wrong
 * with it and leave with status 78 (EX_CONFIG); start; serve; drain on SIGTERM.
 *   name  the program's, such as "query": in logs
 * Arguments: none; --listen unix:/path or --listen host:port; --help;
 * --version. Returns the exit status.
 */
int program_serve(int argc, char **argv, const char *name, handler_fn *handler);

#endif

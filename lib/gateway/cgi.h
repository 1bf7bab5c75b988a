/* SPDX-License-Identifier: ISC */
/*
 * cgi.h - plain CGI: one request for each process (RFC 3875).
 */
#ifndef POSTERN_GATEWAY_CGI_H
#define POSTERN_GATEWAY_CGI_H

#include "gateway/worker.h"

/*
 * Handle the request that the environment and standard input hold.
 * Returns the exit status: EX_OK, EX_IOERR (the answer was cut off), EX_OSERR
 * (no memory, no descriptor).
 */
int cgi_serve(struct task *task);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * cgi.h - serve one request as plain CGI (RFC 3875).
 */
#ifndef POSTERN_ENGINE_CGI_H
#define POSTERN_ENGINE_CGI_H

#include "engine/engine.h"

/*
 * Handle the request that the environment and standard input hold; the answer
 * goes to standard output.
 *   body_timeout_ms  how long the body may be waited for, in sum
 * Returns the exit status: EX_OK, EX_IOERR (the
 * answer was cut off), EX_OSERR (new_state() failed).
 */
int cgi_serve(const struct engine_handler *handler, int64_t body_timeout_ms);

#endif

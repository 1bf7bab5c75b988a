/* SPDX-License-Identifier: ISC */
/*
 * arguments.h - parse the arguments of a program: --listen, --help, --version.
 */
#ifndef POSTERN_GATEWAY_ARGUMENTS_H
#define POSTERN_GATEWAY_ARGUMENTS_H

#include "base/base.h"

/*
 * Parse the arguments. There are none if a web server started us as CGI.
 * Prints help, version and usage errors; without arguments on a terminal,
 * where there is nothing to serve, the help too.
 *   argv     the program's name first, NULL at the end
 *   name     the program's, for what is printed
 *   address  set to the value of --listen, which is in argv, or to NULL
 *   status   set when false is returned: the exit status, EX_OK or EX_USAGE
 */
bool arguments_parse(const char *const *argv, const char *name,
                     const char **address, int *status);

#endif

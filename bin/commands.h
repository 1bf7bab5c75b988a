/* SPDX-License-Identifier: ISC */
/*
 * commands.h - the subcommands of `postern`, and what they share.
 *
 * A subcommand gets its own name as argv[0], prints results to standard output
 * and errors to standard error, and returns an exit status of <sysexits.h>.
 * None of them prints a secret of the environment.
 */
#ifndef POSTERN_COMMANDS_H
#define POSTERN_COMMANDS_H

#include <sysexits.h>

#include "base/arena.h"
#include "server/config.h"

/* Exit status: the token does not open, or there is no such session. */
#define COMMAND_NEGATIVE 1

/* A row of the table in postern.c. */
struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* a line of `postern --help` */
    const char *help;    /* what `postern NAME --help` prints */
};

/*
 * Load the configuration as the programs do, and print every error on a line of
 * its own: the variable, a colon, and the message.
 *   out    set when 0 is returned; config_free() it
 *   parts  what the subcommand needs: enum config_part flags
 * Returns 0, EX_CONFIG or EX_SOFTWARE.
 */
int command_load_config(struct config **out, unsigned parts);

/*
 * Read the word on standard input; "" if there is none, or more than one.
 *   out  set on PST_OK; lives as long as arena
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err command_read_stdin_token(struct pst_arena *arena,
                                                   struct pst_str *out);

/* Print what is wrong with the arguments of a subcommand, and how to get help.
 * Returns EX_USAGE. */
int command_usage_error(const char *name, const char *reason);

int command_secret(int argc, char **argv);
int command_check(int argc, char **argv);
int command_open(int argc, char **argv);
int command_jwk(int argc, char **argv);
int command_whoami(int argc, char **argv);
int command_config_files(int argc, char **argv);
int command_sessions(int argc, char **argv);
int command_revoke(int argc, char **argv);
int command_gc(int argc, char **argv);
int command_unlock(int argc, char **argv);

#endif

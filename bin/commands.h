/* SPDX-License-Identifier: ISC */
/*
 * commands.h - what `postern` can do: one function for each subcommand.
 *
 * Each gets the arguments from its own name on, writes results to standard
 * output and complaints to standard error, and returns an exit status of
 * <sysexits.h>. None ever prints a secret.
 */
#ifndef POSTERN_COMMANDS_H
#define POSTERN_COMMANDS_H

#include <sysexits.h>

#include "base/arena.h"
#include "server/config.h"

/* A token was asked about, and it does not open. */
#define COMMAND_NEGATIVE 1

/* One row of postern.c's table. */
struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* a line of `postern --help` */
    const char *help;    /* what `postern NAME --help` prints */
};

/*
 * Read the environment as the programs do, and tell everything that is wrong
 * with it, a line each: the variable, a colon, and why.
 *   out  set when 0 is returned; config_free() it
 * Returns 0, EX_CONFIG or EX_SOFTWARE.
 */
int command_load_config(struct config **out);

/*
 * Read the one word on standard input: where there is none, or more than one,
 * it is "". Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err command_read_stdin_token(struct pst_arena *arena,
                                                   struct pst_str *out);

/* Say on standard error how NAME is called. Returns EX_USAGE. */
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

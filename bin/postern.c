/* SPDX-License-Identifier: ISC */
/*
 * postern.c - the command: finds the subcommand and hands over to it.
 */
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "crypto/crypto.h"
#include "gateway/program.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "(unreleased)"
#endif

static const struct command commands[] = {
    {"secret", command_secret, "make a secret, or rotate a file of them",
     "usage: postern secret\n"
     "       postern secret --rotate FILE\n"
     "       postern secret --retire FILE\n"
     "\n"
     "Prints a new secret: 32 random bytes as 43 characters of base64url.\n"
     "\n"
     "  --rotate FILE  put a new secret in front of those in the file\n"
     "                 (COOKIE_SESSION_SECRET_FILE), or make the file: the\n"
     "                 first one seals, all of them open, and nobody is\n"
     "                 logged out. Says on standard error when the last one\n"
     "                 can go, by the lifetimes in the environment.\n"
     "  --retire FILE  drop the last one, unless it is the only one\n"
     "\n"
     "The file is replaced in one step, and keeps its owner and its mode.\n"
     "Running programs read it within a second of the next request.\n"},
    {"check", command_check,
     "is the environment right, are store and backend there?",
     "usage: postern check\n"
     "\n"
     "Reads the environment as the programs do. Prints every variable with\n"
     "the value it amounts to (secrets masked). Reads the manifest of\n"
     "POSTERN_DOCUMENTS. Writes to the store and reads from it. Sends the\n"
     "backend the configured documents: the first login with a made-up name\n"
     "and password, the who document without a token, the others so that\n"
     "nothing of them runs. Says what it answers, and what is wrong where a\n"
     "document does not fit its schema, or an HTML page or a redirect came\n"
     "back. Run it as the user that the programs run as.\n"
     "\n"
     "exit status: 0 all is well; 78 a variable is wrong, or what the backend\n"
     "answers shows that one is, with a line on standard error for each; 69\n"
     "store or backend cannot be reached.\n"},
    {"open", command_open, "print the claims of a token",
     "usage: postern open [--reveal] TOKEN|-\n"
     "\n"
     "Opens a session's token, from a cookie or a bearer header, with the\n"
     "secrets and the format of the environment, prints its claims as JSON\n"
     "on standard output, and says on standard error what the clocks make\n"
     "of it.\n"
     "\n"
     "  --reveal  print the backend's token too, which is hidden otherwise\n"
     "  -         read the token from standard input; an argument can be\n"
     "            seen by everybody who may list this machine's processes\n"
     "\n"
     "exit status: 0 it opens, even if it has expired; 1 it does not.\n"},
    {"jwk", command_jwk, "print the key that opens a token, as a JWK",
     "usage: postern jwk [--purpose PURPOSE] TOKEN|-\n"
     "\n"
     "Prints the JSON Web Key (RFC 7517) that opens a token, for any other\n"
     "program that knows JOSE. The same key opens every token of that\n"
     "purpose and day: keep it as you keep the secret.\n"
     "\n"
     "  --purpose PURPOSE  cookie, guest, bearer, csrf, device or upstream;\n"
     "                     without it, whichever opens the token\n"
     "  -                  read the token from standard input; an argument\n"
     "                     can be seen by everybody who may list this\n"
     "                     machine's processes\n"
     "\n"
     "exit status: 0 it opens; 1 it does not.\n"},
    {"whoami", command_whoami, "tell a CGI script who its visitor is",
     "usage: postern whoami [--sh|--json]\n"
     "\n"
     "Reads the CGI environment: SESSION_SUBJECT, SESSION_NAME and\n"
     "SESSION_EXPIRES where a web server has asked `authorize`; else, where\n"
     "the secret is in the environment, the request's own token.\n"
     "\n"
     "  --json  {\"subject\":...,\"name\":...,\"expiresAt\":...}, or null\n"
     "  --sh    REMOTE_USER, SESSION_SUBJECT, SESSION_NAME and\n"
     "          SESSION_EXPIRES as lines that are safe to eval, whatever a\n"
     "          name looks like; all of them empty without a session\n"
     "\n"
     "exit status: 0 somebody is logged in; 1 nobody is.\n"},
    {"config", command_config_files, "print a web server's configuration",
     "usage: postern config lighttpd|apache|nginx|systemd [FILE] [OPTION...]\n"
     "       postern config list\n"
     "\n"
     "Prints the files that a first try needs, one after the other, for you\n"
     "to read. With the name of one it prints that one, to be put where it\n"
     "belongs:\n"
     "\n"
     "  postern config lighttpd postern.conf >50-postern.conf\n"
     "  postern config apache postern-proxy.conf >51-postern.conf\n"
     "  postern config nginx postern-http.conf >postern-http.conf\n"
     "  postern config systemd postern@.service >postern@.service\n"
     "\n"
     "`postern config list` tells what there is. The paths in them are those\n"
     "of this installation, or\n"
     "\n"
     "  --programs DIR   where the programs are\n"
     "  --sockets DIR    where their sockets shall be\n"
     "  --secret FILE    where the secret is\n"
     "  --store DIR      where ended sessions are noted\n"
     "  --env FILE       systemd's file of variables\n"
     "  --php SOCKET     where PHP-FPM listens\n"
     "  --upstream URL   the GraphQL backend\n"},
    {"sessions", command_sessions, "list live sessions",
     "usage: postern sessions [--subject SUBJECT]\n"
     "\n"
     "Lists the live sessions of users, a line each, with tabs between:\n"
     "the hash that names it, when it began, when it was last seen (a\n"
     "quarter of the idle timeout, or a day, may be missing), browser and\n"
     "address at login, and the subject. Guests are on no list.\n"
     "\n"
     "  --subject SUBJECT  only this user's: the subject that\n"
     "                     /session shows\n"
     "\n"
     "exit status: 0; 69 the store does not answer.\n"},
    {"revoke", command_revoke, "end a session, or all of a user's",
     "usage: postern revoke --subject SUBJECT\n"
     "       postern revoke --session HASH|TOKEN|-\n"
     "\n"
     "Ends sessions, wherever they were copied: every program that shares\n"
     "the store refuses them from then on.\n"
     "\n"
     "  --subject SUBJECT  every session that this user has now\n"
     "  --session HASH     the one that `postern sessions` lists so; its\n"
     "                     first 8 digits will do, as in the log\n"
     "  --session TOKEN    the one that this token carries, a guest's too\n"
     "  --session -        either of them, read from standard input; an\n"
     "                     argument can be seen by everybody who may list\n"
     "                     this machine's processes\n"
     "\n"
     "exit status: 0 it is ended; 1 there is no such session; 69 the store\n"
     "does not answer.\n"},
    {"unlock", command_unlock, "free an account's login budgets",
     "usage: postern unlock [NAME] [--address ADDRESS]\n"
     "\n"
     "Lets an account log in again that had too many failed logins (429,\n"
     "`login-throttled` in the log): both the budget of\n"
     "POSTERN_LOGIN_PER_ACCOUNT and the 100 failures in a row.\n"
     "\n"
     "  NAME               what the user types to log in, in any spelling\n"
     "                     (after -- where it begins with --)\n"
     "  --address ADDRESS  free this client's address, too; of an IPv6\n"
     "                     address, its /64\n"
     "\n"
     "The budgets of devices that know the account stay as they are.\n"
     "\n"
     "exit status: 0 it is free; 1 no failed login was counted; 65 the name\n"
     "is not UTF-8; 69 there is no store, or it does not answer.\n"},
    {"gc", command_gc, "sweep the store",
     "usage: postern gc [--limit NUMBER]\n"
     "\n"
     "Removes what has ended from the store, and says how much. Every write\n"
     "sweeps a little anyway, and Redis does it by itself; this is for a\n"
     "store that saw many logins and now sees none.\n"
     "\n"
     "  --limit NUMBER  look at no more than so many records\n"
     "\n"
     "exit status: 0; 69 the store does not answer.\n"},
};

static void
report_error(void *context, const char *variable, const char *reason)
{
    (void)context;
    fprintf(stderr, "%s: %s\n", variable, reason);
}

int
command_load_config(struct config **out)
{
    const struct config_reporter reporter = {.report_error = report_error};
    enum pst_err e = config_new(out, (const char *const *)environ, &reporter);

    if (!e)
        return 0;
    if (e == PST_BAD_CONFIG)
        return EX_CONFIG;
    fprintf(stderr, "postern: the configuration cannot be read: %s\n",
            pst_err_text(e));
    return EX_SOFTWARE;
}

int
command_usage_error(const char *name, const char *reason)
{
    fprintf(stderr, "postern %s: %s; see `postern %s --help`\n", name, reason,
            name);
    return EX_USAGE;
}

static void
print_command_usage(FILE *out)
{
    fputs("usage: postern COMMAND [ARGUMENT...]\n\n", out);
    for (size_t i = 0; i < PST_COUNT(commands); i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs(
        "\n`postern help COMMAND`, or `postern COMMAND --help`, tells more of\n"
        "each; `postern version` prints the version.\n",
        out);
}

static const struct command *
find_command(const char *name)
{
    for (size_t i = 0; i < PST_COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static bool
is_help_option(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static int
run(const struct command *command, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (is_help_option(argv[i])) {
            fputs(command->help, stdout);
            return 0;
        }
    if (pst_crypto_init() != PST_OK) {
        fputs("postern: libgcrypt does not start\n", stderr);
        return EX_SOFTWARE;
    }
    return command->run(argc, argv);
}

static int
report_unknown_command(const char *name)
{
    fprintf(stderr, "postern: there is no command %s\n", name);
    print_command_usage(stderr);
    return EX_USAGE;
}

/* help [COMMAND] */
static int
help(int argc, char **argv)
{
    const struct command *command;

    if (argc > 2)
        return command_usage_error(argv[0], "takes one command");
    if (argc < 2) {
        print_command_usage(stdout);
        return 0;
    }
    command = find_command(argv[1]);
    if (!command)
        return report_unknown_command(argv[1]);
    fputs(command->help, stdout);
    return 0;
}

static int
dispatch_command(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        print_command_usage(stderr);
        return EX_USAGE;
    }
    if (is_help_option(argv[1]))
        return help(1, argv);
    if (strcmp(argv[1], "help") == 0)
        return help(argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        puts("postern " PACKAGE_VERSION);
        return 0;
    }
    command = find_command(argv[1]);
    if (command)
        return run(command, argc - 1, argv + 1);
    return report_unknown_command(argv[1]);
}

int
main(int argc, char **argv)
{
    int status;

    program_hide_memory();
    status = dispatch_command(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("postern: standard output");
        return EX_IOERR;
    }
    return status;
}

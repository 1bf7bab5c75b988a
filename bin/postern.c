/* SPDX-License-Identifier: ISC */
/*
 * postern.c - the `postern` command: run a subcommand, or print help.
 */
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "crypto/crypto.h"
#include "env_file.h"
#include "gateway/program_sandbox.h"
#include "print.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "(unreleased)"
#endif

static const struct command commands[] = {
    {"secret", command_secret, "make a secret, or rotate a file of secrets",
     "usage: postern secret\n"
     "       postern secret --rotate FILE [--force]\n"
     "       postern secret --retire FILE [--force]\n"
     "\n"
     "Prints a new secret: 32 random bytes as 43 characters of base64url.\n"
     "\n"
     "  --rotate FILE  add a new secret at the beginning of the file\n"
     "                 (COOKIE_SESSION_SECRET_FILE). The first secret\n"
     "                 seals, all of them open, and nobody is logged out.\n"
     "                 Prints on standard error when the last one can be\n"
     "                 retired, by the lifetimes in the environment. With\n"
     "                 --force, makes the file if there is none.\n"
     "  --retire FILE  remove the last secret, unless it is the only one.\n"
     "                 Refuses to if the file was changed less than the\n"
     "                 longest lifetime ago, unless there is --force:\n"
     "                 sessions that it has sealed would end\n"
     "\n"
     "The file is replaced in one step, and keeps its owner and its mode.\n"
     "Running programs read it with the next request, at most a second\n"
     "later.\n"},
    {"check", command_check, "check the environment, the store and the backend",
     "usage: postern check [--sockets FOLDER]\n"
     "\n"
     "Reads the environment as the programs do. Prints every variable with\n"
     "the value in use (secrets masked), and warns of settings that are\n"
     "probably not meant. Tries whether the log can be written, without\n"
     "making it. Reads the manifest of POSTERN_DOCUMENTS. Writes to the\n"
     "store and reads from it. Compares the clocks. Sends the configured\n"
     "documents to the backend: the first login document with a made-up\n"
     "name and password, the who document without a token, and the others\n"
     "so that they are validated and not run. Prints what is wrong if a\n"
     "document does not fit the backend's schema, or if the answer is an\n"
     "HTML page or a redirect. Run it as the user that the programs run\n"
     "as.\n"
     "\n"
     "  --sockets FOLDER  try whether the programs can make their sockets\n"
     "                    in this folder\n"
     "\n"
     "exit status: 0 everything works; 78 a variable is wrong, or the\n"
     "backend's answer shows that one is, with a line on standard error for\n"
     "each; 69 the store or the backend cannot be reached.\n"},
    {"open", command_open, "print the claims of a token",
     "usage: postern open [--reveal] TOKEN|-\n"
     "\n"
     "Opens a session token, from a cookie or a bearer header, with the\n"
     "secrets and the format of the environment. Prints its claims as JSON\n"
     "on standard output, and on standard error whether it has expired.\n"
     "\n"
     "  --reveal  print the backend's token too, which is hidden otherwise\n"
     "  -         read the token from standard input: an argument can be\n"
     "            seen by everybody who may list this machine's processes\n"
     "\n"
     "exit status: 0 it opens, even if it has expired; 1 it does not.\n"},
    {"jwk", command_jwk, "print the key that opens a token, as a JWK",
     "usage: postern jwk [--purpose PURPOSE] TOKEN|-\n"
     "\n"
     "Prints the JSON Web Key (RFC 7517) that opens a token, for another\n"
     "program that supports JOSE. The same key opens every token of that\n"
     "purpose and day: protect it like the secret.\n"
     "\n"
     "  --purpose PURPOSE  cookie, guest, bearer, csrf, device or upstream;\n"
     "                     without it, the first that opens the token\n"
     "  -                  read the token from standard input: an argument\n"
     "                     can be seen by everybody who may list this\n"
     "                     machine's processes\n"
     "\n"
     "exit status: 0 it opens; 1 it does not.\n"},
    {"whoami", command_whoami, "tell a CGI script who the user is",
     "usage: postern whoami [--sh|--json]\n"
     "\n"
     "Reads the CGI environment: SESSION_SUBJECT, SESSION_NAME and\n"
     "SESSION_EXPIRES if a web server has set them by `authorize`; else the\n"
     "request's own token, if the environment has the secret.\n"
     "\n"
     "  --json  {\"subject\":...,\"name\":...,\"expiresAt\":...}, or null\n"
     "  --sh    REMOTE_USER, SESSION_SUBJECT, SESSION_NAME and\n"
     "          SESSION_EXPIRES as lines that are safe to eval, whatever is\n"
     "          in a name; all of them empty without a session\n"
     "\n"
     "exit status: 0 a user is logged in; 1 no user is.\n"},
    {"config", command_config_files, "print a web server's configuration",
     "usage: postern config lighttpd|apache|nginx|systemd|logrotate [FILE]\n"
     "                      [OPTION...]\n"
     "       postern config list\n"
     "\n"
     "Prints the files that a first try needs, one after the other, to be\n"
     "read. With the name of a file it prints only that file, to be\n"
     "installed:\n"
     "\n"
     "  postern config lighttpd postern.conf >50-postern.conf\n"
     "  postern config apache postern-proxy.conf >51-postern.conf\n"
     "  postern config nginx postern-http.conf >postern-http.conf\n"
     "  postern config systemd postern@.service >postern@.service\n"
     "  postern config logrotate postern >/etc/logrotate.d/postern\n"
     "\n"
     "`postern config list` lists all files. The paths in them are those of\n"
     "this installation, unless an option sets another:\n"
     "\n"
     "  --programs DIR   the directory of the programs\n"
     "  --sockets DIR    the directory of their sockets\n"
     "  --secret FILE    the file of the secret\n"
     "  --store DIR      the directory of the session store\n"
     "  --env FILE       the file of variables for systemd\n"
     "  --php SOCKET     the socket of PHP-FPM\n"
     "  --upstream URL   the URL of the GraphQL backend\n"
     "  --origin URL     the site's origin, as browsers see it\n"},
    {"sessions", command_sessions, "list live sessions",
     "usage: postern sessions [--subject SUBJECT] [--json]\n"
     "\n"
     "Lists the live sessions of users, one on each line, with tabs between:\n"
     "the hash that names it, when it began, when it was last used (up to a\n"
     "quarter of the idle timeout, or a day, too early), browser and address\n"
     "at login, the subject, and the user's name: \"-\" without the secret\n"
     "(COOKIE_SESSION_SECRET_FILE) that sealed it. Guests are not listed.\n"
     "\n"
     "  --subject SUBJECT  only the sessions of this user: the subject that\n"
     "                     /session shows\n"
     "  --json             a JSON array, whose objects have the members id,\n"
     "                     created, lastSeen, expiresAt, browser, address,\n"
     "                     subject and name (or null)\n"
     "\n"
     "exit status: 0; 69 the store does not answer.\n"},
    {"revoke", command_revoke, "end a session, or all of a user's",
     "usage: postern revoke --subject SUBJECT\n"
     "       postern revoke --session HASH|TOKEN|-\n"
     "\n"
     "Ends sessions, and all copies of them: every program that uses the\n"
     "same store refuses them from then on.\n"
     "\n"
     "  --subject SUBJECT  every session that this user has now: the subject\n"
     "                     that /session and `postern sessions` show\n"
     "  --session HASH     the session with this hash in `postern sessions`;\n"
     "                     its first 8 digits are enough, as in the log\n"
     "  --session TOKEN    the session of this token, also a guest's\n"
     "  --session -        HASH or TOKEN from standard input: an argument\n"
     "                     can be seen by everybody who may list this\n"
     "                     machine's processes\n"
     "\n"
     "exit status: 0 it has ended; 1 there is no such session, or none of\n"
     "this user is listed; 69 the store does not answer.\n"},
    {"unlock", command_unlock, "reset an account's login limits",
     "usage: postern unlock [NAME] [--address ADDRESS]\n"
     "\n"
     "Lets an account log in again after too many failed logins (status\n"
     "429, `login-throttled` in the log). Resets the limit of\n"
     "POSTERN_LOGIN_PER_ACCOUNT and that of 100 failures in a row.\n"
     "\n"
     "  NAME               what the user types to log in, in any spelling\n"
     "                     (after -- if it begins with --)\n"
     "  --address ADDRESS  reset the limit of this client address, too; for\n"
     "                     an IPv6 address, that of its /64\n"
     "\n"
     "The limits of devices that know the account are not changed.\n"
     "\n"
     "exit status: 0 it is reset; 1 no failed login was counted; 65 the name\n"
     "is not UTF-8; 69 there is no store, or it does not answer.\n"},
    {"doctor", command_doctor, "look at a running site from outside",
     "usage: postern doctor URL [OPTION...]\n"
     "\n"
     "Asks a running site as a stranger would, and prints a line for each\n"
     "thing it looks at: the login page, TLS, the cookie's attributes, cache\n"
     "headers, whether another site can read or do anything, whether a token\n"
     "or a name reaches the browser in a header, whether the backend's\n"
     "GraphQL is reachable around `query` (by its usual paths), and whether\n"
     "the X-Session-* headers of protected pages can be forged. It contacts\n"
     "only this URL's host, follows no redirect, and needs no account and no\n"
     "variables. It sends no real password, and one query, {__typename},\n"
     "reaches the backend.\n"
     "\n"
     "  --page PATH          a protected page\n"
     "  --login PATH, --query PATH, --session PATH, --logout PATH\n"
     "                       where the programs are, if elsewhere\n"
     "  --cookie NAME        the session cookie, with its prefix\n"
     "  --token-header NAME  POSTERN_AUTH_TOKEN_HEADER, if it is set\n"
     "  --ca FILE            certificates to trust instead of the system's\n"
     "\n"
     "exit status: 0 no fault; 1 a fault; 69 the site does not answer.\n"},
    {"gc", command_gc, "remove ended sessions from the store",
     "usage: postern gc [--limit NUMBER]\n"
     "\n"
     "Removes the records of ended sessions from the store, and prints how\n"
     "many. Every write removes a few anyway, and Redis does it itself; this\n"
     "is for a store that had many logins and now has none.\n"
     "\n"
     "  --limit NUMBER  read at most this many records\n"
     "\n"
     "exit status: 0; 69 the store does not answer.\n"},
};

static void
report_error(void *context, const char *variable, const char *reason)
{
    (void)context;
    fprintf(stderr, "%s: %s\n", variable, reason); /* escaped already */
}

int
command_load_config(struct config **out, unsigned parts)
{
    const struct config_reporter reporter = {.report_error = report_error};
    enum pst_err e =
        config_new_parts(out, (const char *const *)environ, &reporter, parts);

    if (!e)
        return 0;
    if (e == PST_BAD_CONFIG)
        return EX_CONFIG;
    fprintf(stderr, "postern: the configuration cannot be loaded: %s\n",
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
    fputs("\n`postern help COMMAND` or `postern COMMAND --help` explains a "
          "command;\n"
          "`postern version` prints the version. With --env-file FILE, every\n"
          "command uses the variables in FILE too: lines NAME=value, as in\n"
          "an EnvironmentFile of systemd.\n",
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
report_missing_file(void)
{
    fputs("postern: --env-file needs a FILE; see `postern --help`\n", stderr);
    return EX_USAGE;
}

/*
 * Load the file of --env-file FILE, before or behind the subcommand's name, and
 * remove both from the arguments. Those after -- are left as they are.
 * Returns 0 or an exit status.
 */
static int
load_env_files(int *argc, char **argv)
{
    static const char option[] = "--env-file";
    const size_t len = sizeof(option) - 1;
    int status = 0;
    int kept = 1;
    int i = 1;

    for (; i < *argc && !status && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], option, len) != 0 ||
            (argv[i][len] != '\0' && argv[i][len] != '='))
            argv[kept++] = argv[i];
        else if (argv[i][len] == '=')
            status = env_file_load(argv[i] + len + 1);
        else if (argv[i + 1])
            status = env_file_load(argv[++i]);
        else
            status = report_missing_file();
    }
    while (i < *argc)
        argv[kept++] = argv[i++];
    argv[kept] = NULL;
    *argc = kept;
    return status;
}

static int
run_command(const struct command *command, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (is_help_option(argv[i])) {
            fputs(command->help, stdout);
            return 0;
        }
    if (pst_crypto_init() != PST_OK) {
        fputs("postern: libgcrypt cannot be started\n", stderr);
        return EX_SOFTWARE;
    }
    return command->run(argc, argv);
}

static int
report_unknown_command(const char *name)
{
    print_error_line("postern: there is no command %s", name);
    print_command_usage(stderr);
    return EX_USAGE;
}

/* help [COMMAND] */
static int
print_help(int argc, char **argv)
{
    const struct command *command;

    if (argc > 2)
        return command_usage_error(argv[0], "takes at most one COMMAND");
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
    int status = load_env_files(&argc, argv);

    if (status)
        return status;
    if (argc < 2) {
        print_command_usage(stderr);
        return EX_USAGE;
    }
    if (is_help_option(argv[1]))
        return print_help(1, argv);
    if (strcmp(argv[1], "help") == 0)
        return print_help(argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        puts("postern " PACKAGE_VERSION);
        return 0;
    }
    command = find_command(argv[1]);
    if (command)
        return run_command(command, argc - 1, argv + 1);
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

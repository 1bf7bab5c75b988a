/* SPDX-License-Identifier: ISC */
/*
 * arguments.c - parse the arguments of a program: --listen, --help, --version.
 */
#include "gateway/arguments.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/escape.h"

/* Bytes of an unknown argument that are shown. */
#define SHOWN_MAX 80

static void
arguments_print_usage(FILE *out, const char *name)
{
    fprintf(out,
            "Usage: %s [--listen unix:/path | --listen host:port]\n"
            "       %s --help | --version\n"
            "\n"
            "A web server runs %s as CGI or FastCGI. With --listen, it speaks\n"
            "FastCGI on that socket. Environment variables configure it: see\n"
            "postern-config(5) and\n" POSTERN_DOCUMENTATION
            "/configuration.md. `postern check` checks them.\n",
            name, name, name);
}

static void
arguments_report_unknown(const char *name, const char *argument)
{
    const struct pst_str text = pst_str_from(argument);
    char shown[SHOWN_MAX];

    (void)pst_escape_copy(shown, sizeof(shown), text);
    fprintf(stderr, "%s: %s %s\n", name, shown,
            pst_str_equal(text, PST_STR("--listen")) ? "needs an address"
                                                     : "is not an option");
}

/* Did a web server start us as plain CGI? */
static bool
has_cgi_variables(void)
{
    static const char *const names[] = {"GATEWAY_INTERFACE", "REQUEST_METHOD",
                                        "SERVER_PROTOCOL",   "SERVER_SOFTWARE",
                                        "SERVER_NAME",       "SCRIPT_NAME",
                                        "QUERY_STRING",      "REMOTE_ADDR"};

    for (size_t i = 0; i < PST_COUNT(names); i++)
        if (getenv(names[i]))
            return true;
    return false;
}

bool
arguments_parse(const char *const *argv, const char *name, const char **address,
                int *status)
{
    *address = NULL;
    /* RFC 3875 section 4.4: a web server may pass a query string without "="
     * as arguments. Then the client has chosen them: ?--listen+unix:/tmp/x. */
    if (has_cgi_variables())
        return true;
    for (argv++; *argv; argv++) {
        if (strncmp(*argv, "--listen=", strlen("--listen=")) == 0) {
            *address = *argv + strlen("--listen=");
        } else if (strcmp(*argv, "--listen") == 0 && argv[1]) {
            *address = *++argv;
        } else if (strcmp(*argv, "--help") == 0) {
            arguments_print_usage(stdout, name);
            *status = EX_OK;
            return false;
        } else if (strcmp(*argv, "--version") == 0) {
            printf("%s (postern) %s\n", name, PACKAGE_VERSION);
            *status = EX_OK;
            return false;
        } else {
            arguments_report_unknown(name, *argv);
            arguments_print_usage(stderr, name);
            *status = EX_USAGE;
            return false;
        }
    }
    if (!*address && !getenv("LISTEN_FDS") && isatty(STDIN_FILENO)) {
        arguments_print_usage(stderr, name);
        *status = EX_USAGE;
        return false;
    }
    return true;
}

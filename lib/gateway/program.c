/* SPDX-License-Identifier: ISC */
/*
 * program.c - read the arguments, start what a program needs, stop it.
 */
#include "gateway/program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "crypto/crypto.h"

/* Bytes of clients' documents that one process remembers. */
#define DOCUMENTS_SIZE_MAX ((size_t)16 * 1024 * 1024)

static void
program_report(void *context, const char *variable, const char *error)
{
    const struct program *program = context;
    struct log *log = NULL;
    char reason[1024];

    (void)snprintf(reason, sizeof(reason), "%s: %s", variable, error);
    /* In the form of the log, to be found in the web server's error log. */
    if (log_open(&log, "stderr", LOG_LOGFMT, LEVEL_ERROR, program->name))
        fprintf(stderr, "%s: %s\n", program->name, reason);
    else
        LOG_EVENT(log, LEVEL_ERROR, "start-failed",
                  LOG_C_STRING("reason", reason));
    log_close(&log);
}

/* Descriptors 0 to 2 are open from here on: no socket may become one that
 * something prints to. */
static void
open_standard_descriptors(void)
{
    int descriptor = open("/dev/null", O_RDWR);

    while (descriptor >= 0 && descriptor <= STDERR_FILENO)
        descriptor = open("/dev/null", O_RDWR);
    if (descriptor >= 0)
        close(descriptor);
}

static void
program_print_usage(FILE *out, const char *name)
{
    fprintf(out,
            "Usage: %s [--listen unix:/path | --listen host:port]\n"
            "       %s --help | --version\n"
            "\n"
            "%s is run by a web server, as CGI or FastCGI, or on its own\n"
            "with --listen, and then speaks FastCGI on that socket. It is\n"
            "configured by environment variables, which postern-config(5) "
            "and\n" POSTERN_DOCUMENTATION "/configuration.md explain:\n"
            "`postern check` tells whether they are right.\n",
            name, name, name);
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
program_parse_arguments(const char *const *argv, const char *name,
                        const char **address, int *status)
{
    *address = NULL;
    /* RFC 3875 section 4.4: a server may make arguments of a query string
     * without "=", and then they are the client's: ?--listen+unix:/tmp/x. */
    if (has_cgi_variables())
        return true;
    for (argv++; *argv; argv++) {
        if (strncmp(*argv, "--listen=", strlen("--listen=")) == 0) {
            *address = *argv + strlen("--listen=");
        } else if (strcmp(*argv, "--listen") == 0 && argv[1]) {
            *address = *++argv;
        } else if (strcmp(*argv, "--help") == 0) {
            program_print_usage(stdout, name);
            *status = EX_OK;
            return false;
        } else if (strcmp(*argv, "--version") == 0) {
            printf("%s (postern) %s\n", name, PACKAGE_VERSION);
            *status = EX_OK;
            return false;
        } else {
            program_print_usage(stderr, name);
            *status = EX_USAGE;
            return false;
        }
    }
    if (!*address && !getenv("LISTEN_FDS") && isatty(STDIN_FILENO)) {
        program_print_usage(stderr, name);
        *status = EX_USAGE;
        return false;
    }
    return true;
}

enum pst_err
program_connect(const struct program *program, struct http_client **upstream,
                struct store **store)
{
    const struct config *config = program->config;
    const struct http_client_options options = {
        .url = config->upstream,
        .ca = config->upstream_ca,
        .connect_timeout = config->connect_timeout,
        .first_byte_timeout = config->first_byte_timeout,
        .between_bytes_timeout = config->between_bytes_timeout,
    };
    struct http_client *client = NULL;
    enum pst_err e = http_client_new(&client, &options);

    if (e)
        return e;
    if (config->store.kind != STORE_NONE) {
        e = store_open(store, &config->store, config->audience);
        if (e) {
            http_client_free(&client);
            return e;
        }
    } else {
        *store = NULL;
    }
    *upstream = client;
    return PST_OK;
}

/* Say what kept us from starting, where config_new() has not; returns what
 * to leave with. */
static int
program_report_failure(struct program *program, enum pst_err e)
{
    switch (e) {
    case PST_BAD_CONFIG:
        return EX_CONFIG;
    case PST_NO_MEMORY:
        program_report(program, "memory or descriptors", "are not to be had");
        return EX_OSERR;
    default:
        program_report(program, "libgcrypt", "cannot be used");
        return EX_SOFTWARE;
    }
}

/* Let a worker's handles be made once: better told now than at every
 * request. */
static int
program_try_connect(struct program *program)
{
    struct http_client *upstream = NULL;
    struct store *store = NULL;
    enum pst_err e = program_connect(program, &upstream, &store);

    if (e == PST_BAD_CONFIG)
        program_report(program, "POSTERN_UPSTREAM",
                       "is no address that can be used");
    if (e)
        return program_report_failure(program, e);
    store_close(&store);
    http_client_free(&upstream);
    return EX_OK;
}

void
program_hide_memory(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* whose search for leaks attaches to us */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

int
program_open(struct program *program)
{
    const struct config_reporter report = {program_report, program};
    const struct config *config;
    enum pst_err e;

    program_hide_memory();
    open_standard_descriptors();
    e = pst_crypto_init();
    if (!e)
        e = config_new(&program->config, (const char *const *)environ, &report);
    if (e)
        return program_report_failure(program, e);
    config = program->config;
    if (log_open(&program->log, config->log_target, config->log_format,
                 config->log_level, program->name) != PST_OK) {
        program_report(program, "POSTERN_LOG", strerror(errno));
        return EX_CONFIG;
    }
    e = keyring_cache_new(&program->keyring_cache, config, program->log);
    if (e)
        return program_report_failure(program, e);
    if (http_client_start() != PST_OK) {
        program_report(program, "libcurl", "cannot be started");
        return EX_SOFTWARE;
    }
    return program_try_connect(program);
}

int
program_load_documents(struct program *program, bool is_persistent)
{
    const struct config *config = program->config;
    const struct documents_options options = {
        .rules = &config->backend.rules,
        .size_max = DOCUMENTS_SIZE_MAX,
        .is_persistent = is_persistent,
        .manifest = config->documents,
        .is_manifest_only = config->documents_only,
    };
    char error[512] = "";
    enum pst_err e =
        documents_new(&program->documents, &options, error, sizeof(error));

    if (e == PST_BAD_CONFIG)
        program_report(program, "POSTERN_DOCUMENTS", error);
    return e ? program_report_failure(program, e) : EX_OK;
}

void
program_close(struct program *program)
{
    http_client_stop();
    documents_free(&program->documents);
    keyring_cache_free(&program->keyring_cache);
    log_close(&program->log);
    config_free(&program->config);
}

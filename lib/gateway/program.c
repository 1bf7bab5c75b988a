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
complain(void *context, const char *variable, const char *why)
{
    const struct service *service = context;

    fprintf(stderr, "%s: %s: %s\n", service->name, variable, why);
}

/* Descriptors 0 to 2 are open from here on: no socket may become one that
 * something prints to. */
static void
open_standard(void)
{
    int descriptor = open("/dev/null", O_RDWR);

    while (descriptor >= 0 && descriptor <= STDERR_FILENO)
        descriptor = open("/dev/null", O_RDWR);
    if (descriptor >= 0)
        close(descriptor);
}

static void
print_usage(FILE *out, const char *name)
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
service_read_arguments(const char *const *argv, const char *name,
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
            print_usage(stdout, name);
            *status = EX_OK;
            return false;
        } else if (strcmp(*argv, "--version") == 0) {
            printf("%s (postern) %s\n", name, PACKAGE_VERSION);
            *status = EX_OK;
            return false;
        } else {
            print_usage(stderr, name);
            *status = EX_USAGE;
            return false;
        }
    }
    if (!*address && !getenv("LISTEN_FDS") && isatty(STDIN_FILENO)) {
        print_usage(stderr, name);
        *status = EX_USAGE;
        return false;
    }
    return true;
}

enum pst_err
service_connect(const struct service *service, struct upstream **upstream,
                struct store **store)
{
    const struct config *config = service->config;
    const struct upstream_options options = {
        .url = config->upstream,
        .ca = config->upstream_ca,
        .connect_timeout = config->connect_timeout,
        .first_byte_timeout = config->first_byte_timeout,
        .between_bytes_timeout = config->between_bytes_timeout,
    };
    struct upstream *made = NULL;
    enum pst_err e = upstream_new(&made, &options);

    if (e)
        return e;
    if (config->store.kind != STORE_NONE) {
        e = store_open(store, &config->store, config->audience);
        if (e) {
            upstream_free(&made);
            return e;
        }
    } else {
        *store = NULL;
    }
    *upstream = made;
    return PST_OK;
}

/* Say what kept us from starting, where config_new() has not; returns what
 * to leave with. */
static int
refuse(struct service *service, enum pst_err e)
{
    switch (e) {
    case PST_BAD_CONFIG:
        return EX_CONFIG;
    case PST_NO_MEMORY:
        complain(service, "memory or descriptors", "are not to be had");
        return EX_OSERR;
    default:
        complain(service, "libgcrypt", "cannot be used");
        return EX_SOFTWARE;
    }
}

/* Let a worker's handles be made once: better told now than at every
 * request. */
static int
try_to_connect(struct service *service)
{
    struct upstream *upstream = NULL;
    struct store *store = NULL;
    enum pst_err e = service_connect(service, &upstream, &store);

    if (e == PST_BAD_CONFIG)
        complain(service, "POSTERN_UPSTREAM", "is no address that can be used");
    if (e)
        return refuse(service, e);
    store_close(&store);
    upstream_free(&upstream);
    return EX_OK;
}

void
service_hide_memory(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* whose search for leaks attaches to us */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

int
service_open(struct service *service)
{
    const struct config_complaint complaint = {complain, service};
    const struct config *config;
    enum pst_err e;

    service_hide_memory();
    open_standard();
    e = pst_crypt_init();
    if (!e)
        e = config_new(&service->config, (const char *const *)environ,
                       &complaint);
    if (e)
        return refuse(service, e);
    config = service->config;
    if (log_open(&service->log, config->log_target, config->log_format,
                 config->log_level, service->name) != PST_OK) {
        complain(service, "POSTERN_LOG", strerror(errno));
        return EX_CONFIG;
    }
    e = keys_new(&service->keys, config, service->log);
    if (e)
        return refuse(service, e);
    if (upstream_start() != PST_OK) {
        complain(service, "libcurl", "cannot be started");
        return EX_SOFTWARE;
    }
    return try_to_connect(service);
}

int
service_read_documents(struct service *service, bool is_lasting)
{
    const struct config *config = service->config;
    const struct documents_options options = {
        .rules = &config->backend.rules,
        .size_max = DOCUMENTS_SIZE_MAX,
        .is_lasting = is_lasting,
        .manifest = config->documents,
        .is_manifest_only = config->documents_only,
    };
    char why[512] = "";
    enum pst_err e =
        documents_new(&service->documents, &options, why, sizeof(why));

    if (e == PST_BAD_CONFIG)
        complain(service, "POSTERN_DOCUMENTS", why);
    return e ? refuse(service, e) : EX_OK;
}

void
service_close(struct service *service)
{
    upstream_stop();
    documents_free(&service->documents);
    keys_free(&service->keys);
    log_close(&service->log);
    config_free(&service->config);
}

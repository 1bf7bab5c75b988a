/* SPDX-License-Identifier: ISC */
/*
 * program_sandbox.c - what a program gives up: access to its memory, and, once
 * it has started, what its configuration does not ask for.
 */
#include "gateway/program_sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "engine/socket_address.h"
#include "upstream/http_target.h"

#define UNIX_PREFIX "unix:"

/* The folders of sockets and of certificates, the store, and two for each of
 * the log and the secret: the file's own and that of a link's target. */
#define PATHS_MAX (LISTEN_SOCKETS_MAX + 16)

/* The rules while they are made. */
struct program_rules {
    struct sandbox_rules rules;
    struct sandbox_path paths[PATHS_MAX];
    char *texts[PATHS_MAX]; /* of the paths, from malloc() */
    bool is_out_of_memory;
};

/* Where the certificates of the system are, and OpenSSL's settings. Whole
 * folders, for an update replaces the files. */
static const char *const certificate_folders[] = {
    "/etc/ca-certificates",
    "/etc/pki",
    "/etc/ssl",
    "/usr/lib/ssl",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
    "/var/lib/ca-certificates"};

/*
 * Add a path.
 *   path  from malloc(), which it takes; or NULL: out of memory
 */
static void
rules_add(struct program_rules *made, char *path, unsigned access)
{
    const size_t i = made->rules.path_count;

    PST_REQUIRE(i < PATHS_MAX);
    if (!path) {
        made->is_out_of_memory = true;
        return;
    }
    made->texts[i] = path;
    made->paths[i] = (struct sandbox_path){path, access};
    made->rules.path_count++;
}

static char *
folder_of(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash ? strndup(file, (size_t)(slash - file)) : strdup(".");
}

/* Add the folder of a file, which may be replaced by another file; but not all
 * files of the machine, if that is "/". */
static void
rules_add_folder_of(struct program_rules *made, const char *file,
                    unsigned access)
{
    char *target = realpath(file, NULL);
    const char *const names[] = {file, target};

    for (size_t i = 0; i < PST_COUNT(names) && names[i]; i++)
        rules_add(made,
                  strrchr(names[i], '/') == names[i] ? strdup(names[i])
                                                     : folder_of(names[i]),
                  access);
    free(target);
}

/* A new file takes the log's place when it is rotated. A FIFO or a device
 * stays; the first is opened for reading too (server/log_output.h). */
static void
rules_add_log(struct program_rules *made, const char *target)
{
    struct stat st;

    if (target[0] != '/')
        return;
    if (strncmp(target, "/dev/", strlen("/dev/")) == 0 ||
        (stat(target, &st) == 0 && !S_ISREG(st.st_mode)))
        rules_add(made, strdup(target), SANDBOX_READ | SANDBOX_WRITE);
    else
        rules_add_folder_of(made, target, SANDBOX_WRITE);
}

/* The files of sockets are removed at the end. */
static void
rules_add_sockets(struct program_rules *made,
                  const struct listen_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        if (sockets->list[i].has_file)
            rules_add(made,
                      folder_of(sockets->list[i].name + strlen(UNIX_PREFIX)),
                      SANDBOX_REMOVE);
}

static void
rules_add_certificates(struct program_rules *made, const char *file)
{
    if (file) {
        rules_add_folder_of(made, file, SANDBOX_READ);
        return;
    }
    for (size_t i = 0; i < PST_COUNT(certificate_folders); i++)
        rules_add(made, strdup(certificate_folders[i]), SANDBOX_READ);
}

/* Is this an IP address, so that no name has to be looked up? */
static bool
is_address(struct pst_str host)
{
    struct socket_address address;
    char text[INET6_ADDRSTRLEN];

    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return socket_address_parse(&address, text, "80");
}

/* The backend by TCP: https:// by libcurl, which looks up names itself, and
 * refuses a URL that is not valid. */
static void
rules_add_backend_by_tcp(struct program_rules *made,
                         const struct config *config)
{
    bool has_tls = pst_str_starts_nocase(config->upstream, PST_STR("https:"));
    struct pst_str rest = pst_str_skip(
        config->upstream, strlen(has_tls ? "https://" : "http://"));
    struct pst_str host;
    struct pst_str digits;
    bool is_valid = http_target_split_authority(
        pst_str_first(rest, pst_str_index(rest, '/')), &host, &digits);
    int64_t port;

    if (!is_valid || pst_str_parse_number(digits, &port) != PST_OK ||
        port < 1 || port > UINT16_MAX)
        port = has_tls ? 443 : 80;
    made->rules.peers |= SANDBOX_TCP;
    made->rules.tcp_port = (uint16_t)port;
    if (has_tls || !is_address(host))
        made->rules.peers |= SANDBOX_NAMES;
    if (has_tls)
        rules_add_certificates(made, config->upstream_ca);
}

static void
rules_add_backend(struct program_rules *made, const struct config *config,
                  enum program_use use)
{
    bool refreshes = config->authorize_upstream &&
                     !pst_str_is_absent(config->backend.refresh.text);

    if (use == PROGRAM_USES_STORE ||
        (use == PROGRAM_REFRESHES_TOKENS && !refreshes))
        return;
    if (pst_str_starts_nocase(config->upstream, PST_STR(UNIX_PREFIX)))
        made->rules.peers |= SANDBOX_LOCAL;
    else
        rules_add_backend_by_tcp(made, config);
}

/* After the backend: sentinels and clusters name more servers, by any name, on
 * any port. */
static void
rules_add_store(struct program_rules *made, const struct store_url *store)
{
    if (store->kind == STORE_LMDB) {
        rules_add(made, strdup(store->path),
                  SANDBOX_READ | SANDBOX_WRITE | SANDBOX_REMOVE);
    } else if (store->kind == STORE_REDIS && store->path[0] != '\0') {
        made->rules.peers |= SANDBOX_LOCAL;
    } else if (store->kind == STORE_REDIS) {
        made->rules.peers |= SANDBOX_TCP | SANDBOX_NAMES;
        made->rules.tcp_port = 0;
    }
}

/* Returns as sandbox_enter(), or PST_NO_MEMORY. */
static enum pst_err
enter_with_rules(const struct config *config, enum program_use use,
                 const struct listen_sockets *sockets, unsigned *gaps)
{
    struct program_rules made = {0};
    enum pst_err e = PST_NO_MEMORY;
    int code;

    made.rules.paths = made.paths;
    if (config->secret_file)
        rules_add_folder_of(&made, config->secret_file, SANDBOX_READ);
    rules_add_log(&made, config->log_target);
    rules_add_sockets(&made, sockets);
    rules_add_backend(&made, config, use);
    rules_add_store(&made, &config->store);
    if (!made.is_out_of_memory)
        e = sandbox_enter(&made.rules, gaps);
    code = errno;
    for (size_t i = 0; i < made.rules.path_count; i++)
        free(made.texts[i]);
    errno = code;
    return e;
}

/* Only files are a reason to warn: what limits ports is newer. */
static void
log_gaps(struct log *log, unsigned gaps)
{
    if (gaps & SANDBOX_NO_FILES)
        LOG_EVENT(log, LEVEL_WARNING, "sandbox-partial",
                  LOG_C_STRING("missing", "files,ports"));
    else if (gaps & SANDBOX_NO_PORTS)
        LOG_EVENT(log, LEVEL_INFO, "sandbox-partial",
                  LOG_C_STRING("missing", "ports"));
}

enum pst_err
program_sandbox_enter(const struct config *config, enum program_use use,
                      const struct listen_sockets *sockets, struct log *log,
                      const struct config_reporter *reporter)
{
    unsigned gaps = 0;
    char error[256];
    enum pst_err e;

    if (!config->sandbox || !sandbox_is_built())
        return PST_OK;
    e = enter_with_rules(config, use, sockets, &gaps);
    if (e == PST_INTERNAL) {
        (void)snprintf(error, sizeof(error),
                       "this kernel refuses it: %s: allow seccomp and Landlock "
                       "here, or set it to off",
                       strerror(errno));
        reporter->report_error(reporter->context, "POSTERN_SANDBOX", error);
        return PST_BAD_CONFIG;
    }
    if (!e && sockets->count > 0) /* plain CGI would log it with each request */
        log_gaps(log, gaps);
    return e;
}

void
program_hide_memory(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* the leak checker attaches to this process */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

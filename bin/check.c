/* SPDX-License-Identifier: ISC */
/*
 * check.c - `postern check`: check the environment, the store and the backend.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "check_backend.h"
#include "check_settings.h"
#include "commands.h"
#include "gateway/document_lookup.h"
#include "place.h"
#include "print.h"
#include "server/log_output.h"
#include "store/store.h"
#include "upstream/http_client.h"

#define VALUE_MAX (64 * 1024) /* bytes of a printed value */

/* Bytes of a folder of sockets: with the longest name, which lighttpd makes
 * from postern-authorize.socket and a number, a path must have at most 107. */
#define SOCKETS_FOLDER_MAX 78

/* Write to the store and read from it; print its errors and warnings. */
static int
ping_store(const struct config *config)
{
    struct store *store = NULL;
    char reason[PLACE_REASON_MAX];
    enum pst_err e;

    if (!place_enter_store(&config->store, reason)) {
        print_error_line("POSTERN_STORE: %s", reason);
        return EX_UNAVAILABLE;
    }
    e = store_open(&store, &config->store, config->audience);
    if (!e)
        e = store_ping(store, time(NULL));
    if (!e)
        puts("the store answers");
    if (store && *store_error(store))
        print_error_line("POSTERN_STORE: %s", store_error(store));
    else if (e)
        fprintf(stderr, "POSTERN_STORE: %s\n", pst_err_text(e));
    store_close(&store);
    return e ? EX_UNAVAILABLE : 0;
}

static int
check_store_setting(const struct config *config)
{
    if (config->store.kind == STORE_NONE) {
        puts("there is no store (POSTERN_STORE is none): a copied session "
             "stays valid after its logout, and passwords can be guessed "
             "without limit: set POSTERN_STORE");
        return 0;
    }
    return ping_store(config);
}

/* Does the daemon run that the lines go to? */
static bool
check_log_socket(const char *target, const char *path)
{
    if (log_output_try_socket(path))
        return true;
    print_error_line("POSTERN_LOG: %s: no daemon reads from %s (%s): start it, "
                     "or set POSTERN_LOG=stderr",
                     target, path, strerror(errno));
    return false;
}

/* The programs open the log when they start. */
static int
check_log(const struct config *config)
{
    const char *socket = log_socket_path(config->log_target);
    char reason[PLACE_REASON_MAX];

    if (strcmp(config->log_target, "stderr") == 0)
        return 0;
    if (socket && !check_log_socket(config->log_target, socket))
        return EX_CONFIG;
    if (socket) {
        puts("the log's daemon runs");
        return 0;
    }
    if (!place_check_file(config->log_target, reason)) {
        print_error_line("POSTERN_LOG: %s", reason);
        return EX_CONFIG;
    }
    puts("the log can be written");
    return 0;
}

/* The folder in which the programs make their sockets. */
static int
check_sockets(const char *folder)
{
    char reason[PLACE_REASON_MAX];
    struct stat found;

    if (!folder) {
        puts("the folder of the sockets was not tried (--sockets FOLDER)");
        return 0;
    }
    if (!place_check_folder(folder, reason)) {
        print_error_line("--sockets: %s", reason);
        return EX_CONFIG;
    }
    if (strlen(folder) > SOCKETS_FOLDER_MAX) {
        print_error_line("--sockets: %s is longer than %d bytes: the path of a "
                         "socket must be shorter than 108",
                         folder, SOCKETS_FOLDER_MAX);
        return EX_CONFIG;
    }
    if (stat(folder, &found) == 0 &&
        (found.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH)
        print_error_line(
            "warning: --sockets: everybody may write to %s, and so "
            "replace a socket: chmod o-w it",
            folder);
    puts("sockets can be made");
    return 0;
}

/* Read the manifest, as each program does when it starts. */
static int
check_document_manifest(const struct config *config)
{
    const struct document_lookup_options options = {
        .rules = &config->backend.rules,
        .manifest = config->documents,
        .is_manifest_only = config->documents_only,
    };
    struct document_lookup *documents = NULL;
    char reason[512] = "";
    enum pst_err e;

    if (!config->documents)
        return 0;
    e = document_lookup_new(&documents, &options, reason, sizeof(reason));
    document_lookup_free(&documents);
    if (!e)
        puts("the manifest can be read");
    else
        fprintf(stderr, "POSTERN_DOCUMENTS: %s\n",
                e == PST_BAD_CONFIG ? reason : pst_err_text(e));
    return e ? EX_CONFIG : 0;
}

/* The texts were read with the variables. */
static void
print_languages(const struct config *config)
{
    printf("the pages have texts in:");
    for (size_t i = 0; i < config->texts.count; i++) {
        struct pst_str tag = config->texts.languages[i].tag;

        printf(" %.*s", (int)tag.len, tag.ptr);
    }
    putchar('\n');
}

/* Print every variable with its value in use, secrets masked. */
static int
print_settings(const struct config *config, struct pst_arena *arena)
{
    for (size_t i = 0; i < config_row_count(); i++) {
        struct pst_str value;
        struct pst_buf buf;

        pst_arena_reset(arena);
        pst_buf_init_arena(&buf, arena, VALUE_MAX);
        config_emit_value(&buf, config, i);
        if (pst_buf_finish(&buf, &value) != PST_OK)
            return EX_SOFTWARE;
        printf("%-30s %.*s\n", config_row(i)->name, (int)value.len, value.ptr);
    }
    return 0;
}

/* Try everything, and return the most important exit status. */
static int
try_everything(const struct config *config, struct pst_arena *arena,
               const char *sockets)
{
    const int local[] = {check_log(config), check_sockets(sockets),
                         check_document_manifest(config)};
    int store;
    int status;

    store = check_store_setting(config);
    pst_arena_reset(arena);
    status = check_backend(config, arena);
    for (size_t i = 0; i < PST_COUNT(local) && !status; i++)
        status = local[i];
    return status ? status : store;
}

static int
check_environment(const struct config *config, const char *sockets)
{
    struct pst_arena *arena = NULL;
    int status = EX_SOFTWARE;

    if (pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK)
        status = print_settings(config, arena);
    if (status == 0) {
        check_settings(config);
        print_languages(config);
        status = try_everything(config, arena, sockets);
    }
    pst_arena_free(&arena);
    return status;
}

int
command_check(int argc, char **argv)
{
    struct config *config = NULL;
    const char *sockets = NULL;
    int status;

    if (argc == 3 && strcmp(argv[1], "--sockets") == 0)
        sockets = argv[2];
    else if (argc > 1)
        return command_usage_error(argv[0], "takes --sockets FOLDER");
    status = command_load_config(&config, CONFIG_PART_ALL);
    if (status)
        return status;
    /* In a pipe with stderr, the messages stay in their order. */
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (http_client_start() == PST_OK) {
        status = check_environment(config, sockets);
        http_client_stop();
    } else {
        fputs("postern: out of memory\n", stderr);
        status = EX_SOFTWARE;
    }
    config_free(&config);
    return status;
}

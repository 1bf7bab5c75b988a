/* SPDX-License-Identifier: ISC */
/*
 * check.c - `postern check`: is the environment right, and are the store and
 * the backend there?
 */
#include <time.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "check_backend.h"
#include "commands.h"
#include "gateway/documents.h"
#include "store/store.h"
#include "upstream/http_client.h"

#define VALUE_MAX (64 * 1024) /* bytes of a value that we print */

/* A round trip that writes and reads; what it warns of goes with it. */
static int
ping_store(const struct config *config)
{
    struct store *store = NULL;
    enum pst_err e = store_open(&store, &config->store, config->audience);

    if (!e)
        e = store_ping(store, time(NULL));
    if (!e)
        puts("the store answers");
    if (store && *store_error(store))
        fprintf(stderr, "POSTERN_STORE: %s\n", store_error(store));
    else if (e)
        fprintf(stderr, "POSTERN_STORE: %s\n", pst_err_text(e));
    store_close(&store);
    return e ? EX_UNAVAILABLE : 0;
}

static int
check_store_setting(const struct config *config)
{
    if (config->store.kind == STORE_NONE) {
        puts("there is no store: a session that was copied outlives its "
             "logout, and passwords may be guessed without limit");
        return 0;
    }
    return ping_store(config);
}

/* The manifest, as each program reads it when it starts. */
static int
check_document_manifest(const struct config *config)
{
    const struct documents_options options = {
        .rules = &config->backend.rules,
        .manifest = config->documents,
        .is_manifest_only = config->documents_only,
    };
    struct documents *documents = NULL;
    char reason[512] = "";
    enum pst_err e;

    if (!config->documents)
        return 0;
    e = documents_new(&documents, &options, reason, sizeof(reason));
    documents_free(&documents);
    if (!e)
        puts("the manifest can be read");
    else
        fprintf(stderr, "POSTERN_DOCUMENTS: %s\n",
                e == PST_BAD_CONFIG ? reason : pst_err_text(e));
    return e ? EX_CONFIG : 0;
}

/* Every variable with its value, and nothing of a secret. */
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

static int
check_environment(const struct config *config)
{
    struct pst_arena *arena = NULL;
    int status = EX_SOFTWARE;
    int manifest = 0;
    int store = 0;

    if (pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK)
        status = print_settings(config, arena);
    if (status == 0) {
        manifest = check_document_manifest(config);
        fflush(stdout); /* store and backend may keep us waiting */
        store = check_store_setting(config);
        fflush(stdout);
        pst_arena_reset(arena);
        status = check_backend(config, arena);
    }
    pst_arena_free(&arena);
    if (status)
        return status;
    return manifest ? manifest : store;
}

int
command_check(int argc, char **argv)
{
    struct config *config = NULL;
    int status;

    if (argc > 1)
        return command_usage_error(argv[0], "takes no arguments");
    status = command_load_config(&config);
    if (status)
        return status;
    if (http_client_start() == PST_OK) {
        status = check_environment(config);
        http_client_stop();
    } else {
        fputs("postern: libcurl does not start\n", stderr);
        status = EX_SOFTWARE;
    }
    config_free(&config);
    return status;
}

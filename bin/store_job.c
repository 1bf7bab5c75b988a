/* SPDX-License-Identifier: ISC */
/*
 * store_job.c - load the configuration and open the store, for the subcommands
 * that read or change the store.
 */
#include "store_job.h"

#include <time.h>

#include "base/limits.h"
#include "commands.h"
#include "crypto/crypto.h"
#include "place.h"
#include "print.h"

int
store_job_report_error(const struct store_job *job, enum pst_err e)
{
    if (e == PST_STORE_DOWN) {
        print_error_line("postern: the store does not answer: %s",
                         store_error(job->ctx.store));
        return EX_UNAVAILABLE;
    }
    fprintf(stderr, "postern: %s\n", pst_err_text(e));
    return EX_SOFTWARE;
}

static int
store_job_open(struct store_job *job, const struct config *config)
{
    char reason[PLACE_REASON_MAX];
    enum pst_err e;

    job->ctx.config = config;
    job->ctx.ring = config->ring;
    job->ctx.now = time(NULL);
    job->ctx.random = pst_crypto_random;
    if (config->store.kind == STORE_NONE) {
        fputs("postern: POSTERN_STORE is none, so that nothing is stored: set "
              "it as for the programs\n",
              stderr);
        return EX_UNAVAILABLE;
    }
    if (!place_enter_store(&config->store, reason)) {
        print_error_line("postern: POSTERN_STORE: %s", reason);
        return EX_UNAVAILABLE;
    }
    e = pst_arena_new(&job->arena, PST_ARENA_SIZE);
    if (!e)
        e = store_open(&job->ctx.store, &config->store, config->audience);
    if (e)
        fprintf(stderr, "postern: the store cannot be opened: %s\n",
                pst_err_text(e));
    return e ? EX_SOFTWARE : 0;
}

int
store_job_run(unsigned parts,
              int (*work)(struct store_job *job, const void *arguments),
              const void *arguments)
{
    struct store_job job = {.arena = NULL};
    struct config *config = NULL;
    int status = command_load_config(&config, parts);

    if (status)
        return status;
    status = store_job_open(&job, config);
    if (!status)
        status = work(&job, arguments);
    store_close(&job.ctx.store);
    pst_arena_free(&job.arena);
    config_free(&config);
    return status;
}

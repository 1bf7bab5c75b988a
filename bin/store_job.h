/* SPDX-License-Identifier: ISC */
/*
 * store_job.h - load the configuration and open the store, for the subcommands
 * that read or change the store.
 */
#ifndef POSTERN_STORE_JOB_H
#define POSTERN_STORE_JOB_H

#include "gateway/context.h"

/* What a subcommand needs to work on the store. */
struct store_job {
    struct context ctx; /* its config, ring, store, now and random are set */
    struct pst_arena *arena;
};

/*
 * Open the store of the environment's configuration, call work, and close it.
 *   parts      what work needs beside the store: enum config_part flags
 *   arguments  passed on to work
 * Returns the exit status of work, or another one with the reason printed:
 * EX_CONFIG, EX_UNAVAILABLE (there is no store), EX_SOFTWARE.
 */
int store_job_run(unsigned parts,
                  int (*work)(struct store_job *job, const void *arguments),
                  const void *arguments);

/* Print why the store cannot be used. Returns EX_UNAVAILABLE or EX_SOFTWARE. */
int store_job_report_error(const struct store_job *job, enum pst_err e);

#endif

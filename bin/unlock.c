/* SPDX-License-Identifier: ISC */
/*
 * unlock.c - `postern unlock`: reset the rate limits of an account and address.
 */
#include <string.h>

#include "commands.h"
#include "store/throttle.h"
#include "store_job.h"

/* The account and the address to unlock. */
struct unlock_names {
    struct pst_str account; /* absent: none */
    struct pst_str address; /* absent: none */
};

static int
unlock_in_store(struct store_job *job, const void *arguments)
{
    const struct unlock_names *names = arguments;
    const struct config *config = job->ctx.config;
    const struct throttle throttle = {job->ctx.store, config->login_per_account,
                                      config->login_per_address};
    int64_t counted = 0;
    enum pst_err e = throttle_unlock(&throttle, names->account, names->address,
                                     job->ctx.now, &counted);

    if (e == PST_MALFORMED) {
        fputs("postern: the name is not UTF-8, so no login can have been "
              "counted for it\n",
              stderr);
        return EX_DATAERR;
    }
    if (e)
        return store_job_report_error(job, e);
    if (counted == 0) {
        fputs("postern: no failed login is counted for it\n", stderr);
        return COMMAND_NEGATIVE;
    }
    puts("unlocked");
    return 0;
}

int
command_unlock(int argc, char **argv)
{
    static const char usage[] = "takes NAME, --address ADDRESS, or both";
    struct unlock_names names = {PST_STR_NONE, PST_STR_NONE};
    bool is_options_end = false;

    for (int i = 1; i < argc; i++) {
        if (!is_options_end && strcmp(argv[i], "--") == 0) {
            is_options_end = true;
        } else if (!is_options_end && strcmp(argv[i], "--address") == 0) {
            if (!argv[i + 1] || !*argv[i + 1] || names.address.len > 0)
                return command_usage_error(argv[0], usage);
            names.address = pst_str_from(argv[++i]);
        } else if ((!is_options_end && strncmp(argv[i], "--", 2) == 0) ||
                   !pst_str_is_absent(names.account)) {
            return command_usage_error(argv[0], usage);
        } else {
            names.account = pst_str_from(argv[i]);
        }
    }
    if (pst_str_is_absent(names.account) && names.address.len == 0)
        return command_usage_error(argv[0], usage);
    return store_job_run(0, unlock_in_store, &names);
}

/* SPDX-License-Identifier: ISC */
/*
 * unlock.c - `postern unlock`: an account's budgets of logins are free again.
 */
#include <string.h>
#include <time.h>

#include "commands.h"
#include "store/throttle.h"

/* Whom the command line names. */
struct unlock_names {
    struct pst_str account; /* absent: none */
    struct pst_str address; /* absent: none */
};

static int
report_unlock_error(struct store *store, enum pst_err e)
{
    if (e == PST_MALFORMED) {
        fputs("postern: the name is not UTF-8; no login under it can have "
              "been counted\n",
              stderr);
        return EX_DATAERR;
    }
    if (e == PST_STORE_DOWN) {
        fprintf(stderr, "postern: the store does not answer: %s\n",
                store_error(store));
        return EX_UNAVAILABLE;
    }
    fprintf(stderr, "postern: %s\n", pst_err_text(e));
    return EX_SOFTWARE;
}

static int
unlock_in_store(const struct config *config, struct store *store,
                const struct unlock_names *names)
{
    const struct throttle throttle = {store, config->login_per_account,
                                      config->login_per_address};
    int64_t counted = 0;
    enum pst_err e = throttle_unlock(&throttle, names->account, names->address,
                                     (int64_t)time(NULL), &counted);

    if (e)
        return report_unlock_error(store, e);
    if (counted == 0) {
        fputs("postern: no failed login is counted there\n", stderr);
        return COMMAND_NEGATIVE;
    }
    puts("unlocked");
    return 0;
}

static int
unlock_account(const struct unlock_names *names)
{
    struct config *config = NULL;
    struct store *store = NULL;
    int status = command_load_config(&config);
    enum pst_err e;

    if (status)
        return status;
    if (config->store.kind == STORE_NONE) {
        fputs("postern: POSTERN_STORE is none: no login is counted\n", stderr);
        status = EX_UNAVAILABLE;
    } else {
        e = store_open(&store, &config->store, config->audience);
        status = e ? report_unlock_error(store, e)
                   : unlock_in_store(config, store, names);
    }
    store_close(&store);
    config_free(&config);
    return status;
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
    return unlock_account(&names);
}

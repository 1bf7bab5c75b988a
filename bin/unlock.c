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
    struct pst_text account; /* absent: none */
    struct pst_text address; /* absent: none */
};

static int
fail_unlock(struct store *store, enum pst_err e)
{
    if (e == PST_MALFORMED) {
        fputs("postern: the name is not UTF-8; no login under it can have "
              "been counted\n",
              stderr);
        return EX_DATAERR;
    }
    if (e == PST_STORE_DOWN) {
        fprintf(stderr, "postern: the store does not answer: %s\n",
                store_why(store));
        return EX_UNAVAILABLE;
    }
    fprintf(stderr, "postern: %s\n", pst_err_text(e));
    return EX_SOFTWARE;
}

static int
unlock_in(const struct config *config, struct store *store,
          const struct unlock_names *names)
{
    const struct throttle throttle = {store, config->login_per_account,
                                      config->login_per_address};
    int64_t held = 0;
    enum pst_err e = throttle_unlock(&throttle, names->account, names->address,
                                     (int64_t)time(NULL), &held);

    if (e)
        return fail_unlock(store, e);
    if (held == 0) {
        fputs("postern: no failed login is counted there\n", stderr);
        return COMMAND_NO;
    }
    puts("unlocked");
    return 0;
}

static int
unlock(const struct unlock_names *names)
{
    struct config *config = NULL;
    struct store *store = NULL;
    int status = command_config(&config);
    enum pst_err e;

    if (status)
        return status;
    if (config->store.kind == STORE_NONE) {
        fputs("postern: POSTERN_STORE is none: no login is counted\n", stderr);
        status = EX_UNAVAILABLE;
    } else {
        e = store_open(&store, &config->store, config->audience);
        status = e ? fail_unlock(store, e) : unlock_in(config, store, names);
    }
    store_close(&store);
    config_free(&config);
    return status;
}

int
command_unlock(int argc, char **argv)
{
    static const char why[] = "takes NAME, --address ADDRESS, or both";
    struct unlock_names names = {PST_NO_TEXT, PST_NO_TEXT};
    bool are_options_over = false;

    for (int i = 1; i < argc; i++) {
        if (!are_options_over && strcmp(argv[i], "--") == 0) {
            are_options_over = true;
        } else if (!are_options_over && strcmp(argv[i], "--address") == 0) {
            if (!argv[i + 1] || !*argv[i + 1] || names.address.len > 0)
                return command_misused(argv[0], why);
            names.address = pst_text_from(argv[++i]);
        } else if ((!are_options_over && strncmp(argv[i], "--", 2) == 0) ||
                   !pst_text_is_absent(names.account)) {
            return command_misused(argv[0], why);
        } else {
            names.account = pst_text_from(argv[i]);
        }
    }
    if (pst_text_is_absent(names.account) && names.address.len == 0)
        return command_misused(argv[0], why);
    return unlock(&names);
}

/* SPDX-License-Identifier: ISC */
/*
 * doctor.c - `postern doctor`: look at a running site from outside.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "commands.h"
#include "doctor_site.h"
#include "http/origin.h"

static bool
set_doctor_option(struct doctor *doctor, const char *option, const char *value)
{
    const struct {
        const char *name;
        const char **field;
        bool is_path;
    } options[] = {
        {"--login", &doctor->login, true},
        {"--query", &doctor->query, true},
        {"--session", &doctor->session, true},
        {"--logout", &doctor->logout, true},
        {"--page", &doctor->page, true},
        {"--token-header", &doctor->token_header, false},
        {"--cookie", &doctor->cookie, false},
        {"--ca", &doctor->probe.ca, false},
    };

    for (size_t i = 0; i < PST_COUNT(options); i++)
        if (value && strcmp(options[i].name, option) == 0 &&
            (!options[i].is_path || value[0] == '/')) {
            *options[i].field = value;
            return true;
        }
    return false;
}

static bool
parse_doctor_arguments(struct doctor *doctor, int argc, char **argv)
{
    struct pst_str site = PST_STR_NONE;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0 && pst_str_is_absent(site))
            site = pst_str_from(argv[i]);
        else if (!set_doctor_option(doctor, argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    if (pst_str_ends(site, PST_STR("/")))
        site = pst_str_first(site, site.len - 1);
    doctor->probe.site = site;
    doctor->is_https = pst_str_starts(site, PST_STR("https://"));
    return pst_origin_is_canonical(site);
}

static int
run_doctor(struct doctor *doctor)
{
    int status = EX_SOFTWARE;

    if (http_client_start() != PST_OK)
        return EX_SOFTWARE;
    if (pst_arena_new(&doctor->probe.arena, PST_ARENA_SIZE) == PST_OK)
        status = doctor_examine_site(doctor);
    pst_arena_free(&doctor->probe.arena);
    http_client_stop();
    return status;
}

int
command_doctor(int argc, char **argv)
{
    struct doctor *doctor = calloc(1, sizeof(*doctor));
    int status;

    if (!doctor)
        return EX_OSERR;
    doctor->login = "/login";
    doctor->query = "/query";
    doctor->session = "/session";
    doctor->logout = "/logout";
    doctor->token_header = "vendure-auth-token";
    if (parse_doctor_arguments(doctor, argc, argv))
        status = run_doctor(doctor);
    else
        status = command_usage_error(
            argv[0], "takes the site's URL, such as https://shop.example, and "
                     "options with a value");
    free(doctor);
    return status;
}

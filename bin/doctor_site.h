/* SPDX-License-Identifier: ISC */
/*
 * doctor_site.h - look at a running site from outside for `postern doctor`.
 */
#ifndef POSTERN_DOCTOR_SITE_H
#define POSTERN_DOCTOR_SITE_H

#include "doctor_probe.h"

/* The site, its paths, and what was found. */
struct doctor {
    struct doctor_probe probe;
    const char *login;
    const char *query;
    const char *session;
    const char *logout;
    const char *page;         /* a protected page; NULL: not known */
    const char *token_header; /* POSTERN_AUTH_TOKEN_HEADER */
    const char *cookie;       /* its name; NULL: the default ones are tried */
    bool is_https;
    size_t faults;
};

/* Ask the site, and print a line for each thing. Returns 0, COMMAND_NEGATIVE (a
 * fault was found) or EX_UNAVAILABLE (the site does not answer). */
int doctor_examine_site(struct doctor *doctor);

#endif

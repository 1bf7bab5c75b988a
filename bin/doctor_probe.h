/* SPDX-License-Identifier: ISC */
/*
 * doctor_probe.h - send one request to the site for `postern doctor`, and keep
 * the answer. Only the site's own host and port are ever contacted.
 */
#ifndef POSTERN_DOCTOR_PROBE_H
#define POSTERN_DOCTOR_PROBE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "upstream/http_client.h"

#define DOCTOR_HEADERS_MAX 100

/* The site, and its last answer. */
struct doctor_probe {
    struct pst_str site; /* "https://shop.example", without a path */
    const char *ca;      /* PEM file; NULL: the system's */
    struct pst_arena *arena;

    int status;
    struct http_header headers[DOCTOR_HEADERS_MAX];
    size_t header_count;
    struct pst_buf body; /* at most 64 KiB of it */
    bool is_cut;         /* there was more of it, which was not read */
    struct http_error error;
};

/* A request. */
struct doctor_request {
    const char *path;    /* with its query string */
    const char *json;    /* NULL: a GET; else the body of a POST */
    const char *cookie;  /* NULL: none */
    const char *origin;  /* NULL: none; and no Sec-Fetch-Site */
    bool is_same_origin; /* Sec-Fetch-Site: same-origin, else cross-site */
    const char *forged;  /* NULL: none; the value of every identity header */
};

/* Send it. The answer is in the probe until the next one. */
PST_MUST_USE enum pst_err
doctor_probe_send(struct doctor_probe *probe,
                  const struct doctor_request *request);

/* The first header of this name; absent: none. */
struct pst_str doctor_probe_header(const struct doctor_probe *probe,
                                   const char *name);

#endif

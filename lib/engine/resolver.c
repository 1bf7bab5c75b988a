/* SPDX-License-Identifier: ISC */
/*
 * resolver.c - find the addresses of a host name without blocking the loop.
 */
#include "engine/resolver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "engine/blocking.h"

#define THREADS 4
#define WAITING_MAX 16384 /* calls: over the default POSTERN_MAX_REQUESTS */
#define NAMES_MAX 4       /* names that are kept */
#define KEPT_MS 5000      /* milliseconds that an address is kept: our choice */

struct resolved_name {
    char host[256]; /* "": unused */
    char port[6];
    int64_t found_at; /* of clock_ms() */
    struct socket_addresses addresses;
};

static struct blocking_pool *resolver_pool;
static atomic_size_t resolver_jobs; /* that are not released yet */
static pthread_mutex_t resolver_lock = PTHREAD_MUTEX_INITIALIZER;
static struct resolved_name resolver_names[NAMES_MAX]; /* under the lock */

/* One call of getaddrinfo(). The thread has it alone while it runs. */
struct resolver_job {
    struct resolved_name name;
    int error; /* of getaddrinfo() */
};

enum pst_err
resolver_start(void)
{
    enum pst_err e = PST_OK;

    pthread_mutex_lock(&resolver_lock);
    if (!resolver_pool)
        e = blocking_pool_new(&resolver_pool, THREADS, WAITING_MAX);
    pthread_mutex_unlock(&resolver_lock);
    return e;
}

void
resolver_stop(void)
{
    /* A name server that does not answer must not delay the end. */
    if (atomic_load(&resolver_jobs) > 0)
        return;
    blocking_pool_free(&resolver_pool);
    memset(resolver_names, 0, sizeof(resolver_names));
}

/* Get the addresses of name->host, unless they are too old. */
static bool
resolver_get_kept(struct resolved_name *name)
{
    int64_t now = clock_ms();
    bool is_found = false;

    pthread_mutex_lock(&resolver_lock);
    for (size_t i = 0; i < NAMES_MAX && !is_found; i++) {
        const struct resolved_name *kept = &resolver_names[i];

        is_found = strcmp(kept->host, name->host) == 0 &&
                   strcmp(kept->port, name->port) == 0 &&
                   now - kept->found_at < KEPT_MS;
        if (is_found)
            *name = *kept;
    }
    pthread_mutex_unlock(&resolver_lock);
    return is_found;
}

/* Keep it in the place of the same name, or of the oldest. */
static void
resolver_keep(const struct resolved_name *name)
{
    struct resolved_name *place = &resolver_names[0];

    pthread_mutex_lock(&resolver_lock);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        struct resolved_name *kept = &resolver_names[i];

        if (strcmp(kept->host, name->host) == 0 &&
            strcmp(kept->port, name->port) == 0) {
            place = kept;
            break;
        }
        if (kept->found_at < place->found_at)
            place = kept;
    }
    *place = *name;
    pthread_mutex_unlock(&resolver_lock);
}

static void
resolver_release_job(void *job)
{
    free(job);
    atomic_fetch_sub(&resolver_jobs, 1);
}

/* In a thread of the pool. Another one may have found the name meanwhile. */
static void
resolver_run_job(void *argument)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV};
    struct resolver_job *job = argument;
    struct resolved_name *name = &job->name;
    struct addrinfo *found;

    if (resolver_get_kept(name))
        return;
    job->error = getaddrinfo(name->host, name->port, &hints, &found);
    if (job->error)
        return;
    socket_addresses_set(&name->addresses, found);
    freeaddrinfo(found);
    if (name->addresses.count == 0)
        job->error = EAI_NONAME;
    name->found_at = clock_ms();
    if (!job->error)
        resolver_keep(name);
}

static enum pst_err
resolver_wait_for_job(struct resolver_job *job, int64_t deadline,
                      struct socket_addresses *out, const char **cause)
{
    const struct blocking_call call = {resolver_run_job, resolver_release_job,
                                       job};
    int error;

    atomic_fetch_add(&resolver_jobs, 1);
    switch (blocking_pool_run(resolver_pool, &call, deadline)) {
    case BLOCKING_DONE:
        break;
    case BLOCKING_REFUSED:
        *cause = "too many names wait to be resolved";
        return PST_NO_MEMORY;
    default:
        *cause = "no name server answered in time";
        return PST_UPSTREAM_TIMEOUT;
    }
    error = job->error;
    if (!error)
        *out = job->name.addresses;
    resolver_release_job(job);
    *cause = gai_strerror(error);
    return error ? PST_UPSTREAM_DOWN : PST_OK;
}

enum pst_err
resolver_find(const char *host, const char *port, int64_t deadline,
              struct socket_addresses *out, const char **cause)
{
    struct resolver_job *job = calloc(1, sizeof(*job));

    PST_REQUIRE(resolver_pool);
    *cause = "out of memory";
    if (!job)
        return PST_NO_MEMORY;
    (void)snprintf(job->name.host, sizeof(job->name.host), "%s", host);
    (void)snprintf(job->name.port, sizeof(job->name.port), "%s", port);
    if (resolver_get_kept(&job->name)) {
        *out = job->name.addresses;
        free(job);
        return PST_OK;
    }
    return resolver_wait_for_job(job, deadline, out, cause);
}

/* SPDX-License-Identifier: ISC */
/*
 * blocking.c - run functions that may block in threads of their own, and wait
 * for each with a deadline.
 */
#include "engine/blocking.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/queue.h>
#include <time.h>

#include "base/clock.h"
#include "engine/loop.h"

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_ABANDONED };

struct job {
    struct blocking_call call;
    enum job_state state;
    bool is_posted;      /* nobody waits for it */
    pthread_cond_t done; /* CLOCK_MONOTONIC; for a thread that waits */
    struct loop *loop;   /* for a fiber that waits; else NULL */
    struct fiber *fiber;
    struct loop_task wake;
    bool has_woken; /* `wake` has run: nobody else knows the job any more */
    TAILQ_ENTRY(job) link;
};

TAILQ_HEAD(job_list, job);

struct blocking_pool {
    pthread_mutex_t lock; /* guards all that follows, and every job's state */
    pthread_cond_t has_work;
    pthread_cond_t is_quiet; /* nothing waits or runs; CLOCK_MONOTONIC */
    struct job_list waiting;
    size_t waiting_count;
    size_t waiting_max;
    size_t running_count;
    size_t idle_count;
    size_t thread_count;
    size_t thread_max;
    bool is_stopping;
    pthread_t threads[];
};

static void
job_free(struct job *job)
{
    pthread_cond_destroy(&job->done);
    free(job);
}

/* A condition whose timed waits use the clock that is never set. */
static void
condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* A deadline of clock_ms() as a condition needs it. */
static struct timespec
condition_deadline(int64_t deadline)
{
    int64_t left = deadline - clock_ms();
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    if (left <= 0)
        return until;
    until.tv_sec += left / 1000;
    until.tv_nsec += left % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

/* The job is done; in the thread of the fiber that waits. */
static void
job_wake(struct loop_task *task)
{
    struct job *job = task->owner;

    job->has_woken = true;
    loop_wake_fiber(job->loop, job->fiber);
}

static struct job *
job_new(const struct blocking_call *call)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->call = *call;
    condition_init(&job->done);
    job->fiber = fiber_current();
    job->loop = job->fiber ? loop_current() : NULL;
    job->wake = (struct loop_task){.run = job_wake, .owner = job};
    return job;
}

/* Run one job, without the lock; its caller may have left meanwhile. */
static void
pool_run_job(struct blocking_pool *pool, struct job *job)
{
    job->state = JOB_RUNNING;
    pthread_mutex_unlock(&pool->lock);
    job->call.run(job->call.argument);
    pthread_mutex_lock(&pool->lock);
    if (job->is_posted || job->state == JOB_ABANDONED) {
        pthread_mutex_unlock(&pool->lock);
        job->call.release(job->call.argument);
        job_free(job);
        pthread_mutex_lock(&pool->lock);
        return;
    }
    job->state = JOB_DONE;
    if (job->loop)
        loop_notify(job->loop, &job->wake);
    else
        pthread_cond_signal(&job->done);
}

static bool
pool_is_quiet(const struct blocking_pool *pool)
{
    return TAILQ_EMPTY(&pool->waiting) && pool->running_count == 0;
}

static void *
pool_thread(void *argument)
{
    struct blocking_pool *pool = argument;
    struct job *job;

    pthread_mutex_lock(&pool->lock);
    for (;;) {
        job = TAILQ_FIRST(&pool->waiting);
        if (job) {
            TAILQ_REMOVE(&pool->waiting, job, link);
            pool->waiting_count--;
            pool->running_count++;
            pool_run_job(pool, job);
            pool->running_count--;
            if (pool_is_quiet(pool))
                pthread_cond_broadcast(&pool->is_quiet);
        } else if (pool->is_stopping) {
            break;
        } else {
            pool->idle_count++;
            pthread_cond_wait(&pool->has_work, &pool->lock);
            pool->idle_count--;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

enum pst_err
blocking_pool_new(struct blocking_pool **out, size_t threads, size_t waiting)
{
    struct blocking_pool *pool;

    PST_REQUIRE(threads > 0 && waiting > 0);
    pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
    if (!pool)
        return PST_NO_MEMORY;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->has_work, NULL);
    condition_init(&pool->is_quiet);
    TAILQ_INIT(&pool->waiting);
    pool->waiting_max = waiting;
    pool->thread_max = threads;
    *out = pool;
    return PST_OK;
}

void
blocking_pool_free(struct blocking_pool **pool)
{
    struct blocking_pool *freed = *pool;

    if (!freed)
        return;
    pthread_mutex_lock(&freed->lock);
    freed->is_stopping = true;
    pthread_cond_broadcast(&freed->has_work);
    pthread_mutex_unlock(&freed->lock);
    for (size_t i = 0; i < freed->thread_count; i++)
        pthread_join(freed->threads[i], NULL);
    pthread_cond_destroy(&freed->has_work);
    pthread_cond_destroy(&freed->is_quiet);
    pthread_mutex_destroy(&freed->lock);
    free(freed);
    *pool = NULL;
}

bool
blocking_pool_drain(struct blocking_pool *pool, int64_t deadline)
{
    const struct timespec until = condition_deadline(deadline);
    bool is_quiet;
    int error = 0;

    pthread_mutex_lock(&pool->lock);
    while (!pool_is_quiet(pool) && error == 0)
        error = pthread_cond_timedwait(&pool->is_quiet, &pool->lock, &until);
    is_quiet = pool_is_quiet(pool);
    pthread_mutex_unlock(&pool->lock);
    return is_quiet;
}

/* Start a thread that receives no signal: they are for the main thread. */
static bool
pool_start_thread(struct blocking_pool *pool)
{
    sigset_t all;
    sigset_t old;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&pool->threads[pool->thread_count], NULL,
                           pool_thread, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error == 0;
}

/* Start another thread if all are busy. Returns false when there is none. */
static bool
pool_ensure_thread(struct blocking_pool *pool)
{
    if (pool->idle_count <= pool->waiting_count &&
        pool->thread_count < pool->thread_max && pool_start_thread(pool))
        pool->thread_count++;
    return pool->thread_count > 0;
}

/* Add a job to those that wait. Returns false when there are so many already;
 * called with the lock held. */
static bool
pool_add(struct blocking_pool *pool, struct job *job, size_t max)
{
    if (pool->waiting_count >= max || !pool_ensure_thread(pool))
        return false;
    TAILQ_INSERT_TAIL(&pool->waiting, job, link);
    pool->waiting_count++;
    pthread_cond_signal(&pool->has_work);
    return true;
}

/* In a fiber: wait for a job until the deadline, and for its wake-up when it
 * is done. Called with the lock held. */
static void
pool_wait_in_fiber(struct blocking_pool *pool, const struct job *job,
                   int64_t deadline)
{
    int error = 0;

    while (!job->has_woken && (error != ETIMEDOUT || job->state == JOB_DONE)) {
        pthread_mutex_unlock(&pool->lock);
        error = loop_wait(job->loop, -1, 0, -1,
                          error == ETIMEDOUT ? INT64_MAX : deadline);
        pthread_mutex_lock(&pool->lock);
    }
}

/* Wait for a job until the deadline; called with the lock held. */
static void
pool_wait(struct blocking_pool *pool, struct job *job, int64_t deadline)
{
    const struct timespec until = condition_deadline(deadline);
    int error = 0;

    if (job->loop) {
        pool_wait_in_fiber(pool, job, deadline);
        return;
    }
    while (job->state != JOB_DONE && error == 0)
        error = pthread_cond_timedwait(&job->done, &pool->lock, &until);
}

/* Take a job back after waiting for it; called with the lock held. */
static enum blocking_result
pool_take_back(struct blocking_pool *pool, struct job *job)
{
    switch (job->state) {
    case JOB_DONE:
        return BLOCKING_DONE;
    case JOB_WAITING:
        TAILQ_REMOVE(&pool->waiting, job, link);
        pool->waiting_count--;
        return BLOCKING_CANCELLED;
    default:
        job->state = JOB_ABANDONED; /* the thread frees it */
        return BLOCKING_ABANDONED;
    }
}

enum blocking_result
blocking_pool_run(struct blocking_pool *pool, const struct blocking_call *call,
                  int64_t deadline)
{
    struct job *job = job_new(call);
    enum blocking_result result = BLOCKING_REFUSED;

    if (job) {
        pthread_mutex_lock(&pool->lock);
        if (pool_add(pool, job, pool->waiting_max)) {
            pool_wait(pool, job, deadline);
            result = pool_take_back(pool, job);
        }
        pthread_mutex_unlock(&pool->lock);
    }
    if (result == BLOCKING_ABANDONED)
        return result;
    if (job)
        job_free(job);
    if (result != BLOCKING_DONE)
        call->release(call->argument);
    return result;
}

bool
blocking_pool_post(struct blocking_pool *pool, const struct blocking_call *call)
{
    struct job *job = job_new(call);
    bool is_added = false;

    if (job) {
        job->is_posted = true;
        pthread_mutex_lock(&pool->lock);
        is_added = pool_add(pool, job, (pool->waiting_max + 1) / 2);
        pthread_mutex_unlock(&pool->lock);
    }
    if (is_added)
        return true;
    if (job)
        job_free(job);
    call->release(call->argument);
    return false;
}

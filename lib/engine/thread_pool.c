/* SPDX-License-Identifier: ISC */
/*
 * thread_pool.c - a thread pool: threads take descriptors from a queue and
 * handle them.
 */
#include "engine/thread_pool.h"

#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Bytes; libcurl with OpenSSL needs less than 128 KiB. */
#define STACK_SIZE (512 * 1024)

/* Between two attempts to start a thread, after one has failed. */
#define START_RETRY_MS 200

/* While no thread runs: after so many attempts the waiting jobs are closed. */
#define START_TRIES_MAX 10

struct pool_thread {
    pthread_t id;
    struct thread_pool *pool;
    SLIST_ENTRY(pool_thread) link;
};

SLIST_HEAD(pool_thread_list, pool_thread);

struct thread_pool {
    struct thread_pool_work work;
    struct thread_pool_owner owner;
    size_t threads_max;
    int64_t idle_timeout; /* seconds */

    pthread_mutex_t lock; /* protects all below */
    pthread_cond_t submitted;
    struct thread_pool_list queue; /* oldest first */
    struct thread_pool_list in_progress;
    size_t queued;
    size_t running;    /* threads that take jobs */
    size_t idle;       /* of these, waiting for a job */
    size_t threads;    /* not joined yet */
    int64_t retry_at;  /* start no thread earlier: monotonic milliseconds; 0:
                          the last start did not fail */
    int failed_starts; /* consecutive ones while no thread runs */
    struct pool_thread_list ended; /* ready to be joined */
    bool is_shut_down;
};

enum pst_err
thread_pool_new(struct thread_pool **out, size_t threads_max,
                int64_t idle_timeout, const struct thread_pool_work *work,
                const struct thread_pool_owner *owner)
{
    struct thread_pool *pool = calloc(1, sizeof(*pool));
    pthread_condattr_t attributes;

    PST_REQUIRE(threads_max > 0);
    if (!pool)
        return PST_NO_MEMORY;
    pool->work = *work;
    pool->owner = *owner;
    pool->threads_max = threads_max;
    pool->idle_timeout = idle_timeout;
    TAILQ_INIT(&pool->queue);
    TAILQ_INIT(&pool->in_progress);
    SLIST_INIT(&pool->ended);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->submitted, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = pool;
    return PST_OK;
}

void
thread_pool_free(struct thread_pool **pool)
{
    struct thread_pool *old = *pool;

    *pool = NULL;
    if (!old)
        return;
    PST_REQUIRE(old->threads == 0 && old->queued == 0);
    pthread_cond_destroy(&old->submitted);
    pthread_mutex_destroy(&old->lock);
    free(old);
}

/*
 * The next job; NULL when the thread has to end. The thread is then no longer
 * counted as running, so that a job submitted meanwhile gets another one.
 */
static struct thread_pool_job *
thread_pool_next_job(struct thread_pool *pool)
{
    struct thread_pool_job *job;
    struct timespec until;
    int waited = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += pool->idle_timeout;
    pthread_mutex_lock(&pool->lock);
    while (TAILQ_EMPTY(&pool->queue) && !pool->is_shut_down && waited == 0) {
        pool->idle++;
        waited = pthread_cond_timedwait(&pool->submitted, &pool->lock, &until);
        pool->idle--;
    }
    job = TAILQ_FIRST(&pool->queue);
    if (job) {
        TAILQ_REMOVE(&pool->queue, job, link);
        pool->queued--;
        TAILQ_INSERT_TAIL(&pool->in_progress, job, link);
    } else {
        pool->running--;
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void
thread_pool_finish_job(struct thread_pool *pool, struct thread_pool_job *job,
                       bool is_open)
{
    pthread_mutex_lock(&pool->lock);
    TAILQ_REMOVE(&pool->in_progress, job, link);
    pthread_mutex_unlock(&pool->lock);
    pool->owner.on_done(pool->owner.owner, job, is_open);
}

/* A thread could not be started, or has no state. Under the lock. */
static void
thread_pool_note_failure(struct thread_pool *pool)
{
    pool->retry_at = clock_ms() + START_RETRY_MS;
    if (pool->running == 0)
        pool->failed_starts++;
}

/* A thread has tried to make its state. Without one it takes no job, and so
 * it does not count as running. */
static void
thread_pool_note_start(struct thread_pool *pool, bool has_state)
{
    pthread_mutex_lock(&pool->lock);
    if (has_state) {
        pool->retry_at = 0;
        pool->failed_starts = 0;
    } else {
        pool->running--;
        thread_pool_note_failure(pool);
    }
    pthread_mutex_unlock(&pool->lock);
}

static void *
pool_thread_run(void *argument)
{
    struct pool_thread *pool_thread = argument;
    struct thread_pool *pool = pool_thread->pool;
    void *state = pool->work.new_state(pool->work.context);
    struct thread_pool_job *job = NULL;

    thread_pool_note_start(pool, state != NULL);
    if (state)
        job = thread_pool_next_job(pool);
    while (job) {
        bool is_open = pool->work.handle(state, job->descriptor);

        thread_pool_finish_job(pool, job, is_open);
        job = thread_pool_next_job(pool);
    }
    if (state)
        pool->work.free_state(state);
    pthread_mutex_lock(&pool->lock);
    SLIST_INSERT_HEAD(&pool->ended, pool_thread, link);
    pthread_mutex_unlock(&pool->lock);
    pool->owner.on_thread_end(pool->owner.owner);
    return NULL;
}

/* Start a thread; false when memory or threads have run out. Under the lock. */
static bool
pool_thread_start(struct thread_pool *pool)
{
    struct pool_thread *pool_thread = calloc(1, sizeof(*pool_thread));
    pthread_attr_t attributes;
    int failed;

    if (!pool_thread)
        return false;
    pool_thread->pool = pool;
    failed = pthread_attr_init(&attributes);
    if (!failed) {
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        failed = pthread_create(&pool_thread->id, &attributes, pool_thread_run,
                                pool_thread);
        pthread_attr_destroy(&attributes);
    }
    if (failed) {
        free(pool_thread);
        return false;
    }
    pool->running++;
    pool->threads++;
    return true;
}

/* Does a job wait that no idle thread will take? Under the lock. */
static bool
thread_pool_needs_thread(const struct thread_pool *pool)
{
    return pool->queued > pool->idle && pool->running < pool->threads_max;
}

/* Start one more thread, but not too soon after one has failed. Under the
 * lock. */
static void
thread_pool_try_start(struct thread_pool *pool)
{
    int64_t now = pool->retry_at != 0 ? clock_ms() : 0;

    if (now < pool->retry_at)
        return;
    if (pool->retry_at != 0)
        pool->retry_at = now + START_RETRY_MS;
    if (!pool_thread_start(pool))
        thread_pool_note_failure(pool);
}

/* Move all waiting jobs to `out`. Under the lock. */
static void
thread_pool_take_queue(struct thread_pool *pool, struct thread_pool_list *out)
{
    TAILQ_INIT(out);
    TAILQ_CONCAT(out, &pool->queue, link);
    pool->queued = 0;
}

/* Close jobs. Without the lock, since the owner has one of its own. */
static void
thread_pool_close_jobs(struct thread_pool *pool, struct thread_pool_list *list)
{
    while (!TAILQ_EMPTY(list)) {
        struct thread_pool_job *job = TAILQ_FIRST(list);

        TAILQ_REMOVE(list, job, link);
        close(job->descriptor);
        pool->owner.on_done(pool->owner.owner, job, false);
    }
}

void
thread_pool_submit(struct thread_pool *pool, struct thread_pool_job *job)
{
    pthread_mutex_lock(&pool->lock);
    TAILQ_INSERT_TAIL(&pool->queue, job, link);
    pool->queued++;
    if (thread_pool_needs_thread(pool))
        thread_pool_try_start(pool);
    pthread_cond_signal(&pool->submitted);
    pthread_mutex_unlock(&pool->lock);
}

bool
thread_pool_ensure(struct thread_pool *pool)
{
    struct thread_pool_list closed_jobs = TAILQ_HEAD_INITIALIZER(closed_jobs);
    bool has_thread;

    pthread_mutex_lock(&pool->lock);
    if (pool->running == 0 && pool->failed_starts >= START_TRIES_MAX) {
        thread_pool_take_queue(pool, &closed_jobs);
        pool->failed_starts = 0;
    }
    /* If no start has failed, thread_pool_submit() has started all threads that
     * are needed. */
    if (thread_pool_needs_thread(pool) &&
        (pool->running == 0 || pool->retry_at != 0))
        thread_pool_try_start(pool);
    has_thread = !thread_pool_needs_thread(pool) ||
                 (pool->running > 0 && pool->retry_at == 0);
    pthread_mutex_unlock(&pool->lock);
    thread_pool_close_jobs(pool, &closed_jobs);
    return has_thread;
}

void
thread_pool_shutdown(struct thread_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->is_shut_down = true;
    pthread_cond_broadcast(&pool->submitted);
    pthread_mutex_unlock(&pool->lock);
}

size_t
thread_pool_join(struct thread_pool *pool)
{
    struct pool_thread_list ended;
    size_t joined = 0;
    size_t left;

    pthread_mutex_lock(&pool->lock);
    ended = pool->ended;
    SLIST_INIT(&pool->ended);
    pthread_mutex_unlock(&pool->lock);
    while (!SLIST_EMPTY(&ended)) {
        struct pool_thread *pool_thread = SLIST_FIRST(&ended);

        SLIST_REMOVE_HEAD(&ended, link);
        pthread_join(pool_thread->id, NULL);
        free(pool_thread);
        joined++;
    }
    pthread_mutex_lock(&pool->lock);
    pool->threads -= joined;
    left = pool->threads + pool->queued;
    pthread_mutex_unlock(&pool->lock);
    return left;
}

void
thread_pool_abort(struct thread_pool *pool)
{
    struct thread_pool_list queue;
    struct thread_pool_job *job;

    pthread_mutex_lock(&pool->lock);
    thread_pool_take_queue(pool, &queue);
    /* One of these may just have been closed and its number reused for another
     * socket. This is the end of the process, so that may be shut down too. */
    for (job = TAILQ_FIRST(&pool->in_progress); job;
         job = TAILQ_NEXT(job, link))
        shutdown(job->descriptor, SHUT_RDWR);
    pthread_mutex_unlock(&pool->lock);
    thread_pool_close_jobs(pool, &queue);
}

/* SPDX-License-Identifier: ISC */
/*
 * thread_pool.c - a queue, and the threads that empty it.
 */
#include "engine/thread_pool.h"

#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Bytes; curl with OpenSSL needs less than 128 KiB. */
#define STACK_SIZE (512 * 1024)

#define REST_MS 200  /* between two tries to begin, after one has failed */
#define TRIES_MAX 10 /* without any thread; then what waits is given up */

struct worker {
    pthread_t thread;
    struct crew *crew;
    SLIST_ENTRY(worker) link;
};

SLIST_HEAD(worker_list, worker);

struct crew {
    struct crew_work work;
    struct crew_giver giver;
    size_t threads_max;
    int64_t idle; /* seconds */

    pthread_mutex_t lock; /* over all below */
    pthread_cond_t given;
    struct crew_list queue; /* first come first */
    struct crew_list heard; /* in a thread's hands */
    size_t queued;
    size_t workers; /* threads that take items */
    size_t waiting; /* of these, for want of any */
    size_t threads; /* that are not joined yet */
    int64_t rest;   /* no thread starts before: ticks; 0: none has failed */
    int tries;      /* to have any thread, that failed one after another */
    struct worker_list ended;
    bool is_dismissed;
};

enum pst_err
crew_new(struct crew **out, size_t threads_max, int64_t idle,
         const struct crew_work *work, const struct crew_giver *giver)
{
    struct crew *crew = calloc(1, sizeof(*crew));
    pthread_condattr_t attributes;

    PST_REQUIRE(threads_max > 0);
    if (!crew)
        return PST_NO_MEMORY;
    crew->work = *work;
    crew->giver = *giver;
    crew->threads_max = threads_max;
    crew->idle = idle;
    TAILQ_INIT(&crew->queue);
    TAILQ_INIT(&crew->heard);
    SLIST_INIT(&crew->ended);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&crew->given, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = crew;
    return PST_OK;
}

void
crew_free(struct crew **crew)
{
    struct crew *old = *crew;

    *crew = NULL;
    if (!old)
        return;
    PST_REQUIRE(old->threads == 0 && old->queued == 0);
    pthread_cond_destroy(&old->given);
    pthread_mutex_destroy(&old->lock);
    free(old);
}

/*
 * The next item to hear; NULL when the thread is to end. It is then no longer
 * counted, so that what is given meanwhile gets another.
 */
static struct crew_item *
take(struct crew *crew)
{
    struct crew_item *item;
    struct timespec until;
    int waited = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += crew->idle;
    pthread_mutex_lock(&crew->lock);
    while (TAILQ_EMPTY(&crew->queue) && !crew->is_dismissed && waited == 0) {
        crew->waiting++;
        waited = pthread_cond_timedwait(&crew->given, &crew->lock, &until);
        crew->waiting--;
    }
    item = TAILQ_FIRST(&crew->queue);
    if (item) {
        TAILQ_REMOVE(&crew->queue, item, link);
        crew->queued--;
        TAILQ_INSERT_TAIL(&crew->heard, item, link);
    } else {
        crew->workers--;
    }
    pthread_mutex_unlock(&crew->lock);
    return item;
}

static void
give_back(struct crew *crew, struct crew_item *item, bool is_open)
{
    pthread_mutex_lock(&crew->lock);
    TAILQ_REMOVE(&crew->heard, item, link);
    pthread_mutex_unlock(&crew->lock);
    crew->giver.heard(crew->giver.giver, item, is_open);
}

/* The last try to have one more thread has failed. Under the lock. */
static void
begin_failed(struct crew *crew)
{
    crew->rest = ticks_ms() + REST_MS;
    if (crew->workers == 0)
        crew->tries++;
}

/* A thread has its state, or has none and takes no item: what waits is for
 * those that can hear it. */
static void
count_begun(struct crew *crew, bool has_state)
{
    pthread_mutex_lock(&crew->lock);
    if (has_state) {
        crew->rest = 0;
        crew->tries = 0;
    } else {
        crew->workers--;
        begin_failed(crew);
    }
    pthread_mutex_unlock(&crew->lock);
}

static void *
worker_run(void *argument)
{
    struct worker *worker = argument;
    struct crew *crew = worker->crew;
    void *state = crew->work.begin(crew->work.context);
    struct crew_item *item = NULL;

    count_begun(crew, state != NULL);
    if (state)
        item = take(crew);
    while (item) {
        bool is_open = crew->work.hear(state, item->descriptor);

        give_back(crew, item, is_open);
        item = take(crew);
    }
    if (state)
        crew->work.end(state);
    pthread_mutex_lock(&crew->lock);
    SLIST_INSERT_HEAD(&crew->ended, worker, link);
    pthread_mutex_unlock(&crew->lock);
    crew->giver.ended(crew->giver.giver);
    return NULL;
}

/* Start a thread, if the system has one. Under the lock. */
static bool
thread_start(struct crew *crew)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    pthread_attr_t attributes;
    int failed;

    if (!worker)
        return false;
    worker->crew = crew;
    failed = pthread_attr_init(&attributes);
    if (!failed) {
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        failed =
            pthread_create(&worker->thread, &attributes, worker_run, worker);
        pthread_attr_destroy(&attributes);
    }
    if (failed) {
        free(worker);
        return false;
    }
    crew->workers++;
    crew->threads++;
    return true;
}

/* Would one more thread be of use? Under the lock. */
static bool
is_short(const struct crew *crew)
{
    return crew->queued > crew->waiting && crew->workers < crew->threads_max;
}

/* One more thread; after one has failed, only now and then. Under the lock. */
static void
worker_start(struct crew *crew)
{
    int64_t now = crew->rest != 0 ? ticks_ms() : 0;

    if (now < crew->rest)
        return;
    if (crew->rest != 0)
        crew->rest = now + REST_MS;
    if (!thread_start(crew))
        begin_failed(crew);
}

/* Take all that waits off the queue. Under the lock. */
static void
unqueue_all(struct crew *crew, struct crew_list *out)
{
    TAILQ_INIT(out);
    TAILQ_CONCAT(out, &crew->queue, link);
    crew->queued = 0;
}

/* Without the lock: the giver has one of its own. */
static void
close_all(struct crew *crew, struct crew_list *list)
{
    while (!TAILQ_EMPTY(list)) {
        struct crew_item *item = TAILQ_FIRST(list);

        TAILQ_REMOVE(list, item, link);
        close(item->descriptor);
        crew->giver.heard(crew->giver.giver, item, false);
    }
}

void
crew_give(struct crew *crew, struct crew_item *item)
{
    pthread_mutex_lock(&crew->lock);
    TAILQ_INSERT_TAIL(&crew->queue, item, link);
    crew->queued++;
    if (is_short(crew))
        worker_start(crew);
    pthread_cond_signal(&crew->given);
    pthread_mutex_unlock(&crew->lock);
}

bool
crew_call(struct crew *crew)
{
    struct crew_list given_up = TAILQ_HEAD_INITIALIZER(given_up);
    bool has_thread;

    pthread_mutex_lock(&crew->lock);
    if (crew->workers == 0 && crew->tries >= TRIES_MAX) {
        unqueue_all(crew, &given_up);
        crew->tries = 0;
    }
    /* Where none has failed, crew_give() has started all there should be. */
    if (is_short(crew) && (crew->workers == 0 || crew->rest != 0))
        worker_start(crew);
    has_thread = !is_short(crew) || (crew->workers > 0 && crew->rest == 0);
    pthread_mutex_unlock(&crew->lock);
    close_all(crew, &given_up);
    return has_thread;
}

void
crew_dismiss(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->is_dismissed = true;
    pthread_cond_broadcast(&crew->given);
    pthread_mutex_unlock(&crew->lock);
}

size_t
crew_reap(struct crew *crew)
{
    struct worker_list ended;
    size_t joined = 0;
    size_t left;

    pthread_mutex_lock(&crew->lock);
    ended = crew->ended;
    SLIST_INIT(&crew->ended);
    pthread_mutex_unlock(&crew->lock);
    while (!SLIST_EMPTY(&ended)) {
        struct worker *worker = SLIST_FIRST(&ended);

        SLIST_REMOVE_HEAD(&ended, link);
        pthread_join(worker->thread, NULL);
        free(worker);
        joined++;
    }
    pthread_mutex_lock(&crew->lock);
    crew->threads -= joined;
    left = crew->threads + crew->queued;
    pthread_mutex_unlock(&crew->lock);
    return left;
}

void
crew_cut(struct crew *crew)
{
    struct crew_list queue;
    struct crew_item *item;

    pthread_mutex_lock(&crew->lock);
    unqueue_all(crew, &queue);
    /* One of these may have been closed a moment ago and its number given
     * to another socket; at the end of all things that one goes as well. */
    for (item = TAILQ_FIRST(&crew->heard); item; item = TAILQ_NEXT(item, link))
        shutdown(item->descriptor, SHUT_RDWR);
    pthread_mutex_unlock(&crew->lock);
    close_all(crew, &queue);
}

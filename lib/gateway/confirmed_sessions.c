/* SPDX-License-Identifier: ISC */
/*
 * confirmed_sessions.c - a set-associative table of confirmed sessions, and
 * counters of what was forgotten.
 *
 * A place is valid while the counters of its session and of its user are as
 * they were before the store was asked. So all sessions of a user are forgotten
 * in one step, and an answer that comes too late changes nothing. Ids are
 * SHA-256: their first bytes are hash enough. Two ids may have the same
 * counter; that only forgets too much.
 */
#include "gateway/confirmed_sessions.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SETS 4096 /* powers of two */
#define PLACES_PER_SET 4
#define COUNTERS 8192

struct confirmed_session {
    struct store_id sid;
    int64_t asked_ms; /* 0: never used */
    uint64_t forgotten;
};

struct confirmed_sessions {
    pthread_mutex_t lock; /* for all fields below */
    struct confirmed_session places[SETS][PLACES_PER_SET];
    uint64_t counters[COUNTERS];
};

enum pst_err
confirmed_sessions_new(struct confirmed_sessions **out)
{
    struct confirmed_sessions *sessions = calloc(1, sizeof(*sessions));

    if (!sessions)
        return PST_NO_MEMORY;
    PST_REQUIRE(pthread_mutex_init(&sessions->lock, NULL) == 0);
    *out = sessions;
    return PST_OK;
}

void
confirmed_sessions_free(struct confirmed_sessions **sessions)
{
    if (!*sessions)
        return;
    pthread_mutex_destroy(&(*sessions)->lock);
    free(*sessions);
    *sessions = NULL;
}

static uint64_t
id_hash(const struct store_id *id)
{
    uint64_t hash;

    memcpy(&hash, id->bytes, sizeof(hash));
    return hash;
}

/* How often the session or its user was forgotten. Needs the lock. */
static uint64_t
count_forgotten(const struct confirmed_sessions *sessions,
                const struct session_confirmation *confirmation)
{
    uint64_t count = sessions->counters[id_hash(confirmation->sid) % COUNTERS];

    if (confirmation->subject)
        count += sessions->counters[id_hash(confirmation->subject) % COUNTERS];
    return count;
}

/* The place of the session; if it has none, the oldest of its set. Needs the
 * lock. */
static struct confirmed_session *
find_session_place(struct confirmed_sessions *sessions,
                   const struct store_id *sid)
{
    struct confirmed_session *set = sessions->places[id_hash(sid) % SETS];
    struct confirmed_session *oldest = set;

    for (size_t i = 0; i < PLACES_PER_SET; i++) {
        if (store_id_equal(&set[i].sid, sid))
            return &set[i];
        if (set[i].asked_ms < oldest->asked_ms)
            oldest = &set[i];
    }
    return oldest;
}

void
confirmed_sessions_begin(struct confirmed_sessions *sessions,
                         struct session_confirmation *confirmation)
{
    if (!sessions)
        return;
    pthread_mutex_lock(&sessions->lock);
    confirmation->forgotten = count_forgotten(sessions, confirmation);
    pthread_mutex_unlock(&sessions->lock);
}

void
confirmed_sessions_put(struct confirmed_sessions *sessions,
                       const struct session_confirmation *confirmation)
{
    if (!sessions)
        return;
    pthread_mutex_lock(&sessions->lock);
    *find_session_place(sessions, confirmation->sid) =
        (struct confirmed_session){.sid = *confirmation->sid,
                                   .asked_ms = confirmation->asked_ms,
                                   .forgotten = confirmation->forgotten};
    pthread_mutex_unlock(&sessions->lock);
}

bool
confirmed_sessions_has(struct confirmed_sessions *sessions,
                       const struct session_confirmation *confirmation,
                       int64_t grace_ms)
{
    const struct confirmed_session *place;
    bool is_confirmed;

    if (!sessions)
        return false;
    pthread_mutex_lock(&sessions->lock);
    place = find_session_place(sessions, confirmation->sid);
    is_confirmed =
        store_id_equal(&place->sid, confirmation->sid) &&
        place->forgotten == count_forgotten(sessions, confirmation) &&
        confirmation->asked_ms - place->asked_ms < grace_ms;
    pthread_mutex_unlock(&sessions->lock);
    return is_confirmed;
}

void
confirmed_sessions_forget(struct confirmed_sessions *sessions,
                          const struct store_id *id)
{
    if (!sessions || !id)
        return;
    pthread_mutex_lock(&sessions->lock);
    sessions->counters[id_hash(id) % COUNTERS]++;
    pthread_mutex_unlock(&sessions->lock);
}

/* The store refused a session. It does not say whether all sessions of the user
 * were revoked, so all are forgotten. */
static void
forget_refused_session(struct confirmed_sessions *sessions,
                       const struct store_id *sid,
                       const struct store_id *subject)
{
    confirmed_sessions_forget(sessions, sid);
    confirmed_sessions_forget(sessions, subject);
}

void
confirmed_sessions_note_check(struct confirmed_sessions *sessions,
                              const struct session_confirmation *confirmation,
                              enum pst_err e)
{
    if (e == PST_OK)
        confirmed_sessions_put(sessions, confirmation);
    else if (e == PST_REVOKED)
        forget_refused_session(sessions, confirmation->sid,
                               confirmation->subject);
}

void
confirmed_sessions_note_replacement(struct confirmed_sessions *sessions,
                                    const struct session_confirmation *fresh,
                                    const struct store_replacement *replacement,
                                    enum pst_err e)
{
    if (e == PST_REVOKED) {
        forget_refused_session(sessions, replacement->old,
                               replacement->old_subject);
    } else if (e == PST_EXPIRED) {
        confirmed_sessions_forget(sessions, fresh->subject);
    } else if (e == PST_OK) {
        confirmed_sessions_put(sessions, fresh);
        confirmed_sessions_forget(sessions, replacement->old);
        confirmed_sessions_forget(sessions, replacement->guest);
        /* The user's oldest sessions may have been revoked. */
        if (replacement->cap > 0)
            confirmed_sessions_forget(sessions, fresh->subject);
    }
}

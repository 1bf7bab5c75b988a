/* SPDX-License-Identifier: ISC */
/*
 * session_registry.c - a session's questions to the store.
 */
#include "gateway/session_registry.h"

#include "base/limits.h"
#include "codec/date.h"
#include "codec/json.h"

/* The two names a session has in the store. */
struct ids {
    struct store_id sid;
    struct store_id subject;
    const struct store_id *owner; /* &subject, or NULL for a guest */
};

/* A session that names nobody, or nobody yet, is on no list: all of them would
 * be on one. */
static bool
is_unlisted(const struct pst_session *session)
{
    return session->sub.len == 0;
}

static enum pst_err
ids_of(const struct gate *gate, const struct pst_session *session,
       struct ids *ids)
{
    store_id_sid(session->sid, &ids->sid);
    ids->owner = NULL;
    if (is_unlisted(session))
        return PST_OK;
    ids->owner = &ids->subject;
    return store_id_subject(gate->store, session->sub, &ids->subject);
}

enum pst_err
roster_told(const struct gate *gate, const struct request *req, enum pst_err e)
{
    if (e == PST_STORE_DOWN)
        LOG_EVENT(gate->log, LEVEL_ERROR, "store-down",
                  LOG_STRING("request", req->id),
                  LOG_STRING("why", store_why(gate->store)));
    return e;
}

/* What the store itself said, which is an answer where it is not silence. A
 * token that did not open says nothing of the store, and must not pass for
 * one: whoever sends such would make the grace last. */
static enum pst_err
told(struct gate *gate, const struct request *req, enum pst_err e)
{
    if (e != PST_STORE_DOWN)
        gate->store_answered = gate->now;
    return roster_told(gate, req, e);
}

enum pst_err
roster_check(struct gate *gate, const struct request *req,
             const struct pst_session *session)
{
    struct ids ids;
    enum pst_err e;

    if (!gate->store)
        return PST_OK;
    e = ids_of(gate, session, &ids);
    if (e)
        return e;
    e = told(gate, req,
             store_check(gate->store, &ids.sid, ids.owner, session->iat));
    if (e == PST_STORE_DOWN && gate->store_answered > 0 &&
        gate->now - gate->store_answered < gate->config->store_grace)
        return PST_OK;
    return e;
}

/* The browser's family: enough to tell one's devices apart, and no more. */
static struct pst_text
browser_of(const struct request *req)
{
    /* The first that is found counts: each also names those after it. */
    static const struct {
        struct pst_text mark;
        struct pst_text family;
    } families[] = {
        {{"Edg", 3}, {"Edge", 4}},         {{"OPR/", 4}, {"Opera", 5}},
        {{"Firefox/", 8}, {"Firefox", 7}}, {{"FxiOS/", 6}, {"Firefox", 7}},
        {{"Chrome/", 7}, {"Chrome", 6}},   {{"Chromium/", 9}, {"Chrome", 6}},
        {{"CriOS/", 6}, {"Chrome", 6}},    {{"Safari/", 7}, {"Safari", 6}},
        {{"curl/", 5}, {"curl", 4}},
    };
    struct pst_text agent = request_header(req, PST_TEXT("User-Agent"));

    for (size_t i = 0; i < PST_COUNT(families); i++) {
        if (pst_text_contains(agent, families[i].mark))
            return families[i].family;
    }
    return agent.len > 0 ? PST_TEXT("other") : PST_TEXT("");
}

/*
 * The longest that any copy of it may live: a guest's end moves along, and
 * a copy that was renewed a moment ago ends later than this one.
 */
static int64_t
last_end(const struct gate *gate, const struct pst_session *session)
{
    int64_t end = gate->now + gate->config->clocks.guest;

    return pst_session_is_guest(session) && end > session->exp ? end
                                                               : session->exp;
}

/*
 * How long the end of a session is kept. That of a guest's only for a day: it
 * is nobody's, and whoever likes can begin and end as many as the backend
 * gives him, without an account. A guest's that a login replaced is kept for
 * as long as any copy of it lives: there can be as many as there are logins.
 */
static int64_t
end_kept(const struct gate *gate, const struct pst_session *session)
{
    int64_t end = last_end(gate, session);
    int64_t day = gate->now + PST_GUEST_REVOKED;

    return pst_session_is_guest(session) && end > day ? day : end;
}

static struct store_session
listed_of(const struct request *req, const struct pst_session *session,
          const struct ids *ids)
{
    return (struct store_session){
        .sid = ids->sid,
        .subject = ids->subject,
        .created = session->iat,
        .seen = session->seen,
        .expires = session->exp,
        .user = pst_text_first(session->sub, PST_SUBJECT_MAX),
        .browser = browser_of(req),
        .address = pst_text_first(req->remote_addr, STORE_ADDRESS_MAX),
    };
}

/* All of its user's sessions were ended at `since`: it must begin after it. */
static enum pst_err
move_past(const struct gate *gate, const struct request *req, int64_t since,
          struct pst_session *session)
{
    if (since - gate->now >= PST_SKEW) {
        /* Refused with the next request, it would only seem to have begun. */
        LOG_EVENT(gate->log, LEVEL_ERROR, "clock-behind",
                  LOG_STRING("request", req->id),
                  LOG_NUMBER("seconds", since - gate->now));
        return PST_OVERLOADED;
    }
    session->iat = since + 1;
    session->seen = since + 1;
    return PST_EXPIRED;
}

/* The ids of what a replacement ends. */
struct ended_ids {
    struct ids old;
    struct ids guest;
};

static enum pst_err
name_ended(const struct gate *gate, const struct roster_replacement *replaced,
           struct store_replacement *replacement, struct ended_ids *ids)
{
    const struct pst_session *old = replaced->old;
    enum pst_err e = PST_OK;

    if (old)
        e = ids_of(gate, old, &ids->old);
    if (!e && replaced->guest)
        e = ids_of(gate, replaced->guest, &ids->guest);
    if (e)
        return e;
    if (old) {
        replacement->old = &ids->old.sid;
        replacement->old_subject = ids->old.owner;
        replacement->old_iat = old->iat;
        replacement->old_expires =
            replacement->is_guest ? end_kept(gate, old) : last_end(gate, old);
        replacement->follows = replaced->follows;
    }
    if (replaced->guest) {
        replacement->guest = &ids->guest.sid;
        replacement->guest_expires = last_end(gate, replaced->guest);
    }
    return PST_OK;
}

enum pst_err
roster_replace(struct gate *gate, const struct request *req,
               const struct roster_replacement *replaced,
               struct pst_session *fresh)
{
    struct store_replacement replacement = {.is_guest = is_unlisted(fresh),
                                            .cap = gate->config->max_sessions,
                                            .blob = replaced->blob,
                                            .now = gate->now};
    struct store_session listed;
    struct ended_ids ended_ids;
    struct ids fresh_ids;
    int64_t since = 0;
    enum pst_err e;

    if (!gate->store || (!replaced->old && !replaced->guest &&
                         replacement.is_guest && replaced->blob.len == 0))
        return PST_OK;
    e = ids_of(gate, fresh, &fresh_ids);
    if (!e)
        e = name_ended(gate, replaced, &replacement, &ended_ids);
    if (e)
        return e;
    listed = listed_of(req, fresh, &fresh_ids);
    replacement.session = &listed;
    e = told(gate, req, store_replace(gate->store, &replacement, &since));
    return e == PST_EXPIRED ? move_past(gate, req, since, fresh) : e;
}

enum pst_err
roster_touch(struct gate *gate, const struct request *req,
             const struct pst_session *session)
{
    struct ids ids;
    enum pst_err e;

    if (!gate->store || is_unlisted(session))
        return PST_OK;
    e = ids_of(gate, session, &ids);
    if (e)
        return e;
    e = told(gate, req,
             store_session_touch(gate->store, &ids.subject, &ids.sid,
                                 session->exp, gate->now));
    return e == PST_ABSENT ? PST_OK : e;
}

enum pst_err
roster_end(struct gate *gate, const struct request *req,
           const struct pst_session *session)
{
    struct ids ids;
    enum pst_err e;

    if (!gate->store)
        return PST_OK;
    e = ids_of(gate, session, &ids);
    if (e)
        return e;
    return told(gate, req,
                store_end(gate->store, &ids.sid, ids.owner,
                          end_kept(gate, session), gate->now));
}

enum pst_err
roster_end_all(struct gate *gate, const struct request *req,
               const struct pst_session *session)
{
    struct ids ids;
    enum pst_err e;

    if (!gate->store || is_unlisted(session))
        return PST_OK;
    e = ids_of(gate, session, &ids);
    if (e)
        return e;
    return told(gate, req,
                store_end_all(gate->store, &ids.subject, gate->now, NULL));
}

/* The user's own list. */

/* A walk over the list. */
struct listing {
    struct pst_buf *buf;
    const struct store_id *own;
    size_t count;
};

static void
emit_date(struct pst_buf *buf, const char *name, int64_t when)
{
    pst_buf_add_string(buf, name);
    pst_date_emit_rfc3339(buf, when);
}

static enum pst_err
emit_listed(void *context, const struct store_session *listed)
{
    struct listing *listing = context;
    struct pst_buf *buf = listing->buf;

    if (listing->count++ > 0)
        pst_buf_add_char(buf, ',');
    pst_buf_add_string(buf, "{\"id\":\"");
    pst_buf_add_hex(buf, (struct pst_bytes){listed->sid.octets, PST_HASH_LEN});
    emit_date(buf, "\",\"created\":\"", listed->created);
    emit_date(buf, "\",\"lastSeen\":\"", listed->seen);
    emit_date(buf, "\",\"expiresAt\":\"", listed->expires);
    pst_buf_add_string(buf, "\",\"browser\":");
    pst_json_emit_string(buf, listed->browser);
    pst_buf_add_string(buf, ",\"address\":");
    pst_json_emit_string(buf, listed->address);
    pst_buf_add_string(buf, ",\"current\":");
    pst_buf_add_string(
        buf, store_id_equal(&listed->sid, listing->own) ? "true}" : "false}");
    return PST_OK;
}

enum pst_err
roster_emit(struct gate *gate, const struct request *req,
            const struct pst_session *session, struct pst_buf *buf)
{
    struct listing listing = {.buf = buf};
    struct ids ids;
    enum pst_err e = PST_OK;

    pst_buf_add_char(buf, '[');
    if (gate->store && !is_unlisted(session)) {
        e = ids_of(gate, session, &ids);
        if (e)
            return e;
        listing.own = &ids.sid;
        e = told(gate, req,
                 store_session_walk(gate->store, &ids.subject, gate->now,
                                    emit_listed, &listing));
    }
    pst_buf_add_char(buf, ']');
    return e;
}

/* A search for one by its name. */
struct search {
    const struct store_id *wanted;
    struct store_session found;
    bool is_found;
};

static enum pst_err
compare(void *context, const struct store_session *listed)
{
    struct search *search = context;

    if (store_id_equal(&listed->sid, search->wanted)) {
        search->found = *listed;
        search->is_found = true;
    }
    return PST_OK;
}

/* Only what stands on the user's own list can be ended by its name. */
enum pst_err
roster_end_named(struct gate *gate, const struct request *req,
                 const struct pst_session *session, struct pst_text name,
                 bool *is_own)
{
    struct search search = {.is_found = false};
    struct store_id wanted;
    struct ids ids;
    enum pst_err e;

    if (!gate->store || is_unlisted(session) || !store_id_parse(name, &wanted))
        return PST_NOT_FOUND;
    e = ids_of(gate, session, &ids);
    if (e)
        return e;
    search.wanted = &wanted;
    e = told(gate, req,
             store_session_walk(gate->store, &ids.subject, gate->now, compare,
                                &search));
    if (e)
        return e;
    if (!search.is_found)
        return PST_NOT_FOUND;
    *is_own = store_id_equal(&wanted, &ids.sid);
    return told(gate, req,
                store_end(gate->store, &wanted, &ids.subject,
                          search.found.expires, gate->now));
}

/* SPDX-License-Identifier: ISC */
/*
 * session_registry.c - check, list, replace and revoke sessions in the store.
 */
#include "gateway/session_registry.h"

#include "base/clock.h"
#include "base/limits.h"
#include "codec/date.h"
#include "codec/json.h"
#include "gateway/browser_family.h"
#include "gateway/confirmed_sessions.h"
#include "gateway/listed_name.h"

/* The ids of a session in the store. */
struct session_ids {
    struct store_id sid;
    struct store_id subject;
    const struct store_id *owner; /* &subject, or NULL for a guest */
};

/* A session without a known user is not listed: all of them would be on the
 * same list. */
static bool
is_unlisted_session(const struct pst_session *session)
{
    return session->sub.len == 0;
}

static enum pst_err
get_session_ids(const struct context *ctx, const struct pst_session *session,
                struct session_ids *session_ids)
{
    store_id_sid(session->sid, &session_ids->sid);
    session_ids->owner = NULL;
    if (is_unlisted_session(session))
        return PST_OK;
    session_ids->owner = &session_ids->subject;
    return store_id_subject(ctx->store, session->sub, &session_ids->subject);
}

enum pst_err
registry_log_store_error(const struct context *ctx, const struct request *req,
                         enum pst_err e)
{
    if (e == PST_STORE_DOWN)
        LOG_EVENT(ctx->log, LEVEL_ERROR, "store-down",
                  LOG_C_STRING("request", req->id),
                  LOG_C_STRING("reason", store_error(ctx->store)));
    return e;
}

/* Begin a question to the store about the session. */
static struct session_confirmation
begin_confirmation(struct context *ctx, const struct session_ids *session_ids)
{
    struct session_confirmation confirmation = {.sid = &session_ids->sid,
                                                .subject = session_ids->owner,
                                                .asked_ms = clock_ms()};

    confirmed_sessions_begin(ctx->confirmed, &confirmation);
    return confirmation;
}

enum pst_err
registry_check(struct context *ctx, const struct request *req,
               const struct pst_session *session)
{
    struct session_confirmation confirmation;
    struct session_ids session_ids;
    enum pst_err e;

    if (!ctx->store)
        return PST_OK;
    e = get_session_ids(ctx, session, &session_ids);
    if (e)
        return e;
    confirmation = begin_confirmation(ctx, &session_ids);
    e = registry_log_store_error(ctx, req,
                                 store_check(ctx->store, &session_ids.sid,
                                             session_ids.owner, session->iat));
    confirmed_sessions_note_check(ctx->confirmed, &confirmation, e);
    if (e == PST_STORE_DOWN &&
        confirmed_sessions_has(ctx->confirmed, &confirmation,
                               ctx->config->store_grace * 1000))
        return PST_OK;
    return e;
}

/*
 * When the last copy of a session ends. The end of a guest's moves with each
 * renewal, and a copy that was just renewed ends later than this one.
 */
static int64_t
latest_expiry(const struct context *ctx, const struct pst_session *session)
{
    int64_t end = ctx->now + ctx->config->timeouts.guest;

    return pst_session_is_guest(session) && end > session->exp ? end
                                                               : session->exp;
}

/*
 * How long a revocation is kept. A guest's only for a day: anyone can begin and
 * end guest sessions without an account, and so fill the store. A guest's that
 * a login replaced is kept as long as a copy of it lives (latest_expiry()):
 * there are only as many as there are logins.
 */
static int64_t
revocation_expiry(const struct context *ctx, const struct pst_session *session)
{
    int64_t end = latest_expiry(ctx, session);
    int64_t day = ctx->now + PST_GUEST_REVOKED_TTL;

    return pst_session_is_guest(session) && end > day ? day : end;
}

static struct store_session
make_listed_session(const struct request *req,
                    const struct pst_session *session,
                    const struct session_ids *session_ids)
{
    return (struct store_session){
        .sid = session_ids->sid,
        .subject = session_ids->subject,
        .created = session->iat,
        .seen = session->seen,
        .expires = session->exp,
        .user = pst_str_first(session->sub, PST_SUBJECT_MAX),
        .browser = browser_family(request_header(req, PST_STR("User-Agent"))),
        .address = pst_str_first(req->remote_addr, STORE_ADDRESS_MAX),
    };
}

/* All sessions of the user were revoked at `since`: let this one begin after
 * it. */
static enum pst_err
move_past_revocation(const struct context *ctx, const struct request *req,
                     int64_t since, struct pst_session *session)
{
    if (since - ctx->now >= PST_CLOCK_SKEW_MAX) {
        /* A session that begins so far in the future would be refused with
         * the next request. */
        LOG_EVENT(ctx->log, LEVEL_ERROR, "clock-behind",
                  LOG_C_STRING("request", req->id),
                  LOG_NUMBER("seconds", since - ctx->now));
        return PST_OVERLOADED;
    }
    session->iat = since + 1;
    session->seen = since + 1;
    return PST_EXPIRED;
}

/* The ids of the sessions that a replacement ends. */
struct replaced_ids {
    struct session_ids old;
    struct session_ids guest;
};

static enum pst_err
fill_replaced_sessions(const struct context *ctx,
                       const struct registry_replacement *replaced,
                       struct store_replacement *replacement,
                       struct replaced_ids *session_ids)
{
    const struct pst_session *old = replaced->old;
    enum pst_err e = PST_OK;

    if (old)
        e = get_session_ids(ctx, old, &session_ids->old);
    if (!e && replaced->guest)
        e = get_session_ids(ctx, replaced->guest, &session_ids->guest);
    if (e)
        return e;
    if (old) {
        replacement->old = &session_ids->old.sid;
        replacement->old_subject = session_ids->old.owner;
        replacement->old_iat = old->iat;
        replacement->old_expires = replacement->is_guest
                                       ? revocation_expiry(ctx, old)
                                       : latest_expiry(ctx, old);
        replacement->requires_old = replaced->requires_old;
    }
    if (replaced->guest) {
        replacement->guest = &session_ids->guest.sid;
        replacement->guest_expires = latest_expiry(ctx, replaced->guest);
    }
    return PST_OK;
}

enum pst_err
registry_replace(struct context *ctx, const struct request *req,
                 const struct registry_replacement *replaced,
                 struct pst_session *fresh)
{
    struct store_replacement replacement = {.is_guest =
                                                is_unlisted_session(fresh),
                                            .cap = ctx->config->max_sessions,
                                            .blob = replaced->blob,
                                            .now = ctx->now};
    struct session_confirmation confirmation;
    struct store_session listed;
    struct replaced_ids replaced_ids;
    struct session_ids fresh_ids;
    int64_t since = 0;
    enum pst_err e;

    if (!ctx->store || (!replaced->old && !replaced->guest &&
                        replacement.is_guest && replaced->blob.len == 0))
        return PST_OK;
    e = get_session_ids(ctx, fresh, &fresh_ids);
    if (!e)
        e = fill_replaced_sessions(ctx, replaced, &replacement, &replaced_ids);
    if (e)
        return e;
    listed = make_listed_session(req, fresh, &fresh_ids);
    if (!replacement.is_guest)
        e = listed_name_seal(ctx, req->arena, fresh, &listed);
    if (e)
        return e;
    replacement.session = &listed;
    confirmation = begin_confirmation(ctx, &fresh_ids);
    e = registry_log_store_error(
        ctx, req, store_session_replace(ctx->store, &replacement, &since));
    confirmed_sessions_note_replacement(ctx->confirmed, &confirmation,
                                        &replacement, e);
    return e == PST_EXPIRED ? move_past_revocation(ctx, req, since, fresh) : e;
}

enum pst_err
registry_touch(struct context *ctx, const struct request *req,
               const struct pst_session *session)
{
    struct session_ids session_ids;
    const struct store_use use = {
        .sid = &session_ids.sid,
        .subject = &session_ids.subject,
        .expires = session->exp,
        .interval = ctx->config->timeouts.idle / 4,
        .now = ctx->now,
    };
    enum pst_err e;

    if (!ctx->store || is_unlisted_session(session))
        return PST_OK;
    e = get_session_ids(ctx, session, &session_ids);
    if (e)
        return e;
    e = registry_log_store_error(ctx, req,
                                 store_session_touch(ctx->store, &use));
    return e == PST_NOT_FOUND ? PST_OK : e;
}

enum pst_err
registry_revoke(struct context *ctx, const struct request *req,
                const struct pst_session *session)
{
    struct session_ids session_ids;
    enum pst_err e;

    if (!ctx->store)
        return PST_OK;
    e = get_session_ids(ctx, session, &session_ids);
    if (e)
        return e;
    e = store_revoke(ctx->store, &session_ids.sid, session_ids.owner,
                     revocation_expiry(ctx, session), ctx->now);
    /* Whatever the result: a revocation that failed may still happen. */
    confirmed_sessions_forget(ctx->confirmed, &session_ids.sid);
    return registry_log_store_error(ctx, req, e);
}

enum pst_err
registry_revoke_all(struct context *ctx, const struct request *req,
                    const struct pst_session *session)
{
    struct session_ids session_ids;
    enum pst_err e;

    if (!ctx->store || is_unlisted_session(session))
        return PST_OK;
    e = get_session_ids(ctx, session, &session_ids);
    if (e)
        return e;
    e = store_revoke_all(ctx->store, &session_ids.subject, ctx->now, NULL);
    confirmed_sessions_forget(ctx->confirmed, &session_ids.subject);
    return registry_log_store_error(ctx, req, e);
}

/* The context of a walk that writes the user's list. */
struct session_listing {
    struct pst_buf *buf;
    const struct store_id *own;
    size_t count;
};

static void
emit_date_member(struct pst_buf *buf, const char *name, int64_t when)
{
    pst_buf_add_string(buf, name);
    pst_date_emit_rfc3339(buf, when);
}

static enum pst_err
emit_listed_session(void *context, const struct store_session *listed)
{
    struct session_listing *listing = context;
    struct pst_buf *buf = listing->buf;

    if (listing->count++ > 0)
        pst_buf_add_char(buf, ',');
    pst_buf_add_string(buf, "{\"id\":\"");
    pst_buf_add_hex(buf, (struct pst_bytes){listed->sid.bytes, PST_HASH_LEN});
    emit_date_member(buf, "\",\"created\":\"", listed->created);
    emit_date_member(buf, "\",\"lastSeen\":\"", listed->seen);
    emit_date_member(buf, "\",\"expiresAt\":\"", listed->expires);
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
registry_list(struct context *ctx, const struct request *req,
              const struct pst_session *session, struct pst_buf *buf)
{
    struct session_listing listing = {.buf = buf};
    struct session_ids session_ids;
    enum pst_err e = PST_OK;

    pst_buf_add_char(buf, '[');
    if (ctx->store && !is_unlisted_session(session)) {
        e = get_session_ids(ctx, session, &session_ids);
        if (e)
            return e;
        listing.own = &session_ids.sid;
        e = registry_log_store_error(
            ctx, req,
            store_session_walk(ctx->store, &session_ids.subject, ctx->now,
                               emit_listed_session, &listing));
    }
    pst_buf_add_char(buf, ']');
    return e;
}

/* The context of a walk that searches for one session by its name. */
struct session_search {
    const struct store_id *wanted;
    int64_t expires; /* of the session that was found */
    bool is_found;
};

static enum pst_err
match_session_name(void *context, const struct store_session *listed)
{
    struct session_search *search = context;

    if (store_id_equal(&listed->sid, search->wanted)) {
        search->expires = listed->expires; /* `listed` ends with the walk */
        search->is_found = true;
    }
    return PST_OK;
}

/* Only a session on the user's own list can be revoked by its name. */
enum pst_err
registry_revoke_by_name(struct context *ctx, const struct request *req,
                        const struct pst_session *session, struct pst_str name,
                        bool *is_own)
{
    struct session_search search = {.is_found = false};
    struct store_id wanted;
    struct session_ids session_ids;
    enum pst_err e;

    if (!ctx->store || is_unlisted_session(session) ||
        !store_id_parse(name, &wanted))
        return PST_NOT_FOUND;
    e = get_session_ids(ctx, session, &session_ids);
    if (e)
        return e;
    search.wanted = &wanted;
    e = registry_log_store_error(
        ctx, req,
        store_session_walk(ctx->store, &session_ids.subject, ctx->now,
                           match_session_name, &search));
    if (e)
        return e;
    if (!search.is_found)
        return PST_NOT_FOUND;
    *is_own = store_id_equal(&wanted, &session_ids.sid);
    e = store_revoke(ctx->store, &wanted, &session_ids.subject, search.expires,
                     ctx->now);
    confirmed_sessions_forget(ctx->confirmed, &wanted);
    return registry_log_store_error(ctx, req, e);
}

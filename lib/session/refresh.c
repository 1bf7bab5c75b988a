/* SPDX-License-Identifier: ISC */
/*
 * refresh.c - the refresh token of a session, and when it is due. Pure.
 */
#include "session/refresh.h"

#include "codec/json_slice.h"

void
pst_refresh_emit(struct pst_buf *buf, const struct pst_session *session)
{
    pst_buf_add_string(buf, "{\"token\":");
    pst_buf_add(buf, session->refresh);
    pst_buf_add_string(buf, ",\"begun\":");
    pst_buf_add_number(buf, session->token_begun);
    pst_buf_add_string(buf, ",\"end\":");
    pst_buf_add_number(buf, session->token_end);
    pst_buf_add_char(buf, '}');
}

/* A time, which has no sign. */
static bool
refresh_parse_time(struct pst_str value, int64_t *out)
{
    return !pst_str_starts(value, PST_STR("-")) &&
           pst_json_slice_integer(value, out) == PST_OK;
}

static bool
refresh_parse_member(struct pst_str name, struct pst_str value,
                     struct pst_session *out)
{
    if (pst_json_slice_equal(name, PST_STR("begun")))
        return refresh_parse_time(value, &out->token_begun);
    if (pst_json_slice_equal(name, PST_STR("end")))
        return refresh_parse_time(value, &out->token_end);
    if (!pst_json_slice_equal(name, PST_STR("token")))
        return false;
    out->refresh = value;
    return pst_json_slice_kind(value) == PST_JSON_STRING &&
           !pst_str_equal(value, PST_STR("\"\""));
}

enum pst_err
pst_refresh_parse(struct pst_str object, struct pst_session *out)
{
    struct pst_str name;
    struct pst_str value;
    size_t count = 0;

    if (pst_str_is_absent(object))
        return PST_OK;
    for (; pst_json_slice_next_member(&object, &name, &value); count++)
        if (!refresh_parse_member(name, value, out))
            return PST_FORGED;
    return count == 3 && out->token_end > out->token_begun ? PST_OK
                                                           : PST_FORGED;
}

bool
pst_refresh_is_due(const struct pst_session *session, int64_t now)
{
    int64_t early =
        (session->token_end - session->token_begun) / PST_REFRESH_SHARE;

    if (pst_str_is_absent(session->refresh))
        return false;
    if (early > PST_REFRESH_EARLY_MAX)
        early = PST_REFRESH_EARLY_MAX;
    if (early < 1)
        early = 1;
    return now >= session->token_end - early;
}

bool
pst_refresh_is_overdue(const struct pst_session *session, int64_t now)
{
    return !pst_str_is_absent(session->refresh) && now >= session->token_end;
}

int64_t
pst_refresh_begin(const struct pst_session *before, int64_t now)
{
    return now > before->token_begun ? now : before->token_begun + 1;
}

bool
pst_refresh_is_newer(const struct pst_session *a, const struct pst_session *b)
{
    return a->token_begun > b->token_begun ||
           (a->token_begun == b->token_begun && a->token_end > b->token_end);
}

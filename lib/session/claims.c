/* SPDX-License-Identifier: ISC */
/*
 * claims.c - write and read the claims of a session, as JSON. Pure.
 */
#include "session/claims.h"

#include <string.h>

#include "codec/base64url.h"
#include "codec/json.h"

/* Every member that claims may have. */
static const struct claim {
    const char *name;
    enum pst_json_kind kind; /* PST_JSON_ABSENT: more than one is allowed */
    bool is_optional;
} claims_table[] = {
    {"v", PST_JSON_INTEGER, false},    {"sid", PST_JSON_STRING, false},
    {"sub", PST_JSON_STRING, false},   {"name", PST_JSON_STRING, false},
    {"iat", PST_JSON_INTEGER, false},  {"exp", PST_JSON_INTEGER, false},
    {"seen", PST_JSON_INTEGER, false}, {"remember", PST_JSON_BOOL, false},
    {"who", PST_JSON_OBJECT, false},   {"upstream", PST_JSON_ABSENT, true},
    {"known", PST_JSON_STRING, true},  {"asked", PST_JSON_INTEGER, true},
};

/* The only value of "known". Other identities follow from "sub". */
static const struct pst_str KNOWN_UNKNOWN = {"unknown", 7};

/* Refuse to write claims that pst_claims_parse() would refuse to read. */
static enum pst_err
claims_check_fields(const struct pst_session *session)
{
    if (session->sub.len > PST_SUBJECT_MAX ||
        session->name.len > PST_NAME_MAX || session->who.len > PST_WHO_MAX ||
        session->upstream.len > PST_UPSTREAM_MAX)
        return PST_TOO_LARGE;
    /* With bad bytes replaced by U+FFFD, two users could become one. */
    if (!pst_str_is_utf8(session->sub) || !pst_str_is_utf8(session->name))
        return PST_MALFORMED;
    return PST_OK;
}

void
pst_claims_emit(struct pst_buf *buf, const struct pst_session *session)
{
    enum pst_err e = claims_check_fields(session);

    PST_REQUIRE(session->who.len > 0);
    PST_REQUIRE(session->known != PST_IDENTITY_UNKNOWN ||
                session->sub.len == 0);
    if (e) {
        pst_buf_set_error(buf, e);
        return;
    }
    pst_buf_add_string(buf, "{\"v\":");
    pst_buf_add_number(buf, PST_SESSION_VERSION);
    pst_buf_add_string(buf, ",\"sid\":\"");
    pst_base64url_encode(
        buf, (struct pst_bytes){session->sid, sizeof(session->sid)});
    pst_buf_add_string(buf, "\",\"sub\":");
    pst_json_emit_string(buf, session->sub);
    pst_buf_add_string(buf, ",\"name\":");
    pst_json_emit_string(buf, session->name);
    pst_buf_add_string(buf, ",\"iat\":");
    pst_buf_add_number(buf, session->iat);
    pst_buf_add_string(buf, ",\"exp\":");
    pst_buf_add_number(buf, session->exp);
    pst_buf_add_string(buf, ",\"seen\":");
    pst_buf_add_number(buf, session->seen);
    pst_buf_add_string(buf, ",\"remember\":");
    pst_buf_add_string(buf, session->remember ? "true" : "false");
    pst_buf_add_string(buf, ",\"who\":");
    pst_buf_add(buf, session->who);
    if (!pst_str_is_absent(session->upstream)) {
        pst_buf_add_string(buf, ",\"upstream\":");
        pst_buf_add(buf, session->upstream);
    }
    if (session->known == PST_IDENTITY_UNKNOWN) {
        pst_buf_add_string(buf, ",\"known\":");
        pst_json_emit_string(buf, KNOWN_UNKNOWN);
    }
    if (session->asked > 0) {
        pst_buf_add_string(buf, ",\"asked\":");
        pst_buf_add_number(buf, session->asked);
    }
    pst_buf_add_char(buf, '}');
}

static const struct pst_json *
claims_get(const struct pst_json *root, const char *name)
{
    return pst_json_get(root, pst_str_from(name));
}

/* Every required claim is there, each is of its kind, and there is no other. */
static bool
claims_have_members(const struct pst_json *root)
{
    size_t found = 0;

    if (pst_json_kind(root) != PST_JSON_OBJECT)
        return false;
    for (size_t i = 0; i < PST_COUNT(claims_table); i++) {
        enum pst_json_kind kind =
            pst_json_kind(claims_get(root, claims_table[i].name));

        if (kind == PST_JSON_ABSENT && claims_table[i].is_optional)
            continue;
        if (kind == PST_JSON_ABSENT ||
            (claims_table[i].kind != PST_JSON_ABSENT &&
             kind != claims_table[i].kind))
            return false;
        found++;
    }
    return pst_json_count(root) == found;
}

/* A token that is not empty, cookies by name, or the key of a stored session:
 * is it one of these? */
static bool
claims_is_upstream(const struct pst_json *value)
{
    struct pst_json_members cookies = pst_json_members(value);
    size_t count = pst_json_count(value);
    const struct pst_json *cookie;
    struct pst_str name;

    if (pst_json_kind(value) == PST_JSON_STRING)
        return pst_json_string(value).len > 0;
    if (pst_json_kind(value) == PST_JSON_ARRAY)
        return count == 1 &&
               pst_json_string(pst_json_element(value, 0)).len > 0;
    if (pst_json_kind(value) != PST_JSON_OBJECT || count == 0)
        return false;
    while (pst_json_next_member(&cookies, &name, &cookie)) {
        if (pst_json_kind(cookie) != PST_JSON_STRING)
            return false;
    }
    return true;
}

static enum pst_err
claims_parse_sid(struct pst_arena *arena, const struct pst_json *value,
                 uint8_t sid[static PST_SID_LEN])
{
    struct pst_bytes bytes;
    enum pst_err e =
        pst_base64url_decode(arena, pst_json_string(value), &bytes);

    if (e)
        return e;
    if (bytes.len != PST_SID_LEN)
        return PST_FORGED;
    memcpy(sid, bytes.ptr, PST_SID_LEN);
    return PST_OK;
}

static enum pst_err
claims_parse_times(const struct pst_json *root, struct pst_session *out)
{
    enum pst_err e = pst_json_integer(claims_get(root, "iat"), &out->iat);

    if (!e)
        e = pst_json_integer(claims_get(root, "exp"), &out->exp);
    if (!e)
        e = pst_json_integer(claims_get(root, "seen"), &out->seen);
    if (!e && claims_get(root, "asked"))
        e = pst_json_integer(claims_get(root, "asked"), &out->asked);
    if (e)
        return e;
    if (out->iat < 0 || out->seen < 0 || out->exp <= out->iat || out->asked < 0)
        return PST_FORGED;
    return PST_OK;
}

/* A session with a subject is known. "unknown" is the only value accepted. */
static enum pst_err
claims_parse_known(const struct pst_json *root, struct pst_session *out)
{
    struct pst_str known = pst_json_string(claims_get(root, "known"));

    out->known = out->sub.len > 0 ? PST_IDENTITY_KNOWN : PST_IDENTITY_GUEST;
    if (pst_str_is_absent(known))
        return PST_OK;
    if (out->sub.len > 0 || !pst_str_equal(known, KNOWN_UNKNOWN))
        return PST_FORGED;
    out->known = PST_IDENTITY_UNKNOWN;
    return PST_OK;
}

static enum pst_err
claims_parse_strings(struct pst_str claims, const struct pst_json *root,
                     struct pst_session *out)
{
    enum pst_err e;

    out->sub = pst_json_string(claims_get(root, "sub"));
    out->name = pst_json_string(claims_get(root, "name"));
    out->upstream = PST_STR_NONE;
    e = pst_json_locate(claims, PST_STR("/who"), &out->who);
    if (!e && claims_get(root, "upstream"))
        e = pst_json_locate(claims, PST_STR("/upstream"), &out->upstream);
    if (!e)
        e = claims_check_fields(out);
    if (!e && claims_get(root, "upstream") &&
        !claims_is_upstream(claims_get(root, "upstream")))
        e = PST_FORGED;
    return e ? e : claims_parse_known(root, out);
}

static enum pst_err
claims_parse(struct pst_arena *arena, struct pst_str claims,
             struct pst_session *out)
{
    const struct pst_json *root;
    int64_t version = 0;
    enum pst_err e = pst_json_parse(arena, claims, &root);

    if (e)
        return e;
    if (!claims_have_members(root))
        return PST_FORGED;
    e = pst_json_integer(claims_get(root, "v"), &version);
    if (!e && version != PST_SESSION_VERSION)
        e = PST_FORGED;
    if (!e)
        e = claims_parse_sid(arena, claims_get(root, "sid"), out->sid);
    if (!e)
        e = claims_parse_times(root, out);
    if (!e)
        e = pst_json_bool(claims_get(root, "remember"), &out->remember);
    if (!e)
        e = claims_parse_strings(claims, root, out);
    return e;
}

enum pst_err
pst_claims_parse(struct pst_arena *arena, struct pst_str claims,
                 struct pst_session *out)
{
    struct pst_session session = {0};
    enum pst_err e;

    if (claims.len > PST_SPILL_MAX)
        return PST_FORGED;
    e = claims_parse(arena, claims, &session);
    if (e)
        return e == PST_NO_MEMORY ? PST_NO_MEMORY : PST_FORGED;
    *out = session;
    return PST_OK;
}

static bool
claims_is_same_json(struct pst_str a, struct pst_str b)
{
    return pst_str_is_absent(a) == pst_str_is_absent(b) && pst_str_equal(a, b);
}

enum pst_err
pst_session_verify_claims(struct pst_arena *arena, struct pst_str claims,
                          const struct pst_session *session)
{
    struct pst_session parsed;
    enum pst_err e = pst_claims_parse(arena, claims, &parsed);

    if (e)
        return e;
    if (!claims_is_same_json(parsed.who, session->who) ||
        !claims_is_same_json(parsed.upstream, session->upstream) ||
        parsed.known != session->known || parsed.asked != session->asked)
        return PST_FORGED;
    return PST_OK;
}

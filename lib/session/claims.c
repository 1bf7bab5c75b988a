/* SPDX-License-Identifier: ISC */
/*
 * claims.c - write and read the claims of a session, as JSON. Pure.
 */
#include "session/claims.h"

#include <string.h>

#include "codec/base64url.h"
#include "codec/json_check.h"
#include "codec/json_emit.h"
#include "codec/json_scan.h"
#include "codec/json_slice.h"
#include "session/refresh.h"

enum claim {
    CLAIM_VERSION,
    CLAIM_SID,
    CLAIM_SUB,
    CLAIM_NAME,
    CLAIM_IAT,
    CLAIM_EXP,
    CLAIM_SEEN,
    CLAIM_REMEMBER,
    CLAIM_WHO,
    CLAIM_UPSTREAM,
    CLAIM_KNOWN,
    CLAIM_ASKED,
    CLAIM_REFRESH,
    CLAIM_COUNT
};

/* Every member that claims may have. */
static const struct claim_rule {
    struct pst_str name;
    enum pst_json_kind kind; /* PST_JSON_ABSENT: more than one is allowed */
    bool is_optional;
} claim_rules[CLAIM_COUNT] = {
    [CLAIM_VERSION] = {{"v", 1}, PST_JSON_INTEGER, false},
    [CLAIM_SID] = {{"sid", 3}, PST_JSON_STRING, false},
    [CLAIM_SUB] = {{"sub", 3}, PST_JSON_STRING, false},
    [CLAIM_NAME] = {{"name", 4}, PST_JSON_STRING, false},
    [CLAIM_IAT] = {{"iat", 3}, PST_JSON_INTEGER, false},
    [CLAIM_EXP] = {{"exp", 3}, PST_JSON_INTEGER, false},
    [CLAIM_SEEN] = {{"seen", 4}, PST_JSON_INTEGER, false},
    [CLAIM_REMEMBER] = {{"remember", 8}, PST_JSON_BOOL, false},
    [CLAIM_WHO] = {{"who", 3}, PST_JSON_OBJECT, false},
    [CLAIM_UPSTREAM] = {{"upstream", 8}, PST_JSON_ABSENT, true},
    [CLAIM_KNOWN] = {{"known", 5}, PST_JSON_STRING, true},
    [CLAIM_ASKED] = {{"asked", 5}, PST_JSON_INTEGER, true},
    [CLAIM_REFRESH] = {{"refresh", 7}, PST_JSON_OBJECT, true},
};

/* The values of claims, as slices of their text; an absent one is empty. */
struct claim_values {
    struct pst_str of[CLAIM_COUNT];
    int64_t integer[CLAIM_COUNT]; /* of those that are; 0 if absent */
};

/* The only value of "known". Other identities follow from "sub". */
static const struct pst_str KNOWN_UNKNOWN = {"unknown", 7};

/* Refuse to write claims that pst_claims_parse() would refuse to read. */
static enum pst_err
claims_check_fields(const struct pst_session *session)
{
    if (session->sub.len > PST_SUBJECT_MAX ||
        session->name.len > PST_NAME_MAX || session->who.len > PST_WHO_MAX ||
        session->upstream.len + session->refresh.len > PST_UPSTREAM_MAX)
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
    if (!pst_str_is_absent(session->refresh)) {
        pst_buf_add_string(buf, ",\"refresh\":");
        pst_refresh_emit(buf, session);
    }
    pst_buf_add_char(buf, '}');
}

/* The claim of this name, or CLAIM_COUNT.
 *   guess  what it is where claims are in our order */
static enum claim
claims_find_rule(struct pst_str raw_name, enum claim guess)
{
    enum claim claim = 0;

    if (guess < CLAIM_COUNT &&
        pst_json_slice_equal(raw_name, claim_rules[guess].name))
        return guess;
    while (claim < CLAIM_COUNT &&
           !pst_json_slice_equal(raw_name, claim_rules[claim].name))
        claim++;
    return claim;
}

/* Is a value of its claim's kind? */
static bool
claims_set(struct claim_values *values, enum claim claim, struct pst_str value)
{
    enum pst_json_kind kind = claim_rules[claim].kind;

    values->of[claim] = value;
    if (kind == PST_JSON_INTEGER)
        return pst_json_slice_integer(value, &values->integer[claim]) == PST_OK;
    return kind == PST_JSON_ABSENT || pst_json_slice_kind(value) == kind;
}

/*
 * Sort the members by their claims: every required claim is there, each is of
 * its kind, and there is no other. The check of the text has refused
 * duplicates.
 */
static bool
claims_sort(const struct pst_json_split *split, struct claim_values *out)
{
    enum claim guess = 0;

    *out = (struct claim_values){{PST_STR_NONE}, {0}};
    if (split->count > split->size)
        return false;
    for (size_t i = 0; i < split->count; i++) {
        enum claim claim = claims_find_rule(split->at[i].name, guess);

        if (claim == CLAIM_COUNT || !claims_set(out, claim, split->at[i].value))
            return false;
        guess = claim + 1;
    }
    for (size_t i = 0; i < CLAIM_COUNT; i++) {
        if (!claim_rules[i].is_optional && pst_str_is_absent(out->of[i]))
            return false;
    }
    return true;
}

/* Is it a string, and not an empty one? An escape decodes to something. */
static bool
claims_is_text(struct pst_str value)
{
    return pst_json_slice_kind(value) == PST_JSON_STRING &&
           !pst_str_equal(value, PST_STR("\"\""));
}

static bool
claims_is_spill_key(struct pst_str array)
{
    struct pst_str element;

    return pst_json_slice_next_element(&array, &element) &&
           claims_is_text(element) &&
           !pst_json_slice_next_element(&array, &element);
}

static bool
claims_are_cookies(struct pst_str object)
{
    size_t count = 0;
    struct pst_str name;
    struct pst_str value;

    while (pst_json_slice_next_member(&object, &name, &value)) {
        if (pst_json_slice_kind(value) != PST_JSON_STRING)
            return false;
        count++;
    }
    return count > 0;
}

/* A token that is not empty, cookies by name, or the key of a stored session:
 * is it one of these? */
static bool
claims_is_upstream(struct pst_str value)
{
    switch (pst_json_slice_kind(value)) {
    case PST_JSON_STRING:
        return claims_is_text(value);
    case PST_JSON_ARRAY:
        return claims_is_spill_key(value);
    case PST_JSON_OBJECT:
        return claims_are_cookies(value);
    default:
        return false;
    }
}

/*
 * Decode a string; half of a surrogate pair becomes U+FFFD.
 *   out  set on PST_OK: a part of value, or in the arena
 */
static enum pst_err
claims_decode(struct pst_arena *arena, struct pst_str value, size_t max,
              struct pst_str *out)
{
    struct pst_str raw =
        pst_str_skip(pst_str_first(value, value.len - 1), 1); /* no quotes */
    struct pst_buf buf;
    bool lone;

    if (pst_str_index(raw, '\\') == raw.len) {
        *out = raw;
        return PST_OK;
    }
    pst_buf_init_arena(&buf, arena, max);
    if (!pst_json_unescape_all(&buf, raw, &lone))
        return PST_FORGED;
    return pst_buf_finish(&buf, out);
}

static enum pst_err
claims_parse_sid(struct pst_arena *arena, struct pst_str value,
                 uint8_t sid[static PST_SID_LEN])
{
    struct pst_bytes bytes;
    struct pst_str text;
    enum pst_err e = claims_decode(arena, value, value.len, &text);

    if (!e)
        e = pst_base64url_decode(arena, text, &bytes);
    if (e)
        return e;
    if (bytes.len != PST_SID_LEN)
        return PST_FORGED;
    memcpy(sid, bytes.ptr, PST_SID_LEN);
    return PST_OK;
}

static enum pst_err
claims_parse_times(const struct claim_values *values, struct pst_session *out)
{
    out->iat = values->integer[CLAIM_IAT];
    out->exp = values->integer[CLAIM_EXP];
    out->seen = values->integer[CLAIM_SEEN];
    out->asked = values->integer[CLAIM_ASKED];
    if (out->iat < 0 || out->seen < 0 || out->exp <= out->iat || out->asked < 0)
        return PST_FORGED;
    return PST_OK;
}

/* A session with a subject is known. "unknown" is the only value accepted. */
static enum pst_err
claims_parse_known(struct pst_str value, struct pst_session *out)
{
    out->known = out->sub.len > 0 ? PST_IDENTITY_KNOWN : PST_IDENTITY_GUEST;
    if (pst_str_is_absent(value))
        return PST_OK;
    value = pst_str_skip(pst_str_first(value, value.len - 1), 1);
    if (out->sub.len > 0 || !pst_json_slice_equal(value, KNOWN_UNKNOWN))
        return PST_FORGED;
    out->known = PST_IDENTITY_UNKNOWN;
    return PST_OK;
}

static enum pst_err
claims_parse_strings(struct pst_arena *arena, const struct claim_values *values,
                     struct pst_session *out)
{
    enum pst_err e =
        claims_decode(arena, values->of[CLAIM_SUB], PST_SUBJECT_MAX, &out->sub);

    if (!e)
        e = claims_decode(arena, values->of[CLAIM_NAME], PST_NAME_MAX,
                          &out->name);
    if (e)
        return e;
    out->who = values->of[CLAIM_WHO];
    out->upstream = values->of[CLAIM_UPSTREAM];
    e = pst_refresh_parse(values->of[CLAIM_REFRESH], out);
    if (!e)
        e = claims_check_fields(out);
    if (!e && !pst_str_is_absent(out->upstream) &&
        !claims_is_upstream(out->upstream))
        e = PST_FORGED;
    return e ? e : claims_parse_known(values->of[CLAIM_KNOWN], out);
}

static enum pst_err
claims_parse(struct pst_arena *arena, struct pst_str claims,
             struct pst_session *out)
{
    struct pst_json_split_member storage[CLAIM_COUNT];
    struct pst_json_split split = {.at = storage, .size = CLAIM_COUNT};
    struct claim_values values;
    struct pst_json_error error;
    enum pst_err e = pst_json_check_object(arena, claims, &split, &error);

    if (e)
        return e;
    if (!claims_sort(&split, &values) ||
        values.integer[CLAIM_VERSION] != PST_SESSION_VERSION)
        return PST_FORGED;
    e = claims_parse_sid(arena, values.of[CLAIM_SID], out->sid);
    if (!e)
        e = claims_parse_times(&values, out);
    if (!e)
        e = claims_parse_strings(arena, &values, out);
    out->remember = pst_str_equal(values.of[CLAIM_REMEMBER], PST_STR("true"));
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
        !claims_is_same_json(parsed.refresh, session->refresh) ||
        parsed.token_begun != session->token_begun ||
        parsed.token_end != session->token_end ||
        parsed.known != session->known || parsed.asked != session->asked)
        return PST_FORGED;
    return PST_OK;
}

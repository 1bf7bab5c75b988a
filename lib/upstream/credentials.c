/* SPDX-License-Identifier: ISC */
/*
 * credentials.c - the backend's token or cookies that a session holds: the
 * header that sends them, and how a response changes them.
 */
#include "upstream/credentials.h"

#include "base/limits.h"
#include "codec/json.h"
#include "codec/json_check.h"
#include "upstream/set_cookie.h"

/* Marks the value of a cookie without HttpOnly, which is not the session:
 * scripts may read it. The value of a cookie cannot begin with a space. */
static const struct pst_str READABLE_PREFIX = {" ", 1};

struct kept_cookie {
    struct pst_str name;
    struct pst_str old_value; /* before the response; absent: none */
    struct pst_str value;     /* absent: deleted */
    bool http_only;           /* one of its Set-Cookie lines said so */
};

struct kept_cookies {
    struct kept_cookie list[CREDENTIALS_COOKIES_MAX];
    size_t count;
};

/* Kept cookies. */

/* Parse the object of cookies; any other JSON value is no cookie. */
static enum pst_err
parse_kept_cookies(const struct pst_json *root,
                   struct kept_cookies *kept_cookies)
{
    bool is_object = pst_json_kind(root) == PST_JSON_OBJECT;
    size_t count = is_object ? pst_json_count(root) : 0;

    if (count > CREDENTIALS_COOKIES_MAX)
        return PST_TOO_LARGE;
    kept_cookies->count = count;
    for (size_t i = 0; i < count; i++) {
        struct kept_cookie *kept_cookie = &kept_cookies->list[i];

        *kept_cookie = (struct kept_cookie){.name = PST_STR_NONE};
        kept_cookie->old_value =
            pst_json_string(pst_json_member(root, i, &kept_cookie->name));
        kept_cookie->http_only =
            !pst_str_starts(kept_cookie->old_value, READABLE_PREFIX);
        if (!kept_cookie->http_only)
            kept_cookie->old_value =
                pst_str_skip(kept_cookie->old_value, READABLE_PREFIX.len);
        kept_cookie->value = kept_cookie->old_value;
    }
    return PST_OK;
}

static void
emit_kept_value(struct pst_buf *buf, struct pst_arena *arena,
                const struct kept_cookie *kept_cookie)
{
    struct pst_str value = kept_cookie->value;
    struct pst_buf prefixed;
    enum pst_err e = PST_OK;

    if (!kept_cookie->http_only) {
        pst_buf_init_arena(&prefixed, arena, READABLE_PREFIX.len + value.len);
        pst_buf_add(&prefixed, READABLE_PREFIX);
        pst_buf_add(&prefixed, value);
        e = pst_buf_finish(&prefixed, &value);
    }
    if (e)
        pst_buf_set_error(buf, e);
    else
        pst_json_emit_string(buf, value);
}

static enum pst_err
emit_kept_cookies(struct pst_arena *arena,
                  const struct kept_cookies *kept_cookies, struct pst_str *out)
{
    struct pst_buf buf;
    bool empty = true;

    pst_buf_init_arena(&buf, arena, PST_UPSTREAM_MAX);
    pst_buf_add_char(&buf, '{');
    for (size_t i = 0; i < kept_cookies->count; i++) {
        if (pst_str_is_absent(kept_cookies->list[i].value))
            continue;
        if (!empty)
            pst_buf_add_char(&buf, ',');
        empty = false;
        pst_json_emit_string(&buf, kept_cookies->list[i].name);
        pst_buf_add_char(&buf, ':');
        emit_kept_value(&buf, arena, &kept_cookies->list[i]);
    }
    pst_buf_add_char(&buf, '}');
    return pst_buf_finish(&buf, out);
}

static bool
has_no_kept_cookie(const struct kept_cookies *kept_cookies)
{
    for (size_t i = 0; i < kept_cookies->count; i++) {
        if (!pst_str_is_absent(kept_cookies->list[i].value))
            return false;
    }
    return true;
}

static struct kept_cookie *
find_kept_cookie(struct kept_cookies *kept_cookies, struct pst_str name)
{
    for (size_t i = 0; i < kept_cookies->count; i++) {
        if (pst_str_equal(kept_cookies->list[i].name, name))
            return &kept_cookies->list[i];
    }
    return NULL;
}

static enum pst_err
emit_cookie_header(struct pst_arena *arena, const struct pst_json *root,
                   struct pst_str *value)
{
    struct kept_cookies *kept_cookies =
        pst_arena_alloc(arena, sizeof(*kept_cookies));
    struct pst_buf buf;
    enum pst_err e;

    if (!kept_cookies)
        return PST_NO_MEMORY;
    e = parse_kept_cookies(root, kept_cookies);
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_UPSTREAM_MAX);
    for (size_t i = 0; i < kept_cookies->count; i++) {
        if (i > 0)
            pst_buf_add_string(&buf, "; ");
        pst_buf_add(&buf, kept_cookies->list[i].name);
        pst_buf_add_char(&buf, '=');
        pst_buf_add(&buf, kept_cookies->list[i].value);
    }
    return pst_buf_finish(&buf, value);
}

static enum pst_err
emit_authorization_header(struct pst_arena *arena, struct pst_str token,
                          struct pst_str *value)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, sizeof("Bearer ") + PST_UPSTREAM_MAX);
    pst_buf_add_string(&buf, "Bearer ");
    pst_buf_add(&buf, token);
    return pst_buf_finish(&buf, value);
}

/*
 * The token that a text is, when it is a JSON string without escapes, as most
 * are.
 *   out  set to the token, or to PST_STR_NONE for any other text
 */
static enum pst_err
find_plain_token(struct pst_arena *arena, struct pst_str upstream,
                 struct pst_str *out)
{
    struct pst_json_error error;
    struct pst_str value;
    enum pst_err e;

    *out = PST_STR_NONE;
    if (pst_json_slice_kind(upstream) != PST_JSON_STRING ||
        pst_str_index(upstream, '\\') < upstream.len)
        return PST_OK;
    e = pst_json_check(arena, upstream, &value, &error);
    if (!e)
        *out = pst_str_skip(pst_str_first(value, value.len - 1), 1);
    return e;
}

enum pst_err
credentials_emit_header(struct pst_arena *arena, struct pst_str upstream,
                        struct pst_str *name, struct pst_str *value)
{
    const struct pst_json *root;
    struct pst_str token;
    bool is_token;
    enum pst_err e;

    if (upstream.len == 0) {
        *name = PST_STR_NONE;
        *value = PST_STR_NONE;
        return PST_OK;
    }
    e = find_plain_token(arena, upstream, &token);
    if (!e && !pst_str_is_absent(token)) {
        e = emit_authorization_header(arena, token, value);
        if (!e)
            *name = PST_STR("Authorization");
        return e;
    }
    if (!e)
        e = pst_json_parse(arena, upstream, &root);
    if (e)
        return e;
    is_token = pst_json_kind(root) != PST_JSON_OBJECT;
    e = is_token
            ? emit_authorization_header(arena, pst_json_string(root), value)
            : emit_cookie_header(arena, root, value);
    if (!e)
        *name = is_token ? PST_STR("Authorization") : PST_STR("Cookie");
    return e;
}

/* Changes by a response. */

/* "Authorization: Bearer abc" as a response header (devise-jwt) is the token
 * abc. */
static struct pst_str
skip_bearer_scheme(struct pst_str token)
{
    const struct pst_str scheme = PST_STR("Bearer");
    struct pst_str rest = pst_str_skip(token, scheme.len);

    if (!pst_str_starts_nocase(token, scheme) ||
        (rest.len > 0 && rest.ptr[0] != ' ' && rest.ptr[0] != '\t'))
        return token;
    return pst_str_trim(rest);
}

enum pst_err
credentials_emit_token(struct pst_arena *arena, struct pst_str token,
                       struct pst_str *out)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, PST_UPSTREAM_MAX);
    pst_json_emit_string(&buf, token);
    return pst_buf_finish(&buf, out);
}

static enum pst_err
apply_token_update(struct pst_arena *arena,
                   const struct credentials_response *response,
                   enum credentials_change *change, struct pst_str *out)
{
    struct pst_str upstream = response->upstream;
    struct pst_str token = skip_bearer_scheme(response->update->token);
    struct pst_str fresh;
    enum pst_err e;

    if (token.len == 0) {
        bool ended = !pst_str_is_absent(token) && upstream.len > 0;

        *change = ended ? CREDENTIALS_ENDED : CREDENTIALS_SAME;
        *out = ended ? PST_STR_NONE : upstream;
        return PST_OK;
    }
    e = credentials_emit_token(arena, token, &fresh);
    if (e)
        return e;
    *change = pst_str_equal(fresh, upstream) ? CREDENTIALS_SAME
                                             : CREDENTIALS_REPLACED;
    *out = fresh;
    return PST_OK;
}

/* Set or delete one kept cookie, as a browser would. */
static enum pst_err
apply_set_cookie(struct kept_cookies *kept_cookies,
                 const struct set_cookie *line)
{
    struct kept_cookie *kept_cookie =
        find_kept_cookie(kept_cookies, line->name);

    if (!kept_cookie) {
        if (pst_str_is_absent(line->value))
            return PST_OK;
        if (kept_cookies->count == CREDENTIALS_COOKIES_MAX)
            return PST_TOO_LARGE;
        kept_cookie = &kept_cookies->list[kept_cookies->count++];
        *kept_cookie = (struct kept_cookie){.name = line->name};
    }
    kept_cookie->value = line->value;
    kept_cookie->http_only |= line->is_http_only;
    return PST_OK;
}

static enum pst_err
apply_set_cookies(struct kept_cookies *kept_cookies, int64_t now,
                  const struct credentials_update *update)
{
    for (size_t i = 0; i < update->cookie_count; i++) {
        struct set_cookie line;
        enum pst_err e;

        if (!set_cookie_parse(update->cookies[i], now, &line))
            continue;
        e = apply_set_cookie(kept_cookies, &line);
        if (e)
            return e;
    }
    return PST_OK;
}

/*
 * How one cookie changed. A signature says nothing beyond the cookie it signs.
 * A Set-Cookie that deletes need not repeat HttpOnly: the one that set the
 * cookie counts.
 */
static enum credentials_change
get_cookie_change(const struct kept_cookie *kept_cookie)
{
    bool is_gone = pst_str_is_absent(kept_cookie->value);

    if (is_gone == pst_str_is_absent(kept_cookie->old_value) &&
        (is_gone || pst_str_equal(kept_cookie->value, kept_cookie->old_value)))
        return CREDENTIALS_SAME;
    if (!kept_cookie->http_only ||
        pst_str_ends(kept_cookie->name, PST_STR(".sig")))
        return CREDENTIALS_UPDATED;
    return is_gone ? CREDENTIALS_ENDED : CREDENTIALS_REPLACED;
}

/* The strongest change. A session without any cookie has ended: an empty
 * object would look like no credentials. */
static enum credentials_change
get_strongest_change(const struct kept_cookies *kept_cookies)
{
    enum credentials_change strongest = CREDENTIALS_SAME;

    for (size_t i = 0; i < kept_cookies->count; i++) {
        enum credentials_change change =
            get_cookie_change(&kept_cookies->list[i]);

        if (change > strongest)
            strongest = change;
    }
    return strongest == CREDENTIALS_UPDATED && has_no_kept_cookie(kept_cookies)
               ? CREDENTIALS_ENDED
               : strongest;
}

static enum pst_err
apply_cookies_update(struct pst_arena *arena,
                     const struct credentials_response *response,
                     enum credentials_change *change, struct pst_str *out)
{
    struct kept_cookies *kept_cookies =
        pst_arena_alloc(arena, sizeof(*kept_cookies));
    struct pst_str fresh = response->upstream;
    const struct pst_json *root = NULL;
    enum credentials_change found;
    enum pst_err e = PST_OK;

    if (!kept_cookies)
        return PST_NO_MEMORY;
    if (response->upstream.len > 0)
        e = pst_json_parse(arena, response->upstream, &root);
    if (!e)
        e = parse_kept_cookies(root, kept_cookies);
    if (!e)
        e = apply_set_cookies(kept_cookies, response->now, response->update);
    if (e)
        return e;
    found = get_strongest_change(kept_cookies);
    if (found == CREDENTIALS_ENDED)
        fresh = PST_STR_NONE;
    else if (found != CREDENTIALS_SAME)
        e = emit_kept_cookies(arena, kept_cookies, &fresh);
    if (e)
        return e;
    *change = found;
    *out = fresh;
    return PST_OK;
}

enum pst_err
credentials_apply_update(struct pst_arena *arena, const struct config *config,
                         const struct credentials_response *response,
                         enum credentials_change *change, struct pst_str *out)
{
    switch (config->backend.token_location) {
    case TOKEN_IN_HEADER:
        return apply_token_update(arena, response, change, out);
    case TOKEN_IN_COOKIE:
        return apply_cookies_update(arena, response, change, out);
    case TOKEN_IN_JSON:
        break;
    }
    *change = CREDENTIALS_SAME;
    *out = response->upstream;
    return PST_OK;
}

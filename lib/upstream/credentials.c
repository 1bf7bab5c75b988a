/* SPDX-License-Identifier: ISC */
/*
 * credentials.c - a token, or a few cookies, as a browser would have kept them.
 */
#include "upstream/credentials.h"

#include "base/limits.h"
#include "codec/date.h"
#include "codec/json.h"

/* Before a kept value: scripts were to read it, so it is not the session. No
 * value that a cookie has begins with a space. */
static const struct pst_text OPEN = {" ", 1};

struct entry {
    struct pst_text name;
    struct pst_text was;   /* before this answer; absent: not there */
    struct pst_text value; /* absent: deleted */
    bool http_only;        /* it was set so, now or ever */
};

struct jar {
    struct entry entries[JAR_COOKIES_MAX];
    size_t count;
};

/* What is kept. */

/* Read the object of cookies; anything else is an empty jar. */
static enum pst_err
read_jar(const struct pst_json *root, struct jar *jar)
{
    bool is_object = pst_json_kind(root) == PST_JSON_OBJECT;
    size_t count = is_object ? pst_json_count(root) : 0;

    if (count > JAR_COOKIES_MAX)
        return PST_TOO_LARGE;
    jar->count = count;
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = &jar->entries[i];

        *entry = (struct entry){.name = PST_NO_TEXT};
        entry->was = pst_json_text(pst_json_member(root, i, &entry->name));
        entry->http_only = !pst_text_starts(entry->was, OPEN);
        if (!entry->http_only)
            entry->was = pst_text_from_octet(entry->was, OPEN.len);
        entry->value = entry->was;
    }
    return PST_OK;
}

static void
emit_value(struct pst_buf *buf, struct pst_arena *arena,
           const struct entry *entry)
{
    struct pst_text value = entry->value;
    struct pst_buf open;
    enum pst_err e = PST_OK;

    if (!entry->http_only) {
        pst_buf_init_arena(&open, arena, OPEN.len + value.len);
        pst_buf_add(&open, OPEN);
        pst_buf_add(&open, value);
        e = pst_buf_end(&open, &value);
    }
    if (e)
        pst_buf_spoil(buf, e);
    else
        pst_json_emit_string(buf, value);
}

static enum pst_err
write_jar(struct pst_arena *arena, const struct jar *jar, struct pst_text *out)
{
    struct pst_buf buf;
    bool empty = true;

    pst_buf_init_arena(&buf, arena, PST_UPSTREAM_MAX);
    pst_buf_add_char(&buf, '{');
    for (size_t i = 0; i < jar->count; i++) {
        if (pst_text_is_absent(jar->entries[i].value))
            continue;
        if (!empty)
            pst_buf_add_char(&buf, ',');
        empty = false;
        pst_json_emit_string(&buf, jar->entries[i].name);
        pst_buf_add_char(&buf, ':');
        emit_value(&buf, arena, &jar->entries[i]);
    }
    pst_buf_add_char(&buf, '}');
    return pst_buf_end(&buf, out);
}

static bool
is_empty(const struct jar *jar)
{
    for (size_t i = 0; i < jar->count; i++) {
        if (!pst_text_is_absent(jar->entries[i].value))
            return false;
    }
    return true;
}

static struct entry *
find(struct jar *jar, struct pst_text name)
{
    for (size_t i = 0; i < jar->count; i++) {
        if (pst_text_equal(jar->entries[i].name, name))
            return &jar->entries[i];
    }
    return NULL;
}

static enum pst_err
emit_cookies(struct pst_arena *arena, const struct pst_json *root,
             struct pst_text *value)
{
    struct jar *jar = pst_arena_alloc(arena, sizeof(*jar));
    struct pst_buf buf;
    enum pst_err e;

    if (!jar)
        return PST_NO_MEMORY;
    e = read_jar(root, jar);
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_UPSTREAM_MAX);
    for (size_t i = 0; i < jar->count; i++) {
        if (i > 0)
            pst_buf_add_string(&buf, "; ");
        pst_buf_add(&buf, jar->entries[i].name);
        pst_buf_add_char(&buf, '=');
        pst_buf_add(&buf, jar->entries[i].value);
    }
    return pst_buf_end(&buf, value);
}

static enum pst_err
emit_token(struct pst_arena *arena, struct pst_text token,
           struct pst_text *value)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, sizeof("Bearer ") + PST_UPSTREAM_MAX);
    pst_buf_add_string(&buf, "Bearer ");
    pst_buf_add(&buf, token);
    return pst_buf_end(&buf, value);
}

enum pst_err
jar_emit(struct pst_arena *arena, struct pst_text upstream,
         struct pst_text *name, struct pst_text *value)
{
    const struct pst_json *root;
    bool is_token;
    enum pst_err e;

    if (upstream.len == 0) {
        *name = PST_NO_TEXT;
        *value = PST_NO_TEXT;
        return PST_OK;
    }
    e = pst_json_parse(arena, upstream, &root);
    if (e)
        return e;
    is_token = pst_json_kind(root) != PST_JSON_OBJECT;
    e = is_token ? emit_token(arena, pst_json_text(root), value)
                 : emit_cookies(arena, root, value);
    if (!e)
        *name = is_token ? PST_TEXT("Authorization") : PST_TEXT("Cookie");
    return e;
}

/* What an answer changes. */

static enum pst_err
follow_token(struct pst_arena *arena, const struct jar_answer *answer,
             enum jar_change *change, struct pst_text *out)
{
    struct pst_text upstream = answer->upstream;
    struct pst_text token = answer->news->token;
    struct pst_text fresh;
    struct pst_buf buf;
    enum pst_err e;

    if (token.len == 0) {
        bool ended = !pst_text_is_absent(token) && upstream.len > 0;

        *change = ended ? JAR_ENDED : JAR_SAME;
        *out = ended ? PST_NO_TEXT : upstream;
        return PST_OK;
    }
    pst_buf_init_arena(&buf, arena, PST_UPSTREAM_MAX);
    pst_json_emit_string(&buf, token);
    e = pst_buf_end(&buf, &fresh);
    if (e)
        return e;
    *change = pst_text_equal(fresh, upstream) ? JAR_SAME : JAR_REPLACED;
    *out = fresh;
    return PST_OK;
}

/* One attribute of a Set-Cookie line (RFC 6265 5.2). */
static void
read_attribute(struct pst_text piece, int64_t now, bool *has_max_age,
               struct entry *line)
{
    size_t equals = pst_text_index(piece, '=');
    struct pst_text name = pst_text_trim(pst_text_first(piece, equals));
    struct pst_text value =
        pst_text_trim(pst_text_from_octet(piece, equals + 1));
    int64_t when;

    if (pst_text_equal_nocase(name, PST_TEXT("HttpOnly")))
        line->http_only = true;
    if (pst_text_equal_nocase(name, PST_TEXT("Max-Age"))) {
        *has_max_age = true; /* it counts, whatever Expires says */
        if (value.len > 0 &&
            (value.ptr[0] == '-' || pst_text_equal(value, PST_TEXT("0"))))
            line->value = PST_NO_TEXT;
    }
    if (pst_text_equal_nocase(name, PST_TEXT("Expires")) && !*has_max_age &&
        pst_date_parse_http(value, &when) == PST_OK && when <= now)
        line->value = PST_NO_TEXT;
}

/*
 * Read a line. An empty value, and the cookie that cookie-session makes of
 * an empty session, {"token":""}, are deletions in another spelling.
 * Returns false for a line that no browser would have kept.
 */
static bool
read_line(struct pst_text text, int64_t now, struct entry *line)
{
    struct pst_text rest = text;
    bool has_max_age = false;
    struct pst_text piece;
    size_t equals;

    if (!pst_text_cut(&rest, ';', &piece))
        return false;
    equals = pst_text_index(piece, '=');
    *line = (struct entry){
        .name = pst_text_trim(pst_text_first(piece, equals)),
        .value = pst_text_trim(pst_text_from_octet(piece, equals + 1))};
    if (equals == piece.len || !pst_text_is_token(line->name) ||
        !pst_text_is_field_value(line->value))
        return false;
    if (line->value.len == 0 ||
        pst_text_equal(line->value, PST_TEXT("eyJ0b2tlbiI6IiJ9")))
        line->value = PST_NO_TEXT;
    while (pst_text_cut(&rest, ';', &piece))
        read_attribute(piece, now, &has_max_age, line);
    return true;
}

/* Put one line into the jar, as a browser would have. */
static enum pst_err
apply(struct jar *jar, const struct entry *line)
{
    struct entry *entry = find(jar, line->name);

    if (!entry) {
        if (pst_text_is_absent(line->value))
            return PST_OK;
        if (jar->count == JAR_COOKIES_MAX)
            return PST_TOO_LARGE;
        entry = &jar->entries[jar->count++];
        *entry = (struct entry){.name = line->name};
    }
    entry->value = line->value;
    entry->http_only |= line->http_only;
    return PST_OK;
}

static enum pst_err
apply_all(struct jar *jar, int64_t now, const struct jar_news *news)
{
    for (size_t i = 0; i < news->cookie_count; i++) {
        struct entry line;
        enum pst_err e;

        if (!read_line(news->cookies[i], now, &line))
            continue;
        e = apply(jar, &line);
        if (e)
            return e;
    }
    return PST_OK;
}

/*
 * What became of one cookie. A signature says nothing that the cookie it
 * signs does not say. A line that deletes need not repeat HttpOnly: what the
 * line said that once set it is what counts.
 */
static enum jar_change
change_of(const struct entry *entry)
{
    bool is_gone = pst_text_is_absent(entry->value);

    if (is_gone == pst_text_is_absent(entry->was) &&
        (is_gone || pst_text_equal(entry->value, entry->was)))
        return JAR_SAME;
    if (!entry->http_only || pst_text_ends(entry->name, PST_TEXT(".sig")))
        return JAR_KEPT;
    return is_gone ? JAR_ENDED : JAR_REPLACED;
}

/* The gravest of them; a session without a cookie could not be read back. */
static enum jar_change
change_of_all(const struct jar *jar)
{
    enum jar_change gravest = JAR_SAME;

    for (size_t i = 0; i < jar->count; i++) {
        enum jar_change this = change_of(&jar->entries[i]);

        if (this > gravest)
            gravest = this;
    }
    return gravest == JAR_KEPT && is_empty(jar) ? JAR_ENDED : gravest;
}

static enum pst_err
follow_cookies(struct pst_arena *arena, const struct jar_answer *answer,
               enum jar_change *change, struct pst_text *out)
{
    struct jar *jar = pst_arena_alloc(arena, sizeof(*jar));
    struct pst_text fresh = answer->upstream;
    const struct pst_json *root = NULL;
    enum jar_change what;
    enum pst_err e = PST_OK;

    if (!jar)
        return PST_NO_MEMORY;
    if (answer->upstream.len > 0)
        e = pst_json_parse(arena, answer->upstream, &root);
    if (!e)
        e = read_jar(root, jar);
    if (!e)
        e = apply_all(jar, answer->now, answer->news);
    if (e)
        return e;
    what = change_of_all(jar);
    if (what == JAR_ENDED)
        fresh = PST_NO_TEXT;
    else if (what != JAR_SAME)
        e = write_jar(arena, jar, &fresh);
    if (e)
        return e;
    *change = what;
    *out = fresh;
    return PST_OK;
}

enum pst_err
jar_follow(struct pst_arena *arena, const struct config *config,
           const struct jar_answer *answer, enum jar_change *change,
           struct pst_text *out)
{
    switch (config->backend.token_place) {
    case PLACE_HEADER:
        return follow_token(arena, answer, change, out);
    case PLACE_COOKIE:
        return follow_cookies(arena, answer, change, out);
    case PLACE_JSON:
        break;
    }
    *change = JAR_SAME;
    *out = answer->upstream;
    return PST_OK;
}

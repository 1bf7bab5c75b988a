/* SPDX-License-Identifier: ISC */
/*
 * jar.c - a token, or a few cookies, as a browser would have kept them.
 */
#include "jar.h"

#include "date.h"
#include "json.h"
#include "limits.h"

struct entry {
    struct pst_text name;
    struct pst_text value; /* absent: deleted */
};

struct jar {
    struct entry entries[JAR_COOKIES_MAX];
    size_t count;
};

/* One Set-Cookie line, as far as it matters here. */
struct line {
    struct entry entry;
    bool http_only;
};

/* What is kept. */

/* Read the object of cookies; anything else is an empty jar. */
static enum pst_err
read_jar(struct pst_arena *arena, struct pst_text upstream, struct jar *jar)
{
    const struct pst_json *root;
    size_t count;
    enum pst_err e;

    jar->count = 0;
    if (upstream.len == 0)
        return PST_OK;
    e = pst_json_parse(arena, upstream, &root);
    if (e)
        return e;
    if (pst_json_kind(root) != PST_JSON_OBJECT)
        return PST_OK;
    count = pst_json_count(root);
    if (count > JAR_COOKIES_MAX)
        return PST_TOO_LARGE;
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = &jar->entries[jar->count++];

        entry->value = pst_json_text(pst_json_member(root, i, &entry->name));
    }
    return PST_OK;
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
        pst_json_emit_string(&buf, jar->entries[i].value);
    }
    pst_buf_add_char(&buf, '}');
    return pst_buf_end(&buf, out);
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
emit_cookies(struct pst_arena *arena, struct pst_text upstream,
             struct pst_text *value)
{
    struct jar *jar = pst_arena_alloc(arena, sizeof(*jar));
    struct pst_buf buf;
    enum pst_err e;

    if (!jar)
        return PST_NO_MEMORY;
    e = read_jar(arena, upstream, jar);
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

enum pst_err
jar_emit(struct pst_arena *arena, struct pst_text upstream,
         struct pst_text *name, struct pst_text *value)
{
    const struct pst_json *root;
    struct pst_buf buf;
    enum pst_err e;

    *name = PST_NO_TEXT;
    *value = PST_NO_TEXT;
    if (upstream.len == 0)
        return PST_OK;
    e = pst_json_parse(arena, upstream, &root);
    if (e)
        return e;
    if (pst_json_kind(root) == PST_JSON_OBJECT) {
        *name = PST_TEXT("Cookie");
        return emit_cookies(arena, upstream, value);
    }
    *name = PST_TEXT("Authorization");
    pst_buf_init_arena(&buf, arena, PST_UPSTREAM_MAX);
    pst_buf_add_string(&buf, "Bearer ");
    pst_buf_add(&buf, pst_json_text(root));
    return pst_buf_end(&buf, value);
}

/* What an answer changes. */

static enum pst_err
follow_token(struct pst_arena *arena, struct pst_text upstream,
             struct pst_text token, enum jar_change *change,
             struct pst_text *out)
{
    struct pst_buf buf;
    enum pst_err e;

    *change = JAR_SAME;
    *out = upstream;
    if (pst_text_is_absent(token))
        return PST_OK;
    if (token.len == 0) {
        *out = PST_NO_TEXT;
        *change = upstream.len > 0 ? JAR_ENDED : JAR_SAME;
        return PST_OK;
    }
    pst_buf_init_arena(&buf, arena, PST_UPSTREAM_MAX);
    pst_json_emit_string(&buf, token);
    e = pst_buf_end(&buf, out);
    if (!e && !pst_text_equal(*out, upstream))
        *change = JAR_REPLACED;
    return e;
}

/* One attribute of a Set-Cookie line (RFC 6265 5.2). */
static void
read_attribute(struct pst_text piece, int64_t now, bool *has_max_age,
               struct line *line)
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
            line->entry.value = PST_NO_TEXT;
    }
    if (pst_text_equal_nocase(name, PST_TEXT("Expires")) && !*has_max_age &&
        pst_date_parse_http(value, &when) == PST_OK && when <= now)
        line->entry.value = PST_NO_TEXT;
}

/*
 * Read a line. An empty value, and the cookie that cookie-session makes of
 * an empty session, {"token":""}, are deletions in another spelling.
 * Returns false for a line that no browser would have kept.
 */
static bool
read_line(struct pst_text text, int64_t now, struct line *line)
{
    struct pst_text rest = text;
    bool has_max_age = false;
    struct pst_text piece;
    size_t equals;

    if (!pst_text_cut(&rest, ';', &piece))
        return false;
    equals = pst_text_index(piece, '=');
    *line = (struct line){
        .entry = {pst_text_trim(pst_text_first(piece, equals)),
                  pst_text_trim(pst_text_from_octet(piece, equals + 1))}};
    if (equals == piece.len || !pst_text_is_token(line->entry.name) ||
        !pst_text_is_field_value(line->entry.value))
        return false;
    if (line->entry.value.len == 0 ||
        pst_text_equal(line->entry.value, PST_TEXT("eyJ0b2tlbiI6IiJ9")))
        line->entry.value = PST_NO_TEXT;
    while (pst_text_cut(&rest, ';', &piece))
        read_attribute(piece, now, &has_max_age, line);
    return true;
}

/* A signature says nothing that the cookie it signs does not say. */
static bool
is_session(const struct line *line)
{
    return line->http_only &&
           !pst_text_ends(line->entry.name, PST_TEXT(".sig"));
}

/* Put one line into the jar, and note in *change the gravest thing so far. */
static enum pst_err
apply(struct jar *jar, const struct line *line, enum jar_change *change)
{
    struct entry *entry = find(jar, line->entry.name);
    bool deleted = pst_text_is_absent(line->entry.value);
    enum jar_change this = JAR_KEPT;

    if (deleted && (!entry || pst_text_is_absent(entry->value)))
        return PST_OK;
    if (!deleted && entry && pst_text_equal(entry->value, line->entry.value))
        return PST_OK;
    if (is_session(line))
        this = deleted ? JAR_ENDED : JAR_REPLACED;
    if (!entry) {
        if (jar->count == JAR_COOKIES_MAX)
            return PST_TOO_LARGE;
        entry = &jar->entries[jar->count++];
        entry->name = line->entry.name;
    }
    entry->value = line->entry.value;
    /* One session's cookie replaced outweighs another one's end. */
    if (*change != JAR_REPLACED && this > JAR_SAME &&
        (this == JAR_REPLACED || this > *change))
        *change = this;
    return PST_OK;
}

static enum pst_err
follow_cookies(struct pst_arena *arena, int64_t now, struct pst_text upstream,
               const struct jar_news *news, enum jar_change *change,
               struct pst_text *out)
{
    struct jar *jar = pst_arena_alloc(arena, sizeof(*jar));
    enum pst_err e;

    *change = JAR_SAME;
    *out = upstream;
    if (!jar)
        return PST_NO_MEMORY;
    e = read_jar(arena, upstream, jar);
    if (e)
        return e;
    for (size_t i = 0; i < news->cookie_count; i++) {
        struct line line;

        if (!read_line(news->cookies[i], now, &line))
            continue;
        e = apply(jar, &line, change);
        if (e)
            return e;
    }
    if (*change == JAR_ENDED)
        *out = PST_NO_TEXT;
    if (*change == JAR_SAME || *change == JAR_ENDED)
        return PST_OK;
    return write_jar(arena, jar, out);
}

enum pst_err
jar_follow(struct pst_arena *arena, const struct config *config, int64_t now,
           struct pst_text upstream, const struct jar_news *news,
           enum jar_change *change, struct pst_text *out)
{
    switch (config->token_place) {
    case PLACE_HEADER:
        return follow_token(arena, upstream, news->token, change, out);
    case PLACE_COOKIE:
        return follow_cookies(arena, now, upstream, news, change, out);
    case PLACE_JSON:
        break;
    }
    *change = JAR_SAME;
    *out = upstream;
    return PST_OK;
}

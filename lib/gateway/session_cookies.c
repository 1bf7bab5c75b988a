/* SPDX-License-Identifier: ISC */
/*
 * session_cookies.c - find our cookies, describe them, clear all their
 * variants.
 */
#include "gateway/session_cookies.h"

#include "base/limits.h"

static struct pst_text
name_of(const struct config *config, enum cookies_kind kind)
{
    const struct pst_text names[] = {
        [COOKIES_USER] = config->cookie.name,
        [COOKIES_GUEST] = config->cookie_guest_name,
        [COOKIES_OLDER] = config->cookie_older_name,
    };

    PST_REQUIRE(kind < COOKIES_KINDS);
    return names[kind];
}

void
cookies_find(const struct config *config, struct pst_text header,
             struct cookies *out)
{
    struct pst_text value;
    struct pst_text name;

    *out = (struct cookies){.count = {0}};
    while (pst_cookie_next(&header, &name, &value)) {
        for (unsigned kind = 0; kind < COOKIES_KINDS; kind++) {
            if (!pst_text_equal(name, name_of(config, kind)))
                continue;
            if (out->count[kind] < COOKIES_MAX)
                out->values[kind][out->count[kind]] = value;
            out->count[kind]++;
        }
    }
}

struct pst_cookie
cookies_describe(const struct config *config, enum cookies_kind kind)
{
    struct pst_cookie cookie = config->cookie;

    cookie.name = name_of(config, kind);
    return cookie;
}

/* A variant that no browser would take was never set: nothing to clear. */
static void
clear_variant(struct reply *rep, struct pst_cookie *cookie)
{
    struct pst_text line;
    struct pst_buf buf;
    const char *why;
    enum pst_err e;

    cookie->value = PST_TEXT("");
    if (pst_cookie_check(cookie, &why) != PST_OK)
        return;
    pst_buf_init_arena(&buf, rep->arena, PST_COOKIE_HEADER_MAX);
    pst_cookie_emit_clear(&buf, cookie);
    e = pst_buf_end(&buf, &line);
    if (!e)
        reply_put_cookie(rep, line);
    else if (!rep->refused)
        rep->refused = e;
}

void
cookies_clear(const struct config *config, struct reply *rep,
              enum cookies_kind kind)
{
    const struct pst_cookie set = cookies_describe(config, kind);
    const struct pst_text domains[] = {set.domain, PST_NO_TEXT};
    const struct pst_text paths[] = {set.path, PST_TEXT("/")};
    const bool partitions[] = {set.partitioned, !set.partitioned};
    size_t domain_count = pst_text_is_absent(set.domain) ? 1 : 2;
    size_t path_count = pst_text_equal(set.path, paths[1]) ? 1 : 2;

    for (size_t p = 0; p < PST_COUNT(partitions); p++) {
        for (size_t d = 0; d < domain_count; d++) {
            for (size_t k = 0; k < path_count; k++) {
                struct pst_cookie cookie = set;

                cookie.partitioned = partitions[p];
                /* The only SameSite that a partitioned one was set with: a
                 * frame on another site would not take another. */
                if (cookie.partitioned)
                    cookie.same_site = PST_SAME_SITE_NONE;
                cookie.domain = domains[d];
                cookie.path = paths[k];
                clear_variant(rep, &cookie);
            }
        }
    }
}

/* SPDX-License-Identifier: ISC */
/*
 * session_cookies.c - find the session cookies of a request, and clear them in
 * all their variants.
 */
#include "gateway/session_cookies.h"

#include "base/limits.h"

static struct pst_str
session_cookie_name(const struct config *config, enum session_cookies_kind kind)
{
    const struct pst_str names[] = {
        [SESSION_COOKIES_USER] = config->cookie.name,
        [SESSION_COOKIES_GUEST] = config->cookie_guest_name,
        [SESSION_COOKIES_OLDER] = config->cookie_legacy_name,
    };

    PST_REQUIRE(kind < SESSION_COOKIES_KINDS);
    return names[kind];
}

void
session_cookies_find(const struct config *config, struct pst_str header,
                     struct session_cookies *out)
{
    struct pst_str value;
    struct pst_str name;

    *out = (struct session_cookies){.count = {0}};
    while (pst_cookie_next(&header, &name, &value)) {
        for (unsigned kind = 0; kind < SESSION_COOKIES_KINDS; kind++) {
            if (!pst_str_equal(name, session_cookie_name(config, kind)))
                continue;
            if (out->count[kind] < SESSION_COOKIES_MAX)
                out->values[kind][out->count[kind]] = value;
            out->count[kind]++;
        }
    }
}

struct pst_cookie
session_cookies_describe(const struct config *config,
                         enum session_cookies_kind kind)
{
    struct pst_cookie cookie = config->cookie;

    cookie.name = session_cookie_name(config, kind);
    return cookie;
}

/* Clear one variant. Browsers ignore some variants; those were never set. */
static void
clear_cookie_variant(struct response *res, struct pst_cookie *cookie)
{
    struct pst_str line;
    struct pst_buf buf;
    const char *reason;
    enum pst_err e;

    cookie->value = PST_STR("");
    if (pst_cookie_check(cookie, &reason) != PST_OK)
        return;
    pst_buf_init_arena(&buf, res->arena, PST_COOKIE_HEADER_MAX);
    pst_cookie_emit_clear(&buf, cookie);
    e = pst_buf_finish(&buf, &line);
    if (!e)
        response_set_cookie(res, line);
    else if (!res->deferred_error)
        res->deferred_error = e;
}

void
session_cookies_clear(const struct config *config, struct response *res,
                      enum session_cookies_kind kind)
{
    const struct pst_cookie set = session_cookies_describe(config, kind);
    const struct pst_str domains[] = {set.domain, PST_STR_NONE};
    const struct pst_str paths[] = {set.path, PST_STR("/")};
    const bool partitions[] = {set.partitioned, !set.partitioned};
    size_t domain_count = pst_str_is_absent(set.domain) ? 1 : 2;
    size_t path_count = pst_str_equal(set.path, paths[1]) ? 1 : 2;

    for (size_t p = 0; p < PST_COUNT(partitions); p++) {
        for (size_t d = 0; d < domain_count; d++) {
            for (size_t k = 0; k < path_count; k++) {
                struct pst_cookie cookie = set;

                cookie.partitioned = partitions[p];
                /* Partitioned cookies are set with SameSite=None only: in a
                 * frame on another site browsers ignore the others. */
                if (cookie.partitioned)
                    cookie.same_site = PST_SAME_SITE_NONE;
                cookie.domain = domains[d];
                cookie.path = paths[k];
                clear_cookie_variant(res, &cookie);
            }
        }
    }
}

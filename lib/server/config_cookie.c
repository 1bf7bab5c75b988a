/* SPDX-License-Identifier: ISC */
/*
 * config_cookie.c - the session's cookie, as its variables make it together.
 */
#include "server/config_cookie.h"

#include "base/limits.h"

/*
 * The prefix a name carries, absent where it has none. Browsers take one in
 * any case for a promise; we compare names byte by byte (R41), so another
 * case would only invite a second cookie that looks like ours.
 */
static enum pst_err
find_prefix(struct pst_text name, struct pst_text *out, struct config_why *why)
{
    struct pst_text prefix = pst_cookie_prefix(name);

    if (!pst_text_starts(name, prefix))
        return config_refuse(why, "must spell its prefix %.*s", (int)prefix.len,
                             prefix.ptr);
    if (prefix.len > 0 && name.len == prefix.len)
        return config_refuse(why, "is a prefix and no name");
    *out = prefix;
    return PST_OK;
}

static enum pst_err
add_prefix(struct pst_arena *arena, struct pst_cookie *cookie,
           struct config_why *why)
{
    bool is_host = pst_text_equal(cookie->path, PST_TEXT("/")) &&
                   pst_text_is_absent(cookie->domain);
    struct pst_text prefix;
    struct pst_text name;
    struct pst_buf buf;
    enum pst_err e;

    e = find_prefix(cookie->name, &prefix, why);
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_COOKIE_MAX);
    if (pst_text_is_absent(prefix) && cookie->secure)
        pst_buf_add_string(&buf, is_host ? "__Host-Http-" : "__Secure-");
    pst_buf_add(&buf, cookie->name);
    e = pst_buf_end(&buf, &name);
    if (e == PST_NO_MEMORY)
        return e;
    /* It is the audience where none is configured, and has its limit. */
    if (e || name.len > PST_AUDIENCE_MAX)
        return config_refuse(why, "is longer than %d octets with its prefix",
                             PST_AUDIENCE_MAX);
    cookie->name = name;
    return PST_OK;
}

/* The contradictions among attributes, each with the variable to change. */
static enum pst_err
check_attributes(const struct pst_cookie *cookie, const char **variable,
                 struct config_why *why)
{
    *variable = "POSTERN_COOKIE_SAMESITE";
    if (cookie->same_site == PST_SAME_SITE_NONE && !cookie->secure)
        return config_refuse(why, "is None, which needs "
                                  "POSTERN_COOKIE_SECURE=on");
    *variable = "POSTERN_COOKIE_PARTITIONED";
    if (cookie->partitioned && !cookie->secure)
        return config_refuse(why, "is on, which needs "
                                  "POSTERN_COOKIE_SECURE=on");
    if (cookie->partitioned && cookie->same_site != PST_SAME_SITE_NONE)
        return config_refuse(why, "is on, which needs "
                                  "POSTERN_COOKIE_SAMESITE=None");
    return PST_OK;
}

enum pst_err
config_cookie_finish(struct pst_arena *arena, struct pst_cookie *cookie,
                     int64_t max_age, const char **variable,
                     struct config_why *why)
{
    struct pst_cookie whole;
    const char *reason = "";
    enum pst_err e;

    cookie->http_only = true;
    e = check_attributes(cookie, variable, why);
    if (e)
        return e;
    *variable = "POSTERN_COOKIE_NAME";
    e = add_prefix(arena, cookie, why);
    if (e)
        return e;
    whole = *cookie;
    whole.value = PST_TEXT("");
    whole.has_max_age = true;
    whole.max_age = max_age;
    if (pst_cookie_check(&whole, &reason) != PST_OK)
        return config_refuse(why, "cannot be written with these attributes: %s",
                             reason);
    return PST_OK;
}

enum pst_err
config_cookie_names(struct pst_arena *arena, struct pst_text name,
                    struct pst_text *guest, struct pst_text *older)
{
    const struct pst_text prefix = PST_TEXT("__Host-Http-");
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, arena, PST_COOKIE_MAX);
    pst_buf_add(&buf, name);
    pst_buf_add_string(&buf, "-guest");
    e = pst_buf_end(&buf, guest);
    *older = PST_NO_TEXT;
    if (e || !pst_text_starts(name, prefix))
        return e;
    pst_buf_init_arena(&buf, arena, PST_COOKIE_MAX);
    pst_buf_add_string(&buf, "__Host-");
    pst_buf_add(&buf, pst_text_from_octet(name, prefix.len));
    return pst_buf_end(&buf, older);
}

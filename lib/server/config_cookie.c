/* SPDX-License-Identifier: ISC */
/*
 * config_cookie.c - check the settings of the session cookie, and derive its
 * name from them.
 */
#include "server/config_cookie.h"

#include "base/limits.h"

/* Check a cookie of which only the attribute in question is set. */
static enum pst_err
check_cookie_writable(const struct pst_cookie *cookie,
                      struct config_error *error)
{
    const char *message = "";

    if (pst_cookie_check(cookie, &message) != PST_OK)
        return config_set_error(error, "cannot be used in a cookie: %s",
                                message);
    return PST_OK;
}

enum pst_err
config_check_cookie_name(struct pst_str value, struct config_error *error)
{
    struct pst_cookie cookie = {
        .name = value, .value = PST_STR(""), .path = PST_STR("/")};

    cookie.secure = true;
    cookie.http_only = true;
    return check_cookie_writable(&cookie, error);
}

enum pst_err
config_check_cookie_domain(struct pst_str value, struct config_error *error)
{
    struct pst_cookie cookie = {
        .name = PST_STR("a"), .value = PST_STR(""), .domain = value};

    return check_cookie_writable(&cookie, error);
}

enum pst_err
config_check_cookie_path(struct pst_str value, struct config_error *error)
{
    struct pst_cookie cookie = {
        .name = PST_STR("a"), .value = PST_STR(""), .path = value};

    return check_cookie_writable(&cookie, error);
}

/*
 * Find the prefix of a name, absent where it has none. Browsers accept a
 * prefix in any case, but we compare names byte by byte: a prefix in another
 * case would make room for a second cookie that looks like ours.
 */
static enum pst_err
find_cookie_prefix(struct pst_str name, struct pst_str *out,
                   struct config_error *error)
{
    struct pst_str prefix = pst_cookie_prefix(name);

    if (!pst_str_starts(name, prefix))
        return config_set_error(error,
                                "has its prefix in the wrong case: write %.*s",
                                (int)prefix.len, prefix.ptr);
    if (prefix.len > 0 && name.len == prefix.len)
        return config_set_error(error, "is only a prefix: add a name to it");
    *out = prefix;
    return PST_OK;
}

static enum pst_err
add_cookie_prefix(struct pst_arena *arena, struct pst_cookie *cookie,
                  struct config_error *error)
{
    bool is_host = pst_str_equal(cookie->path, PST_STR("/")) &&
                   pst_str_is_absent(cookie->domain);
    struct pst_str prefix = PST_STR_NONE;
    struct pst_str name;
    struct pst_buf buf;
    enum pst_err e;

    e = find_cookie_prefix(cookie->name, &prefix, error);
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_COOKIE_MAX);
    if (pst_str_is_absent(prefix) && cookie->secure)
        pst_buf_add_string(&buf, is_host ? "__Host-Http-" : "__Secure-");
    pst_buf_add(&buf, cookie->name);
    e = pst_buf_finish(&buf, &name);
    if (e == PST_NO_MEMORY)
        return e;
    /* It is the default of the audience, and so has its limit. */
    if (e || name.len > PST_AUDIENCE_MAX)
        return config_set_error(
            error, "is longer than %d bytes with its prefix", PST_AUDIENCE_MAX);
    cookie->name = name;
    return PST_OK;
}

/* Find settings that contradict each other, and the variable to change. */
static enum pst_err
check_cookie_attributes(const struct pst_cookie *cookie, const char **variable,
                        struct config_error *error)
{
    *variable = "POSTERN_COOKIE_SAMESITE";
    if (cookie->same_site == PST_SAME_SITE_NONE && !cookie->secure)
        return config_set_error(error, "is None, which needs "
                                       "POSTERN_COOKIE_SECURE=on");
    *variable = "POSTERN_COOKIE_PARTITIONED";
    if (cookie->partitioned && !cookie->secure)
        return config_set_error(error, "is on, which needs "
                                       "POSTERN_COOKIE_SECURE=on");
    if (cookie->partitioned && cookie->same_site != PST_SAME_SITE_NONE)
        return config_set_error(error, "is on, which needs "
                                       "POSTERN_COOKIE_SAMESITE=None");
    return PST_OK;
}

enum pst_err
config_cookie_prepare(struct pst_arena *arena, struct pst_cookie *cookie,
                      int64_t max_age, const char **variable,
                      struct config_error *error)
{
    struct pst_cookie sample;
    const char *message = "";
    enum pst_err e;

    cookie->http_only = true;
    e = check_cookie_attributes(cookie, variable, error);
    if (e)
        return e;
    *variable = "POSTERN_COOKIE_NAME";
    e = add_cookie_prefix(arena, cookie, error);
    if (e)
        return e;
    sample = *cookie;
    sample.value = PST_STR("");
    sample.has_max_age = true;
    sample.max_age = max_age;
    if (pst_cookie_check(&sample, &message) != PST_OK)
        return config_set_error(
            error, "cannot be used with the other cookie settings: %s",
            message);
    return PST_OK;
}

enum pst_err
config_cookie_derive_names(struct pst_arena *arena, struct pst_str name,
                           struct pst_str *guest, struct pst_str *legacy)
{
    const struct pst_str prefix = PST_STR("__Host-Http-");
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, arena, PST_COOKIE_MAX);
    pst_buf_add(&buf, name);
    pst_buf_add_string(&buf, "-guest");
    e = pst_buf_finish(&buf, guest);
    *legacy = PST_STR_NONE;
    if (e || !pst_str_starts(name, prefix))
        return e;
    pst_buf_init_arena(&buf, arena, PST_COOKIE_MAX);
    pst_buf_add_string(&buf, "__Host-");
    pst_buf_add(&buf, pst_str_skip(name, prefix.len));
    return pst_buf_finish(&buf, legacy);
}

/* SPDX-License-Identifier: ISC */
/*
 * postern_settings.c - the public library's settings: check and complete struct
 * pst_settings, by the rules of the programs' variables.
 */
#include "library/postern_settings.h"

#include <time.h>

#include "base/buffer.h"
#include "base/limits.h"

/* Bytes that are copied of a string: one more than any may have. */
#define SETTING_MAX (PST_COOKIE_ATTRIBUTE_MAX + 1)

/* Seconds. */
#define IDLE_DEFAULT 1800
#define LIFETIME_DEFAULT 43200
#define REMEMBER_DEFAULT 2592000
#define GUEST_DEFAULT 2592000

#define FLAGS_KNOWN                                                        \
    (PST_SETTING_INSECURE | PST_SETTING_PARTITIONED | PST_SETTING_SIGNED | \
     PST_SETTING_GUESTS)

/* The last time, unix seconds, for which there is a daily key
 * (crypto/keyring.h). */
#define NOW_MAX (INT64_C(9999999) * 86400)

static enum pst_err
settings_refuse(const char **reason, const char *sentence)
{
    *reason = sentence;
    return PST_BAD_CONFIG;
}

/* Does text contain a control character other than those allowed? */
static bool
settings_has_control_character(struct pst_str text, struct pst_str allowed)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if ((c < ' ' || c == 0x7F) &&
            pst_str_index(allowed, text.ptr[i]) == allowed.len)
            return true;
    }
    return false;
}

/* Copy a setting, or its default if it is NULL or empty. A setting that is too
 * long is cut after SETTING_MAX bytes, which still shows that it is too long.
 */
static enum pst_err
settings_copy(struct pst_arena *arena, const char *given, const char *fallback,
              struct pst_str *out)
{
    struct pst_str text = pst_str_first(pst_str_from(given), SETTING_MAX);

    if (text.len == 0)
        text = pst_str_from(fallback);
    return pst_arena_copy(arena, text, out);
}

static enum pst_err
settings_same_site(const char *given, enum pst_same_site *out,
                   const char **reason)
{
    static const struct {
        struct pst_str word;
        enum pst_same_site value;
    } words[] = {
        {{"Lax", 3}, PST_SAME_SITE_LAX},
        {{"Strict", 6}, PST_SAME_SITE_STRICT},
        {{"None", 4}, PST_SAME_SITE_NONE},
    };
    struct pst_str text = pst_str_from(given);

    *out = PST_SAME_SITE_LAX;
    if (text.len == 0)
        return PST_OK;
    for (size_t i = 0; i < PST_COUNT(words); i++) {
        if (pst_str_equal(text, words[i].word)) {
            *out = words[i].value;
            return PST_OK;
        }
    }
    return settings_refuse(reason, "same_site must be Lax, Strict or None");
}

/* Give the name the prefix that the attributes allow. A name that has a prefix
 * keeps it; only the spelling of RFC 6265bis is accepted. */
static enum pst_err
settings_cookie_name(struct pst_arena *arena, struct pst_cookie *cookie,
                     const char **reason)
{
    struct pst_str prefix = pst_cookie_prefix(cookie->name);
    bool is_host = pst_str_equal(cookie->path, PST_STR("/")) &&
                   pst_str_is_absent(cookie->domain);
    struct pst_buf buf;
    enum pst_err e;

    if (!pst_str_starts(cookie->name, prefix))
        return settings_refuse(reason, "cookie_name must spell its prefix "
                                       "exactly: __Host-, __Secure-, "
                                       "__Host-Http- or __Http-");
    if (prefix.len > 0 && cookie->name.len == prefix.len)
        return settings_refuse(reason,
                               "cookie_name needs a name after its prefix");
    pst_buf_init_arena(&buf, arena, PST_AUDIENCE_MAX);
    if (pst_str_is_absent(prefix) && cookie->secure)
        pst_buf_add_string(&buf, is_host ? "__Host-Http-" : "__Secure-");
    pst_buf_add(&buf, cookie->name);
    e = pst_buf_finish(&buf, &cookie->name);
    if (e == PST_TOO_LARGE)
        return settings_refuse(reason, "cookie_name is longer than 255 bytes "
                                       "with its prefix");
    return e;
}

static enum pst_err
settings_check_cookie(const struct pst_cookie *cookie, const char **reason)
{
    struct pst_cookie whole = *cookie;

    if (cookie->partitioned && cookie->same_site != PST_SAME_SITE_NONE)
        return settings_refuse(reason,
                               "PST_SETTING_PARTITIONED needs same_site "
                               "None");
    whole.value = PST_STR("");
    return pst_cookie_check(&whole, reason);
}

/* Set the other names: of a guest's cookie, and of the user's cookie before the
 * prefix __Host-Http- was used. */
static enum pst_err
settings_other_names(struct pst_sessions *sessions)
{
    const struct pst_str prefix = PST_STR("__Host-Http-");
    struct pst_str name = sessions->cookie.name;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, sessions->arena, PST_COOKIE_MAX);
    pst_buf_add(&buf, name);
    pst_buf_add_string(&buf, "-guest");
    e = pst_buf_finish(&buf, &sessions->guest_name);
    if (e || !pst_str_starts(name, prefix))
        return e;
    pst_buf_init_arena(&buf, sessions->arena, PST_COOKIE_MAX);
    pst_buf_add_string(&buf, "__Host-");
    pst_buf_add(&buf, pst_str_skip(name, prefix.len));
    return pst_buf_finish(&buf, &sessions->older_name);
}

static enum pst_err
settings_cookie(struct pst_sessions *sessions,
                const struct pst_settings *settings, const char **reason)
{
    struct pst_arena *arena = sessions->arena;
    struct pst_cookie *cookie = &sessions->cookie;
    enum pst_err e;

    cookie->http_only = true;
    cookie->secure = !(settings->flags & PST_SETTING_INSECURE);
    cookie->partitioned = settings->flags & PST_SETTING_PARTITIONED;
    e = settings_same_site(settings->same_site, &cookie->same_site, reason);
    if (!e)
        e = settings_copy(arena, settings->cookie_path, "/", &cookie->path);
    if (!e)
        e = settings_copy(arena, settings->cookie_domain, NULL,
                          &cookie->domain);
    if (!e)
        e = settings_copy(arena, settings->cookie_name, "session",
                          &cookie->name);
    if (!e)
        e = settings_cookie_name(arena, cookie, reason);
    if (!e)
        e = settings_check_cookie(cookie, reason);
    return e ? e : settings_other_names(sessions);
}

/* Read one timeout, in seconds; 0 is the default. */
static bool
settings_timeout(int64_t given, int64_t fallback, int64_t *out)
{
    *out = given == 0 ? fallback : given;
    return *out >= 1 && *out <= PST_LIFETIME_MAX;
}

static enum pst_err
settings_clocks(struct pst_session_timeouts *clocks,
                const struct pst_settings *settings, const char **reason)
{
    if (!settings_timeout(settings->idle, IDLE_DEFAULT, &clocks->idle) ||
        !settings_timeout(settings->lifetime, LIFETIME_DEFAULT,
                          &clocks->lifetime) ||
        !settings_timeout(settings->remember, REMEMBER_DEFAULT,
                          &clocks->remember) ||
        !settings_timeout(settings->guest, GUEST_DEFAULT, &clocks->guest))
        return settings_refuse(reason, "idle, lifetime, remember and guest "
                                       "must be between 1 second and 400 "
                                       "days");
    if (clocks->idle > clocks->lifetime)
        return settings_refuse(reason, "idle must not be longer than lifetime");
    return PST_OK;
}

static enum pst_err
settings_keys(struct pst_sessions *sessions,
              const struct pst_settings *settings, const char **reason)
{
    struct pst_str name = sessions->cookie.name;
    struct pst_str secrets = pst_str_from(settings->secrets);
    struct pst_str audience = pst_str_from(settings->audience);

    if (settings_has_control_character(secrets, PST_STR(PST_SECRET_SEPARATORS)))
        return settings_refuse(reason, "secrets contains a control "
                                       "character");
    if (settings_has_control_character(audience, PST_STR("")))
        return settings_refuse(reason, "audience contains a control "
                                       "character");
    /* Without the prefix, so that a change of the prefix keeps all sessions. */
    if (audience.len == 0)
        audience = pst_str_skip(name, pst_cookie_prefix(name).len);
    return pst_keyring_new(&sessions->ring, secrets, audience, reason);
}

enum pst_err
settings_apply(struct pst_sessions *sessions,
               const struct pst_settings *settings, const char **reason)
{
    enum pst_err e;

    if ((settings->flags & ~FLAGS_KNOWN) || settings->reserved != 0)
        return settings_refuse(reason, "flags or reserved contains a bit "
                                       "that this version does not know");
    sessions->format = settings->flags & PST_SETTING_SIGNED ? PST_TOKEN_SIGNED
                                                            : PST_TOKEN_SEALED;
    sessions->allows_guests = settings->flags & PST_SETTING_GUESTS;
    sessions->clock = settings->clock;
    sessions->clock_context = settings->clock_context;
    e = settings_clocks(&sessions->clocks, settings, reason);
    if (!e)
        e = settings_cookie(sessions, settings, reason);
    return e ? e : settings_keys(sessions, settings, reason);
}

void
settings_fini(struct pst_sessions *sessions)
{
    pst_keyring_free(&sessions->ring);
    pst_arena_free(&sessions->arena);
}

enum pst_err
settings_now(const struct pst_sessions *sessions, int64_t *now)
{
    int64_t seconds = sessions->clock ? sessions->clock(sessions->clock_context)
                                      : (int64_t)time(NULL);

    if (seconds < 0 || seconds > NOW_MAX)
        return PST_INTERNAL;
    *now = seconds;
    return PST_OK;
}

/* SPDX-License-Identifier: ISC */
/*
 * store_url.c - parse and print the URL of a store (POSTERN_STORE).
 */
#include "server/store_url.h"

#include <string.h>
#include <sys/stat.h>

#include "codec/percent.h"
#include "crypto/crypto.h"
#include "server/config_values.h"

/* What this build accepts. */
#if POSTERN_WITH_LMDB
#define LMDB_FORMS "lmdb:/folder, "
#else
#define LMDB_FORMS ""
#endif
#if POSTERN_WITH_REDIS
#define REDIS_FORMS "redis://host, redis+sentinel://host/master, unix:/socket, "
#else
#define REDIS_FORMS ""
#endif

#define SENTINEL_SCHEME "redis+sentinel://"

/* Decode percent signs. Writes a NUL at the end, too; size counts it. */
static enum pst_err
decode_url_part(struct pst_str text, char *out, size_t size,
                struct config_error *error)
{
    struct pst_str whole;
    struct pst_buf buf;

    pst_buf_init(&buf, out, size - 1);
    pst_percent_decode(&buf, text, false);
    if (pst_buf_finish(&buf, &whole) != PST_OK)
        return config_set_error(error, "has a part of more than %zu bytes",
                                size - 1);
    if (pst_str_index(whole, '\0') != whole.len)
        return config_set_error(error,
                                "has a NUL byte (%%00) in one of its parts");
    out[whole.len] = '\0';
    return PST_OK;
}

/* Split at the first c. Returns the text before it, and sets after to the text
 * behind it: absent if there is no c. */
static struct pst_str
split_at_char(struct pst_str text, char c, struct pst_str *after)
{
    size_t at = pst_str_index(text, c);

    *after = at == text.len ? PST_STR_NONE : pst_str_skip(text, at + 1);
    return pst_str_first(text, at);
}

/* Split user:password@host. At the last @: a password may contain one. */
static struct pst_str
split_user_info(struct pst_str authority, struct pst_str *user)
{
    size_t at = pst_str_last_index(authority, '@');

    *user = PST_STR_NONE;
    if (at == authority.len)
        return authority;
    *user = pst_str_first(authority, at);
    return pst_str_skip(authority, at + 1);
}

static enum pst_err
parse_redis_database(struct pst_str text, struct store_url *url,
                     struct config_error *error)
{
    if (pst_str_parse_number(text, &url->db) != PST_OK ||
        url->db > STORE_REDIS_DB_MAX)
        return config_set_error(
            error, "has a database that is not a number from 0 to %d",
            STORE_REDIS_DB_MAX);
    return PST_OK;
}

static enum pst_err
parse_map_size(struct pst_str text, struct store_url *url,
               struct config_error *error)
{
    enum pst_err e = config_parse_size(text, &url->map_size, error);

    if (e)
        return config_set_error(
            error, "has a size that cannot be read: write it like 256M");
    if (url->map_size < STORE_MAP_MIN || url->map_size > STORE_MAP_MAX)
        return config_set_error(error,
                                "has a size that is not between 1M and 1024G");
    return PST_OK;
}

static enum pst_err
parse_store_option(struct pst_str name, struct pst_str value,
                   struct store_url *url, struct config_error *error)
{
    bool is_redis = url->kind == STORE_REDIS;

    if (!is_redis && pst_str_equal(name, PST_STR("size")))
        return parse_map_size(value, url, error);
    if (is_redis && pst_str_equal(name, PST_STR("db")))
        return parse_redis_database(value, url, error);
    if (is_redis && pst_str_equal(name, PST_STR("user")))
        return decode_url_part(value, url->user, sizeof(url->user), error);
    if (is_redis && pst_str_equal(name, PST_STR("password")))
        return decode_url_part(value, url->password, sizeof(url->password),
                               error);
    return config_set_error(error,
                            is_redis ? "has an option other than db, user and "
                                       "password"
                                     : "has an option other than size");
}

/* Parse /path or ///path, with or without ?name=value&name=value. */
static enum pst_err
parse_store_path(struct pst_str rest, size_t path_max, struct store_url *url,
                 struct config_error *error)
{
    struct pst_str options;
    struct pst_str option;
    enum pst_err e;

    if (pst_str_starts(rest, PST_STR("///")))
        rest = pst_str_skip(rest, 2);
    rest = split_at_char(rest, '?', &options);
    e = decode_url_part(rest, url->path, path_max + 1, error);
    if (e)
        return e;
    if (url->path[0] != '/' || url->path[1] == '/')
        return config_set_error(
            error, "needs an absolute path, which begins with one /");
    while (!pst_str_is_absent(options) &&
           pst_str_split(&options, '&', &option)) {
        struct pst_str value;
        struct pst_str name = split_at_char(option, '=', &value);

        e = parse_store_option(name, value, url, error);
        if (e)
            return e;
    }
    return PST_OK;
}

static enum pst_err
parse_redis_user(struct pst_str text, struct store_url *url,
                 struct config_error *error)
{
    struct pst_str password;
    enum pst_err e;

    if (pst_str_is_absent(text))
        return PST_OK;
    text = split_at_char(text, ':', &password);
    e = decode_url_part(text, url->user, sizeof(url->user), error);
    if (e)
        return e;
    return decode_url_part(password, url->password, sizeof(url->password),
                           error);
}

/* Parse host, host:port, [IPv6] or [IPv6]:port. */
static enum pst_err
parse_redis_address(struct pst_str text, int64_t default_port,
                    struct store_address *address, struct config_error *error)
{
    struct pst_str port;
    struct pst_str host;
    int64_t number = default_port;
    struct pst_buf buf;

    if (text.len > 0 && text.ptr[0] == '[') {
        host = split_at_char(pst_str_skip(text, 1), ']', &port);
        if (port.len > 0 && port.ptr[0] != ':')
            return config_set_error(error, "may have only :port after ]");
        if (pst_str_is_absent(port))
            return config_set_error(error, "has a [ without ]");
        port = port.len == 0 ? PST_STR_NONE : pst_str_skip(port, 1);
    } else {
        host = split_at_char(text, ':', &port);
    }
    if (!pst_str_is_absent(port) && pst_str_parse_port(port, &number) != PST_OK)
        return config_set_error(
            error, "has a port that is not a number from 1 to 65535");
    if (host.len == 0)
        return config_set_error(error, "has no host where one must be: write "
                                       "redis://host, or "
                                       "redis+sentinel://host,host/master");
    pst_buf_init(&buf, address->port, sizeof(address->port) - 1);
    pst_buf_add_number(&buf, number);
    address->port[buf.len] = '\0';
    return decode_url_part(host, address->host, sizeof(address->host), error);
}

static enum pst_err
parse_redis_url(struct pst_str rest, struct store_url *url,
                struct config_error *error)
{
    struct pst_str authority;
    struct pst_str user;
    struct pst_str db;
    enum pst_err e;

    authority = split_user_info(split_at_char(rest, '/', &db), &user);
    e = parse_redis_user(user, url, error);
    if (e)
        return e;
    if (pst_str_index(authority, ',') != authority.len)
        return config_set_error(error, "may have one host only");
    e = parse_redis_address(authority, STORE_REDIS_PORT, &url->server, error);
    if (e)
        return e;
    return db.len == 0 ? PST_OK : parse_redis_database(db, url, error);
}

/* Parse a list of addresses, and behind it the master and the database. */
static enum pst_err
parse_sentinel_url(struct pst_str rest, struct store_url *url,
                   struct config_error *error)
{
    struct pst_str path;
    struct pst_str user;
    struct pst_str list =
        split_user_info(split_at_char(rest, '/', &path), &user);
    struct pst_str address;
    struct pst_str db;
    enum pst_err e = parse_redis_user(user, url, error);

    while (!e && pst_str_split(&list, ',', &address)) {
        if (url->sentinel_count == STORE_SENTINELS_MAX)
            return config_set_error(error, "has more than %d sentinels",
                                    STORE_SENTINELS_MAX);
        e = parse_redis_address(address, STORE_SENTINEL_PORT,
                                &url->sentinels[url->sentinel_count++], error);
    }
    if (e)
        return e;
    path = split_at_char(path, '/', &db);
    e = decode_url_part(path, url->master, sizeof(url->master), error);
    if (e)
        return e;
    if (url->master[0] == '\0')
        return config_set_error(
            error, "needs the name of the master behind the sentinels: "
                   "redis+sentinel://a,b/mymaster");
    return db.len == 0 ? PST_OK : parse_redis_database(db, url, error);
}

static bool
is_redis_url(struct pst_str value)
{
    return pst_str_starts(value, PST_STR("unix:")) ||
           pst_str_starts(value, PST_STR("redis://")) ||
           pst_str_starts(value, PST_STR(SENTINEL_SCHEME)) ||
           pst_str_starts(value, PST_STR("rediss://"));
}

static enum pst_err
parse_any_redis_url(struct pst_str value, struct store_url *url,
                    struct config_error *error)
{
    if (pst_str_starts(value, PST_STR("unix:")))
        return parse_store_path(pst_str_skip(value, 5), STORE_SOCKET_PATH_MAX,
                                url, error);
    if (pst_str_starts(value, PST_STR("redis://")))
        return parse_redis_url(pst_str_skip(value, 8), url, error);
    if (pst_str_starts(value, PST_STR(SENTINEL_SCHEME)))
        return parse_sentinel_url(pst_str_skip(value, strlen(SENTINEL_SCHEME)),
                                  url, error);
    return config_set_error(error,
                            "asks for TLS (rediss:), which this build does not "
                            "support: use redis:// through a tunnel, or unix:");
}

static enum pst_err
parse_store_url(struct pst_str value, struct store_url *url,
                struct config_error *error)
{
    if (pst_str_equal(value, PST_STR("none")))
        return PST_OK;
    if (pst_str_starts(value, PST_STR("lmdb:"))) {
        if (!POSTERN_WITH_LMDB)
            return config_set_error(error,
                                    "needs LMDB, which this build does not "
                                    "have: use " REDIS_FORMS
                                    "or none, or configure --with-lmdb");
        url->kind = STORE_LMDB;
        url->map_size = STORE_MAP_DEFAULT;
        return parse_store_path(pst_str_skip(value, 5), STORE_URL_PART_MAX, url,
                                error);
    }
    if (is_redis_url(value)) {
        if (!POSTERN_WITH_REDIS)
            return config_set_error(error,
                                    "needs Redis, which this build does not "
                                    "have: use " LMDB_FORMS
                                    "or none, or configure --with-redis");
        url->kind = STORE_REDIS;
        return parse_any_redis_url(value, url, error);
    }
    return config_set_error(error,
                            "must be one of " LMDB_FORMS REDIS_FORMS "or none");
}

enum pst_err
store_url_parse(struct pst_str value, struct store_url *out,
                struct config_error *error)
{
    struct store_url url;
    enum pst_err e;

    memset(&url, 0, sizeof(url));
    e = parse_store_url(value, &url, error);
    if (!e && url.user[0] != '\0' && url.password[0] == '\0')
        e = config_set_error(error, "has a user without a password");
    if (!e)
        *out = url;
    pst_crypto_wipe(&url, sizeof(url)); /* it may hold the password */
    return e;
}

static void
emit_address(struct pst_buf *buf, const struct store_address *address)
{
    bool is_ipv6 = strchr(address->host, ':') != NULL;

    pst_buf_add_string(buf, is_ipv6 ? "[" : "");
    pst_buf_add_string(buf, address->host);
    pst_buf_add_string(buf, is_ipv6 ? "]:" : ":");
    pst_buf_add_string(buf, address->port);
}

static void
emit_redis_url(struct pst_buf *buf, const struct store_url *url)
{
    pst_buf_add_string(buf,
                       url->sentinel_count > 0 ? SENTINEL_SCHEME : "redis://");
    pst_buf_add_string(buf, url->user);
    if (url->password[0] != '\0')
        pst_buf_add_string(buf, ":***@");
    for (size_t i = 0; i < url->sentinel_count; i++) {
        pst_buf_add_string(buf, i > 0 ? "," : "");
        emit_address(buf, &url->sentinels[i]);
    }
    if (url->sentinel_count > 0) {
        pst_buf_add_char(buf, '/');
        pst_buf_add_string(buf, url->master);
    } else {
        emit_address(buf, &url->server);
    }
    pst_buf_add_char(buf, '/');
    pst_buf_add_number(buf, url->db);
}

void
store_url_emit(struct pst_buf *buf, const struct store_url *url)
{
    switch (url->kind) {
    case STORE_LMDB:
        pst_buf_add_string(buf, "lmdb:");
        pst_buf_add_string(buf, url->path);
        pst_buf_add_string(buf, "?size=");
        config_emit_size(buf, url->map_size);
        break;
    case STORE_REDIS:
        if (url->path[0] == '\0') {
            emit_redis_url(buf, url);
            break;
        }
        pst_buf_add_string(buf, "unix:");
        pst_buf_add_string(buf, url->path);
        pst_buf_add_string(buf, "?db=");
        pst_buf_add_number(buf, url->db);
        break;
    case STORE_NONE:
    default:
        pst_buf_add_string(buf, "none");
        break;
    }
}

bool
store_folder_is_shared(mode_t mode)
{
    return (mode & (S_ISGID | S_IWGRP | S_IRWXO)) == (S_ISGID | S_IWGRP);
}

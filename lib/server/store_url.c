/* SPDX-License-Identifier: ISC */
/*
 * store_url.c - where the store is, as POSTERN_STORE spells it.
 */
#include "server/store_url.h"

#include <string.h>

#include "codec/percent.h"
#include "crypto/crypto.h"

/* Decode into a NUL-terminated word of size bytes, the NUL included. */
static enum pst_err
decode(struct pst_text text, char *word, size_t size, struct config_why *why)
{
    struct pst_text whole;
    struct pst_buf buf;

    pst_buf_init(&buf, word, size - 1);
    pst_percent_decode(&buf, text, false);
    if (pst_buf_end(&buf, &whole) != PST_OK)
        return config_refuse(why, "has a part of more than %zu octets",
                             size - 1);
    if (pst_text_index(whole, '\0') != whole.len)
        return config_refuse(why, "has a NUL in one of its parts");
    word[whole.len] = '\0';
    return PST_OK;
}

/* What stands before c, and what stands after it: absent without a c. */
static struct pst_text
split(struct pst_text text, char c, struct pst_text *after)
{
    size_t at = pst_text_index(text, c);

    *after = at == text.len ? PST_NO_TEXT : pst_text_from_octet(text, at + 1);
    return pst_text_first(text, at);
}

/* The part behind the last @, which a password may hold as well. */
static struct pst_text
split_user(struct pst_text authority, struct pst_text *user)
{
    size_t at = pst_text_last_index(authority, '@');

    *user = PST_NO_TEXT;
    if (at == authority.len)
        return authority;
    *user = pst_text_first(authority, at);
    return pst_text_from_octet(authority, at + 1);
}

static enum pst_err
parse_db(struct pst_text text, struct store_url *url, struct config_why *why)
{
    if (pst_text_number(text, &url->db) != PST_OK ||
        url->db > STORE_REDIS_DB_MAX)
        return config_refuse(why, "names no database from 0 to %d",
                             STORE_REDIS_DB_MAX);
    return PST_OK;
}

static enum pst_err
parse_size(struct pst_text text, struct store_url *url, struct config_why *why)
{
    enum pst_err e = config_parse_size(text, &url->map_size, why);

    if (e)
        return config_refuse(why, "has a size that is none, such as 256M");
    if (url->map_size < STORE_MAP_MIN || url->map_size > STORE_MAP_MAX)
        return config_refuse(why, "has a size outside 1M to 1024G");
    return PST_OK;
}

static enum pst_err
parse_option(struct pst_text name, struct pst_text value, struct store_url *url,
             struct config_why *why)
{
    bool redis = url->kind == STORE_REDIS;

    if (!redis && pst_text_equal(name, PST_TEXT("size")))
        return parse_size(value, url, why);
    if (redis && pst_text_equal(name, PST_TEXT("db")))
        return parse_db(value, url, why);
    if (redis && pst_text_equal(name, PST_TEXT("user")))
        return decode(value, url->user, sizeof(url->user), why);
    if (redis && pst_text_equal(name, PST_TEXT("password")))
        return decode(value, url->password, sizeof(url->password), why);
    return config_refuse(why, redis ? "knows no option but db, user and "
                                      "password"
                                    : "knows no option but size");
}

/* A path, after it perhaps ?name=value&name=value. */
static enum pst_err
parse_local(struct pst_text rest, size_t path_max, struct store_url *url,
            struct config_why *why)
{
    struct pst_text options;
    struct pst_text option;
    enum pst_err e;

    if (pst_text_starts(rest, PST_TEXT("///")))
        rest = pst_text_from_octet(rest, 2);
    rest = split(rest, '?', &options);
    e = decode(rest, url->path, path_max + 1, why);
    if (e)
        return e;
    if (url->path[0] != '/' || url->path[1] == '/')
        return config_refuse(why, "needs a path that begins with one /");
    while (!pst_text_is_absent(options) &&
           pst_text_cut(&options, '&', &option)) {
        struct pst_text value;
        struct pst_text name = split(option, '=', &value);

        e = parse_option(name, value, url, why);
        if (e)
            return e;
    }
    return PST_OK;
}

static enum pst_err
parse_user(struct pst_text text, struct store_url *url, struct config_why *why)
{
    struct pst_text password;
    enum pst_err e;

    if (pst_text_is_absent(text))
        return PST_OK;
    text = split(text, ':', &password);
    e = decode(text, url->user, sizeof(url->user), why);
    if (e)
        return e;
    return decode(password, url->password, sizeof(url->password), why);
}

/* host, host:port, [v6], [v6]:port. */
static enum pst_err
parse_host(struct pst_text text, struct store_url *url, struct config_why *why)
{
    struct pst_text port;
    struct pst_text host;
    int64_t number = STORE_REDIS_PORT;
    struct pst_buf buf;

    if (text.len > 0 && text.ptr[0] == '[') {
        host = split(pst_text_from_octet(text, 1), ']', &port);
        if (port.len > 0 && port.ptr[0] != ':')
            return config_refuse(why, "has something odd after ]");
        if (pst_text_is_absent(port))
            return config_refuse(why, "has no ] after its [");
        port = port.len == 0 ? PST_NO_TEXT : pst_text_from_octet(port, 1);
    } else {
        host = split(text, ':', &port);
    }
    if (!pst_text_is_absent(port) && pst_text_port(port, &number) != PST_OK)
        return config_refuse(why, "names no port from 1 to 65535");
    if (host.len == 0)
        return config_refuse(why, "names no host");
    pst_buf_init(&buf, url->port, sizeof(url->port) - 1);
    pst_buf_add_number(&buf, number);
    url->port[buf.len] = '\0';
    return decode(host, url->host, sizeof(url->host), why);
}

static enum pst_err
parse_redis(struct pst_text rest, struct store_url *url, struct config_why *why)
{
    struct pst_text authority;
    struct pst_text user;
    struct pst_text db;
    enum pst_err e;

    authority = split_user(split(rest, '/', &db), &user);
    e = parse_user(user, url, why);
    if (e)
        return e;
    e = parse_host(authority, url, why);
    if (e)
        return e;
    return db.len == 0 ? PST_OK : parse_db(db, url, why);
}

static enum pst_err
parse(struct pst_text value, struct store_url *url, struct config_why *why)
{
    if (pst_text_equal(value, PST_TEXT("none")))
        return PST_OK;
    if (pst_text_starts(value, PST_TEXT("lmdb:"))) {
        url->kind = STORE_LMDB;
        url->map_size = STORE_MAP_DEFAULT;
        return parse_local(pst_text_from_octet(value, 5), STORE_WORD_MAX, url,
                           why);
    }
    url->kind = STORE_REDIS;
    if (pst_text_starts(value, PST_TEXT("unix:")))
        return parse_local(pst_text_from_octet(value, 5), STORE_SOCKET_MAX, url,
                           why);
    if (pst_text_starts(value, PST_TEXT("redis://")))
        return parse_redis(pst_text_from_octet(value, 8), url, why);
    if (pst_text_starts(value, PST_TEXT("rediss://")))
        return config_refuse(why, "asks for TLS, which this build cannot do: "
                                  "its hiredis is older than 1.0; use redis:// "
                                  "through a tunnel, or unix:");
    return config_refuse(why, "is none of lmdb:/folder, redis://host, "
                              "unix:/socket and none");
}

enum pst_err
store_url_parse(struct pst_text value, struct store_url *out,
                struct config_why *why)
{
    struct store_url url;
    enum pst_err e;

    memset(&url, 0, sizeof(url));
    e = parse(value, &url, why);
    if (!e && url.user[0] != '\0' && url.password[0] == '\0')
        e = config_refuse(why, "names a user without a password");
    if (!e)
        *out = url;
    pst_crypt_wipe(&url, sizeof(url)); /* it may hold the password */
    return e;
}

static void
emit_redis(struct pst_buf *buf, const struct store_url *url)
{
    bool is_v6 = strchr(url->host, ':') != NULL;

    pst_buf_add_string(buf, "redis://");
    pst_buf_add_string(buf, url->user);
    if (url->password[0] != '\0')
        pst_buf_add_string(buf, ":***@");
    pst_buf_add_string(buf, is_v6 ? "[" : "");
    pst_buf_add_string(buf, url->host);
    pst_buf_add_string(buf, is_v6 ? "]:" : ":");
    pst_buf_add_string(buf, url->port);
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
        if (url->host[0] != '\0') {
            emit_redis(buf, url);
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

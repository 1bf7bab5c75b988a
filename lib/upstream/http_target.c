/* SPDX-License-Identifier: ISC */
/*
 * http_target.c - check the options of an HTTP client (URL, CA file, timeouts),
 * and keep a copy of them.
 */
#include "upstream/http_target.h"

#include <string.h>

#include "base/limits.h"

#define SECOND INT64_C(1000)      /* milliseconds */
#define TIMEOUT_MAX (86400 * 365) /* seconds */

static bool
is_valid_timeout(int64_t seconds)
{
    return seconds > 0 && seconds <= TIMEOUT_MAX;
}

static bool
are_options_valid(const struct http_client_options *options)
{
    struct pst_str url = options->url;

    return (pst_str_starts_nocase(url, PST_STR("http://")) ||
            pst_str_starts_nocase(url, PST_STR("https://"))) &&
           url.len <= PST_URL_MAX && pst_str_is_field_value(url) &&
           pst_str_index(url, '#') == url.len &&
           is_valid_timeout(options->connect_timeout) &&
           is_valid_timeout(options->first_byte_timeout) &&
           is_valid_timeout(options->between_bytes_timeout);
}

enum pst_err
http_target_init(struct http_target *target,
                 const struct http_client_options *options)
{
    *target = (struct http_target){.url = NULL};
    if (!are_options_valid(options))
        return PST_BAD_CONFIG;
    target->connect_timeout = options->connect_timeout * SECOND;
    target->first_byte_timeout = options->first_byte_timeout * SECOND;
    target->between_bytes_timeout = options->between_bytes_timeout * SECOND;
    target->url = strndup(options->url.ptr, options->url.len);
    target->ca = options->ca ? strdup(options->ca) : NULL;
    return target->url && (target->ca || !options->ca) ? PST_OK : PST_NO_MEMORY;
}

struct http_client_options
http_target_options(const struct http_target *target)
{
    return (struct http_client_options){
        .url = pst_str_from(target->url),
        .ca = target->ca,
        .connect_timeout = target->connect_timeout / SECOND,
        .first_byte_timeout = target->first_byte_timeout / SECOND,
        .between_bytes_timeout = target->between_bytes_timeout / SECOND,
    };
}

void
http_target_fini(struct http_target *target)
{
    free(target->url);
    free(target->ca);
    target->url = NULL;
    target->ca = NULL;
}

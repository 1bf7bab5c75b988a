/* SPDX-License-Identifier: ISC */
/*
 * config_texts.h - check and read values that are texts: URLs, origins, paths,
 * addresses and other single texts.
 */
#ifndef POSTERN_SERVER_CONFIG_TEXTS_H
#define POSTERN_SERVER_CONFIG_TEXTS_H

#include "server/config_reader.h"

/* An http:// or https:// URL with a host and perhaps a port and a path; no
 * user name, no query, no fragment. */
config_check_fn config_check_url;

/* An origin as browsers write it; the error gives that form where it can. */
config_check_fn config_check_origin;

/* The same, or the origin of an app's pages, such as capacitor://localhost. */
config_check_fn config_check_listed_origin;

/* A path on our own site (http/redirect.h). */
config_check_fn config_check_local_path;

/* Where a link leads: a path on our own site, or an https:// URL with a host
 * and perhaps a port, a path, a query and a fragment; no user name. */
#define CONFIG_LINK_MAX 1024
config_check_fn config_check_link;

/* A name for people, at most CONFIG_SITE_NAME_MAX bytes of UTF-8. */
#define CONFIG_SITE_NAME_MAX 100
config_check_fn config_check_site_name;

/* An IP address, or a network such as 10.0.0.0/8. */
config_check_fn config_check_network;

/* 1..PST_AUDIENCE_MAX bytes. */
config_check_fn config_check_audience;

/* "stderr" or an absolute path. */
config_check_fn config_check_log_target;

/* Readers of one text that the entry's check allows: to struct pst_str; to
 * struct pst_str in lower case; to const char *. */
config_read_fn config_read_text;
config_read_fn config_read_lower_case;
config_read_fn config_read_string;

#endif

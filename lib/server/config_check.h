/* SPDX-License-Identifier: ISC */
/*
 * config_check.h - the texts that variables may have: one function for each
 * kind, which takes it or says in a sentence why not.
 */
#ifndef POSTERN_SERVER_CONFIG_CHECK_H
#define POSTERN_SERVER_CONFIG_CHECK_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "server/config_parse.h"

/* http or https, a host, perhaps a port and a path, and nothing else. */
config_check_fn config_check_url;

/* An origin in a browser's spelling; why tells that spelling if it can. */
config_check_fn config_check_origin;

/* The same, or the origin of an app's pages, such as capacitor://localhost. */
config_check_fn config_check_listed_origin;

/* A path on our own site (http/redirect.h). */
config_check_fn config_check_local_path;

/* A name for people, at most CONFIG_SITE_NAME_MAX bytes of UTF-8. */
#define CONFIG_SITE_NAME_MAX 100
config_check_fn config_check_site_name;

/* A header's name that an answer of ours may carry its token in. */
config_check_fn config_check_token_header;

/* A header's name. */
config_check_fn config_check_header;

/* A header that may be passed on to the backend. */
config_check_fn config_check_forward_header;

/* Headers of the client that pass to the backend anyway (design 2.8), but for
 * tracestate, which goes with its traceparent. */
#define CONFIG_DEFAULT_FORWARD_COUNT 14
extern const struct pst_str
    config_default_forward_headers[CONFIG_DEFAULT_FORWARD_COUNT];

/* Is it one of them, or tracestate? */
bool config_is_default_forward_header(struct pst_str name);

/* The name of a GraphQL field; such a name, or with its type before it:
 * "mutation.updateCustomerPassword". */
config_check_fn config_check_field_name;
config_check_fn config_check_root_field;

/* The name of a URL's parameter that may pass on: none of GraphQL's own. */
config_check_fn config_check_url_parameter;

/* An IP address, or a network such as 10.0.0.0/8. */
config_check_fn config_check_network;

/* A path below a document's root field: "secret", "session/secret", in which
 * ~1 stands for / and ~0 for ~. */
config_check_fn config_check_pointer;

/* Where a backend gives its token: json:POINTER, header:NAME or cookie. */
config_check_fn config_check_token_location;

/* 1..PST_AUDIENCE_MAX bytes. */
config_check_fn config_check_audience;

/* A cookie's name, Domain and Path, each for itself. */
config_check_fn config_check_cookie_name;
config_check_fn config_check_cookie_domain;
config_check_fn config_check_cookie_path;

/* "stderr" or an absolute path. */
config_check_fn config_check_log_target;

/* Are two header names one name to a CGI program: case, and "-" and "_"? */
bool config_is_same_header(struct pst_str a, struct pst_str b);

#endif

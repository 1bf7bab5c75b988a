/* SPDX-License-Identifier: ISC */
/*
 * config_names.h - check and read the names of headers, of GraphQL fields and
 * of URL parameters, and pointers to fields of an answer.
 */
#ifndef POSTERN_SERVER_CONFIG_NAMES_H
#define POSTERN_SERVER_CONFIG_NAMES_H

#include "server/config_reader.h"

/* A header's name. */
config_check_fn config_check_header;

/* A response header that may hold a bearer token. */
config_check_fn config_check_token_header;

/* A request header that may be forwarded to the backend. */
config_check_fn config_check_forward_header;

/* Client headers that are always forwarded to the backend,
 * except tracestate, which is forwarded with its traceparent. */
#define CONFIG_DEFAULT_FORWARD_COUNT 14
extern const struct pst_str
    config_default_forward_headers[CONFIG_DEFAULT_FORWARD_COUNT];

/* Is it one of them, or tracestate? */
bool config_is_default_forward_header(struct pst_str name);

/* Are two header names the same to a CGI program, which sees neither case nor
 * the difference between "-" and "_"? */
bool config_is_same_header(struct pst_str a, struct pst_str b);

/* The name of a GraphQL field; the same, or with its operation type before
 * it: "mutation.updateCustomerPassword". */
config_check_fn config_check_field_name;
config_check_fn config_check_root_field;

/* The name of a URL parameter that may be forwarded: not one that GraphQL over
 * HTTP uses itself. */
config_check_fn config_check_url_parameter;

/* A path below a document's root field: "secret", "session/secret", in which
 * ~1 is / and ~0 is ~ (RFC 6901 section 3). */
config_check_fn config_check_pointer;

/* To struct pst_str: the path "a/b" as the RFC 6901 pointer "/a/b". */
config_read_fn config_read_pointer;

/* Where the backend returns its token: json:POINTER, header:NAME or cookie. */
config_check_fn config_check_token_location;

/* The word before the colon to an enum, and the text behind it to a struct
 * pst_str in the second field, a POINTER as RFC 6901 writes it. */
config_read_fn config_read_token_location;

#endif

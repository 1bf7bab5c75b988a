/* SPDX-License-Identifier: ISC */
/*
 * config_keywords.h - the words that a variable may have as its value, and what
 * each of them sets. Each list ends with a NULL.
 */
#ifndef POSTERN_SERVER_CONFIG_KEYWORDS_H
#define POSTERN_SERVER_CONFIG_KEYWORDS_H

#include "server/config_reader.h"

extern const struct config_keyword switch_keywords[];
extern const struct config_keyword token_method_keywords[];
extern const struct config_keyword token_format_keywords[];
extern const struct config_keyword dead_bearer_keywords[];
extern const struct config_keyword documents_send_keywords[];
extern const struct config_keyword preflight_keywords[];
extern const struct config_keyword csrf_token_keywords[];
extern const struct config_keyword same_site_keywords[];
extern const struct config_keyword preset_keywords[];
extern const struct config_keyword token_location_keywords[];
extern const struct config_keyword logout_keywords[];
extern const struct config_keyword log_level_keywords[];
extern const struct config_keyword log_format_keywords[];

#endif

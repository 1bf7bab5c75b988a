/* SPDX-License-Identifier: ISC */
/*
 * config_keywords.c - the words that a variable may have as its value, and what
 * each of them sets.
 */
#include "server/config_keywords.h"

#include "server/config.h"

const struct config_keyword switch_keywords[] = {
    {"off", false}, {"on", true}, {NULL, 0}};
const struct config_keyword token_method_keywords[] = {
    {"cookie", TOKEN_METHOD_COOKIE},
    {"bearer", TOKEN_METHOD_BEARER},
    {NULL, 0}};
const struct config_keyword token_format_keywords[] = {
    {"sealed", PST_TOKEN_SEALED}, {"signed", PST_TOKEN_SIGNED}, {NULL, 0}};
const struct config_keyword dead_bearer_keywords[] = {
    {"refuse", false}, {"guest", true}, {NULL, 0}};
const struct config_keyword documents_send_keywords[] = {
    {"text", false}, {"id", true}, {NULL, 0}};
const struct config_keyword preflight_keywords[] = {
    {"refuse", false}, {"pass", true}, {NULL, 0}};
const struct config_keyword csrf_token_keywords[] = {
    {"checked", false}, {"required", true}, {NULL, 0}};
const struct config_keyword same_site_keywords[] = {
    {"Lax", PST_SAME_SITE_LAX},
    {"Strict", PST_SAME_SITE_STRICT},
    {"None", PST_SAME_SITE_NONE},
    {NULL, 0}};
const struct config_keyword preset_keywords[] = {
    {"fauna", PRESET_FAUNA}, {"vendure", PRESET_VENDURE}, {NULL, 0}};
const struct config_keyword token_location_keywords[] = {
    {"json", TOKEN_IN_JSON},
    {"header", TOKEN_IN_HEADER},
    {"cookie", TOKEN_IN_COOKIE},
    {NULL, 0}};
const struct config_keyword logout_keywords[] = {
    {"always", LOGOUT_ALWAYS},
    {"everywhere", LOGOUT_EVERYWHERE},
    {"never", LOGOUT_NEVER},
    {NULL, 0}};
const struct config_keyword log_level_keywords[] = {{"error", LEVEL_ERROR},
                                                    {"warning", LEVEL_WARNING},
                                                    {"info", LEVEL_INFO},
                                                    {"debug", LEVEL_DEBUG},
                                                    {NULL, 0}};
const struct config_keyword log_format_keywords[] = {
    {"logfmt", LOG_LOGFMT}, {"json", LOG_JSON}, {NULL, 0}};

static_assert(sizeof(enum pst_token_format) == sizeof(unsigned) &&
                  sizeof(enum pst_same_site) == sizeof(unsigned) &&
                  sizeof(enum config_token_location) == sizeof(unsigned) &&
                  sizeof(enum config_preset) == sizeof(unsigned) &&
                  sizeof(enum config_logout) == sizeof(unsigned) &&
                  sizeof(enum log_level) == sizeof(unsigned) &&
                  sizeof(enum log_format) == sizeof(unsigned),
              "a keyword's value is stored as unsigned");

/* SPDX-License-Identifier: ISC */
/*
 * page_texts.h - the texts of our pages in several languages: those shipped
 * (etc/texts/, built in) and those of the folder in POSTERN_TEXTS.
 */
#ifndef POSTERN_SERVER_PAGE_TEXTS_H
#define POSTERN_SERVER_PAGE_TEXTS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "server/config_reader.h"

/* Limits of a folder of texts. The texts of one page, escaped for HTML, fit in
 * PST_PAGE_MAX. */
#define PAGE_LANGUAGES_MAX 32
#define PAGE_TEXTS_FILE_MAX (32 * 1024) /* bytes of a file */
#define PAGE_TEXT_MAX 300               /* bytes of a text */

/* Bytes of memory that page_texts_load() needs at most. */
#define PAGE_TEXTS_MEMORY_MAX \
    (PAGE_LANGUAGES_MAX *     \
     (PAGE_TEXTS_FILE_MAX + sizeof(struct page_language) + 1024))

/* X(code, name). A file has the name in front of the text;
 * lib/server/page_texts.awk makes the code from it. */
#define PAGE_TEXTS(X)                                     \
    X(DIRECTION, "direction")                             \
    X(LOGIN_TITLE, "login-title")                         \
    X(LOGIN_EMAIL, "login-email")                         \
    X(LOGIN_PASSWORD, "login-password")                   \
    X(LOGIN_REMEMBER, "login-remember")                   \
    X(LOGIN_BUTTON, "login-button")                       \
    X(LOGIN_REGISTER, "login-register")                   \
    X(LOGIN_RESET, "login-reset")                         \
    X(LOGIN_INSECURE, "login-insecure")                   \
    X(LOGOUT_TITLE, "logout-title")                       \
    X(LOGOUT_BUTTON, "logout-button")                     \
    X(LOGOUT_EVERYWHERE_TITLE, "logout-everywhere-title") \
    X(LOGOUT_EVERYWHERE_TEXT, "logout-everywhere-text")   \
    X(ERROR_TITLE, "error-title")                         \
    X(ERROR_HELP, "error-help")                           \
    X(ERROR_CREDENTIALS, "error-credentials")             \
    X(ERROR_THROTTLED, "error-throttled")                 \
    X(ERROR_STALE_FORM, "error-stale-form")               \
    X(ERROR_NO_SESSION, "error-no-session")               \
    X(ERROR_SESSION, "error-session")                     \
    X(ERROR_FORBIDDEN, "error-forbidden")                 \
    X(ERROR_CROSS_SITE, "error-cross-site")               \
    X(ERROR_STORE, "error-store")                         \
    X(ERROR_BACKEND, "error-backend")                     \
    X(ERROR_BUSY, "error-busy")                           \
    X(ERROR_INTERNAL, "error-internal")                   \
    X(ERROR_NOT_FOUND, "error-not-found")                 \
    X(ERROR_METHOD, "error-method")                       \
    X(ERROR_MALFORMED, "error-malformed")                 \
    X(ERROR_DOCUMENT, "error-document")                   \
    X(ERROR_TOO_LARGE, "error-too-large")                 \
    X(ERROR_TYPE, "error-type")                           \
    X(ERROR_LATE, "error-late")

#define PAGE_TEXT_ENUM(code, name) PAGE_TEXT_##code,
enum page_text { PAGE_TEXTS(PAGE_TEXT_ENUM) PAGE_TEXT_COUNT };
#undef PAGE_TEXT_ENUM

/* UTF-8 texts, without control bytes, to be escaped for HTML. */
struct page_language {
    struct pst_str tag; /* "de", "pt-BR" (http/accept_language.h) */
    struct pst_str texts[PAGE_TEXT_COUNT]; /* none is absent */
};

/* The languages of the pages; the first is the default. */
struct page_texts {
    const struct page_language *languages;
    size_t count; /* 1..PAGE_LANGUAGES_MAX */
};

/* English and German. */
extern const struct page_texts page_texts_shipped;

/*
 * Read the files of a folder, such as de.txt and pt-BR.txt: these are the
 * languages then; English is the first, and the others are sorted by their
 * tags. A text that a file does not have is taken from the more general
 * language ("de" for "de-AT"), here or shipped, and at last from English. Files
 * whose names do not end in .txt, or begin with a dot, are not read.
 *   out    set on PST_OK; lives as long as arena
 *   error  set on PST_BAD_CONFIG: names the file and the line
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err page_texts_load(struct pst_arena *arena,
                                          const char *folder,
                                          struct page_texts *out,
                                          struct config_error *error);

/* A reader for the table, to struct page_texts: of the named folder. */
config_read_fn config_read_page_texts;

/* The language of the pages for this Accept-Language, which may be absent. */
const struct page_language *page_texts_choose(const struct page_texts *texts,
                                              struct pst_str accept_language);

#endif

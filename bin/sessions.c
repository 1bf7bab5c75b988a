/* SPDX-License-Identifier: ISC */
/*
 * sessions.c - `postern sessions`, `revoke` and `gc`: what is in the store.
 */
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "codec/date.h"
#include "commands.h"
#include "crypto/crypto.h"
#include "gateway/session_registry.h"
#include "gateway/token_transport.h"

/* The digits by which a log names a session, and the fewest that we take. */
#define NAME_MIN 8

/* What one sweep looks at: short enough to keep no writer waiting. */
#define SWEEP_STEP 1000

/* One run: everything a subcommand needs. */
struct desk {
    struct gate gate;
    struct pst_arena *arena;
};

/* What the command line asks for. */
struct asked {
    struct pst_text subject; /* absent: not asked */
    struct pst_text session; /* absent: not asked */
    int64_t limit;           /* 0: none */
};

static int
fail(const struct desk *desk, enum pst_err e)
{
    const char *why =
        e == PST_STORE_DOWN ? store_why(desk->gate.store) : pst_err_text(e);

    fprintf(stderr, "postern: %s%s\n",
            e == PST_STORE_DOWN ? "the store does not answer: " : "", why);
    return e == PST_STORE_DOWN ? EX_UNAVAILABLE : EX_SOFTWARE;
}

/* Listing. */

/* Is it a control character: one byte, or the two of a C1 in UTF-8? */
static size_t
control_at(struct pst_text text, size_t i)
{
    unsigned char c = (unsigned char)text.ptr[i];
    unsigned char next = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;

    if (c == 0xC2 && next >= 0x80 && next < 0xA0)
        return 2;
    return c < ' ' || c == 0x7F || c == '\\' ? 1 : 0;
}

/* Foreign bytes, none of which may move the cursor or split a line. */
static void
print_text(struct pst_text text)
{
    size_t escaped = 0;

    if (text.len == 0)
        putchar('-');
    for (size_t i = 0; i < text.len; i++) {
        if (escaped == 0)
            escaped = control_at(text, i);
        if (escaped == 0) {
            putchar((unsigned char)text.ptr[i]);
        } else {
            printf("\\x%02x", (unsigned)(unsigned char)text.ptr[i]);
            escaped--;
        }
    }
}

static void
print_date(int64_t when)
{
    char storage[64];
    struct pst_text text;
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_date_emit_rfc3339(&buf, when);
    if (pst_buf_end(&buf, &text) != PST_OK)
        text = PST_TEXT("-");
    printf("\t%.*s", (int)text.len, text.ptr);
}

static enum pst_err
print_session(void *context, const struct store_session *listed)
{
    size_t *count = context;

    (*count)++;
    for (size_t i = 0; i < PST_HASH_LEN; i++)
        printf("%02x", listed->sid.octets[i]);
    print_date(listed->created);
    print_date(listed->seen);
    putchar('\t');
    print_text(listed->browser);
    putchar('\t');
    print_text(listed->address);
    putchar('\t');
    print_text(listed->user);
    putchar('\n');
    return PST_OK;
}

static int
list(struct desk *desk, const struct asked *asked)
{
    struct store *store = desk->gate.store;
    const bool is_all = pst_text_is_absent(asked->subject);
    struct store_id subject;
    size_t count = 0;
    enum pst_err e = PST_OK;

    if (!is_all)
        e = store_id_subject(store, asked->subject, &subject);
    if (!e)
        e = store_session_walk(store, is_all ? NULL : &subject, desk->gate.now,
                               print_session, &count);
    if (e)
        return fail(desk, e);
    fflush(stdout);
    fprintf(stderr, "%zu live session%s\n", count, count == 1 ? "" : "s");
    return 0;
}

/* Ending. */

static int
revoke_subject(struct desk *desk, struct pst_text subject)
{
    struct store *store = desk->gate.store;
    size_t count = 0;
    struct store_id id;
    enum pst_err e = store_id_subject(store, subject, &id);

    if (!e)
        e = store_session_count(store, &id, desk->gate.now, &count);
    if (!e)
        e = store_end_all(store, &id, desk->gate.now, NULL);
    if (e)
        return fail(desk, e);
    /* Ended they are even where none was listed: a list may be shorter. */
    printf("every session of this user is ended; %zu %s listed\n", count,
           count == 1 ? "was" : "were");
    return 0;
}

/* A search through every list for a name, or the beginning of one. */
struct search {
    char wanted[ROSTER_NAME_LEN];
    size_t len;
    struct store_id sid;
    struct store_id subject;
    int64_t expires;
    bool is_found;
    bool is_ambiguous;
};

static enum pst_err
compare(void *context, const struct store_session *listed)
{
    struct search *search = context;
    char name[ROSTER_NAME_LEN];
    struct pst_buf buf;

    pst_buf_init(&buf, name, sizeof(name));
    pst_buf_add_hex(&buf, (struct pst_bytes){listed->sid.octets, PST_HASH_LEN});
    if (memcmp(name, search->wanted, search->len) != 0)
        return PST_OK;
    /* Redis may tell one session twice. */
    if (search->is_found && !store_id_equal(&search->sid, &listed->sid))
        search->is_ambiguous = true;
    search->sid = listed->sid;
    search->subject = listed->subject;
    search->expires = listed->expires;
    search->is_found = true;
    return PST_OK;
}

static int
revoke_name(struct desk *desk, struct pst_text name)
{
    struct search search = {.len = name.len};
    enum pst_err e;

    for (size_t i = 0; i < name.len; i++)
        search.wanted[i] = pst_lower(name.ptr[i]);
    e = store_session_walk(desk->gate.store, NULL, desk->gate.now, compare,
                           &search);
    if (e)
        return fail(desk, e);
    if (!search.is_found || search.is_ambiguous) {
        fprintf(stderr, "postern: %s\n",
                search.is_found ? "several listed sessions begin with that"
                                : "no such session is listed");
        return COMMAND_NO;
    }
    e = store_end(desk->gate.store, &search.sid, &search.subject,
                  search.expires, desk->gate.now);
    if (e)
        return fail(desk, e);
    puts("the session is ended");
    return 0;
}

static int
revoke_token(struct desk *desk, struct pst_text token)
{
    static const struct request nobody = {.id = ""};
    static const enum pst_purpose purposes[] = {
        PST_PURPOSE_COOKIE, PST_PURPOSE_GUEST, PST_PURPOSE_BEARER};
    struct pst_session session;
    bool is_stale;
    enum pst_err e = PST_FORGED;

    for (size_t i = 0; i < PST_COUNT(purposes) && e == PST_FORGED; i++)
        e = carry_open(&desk->gate, desk->arena, purposes[i], token, &session,
                       &is_stale);
    if (e == PST_FORGED) {
        fputs("postern: this token does not open\n", stderr);
        return COMMAND_NO;
    }
    if (e == PST_REVOKED) {
        puts("the session was ended already");
        return 0;
    }
    if (!e)
        e = roster_end(&desk->gate, &nobody, &session);
    if (e)
        return fail(desk, e);
    puts("the session is ended");
    return 0;
}

static bool
is_name(struct pst_text text)
{
    if (text.len < NAME_MIN || text.len > ROSTER_NAME_LEN)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (pst_hex_value(text.ptr[i]) < 0)
            return false;
    return true;
}

static int
revoke(struct desk *desk, const struct asked *asked)
{
    struct pst_text session = asked->session;
    enum pst_err e = PST_OK;

    if (!pst_text_is_absent(asked->subject))
        return revoke_subject(desk, asked->subject);
    if (pst_text_equal(session, PST_TEXT("-")))
        e = command_read_word(desk->arena, &session);
    if (e)
        return fail(desk, e);
    if (is_name(session))
        return revoke_name(desk, session);
    return revoke_token(desk, session);
}

/* Sweeping. */

static int
sweep(struct desk *desk, const struct asked *asked)
{
    int64_t left = asked->limit > 0 ? asked->limit : INT64_MAX;
    struct store_swept swept;
    size_t total = 0;
    enum pst_err e = PST_OK;
    size_t step;

    /* Redis has nothing to sweep, so it would not be missed. */
    if (desk->gate.config->store.kind == STORE_REDIS)
        e = store_ping(desk->gate.store, desk->gate.now);
    if (e)
        return fail(desk, e);
    do {
        step = left < SWEEP_STEP ? (size_t)left : SWEEP_STEP;
        e = store_sweep(desk->gate.store, step, desk->gate.now, &swept);
        if (e)
            return fail(desk, e);
        total += swept.removed;
        left -= (int64_t)step;
    } while (left > 0 && swept.looked == step);
    printf("%zu record%s removed\n", total, total == 1 ? "" : "s");
    if (desk->gate.config->store.kind == STORE_REDIS)
        fputs("(Redis removes what has ended by itself)\n", stderr);
    return 0;
}

/* Being called. */

static int
open_desk(struct desk *desk, const struct config *config)
{
    enum pst_err e;

    desk->gate.config = config;
    desk->gate.ring = config->ring;
    desk->gate.now = time(NULL);
    desk->gate.random = pst_crypt_random;
    if (config->store.kind == STORE_NONE) {
        fputs("postern: POSTERN_STORE is none: nothing is kept there\n",
              stderr);
        return EX_UNAVAILABLE;
    }
    e = pst_arena_new(&desk->arena, PST_ARENA_SIZE);
    if (!e)
        e = store_open(&desk->gate.store, &config->store, config->audience);
    if (e)
        fprintf(stderr, "postern: %s\n", pst_err_text(e));
    return e ? EX_SOFTWARE : 0;
}

static int
run(const struct asked *asked, int (*work)(struct desk *, const struct asked *))
{
    struct desk desk = {.arena = NULL};
    struct config *config = NULL;
    int status = command_config(&config);

    if (status)
        return status;
    status = open_desk(&desk, config);
    if (!status)
        status = work(&desk, asked);
    store_close(&desk.gate.store);
    pst_arena_free(&desk.arena);
    config_free(&config);
    return status;
}

/* Take the value of an option that may stand once. */
static bool
take_value(struct pst_text *out, const char *value)
{
    if (!value || !*value || !pst_text_is_absent(*out))
        return false;
    *out = pst_text_from(value);
    return true;
}

int
command_sessions(int argc, char **argv)
{
    struct asked asked = {.subject = PST_NO_TEXT};

    for (int i = 1; i < argc; i += 2)
        if (strcmp(argv[i], "--subject") != 0 ||
            !take_value(&asked.subject, argv[i + 1]))
            return command_misused(argv[0], "takes --subject SUBJECT");
    return run(&asked, list);
}

int
command_revoke(int argc, char **argv)
{
    static const char why[] = "takes --subject SUBJECT or --session SESSION";
    struct asked asked = {.subject = PST_NO_TEXT, .session = PST_NO_TEXT};

    for (int i = 1; i < argc; i += 2) {
        struct pst_text *place = NULL;

        if (strcmp(argv[i], "--subject") == 0)
            place = &asked.subject;
        else if (strcmp(argv[i], "--session") == 0)
            place = &asked.session;
        if (!place || !take_value(place, argv[i + 1]))
            return command_misused(argv[0], why);
    }
    if (pst_text_is_absent(asked.subject) == pst_text_is_absent(asked.session))
        return command_misused(argv[0], why);
    return run(&asked, revoke);
}

static bool
read_limit(const char *value, int64_t *out)
{
    int64_t number = 0;

    for (; *value; value++) {
        if (*value < '0' || *value > '9' || number > 100000000)
            return false;
        number = number * 10 + (*value - '0');
    }
    *out = number;
    return number > 0;
}

int
command_gc(int argc, char **argv)
{
    struct asked asked = {.subject = PST_NO_TEXT};

    if (argc == 3 && strcmp(argv[1], "--limit") == 0) {
        if (!read_limit(argv[2], &asked.limit))
            return command_misused(argv[0], "takes a number above 0");
    } else if (argc > 1) {
        return command_misused(argv[0], "takes --limit NUMBER");
    }
    return run(&asked, sweep);
}

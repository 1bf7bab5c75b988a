/* SPDX-License-Identifier: ISC */
/*
 * secretfile.c - a file of secrets, changed while others read it.
 */
#include "secretfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/limits.h"
#include "codec/date.h"
#include "commands.h"
#include "crypto/keyring.h"
#include "server/config_file.h"

/* Names, and the old bytes and the new ones, all wiped with the arena. */
#define CHANGE_ARENA (4 * CONFIG_SECRETS_MAX + 16384)

/* One change of a file. */
struct change {
    struct pst_arena *arena;
    const char *path; /* no symbolic link any more */
    char *beside;     /* FILE.new */
    int descriptor;   /* of that; -1: there is none */
    struct stat old;  /* st_ino is 0 where there is no file yet */
    struct pst_text words[PST_SECRETS_MAX + 1];
    size_t count;
    bool is_renamed;
};

static int
say(const char *path, const char *why)
{
    fprintf(stderr, "postern: %s: %s\n", path, why);
    return EX_CANTCREAT;
}

/* Reading. */

static int
read_words(struct change *change)
{
    const struct config_file_rule rule = {.max = CONFIG_SECRETS_MAX,
                                          .is_secret = true};
    struct config_why why = {""};
    struct pst_text rest;

    if (config_file_read(change->arena, change->path, &rule, &rest, &why)) {
        fprintf(stderr, "postern: %s %s\n", change->path, why.text);
        return EX_NOINPUT;
    }
    while (
        change->count < PST_COUNT(change->words) &&
        pst_text_word(&rest, PST_SECRET_SPACE, &change->words[change->count]))
        change->count++;
    return 0;
}

/* Writing. */

/* One on each line: what the programs would not take is not written. */
static int
compose(struct change *change, struct pst_text *out)
{
    struct pst_keyring *ring = NULL;
    const char *why = "";
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, change->arena, CONFIG_SECRETS_MAX);
    for (size_t i = 0; i < change->count; i++) {
        pst_buf_add(&buf, change->words[i]);
        pst_buf_add_char(&buf, '\n');
    }
    e = pst_buf_end(&buf, out);
    if (!e)
        e = pst_keyring_new(&ring, *out, PST_TEXT("-"), &why);
    pst_keyring_free(&ring);
    if (!e)
        return 0;
    fprintf(stderr, "postern: %s would be refused: %s; nothing is changed\n",
            change->path, *why ? why : pst_err_text(e));
    return EX_DATAERR;
}

/* Who could read the old one can read the new one, and nobody else. */
static bool
take_after(const struct change *change)
{
    if (change->old.st_ino == 0)
        return true;
    return fchown(change->descriptor, change->old.st_uid, change->old.st_gid) ==
               0 &&
           fchmod(change->descriptor, change->old.st_mode & 07777) == 0;
}

static bool
write_whole(int descriptor, struct pst_text text)
{
    while (text.len > 0) {
        ssize_t put = write(descriptor, text.ptr, text.len);

        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0)
            text = pst_text_from_octet(text, (size_t)put);
    }
    return fsync(descriptor) == 0;
}

/* A name survives a power cut once its folder does. */
static void
sync_folder(const struct change *change)
{
    int folder = open(dirname(change->beside), O_RDONLY | O_CLOEXEC);

    if (folder < 0)
        return;
    (void)fsync(folder);
    close(folder);
}

static int
write_back(struct change *change)
{
    struct pst_text text;
    int status = compose(change, &text);

    if (status)
        return status;
    if (!take_after(change) || !write_whole(change->descriptor, text) ||
        rename(change->beside, change->path) != 0)
        return say(change->beside, strerror(errno));
    change->is_renamed = true;
    sync_folder(change);
    return 0;
}

/* Beginning and ending. */

/* The file's own name, wherever links lead to; a new one's is as given. */
static int
find(struct change *change, const char *path)
{
    char *whole = realpath(path, NULL);
    const char *name = whole ? whole : path;
    const char *copy;
    char *beside;

    if (!whole && errno != ENOENT)
        return say(path, strerror(errno));
    beside = pst_arena_alloc(change->arena, strlen(name) + sizeof(".new"));
    if (!beside ||
        pst_arena_string(change->arena, pst_text_from(name), &copy)) {
        free(whole);
        return EX_OSERR;
    }
    memcpy(beside, name, strlen(name));
    memcpy(beside + strlen(name), ".new", sizeof(".new"));
    free(whole);
    change->path = copy;
    change->beside = beside;
    return 0;
}

/* What is there to be changed, now that nobody else changes it. */
static int
look(struct change *change)
{
    if (stat(change->path, &change->old) == 0)
        return read_words(change);
    change->old.st_ino = 0;
    return errno == ENOENT ? 0 : say(change->path, strerror(errno));
}

static int
begin(struct change *change, const char *path)
{
    int status;

    *change = (struct change){.descriptor = -1};
    if (pst_arena_new(&change->arena, CHANGE_ARENA) != PST_OK)
        return EX_OSERR;
    status = find(change, path);
    if (status)
        return status;
    change->descriptor =
        open(change->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (change->descriptor < 0 && errno == EEXIST)
        return say(change->beside, "is there: another change is under way, or "
                                   "one was cut short; then remove it");
    if (change->descriptor < 0)
        return say(change->beside, strerror(errno));
    return look(change);
}

static int
end(struct change *change, int status)
{
    if (change->descriptor >= 0) {
        if (!change->is_renamed)
            (void)unlink(change->beside);
        close(change->descriptor);
    }
    pst_arena_free(&change->arena);
    return status;
}

/* What is done. */

static int64_t
longest(const struct pst_clocks *clocks)
{
    int64_t most = clocks->lifetime;

    if (clocks->remember > most)
        most = clocks->remember;
    return clocks->guest > most ? clocks->guest : most;
}

/*
 * What was sealed last with the secret that was first ends no later than the
 * longest lifetime from now; before that, any use seals it anew.
 */
static void
say_when(const char *path)
{
    static const char *const defaults[] = {
        "COOKIE_SESSION_SECRET=Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe",
        "POSTERN_UPSTREAM=http://localhost/", "POSTERN_STORE=none", NULL};
    struct config *config = NULL;
    struct pst_text text;
    struct pst_buf buf;
    char storage[64];
    bool is_own;

    is_own = config_new(&config, (const char *const *)environ, NULL) == PST_OK;
    if (!is_own && config_new(&config, defaults, NULL) != PST_OK)
        return;
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_date_emit_rfc3339(&buf,
                          time(NULL) + longest(&config->clocks) + PST_SKEW);
    text = pst_buf_text(&buf);
    fprintf(stderr,
            "the new secret seals from now on; the last one can go after "
            "%.*s: postern secret --retire %s\n",
            (int)text.len, text.ptr, path);
    if (!is_own)
        fputs("(by the default lifetimes: the programs' environment is not "
              "here, or is not right; see `postern check`)\n",
              stderr);
    config_free(&config);
}

int
secretfile_rotate(const char *path, struct pst_text secret)
{
    struct change change;
    int status = begin(&change, path);

    if (!status && change.count >= PST_SECRETS_MAX)
        status = say(path, "holds as many secrets as there may be: retire one");
    if (!status) {
        memmove(change.words + 1, change.words,
                change.count * sizeof(change.words[0]));
        change.words[0] = secret;
        change.count++;
        status = write_back(&change);
    }
    if (!status && change.count > 1)
        say_when(path);
    return end(&change, status);
}

int
secretfile_retire(const char *path)
{
    struct change change;
    int status = begin(&change, path);

    if (!status && change.old.st_ino == 0)
        status = say(path, "is not there");
    else if (!status && change.count < 2)
        status = say(path, "holds only one secret, which stays");
    if (!status) {
        change.count--;
        status = write_back(&change);
    }
    if (!status)
        fprintf(stderr,
                "%zu secret%s left; what only the last one opens is "
                "no session any more\n",
                change.count, change.count == 1 ? " is" : "s are");
    return end(&change, status);
}

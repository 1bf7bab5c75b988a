/* SPDX-License-Identifier: ISC */
/*
 * manifest.c - load a manifest of GraphQL documents (trusted documents): read
 * the file, parse the documents, and index them.
 */
#include "gateway/manifest.h"

#include <string.h>

#include "base/arena.h"
#include "crypto/crypto.h"
#include "gateway/manifest_json.h"
#include "server/config_files.h"

/* Bytes of a file name and of an id to show in a message. */
#define PATH_SHOWN 80
#define ID_SHOWN 72

#define SLOT_EMPTY UINT32_MAX

struct entry {
    struct pst_str id;   /* in storage */
    struct pst_str text; /* as in the file; in summary or in storage */
    struct pst_graphql_summary *summary;
    char *storage;
    uint8_t hash[PST_HASH_LEN]; /* SHA-256 of text */
};

/* A hash table of indices of entries, by one of their three names. */
struct table {
    uint32_t *slots; /* slot_mask + 1, at most half of them used */
    struct pst_str (*name)(const struct entry *entry);
};

struct manifest {
    struct pst_siphash_key key;
    struct entry *entries;
    size_t count;
    size_t size; /* entries allocated */
    size_t slot_mask;
    struct table by_id; /* its slots begin the block of all three tables */
    struct table by_text;
    struct table by_hash;
};

/* State while a manifest is read. */
struct reader {
    struct manifest *manifest;
    const struct pst_graphql_rules *rules;
    const char *path;
    struct config_error *reason;
};

/* Finding. */

static struct pst_str
hash_as_str(const uint8_t *hash)
{
    return (struct pst_str){(const char *)hash, PST_HASH_LEN};
}

static struct pst_str
entry_id(const struct entry *entry)
{
    return entry->id;
}

static struct pst_str
entry_text(const struct entry *entry)
{
    return entry->text;
}

static struct pst_str
entry_hash(const struct entry *entry)
{
    return hash_as_str(entry->hash);
}

/* Find the slot of this name, or the empty slot for it. */
static uint32_t *
manifest_find_slot(const struct manifest *manifest, const struct table *table,
                   struct pst_str name)
{
    uint64_t i = pst_siphash(&manifest->key, pst_str_bytes(name));

    for (;; i++) {
        uint32_t *slot = &table->slots[i & manifest->slot_mask];

        if (*slot == SLOT_EMPTY ||
            pst_str_equal(table->name(&manifest->entries[*slot]), name))
            return slot;
    }
}

static const struct pst_graphql_summary *
manifest_find_entry(const struct manifest *manifest, const struct table *table,
                    struct pst_str name)
{
    uint32_t slot = *manifest_find_slot(manifest, table, name);

    return slot == SLOT_EMPTY ? NULL : manifest->entries[slot].summary;
}

const struct pst_graphql_summary *
manifest_find_id(const struct manifest *manifest, struct pst_str id)
{
    return manifest_find_entry(manifest, &manifest->by_id, id);
}

const struct pst_graphql_summary *
manifest_find_text(const struct manifest *manifest, struct pst_str text)
{
    return manifest_find_entry(manifest, &manifest->by_text, text);
}

const struct pst_graphql_summary *
manifest_find_hash(const struct manifest *manifest,
                   const uint8_t hash[static PST_HASH_LEN])
{
    return manifest_find_entry(manifest, &manifest->by_hash, hash_as_str(hash));
}

/* Indexing. */

/* Add an entry. If its name is taken, the first entry stays; returns whether
 * their texts are equal. */
static bool
manifest_add_to_table(const struct manifest *manifest,
                      const struct table *table, uint32_t position)
{
    uint32_t *slot = manifest_find_slot(
        manifest, table, table->name(&manifest->entries[position]));
    bool is_new = *slot == SLOT_EMPTY;

    if (is_new)
        *slot = position;
    return is_new || pst_str_equal(manifest->entries[*slot].text,
                                   manifest->entries[position].text);
}

static enum pst_err
manifest_index_entries(const struct reader *reader)
{
    const struct manifest *manifest = reader->manifest;

    for (size_t i = 0; i < manifest->count; i++) {
        struct pst_str id = pst_str_first(manifest->entries[i].id, ID_SHOWN);

        if (!manifest_add_to_table(manifest, &manifest->by_id, (uint32_t)i))
            return config_set_error(
                reader->reason,
                "names %.*s, where two documents have the id "
                "\"%.*s\"",
                PATH_SHOWN, reader->path, (int)id.len, id.ptr);
        (void)manifest_add_to_table(manifest, &manifest->by_text, (uint32_t)i);
        (void)manifest_add_to_table(manifest, &manifest->by_hash, (uint32_t)i);
    }
    return PST_OK;
}

static enum pst_err
manifest_make_tables(struct manifest *manifest)
{
    size_t slots = 2;
    uint32_t *block;

    while (slots < 2 * manifest->count)
        slots *= 2;
    block = malloc(3 * slots * sizeof(*block));
    if (!block)
        return PST_NO_MEMORY;
    memset(block, 0xFF, 3 * slots * sizeof(*block));
    manifest->slot_mask = slots - 1;
    manifest->by_id = (struct table){block, entry_id};
    manifest->by_text = (struct table){block + slots, entry_text};
    manifest->by_hash = (struct table){block + 2 * slots, entry_hash};
    return PST_OK;
}

/* Reading. */

static enum pst_err
manifest_reserve_entry(struct manifest *manifest)
{
    size_t size = manifest->size > 0 ? 2 * manifest->size : 64;
    struct entry *entries;

    if (manifest->count < manifest->size)
        return PST_OK;
    entries = realloc(manifest->entries, size * sizeof(*entries));
    if (!entries)
        return PST_NO_MEMORY;
    manifest->entries = entries;
    manifest->size = size;
    return PST_OK;
}

static enum pst_err
manifest_fill_entry(struct entry *entry, struct pst_str id, struct pst_str text)
{
    bool is_same = pst_str_equal(text, entry->summary->text);

    entry->storage = malloc(id.len + (is_same ? 0 : text.len));
    if (!entry->storage)
        return PST_NO_MEMORY;
    memcpy(entry->storage, id.ptr, id.len);
    entry->id = (struct pst_str){entry->storage, id.len};
    entry->text = entry->summary->text;
    if (!is_same) {
        memcpy(entry->storage + id.len, text.ptr, text.len);
        entry->text = (struct pst_str){entry->storage + id.len, text.len};
    }
    pst_crypto_sha256(pst_str_bytes(text), entry->hash);
    return PST_OK;
}

static enum pst_err
refuse_manifest_document(const struct reader *reader, struct pst_str id,
                         const struct pst_graphql_error *error)
{
    id = pst_str_first(id, ID_SHOWN);
    return config_set_error(
        reader->reason,
        "names %.*s, whose document \"%.*s\" is refused: line %u, column %u: "
        "%s",
        PATH_SHOWN, reader->path, (int)id.len, id.ptr, error->location.line,
        error->location.column, error->message);
}

static enum pst_err
manifest_add_document(void *context, struct pst_str id, struct pst_str text)
{
    struct reader *reader = context;
    struct manifest *manifest = reader->manifest;
    struct pst_graphql_error error;
    struct entry *entry;
    enum pst_err e = manifest_reserve_entry(manifest);

    if (e)
        return e;
    entry = &manifest->entries[manifest->count];
    *entry = (struct entry){.summary = NULL};
    e = pst_graphql_summary_parse(text, reader->rules, &entry->summary, &error);
    if (e == PST_MALFORMED || e == PST_TOO_LARGE)
        return refuse_manifest_document(reader, id, &error);
    if (e)
        return e;
    manifest->count++; /* manifest_free() frees it from now on */
    return manifest_fill_entry(entry, id, text);
}

static enum pst_err
read_manifest_file(const struct reader *reader, struct pst_arena *arena,
                   struct pst_str *out)
{
    static const struct config_file_rule rule = {.max = MANIFEST_MAX};

    return config_file_read(arena, reader->path, &rule, out, reader->reason);
}

static enum pst_err
parse_manifest_documents(struct reader *reader, struct pst_str json)
{
    struct manifest_json_error error = {.message = NULL};
    enum pst_err e =
        manifest_json_parse(json, manifest_add_document, reader, &error);

    if (e == PST_BAD_CONFIG && error.message)
        return config_set_error(
            reader->reason, "names %.*s, which at line %zu, column %zu %s",
            PATH_SHOWN, reader->path, error.line, error.column, error.message);
    return e;
}

static enum pst_err
manifest_load(struct reader *reader)
{
    struct pst_arena *arena; /* for the file's text */
    struct pst_str json = PST_STR_NONE;
    enum pst_err e = pst_arena_new(&arena, MANIFEST_MAX + 4096);

    if (e)
        return e;
    e = read_manifest_file(reader, arena, &json);
    if (!e)
        e = parse_manifest_documents(reader, json);
    pst_arena_free(&arena);
    if (!e)
        e = manifest_make_tables(reader->manifest);
    if (!e)
        e = manifest_index_entries(reader);
    return e;
}

enum pst_err
manifest_new(struct manifest **out, const char *path,
             const struct pst_graphql_rules *rules,
             const struct pst_siphash_key *key, struct config_error *reason)
{
    struct manifest *manifest = calloc(1, sizeof(*manifest));
    struct reader reader = {manifest, rules, path, reason};
    enum pst_err e;

    if (!manifest)
        return PST_NO_MEMORY;
    manifest->key = *key;
    e = manifest_load(&reader);
    if (e) {
        manifest_free(&manifest);
        return e;
    }
    *out = manifest;
    return PST_OK;
}

void
manifest_free(struct manifest **manifest)
{
    if (!*manifest)
        return;
    for (size_t i = 0; i < (*manifest)->count; i++) {
        pst_graphql_summary_free(&(*manifest)->entries[i].summary);
        free((*manifest)->entries[i].storage);
    }
    free((*manifest)->entries);
    free((*manifest)->by_id.slots);
    free(*manifest);
    *manifest = NULL;
}

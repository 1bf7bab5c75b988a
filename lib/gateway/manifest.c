/* SPDX-License-Identifier: ISC */
/*
 * manifest.c - parse the documents of a manifest, and index them.
 */
#include "gateway/manifest.h"

#include <string.h>

#include "base/arena.h"
#include "crypto/crypto.h"
#include "gateway/manifest_json.h"
#include "server/config_file.h"

/* In a message: bytes of a file's name and of an id. */
#define PATH_SHOWN 80
#define ID_SHOWN 72

#define NOT_THERE UINT32_MAX

struct entry {
    struct pst_text id;   /* in own */
    struct pst_text text; /* as in the file: in meaning, or in own */
    struct pst_graphql_meaning *meaning;
    char *own;
    uint8_t hash[PST_HASH_LEN]; /* SHA-256 of text */
};

/* A hash table of positions of entries under one of their names. */
struct table {
    uint32_t *slots; /* slot_mask + 1, at most half of them taken */
    struct pst_text (*name)(const struct entry *entry);
};

struct manifest {
    struct pst_siphash_key key;
    struct entry *entries;
    size_t count;
    size_t size; /* entries there is room for */
    size_t slot_mask;
    struct table by_id; /* its slots are one block with those of the others */
    struct table by_text;
    struct table by_hash;
};

/* A manifest while it is read. */
struct reader {
    struct manifest *manifest;
    const struct pst_graphql_rules *rules;
    const char *path;
    struct config_why *why;
};

/* Finding. */

static struct pst_text
hash_text(const uint8_t *hash)
{
    return (struct pst_text){(const char *)hash, PST_HASH_LEN};
}

static struct pst_text
name_id(const struct entry *entry)
{
    return entry->id;
}

static struct pst_text
name_text(const struct entry *entry)
{
    return entry->text;
}

static struct pst_text
name_hash(const struct entry *entry)
{
    return hash_text(entry->hash);
}

/* The slot where an entry of this name stands, or would stand. */
static uint32_t *
find_slot(const struct manifest *manifest, const struct table *table,
          struct pst_text name)
{
    uint64_t i = pst_siphash(&manifest->key, pst_text_bytes(name));

    for (;; i++) {
        uint32_t *slot = &table->slots[i & manifest->slot_mask];

        if (*slot == NOT_THERE ||
            pst_text_equal(table->name(&manifest->entries[*slot]), name))
            return slot;
    }
}

static const struct pst_graphql_meaning *
find(const struct manifest *manifest, const struct table *table,
     struct pst_text name)
{
    uint32_t slot = *find_slot(manifest, table, name);

    return slot == NOT_THERE ? NULL : manifest->entries[slot].meaning;
}

const struct pst_graphql_meaning *
manifest_find_id(const struct manifest *manifest, struct pst_text id)
{
    return find(manifest, &manifest->by_id, id);
}

const struct pst_graphql_meaning *
manifest_find_text(const struct manifest *manifest, struct pst_text text)
{
    return find(manifest, &manifest->by_text, text);
}

const struct pst_graphql_meaning *
manifest_find_hash(const struct manifest *manifest,
                   const uint8_t hash[static PST_HASH_LEN])
{
    return find(manifest, &manifest->by_hash, hash_text(hash));
}

size_t
manifest_count(const struct manifest *manifest)
{
    return manifest->count;
}

/* Indexing. */

/* Of entries of one name, the first is found. */
static bool
add_to_table(const struct manifest *manifest, const struct table *table,
             uint32_t position)
{
    uint32_t *slot =
        find_slot(manifest, table, table->name(&manifest->entries[position]));
    bool is_new = *slot == NOT_THERE;

    if (is_new)
        *slot = position;
    return is_new || pst_text_equal(manifest->entries[*slot].text,
                                    manifest->entries[position].text);
}

static enum pst_err
index_entries(const struct reader *reader)
{
    const struct manifest *manifest = reader->manifest;

    for (size_t i = 0; i < manifest->count; i++) {
        struct pst_text id = pst_text_first(manifest->entries[i].id, ID_SHOWN);

        if (!add_to_table(manifest, &manifest->by_id, (uint32_t)i))
            return config_refuse(reader->why,
                                 "names %.*s, where two documents have the id "
                                 "\"%.*s\"",
                                 PATH_SHOWN, reader->path, (int)id.len, id.ptr);
        (void)add_to_table(manifest, &manifest->by_text, (uint32_t)i);
        (void)add_to_table(manifest, &manifest->by_hash, (uint32_t)i);
    }
    return PST_OK;
}

static enum pst_err
make_tables(struct manifest *manifest)
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
    manifest->by_id = (struct table){block, name_id};
    manifest->by_text = (struct table){block + slots, name_text};
    manifest->by_hash = (struct table){block + 2 * slots, name_hash};
    return PST_OK;
}

/* Reading. */

static enum pst_err
reserve_entry(struct manifest *manifest)
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
fill_entry(struct entry *entry, struct pst_text id, struct pst_text text)
{
    bool is_same = pst_text_equal(text, entry->meaning->text);

    entry->own = malloc(id.len + (is_same ? 0 : text.len));
    if (!entry->own)
        return PST_NO_MEMORY;
    memcpy(entry->own, id.ptr, id.len);
    entry->id = (struct pst_text){entry->own, id.len};
    entry->text = entry->meaning->text;
    if (!is_same) {
        memcpy(entry->own + id.len, text.ptr, text.len);
        entry->text = (struct pst_text){entry->own + id.len, text.len};
    }
    pst_crypt_sha256(pst_text_bytes(text), entry->hash);
    return PST_OK;
}

static enum pst_err
refuse_document(const struct reader *reader, struct pst_text id,
                const struct pst_graphql_error *error)
{
    id = pst_text_first(id, ID_SHOWN);
    return config_refuse(
        reader->why,
        "names %.*s, whose document \"%.*s\" is refused: line %u, column %u: "
        "%s",
        PATH_SHOWN, reader->path, (int)id.len, id.ptr, error->place.line,
        error->place.column, error->message);
}

static enum pst_err
add_document(void *context, struct pst_text id, struct pst_text text)
{
    struct reader *reader = context;
    struct manifest *manifest = reader->manifest;
    struct pst_graphql_error error;
    struct entry *entry;
    enum pst_err e = reserve_entry(manifest);

    if (e)
        return e;
    entry = &manifest->entries[manifest->count];
    *entry = (struct entry){.meaning = NULL};
    e = pst_graphql_meaning_parse(text, reader->rules, &entry->meaning, &error);
    if (e == PST_MALFORMED || e == PST_TOO_LARGE)
        return refuse_document(reader, id, &error);
    if (e)
        return e;
    manifest->count++; /* from here on it is freed with the manifest */
    return fill_entry(entry, id, text);
}

static enum pst_err
read_file(const struct reader *reader, struct pst_arena *arena,
          struct pst_text *out)
{
    static const struct config_file_rule rule = {.max = MANIFEST_MAX};
    struct config_why why;
    enum pst_err e = config_file_read(arena, reader->path, &rule, out, &why);

    /* It says "names a file that …": say which. */
    if (e == PST_BAD_CONFIG)
        return config_refuse(reader->why, "names %.*s, %s", PATH_SHOWN,
                             reader->path, why.text + strlen("names "));
    return e;
}

static enum pst_err
read_documents(struct reader *reader, struct pst_text json)
{
    struct manifest_json_error error = {.message = NULL};
    enum pst_err e = manifest_json_read(json, add_document, reader, &error);

    if (e == PST_BAD_CONFIG && error.message)
        return config_refuse(
            reader->why, "names %.*s, which at line %zu, column %zu %s",
            PATH_SHOWN, reader->path, error.line, error.column, error.message);
    return e;
}

static enum pst_err
read_manifest(struct reader *reader)
{
    struct pst_arena *arena; /* for the file's text */
    struct pst_text json = PST_NO_TEXT;
    enum pst_err e = pst_arena_new(&arena, MANIFEST_MAX + 4096);

    if (e)
        return e;
    e = read_file(reader, arena, &json);
    if (!e)
        e = read_documents(reader, json);
    pst_arena_free(&arena);
    if (!e)
        e = make_tables(reader->manifest);
    if (!e)
        e = index_entries(reader);
    return e;
}

enum pst_err
manifest_new(struct manifest **out, const char *path,
             const struct pst_graphql_rules *rules,
             const struct pst_siphash_key *key, struct config_why *why)
{
    struct manifest *manifest = calloc(1, sizeof(*manifest));
    struct reader reader = {manifest, rules, path, why};
    enum pst_err e;

    if (!manifest)
        return PST_NO_MEMORY;
    manifest->key = *key;
    e = read_manifest(&reader);
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
        pst_graphql_meaning_free(&(*manifest)->entries[i].meaning);
        free((*manifest)->entries[i].own);
    }
    free((*manifest)->entries);
    free((*manifest)->by_id.slots);
    free(*manifest);
    *manifest = NULL;
}

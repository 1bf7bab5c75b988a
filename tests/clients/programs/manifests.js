// SPDX-License-Identifier: ISC
// Write the manifests of walk.js's documents with GraphQL Code Generator
// (persistedDocuments of its client preset), and the input of Apollo's
// generator.
//
//   node manifests.js
//
// Reads schema.graphql. Writes codegen.json with the default ids ("sha256:" and
// the hash), hashes.json with the hash as id, and documents/NAME.graphql.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { preset } from "@graphql-codegen/client-preset";
import { codegen } from "@graphql-codegen/core";
import { buildSchema, parse, print } from "graphql";

const schemaText = readFileSync("schema.graphql", "utf8");
const known = new Map(); // name: definition; several texts share a fragment

process.argv.splice(2, Infinity, "", "", "cookie", "", "");
const { documents } = await import("./walk.js");
for (const [name, text] of Object.entries(documents))
    if (name !== "walkQuotedQuery")
        for (const definition of parse(text).definitions)
            known.set(definition.name.value, definition);

async function generate(persistedDocuments) {
    const outputs = await preset.buildGeneratesSection({
        baseOutputDir: "generated/",
        config: {},
        documents: [...known.values()].map(definition => ({
            location: `${definition.name.value}.graphql`,
            rawSDL: print(definition),
            document: { kind: "Document", definitions: [definition] } })),
        documentTransforms: [],
        pluginMap: {},
        plugins: [],
        presetConfig: { fragmentMasking: false, persistedDocuments },
        schema: parse(schemaText),
        schemaAst: buildSchema(schemaText),
    });
    const written = await Promise.all(outputs.map(async output =>
        [output.filename, await codegen(output)]));
    return written.find(([name]) => name.endsWith("persisted-documents.json"))[1];
}

writeFileSync("codegen.json", await generate(true));
writeFileSync("hashes.json", await generate({ hashAlgorithm: text =>
    createHash("sha256").update(text).digest("hex") }));
mkdirSync("documents");
for (const [name, definition] of known)
    writeFileSync(`documents/${name}.graphql`, print(definition));

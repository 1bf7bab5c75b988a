// SPDX-License-Identifier: ISC
// Send documents by documentId, as in the GraphQL over HTTP draft and in the
// manual of GraphQL Code Generator. There is no package for it: use fetch.
//
//   MANIFEST=FILE node by_id.js URL LOGIN_URL KIND EMAIL PASSWORD
//
// With an empty MANIFEST it sends the texts.
import { readFileSync } from "node:fs";
import { fetch, headers, loginUrl, url } from "./session.js";
import { documents, walk } from "./walk.js";

const { MANIFEST: manifest } = process.env;
const texts = manifest ? JSON.parse(readFileSync(manifest, "utf8")) : {};

await walk(async (name, variables) => {
    const documentId = Object.keys(texts).find(id =>
        texts[id].includes(` ${name}`));
    const response = await fetch(/Login|SignIn/.test(name) ? loginUrl : url, {
        method: "POST",
        headers: { "content-type": "application/json",
            accept: "application/graphql-response+json", ...headers() },
        body: JSON.stringify(manifest ? { documentId, variables }
            : { query: documents[name], variables }) });
    return { status: response.status, ...await response.json() };
});

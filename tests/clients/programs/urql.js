// SPDX-License-Identifier: ISC
// urql with its document cache, which adds __typename to every selection.
//
//   node urql.js URL LOGIN_URL KIND EMAIL PASSWORD
//
// PERSISTED=1: send hashes, also of mutations, and queries by GET.
// GET=1: send queries by GET.
// MANIFEST=FILE: send the hashes of this manifest of GraphQL Code Generator; if
// it is empty, send texts. There is no cache, because the manifest does not have
// the fields that the cache adds.
import { readFileSync } from "node:fs";
import { cacheExchange, Client, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { fetch, headers, loginUrl, url } from "./session.js";
import { documents, walk } from "./walk.js";

const { MANIFEST: manifest } = process.env;
const cache = manifest === undefined ? [cacheExchange] : [];
const persisted = [];
if (process.env.PERSISTED === "1")
    persisted.push(persistedExchange({ enableForMutation: true,
        preferGetForPersistedQueries: true }));
if (manifest)
    persisted.push(persistedExchange({ enableForMutation: true,
        enforcePersistedQueries: true,
        generateHash: async text => idOf(JSON.parse(
            readFileSync(manifest, "utf8")), /\w+(Query|Mutation)/.exec(text)[0]) }));

function idOf(texts, name) {
    return Object.keys(texts).find(id => texts[id].includes(` ${name}`));
}

const client = new Client({
    url,
    fetch,
    preferGetMethod: process.env.GET === "1",
    exchanges: [...cache, ...persisted, fetchExchange],
    requestPolicy: "network-only",
    fetchOptions: () => ({ headers: headers() }),
});

await walk(async (name, variables) => {
    const isLogin = /Login|SignIn/.test(name);
    const execute = name.endsWith("Query") ? "query" : "mutation";
    const { data, error } = await client[execute](documents[name], variables,
        isLogin ? { url: loginUrl } : {}).toPromise();
    return { data, errors: error?.graphQLErrors,
        network: error?.networkError?.message };
});

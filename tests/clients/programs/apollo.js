// SPDX-License-Identifier: ISC
// Apollo Client with its normalizing cache, which adds __typename to every
// selection.
//
//   node apollo.js URL LOGIN_URL KIND EMAIL PASSWORD
//
// PERSISTED=1: send hashes, queries by GET. GET=1: send queries by GET.
// BATCH=1: send the requests of 20 ms as one batch.
// MANIFEST=FILE: send the ids of this manifest of Apollo's generator.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink,
    InMemoryCache, gql } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { BatchHttpLink } from "@apollo/client/link/batch-http";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import lists from "@apollo/persisted-query-lists";
import { fetch, headers, loginUrl, url } from "./session.js";
import { documents, walk } from "./walk.js";

const uri = ({ operationName }) =>
    (/Login|SignIn/.test(operationName) ? loginUrl : url);
const links = [new SetContextLink(({ headers: given }) =>
    ({ headers: { ...given, ...headers() } }))];
if (process.env.PERSISTED === "1")
    links.push(new PersistedQueryLink({ useGETForHashedQueries: true,
        sha256: text => createHash("sha256").update(text).digest("hex") }));
if (process.env.MANIFEST)
    links.push(new PersistedQueryLink(
        lists.generatePersistedQueryIdsFromManifest({ loadManifest: () =>
            JSON.parse(readFileSync(process.env.MANIFEST, "utf8")) })));
links.push(process.env.BATCH === "1"
    ? new BatchHttpLink({ uri, fetch, batchInterval: 20 })
    : new HttpLink({ uri, fetch,
        useGETForQueries: process.env.GET === "1" }));

const client = new ApolloClient({ link: ApolloLink.from(links),
    cache: new InMemoryCache({ possibleTypes: {
        Node: ["User", "Item"], Described: ["Item", "Note"],
        Found: ["Item", "Note"] } }),
    defaultOptions: {
        query: { fetchPolicy: "network-only", errorPolicy: "all" },
        mutate: { fetchPolicy: "network-only", errorPolicy: "all" } } });

await walk(async (name, variables) => {
    const document = gql(documents[name]);
    const { data, error } = await (name.endsWith("Query")
        ? client.query({ query: document, variables })
        : client.mutate({ mutation: document, variables }));
    return CombinedGraphQLErrors.is(error)
        ? { data, errors: error.errors }
        : { data, network: error?.message };
});
client.stop();

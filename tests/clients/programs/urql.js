// SPDX-License-Identifier: ISC
// urql with its document cache, which adds __typename to every selection.
//
//   node urql.js URL LOGIN_URL KIND EMAIL PASSWORD
//
// PERSISTED=1: by hash, mutations too; queries then go by GET.
// GET=1: queries by GET.
import { cacheExchange, Client, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { fetch, headers, loginUrl, url } from "./session.js";
import { documents, walk } from "./walk.js";

const persisted = process.env.PERSISTED === "1" ? [persistedExchange({
    enableForMutation: true, preferGetForPersistedQueries: true })] : [];
const client = new Client({
    url,
    fetch,
    preferGetMethod: process.env.GET === "1",
    exchanges: [cacheExchange, ...persisted, fetchExchange],
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

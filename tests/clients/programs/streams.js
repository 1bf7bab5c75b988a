// SPDX-License-Identifier: ISC
// Answers in several parts. The backend sends a part only after the one before
// has arrived here: if a part is buffered on the way, the stream stops.
//
//   CONTROL=URL node streams.js URL LOGIN_URL KIND EMAIL PASSWORD CLIENT
//
// CLIENT is a key of CLIENTS below. Prints a line for each part. CONTROL is the
// backend's URL for the requests that let it go on.
import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql }
    from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { Defer20220824Handler } from "@apollo/client/incremental";
import { Client, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { createClient } from "graphql-sse";
import { email, fetch, headers, keep, loginUrl, password, url }
    from "./session.js";

const LIMIT = 20000; // milliseconds
const key = createHash("sha256").update(email).digest("hex");
const ticks = `subscription Ticks($key: ID!, $count: Int!) {
    ticks(key: $key, count: $count)
}`;
const slow = `query Slow($key: ID!) {
    slow(key: $key) {
        now
        ... @defer {
            later
        }
    }
    me {
        email
    }
}`;
const login = `mutation Login($email: String!, $password: String!) {
    login(email: $email, password: $password) { secret } }`;

// Print a part that has arrived, and let the backend go on if there are more:
// it would keep an unused permission.
async function part(value, more) {
    console.log(JSON.stringify(value));
    if (!more)
        return;
    const answer = await globalThis.fetch(
        `${process.env.CONTROL}/_go?key=${key}`, { method: "POST" });
    await answer.text();
}

async function logIn() {
    const answer = await fetch(loginUrl, { method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query: login,
            variables: { email, password } }) });
    keep((await answer.json()).data.login.secret);
}

// --- urql ----------------------------------------------------------------------

function urql(exchanges) {
    return new Client({ url, fetch, fetchSubscriptions: true,
        requestPolicy: "network-only", preferGetMethod: false,
        exchanges: [...exchanges, fetchExchange],
        fetchOptions: () => ({ headers: headers() }) });
}

const persisted = () => [persistedExchange({ enableForSubscriptions: true,
    preferGetForPersistedQueries: true })];

function urqlTicks(exchanges, count) {
    return new Promise((resolve, reject) => {
        let seen = 0;
        const { unsubscribe } = urql(exchanges)
            .subscription(ticks, { key, count })
            .subscribe(({ data, error }) => {
                if (error)
                    reject(error);
                if (++seen > count)
                    return; // the end may be a separate result
                part(data, seen < count).catch(reject);
                if (seen === count) {
                    resolve();
                    setTimeout(() => unsubscribe());
                }
            });
    });
}

function urqlSlow(exchanges) {
    return new Promise((resolve, reject) => {
        const { unsubscribe } = urql(exchanges).query(slow, { key })
            .subscribe(({ data, error, hasNext }) => {
                if (error)
                    reject(error);
                part({ data, hasNext }, hasNext).catch(reject);
                if (!hasNext) {
                    resolve();
                    setTimeout(() => unsubscribe());
                }
            });
    });
}

// --- Apollo --------------------------------------------------------------------

function apolloSlow(links) {
    const client = new ApolloClient({
        cache: new InMemoryCache(),
        incrementalHandler: new Defer20220824Handler(),
        link: ApolloLink.from([
            new SetContextLink(() => ({ headers: headers() })),
            ...links, new HttpLink({ uri: url, fetch })]),
    });
    return new Promise((resolve, reject) => {
        client.watchQuery({ query: gql(slow), variables: { key },
            fetchPolicy: "no-cache", notifyOnNetworkStatusChange: false })
            .subscribe({
                next({ data, dataState, error }) {
                    if (error)
                        reject(error);
                    const isComplete = dataState === "complete";
                    part({ data, dataState }, !isComplete).catch(reject);
                    if (isComplete) {
                        resolve();
                        client.stop();
                    }
                },
                error: reject,
            });
    });
}

const hashes = [new PersistedQueryLink({ useGETForHashedQueries: true,
    sha256: text => createHash("sha256").update(text).digest("hex") })];

// --- graphql-sse ----------------------------------------------------------------

async function sseTicks(count) {
    const client = createClient({ url, fetchFn: fetch, headers,
        retryAttempts: 0 });
    let seen = 0;
    for await (const { data, errors } of client.iterate(
        { query: ticks, variables: { key, count } }))
        await part({ data, errors }, ++seen < count);
    client.dispose();
}

const CLIENTS = {
    "urql-ticks": () => urqlTicks([], 3),
    // The second time the server knows the hash.
    "urql-ticks-persisted": async () => {
        await urqlTicks(persisted(), 1);
        await urqlTicks(persisted(), 3);
    },
    "urql-slow": () => urqlSlow([]),
    "urql-slow-persisted": async () => {
        await urqlSlow(persisted());
        await urqlSlow(persisted());
    },
    "apollo-slow": () => apolloSlow([]),
    "apollo-slow-persisted": async () => {
        await apolloSlow(hashes);
        await apolloSlow(hashes);
    },
    "sse-ticks": () => sseTicks(3),
};

setTimeout(() => {
    console.error("timeout: a part did not arrive");
    process.exit(1);
}, LIMIT).unref();
await logIn();
await CLIENTS[process.argv[7]]();
console.error("null");
process.exit(0);

// SPDX-License-Identifier: ISC
// Query a large answer by hash and GET with Apollo and urql, twice: the second
// time the server knows the hash. Print the size of each answer.
//
//   SIZE=BYTES node large.js URL LOGIN_URL KIND EMAIL PASSWORD
import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql }
    from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { Client, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { url } from "./session.js";

const size = Number(process.env.SIZE);
const query = "query Large($size: Int!) { text(size: $size) }";
let last;

async function fetch(...request) {
    const response = await globalThis.fetch(...request);
    last = { method: request[1].method, status: response.status,
        encoding: response.headers.get("content-encoding") };
    return response;
}

function print(client, { data, error }) {
    console.log(JSON.stringify({ client, ...last, error: error?.message,
        size: data?.text.length, right: data?.text === "x".repeat(size) }));
}

for (let i = 0; i < 2; i++) {
    const apollo = new ApolloClient({ cache: new InMemoryCache(),
        link: ApolloLink.from([
            new PersistedQueryLink({ useGETForHashedQueries: true,
                sha256: text => createHash("sha256").update(text)
                    .digest("hex") }),
            new HttpLink({ uri: url, fetch })]) });
    print("apollo", await apollo.query({ query: gql(query),
        variables: { size } }));
    apollo.stop();
    const urql = new Client({ url, fetch, exchanges: [
        persistedExchange({ preferGetForPersistedQueries: true }),
        fetchExchange] });
    print("urql", await urql.query(query, { size }).toPromise());
}

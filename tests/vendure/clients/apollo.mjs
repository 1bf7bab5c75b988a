// SPDX-License-Identifier: ISC
// Apollo Client with Vendure's afterware: a link that keeps the header
// vendure-auth-token of an answer, and one that sends it as a bearer token.
//
//   node apollo.mjs URL EMAIL PASSWORD
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql }
    from "@apollo/client";
import { map } from "rxjs";

const [uri, username, password] = process.argv.slice(2);
const storage = new Map(); // for localStorage
const KEY = "auth_token";

const link = ApolloLink.from([
    new ApolloLink((operation, forward) => {
        const token = storage.get(KEY);
        if (token)
            operation.setContext({
                headers: { authorization: `Bearer ${token}` } });
        return forward(operation);
    }),
    new ApolloLink((operation, forward) => forward(operation).pipe(
        map(result => {
            const { response } = operation.getContext();
            const token = response.headers.get("vendure-auth-token");
            if (token)
                storage.set(KEY, token);
            return result;
        }))),
    new HttpLink({ uri }),
]);
const client = new ApolloClient({ link, cache: new InMemoryCache(),
    defaultOptions: { query: { fetchPolicy: "network-only",
        errorPolicy: "all" } } });

function say({ data, error }) {
    console.log(JSON.stringify(
        { data, code: error?.errors?.[0].extensions.code }));
}

const order = gql`query Order { activeOrder { id totalQuantity
    customer { id emailAddress } } }`;
const add = gql`mutation Add($n: Int!) {
    addItemToOrder(productVariantId: 1, quantity: $n) {
        ... on Order { totalQuantity } ... on ErrorResult { errorCode } } }`;
const login = gql`mutation Login($username: String!, $password: String!) {
    login(username: $username, password: $password) {
        ... on CurrentUser { identifier } ... on ErrorResult { errorCode } } }`;
const me = gql`query Me { me { identifier } }`;

// Ids are made by the shop; those of two runs differ.
function sayOrder({ data }) {
    const found = data.activeOrder;
    console.log(JSON.stringify(found && { n: found.totalQuantity,
        of: found.customer?.emailAddress }));
}

say(await client.query({ query: gql`{ products { totalItems } }` }));
sayOrder(await client.query({ query: order }));
say(await client.mutate({ mutation: add, variables: { n: 1 } }));
say(await client.mutate({ mutation: add, variables: { n: 2 } }));
say(await client.query({ query: me }));
say(await client.mutate({ mutation: login,
    variables: { username, password: "wrong" } }));
sayOrder(await client.query({ query: order }));
say(await client.mutate({ mutation: login,
    variables: { username, password } }));
sayOrder(await client.query({ query: order }));
say(await client.query({ query: me }));
client.stop();

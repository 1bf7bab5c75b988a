// SPDX-License-Identifier: ISC
// Apollo Client as in Vendure's documentation: one link keeps the header
// vendure-auth-token of an answer, another sends it as a bearer token.
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

function print({ data, error }) {
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

// Do not print ids: they differ from run to run.
function printOrder({ data }) {
    const found = data.activeOrder;
    console.log(JSON.stringify(found && { n: found.totalQuantity,
        of: found.customer?.emailAddress }));
}

print(await client.query({ query: gql`{ products { totalItems } }` }));
printOrder(await client.query({ query: order }));
print(await client.mutate({ mutation: add, variables: { n: 1 } }));
print(await client.mutate({ mutation: add, variables: { n: 2 } }));
print(await client.query({ query: me }));
print(await client.mutate({ mutation: login,
    variables: { username, password: "wrong" } }));
printOrder(await client.query({ query: order }));
print(await client.mutate({ mutation: login,
    variables: { username, password } }));
printOrder(await client.query({ query: order }));
print(await client.query({ query: me }));
client.stop();

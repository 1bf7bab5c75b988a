// SPDX-License-Identifier: ISC
// urql as in Fauna's documentation: the result of the login is kept until its
// ttl, and its secret is sent as a bearer token. urql sends queries that fit
// into a URL by GET.
//
//   node fauna.mjs URL EMAIL PASSWORD
import { Client, fetchExchange } from "@urql/core";

const [url, email, password] = process.argv.slice(2);
let stored; // {value, expires}, in place of a cookie

function session() {
    return stored && stored.expires > new Date()
        ? JSON.parse(stored.value) : null;
}

const client = new Client({
    url,
    exchanges: [fetchExchange],
    fetchOptions: () => {
        const secret = session()?.secret;
        return secret
            ? { headers: { authorization: `Bearer ${secret}` } } : {};
    },
});

function print({ data, error }) {
    console.log(JSON.stringify(
        { data, code: error?.graphQLErrors?.[0]?.extensions?.code }));
}

const login = `mutation OwnerLogin($email: String!, $password: String!) {
    login(email: $email, password: $password) { secret ttl email ownerId } }`;
const me = `query Me { me { email } }`;
const create = `mutation Create($name: String!) {
    createStore(name: $name) { name owner { email } } }`;

print(await client.query(me, {}));
print(await client.mutation(login, { email, password: "wrong" }));
const result = await client.mutation(login, { email, password });
const { secret, ttl, ownerId, ...rest } = result.data.login;
print({ data: { ...rest, secret: typeof secret, ownerId: typeof ownerId,
    late: new Date(ttl) > new Date() } });
stored = { value: JSON.stringify(result.data.login), expires: new Date(ttl) };
print(await client.query(me, {}));
print(await client.mutation(create, { name: "Stall" }));
print(await client.mutation("mutation { logout }", {}));
print(await client.query(me, {}));
console.error(JSON.stringify({ secret }));

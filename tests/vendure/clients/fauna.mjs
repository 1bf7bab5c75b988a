// SPDX-License-Identifier: ISC
// urql as the Fauna page has it: the login's own result is kept until its
// ttl, and its secret sent as a bearer token. It knows nothing of a gateway.
// What fits into an address urql asks by GET.
//
//   node fauna.mjs URL EMAIL PASSWORD
import { Client, fetchExchange } from "@urql/core";

const [url, email, password] = process.argv.slice(2);
let kept; // {value, expires}, for a cookie

function session() {
    return kept && kept.expires > new Date() ? JSON.parse(kept.value) : null;
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

function say({ data, error }) {
    console.log(JSON.stringify(
        { data, code: error?.graphQLErrors?.[0]?.extensions?.code }));
}

const login = `mutation OwnerLogin($email: String!, $password: String!) {
    login(email: $email, password: $password) { secret ttl email ownerId } }`;
const me = `query Me { me { email } }`;
const create = `mutation Create($name: String!) {
    createStore(name: $name) { name owner { email } } }`;

say(await client.query(me, {}));
say(await client.mutation(login, { email, password: "wrong" }));
const result = await client.mutation(login, { email, password });
const { secret, ttl, ownerId, ...rest } = result.data.login;
say({ data: { ...rest, secret: typeof secret, ownerId: typeof ownerId,
    late: new Date(ttl) > new Date() } });
kept = { value: JSON.stringify(result.data.login), expires: new Date(ttl) };
say(await client.query(me, {}));
say(await client.mutation(create, { name: "Stall" }));
say(await client.mutation("mutation { logout }", {}));
say(await client.query(me, {}));
console.error(JSON.stringify({ secret }));

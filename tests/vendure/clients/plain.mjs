// SPDX-License-Identifier: ISC
// A client as in Vendure's documentation of sessions: it keeps the header
// vendure-auth-token of each answer and sends it as Authorization: Bearer.
//
//   node plain.mjs URL EMAIL PASSWORD
const [url, username, password] = process.argv.slice(2);
let token;

async function request(query, variables) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const response = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...headers },
        body: JSON.stringify({ query, variables }),
    });
    const authToken = response.headers.get("vendure-auth-token");
    if (authToken != null)
        token = authToken;
    const { data, errors } = await response.json();
    console.log(JSON.stringify(
        { status: response.status, data, code: errors?.[0].extensions.code }));
}

const order = `{ activeOrder { totalQuantity customer { emailAddress }
    lines { quantity productVariant { sku } } } }`;
const add = `mutation ($n: Int!) {
    addItemToOrder(productVariantId: 1, quantity: $n) { __typename
        ... on Order { totalQuantity } } }`;
const login = `mutation ($username: String!, $password: String!) {
    login(username: $username, password: $password) { __typename
        ... on CurrentUser { identifier } ... on ErrorResult { errorCode } } }`;

await request("{ products { totalItems } }");
await request(order);
await request(add, { n: 1 });
await request(add, { n: 2 });
await request("{ me { identifier } }");
await request(login, { username, password: "wrong" });
await request(order);
await request(login, { username, password });
await request(order);
await request("{ me { identifier } }");
await request("mutation { logout { success } }");
await request("{ me { identifier } }");
await request(order);
await request(login, { username, password });
await request(order);

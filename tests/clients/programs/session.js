// SPDX-License-Identifier: ISC
// Where a stock application keeps its session, and how it sends it:
//
//   cookie  a cookie jar (tough-cookie) of fetch
//   secret  the result of the login, sent as Authorization: Bearer
//   header  the header vendure-auth-token of any answer, sent in the same way
//
// Arguments of every program: URL LOGIN_URL KIND EMAIL PASSWORD
import fetchCookie from "fetch-cookie";

export const [url, loginUrl, kind, email, password] = process.argv.slice(2);

const HEADER = "vendure-auth-token";
const send = kind === "cookie" ? fetchCookie(globalThis.fetch)
    : globalThis.fetch;
const tokens = { secret: null, header: null };

export async function fetch(input, init) {
    const response = await send(input, init);
    const token = response.headers.get(HEADER);
    if (token !== null)
        tokens.header = token;
    return response;
}

// Keep the secret of a login's result.
export function keep(secret) {
    tokens.secret = secret;
}

// Forget the session, without a request.
export function forget() {
    tokens.secret = tokens.header = null;
}

export function headers() {
    const token = kind === "cookie" ? null : tokens[kind];
    return token ? { authorization: `Bearer ${token}` } : {};
}

// A browser adds fetch metadata, Node.js does not. Without it, an upload with a
// cookie could come from a form of another site (design 2.7).
export const uploadHeaders = kind === "cookie"
    ? { "apollo-require-preflight": "true" } : {};

// Print the tokens to standard error, for the test.
export function report() {
    console.error(JSON.stringify(tokens));
}

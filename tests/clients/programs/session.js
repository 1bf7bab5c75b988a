// SPDX-License-Identifier: ISC
// What a stock application keeps of a session, and how it sends it:
//
//   cookie  a cookie jar (tough-cookie) under fetch
//   secret  the login's own result, sent as Authorization: Bearer
//   header  the header vendure-auth-token of any answer, sent likewise
//
// Arguments of every program: URL LOGIN_URL KIND EMAIL PASSWORD
import fetchCookie from "fetch-cookie";

export const [url, loginUrl, kind, email, password] = process.argv.slice(2);

const HEADER = "vendure-auth-token";
const send = kind === "cookie" ? fetchCookie(globalThis.fetch)
    : globalThis.fetch;
const told = { secret: null, header: null };

export async function fetch(input, init) {
    const response = await send(input, init);
    const token = response.headers.get(HEADER);
    if (token !== null)
        told.header = token;
    return response;
}

// Keep what a login's result says.
export function keep(secret) {
    told.secret = secret;
}

// Log out on this side.
export function forget() {
    told.secret = told.header = null;
}

export function headers() {
    const token = kind === "cookie" ? null : told[kind];
    return token ? { authorization: `Bearer ${token}` } : {};
}

// What a browser adds by itself, and Node.js does not: without it an upload
// with a cookie might come from a form of another site (design 2.7).
export const uploadHeaders = kind === "cookie"
    ? { "apollo-require-preflight": "true" } : {};

// For whoever started this: what was kept, on a way of its own.
export function report() {
    console.error(JSON.stringify(told));
}

// SPDX-License-Identifier: ISC
// Log in and upload files with Apollo and urql.
//
//   node uploads.js URL LOGIN_URL KIND EMAIL PASSWORD
import { ApolloClient, ApolloLink, InMemoryCache, gql } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { Client, fetchExchange } from "@urql/core";
import UploadHttpLink from "apollo-upload-client/UploadHttpLink.mjs";
import { email, fetch, headers, keep, loginUrl, password, uploadHeaders, url }
    from "./session.js";

const LARGE = 3 << 20; // bytes; too large to be kept in memory
const login = `mutation Login($email: String!, $password: String!) {
    login(email: $email, password: $password) { secret } }`;
const me = "query Me { me { email } }";
const one = `mutation One($file: File!, $note: String) {
    upload(file: $file, note: $note) { name size sha256 note } }`;
const several = `mutation Several($files: [File!]!) {
    uploads(files: $files) { name size sha256 } }`;

const small = new File(["a small file, é\r\n--\r\n"], "small é \"q\".txt",
    { type: "text/plain" });
const empty = new File([], "empty");
const large = new File([Buffer.alloc(LARGE, "0123456789abcdef\r\n--")],
    "large.bin", { type: "application/octet-stream" });

function print(step, { data, error }) {
    console.log(JSON.stringify({ step, data, error: error?.message }));
}

const apollo = new ApolloClient({
    cache: new InMemoryCache(),
    defaultOptions: { query: { fetchPolicy: "network-only" } },
    link: ApolloLink.from([
        new SetContextLink(() =>
            ({ headers: { ...headers(), ...uploadHeaders } })),
        new UploadHttpLink({ fetch, uri: ({ operationName }) =>
            (operationName === "Login" ? loginUrl : url) })]),
});
const urql = new Client({ url, fetch, exchanges: [fetchExchange],
    fetchOptions: () => ({ headers: { ...headers(), ...uploadHeaders } }) });

const { data } = await apollo.mutate({ mutation: gql(login),
    variables: { email, password } });
keep(data.login.secret);
print("apollo", await apollo.query({ query: gql(me) }));
print("urql", await urql.query(me, {}).toPromise());
for (const [document, variables] of [
    [one, { file: small, note: "\u{1f3c3} \"" }], [one, { file: empty }],
    [one, { file: large }], [several, { files: [large, small, empty] }]]) {
    print("apollo", await apollo.mutate({ mutation: gql(document), variables }));
    print("urql", await urql.mutation(document, variables).toPromise());
}
apollo.stop();
console.error("null");

// SPDX-License-Identifier: ISC
// Uploads as Apollo and urql send them, as a user who has logged in.
//
//   node uploads.js URL LOGIN_URL KIND EMAIL PASSWORD
import { ApolloClient, ApolloLink, InMemoryCache, gql } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { Client, fetchExchange } from "@urql/core";
import UploadHttpLink from "apollo-upload-client/UploadHttpLink.mjs";
import { email, fetch, headers, keep, loginUrl, password, uploadHeaders, url }
    from "./session.js";

const LARGE = 3 << 20; // bytes; more than anybody holds in memory for it
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

function say(step, { data, error }) {
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
say("apollo", await apollo.query({ query: gql(me) }));
say("urql", await urql.query(me, {}).toPromise());
for (const [document, variables] of [
    [one, { file: small, note: "\u{1f3c3} \"" }], [one, { file: empty }],
    [one, { file: large }], [several, { files: [large, small, empty] }]]) {
    say("apollo", await apollo.mutate({ mutation: gql(document), variables }));
    say("urql", await urql.mutation(document, variables).toPromise());
}
apollo.stop();
console.error("null");

// SPDX-License-Identifier: ISC
// Relay with the documents that relay-compiler has written to __generated__.
//
//   node relay.js URL LOGIN_URL KIND EMAIL PASSWORD
//
// PERSISTED=1: the compiler has written ids instead of texts; send them as
// doc_id.
import relay from "relay-runtime";
import { fetch, headers, loginUrl, url } from "./session.js";
import { print, walk } from "./walk.js";

const { commitMutation, Environment, fetchQuery, Network, RecordSource,
    Store } = relay;

let lastAnswer;

async function request({ name, text, id }, variables) {
    const response = await fetch(/Login|SignIn/.test(name) ? loginUrl : url, {
        method: "POST",
        headers: { "content-type": "application/json",
            accept: "application/json", ...headers() },
        body: JSON.stringify(text === null ? { doc_id: id, variables }
            : { query: text, variables }),
    });
    lastAnswer = await response.json();
    return lastAnswer;
}

const environment = new Environment({ network: Network.create(request),
    store: new Store(new RecordSource()) });

async function load(name) {
    return (await import(`./__generated__/${name}.graphql.js`)).default;
}

function mutate(mutation, variables) {
    return new Promise((resolve, reject) => commitMutation(environment, {
        mutation, variables, onError: reject,
        onCompleted: data => resolve(data) }));
}

// Relay reports the errors of a query only if the data is null.
async function send(name, variables) {
    const document = await load(name);
    let thrown = false;
    try {
        await (name.endsWith("Query")
            ? fetchQuery(environment, document, variables).toPromise()
            : mutate(document, variables));
    } catch {
        thrown = true;
    }
    const { data, errors } = lastAnswer;
    return { data, errors, thrown };
}

let previous = Promise.resolve(); // one request at a time, for lastAnswer

await walk((name, variables) => {
    previous = previous.then(() => send(name, variables));
    return previous;
});

// Documents with the compiler's additions to connections and nodes.
print("connection", await send("connectionBagQuery", { first: 10 }));
const { edges } = lastAnswer.data.me.bag;
print("node", await send("connectionNodeQuery", { id: edges[0].node.id }));

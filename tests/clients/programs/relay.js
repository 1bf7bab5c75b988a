// SPDX-License-Identifier: ISC
// Relay: documents as relay-compiler has written them, in __generated__.
//
//   node relay.js URL LOGIN_URL KIND EMAIL PASSWORD
//
// PERSISTED=1: the compiler has kept the texts to itself, and only their ids
// are sent, as doc_id.
import relay from "relay-runtime";
import { fetch, headers, loginUrl, url } from "./session.js";
import { say, walk } from "./walk.js";

const { commitMutation, Environment, fetchQuery, Network, RecordSource,
    Store } = relay;

let answered; // what the network has said last

async function request({ name, text, id }, variables) {
    const response = await fetch(/Login|SignIn/.test(name) ? loginUrl : url, {
        method: "POST",
        headers: { "content-type": "application/json",
            accept: "application/json", ...headers() },
        body: JSON.stringify(text === null ? { doc_id: id, variables }
            : { query: text, variables }),
    });
    answered = await response.json();
    return answered;
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

// Relay shows a query's errors only where the data is null.
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
    const { data, errors } = answered;
    return { data, errors, thrown };
}

let turn = Promise.resolve(); // one at a time, so that answered is the right one

await walk((name, variables) => {
    turn = turn.then(() => send(name, variables));
    return turn;
});

// What the compiler adds to connections and to nodes.
say("connection", await send("connectionBagQuery", { first: 10 }));
const { edges } = answered.data.me.bag;
say("node", await send("connectionNodeQuery", { id: edges[0].node.id }));

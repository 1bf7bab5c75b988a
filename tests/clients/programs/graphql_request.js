// SPDX-License-Identifier: ISC
// graphql-request: a client for each URL, single requests or batches.
//
//   node graphql_request.js URL LOGIN_URL KIND EMAIL PASSWORD
//
// BATCH=1: send every request as a batch. GET=1: send queries by GET.
import { ClientError, GraphQLClient } from "graphql-request";
import { fetch, headers, loginUrl, url } from "./session.js";
import { documents, walk } from "./walk.js";

const isLogin = name => /Login|SignIn/.test(name);
const isQuery = name => name.endsWith("Query");
const options = { fetch, headers, errorPolicy: "all" };
const post = new GraphQLClient(url, options);
const login = new GraphQLClient(loginUrl, options);
const get = new GraphQLClient(url, { ...options, method: "GET",
    jsonSerializer: JSON });

function clientFor(name) {
    if (isLogin(name))
        return login;
    return process.env.GET === "1" && isQuery(name) ? get : post;
}

async function single(name, variables) {
    const { data, errors, status } = await clientFor(name).rawRequest(
        documents[name], variables);
    return { data, errors, status };
}

async function batch(name, variables) {
    const result = await clientFor(name).batchRequests(
        [{ document: documents[name], variables }]);
    return { data: result[0].data, errors: result[0].errors,
        length: result.length };
}

const send = process.env.BATCH === "1" ? batch : single;

await walk(async (name, variables) => {
    try {
        return await send(name, variables);
    } catch (error) {
        if (!(error instanceof ClientError))
            throw error;
        const { data, errors, status } = error.response;
        return { data, errors, status, thrown: true };
    }
});

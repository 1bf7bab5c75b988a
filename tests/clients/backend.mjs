// SPDX-License-Identifier: ISC
// A typical GraphQL server: graphql-yoga with automatic persisted queries,
// batches, uploads, subscriptions by SSE and @defer. Accounts and their items
// are kept in memory.
//
//   CLIENTS_FOLDER=DIR node backend.mjs
//
// CLIENTS_FOLDER is the folder of its packages. The server prints "listening on
// URL" when it is ready. Its paths besides /graphql:
//
//   /audit              the same schema served by graphql-http
//   POST /_account      create an account: {email, password} returns {owner}
//   GET  /_seen         the requests of /graphql and /audit since the last
//                       call, and all tokens that were ever issued
//   POST /_go?key=K     let the stream that waits for this key send a part
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const require = createRequire(join(process.env.CLIENTS_FOLDER, "/"));
const { createSchema, createYoga } = require("graphql-yoga");
const { useAPQ } = require("@graphql-yoga/plugin-apq");
const { useDeferStream } = require("@graphql-yoga/plugin-defer-stream");
const { createHandler } = require("graphql-http/lib/use/http");
const { GraphQLError } = require("graphql");

const HOUR = 3600 * 1000; // milliseconds
const GZIP_MIN = 1024; // bytes

// --- accounts and waiting streams -------------------------------------------------

const accounts = new Map(); // by e-mail
const tokens = new Map();   // token: account, until it is logged out
const everyToken = [];
const waiting = new Map();  // key: {steps, wake}
let seen = [];

function createAccount({ email, password }) {
    const owner = `owner-${randomBytes(6).toString("hex")}`;
    accounts.set(email, { id: owner, email, password, name: "Ada", items: [] });
    return { owner };
}

function beginSession(email, password) {
    const account = accounts.get(email);
    if (!account || account.password !== password)
        throw refusal("Invalid credentials", "INVALID_CREDENTIALS");
    const token = randomBytes(32).toString("base64url");
    tokens.set(token, account);
    everyToken.push(token);
    return { token, ttl: new Date(Date.now() + HOUR).toISOString(), account };
}

function refusal(message, code) {
    return new GraphQLError(message, { extensions: { code } });
}

function stepsOf(key) {
    if (!waiting.has(key))
        waiting.set(key, { steps: 0, wake: () => {} });
    return waiting.get(key);
}

async function nextStep(key) {
    const state = stepsOf(key);
    while (state.steps === 0)
        await new Promise(resolve => { state.wake = resolve; });
    state.steps--;
}

function go(key) {
    const state = stepsOf(key);
    state.steps++;
    state.wake();
}

// --- the schema --------------------------------------------------------------------

const typeDefs = /* GraphQL */ `
    scalar File
    interface Node { id: ID! }
    interface Described { title: String! }
    type Login { secret: String!, ttl: String!, email: String!, ownerId: ID! }
    input Credentials { email: String!, password: String! }
    type Session { secret: String!, ttl: String! }
    type SignIn { session: Session!, viewer: User! }
    type User implements Node { id: ID!, email: String!, name: String!
        bag(first: Int = 10, after: String): ItemConnection! }
    type Item implements Node & Described { id: ID!, title: String!
        price: Float!, tags: [String!]!, owner: User }
    type Note implements Described { title: String!, text: String! }
    union Found = Item | Note
    type ItemConnection { edges: [ItemEdge!]!, pageInfo: PageInfo!
        totalCount: Int! }
    type ItemEdge { cursor: String!, node: Item! }
    type PageInfo { hasNextPage: Boolean!, endCursor: String
        hasPreviousPage: Boolean!, startCursor: String }
    input NewItem { title: String!, price: Float = 1, tags: [String!] = [] }
    type Uploaded { name: String!, size: Int!, sha256: String!, note: String }
    type Slow { now: String!, later: String! }
    type Query {
        me: User
        node(id: ID!): Node
        find(text: String!): [Found!]!
        echo(text: String!): String!
        text(size: Int!): String!
        slow(key: ID!): Slow!
    }
    type Mutation {
        login(email: String!, password: String!): Login
        signIn(input: Credentials!): SignIn
        logout: Boolean!
        addItem(input: NewItem!): Item!
        forbidden: Boolean!
        upload(file: File!, note: String): Uploaded!
        uploads(files: [File!]!): [Uploaded!]!
    }
    type Subscription { ticks(key: ID!, count: Int!): Int! }`;

async function uploaded(file, note) {
    const bytes = Buffer.from(await file.arrayBuffer());
    return { name: file.name, size: bytes.length, note,
        sha256: createHash("sha256").update(bytes).digest("hex") };
}

function needAccount({ account }) {
    if (!account)
        throw refusal("Not logged in", "UNAUTHENTICATED");
    return account;
}

function page({ items }, { first, after }) {
    const start = after ? Number(after) : 0;
    const chosen = items.slice(start, start + first);
    const end = start + chosen.length;
    return { totalCount: items.length,
        edges: chosen.map((node, i) => ({ node, cursor: `${start + i + 1}` })),
        pageInfo: { hasNextPage: end < items.length, endCursor: `${end}`,
            hasPreviousPage: start > 0, startCursor: `${start + 1}` } };
}

const resolvers = {
    Node: { __resolveType: value => (value.items ? "User" : "Item") },
    Described: { __resolveType: value => (value.text ? "Note" : "Item") },
    Found: { __resolveType: value => (value.text ? "Note" : "Item") },
    User: { bag: page },
    Slow: { later: async ({ key }) => { await nextStep(key); return "later"; } },
    Query: {
        me: (_, __, context) => needAccount(context),
        node(_, { id }, context) {
            const account = needAccount(context);
            return [account, ...account.items].find(one => one.id === id);
        },
        find: (_, { text }, context) => [
            ...needAccount(context).items.filter(({ title }) =>
                title.includes(text)),
            { title: `about ${text}`, text: "a note" }],
        echo: (_, { text }) => text,
        text: (_, { size }) => "x".repeat(size),
        slow: (_, { key }) => ({ key, now: "now" }),
    },
    Mutation: {
        login(_, { email, password }) {
            const { token, ttl, account } = beginSession(email, password);
            return { secret: token, ttl, email, ownerId: account.id };
        },
        signIn(_, { input: { email, password } }) {
            const { token, ttl, account } = beginSession(email, password);
            return { session: { secret: token, ttl }, viewer: account };
        },
        logout: (_, __, { token }) => tokens.delete(token),
        addItem(_, { input }, context) {
            const account = needAccount(context);
            const item = { id: `${account.id}-${account.items.length}`,
                ...input, owner: account };
            account.items.push(item);
            return item;
        },
        forbidden() {
            throw refusal("Not for you", "FORBIDDEN");
        },
        upload: (_, { file, note }) => uploaded(file, note),
        uploads: (_, { files }) => Promise.all(files.map(file =>
            uploaded(file))),
    },
    Subscription: {
        ticks: {
            resolve: value => value,
            async *subscribe(_, { key, count }) {
                for (let n = 1; n <= count; n++) {
                    yield n;
                    if (n < count)
                        await nextStep(key);
                }
            },
        },
    },
};

const schema = createSchema({ typeDefs, resolvers });

function contextOf(authorization) {
    const token = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
    return { token, account: tokens.get(token) };
}

// --- the server --------------------------------------------------------------------

// Compress complete answers, not streams.
const gzipLargeAnswers = {
    async onResponse({ request, response, setResponse, fetchAPI }) {
        const type = response.headers.get("content-type") ?? "";
        if (!type.includes("json") || !/\bgzip\b/.test(
            request.headers.get("accept-encoding") ?? ""))
            return;
        const body = Buffer.from(await response.arrayBuffer());
        const headers = new fetchAPI.Headers(response.headers);
        headers.delete("content-length");
        const isLarge = body.length >= GZIP_MIN;
        if (isLarge) {
            headers.set("content-encoding", "gzip");
            headers.set("vary", "Accept-Encoding");
        }
        setResponse(new fetchAPI.Response(isLarge ? gzipSync(body) : body,
            { status: response.status, headers }));
    },
};

const yoga = createYoga({
    schema,
    batching: { limit: 50 },
    graphiql: false,
    landingPage: false,
    logging: false,
    maskedErrors: false,
    context: ({ request }) => contextOf(request.headers.get("authorization")),
    plugins: [useAPQ({ responseConfig: { forceStatusCodeOk: true } }),
        useDeferStream(), gzipLargeAnswers],
});
const audited = createHandler({ schema,
    context: ({ headers }) => contextOf(headers.authorization) });

async function control(request, response, url) {
    const chunks = [];
    for await (const chunk of request)
        chunks.push(chunk);
    let result = {};
    if (url.pathname === "/_account") {
        result = createAccount(JSON.parse(Buffer.concat(chunks)));
    } else if (url.pathname === "/_seen") {
        result = { seen, tokens: everyToken };
        seen = [];
    } else if (url.pathname === "/_go") {
        go(url.searchParams.get("key"));
    }
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(result));
}

const server = createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    if (url.pathname.startsWith("/_")) {
        control(request, response, url);
        return;
    }
    seen.push({ method: request.method, path: request.url,
        header: request.headers });
    (url.pathname === "/audit" ? audited : yoga)(request, response);
});
server.listen(0, "127.0.0.1", () => console.log(
    `listening on http://127.0.0.1:${server.address().port}/graphql`));

for (const name of ["SIGTERM", "SIGINT"])
    process.on(name, () => process.exit(0));
process.stdin.on("end", () => process.exit(0)).resume(); // the parent process has ended

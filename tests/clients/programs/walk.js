// SPDX-License-Identifier: ISC
// The requests that every client sends; prints a line of JSON for each. The
// documents have the form that relay-compiler needs: their names begin with the
// name of this file, and each is in a template with the tag "graphql".
import { email, forget, keep, password, report } from "./session.js";

const graphql = String.raw;

const item = graphql`
    fragment walk_item on Item {
        id
        title
        price
        tags
        ...walk_owner
    }`;
const owner = graphql`
    fragment walk_owner on Item {
        owner {
            address: email
        }
    }`;
const note = graphql`
    fragment walk_note on Note {
        text
    }`;

export const documents = {
    walkMeQuery: graphql`
        query walkMeQuery {
            me {
                id
                email
                name
            }
        }`,
    walkLoginMutation: graphql`
        mutation walkLoginMutation($email: String!, $password: String!) {
            login(email: $email, password: $password) {
                secret
                ttl
                email
                ownerId
            }
        }`,
    walkSignInMutation: graphql`
        mutation walkSignInMutation($input: Credentials!) {
            signIn(input: $input) {
                session {
                    secret
                    ttl
                }
                viewer {
                    id
                    email
                    ... on Node {
                        id
                    }
                }
            }
        }`,
    walkAddMutation: graphql`
        mutation walkAddMutation($input: NewItem!) {
            addItem(input: $input) {
                ...walk_item
            }
        }` + item + owner,
    walkBagQuery: graphql`
        query walkBagQuery($first: Int!, $after: String, $all: Boolean!) {
            me {
                bag(first: $first, after: $after) {
                    totalCount
                    edges {
                        cursor
                        node {
                            title
                            ...walk_item @include(if: $all)
                        }
                    }
                    pageInfo {
                        hasNextPage
                        endCursor
                    }
                }
            }
        }` + item + owner,
    walkFindQuery: graphql`
        query walkFindQuery($text: String!) {
            find(text: $text) {
                __typename
                ... on Item {
                    id
                    price
                }
                ... on Described {
                    title
                }
                ...walk_note
            }
        }` + note,
    walkEchoQuery: graphql`
        query walkEchoQuery($text: String!) {
            echo(text: $text)
        }`,
    walkQuotedQuery: graphql`
        query walkQuotedQuery {
            echo(text: "a \"quote\", { no brace, \u00e9")
        }`,
    walkForbiddenMutation: graphql`
        mutation walkForbiddenMutation {
            forbidden
        }`,
    walkLogoutMutation: graphql`
        mutation walkLogoutMutation {
            logout
        }`,
};

const TEXT = "\u{1f3c3} \u2028 \\ \" \t é </script> \u0001";

export function print(step, { data, errors, ...more }) {
    console.log(JSON.stringify({ step, data, errors: errors?.map(
        ({ message, path, extensions }) =>
            ({ message, path, code: extensions?.code })), ...more }));
}

// Keep the secret of a login, and print its result. The secret and the time
// differ from run to run: print "a string" and "later" instead.
function printLogin(step, { data, errors, ...more }, read) {
    const session = data && read(data);
    if (!session) {
        print(step, { data, errors, ...more });
        return;
    }
    keep(session.secret);
    const text = JSON.stringify({ data, ...more })
        .replaceAll(JSON.stringify(session.secret),
            JSON.stringify(session.secret === null ? "null" : "a string"))
        .replaceAll(JSON.stringify(session.ttl),
            JSON.stringify(new Date(session.ttl) > new Date()
                ? "later" : "past"));
    print(step, { errors, ...JSON.parse(text) });
}

// send(name, variables) returns {data, errors} of a document, and other members
// that the client reports. With a MANIFEST, one document is not sent: GraphQL
// Code Generator (6.2) fails to read its backslashes.
export async function walk(send) {
    const signIn = process.env.SIGN_IN === "1";
    const logIn = async (step, secret) => signIn
        ? printLogin(step, await send("walkSignInMutation",
            { input: { email, password: secret } }),
        data => data.signIn?.session)
        : printLogin(step, await send("walkLoginMutation",
            { email, password: secret }), data => data.login);
    const ask = async (step, name, variables = {}) =>
        print(step, await send(name, variables));

    await ask("anonymous", "walkMeQuery");
    await logIn("wrong password", "not the password");
    await ask("still anonymous", "walkMeQuery");
    await logIn("login", password);
    await ask("me", "walkMeQuery");
    await ask("add", "walkAddMutation", { input: { title: "a lantern" } });
    await ask("add more", "walkAddMutation", { input: {
        title: "a rope", price: 12.5, tags: ["", "long", TEXT] } });
    await ask("bag", "walkBagQuery", { first: 1, all: true });
    await ask("next page", "walkBagQuery",
        { first: 1, after: "1", all: false });
    await ask("find", "walkFindQuery", { text: "lantern" });
    await ask("echo", "walkEchoQuery", { text: TEXT });
    if (process.env.MANIFEST === undefined)
        await ask("quoted", "walkQuotedQuery");
    await ask("forbidden", "walkForbiddenMutation");
    const parallel = await Promise.all([
        send("walkMeQuery", {}),
        send("walkFindQuery", { text: "rope" }),
        send("walkForbiddenMutation", {}),
        send("walkBagQuery", { first: 2, all: false })]);
    parallel.forEach((result, i) => print(`parallel ${i}`, result));
    await logIn("wrong password with a session", "not the password");
    await ask("still me", "walkMeQuery");
    await ask("logout", "walkLogoutMutation");
    await ask("logged out", "walkMeQuery");
    forget();
    await ask("anonymous again", "walkMeQuery");
    await logIn("again", password);
    await ask("me again", "walkMeQuery");
    report();
}

# SPDX-License-Identifier: ISC
"""Stock clients get the same results directly at a backend and through the
gateway. Only their URLs differ (issue 8)."""

import os

import pytest

import conftest

# For each client: the program and its environment.
CLIENTS = {
    "graphql-request": ("graphql_request.js", {}),
    "graphql-request-get": ("graphql_request.js", {"GET": "1"}),
    "graphql-request-batch": ("graphql_request.js", {"BATCH": "1"}),
    "urql": ("urql.js", {}),
    "urql-get": ("urql.js", {"GET": "1"}),
    "urql-persisted": ("urql.js", {"PERSISTED": "1"}),
    "apollo": ("apollo.js", {}),
    "apollo-get": ("apollo.js", {"GET": "1"}),
    "apollo-persisted": ("apollo.js", {"PERSISTED": "1"}),
    "apollo-batch": ("apollo.js", {"BATCH": "1"}),
    "relay": ("relay.js", {}),
}
METHODS = {"cookie": "cookie", "secret": "bearer", "header": "bearer"}
CLIENT = pytest.mark.parametrize("client", CLIENTS)
KIND = pytest.mark.parametrize("kind", METHODS)


@pytest.fixture(name="direct", scope="module")
def direct_fixture(server, programs):
    """direct(client): the client's results directly at the backend."""
    result = {}

    def direct(client, **environment):
        program, options = CLIENTS[client]
        key = (client, *environment.items())
        if key not in result:
            lines, tokens = programs.run(program, server.url,
                                         server.register(),
                                         **options, **environment)
            assert isinstance(tokens["secret"], str)
            result[key] = lines
        return result[key]

    return direct


def without_secret(lines, kind):
    """With a cookie, the secret is null (design 2.5)."""
    def without(value):
        if isinstance(value, dict):
            return {k: "null" if k == "secret" else without(v)
                    for k, v in value.items()}
        return value
    return [without(line) for line in lines] if kind == "cookie" else lines


def check_walk(gateway, server, account, result, wanted, kind):
    """The results are the same, and the backend authenticated the user."""
    lines, tokens = result
    for line, want in zip(lines, wanted):
        assert line == want
    assert len(lines) == len(wanted)
    if kind == "cookie":
        assert tokens == {"secret": None, "header": None}
    else:
        gateway.private.update(filter(None, tokens.values()))
        claims = gateway.open_token(tokens[kind])
        assert (claims["sub"], claims["name"]) == (account.owner,
                                                   account.email)
    sent = {request["header"].get("authorization", "")[7:]
            for request in server.seen()} - {""}
    assert sent and sent <= server.known  # the backend's tokens only


@KIND
@CLIENT
def test_login_mutation_sent_to_query(server, programs, gateway_for, direct,
                                      client, kind):
    wanted = without_secret(direct(client), kind)
    gateway = gateway_for(METHODS[kind])
    server.seen()
    account = server.register()
    program, options = CLIENTS[client]
    result = programs.run(program, f"http://localhost:{gateway.port}/query",
                          account, kind, **options)
    check_walk(gateway, server, account, result, wanted, kind)


@KIND
@CLIENT
def test_login_mutation_sent_to_login(server, programs, gateway_for, direct,
                                      client, kind):
    """The login mutation is sent to /login."""
    wanted = without_secret(direct(client), kind)
    gateway = gateway_for(METHODS[kind])
    server.seen()
    account = server.register()
    program, options = CLIENTS[client]
    result = programs.run(program, f"http://localhost:{gateway.port}/query",
                          account, kind,
                          f"http://localhost:{gateway.port}/login",
                          **options)
    check_walk(gateway, server, account, result, wanted, kind)


SIGN_IN = """mutation ($email: String!, $password: String!) {
    signIn(input: {email: $email, password: $password}) {
        session { secret ttl } viewer { ... on Node { id } id email } } }"""


@pytest.mark.parametrize("kind", ["cookie", "secret"])
@CLIENT
def test_login_mutation_with_an_input_object(
        server, programs, gateway_for, direct, client, kind, tmp_path_factory):
    """The convention of Relay: one input object has all arguments, and the
    secret is below another field. The client uses its own variable name."""
    path = tmp_path_factory.getbasetemp() / "sign-in.graphql"
    path.write_text(SIGN_IN, encoding="utf-8")
    gateway = gateway_for(METHODS[kind], POSTERN_LOGIN_DOCUMENT=str(path),
                          POSTERN_UPSTREAM_TOKEN="json:session/secret",
                          POSTERN_SUBJECT="viewer/id",
                          POSTERN_NAME="viewer/email",
                          POSTERN_TTL="session/ttl")
    wanted = without_secret(direct(client, SIGN_IN="1"), kind)
    server.seen()
    account = server.register()
    program, options = CLIENTS[client]
    result = programs.run(program, f"http://localhost:{gateway.port}/query",
                          account, kind, SIGN_IN="1", **options)
    check_walk(gateway, server, account, result, wanted, kind)


def test_introspection_gives_the_same_schema(server, programs, gateway_for):
    """The schema has the secret field."""
    direct, _ = programs.run("introspect.js", server.url, server.register())
    through, _ = programs.run(
        "introspect.js", f"http://localhost:{gateway_for('cookie').port}/query",
        server.register())
    assert through == direct and "secret: String!" in direct[0]


# --- persisted documents: only those of a manifest (design 2.6) --------------


@pytest.fixture(name="manifests", scope="module")
def manifests_fixture():
    """Programs in a folder with the manifests of the generators of Relay,
    Apollo and GraphQL Code Generator."""
    programs = conftest.Programs()
    programs.write("persisted.json", {})
    programs.compile_for_relay(persistConfig={"file": "persisted.json",
                                              "algorithm": "SHA256"})
    programs.node("manifests.js")
    programs.write("persisted-query-manifest.config.cjs",
                   'module.exports = { documents: ["documents/*.graphql"] };')
    programs.node(
        "node_modules/.bin/generate-persisted-query-manifest", "--config",
        "persisted-query-manifest.config.cjs")
    yield programs
    programs.close()


# The manifest file and the program that uses it.
MANIFESTS = {
    "relay": ("persisted.json", "relay.js"),
    "apollo": ("persisted-query-manifest.json", "apollo.js"),
    "codegen-urql": ("hashes.json", "urql.js"),
    "codegen-id": ("codegen.json", "by_id.js"),
    "codegen-hash-id": ("hashes.json", "by_id.js"),
}


@pytest.mark.parametrize("kind", ["cookie", "secret"])
@pytest.mark.parametrize("manifest", MANIFESTS)
def test_documents_of_a_manifest_are_sent_as_text(
        server, programs, manifests, gateway_for, manifest, kind):
    """Postern sends the texts to the backend, which does not know the ids."""
    name, program = MANIFESTS[manifest]
    path = os.path.join(manifests.folder, name)
    wanted, _ = programs.run(program, server.url, server.register(),
                             MANIFEST="")
    wanted = without_secret(wanted, kind)
    gateway = gateway_for(METHODS[kind], POSTERN_DOCUMENTS=path,
                          POSTERN_DOCUMENTS_ONLY="on")
    server.seen()
    account = server.register()
    result = manifests.run(program, f"http://localhost:{gateway.port}/query",
                           account, kind, MANIFEST=path)
    check_walk(gateway, server, account, result, wanted, kind)
    answer = gateway.query("{ me { email } }")
    assert (answer.status, answer.code) == (400, "DOCUMENT_NOT_ALLOWED")

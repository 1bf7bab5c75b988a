# SPDX-License-Identifier: ISC
"""Stock clients walk the same way straight to a backend and through the
gateway, with only their addresses changed, and find the same (issue 8)."""

import os

import pytest

import conftest

# program, environment: what each client can be told to do.
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


@pytest.fixture(name="alone", scope="module")
def alone_fixture(server, programs):
    """alone(client): what it finds straight at the backend."""
    found = {}

    def alone(client, **environment):
        program, options = CLIENTS[client]
        key = (client, *environment.items())
        if key not in found:
            lines, told = programs.run(program, server.url, server.register(),
                                       **options, **environment)
            assert isinstance(told["secret"], str)
            found[key] = lines
        return found[key]

    return alone


def without_secret(lines, kind):
    """With a cookie, the secret is null (design 2.5)."""
    def cleared(value):
        if isinstance(value, dict):
            return {k: "null" if k == "secret" else cleared(v)
                    for k, v in value.items()}
        return value
    return [cleared(line) for line in lines] if kind == "cookie" else lines


def check_walk(gate, server, account, found, wanted, kind):
    """The same was found, by somebody whom the backend knew as himself."""
    lines, told = found
    for line, want in zip(lines, wanted):
        assert line == want
    assert len(lines) == len(wanted)
    if kind == "cookie":
        assert told == {"secret": None, "header": None}
    else:
        gate.private.update(filter(None, told.values()))
        claims = gate.open_token(told[kind])
        assert (claims["sub"], claims["name"]) == (account.owner,
                                                   account.email)
    sent = {request["header"].get("authorization", "")[7:]
            for request in server.seen()} - {""}
    assert sent and sent <= server.known  # the backend's own, and no other


@KIND
@CLIENT
def test_login_through_query(server, programs, gate_of, alone, client, kind):
    wanted = without_secret(alone(client), kind)
    gate = gate_of(METHODS[kind])
    server.seen()
    account = server.register()
    program, options = CLIENTS[client]
    found = programs.run(program, f"http://localhost:{gate.port}/query",
                         account, kind, **options)
    check_walk(gate, server, account, found, wanted, kind)


@KIND
@CLIENT
def test_login_through_login(server, programs, gate_of, alone, client, kind):
    """The same with the login mutation at its own address."""
    wanted = without_secret(alone(client), kind)
    gate = gate_of(METHODS[kind])
    server.seen()
    account = server.register()
    program, options = CLIENTS[client]
    found = programs.run(program, f"http://localhost:{gate.port}/query",
                         account, kind, f"http://localhost:{gate.port}/login",
                         **options)
    check_walk(gate, server, account, found, wanted, kind)


SIGN_IN = """mutation ($email: String!, $password: String!) {
    signIn(input: {email: $email, password: $password}) {
        session { secret ttl } viewer { ... on Node { id } id email } } }"""


@pytest.mark.parametrize("kind", ["cookie", "secret"])
@CLIENT
def test_another_login_mutation(server, programs, gate_of, alone, client,
                                kind, tmp_path_factory):
    """Relay's custom: all arguments in one input object, the secret below
    another field; the client's document has a variable of its own for it."""
    path = tmp_path_factory.getbasetemp() / "sign-in.graphql"
    path.write_text(SIGN_IN, encoding="utf-8")
    gate = gate_of(METHODS[kind], POSTERN_LOGIN_DOCUMENT=str(path),
                   POSTERN_UPSTREAM_TOKEN="json:session/secret",
                   POSTERN_SUBJECT="viewer/id", POSTERN_NAME="viewer/email",
                   POSTERN_TTL="session/ttl")
    wanted = without_secret(alone(client, SIGN_IN="1"), kind)
    server.seen()
    account = server.register()
    program, options = CLIENTS[client]
    found = programs.run(program, f"http://localhost:{gate.port}/query",
                         account, kind, SIGN_IN="1", **options)
    check_walk(gate, server, account, found, wanted, kind)


def test_introspection(server, programs, gate_of):
    """As tools do before anything else; the schema names the secret field."""
    alone, _ = programs.run("introspect.js", server.url, server.register())
    through, _ = programs.run(
        "introspect.js", f"http://localhost:{gate_of('cookie').port}/query",
        server.register())
    assert through == alone and "secret: String!" in alone[0]


# --- persisted documents: only what a manifest has passes (design 2.6) --------------


@pytest.fixture(name="manifests", scope="module")
def manifests_fixture():
    """A folder of programs with the manifests that the generators of Relay,
    Apollo and GraphQL Code Generator have written there."""
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


# The manifest, the program and what it is told; without the last two it sends
# texts.
MANIFESTS = {
    "relay": ("persisted.json", "relay.js"),
    "apollo": ("persisted-query-manifest.json", "apollo.js"),
    "codegen-urql": ("hashes.json", "urql.js"),
    "codegen-id": ("codegen.json", "by_id.js"),
    "codegen-hash-id": ("hashes.json", "by_id.js"),
}


@pytest.mark.parametrize("kind", ["cookie", "secret"])
@pytest.mark.parametrize("manifest", MANIFESTS)
def test_trusted_documents(server, programs, manifests, gate_of, manifest,
                           kind):
    """The backend, which knows no ids, is sent the texts."""
    name, program = MANIFESTS[manifest]
    path = os.path.join(manifests.folder, name)
    wanted, _ = programs.run(program, server.url, server.register(),
                             MANIFEST="")
    wanted = without_secret(wanted, kind)
    gate = gate_of(METHODS[kind], POSTERN_DOCUMENTS=path,
                   POSTERN_DOCUMENTS_ONLY="on")
    server.seen()
    account = server.register()
    found = manifests.run(program, f"http://localhost:{gate.port}/query",
                          account, kind, MANIFEST=path)
    check_walk(gate, server, account, found, wanted, kind)
    answer = gate.query("{ me { email } }")
    assert (answer.status, answer.code) == (400, "DOCUMENT_NOT_ALLOWED")

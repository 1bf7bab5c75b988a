# SPDX-License-Identifier: ISC
"""A GraphQL backend for any schema: graphql-core parses, validates and executes
each request. A test gives the resolvers of the root fields.

There is one account. Its tokens are accepted as `Authorization: Bearer TOKEN`
or as the cookie `sid`.
"""
import http.server
import json
import logging
import secrets
import threading
import urllib.parse

import canary
from gateway import Account
from graphql import (
    GraphQLError, GraphQLUnionType, build_ast_schema, format_error, graphql,
    parse)

TTL = 3600  # seconds

logging.getLogger("graphql").setLevel(logging.CRITICAL)  # resolvers that refuse


def make_schema(text, resolvers):
    """A schema whose root fields are function(call, **arguments). The members
    of a union are dicts with a __typename."""
    schema = build_ast_schema(parse(
        text + "schema { query: Query mutation: Mutation }"))
    for root in (schema.get_query_type(), schema.get_mutation_type()):
        for name, field in root.fields.items():
            field.resolver = make_resolver(resolvers[name])
    for kind in schema.get_type_map().values():
        if isinstance(kind, GraphQLUnionType):
            kind.resolve_type = lambda value, info: info.schema.get_type(
                value["__typename"])
    return schema


def make_resolver(function):
    return lambda source, info, **arguments: function(info.context, **arguments)


class Call:
    """One request, as the resolvers see it."""

    def __init__(self, backend, headers):
        self.backend = backend
        self.headers = {name.lower(): value for name, value in headers}
        self.answer_headers = []
        value = self.headers.get("authorization", "")
        cookies = dict(part.strip().partition("=")[::2] for part in
                       self.headers.get("cookie", "").split(";"))
        self.token = value.removeprefix("Bearer ") or cookies.get("sid")

    @property
    def user(self):
        """The account of the token, or None."""
        live = self.token in self.backend.live
        return self.backend.user if live else None

    def log_in(self, name, password):
        """The new token; None for a wrong password."""
        account = self.backend.user
        if password != account["password"] or name not in (
                account["email"], account["username"]):
            return None
        token = f"{canary.TOKEN}-of-ada-{secrets.token_hex(24)}"
        self.backend.issued.add(token)
        self.backend.live.add(token)
        return token

    def more_secret(self):
        """A second token, such as a refresh token."""
        token = f"{canary.TOKEN}-second-of-ada-{secrets.token_hex(24)}"
        self.backend.issued.add(token)
        return token

    def log_out(self):
        self.backend.live.discard(self.token)


class Request:
    def __init__(self, headers, body):
        self.header = {name.lower(): value for name, value in headers}
        self.query = body.get("query", "")
        self.variables = body.get("variables") or {}


class GraphqlBackend:
    """
    schema     SDL
    resolvers  {root field: function(call, **arguments)}
    answer     (status, headers, body) for every request instead, or None
    refreshable  the refresh tokens that are good, where a recipe has some
    """

    def __init__(self, schema, resolvers):
        self.user = {"id": "7", "databaseId": 7, "email": "ada@example.com",
                     "username": "ada", "name": "Ada", "first_name": "Ada",
                     "password": f"{canary.PASSWORD} {secrets.token_hex(8)}"}
        self.accounts = [Account(self.user["email"], self.user["password"],
                                 "7")]
        self.schema = make_schema(schema, resolvers)
        self.issued, self.live, self.refreshable = set(), set(), set()
        self.ttl = TTL  # of the next token
        self.requests = []
        self.answer = None
        self.process = self  # poll() says that it runs
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/graphql"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def _handler(self):
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(length))
                headers = self.headers.items()
                backend.requests.append(Request(headers, body))
                status, more, text = backend.answer or backend.run(
                    urllib.parse.urlsplit(self.path).path, headers, body)
                self.send_response(status)
                for name, value in more:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        return Handler

    def run(self, path, headers, body):
        if path == "/api":
            return 301, [("Location", "https://api.example/graphql")], b""
        if path != "/graphql":
            return 404, [("Content-Type", "text/html")], b"<h1>Not found</h1>"
        call = Call(self, headers)
        result = graphql(
            self.schema, body.get("query", ""), context=call,
            variables=body.get("variables"),
            operation_name=body.get("operationName"))
        answer = {}
        if result.errors:
            answer["errors"] = [format_error(error) for error in result.errors]
        if not result.invalid:  # it ran
            answer["data"] = result.data
        return (200, [("Content-Type", "application/json"),
                      *call.answer_headers], json.dumps(answer).encode())

    # What a Gateway asks of its backend.

    def poll(self):
        return None

    def hashes(self):
        return set()

    def seen(self):
        return self.requests

    def read_log(self):
        return ""

    def tokens_in(self, data, hashes=None):
        return {token for token in self.issued
                if any(form in data
                       for form in canary.encodings_of(token.encode()))}

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def wrong_password():
    raise GraphQLError("Wrong name or password.")

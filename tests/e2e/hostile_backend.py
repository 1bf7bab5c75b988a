#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A GraphQL backend that parses requests in the way that helps an attacker.

By default it does what real backends do: it runs a stored document if the
request's own is missing or empty, executes mutations by GET, and sends headers
that no client should see. With --worst it prefers the URL's parameters to the
body's, ignores the case of member names, uses the last of duplicate members,
decodes any charset, reads a body on GET, ends comments at any line terminator
of JavaScript, accepts forms and plain documents, keeps the token at a login and
changes its cookie with every answer.

A control port reports the requests and the calls of the login resolver: one line
of JSON per command, one line of JSON per answer.
"""
import argparse
import copy
import email.parser
import email.policy
import gzip
import hashlib
import http.server
import json
import logging
import re
import signal
import socketserver
import sys
import threading
import urllib.parse

sys.dont_write_bytecode = True
from graphql import execute, format_error, get_operation_ast, parse, validate
from graphql import GraphQLSchema
import hostile_schema as schema

JSON_TYPE, HTML_TYPE = "application/json", "text/html"
KEPT_MAX = 64 * 1024

# Members of a request, by their lower-case names.
MEMBERS = {name.lower(): name for name in (
    "query", "variables", "operationName", "extensions", "documentId", "id",
    "doc_id", "persistedQuery", "sha256Hash", "operations", "map")}

# The stored documents (persisted or trusted documents). Some are logins.
STORED = [
    "mutation($email:String,$password:String!){login(email:$email,"
    "password:$password){secret ttl email ownerId session{secret}}}",
    "mutation($username:String,$password:String!){login(username:$username,"
    "password:$password){__typename ... on CurrentUser{id secret token}}}",
    "mutation{refresh{secret}}", "{me{id secret session{secret}}}",
    "{me{id email}}", "mutation{poke}"]


def sha256(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Unreadable(Exception):
    """Not a GraphQL request: a status and a message."""


# Parsing requests ------------------------------------------------------------

class Reader:
    """Parses a request into ([{query, variables, …}], is_batch)."""

    def read(self, method, target, headers, body):
        query = urllib.parse.urlsplit(target).query
        if method == "GET":
            return [self.from_url(query)], False
        kind = headers.get_content_type()
        if "json" in kind:
            return self.listed(self.loads(body.decode("utf-8")))
        if kind == "multipart/form-data":
            parts = dict(reversed(self.parts(headers, body)))
            return self.listed(self.with_files(parts))
        raise Unreadable(415, "type")

    @staticmethod
    def listed(value):
        calls = value if isinstance(value, list) else [value]
        if not all(isinstance(call, dict) for call in calls):
            raise Unreadable(400, "shape")
        return calls, isinstance(value, list)

    def from_url(self, text):
        call = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        for name in ("variables", "extensions"):
            if name in call:
                call[name] = self.loads(call[name] or "null")
        return call

    @staticmethod
    def loads(text):
        return json.loads(text)

    @staticmethod
    def parts(headers, body):
        """[(name, text)] of multipart/form-data."""
        head = b"Content-Type: %b\r\n\r\n" % headers["Content-Type"].encode()
        message = email.parser.BytesParser(
            policy=email.policy.HTTP).parsebytes(head + body)
        return [(part.get_param("name", header="content-disposition"),
                 (part.get_payload(decode=True) or b"").decode(
                     "utf-8", "replace"))
                for part in message.iter_parts()] \
            if message.is_multipart() else []

    def with_files(self, parts):
        value = self.loads(parts.get("operations") or "null")
        for name, paths in self.loads(parts.get("map") or "{}").items():
            for path in paths:
                put(value, path.split("."), f"file {name}")
        return value

    def document(self, call, stored):
        """The document to run; an empty one counts as missing."""
        text = call.get("query")
        extensions = call.get("extensions") or {}
        key = (extensions.get("persistedQuery") or {}).get("sha256Hash")
        if not text:
            text = stored.get(key or call.get("documentId"))
            if text is None:
                raise Unreadable(200, "PersistedQueryNotFound")
        elif key:
            stored.setdefault(key, text)
        return text

    def parse(self, text):
        return parse(text)

    def operation(self, document, name):
        return get_operation_ast(document, name or None)


def put(value, path, what):
    """Set the value at a path of a multipart map; ignore invalid paths."""
    try:
        for step in path[:-1]:
            value = value[int(step) if isinstance(value, list) else step]
        value[int(path[-1]) if isinstance(value, list) else path[-1]] = what
    except (LookupError, TypeError, ValueError):
        pass


class WorstReader(Reader):
    """Parses requests as --worst says."""

    def read(self, method, target, headers, body):
        calls, is_batch = [{}], False
        if body:
            try:
                calls, is_batch = self.from_body(headers, body)
            except (ValueError, LookupError, Unreadable, RecursionError):
                pass
        url = self.from_url(urllib.parse.urlsplit(target).query)
        for call in calls:
            call.update(url)
        return calls, is_batch

    def from_body(self, headers, body):
        if headers.get("Content-Encoding", "").lower() == "gzip":
            body = gzip.decompress(body)
        kind = headers.get_content_type()
        text = self.decoded(body, headers.get_content_charset())
        if kind == "application/graphql":
            return [{"query": text}], False
        if kind == "application/x-www-form-urlencoded":
            return [self.from_url(text)], False
        if kind.startswith("multipart/"):
            parts = {MEMBERS.get(str(name).lower(), name): value
                     for name, value in self.parts(headers, body)}
            if "operations" not in parts:
                return [self.from_url(urllib.parse.urlencode(parts))], False
            return self.listed(self.with_files(parts))
        return self.listed(self.loads(text))

    @staticmethod
    def decoded(body, charset):
        for mark, name in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
                           (b"\xef\xbb\xbf", "utf-8-sig")):
            if body.startswith(mark):
                return body.decode(name)
        try:
            return body.decode(charset or "utf-8")
        except (LookupError, UnicodeDecodeError):
            return body.decode("latin-1")

    def from_url(self, text):
        call = {}
        for name, value in urllib.parse.parse_qsl(text,
                                                  keep_blank_values=True):
            name = MEMBERS.get(name.lower(), name)
            if name in ("variables", "extensions"):
                try:
                    value = self.loads(value)
                except ValueError:
                    continue
            call[name] = value
        return call

    @staticmethod
    def loads(text):
        def members(pairs):
            return {MEMBERS.get(name.lower(), name): v for name, v in pairs}
        return json.loads(text, object_pairs_hook=members)

    def document(self, call, stored):
        text = call.get("query")
        extensions = call.get("extensions")
        extensions = extensions if isinstance(extensions, dict) else {}
        persisted = extensions.get("persistedQuery") or {}
        keys = [persisted.get("sha256Hash")] + [
            call.get(name) for name in ("documentId", "id", "doc_id")]
        if not isinstance(text, str) or not re.sub(r"#.*|[\s,\ufeff]", "",
                                                   text):
            text = next((stored[key] for key in keys
                         if isinstance(key, str) and key in stored), None)
            if text is None:
                raise Unreadable(200, "PersistedQueryNotFound")
        return text

    def parse(self, text):
        """Accept every line terminator that any parser accepts."""
        ended = re.sub("[\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]", "\n", text)
        ended = re.sub("[\0\ufeff\u00a0\u200b]", " ", ended)
        try:
            return parse(ended)
        except Exception:
            return parse(text)

    def operation(self, document, name):
        """The operation of that name, in any case; else the last one."""
        found = [one for one in document.definitions
                 if hasattr(one, "operation")]
        for same in (lambda a: a == name, lambda a: str(a).lower()
                     == str(name).lower(), lambda a: True):
            for one in reversed(found):
                if same(one.name and one.name.value):
                    return one
        return None


# Answering -------------------------------------------------------------------

class Backend:
    def __init__(self, options):
        self.options = options
        self.reader = WorstReader() if options.worst else Reader()
        self.data = schema.Data(options.fold)
        self.schema = schema.make_schema(options.dialect == "vendure")
        self.as_query = GraphQLSchema(
            query=self.schema.get_subscription_type())
        self.stored = {sha256(text): text for text in STORED}
        self.stored.update((f"stored-{i}", text)
                           for i, text in enumerate(STORED))
        self.parsed = {}  # text: (document, errors)
        self.seen, self.count, self.lock = [], 0, threading.Lock()
        self.next = []   # planned answers

    def note(self, handler, body):
        with self.lock:
            self.count += 1
            self.seen.append({
                "method": handler.command, "target": handler.path,
                "headers": [list(pair) for pair in handler.headers.items()],
                "body": body[:KEPT_MAX].decode("latin-1")})
            del self.seen[:-200]
            return self.next.pop(0) if self.next else None

    def token_of(self, headers):
        if self.options.place == "cookie":
            found = re.search(r"(?:^|; )session=([^;]*)",
                              headers.get("Cookie", ""))
            return found and found[1]
        kind, _, token = headers.get("Authorization", "").partition(" ")
        return token if kind.lower() == "bearer" else None

    def context_of(self, handler):
        act_as = None
        if self.options.worst:  # lets an operator act as another account
            found = re.search(r"as-(\d+)", " ".join([
                handler.path, *(handler.headers.get(name, "") for name in (
                    "Accept-Language", "vendure-token", "User-Agent",
                    "X-Act-As", "tracestate"))]))
            act_as = found and found[1]
        return schema.Context(self.data, self.token_of(handler.headers),
                              self.options.worst, act_as)

    def checked(self, text):
        """(document, errors) of a text, from a cache."""
        if text not in self.parsed:
            try:
                document = self.reader.parse(text)
                errors = validate(self.schema, document)
            except Exception as error:
                document, errors = None, [error]
            if len(self.parsed) > 5000:
                self.parsed.clear()
            self.parsed[text] = document, errors
        return self.parsed[text]

    def run(self, call, context):
        text = self.reader.document(call, self.stored)
        if not isinstance(text, str):
            raise Unreadable(400, "query")
        document, errors = self.checked(text)
        if errors:
            return {"errors": [self.format_error(error) for error in errors]}
        operation = self.reader.operation(document, call.get("operationName"))
        if operation is None:
            return {"errors": [{"message": "There is no such operation."}]}
        variables = call.get("variables")
        name = operation.name and operation.name.value
        where = self.schema
        if operation.operation == "subscription":  # answer with its first event
            document = copy.deepcopy(document)
            where = self.as_query
            self.reader.operation(document, name).operation = "query"
        try:
            result = execute(where, document, context_value=context,
                             variable_values=variables if isinstance(
                                 variables, dict) else {},
                             operation_name=name)
        except Exception as error:  # an error in the variables
            return {"errors": [self.format_error(error)]}
        answer = result.to_dict(format_error=self.format_error)
        if context.how in ("password", "register", "refresh") \
                and self.options.place == "json":
            answer["extensions"] = {"tracing": {"secret": context.new_token}}
        return answer

    def format_error(self, error):
        if hasattr(error, "locations") or hasattr(error, "message"):
            shown = dict(format_error(error))
        else:
            shown = {"message": str(error)}
        if self.options.errors == "bare":
            shown.pop("path", None)
            shown.pop("locations", None)
        return shown

    def answer(self, handler, body):
        """The schema.HttpResponse to a request."""
        context = self.context_of(handler)
        try:
            calls, is_batch = self.reader.read(
                handler.command, handler.path, handler.headers, body)
            results = [self.run(call, context) for call in calls]
        except Unreadable as error:
            status, message = error.args
            return self.with_token(context, schema.HttpResponse(
                status, JSON_TYPE, json.dumps(
                    {"errors": [{"message": message}]}).encode()))
        except (ValueError, RecursionError, LookupError, TypeError,
                AttributeError):
            return schema.HttpResponse(400, JSON_TYPE,
                                b'{"errors":[{"message":"unreadable"}]}')
        if context.response:
            return context.response
        response = schema.HttpResponse(200, JSON_TYPE, json.dumps(
            results if is_batch else results[0]).encode())
        return self.with_token(context, response)

    def with_token(self, context, response):
        """Add the token, and secret headers that no client may get."""
        options, token = self.options, context.new_token
        response.headers = [("X-Debug-Token", schema.new_secret("Debug")),
                         ("Authorization", "Bearer " + schema.new_secret())]
        if options.place == "cookie" and options.worst and not context.ended \
                and token is None and context.token in self.data.sessions:
            token = self.data.begin(None, "change")  # a second token
            self.data.sessions[token] = self.data.sessions[context.token]
        if context.ended:
            token = ""
        if options.place == "header" and token is not None:
            response.headers.append((options.header, token))
        elif options.place == "cookie" and token is not None:
            response.headers.append(
                ("Set-Cookie", f"session={token}; path=/; httponly"))
        elif options.place != "cookie":
            response.headers.append(
                ("Set-Cookie", "session=" + schema.new_secret("Cookie")))
        return response


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    wbufsize = -1

    def log_message(self, *_):
        pass

    def serve(self):
        backend = self.server.backend
        body = self.read_body()
        canned = backend.note(self, body)
        if canned:
            response = schema.HttpResponse(canned["status"], canned.get("kind"),
                                 canned.get("body", "").encode(),
                                 canned.get("headers", []))
        else:
            response = backend.answer(self, body)
        if response.status is None:
            self.close_connection = True
            return
        text = response.body
        self.send_response(response.status)
        if response.kind:
            self.send_header("Content-Type", response.kind)
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            text = gzip.compress(text, 1)
            self.send_header("Content-Encoding", "gzip")
        for name, value in response.headers:
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_OPTIONS = serve

    def read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length")
                                       or 0))
        parts = []
        while size := int(self.rfile.readline(64).partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline(64)
        while self.rfile.readline(8192).strip():
            pass
        return b"".join(parts)


# Commands of the tests -------------------------------------------------------

class Control(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        for line in self.rfile:
            command = json.loads(line)
            answer = getattr(self, "do_" + command.pop("do"))(**command)
            self.wfile.write(json.dumps(answer).encode() + b"\n")

    @property
    def backend(self):
        return self.server.backend

    @property
    def data(self):
        return self.server.backend.data

    def do_register(self, email, password, **texts):
        """None if the name is taken."""
        try:
            account = self.data.add(email, password, **texts)
        except schema.ResolverError:
            return None
        return {"id": account.id, "codes": account.codes}

    def do_since(self, guesses=0, grants=0):
        """The guesses and grants from these indexes on, and the number of all
        requests."""
        with self.data.lock:
            return {"requests": self.backend.count,
                    "guesses": self.data.guesses[guesses:],
                    "grants": self.data.grants[grants:],
                    "pokes": self.data.pokes}

    def do_seen(self, forget=False):
        with self.backend.lock:
            seen = list(self.backend.seen)
            if forget:
                self.backend.seen.clear()
            return seen

    def do_next(self, **canned):
        self.backend.next.append(canned)

    def do_tokens(self):
        return list(self.data.sessions)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads, block_on_close = True, False
    request_queue_size = 512

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class ControlServer(socketserver.ThreadingTCPServer):
    daemon_threads, block_on_close = True, False
    allow_reuse_address = True


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dialect", choices=["fauna", "vendure"],
                        default="fauna")
    parser.add_argument("--place", choices=["json", "header", "cookie"],
                        default="json", help="where it returns its token")
    parser.add_argument("--header", default="vendure-auth-token")
    parser.add_argument("--fold", choices=schema.FOLDS, default="coarse",
                        help="how it compares account names")
    parser.add_argument("--errors", choices=["full", "bare"], default="full",
                        help="bare: without path and locations")
    parser.add_argument("--worst", action="store_true",
                        help="parse requests in the most harmful way")
    return parser.parse_args(arguments)


def stop(*_):
    raise SystemExit(0)


def main():
    options = options_of(sys.argv[1:])
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGTERM, stop)
    server = Server(("127.0.0.1", 0), Handler)
    control = ControlServer(("127.0.0.1", 0), Control)
    server.backend = control.backend = Backend(options)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    print(server.server_address[1], control.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

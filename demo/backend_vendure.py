# SPDX-License-Identifier: ISC
"""Sessions and HTTP as Vendure does them: when and how a token is sent.

This imitates Vendure 3.7, with its surprises: it sends a token only when the
token changes, an expired token is no error, an empty token means "forget
yours", and each root field is authorized separately. The shop itself is in
backend_vendure_shop.py. API keys and the admin API are missing.
"""

import base64
import email.parser
import hashlib
import hmac
import json
import re
import secrets
import threading
import time
import urllib.parse

import backend_vendure_shop as shop
from backend_http import (
    JSON_TYPE, Answer, Refusal, Unusable, answer_type, is_request, json_of,
    run)

METHODS = ("bearer", "cookie", "both")
TOKEN_HEADER = "vendure-auth-token"
COOKIE = "session"
COOKIE_SECONDS = 365.25 * 86400  # does not depend on the session's duration
YEAR = 365 * 86400
BODY_MAX = 100 * 1024            # bytes of a body, except multipart
PERSISTED_MAX = 1000             # documents that are remembered


# The status and the code for a document that cannot be executed.
UNUSABLE = {"parse": (400, "GRAPHQL_PARSE_FAILED"),
            "validate": (400, "GRAPHQL_VALIDATION_FAILED"),
            "operation": (400, "OPERATION_RESOLUTION_FAILURE"),
            "variables": (200, "BAD_USER_INPUT")}


# Token transport --------------------------------------------------------------

def cookie_named(header, name):
    """The first cookie of that name, as the npm package `cookies` finds it."""
    found = re.search(r"(?:^|;) *%s=([^;]*)" % re.escape(name), header or "")
    return found[1] if found else None


class SignedCookie:
    """
    The pair `session` and `session.sig` of the npm package cookie-session:
    base64 of JSON, and its HMAC-SHA1. The format is that package's.
    """

    def __init__(self, secret, header):
        self.secret = secret
        self.came = None      # the value, if its signature is valid
        self.damaged = False  # the signature is wrong
        value = cookie_named(header, COOKIE)
        signature = cookie_named(header, COOKIE + ".sig")
        if value is None or not signature:
            return
        if hmac.compare_digest(self.signature(value).encode(),
                               signature.encode("utf-8", "replace")):
            self.came = value
        else:
            self.damaged = True

    def signature(self, value):
        made = hmac.new(self.secret, f"{COOKIE}={value}".encode(), "sha1")
        return base64.urlsafe_b64encode(made.digest()).decode().rstrip("=")

    def token(self):
        try:
            return json.loads(base64.b64decode(self.came))["token"]
        except (TypeError, ValueError, LookupError):
            return ""

    def lines(self, token, persistent):
        """The Set-Cookie lines that set the pair to that token.

        None means "no change". An equal value is not sent again.
        """
        value = self.came
        if token is not None:
            text = json.dumps({"token": token}, separators=(",", ":"))
            value = base64.b64encode(text.encode()).decode()
        if value == self.came:
            return [f"{COOKIE}.sig=; path=/; expires=Thu, 01 Jan 1970 00:00:00"
                    " GMT; httponly"] if self.damaged else []
        expires = ""
        if persistent:
            expires = time.strftime("; expires=%a, %d %b %Y %H:%M:%S GMT",
                                    time.gmtime(time.time() + COOKIE_SECONDS))
        return [f"{name}={text}; path=/{expires}; samesite=lax; httponly"
                for name, text in ((COOKIE, value),
                                   (COOKIE + ".sig", self.signature(value)))]


class TokenTransport:
    """Reads the token of a request, and collects the token for the answer."""

    def __init__(self, method, secret, headers):
        self.by_bearer = method != "cookie"
        self.by_cookie = method != "bearer"
        self.headers, self.secret = headers, secret
        self.cookie = None      # read when the first field is authorized
        self.cookie_token = ""        # the current token of the cookie
        self.new_token = None        # the token for the answer; None: send none
        self.persistent = False

    def read(self):
        """The token, or "". A token in the cookie takes precedence, even if
        it has expired."""
        if self.by_cookie:
            if self.cookie is None:
                self.cookie = SignedCookie(self.secret,
                                           self.headers.get("Cookie"))
                self.cookie_token = self.cookie.token()
            if self.cookie_token:
                return self.cookie_token
        if self.by_bearer:
            # Exactly one white-space character; a second is the token's.
            found = re.match(r"(?i)bearer\s(.+)", (
                self.headers.get("Authorization") or "").strip(" \t"))
            return found[1] if found else ""
        return ""

    def issue(self, token, persistent):
        """Set the token after a login; "" after a logout. In a request with a
        cookie, later fields see it."""
        self.new_token = self.cookie_token = token
        self.persistent = persistent

    def issue_to_guest(self, token):
        """Set a new guest's token. Later fields of the same request do not
        see it, and make guests of their own."""
        self.new_token, self.persistent = token, True

    def clear(self):
        """Answer with an empty token, unless there is a new one already."""
        self.cookie_token = ""
        if self.new_token is None:
            self.new_token = ""

    def answer_headers(self):
        headers = []
        if self.by_bearer and self.new_token is not None:
            headers.append((TOKEN_HEADER, self.new_token))
        if self.cookie:
            headers += [("Set-Cookie", line) for line in
                        self.cookie.lines(self.new_token, self.persistent)]
        return headers


# One execution ---------------------------------------------------------------

class Context:
    """The context of one execution. Each root field calls authorize() first."""

    def __init__(self, dialect, transport, channel, language, content):
        self.data, self.turn = dialect.data, dialect.turn
        self.duration = dialect.duration
        self.transport = transport
        self.wanted_channel = channel
        self.channel = None
        self.language, self.content = language, content
        self.session = None

    def authorize(self, permission):
        """Do what Vendure's guard does: find the session and the channel, and
        check the permission."""
        token = self.transport.read()
        self.session = shop.session_of(self, token) if token else None
        if token and not self.session:
            self.transport.clear()
        if permission == shop.OWNER and not self.session:
            token, self.session = shop.make_session(self)
            self.transport.issue_to_guest(token)
        self.channel = shop.channel_of(self.wanted_channel)
        if permission == shop.AUTHENTICATED and not (
                self.session and self.session["owner"]):
            raise Refusal("FORBIDDEN", shop.words("FORBIDDEN", self.language))


# HTTP ------------------------------------------------------------------------

def nest(status, message, path):
    """An error in the format of NestJS, Vendure's framework."""
    return Answer(status, {
        "statusCode": status, "message": message, "path": path,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())})


def with_code(errors, code):
    for error in errors:
        error.setdefault("extensions", {}).setdefault("code", code)
    return {"errors": errors}


def multipart_operations(kind, body, path):
    """The field `operations`; the shop API ignores the files."""
    message = email.parser.BytesParser().parsebytes(
        b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + body)
    for part in message.get_payload() if message.is_multipart() else []:
        if part.get_param("name", header="content-disposition") == \
                "operations":
            return part.get_payload(decode=True).decode("utf-8", "replace")
    raise nest(500, "Missing multipart field ‘operations’", path)


class Dialect:
    """The shop API at its path, and below it."""

    path = "/shop-api"

    def __init__(self, data, options):
        self.data = data
        self.duration = options.token_ttl or YEAR
        self.method = options.token_method
        # As in Vendure: without configuration, each start makes a new secret.
        self.secret = secrets.token_bytes(32)
        self.turn = threading.RLock()
        self.persisted = {}
        shop.prepare(data)

    def owns(self, path):
        return path == self.path or path.startswith(self.path + "/")

    @staticmethod
    def missing(path):
        if path == "/health":
            return Answer(200, {"status": "ok"})
        return nest(404, f"Cannot find {path}", path)

    def answer(self, handler, body):
        cors = self.cors_headers(handler)
        if handler.command == "OPTIONS":
            return Answer(204, None, cors)
        transport = TokenTransport(self.method, self.secret, handler.headers)
        try:
            answer = self.graphql(handler, body, transport)
        except Answer as raised:
            answer = raised
        # Keep what the guard has done, even if a field failed.
        answer.headers = cors + [("X-Powered-By", "Express"), *answer.headers,
                                 *transport.answer_headers()]
        return self.unless_known(handler, answer)

    def cors_headers(self, handler):
        """Allow any origin, which is Vendure's default."""
        origin = handler.headers.get("Origin")
        asked = handler.headers.get("Access-Control-Request-Headers")
        vary, headers = "Origin", [("Access-Control-Allow-Credentials",
                                    "true")]
        if origin is not None:
            headers.append(("Access-Control-Allow-Origin", origin))
        if self.method != "cookie":
            headers.append(("Access-Control-Expose-Headers", TOKEN_HEADER))
        if handler.command == "OPTIONS":
            vary += ", Access-Control-Request-Headers"
            headers.append(("Access-Control-Allow-Methods",
                            "GET,HEAD,PUT,PATCH,POST,DELETE"))
            if asked is not None:
                headers.append(("Access-Control-Allow-Headers", asked))
        return headers + [("Vary", vary)]

    @staticmethod
    def unless_known(handler, answer):
        """Add a weak ETag. Answer 304, with all other headers, to a GET that
        has it."""
        text = answer.text or b""
        etag = 'W/"%x-%s"' % (len(text), base64.b64encode(
            hashlib.sha256(text).digest()).decode()[:27])
        answer.headers.append(("ETag", etag))
        known = [tag.strip() for tag in (
            handler.headers.get("If-None-Match") or "").split(",")]
        if handler.command == "GET" and answer.status == 200 and (
                etag in known or "*" in known):
            answer.status, answer.body = 304, None
        return answer

    def graphql(self, handler, body, transport):
        if handler.command not in ("GET", "POST"):
            raise Answer(405, "Apollo Server supports only GET/POST requests.",
                         [("Allow", "GET, POST")])
        kind = answer_type(handler.headers.get("Accept"))
        if kind is None:
            raise Answer(406, "An 'accept' header was provided for this "
                              "request which does not accept JSON.")
        parameters = dict(urllib.parse.parse_qsl(
            urllib.parse.urlsplit(handler.path).query, keep_blank_values=True))
        request = (self.posted(handler, body) if handler.command == "POST"
                   else self.asked(parameters))
        request["query"] = self.document_of(request)
        languages = shop.languages(
            parameters.get("languageCode"),
            cookie_named(handler.headers.get("Cookie"), "i18next"),
            handler.headers.get("Accept-Language"))
        context = Context(self, transport, parameters.get(
            "vendure-token", handler.headers.get("vendure-token")), *languages)
        headers = [("Cache-Control", "no-store"),
                   ("Content-Language", context.language)]
        status, result = self.run(request, context, handler.command == "GET")
        return Answer(status, result, headers, kind)

    @staticmethod
    def run(request, context, is_get):
        """Returns the status and the result."""
        try:
            return 200, run(shop.SCHEMA, request, context, is_get)
        except Unusable as reason:
            status, code = UNUSABLE[reason.stage]
            return status, with_code(reason.errors, code)

    def posted(self, handler, body):
        """The GraphQL request in a POST, which may be a plain form too."""
        kind = handler.headers.get_content_type()
        if "Content-Type" not in handler.headers:
            kind = ""
        if kind != "multipart/form-data" and len(body) > BODY_MAX:
            raise nest(500, "", handler.path)
        if kind == "application/x-www-form-urlencoded":
            request = dict(urllib.parse.parse_qsl(
                body.decode("utf-8", "replace"), keep_blank_values=True))
        elif kind in (JSON_TYPE, "multipart/form-data"):
            if kind != JSON_TYPE:
                body = multipart_operations(handler.headers["Content-Type"],
                                            body, handler.path).encode()
            try:
                request = json_of(body.decode("utf-8") or "{}")
            except (ValueError, RecursionError):
                raise nest(400, "Unexpected token in JSON", handler.path)
        else:
            request = {}
        if isinstance(request, list):
            raise Answer(400, "Operation batching disabled.")
        if not request:
            raise Answer(400, "POST body missing, invalid Content-Type, or "
                              "JSON object has no keys.")
        return request

    @staticmethod
    def asked(parameters):
        """The GraphQL request in a GET's query string."""
        request = dict(parameters)
        try:
            for name in ("variables", "extensions"):
                request[name] = json_of(parameters.get(name) or "null")
        except (ValueError, RecursionError):
            raise Answer(400, f"The {name} search parameter contains invalid"
                              " JSON.")
        return request

    def document_of(self, request):
        """The document; with APQ it may have come in an earlier request."""
        query = request.get("query") if isinstance(request, dict) else None
        extensions = request.get("extensions") if is_request(request) else None
        if not isinstance(extensions, (dict, type(None))) or not isinstance(
                query, (str, type(None))) or not is_request(request):
            raise Answer(400, "`query`, `operationName`, `variables` and "
                              "`extensions` must have their types.")
        persisted = (extensions or {}).get("persistedQuery")
        if persisted is None:
            if not query:
                raise Answer(400, "GraphQL operations must contain a non-empty"
                                  " `query` or a `persistedQuery` extension.")
            return query
        if not isinstance(persisted, dict) or persisted.get("version") != 1:
            raise Answer(400, "Unsupported persisted query version")
        return self.persisted_document(query, persisted.get("sha256Hash"))

    def persisted_document(self, query, digest):
        if not query:
            if digest in self.persisted:
                return self.persisted[digest]
            raise Answer(200, "PersistedQueryNotFound", [
                ("Cache-Control", "private, no-cache, must-revalidate")],
                code="PERSISTED_QUERY_NOT_FOUND")
        if hashlib.sha256(query.encode()).hexdigest() != digest:
            raise Answer(400, "provided sha does not match query")
        if len(self.persisted) < PERSISTED_MAX:
            self.persisted[digest] = query
        return query

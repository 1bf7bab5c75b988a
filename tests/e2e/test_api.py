# SPDX-License-Identifier: ISC
"""U41: an API of the backend behind a web server's own proxy, with the lines of
etc/: a REST API, and a WebSocket. The backend gets the session's token; no
client can send or see it."""
import base64
import hashlib
import json
import os
import socket
import threading

import pytest
import servers
from gateway import COOKIE

FORGED = [(name, "Bearer forged") for name in (
    "Authorization", "X-Session-Authorization", "X_Session_Authorization",
    "X-Session-User", "X-Session-Subject", "X-Session_Subject",
    "X_Session-Subject", "X-Session-Name", "Remote-User", "Remote_User")]


CORS_CGI = """#!/bin/sh
printf 'Status: 204\\nX-Page: %s user=%s\\n\\n' "$REQUEST_METHOD" "$REMOTE_USER"
"""


class Api:
    """Answers a request with what it saw as JSON, and with its own copy of the
    token in headers; a WebSocket with what comes in."""

    def __init__(self):
        self.seen = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,),
                             daemon=True).start()

    def _serve(self, client):
        client.settimeout(30)
        with client:
            data = b""
            while b"\r\n\r\n" not in data:
                piece = client.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, body = data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = [tuple(line.split(": ", 1)) for line in lines]
            self.seen.append({"line": first, "headers": headers})
            values = {name.lower(): value for name, value in headers}
            if values.get("upgrade", "").lower() == "websocket":
                self._echo(client, values, body)
                return
            while len(body) < int(values.get("content-length", 0)):
                body += client.recv(65536)
            answer = json.dumps({"line": first, "body": len(body)}).encode()
            token = values.get("authorization", "")
            client.sendall((
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(answer)}\r\nConnection: close\r\n"
                f"X-Session-Authorization: {token}\r\n"
                f"Authorization: {token}\r\n"
                f"Set-Cookie: backend={token}\r\n"
                f"vendure-auth-token: {token}\r\n\r\n").encode() + answer)

    def _echo(self, client, values, body):
        key = values["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(
            key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
        client.sendall(("HTTP/1.1 101 Switching Protocols\r\n"
                        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                        f"Sec-WebSocket-Accept: {accept}\r\n\r\n").encode())
        while True:
            if body:
                client.sendall(body)
            body = client.recv(65536)
            if not body:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


class NginxApi(servers.Nginx):
    def files(self):
        return (*super().files(), "postern-api.conf")

    def main(self):
        return super().main().replace(
            "location ^~ /members/ {", f"""location ^~ /api/ {{
            include {self.folder}/postern-api.conf;
            client_max_body_size 50m;
            proxy_pass http://127.0.0.1:{self.backend.api.port}/api/;
        }}
        location ^~ /members/ {{""")


class ApacheApi(servers.ApacheProxy):
    def files(self):
        return (*super().files(), "postern-api.conf")

    def etc_file(self, name):
        return super().etc_file(name).replace(
            "http://127.0.0.1:3000/api",
            f"http://127.0.0.1:{self.backend.api.port}/api")

    def main(self):
        return ("Define POSTERN_PREFLIGHT_PASS\n" + super().main()
                + f'Include "{self.folder}/postern-api.conf"\n')


class LighttpdApi(servers.Lighttpd):
    def files(self):
        return (*super().files(), "postern-api.conf", "postern-api.lua")

    def etc_file(self, name):
        return super().etc_file(name).replace(
            '"port" => 3000', f'"port" => {self.backend.api.port}').replace(
            "/etc/lighttpd/postern-api.lua", f"{self.folder}/postern-api.lua")

    def main(self):
        return super().main() + f'include "{self.folder}/postern-api.conf"\n'


KINDS = [NginxApi, ApacheApi, LighttpdApi]


@pytest.fixture(name="site", scope="module", params=KINDS,
                ids=lambda kind: kind.name)
def site_fixture(request, backend):
    backend.api = Api()
    site = request.param(backend, with_pages=True,
                         POSTERN_TOKEN_METHOD="cookie,bearer",
                         POSTERN_ORIGINS="https://listed.example",
                         POSTERN_AUTHORIZE_UPSTREAM="on",
                         POSTERN_AUTHORIZE_PREFLIGHT="pass")
    yield site
    site.close()
    backend.api.close()


@pytest.fixture(name="cookie")
def cookie_fixture(site, user):
    site.backend.api.seen.clear()
    return site.cookie_for(user)


def token_of(site, cookie):
    token = site.open_token(cookie)["upstream"]
    site.backend.known.add(token.encode())
    return token


def only_request(site):
    """The headers that the API saw, by name."""
    request, = site.backend.api.seen
    names = [name.lower() for name, _ in request["headers"]]
    assert len(set(names)) == len(names), names
    return {name.lower(): value for name, value in request["headers"]}


def assert_no_token(token, *texts):
    for text in texts:
        assert token.encode() not in text


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_rest_api_gets_the_token(site, cookie, method):
    token = token_of(site, cookie)
    size = 0 if method == "GET" else 3000
    answer = site.send(method, "/api/orders/7?full=1", b"x" * size or None, [
        ("Cookie", f"{COOKIE}={cookie}"),
        ("Origin", f"http://localhost:{site.port}"),
        ("Content-Type", "application/octet-stream"), *FORGED[1:]])
    assert answer.status == 200, site.log
    assert answer.json == {
        "line": f"{method} /api/orders/7?full=1 HTTP/1.1", "body": size}
    seen = only_request(site)
    assert seen["authorization"] == "Bearer " + token
    assert "forged" not in json.dumps(seen)
    # Not the session itself, nor any other cookie.
    assert cookie not in json.dumps(seen) and "cookie" not in seen
    # The client sees no token, wherever the backend writes it.
    assert_no_token(token, answer.head, answer.body)
    assert answer.get("x-session-authorization") is None


def test_bearer_token_of_the_session_is_replaced(site, user, cookie):
    bearer = site.log_in(user).get("vendure-auth-token")
    token = token_of(site, bearer)
    assert site.get("/api/", bearer=bearer).status == 200
    assert only_request(site)["authorization"] == "Bearer " + token
    assert site.get("/api/", bearer=bearer + "x").status == 401
    assert cookie


def test_anonymous_requests_do_not_reach_the_api(site, cookie):
    assert cookie
    for headers in ([], FORGED, FORGED[1:], [("Cookie", f"{COOKIE}=x")]):
        answer = site.send("GET", "/api/orders", headers=headers)
        assert answer.status == 401
        assert answer.get("x-session-authorization") is None
    answer = site.send("POST", "/api/orders", b"x", [
        ("Cookie", f"{COOKIE}={cookie}"), ("Origin", "https://evil.example")])
    assert answer.status == 403
    assert site.backend.api.seen == []


def test_preflight_reaches_the_api_without_a_user(site, cookie):
    """U40"""
    assert cookie
    head = [("Origin", "https://app.example"),
            ("Access-Control-Request-Method", "PUT")]
    assert site.send("OPTIONS", "/api/x", headers=head).status == 200
    assert only_request(site).get("authorization", "") == ""
    site.backend.api.seen.clear()
    assert site.send("OPTIONS", "/api/x", headers=head[1:]).status == 401
    assert site.backend.api.seen == []


def test_preflight_reaches_a_protected_page_without_a_user(site):
    """U40; the page answers it, and no other request."""
    site.write("www/members/cors.cgi", CORS_CGI)
    os.chmod(os.path.join(site.folder, "www/members/cors.cgi"), 0o755)
    head = [("Origin", "https://app.example"),
            ("Access-Control-Request-Method", "PUT")]
    answer = site.send("OPTIONS", "/members/cors.cgi", headers=head)
    assert (answer.status, answer.get("x-page")) == (204, "OPTIONS user=")
    for method, headers in (("OPTIONS", head[1:]), ("OPTIONS", head[:1]),
                            ("GET", head)):
        answer = site.send(method, "/members/cors.cgi", headers=headers)
        assert answer.status == 401 and answer.get("x-page") is None


def open_websocket(site, headers):
    """Returns the connection and the response's head."""
    client = socket.create_connection(("127.0.0.1", site.port), 30)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    client.sendall((
        "GET /api/live HTTP/1.1\r\n"
        f"Host: localhost:{site.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
        f"{lines}\r\n").encode())
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.recv(1)
        if not piece:
            break
        head += piece
    return client, head


def test_websocket_gets_the_token(site, cookie):
    token = token_of(site, cookie)
    client, head = open_websocket(site, [
        ("Cookie", f"{COOKIE}={cookie}"), *FORGED[1:],
        ("Origin", f"http://localhost:{site.port}")])
    with client:
        assert head.startswith(b"HTTP/1.1 101 "), head + site.log.encode()
        for text in (b"\x81\x85abcdabcde", b"\x82\x7e" + bytes(70000)):
            client.sendall(text)
            got = b""
            while len(got) < len(text):
                got += client.recv(65536)
            assert got == text
    assert only_request(site)["authorization"] == "Bearer " + token
    assert_no_token(token, head)


@pytest.mark.parametrize("headers, status", [
    ([], 401), ([("Origin", "https://evil.example")], 403)])
def test_websocket_of_another_site_is_refused(site, cookie, headers, status):
    """A WebSocket is opened by a GET, and no CORS applies."""
    if status == 403:
        headers = [*headers, ("Cookie", f"{COOKIE}={cookie}")]
    client, head = open_websocket(site, headers)
    client.close()
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert site.backend.api.seen == []


def raw_get(site, target, headers):
    """GET with this target, byte for byte. Returns the response's head."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    with socket.create_connection(("127.0.0.1", site.port), 30) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost:{site.port}"
                       f"\r\nConnection: close\r\n{lines}\r\n".encode())
        with client.makefile("rb") as file:
            return file.read().partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize("target", [
    "/shop-api/../api/x", "/shop-api/%2e%2e/api/x", "/shop-api/..%2fapi/x",
    "/shop-api%2f..%2fapi/x", "/./api/x", "/shop-api//../../api/x",
    "//api/x", "/api//x", "/%61pi/x", "/api/../api/x", "/api/%2e%2e/api/x",
    "/shop-api/..;/../api/x", "/api/..%5cshop-api", "/api/..;/shop-api"])
def test_backend_sees_only_paths_of_the_api(site, cookie, target):
    """The attack: a path that is the API's for the web server, and the GraphQL
    path's for the backend. Express takes all that begins with /shop-api/."""
    raw_get(site, target, [("Cookie", f"{COOKIE}={cookie}")])
    for request in site.backend.api.seen:
        path = request["line"].split(" ")[1]
        assert path.startswith("/api/"), path
        assert "/../" not in path and "%2e" not in path.lower(), path


@pytest.mark.parametrize("protocol", ["h2c", "h2c, websocket", "TLS/1.0"])
def test_only_websockets_are_tunnels(site, cookie, protocol):
    """The attack: a backend that speaks HTTP/2 on the tunnel answers requests
    for any path there (h2c smuggling)."""
    client = socket.create_connection(("127.0.0.1", site.port), 30)
    with client:
        client.sendall((
            f"GET /api/x HTTP/1.1\r\nHost: localhost:{site.port}\r\n"
            f"Cookie: {COOKIE}={cookie}\r\nUpgrade: {protocol}\r\n"
            "Connection: Upgrade, HTTP2-Settings, close\r\n"
            "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n").encode())
        client.settimeout(5)
        client.recv(1000)
    # lighttpd itself may go on with HTTP/2.
    for request in site.backend.api.seen:
        assert not [value for name, value in request["headers"]
                    if name.lower() == "upgrade" and value], request


def test_log_has_no_token(site, cookie):
    token = token_of(site, cookie)
    site.get("/api/", cookie=cookie)
    assert token not in site.log

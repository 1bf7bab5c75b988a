# SPDX-License-Identifier: ISC
"""The OpenID provider for mod_auth_openidc: everybody who asks is logged in at
once. ID tokens are signed with the client's secret (HS256), so there are no keys
to publish (OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3; Discovery 1.0,
section 4)."""

import base64
import hashlib
import hmac
import http.server
import json
import secrets
import threading
import time
import urllib.parse

CLIENT = "bench"
SECRET = "a-secret-of-mod_auth_openidc-and-the-provider"


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def signed(claims):
    text = b".".join(encoded(json.dumps(part).encode()) for part in (
        {"alg": "HS256", "typ": "JWT"}, claims))
    tag = hmac.new(SECRET.encode(), text, hashlib.sha256).digest()
    return (text + b"." + encoded(tag)).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self, value):
        self.answer(200, json.dumps(value).encode(),
                    Content_Type="application/json")

    def do_GET(self):
        """Its description; its keys, of which it has none; the authorization
        endpoint."""
        url = self.server.url
        if self.path == "/.well-known/openid-configuration":
            self.answer_json({
                "issuer": url, "authorization_endpoint": url + "/authorize",
                "token_endpoint": url + "/token", "jwks_uri": url + "/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["HS256"]})
            return
        if self.path == "/keys":
            self.answer_json({"keys": []})
            return
        asked = dict(urllib.parse.parse_qsl(
            urllib.parse.urlsplit(self.path).query))
        code = secrets.token_hex(12)
        self.server.nonces[code] = asked["nonce"]
        self.answer(302, Location=asked["redirect_uri"] + "?"
                    + urllib.parse.urlencode({"code": code,
                                              "state": asked["state"]}))

    def do_POST(self):
        """The token endpoint."""
        length = int(self.headers["Content-Length"])
        asked = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        now, token = int(time.time()), "tok_" + secrets.token_hex(14)
        claims = {"iss": self.server.url, "aud": CLIENT, "sub": "4711",
                  "iat": now, "exp": now + 3600,
                  "nonce": self.server.nonces.pop(asked["code"])}
        self.answer_json({"access_token": token, "token_type": "Bearer",
                          "expires_in": 3600, "id_token": signed(claims)})


class Provider(http.server.ThreadingHTTPServer):
    """Serves at `url`, in a thread of this process, until close()."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.nonces = {}  # by code
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join(5)

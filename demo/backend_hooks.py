# SPDX-License-Identifier: ISC
"""Test hooks of the backend: read which requests came, set the next answer."""

import base64
import collections
import hashlib
import json
import threading
import time

KEPT_MAX = 64 * 1024  # bytes of a body that /_seen shows
SEEN_MAX = 200        # requests that /_seen remembers


class Hooks:
    """
    GET /_seen returns the requests that came. DELETE /_seen forgets them and
    the planned answers. Each POST to /_next plans one answer, in order.
    """

    def __init__(self):
        self.lock = threading.Lock()
        self.seen = collections.deque(maxlen=SEEN_MAX)
        self.next = collections.deque()

    def serve(self, method, path, body):
        """Serve a request to one of the hooks. Returns a status and JSON."""
        with self.lock:
            if path == "/_seen" and method == "GET":
                return 200, list(self.seen)
            if path == "/_seen" and method == "DELETE":
                self.seen.clear()
                self.next.clear()
                return 200, []
            if path == "/_next" and method == "POST":
                self.next.append(json.loads(body))
                return 200, {"waiting": len(self.next)}
        return 405, "GET or DELETE /_seen, POST /_next."

    def take_over(self, handler, body):
        """Record a request. Returns True if a planned answer was sent."""
        noted = {
            "method": handler.command, "path": handler.path,
            "headers": handler.headers.items(),
            "body": body[:KEPT_MAX].decode("utf-8", "replace"),
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "client": "%s:%d" % handler.client_address,
            "gone": False}
        with self.lock:
            self.seen.append(noted)
            canned = self.next.popleft() if self.next else None
        if canned is None:
            return False
        try:
            self.send(handler, canned)
        except OSError:
            noted["gone"] = handler.close_connection = True
        return True

    @staticmethod
    def send(handler, canned):
        """Send the planned answer. Add only the headers that frame the body.

        status, headers, body or base64: a whole answer. chunks: a list of
        texts to send, and of numbers of seconds to wait; with cut, no last
        chunk is sent. delay: seconds to wait first. close: close the
        connection after the answer; alone, close it without an answer. raw,
        in base64: send these bytes and nothing else.
        """
        out = handler.wfile
        time.sleep(canned.get("delay", 0))
        handler.close_connection = bool(
            canned.get("close") or canned.get("cut"))
        if "raw" in canned:
            out.write(base64.b64decode(canned["raw"]))
        elif {"status", "headers", "body", "base64", "chunks"} & set(canned):
            Hooks.send_head(out, canned)
            Hooks.send_chunks(out, canned)
        out.flush()

    @staticmethod
    def send_head(out, canned):
        status, headers = canned.get("status", 200), canned.get("headers", [])
        body = (base64.b64decode(canned["base64"]) if "base64" in canned
                else canned.get("body", "").encode())
        names = {name.lower() for name, _ in headers}
        if "chunks" in canned:
            headers = headers + [["Transfer-Encoding", "chunked"]]
        elif "content-length" not in names and status not in (204, 304):
            headers = headers + [["Content-Length", str(len(body))]]
        out.write(b"HTTP/1.1 %d Canned\r\n" % status)
        for name, value in headers:
            out.write(f"{name}: {value}\r\n".encode())
        out.write(b"\r\n" + body)

    @staticmethod
    def send_chunks(out, canned):
        for chunk in canned.get("chunks", []):
            out.flush()
            if isinstance(chunk, (int, float)):
                time.sleep(chunk)
            elif chunk:
                piece = chunk.encode()
                out.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if "chunks" in canned and not canned.get("cut"):
            out.write(b"0\r\n\r\n")

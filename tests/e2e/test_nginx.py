# SPDX-License-Identifier: ISC
"""What nginx does by itself with the files of etc/nginx: limits and buffers of
request bodies."""
import json
import os
import socket
import time

import http_client
import pytest
import servers
from gateway import COOKIE, ME

COUNT = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec wc -c\n"


class NginxUploads(servers.Nginx):
    """With an upload limit of the administrator's for the protected pages."""
    name = "nginx-uploads"

    def main(self):
        # The administrator's own setting for uploads does not count here.
        return super().main().replace(
            "location ^~ /members/ {",
            "fastcgi_request_buffering off;\n        location ^~ /members/ {\n"
            "            client_max_body_size 50m;")


@pytest.fixture(name="site", scope="module")
def site_fixture(backend):
    site = NginxUploads(backend, with_pages=True, POSTERN_BODY_TIMEOUT="1s")
    site.write("www/members/count.cgi", COUNT)
    os.chmod(os.path.join(site.folder, "www/members/count.cgi"), 0o755)
    yield site
    site.close()


@pytest.mark.parametrize("size", [0, 3_000_000, 50 * 1024 * 1024])
def test_upload_to_a_protected_page(site, user, size):
    """U31: nginx compared its size with the limit of the subrequest (1 MiB),
    and answered 500."""
    cookie = site.cookie_for(user)
    head = [("Content-Type", "application/octet-stream"),
            ("Origin", f"http://localhost:{site.port}")]
    body = b"x" * size
    answer = site.send("POST", "/members/count.cgi", body,
                       [*head, ("Cookie", f"{COOKIE}={cookie}")])
    assert answer.status == 200, site.log
    assert answer.text.strip() == str(size)
    # Without a session it is refused as before.
    assert site.send("POST", "/members/count.cgi", body, head).status == 401


def test_upload_above_the_limit_of_the_page(site, user):
    """The limit is that of the page."""
    cookie = site.cookie_for(user)
    with socket.create_connection(("127.0.0.1", site.port), 30) as client:
        client.sendall((
            "POST /members/count.cgi HTTP/1.1\r\nHost: localhost\r\n"
            f"Cookie: {COOKIE}={cookie}\r\nContent-Length: {51 << 20}\r\n\r\n"
        ).encode())
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def send_slowly(site, path, value, cookie=None):
    """Send a body in two halves, with a pause longer than POSTERN_BODY_TIMEOUT
    between them. Returns the status."""
    body = json.dumps(value).encode()
    with socket.create_connection(("127.0.0.1", site.port), 30) as client:
        head = (f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Type: application/json\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\n")
        if cookie:
            head += f"Cookie: {COOKIE}={cookie}\r\n"
        client.sendall(head.encode() + b"\r\n" + body[:5])
        time.sleep(2.5)
        try:
            client.sendall(body[5:])
        except OSError:
            pass
        return int(client.recv(1000).split()[1])


def test_slow_body_does_not_hold_a_program(site, user):
    """L61: nginx reads the small bodies whole, and only then asks a program. A
    query may be a large upload, which is passed on as it comes."""
    login = {"email": user.email, "password": user.password}
    assert send_slowly(site, "/login", login) == 200
    cookie = site.cookie_for(user)
    assert send_slowly(site, "/logout", {"everywhere": False}, cookie) == 200
    assert send_slowly(site, "/session", {}) == 405
    assert send_slowly(site, "/query", {"query": ME}) == 408


def test_large_bodies_of_small_requests_are_refused(site):
    """Up to 1 MiB by Postern, as JSON; beyond by nginx, before it keeps them."""
    answer = site.post("/login", {"email": "x" * 70_000, "password": "x"})
    assert answer.status == 413 and answer.json["errors"]
    for path in ("/login", "/logout"):
        with http_client.Connection(site.port) as connection:
            answer = connection.request(
                "POST", path, [("Content-Type", "application/json")],
                b"x" * (2 << 20))
            assert answer.status == 413

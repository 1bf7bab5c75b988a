# SPDX-License-Identifier: ISC
"""A real nginx with TLS in front of a test backend, and its certificates."""
import os
import shutil
import subprocess
import tempfile

import gateway as gateways
import servers

CONFIG = """
daemon off;
worker_processes 1;
error_log stderr warn;
pid {folder}/nginx.pid;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    ssl_session_cache shared:tls:1m;
    server {{
        listen 127.0.0.1:{port} ssl {http2};
        ssl_certificate {certificate}.pem;
        ssl_certificate_key {certificate}.key;
        client_max_body_size 0;
        keepalive_requests 100000;
        keepalive_timeout {keepalive};
        location / {{
            proxy_pass http://127.0.0.1:{backend};
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_read_timeout 300;
            proxy_set_header Connection "";
            proxy_set_header X-Seen-Protocol $server_protocol;
            proxy_set_header X-Seen-Connection $connection;
        }}
    }}
}}
"""


class Certificates:
    """Certificates of a CA: for localhost, for another name, and an expired one;
    and one of another CA. Each is a path without .pem or .key."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-tls-")
        self.ca = self._make_ca("ca")
        self.other_ca = self._make_ca("other-ca")
        self.good = self._sign("good", "localhost")
        self.other_name = self._sign("other-name", "other.example")
        self.expired = self._sign("expired", "localhost", days=-1)
        self.foreign = self._sign("foreign", "localhost", ca="other-ca")

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.folder,
                              stdin=subprocess.DEVNULL, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout.decode()

    def _make_ca(self, name):
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                      "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                      "-out", f"{name}.pem")
        return os.path.join(self.folder, name)

    def _sign(self, name, host, days=2, ca="ca"):
        self._openssl("req", "-newkey", "ec", "-pkeyopt",
                      "ec_paramgen_curve:P-256", "-nodes", "-subj",
                      f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}",
                      "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA",
                      f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial",
                      "-days",
                      str(days), "-copy_extensions", "copy", "-out",
                      f"{name}.pem")
        return os.path.join(self.folder, name)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class TlsProxy:
    """nginx; url is where the programs reach the backend.
    keeps  False: each answer ends its connection"""

    def __init__(self, certificate, backend, path="/graphql", http2=False,
                 keeps=True):
        self.folder = tempfile.mkdtemp(prefix="postern-nginx-")
        self.port = gateways.free_port()
        self.url = f"https://localhost:{self.port}{path}"
        with open(os.path.join(self.folder, "nginx.conf"), "w",
                  encoding="utf-8") as file:
            file.write(CONFIG.format(
                folder=self.folder, port=self.port, backend=backend,
                certificate=certificate, http2="http2" if http2 else "",
                keepalive=75 if keeps else 0,
                user="user root;" if servers.is_root() else ""))
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [shutil.which("nginx", path=servers.PATH), "-p", self.folder,
             "-c", os.path.join(self.folder, "nginx.conf")],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        if not gateways.wait_until(lambda: servers.is_listening(
                f"127.0.0.1:{self.port}")):
            self.stop()
            self.log.seek(0)
            raise AssertionError(self.log.read().decode())

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def close(self):
        self.stop()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

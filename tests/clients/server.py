# SPDX-License-Identifier: ISC
"""A running backend.mjs, with the interface that Gateway needs."""

import http.client
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile

import canary
import gateway as gateways

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.environ.get("CLIENTS_FOLDER", "")
NODE = os.environ.get("CLIENTS_NODE", "node")


class Server:
    def __init__(self):
        self.accounts = []
        self.known = set()  # tokens that it has issued
        self.folder = tempfile.mkdtemp(prefix="postern-server-")
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        self.process = subprocess.Popen(
            [NODE, os.path.join(HERE, "backend.mjs")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            cwd=self.folder, text=True,
            env={"PATH": os.environ["PATH"], "CLIENTS_FOLDER": FOLDER})
        gateways.running.append(self)
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), line + self.read_log()
        self.url = line.split()[-1]
        self.port = int(re.search(r":(\d+)/", self.url)[1])

    def send(self, method, path, value=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=30)
        connection.request(method, path,
                           None if value is None else json.dumps(value))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, text
        return json.loads(text)

    def register(self):
        """Create a new account."""
        account = gateways.Account(
            f"user-{secrets.token_hex(6)}@example.com",
            "pass word " + secrets.token_hex(12), None)
        account.owner = self.send("POST", "/_account", {
            "email": account.email, "password": account.password})["owner"]
        self.accounts.append(account)
        return account

    def seen(self):
        """The requests since the last call."""
        report = self.send("GET", "/_seen")
        self.known.update(report["tokens"])
        return report["seen"]

    def go(self, key):
        """Let a waiting stream send its next part."""
        self.send("POST", f"/_go?key={key}")

    # For Gateway.faults().

    def hashes(self):
        return None

    def tokens_in(self, text, hashes=None):
        del hashes
        return {token for token in self.known if any(
            form in text for form in canary.encodings_of(token.encode()))}

    def read_log(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def close(self):
        self.process.stdin.close()  # it ends at the end of its input
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        gateways.running.remove(self)

# SPDX-License-Identifier: ISC
"""A Redis server on a Unix socket that tests can pause, kill and restart."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile

import gateway as gateways


class Redis:
    """Debian's redis-server without persistence: kill() loses its data."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-redis-")
        self.path = os.path.join(self.folder, "redis.sock")
        self.url = "unix:" + self.path
        self.process = None
        self.start()

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", "0", "--unixsocket", self.path,
                 "--save", "", "--appendonly", "no", "--maxmemory-policy",
                 "noeviction", "--dir", self.folder],
                stdout=log, stderr=log)
        assert gateways.wait_until(self._answers), "Redis does not start"

    def _answers(self):
        try:
            return self.command("PING").startswith(b"+PONG")
        except OSError:
            return False

    def command(self, line):
        """Send one inline command; returns the beginning of the answer."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(self.path)
            client.sendall(line.encode() + b"\r\n")
            return client.recv(65536)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

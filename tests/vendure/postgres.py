# SPDX-License-Identifier: ISC
"""A PostgreSQL in a temporary folder, on a Unix socket there."""

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import urllib.parse

import gateway as gateways


class Postgres:
    """Debian's server with one database. Root starts it as another user, since
    it refuses to run as root."""

    def __init__(self):
        folders = glob.glob("/usr/lib/postgresql/*/bin")
        assert folders, "PostgreSQL is missing: demo/packages test"
        self.programs = max(folders, key=lambda path: int(path.split("/")[4]))
        self.folder = tempfile.mkdtemp(prefix="postern-postgres-")
        self.options = {"cwd": self.folder}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.options.update(user="postgres", group="postgres",
                                extra_groups=[])
        os.chmod(self.folder, 0o755)
        self.process = None
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        host = urllib.parse.quote(self.folder, safe="")
        self.url = f"postgres://shop@/shop?host={host}"
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _run(self, program, *arguments, check=True):
        return subprocess.run(
            [os.path.join(self.programs, program), *arguments], check=check,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            timeout=60, **self.options).returncode == 0

    def _start(self):
        data = os.path.join(self.folder, "data")
        self._run("initdb", "--pgdata", data, "--username", "shop", "--auth",
                  "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C")
        self.process = subprocess.Popen(
            [os.path.join(self.programs, "postgres"), "-D", data, "-k",
             self.folder, "-c", "listen_addresses=", "-c", "fsync=off"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            **self.options)
        assert gateways.wait_until(lambda: self._run(
            "createdb", "--host", self.folder, "--username", "shop", "shop",
            check=False), 30), self.read_log()

    def read_log(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def close(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

# SPDX-License-Identifier: ISC
"""A machine of its own for the paths that etc/ names: /etc, /usr/local and
/var/lib are a test's own folders in a mount namespace. So the shipped files and
the commands of README.md run unchanged, with real users and groups. Only root
can do it."""
import os
import re
import shutil
import subprocess
import tempfile

import gateway
import pytest

PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
OWN = ("/etc", "/usr/local", "/var/lib")


def can_mount():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "-m", "true"], check=False, timeout=30).returncode == 0


needs_machine = pytest.mark.skipif(
    not can_mount(), reason="needs root, and mount namespaces")


class Machine:
    """`folder` has the contents of its /etc, /usr/local and /var/lib."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-machine-")
        os.chmod(self.folder, 0o755)
        shutil.copytree("/etc", self.path("/etc"), symlinks=True)
        programs = self.path("/usr/local/libexec/postern")
        for folder in (programs, self.path("/usr/local/bin"),
                       self.path("/var/lib")):
            os.makedirs(folder)
        for program in ("login", "query", "logout", "session", "authorize"):
            shutil.copy(os.path.join(gateway.BUILD, "cgi-bin", program),
                        programs)
        for tool in ("bin/postern", "tests/unit/lock_tool"):
            shutil.copy(os.path.join(gateway.BUILD, tool),
                        self.path("/usr/local/bin"))
        for name in ("passwd", "group", "shadow", "gshadow"):
            with open(self.path(f"/etc/{name}"), encoding="utf-8") as file:
                assert not re.search("^postern:", file.read(), re.M), name

    def path(self, path):
        return self.folder + path

    def command(self, *words):
        """The command that runs these words on the machine."""
        mounts = " && ".join(
            f"mount --bind '{self.path(folder)}' {folder}" for folder in OWN)
        return ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "-",
                *words]

    def run(self, *words, check=True, **variables):
        done = subprocess.run(
            self.command(*words), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
            check=False, cwd="/", env={
                "PATH": PATH, **gateway.SANITIZER_ENVIRONMENT, **variables})
        output = done.stdout.decode()
        assert not check or done.returncode == 0, output
        return output if check else (done.returncode, output)

    def shell(self, lines, **variables):
        return self.run("bash", "-euo", "pipefail", "-c", "\n".join(lines),
                        **variables)

    def close(self):
        shutil.rmtree(self.folder)

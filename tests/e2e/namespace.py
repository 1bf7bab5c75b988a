# SPDX-License-Identifier: ISC
"""Daemons of a machine - syslogd, systemd-journald, systemd - with a /dev and a
/run of their own."""
import json
import os
import signal
import subprocess

from gateway import SANITIZER_ENVIRONMENT, wait_until

# A /dev and a /run for the processes of one test: other tests, and this machine,
# have other daemons, or none.
NAMESPACE = """
mount -t tmpfs none "$1"
mkdir "$1/dev" "$1/run"
for name in null zero full random urandom; do
    touch "$1/dev/$name"
    mount --bind "/dev/$name" "$1/dev/$name"
done
mount --rbind "$1/dev" /dev
mount --rbind "$1/run" /run
mkdir -p /run/systemd/journal /run/systemd/system /run/log/journal /run/user
echo ready
exec cat
"""
FOLDERS = ("/run/systemd/journal", "/run/systemd/system", "/run/log/journal")


class Namespace:
    """A mount namespace, and the daemons in it. Where that is not allowed, the
    paths of the machine itself, which must be free."""

    def __init__(self, folder):
        self.folder, self.daemons, self.enter = folder, [], []
        os.mkdir(folder / "mounts")
        more = [] if os.geteuid() == 0 else ["--map-root-user"]
        self.holder = subprocess.Popen(
            ["unshare", "--mount", *more, "bash", "-ec", NAMESPACE, "-",
             str(folder / "mounts")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        if self.holder.stdout.readline() == b"ready\n":
            self.enter = ["nsenter", "-t", str(self.holder.pid), "--mount", *(
                ["--user", "--preserve-credentials"] if more else [])]
            return
        reason = self.holder.stderr.read().decode()
        assert os.geteuid() == 0 and not os.path.exists("/dev/log") and (
            not os.path.exists("/run/systemd/journal/socket")), reason
        for path in FOLDERS:
            os.makedirs(path, exist_ok=True)

    def run(self, *command, status=0, **variables):
        done = subprocess.run(
            [*self.enter, *command], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60, check=False,
            env={"PATH": os.environ["PATH"], **SANITIZER_ENVIRONMENT,
                 **variables})
        assert done.returncode == status, done
        return done.stdout.decode()

    def has(self, path):
        return subprocess.run([*self.enter, "test", "-e", path],
                              check=False).returncode == 0

    def daemon(self, *command, path, **variables):
        """Start a daemon, and wait until it has its socket."""
        self.stop()
        self.run("rm", "-f", path)
        self.daemons.append(subprocess.Popen(
            [*self.enter, *command], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], **SANITIZER_ENVIRONMENT,
                 **variables}))
        assert wait_until(lambda: self.has(path))

    def syslogd(self):
        self.daemon("busybox", "syslogd", "-n", "-O",
                    str(self.folder / "messages"), path="/dev/log")

    def messages(self):
        path = self.folder / "messages"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def journald(self):
        self.daemon("/lib/systemd/systemd-journald",
                    path="/run/systemd/journal/socket")

    def journal(self, *matches):
        return [json.loads(line) for line in self.run(
            "journalctl", "--no-pager", "-q", "-o", "json",
            *matches).splitlines()]

    def systemd(self, units):
        """Start systemd as a user's manager, with the units of a folder. Returns
        the variables by which systemctl --user finds it."""
        home = self.folder / "home"
        (home / ".config/systemd").mkdir(parents=True)
        (home / ".config/systemd/user").symlink_to(units)
        self.run("mkdir", "-p", "/run/user/0")
        variables = {"XDG_RUNTIME_DIR": "/run/user/0", "HOME": str(home)}
        self.daemon("/lib/systemd/systemd", "--user", "--log-target=console",
                    path="/run/user/0/systemd/private", **variables)
        return variables

    def stop(self):
        for process in self.daemons:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(timeout=20)
        self.daemons = []

    def close(self):
        self.stop()
        if not self.enter:
            for path in ("/dev/log", *FOLDERS):
                subprocess.run(["rm", "-rf", path], check=False)
        self.holder.communicate(timeout=20)

# SPDX-License-Identifier: ISC
"""Every command in README.md is run here, and what it tells is true."""

import os
import re
import shutil
import stat
import subprocess

import pytest
import test_demo
from gateway import BUILD, FOR_THE_BUILD, ROOT

README = os.path.join(ROOT, "README.md")
PROGRAMS = ("login", "query", "logout", "session", "authorize")

# What runs a command. A command that is not here fails the first test.
INSTALL = ["./autogen.sh", "./configure --prefix=/usr/local --localstatedir=/var", "make",
           "make install"]
SETTLE = ["postern secret > secret", "chmod 600 secret",
          "COOKIE_SESSION_SECRET_FILE=secret "
          "POSTERN_UPSTREAM=http://127.0.0.1:3000/graphql postern check"]
ELSEWHERE = {"demo/run --once": test_demo.test_once}
OURSELVES = ["tests/run"]
NOT_RUN = []  # behind a line "# not run: reason"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def blocks():
    """(language, text) of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", read(README), re.M | re.S)


def commands():
    """(command, reason or None) of each line in a block of shell."""
    found = []
    for block in (text for language, text in blocks() if language == "sh"):
        reason = None
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("# not run: "):
                reason = line[11:]
                continue
            command = re.sub(r"(^|\s)#.*", "", line).strip()
            if command:
                found.append((" ".join(command.split()), reason))
                reason = None
    return found


def test_every_command_is_known():
    known = [*INSTALL, *SETTLE, *ELSEWHERE, *OURSELVES]
    assert [c for c, reason in commands() if reason is None
            and c not in known] == []
    assert [c for c, reason in commands() if reason] == NOT_RUN
    assert set(known) <= {c for c, _ in commands()}  # none is out of date
    # The other blocks are pictures, and hold no commands.
    for language, text in blocks():
        assert language in ("sh", "")
        assert language or not re.search(r"^\s*(\$|\./|sudo|make) ", text, re.M)


def shell(lines, folder, **variables):
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", "\n".join(lines)], cwd=folder,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8",
             "HOME": str(folder), **FOR_THE_BUILD, **variables},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=300, check=False)
    assert done.returncode == 0, done.stdout.decode()[-8000:]
    return done.stdout.decode()


def test_install(tmp_path):
    """As it stands there, in a copy, with the quickest compiler flags."""
    copy, to = tmp_path / "copy", tmp_path / "to"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(
        ".git", "build*", "b", "autom4te.cache", "__pycache__",
        "node_modules"))
    (copy / "configure").unlink(missing_ok=True)
    shell(INSTALL, copy, CFLAGS="-O0", MAKEFLAGS="--silent -j2",
          DESTDIR=str(to))
    local = to / "usr/local"
    for name in PROGRAMS:
        assert os.access(local / "libexec/postern" / name, os.X_OK)
    assert os.access(local / "bin/postern", os.X_OK)
    assert (local / "lib/pkgconfig/postern.pc").exists()
    for name in ("postern.conf", "postern-cgi.conf"):
        assert list((local / "share/postern").rglob(name))
    # The samples name the folder that these commands install into.
    settings = read("etc/lighttpd/postern-settings.conf")
    assert 'var.postern_programs = "/usr/local/libexec/postern"' in settings


def test_settle(tmp_path, backend):
    """A secret, and a configuration that is found to be good."""
    lines = [line.replace("http://127.0.0.1:3000/graphql", backend.url)
             for line in SETTLE]
    path = os.path.join(BUILD, "bin") + ":" + os.environ["PATH"]
    # The default store is where it would be after an installation.
    store = f"lmdb:{tmp_path}/store"
    shell(lines, tmp_path, PATH=path, POSTERN_STORE=store)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert len((tmp_path / "secret").read_text().strip()) >= 32
    # Without the second command, the third one says what is wrong.
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(AssertionError, match="COOKIE_SESSION_SECRET_FILE"):
        shell(lines[2:], tmp_path, PATH=path, POSTERN_STORE=store)


def test_ourselves():
    """tests/run has started this very test, or would have."""
    for path in ("tests/run", ".ci/run", "demo/run", "demo/packages"):
        assert os.access(os.path.join(ROOT, path), os.X_OK), path
        subprocess.run(["bash", "-n", os.path.join(ROOT, path)], timeout=30,
                       check=True)
    assert "pytest" in read("tests/run") and "tests/e2e" in read("tests/run")
    assert "tests/run" in read(".ci/run")


def rows(text, head):
    """The rows of the table whose first line begins with `head`."""
    table = text.partition(head)[2].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")]
            for line in table]


def test_the_ten_variables():
    """They exist, and their defaults are those of doc/configuration.md."""
    said = rows(read(README), "| variable | default |")
    assert len(said) == 10
    known = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|",
                            read("doc/configuration.md"), re.M))
    for name, default, _ in said:
        name = name.strip("`")
        assert name in known, name
        if default.startswith("`"):
            assert known[name].strip() == default, name


def test_the_programs():
    named = [row[0].strip("`") for row in rows(read(README),
                                               "| program | what it does |")]
    assert named[-1] == "postern" and set(PROGRAMS) <= set(named)
    for name in named[:-1]:
        assert os.access(os.path.join(BUILD, "cgi-bin", name), os.X_OK), name
    built = {n for n in os.listdir(os.path.join(BUILD, "cgi-bin"))
             if re.fullmatch(r"[a-z]+", n)}
    assert built == set(named[:-1])


def test_links_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", read(README))
    assert links
    for link in links:
        assert os.path.exists(os.path.join(ROOT, link)), link

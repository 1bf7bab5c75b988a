# SPDX-License-Identifier: ISC
"""Run every command in README.md and check its statements."""

import os
import pathlib
import re
import shutil
import stat
import subprocess

import pytest
import test_demo
from gateway import BUILD, SANITIZER_ENVIRONMENT, ROOT
from machine import Machine, needs_machine

README = os.path.join(ROOT, "README.md")
PROGRAMS = ("login", "query", "logout", "session", "authorize")

# The commands, by what runs them. A command that is not listed fails the first
# test.
INSTALL = ["demo/packages build", "./autogen.sh",
           "mkdir -p build && cd build", "../configure", "make",
           "make install"]
CONFIGURE = ["postern config systemd postern-sysusers.conf | systemd-sysusers -",
             "postern config systemd postern-tmpfiles.conf "
             "| systemd-tmpfiles --create -",
             "postern secret | install -m 640 -g postern /dev/stdin "
             "/etc/postern/secret",
             "usermod -aG postern www-data",
             "runuser -u www-data -- env "
             "COOKIE_SESSION_SECRET_FILE=/etc/postern/secret "
             "POSTERN_ORIGIN=https://shop.example "
             "POSTERN_UPSTREAM=http://127.0.0.1:3000/graphql postern check"]
IN_OTHER_TESTS = {"demo/run --once": test_demo.test_once_session,
                  "demo/run": test_demo.test_keep_restarts}
TEST_RUNNER = ["tests/run"]
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


def test_every_command_of_the_readme_is_run():
    known = [*INSTALL, *CONFIGURE, *IN_OTHER_TESTS, *TEST_RUNNER]
    assert [c for c, reason in commands() if reason is None
            and c not in known] == []
    assert [c for c, reason in commands() if reason] == NOT_RUN
    assert set(known) <= {c for c, _ in commands()}  # none is out of date
    # The other blocks are diagrams without commands.
    for language, text in blocks():
        assert language in ("sh", "")
        assert language or not re.search(r"^\s*(\$|\./|sudo|make) ", text, re.M)


def shell(lines, folder, **variables):
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", "\n".join(lines)], cwd=folder,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8",
             "HOME": str(folder), **SANITIZER_ENVIRONMENT, **variables},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=900, check=False)
    assert done.returncode == 0, done.stdout.decode()[-8000:]
    return done.stdout.decode()


def test_install_commands_work(tmp_path):
    """In a copy of the source, without optimization, to save time."""
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
    documents = local / "share/doc/postern"
    for name in ("postern.conf", "postern-cgi.conf"):
        assert (local / "share/postern/etc/lighttpd" / name).exists()
    check_links(documents)
    # The samples name the folders that these commands install into.
    settings = read("etc/lighttpd/postern-settings.conf")
    assert '"/usr/local/libexec/postern"' in settings
    assert "/var/lib/postern" in settings
    output = shell(["postern config lighttpd postern-settings.conf"], tmp_path,
                   PATH=f"{local}/bin:{os.environ['PATH']}")
    assert settings in output
    output = shell([f"{local}/libexec/postern/query --help"], tmp_path)
    (document,) = re.findall(r"^/usr/local/(\S+\.md)", output, re.M)
    assert (local / document).exists()
    (page,) = re.findall(r"([\w-]+)\(5\)", output)
    assert (local / f"share/man/man5/{page}.5").exists()


@needs_machine
def test_configuration_commands_work(backend):
    """They make a user, a secret and a store; `postern check` accepts them."""
    machine = Machine()
    try:
        lines = [line.replace("http://127.0.0.1:3000/graphql", backend.url)
                 for line in CONFIGURE]
        assert "the store answers" in machine.shell(lines)
        for path, mode in (("/var/lib/postern", 0o2770),
                           ("/etc/postern/secret", 0o640)):
            found = os.stat(machine.path(path))
            assert stat.S_IMODE(found.st_mode) == mode
            assert found.st_gid == int(machine.run("id", "-g", "postern"))
        with open(machine.path("/etc/postern/secret"),
                  encoding="ascii") as file:
            assert len(file.read().strip()) >= 32
        # `postern check` refuses a secret that all users can read.
        os.chmod(machine.path("/etc/postern/secret"), 0o644)
        with pytest.raises(AssertionError, match="COOKIE_SESSION_SECRET_FILE"):
            machine.shell(lines[-1:])
    finally:
        machine.close()


@pytest.mark.parametrize("script", ["demo/run", "tests/run"])
def test_configured_source_folder_is_refused(tmp_path, script):
    """A build in another folder is impossible. The message has the remedy."""
    (tmp_path / script).parent.mkdir()
    shutil.copy(os.path.join(ROOT, script), tmp_path / script)
    (tmp_path / "config.status").touch()
    done = subprocess.run(
        [tmp_path / script], env={"PATH": os.environ["PATH"]}, timeout=30,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 1 and b"make distclean" in done.stdout
    assert not {"build", "build-test"} & set(os.listdir(tmp_path))
    if script == "tests/run":
        assert done.stdout.endswith(b"\n0 passed, 1 failed\n")


def test_package_table_is_complete():
    """The table has the packages that demo/packages installs, no others."""
    listed = subprocess.run(
        [os.path.join(ROOT, "demo/packages"), "--list", "build", "demo",
         "test", "bench", "analyze", "vendure"],
        stdout=subprocess.PIPE, timeout=30, check=True)
    named = [name for row in rows(read(README), "| package | why |")
             for name in re.findall(r"`(\S+)`", row[0])]
    assert sorted(named) == sorted(listed.stdout.decode().split())


def test_test_runner_scripts_are_valid():
    """tests/run runs these tests, and CI runs tests/run."""
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


def test_variable_table_is_right():
    """The variables of the table exist and have the defaults of
    doc/configuration.md."""
    output = rows(read(README), "| variable | default |")
    assert len(output) == 10
    known = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|",
                            read("doc/configuration.md"), re.M))
    for name, default, _ in output:
        name = name.strip("`")
        assert name in known, name
        if default.startswith("`"):
            assert known[name].strip() == default, name


def test_program_table_is_complete():
    named = [row[0].strip("`") for row in rows(read(README),
                                               "| program | what it does |")]
    assert named[-1] == "postern" and set(PROGRAMS) <= set(named)
    for name in named[:-1]:
        assert os.access(os.path.join(BUILD, "cgi-bin", name), os.X_OK), name
    built = {n for n in os.listdir(os.path.join(BUILD, "cgi-bin"))
             if re.fullmatch(r"[a-z]+", n)}
    assert built == set(named[:-1])


def check_links(folder):
    """Every link to a file in README.md and doc/ is valid."""
    folder = pathlib.Path(folder)
    documents = [folder / "README.md", *folder.glob("doc/*.md")]
    assert len(documents) >= 7
    for document in documents:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)",
                               document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document}: {link}"


def test_links_to_files_are_valid():
    check_links(ROOT)

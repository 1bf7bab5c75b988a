# SPDX-License-Identifier: ISC
"""What a real MariaDB takes for one name has one key here (L58).

A name that a backend's collation does not tell from the victim's must not
have a budget of guesses of its own. Asked are all collations of utf8mb4 that
ignore case and accents: the general one, those of Unicode 4.0, 5.2 and 14,
and those of countries.
"""

import getpass
import itertools
import os
import shutil
import string
import subprocess
import tempfile

import gateway as gateways
import pytest

TOOL = os.path.join(gateways.BUILD, "tests/unit/fold_tool")
ASCII = string.ascii_lowercase + string.digits

# Every character that UTF-8 can write, but for planes that are empty.
CHARACTERS = [chr(n) for n in itertools.chain(
    range(1, 0xD800), range(0xE000, 0x20000), range(0xE0000, 0xE1000))]

# What a character may be one with: collations expand ligatures and umlauts.
SEQUENCES = [a + b for a in string.ascii_lowercase
             for b in string.ascii_lowercase] + [
    "".join(three) for three in itertools.product("aefilost", repeat=3)]


class MariaDB:
    """A server of our own on a socket, with nothing but what is put there."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-mariadb-")
        self.socket = os.path.join(self.folder, "socket")
        self.process = None
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        data = os.path.join(self.folder, "data")
        user = "--user=" + getpass.getuser()
        with open(os.path.join(self.folder, "log"), "ab") as log:
            subprocess.run(
                ["mariadb-install-db", "--no-defaults", "--datadir=" + data,
                 "--auth-root-authentication-method=normal", "--skip-test-db",
                 user], stdout=log, stderr=log, timeout=120, check=True)
            self.process = subprocess.Popen(
                [shutil.which("mariadbd") or "/usr/sbin/mariadbd",
                 "--no-defaults", "--datadir=" + data, user,
                 "--socket=" + self.socket, "--skip-networking",
                 "--innodb-buffer-pool-size=16M", "--skip-grant-tables"],
                stdout=log, stderr=log)
        assert gateways.wait_until(self._answers, 60), "MariaDB does not start"

    def _answers(self):
        try:
            return self.ask("SELECT 1") == [["1"]]
        except subprocess.CalledProcessError:
            assert self.process.poll() is None, self.log
            return False

    @property
    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8",
                  errors="replace") as log:
            return log.read()[-3000:]

    def ask(self, *statements):
        """The rows of the last statement, as lists of strings."""
        done = subprocess.run(
            ["mariadb", "--no-defaults", "--socket=" + self.socket, "--batch",
             "--skip-column-names", "--default-character-set=utf8mb4"],
            input=";\n".join(statements) + ";\n", capture_output=True,
            encoding="utf-8", timeout=120, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


def keys_of(names):
    """{name: key}, by the program's own code."""
    lines = "".join(name.encode().hex() + "\n" for name in names)
    done = subprocess.run([TOOL], input=lines, capture_output=True,
                          encoding="ascii", timeout=60, check=True)
    keys = done.stdout.split("\n")[:-1]
    assert len(keys) == len(names)
    return dict(zip(names, keys))


@pytest.fixture(name="mariadb", scope="module")
def mariadb_fixture():
    mariadb = MariaDB()
    yield mariadb
    mariadb.close()


@pytest.fixture(name="names", scope="module")
def names_fixture(mariadb):
    """All of them in a table; their keys."""
    names = CHARACTERS + [c for c in SEQUENCES if c not in CHARACTERS]
    values = [f"({n}, _utf8mb4 x'{name.encode().hex()}')"
              for n, name in enumerate(names)]
    mariadb.ask(
        "CREATE DATABASE names", "USE names",
        "CREATE TABLE names (n INT PRIMARY KEY, name VARCHAR(8)"
        " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)",
        *("INSERT INTO names VALUES " + ",".join(values[i:i + 5000])
          for i in range(0, len(values), 5000)))
    return names, keys_of(names)


@pytest.fixture(name="collations", scope="module")
def collations_fixture(mariadb):
    rows = mariadb.ask(
        "SELECT full_collation_name FROM"
        " information_schema.collation_character_set_applicability"
        " WHERE character_set_name = 'utf8mb4'")
    # Without padding, a collation has the same weights.
    names = [name for (name,) in rows if name.endswith("_ci") and
             "_as_" not in name and "_nopad_" not in name]
    for wanted in ("general_ci", "unicode_ci", "unicode_520_ci", "german2_ci",
                   "swedish_ci", "uca1400_ai_ci"):
        assert "utf8mb4_" + wanted in names
    return names


def weights_of(mariadb, collation, names):
    """{name: weight}; two names of one weight are one to this collation."""
    rows = mariadb.ask(
        "USE names", "SELECT HEX(WEIGHT_STRING(name COLLATE "
        f"{collation})) FROM names ORDER BY n")
    assert len(rows) == len(names)
    return {name: row[0] for name, row in zip(names, rows)}


def find_strangers(weights, keys):
    """Names that are one to a collation, and two to us."""
    of_weight = {}
    for name in [*ASCII, *SEQUENCES]:
        of_weight.setdefault(weights[name], []).append(name)
    for name, weight in weights.items():
        if weight == "":
            if keys[name] != "":
                yield name, "nothing"
        else:
            for other in of_weight.get(weight, ()):
                if keys[other] != keys[name]:
                    yield name, other


def test_what_is_one_to_a_collation_has_one_key(mariadb, names, collations):
    names, keys = names
    compared = 0
    strangers = []
    for collation in collations:
        weights = weights_of(mariadb, collation, names)
        assert weights["a"] == weights["A"] != weights["b"]
        wanted = {"", *map(weights.get, ASCII)}
        compared += sum(weight in wanted for weight in weights.values())
        strangers += [f"{collation}: {name!r} (U+{ord(name[0]):04X}) is "
                      f"{other!r}" for name, other
                      in find_strangers(weights, keys)]
    assert compared > 10000, "that is hardly a test"
    assert strangers == []


LOOKALIKES = ["víctim@example.org", "VICTIM@EXAMPLE.ORG",
              "ｖictim@example.org", "vic tim@example.org",
              "victim@example.org ", "vic\u200btim@example.org",
              "vic\u00adtim@example.org", "\u200fvictim@example.org",
              "vict\u0131m@example.org", "vi\u0327ctim@example.org",
              "vic\x01tim@example.org", "v\u0456ctim@example.org"]


def test_names_that_a_collation_takes_for_one(mariadb):
    """Whole names, compared by the database's own operator."""
    victim = "victim@example.org"
    keys = keys_of([victim, *LOOKALIKES])
    ones = 0
    for name in LOOKALIKES:
        (answer,), = mariadb.ask(
            f"SELECT _utf8mb4 x'{name.encode().hex()}' = _utf8mb4 "
            f"x'{victim.encode().hex()}' COLLATE utf8mb4_unicode_ci")
        ones += answer == "1"
        if answer == "1":
            assert keys[name] == keys[victim], repr(name)
    assert ones >= 7
    assert keys[LOOKALIKES[3]] == keys[victim]  # a backend that strips spaces
    assert keys[LOOKALIKES[-1]] != keys[victim]  # a Cyrillic i is another

# SPDX-License-Identifier: ISC
"""Names that a real MariaDB compares as equal have one rate-limit key (L58).

Otherwise an attacker gets more guesses at an account by other spellings of its
name. The test uses all utf8mb4 collations that ignore case and accents: the
general one, those of Unicode 4.0, 5.2 and 14, and those of languages.
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

# Every character except those of unassigned planes.
CHARACTERS = [chr(n) for n in itertools.chain(
    range(1, 0xD800), range(0xE000, 0x20000), range(0xE0000, 0xE1000))]

# Collations compare ligatures and umlauts as equal to sequences of letters.
SEQUENCES = [a + b for a in string.ascii_lowercase
             for b in string.ascii_lowercase] + [
    "".join(three) for three in itertools.product("aefilost", repeat=3)]


class MariaDB:
    """A MariaDB server on a Unix socket, with an empty data folder."""

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
            return self.execute("SELECT 1") == [["1"]]
        except subprocess.CalledProcessError:
            assert self.process.poll() is None, self.log
            return False

    @property
    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8",
                  errors="replace") as log:
            return log.read()[-3000:]

    def execute(self, *statements):
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
    """{name: rate-limit key}, computed by the library's code."""
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
    """(names, {name: key}); a table of the database contains the names."""
    names = CHARACTERS + [c for c in SEQUENCES if c not in CHARACTERS]
    values = [f"({n}, _utf8mb4 x'{name.encode().hex()}')"
              for n, name in enumerate(names)]
    mariadb.execute(
        "CREATE DATABASE names", "USE names",
        "CREATE TABLE names (n INT PRIMARY KEY, name VARCHAR(8)"
        " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)",
        *("INSERT INTO names VALUES " + ",".join(values[i:i + 5000])
          for i in range(0, len(values), 5000)))
    return names, keys_of(names)


@pytest.fixture(name="collations", scope="module")
def collations_fixture(mariadb):
    rows = mariadb.execute(
        "SELECT full_collation_name FROM"
        " information_schema.collation_character_set_applicability"
        " WHERE character_set_name = 'utf8mb4'")
    # The _nopad_ collations have the same weights.
    names = [name for (name,) in rows if name.endswith("_ci") and
             "_as_" not in name and "_nopad_" not in name]
    for wanted in ("general_ci", "unicode_ci", "unicode_520_ci", "german2_ci",
                   "swedish_ci", "uca1400_ai_ci"):
        assert "utf8mb4_" + wanted in names
    return names


def weights_of(mariadb, collation, names):
    """{name: weight}; the collation compares names of equal weight as equal."""
    rows = mariadb.execute(
        "USE names", "SELECT HEX(WEIGHT_STRING(name COLLATE "
        f"{collation})) FROM names ORDER BY n")
    assert len(rows) == len(names)
    return {name: row[0] for name, row in zip(names, rows)}


def find_mismatches(weights, keys):
    """Pairs of names that a collation compares as equal and that have different
    keys."""
    by_weight = {}
    for name in [*ASCII, *SEQUENCES]:
        by_weight.setdefault(weights[name], []).append(name)
    for name, weight in weights.items():
        if weight == "":
            if keys[name] != "":
                yield name, "ignored"
        else:
            for other in by_weight.get(weight, ()):
                if keys[other] != keys[name]:
                    yield name, other


def test_characters_equal_in_a_collation_have_one_key(
        mariadb, names, collations):
    names, keys = names
    compared = 0
    mismatches = []
    for collation in collations:
        weights = weights_of(mariadb, collation, names)
        assert weights["a"] == weights["A"] != weights["b"]
        wanted = {"", *map(weights.get, ASCII)}
        compared += sum(weight in wanted for weight in weights.values())
        mismatches += [f"{collation}: {name!r} (U+{ord(name[0]):04X}) is "
                      f"{other!r}" for name, other
                      in find_mismatches(weights, keys)]
    assert compared > 10000, "too few comparisons"
    assert mismatches == []


LOOKALIKES = ["víctim@example.org", "VICTIM@EXAMPLE.ORG",
              "ｖictim@example.org", "vic tim@example.org",
              "victim@example.org ", "vic\u200btim@example.org",
              "vic\u00adtim@example.org", "\u200fvictim@example.org",
              "vict\u0131m@example.org", "vi\u0327ctim@example.org",
              "vic\x01tim@example.org", "v\u0456ctim@example.org"]


def test_names_equal_in_a_collation_have_one_key(mariadb):
    """Whole names, compared by the database."""
    victim = "victim@example.org"
    keys = keys_of([victim, *LOOKALIKES])
    equal = 0
    for name in LOOKALIKES:
        (answer,), = mariadb.execute(
            f"SELECT _utf8mb4 x'{name.encode().hex()}' = _utf8mb4 "
            f"x'{victim.encode().hex()}' COLLATE utf8mb4_unicode_ci")
        equal += answer == "1"
        if answer == "1":
            assert keys[name] == keys[victim], repr(name)
    assert equal >= 7
    assert keys[LOOKALIKES[3]] == keys[victim]  # some backends strip spaces
    assert keys[LOOKALIKES[-1]] != keys[victim]  # a Cyrillic i differs

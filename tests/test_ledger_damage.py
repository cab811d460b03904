"""Every damage of the ledger is told, wherever it lies: its keyed digest is over the whole file.

Bytes are turned and tables overwritten without the key, as a failing disk or somebody with the file would.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from outcomes.cli import main
from outcomes.disclosure.ledger import checking, open_as_it_is, open_ledger, restore_ledger
from outcomes.disclosure.ledger.database import _TABLES, load_database, read_database
from outcomes.errors import DisclosureError
from test_ledger import make_edition, make_release, put_out

#: As many as the file is tried with for each seed.
N_FLIPS = 24
FAST = (0,)
SEEDS = [pytest.param(seed, marks=() if seed in FAST else pytest.mark.slow) for seed in range(20)]
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A private folder whose ledger knows two releases; what was replaced left free space in the file."""
    private = tmp_path_factory.mktemp("whole") / ".outcomes"
    with open_ledger(private) as ledger:
        put_out(ledger, make_edition(1))
        ledger.enter(make_edition(2), [make_release(people) for people in range(100, 800, 100)])
        put_out(ledger, make_edition(2), make_release(60, 31.0))
    return private


@pytest.fixture
def private(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / ".outcomes"))


def find_file(private: Path) -> Path:
    return private / "ledger" / "ledger.sqlite"


def is_told(private: Path) -> bool:
    """Whether opening the ledger says that it is damaged and what to do; nothing else may be raised."""
    try:
        open_as_it_is(private, 6).connection.close()
    except DisclosureError as error:
        assert error.exit_code == 7 and "outcomes ledger restore" in str(error)
        return True
    return False


def flip(content: bytes, draw: random.Random, n: int) -> bytes:
    """Turn some bytes, each to another one."""
    turned = bytearray(content)
    for place in draw.sample(range(len(turned)), n):
        turned[place] ^= draw.randrange(1, 256)
    return bytes(turned)


@pytest.mark.parametrize("n", [1, 2], ids=["one byte", "two bytes"])
@pytest.mark.parametrize("seed", SEEDS)
def test_turned_bytes_are_told(private, seed, n):
    path, draw = find_file(private), random.Random(seed)
    content = path.read_bytes()
    for _ in range(N_FLIPS):
        path.write_bytes(flip(content, draw, n))
        assert is_told(private)
    path.write_bytes(content)
    assert not is_told(private)


def test_without_the_digest_most_turned_bytes_would_pass(private, monkeypatch):
    """The teeth of the test above: SQLite and the chain of events by themselves miss most."""

    def trust(path: Path, key: bytes):
        return load_database(path.read_bytes()[:-32]), True

    monkeypatch.setattr(checking, "read_database", trust)
    path, draw = find_file(private), random.Random(0)
    content = path.read_bytes()
    missed = 0
    for _ in range(N_FLIPS):
        path.write_bytes(flip(content, draw, 1))
        try:
            open_as_it_is(private, 6).connection.close()
            missed += 1
        except DisclosureError:
            pass
    assert missed > 0.3 * N_FLIPS


def cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def append(content: bytes, draw: random.Random) -> bytes:
    return content + draw.randbytes(draw.choice([1, 32, 4096]))


def overwrite(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content) - 64)
    return content[:start] + bytes(64 * [draw.randrange(1, 256)]) + content[start + 64 :]


def drop_digest(content: bytes, draw: random.Random) -> bytes:
    return content[:-32]


@pytest.mark.parametrize("damage", [cut, append, overwrite, drop_digest])
def test_a_file_that_is_cut_off_longer_or_overwritten_is_told(private, damage):
    path, draw = find_file(private), random.Random(1)
    content = path.read_bytes()
    for _ in range(N_FLIPS):
        path.write_bytes(damage(content, draw))
        assert is_told(private)


def run_sql(private: Path, statement: str) -> None:
    with closing(sqlite3.connect(find_file(private))) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement)


def list_columns() -> list[str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(_TABLES)
        query = (
            "SELECT held.name || '.' || its.name FROM sqlite_master AS held, "
            "pragma_table_info(held.name) AS its WHERE held.type = 'table'"
        )
        return [row[0] for row in connection.execute(query)]


@pytest.mark.parametrize("column", list_columns())
def test_an_overwritten_column_of_any_table_is_told(private, column):
    table, _, name = column.partition(".")
    other = (
        f"CASE typeof({name}) WHEN 'integer' THEN {name} + 1 WHEN 'blob' THEN zeroblob(length({name})) "
        f"WHEN 'null' THEN 1 ELSE {name} || 'x' END"
    )
    run_sql(private, f"UPDATE OR REPLACE {table} SET {name} = {other}")
    assert is_told(private)


@pytest.mark.parametrize(
    "statement",
    ["DROP INDEX cells_of_quantity", "CREATE TABLE further (x)", "VACUUM", "PRAGMA user_version = 3"],
)
def test_a_file_that_anybody_else_wrote_is_told(private, statement):
    with closing(sqlite3.connect(find_file(private), isolation_level=None)) as connection:
        connection.execute(statement)
    assert is_told(private)


def test_an_older_file_is_told_also_with_its_head(private):
    backups = sorted((private / "ledger" / "backups").iterdir())
    shutil.copyfile(backups[0], find_file(private))
    assert is_told(private)
    with pytest.raises(DisclosureError, match="old"):
        open_as_it_is(private)


@pytest.mark.parametrize("field", ["sequence", "hash", "released", "page"])
def test_an_edited_head_is_told(private, field):
    path = private / "ledger" / "head.json"
    head = json.loads(path.read_text(encoding="utf-8"))
    others = ["x", *(range(1, head[field]) if field in ("sequence", "released") else [])]
    for other in others:
        path.write_text(json.dumps({**head, field: other}), encoding="utf-8")
        assert is_told(private), other


def test_turned_bytes_of_head_and_key_are_told(private):
    draw = random.Random(2)
    for path in (private / "ledger" / "head.json", private / "keys" / "ledger.key"):
        content = path.read_bytes()
        for _ in range(N_FLIPS):
            path.write_bytes(flip(content.rstrip(b"\n"), draw, 1) + content[len(content.rstrip(b"\n")) :])
            try:
                open_as_it_is(private).connection.close()
            except DisclosureError as error:
                assert error.exit_code == 7
            else:  # a letter in another case is the same hexadecimal digit, and a space is none
                assert (
                    json.loads(path.read_text())
                    if path.suffix == ".json"
                    else (bytes.fromhex(path.read_text().strip()) == bytes.fromhex(content.decode().strip()))
                )
        path.write_bytes(content)


def test_a_copy_is_put_back_only_where_its_own_digest_is_right(private):
    path, (older, newest) = find_file(private), sorted((private / "ledger" / "backups").iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    newest.write_bytes(flip(newest.read_bytes(), random.Random(3), 1))
    with pytest.raises(DisclosureError, match="page-odi"):
        restore_ledger(private)
    with restore_ledger(private, withdrawn=["page-odi"]) as ledger:
        assert [edition.id for edition in ledger.list_editions()] == ["run1"]
    assert older.is_file() and read_database(path, ledger.key)[1]


def test_a_rehash_tells_what_was_wrong_before_the_digest_was_written(private):
    """A defect of the program or of memory would be sealed with its digest; the hashes of contents stay."""
    for statement in ("UPDATE marks SET marks = zeroblob(9)", "UPDATE patients SET token = randomblob(32)"):
        with open_ledger(private) as ledger:
            ledger.rehash()
            ledger.connection.execute(statement)
            with pytest.raises(DisclosureError, match=r"(was|were) changed"):
                ledger.rehash()


# -- commands


def run_command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    "command",
    [("status",), ("approve",), ("approve", "whole", "--by", "A. Nurse"), ("check", "--reports"),
     ("ledger", "verify"), ("ledger", "show")],
    ids=" ".join,
)  # fmt: skip
def test_commands_tell_damage_before_anything_else(private, monkeypatch, capsys, command):
    monkeypatch.chdir(private.parent)
    (private.parent / "reports").mkdir()
    declared = '[report.whole]\nsource = "made-up-clinic"\nnotebook = "change"\naudience = "stakeholder"\n'
    (private.parent / "reports" / "reports.toml").write_text(declared, encoding="utf-8")
    path = find_file(private)
    path.write_bytes(flip(path.read_bytes(), random.Random(4), 1))
    assert run_command(*command) == 7
    told = capsys.readouterr()
    assert "outcomes ledger restore" in " ".join(told.err.split()) and "Traceback" not in told.err
    assert not told.out.strip()

"""A state that somebody else made: what runner would not have written is refused, or left out."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runner.errors import Damaged, EnvironmentFailed
from runner.model import Outcome
from runner.state import State, checksums, open_at
from runner.state.merge import foreign, values
from runner.state.merge.copying import DEEPEST
from runner.state.merge.files import merge
from runner.state.merge.foreign import open_foreign
from tests.facts import session
from tests.state import samples
from tests.state.test_merge import make, outcomes, writing

A, B = session(1), session(2)
NOT_UTF_8 = "CAST(x'ff41' AS TEXT)"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A state with a session that failed."""
    return make(tmp_path / "theirs", (A, 1, Outcome.FAILED))


def change(state: Path, script: str) -> None:
    """Change a journal as its owner can, who need not respect constraints."""
    with closing(sqlite3.connect(state / "journal.db", isolation_level=None)) as connection:
        for table in checksums.COLUMNS:
            connection.execute(f"UPDATE {table} SET crc = NULL")
        connection.executescript(f"PRAGMA ignore_check_constraints = ON; {script}")


def merged(theirs: Path) -> list[str]:
    """Merge into a new state, and return what was left out."""
    with writing(theirs.parent / "ours") as state, open_foreign(theirs) as other:
        return merge(state, other).left_out


VALUES = (
    *("attempts.outcome = 'pwned'", "sessions.outcome = 'pwned'", "attempts.outcome = 1"),
    *("sessions.id = x'00ff'", "sessions.id = 'text'", "sessions.id = 7", "sessions.point = x''"),
    *("attempts.metrics = '[1'", "attempts.metrics = '[1]'", "attempts.metrics = '{\"a\": NaN}'"),
    *(
        "attempts.metrics = '{\"a\": 1e999}'",
        "attempts.metrics = '{\"a\": [1]}'",
        'attempts.metrics = \'{"a": {"missing": 1}}\'',
        "attempts.metrics = x'7b7d'",
    ),
    f"attempts.metrics = '{{\"a\": {'9' * 5000}}}'",
    f"attempts.metrics = '{'[' * 100_000}'",
    *("attempts.started = 9e999", "attempts.started = -9e999", "attempts.started = 'x'", "attempts.started = 1e300"),
    *("attempts.duration = -1", "attempts.max_rss = 'big'", "attempts.exit_code = 1.5", "attempts.devices = '{}'"),
    *("attempts.number = 0", "attempts.number = -1", "attempts.number = 9223372036854775807"),
    *("sessions.attempts = 9223372036854775807", "sessions.attempts = 2", "sessions.recipe = 99"),
    *(f"attempts.reason = {NOT_UTF_8}", f"attempts.name = {NOT_UTF_8}", f"texts.params = {NOT_UTF_8}"),
    *(
        "texts.params = '{}'",
        "texts.params = '[[1, 2, 3]]'",
        'texts.params = \'[["a", "1", {}]]\'',
        "texts.exec = '{}'",
    ),
    *("texts.repeat = 'x'", "texts.session = 99", "attempts.session = 99"),
    *(
        'applies.capacity = \'{"cpu": "x"}\'',
        'applies.capacity = \'{"cpu": "1e999999999"}\'',
        "applies.capacity = '[]'",
    ),
    *('applies.capacity = \'{"cpu": "1/0"}\'', "applies.outcomes = '{\"pwned\": 1}'", "applies.usage = '{}'"),
    *("applies.started = 9e999", "applies.recipe = 99", "applies.sweep = x'00'", "applies.dirty = 7"),
    *("recipes.parts = '[]'", "recipes.parts = '{\"files\": [1]}'", 'recipes.parts = \'{"files": {"a": 1}}\''),
    'attempts.metrics = \'{"a": {"missing": 1}}\'',
    *("meta.state = '../../x'", "meta.created = 9e999"),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:40])
def test_value_that_runner_does_not_write_is_refused(theirs: Path, value: str) -> None:
    table, _, assignment = value.partition(".")
    change(theirs, f"UPDATE {table} SET {assignment}")
    with pytest.raises(Damaged):
        merged(theirs)
    assert outcomes(theirs.parent / "ours", A) == []


def test_every_column_of_the_journal_has_a_check(theirs: Path) -> None:
    """A new column needs one in `merge.values`."""
    with closing(sqlite3.connect(theirs / "journal.db")) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} for table in tables}
    assert columns == {table: set(checks) for table, checks in values.TABLES.items()}


@pytest.mark.parametrize(
    "metrics", ['{"a": 1.5}', '{"a": ["1.10", 1.1]}', '{"a": {"missing": "x"}}', '{"a": {"unread": "x"}, "b": null}']
)
def test_every_form_of_a_metric_is_merged(theirs: Path, metrics: str) -> None:
    change(theirs, f"UPDATE attempts SET metrics = '{metrics}'")
    merged(theirs)


def test_unknown_outcome_on_which_attempt_and_session_agree_is_refused(theirs: Path) -> None:
    change(theirs, "UPDATE attempts SET outcome = 'pwned'; UPDATE sessions SET outcome = 'pwned'")
    with pytest.raises(Damaged, match=r"attempts.outcome|sessions.outcome"):
        merged(theirs)


@pytest.mark.parametrize("name", ["../../../x", "0123456789abcdeg", "", "0123456789ABCDEF"])
def test_build_that_is_no_digest_is_refused(theirs: Path, name: str) -> None:
    """Its name is that of a folder."""
    change(
        theirs,
        f"INSERT INTO builds (build, apply, command, name, backend, started) VALUES ('{name}', 1, '', '', '', 1)",
    )
    with pytest.raises(Damaged):
        merged(theirs)


SCHEMAS = {
    "view": "ALTER TABLE attempts RENAME TO a; CREATE VIEW attempts AS SELECT * FROM a",
    "trigger": "CREATE TRIGGER t AFTER INSERT ON sessions BEGIN DELETE FROM sessions; END",
    "another table": "CREATE TABLE more (x)",
    "another index": "CREATE INDEX more ON attempts (reason)",
    "virtual table": "CREATE VIRTUAL TABLE more USING fts5(x)",
    "generated column": "ALTER TABLE merges ADD COLUMN more AS (upper(token))",
    "missing table": "DROP TABLE attempts",
    "missing column": "ALTER TABLE attempts DROP COLUMN name",
    "no state": "DELETE FROM meta",
    "two states": "INSERT INTO meta (state, created) VALUES ('0123456789ab', 1)",
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_that_runner_has_not_made_is_refused(theirs: Path, name: str) -> None:
    change(theirs, SCHEMAS[name])
    with pytest.raises(Damaged):
        merged(theirs)


def test_row_with_another_checksum_is_refused(theirs: Path) -> None:
    change(theirs, "UPDATE attempts SET crc = 1")
    with pytest.raises(Damaged, match="not as it was written"):
        merged(theirs)


@pytest.mark.parametrize("sample", samples.SAMPLES, ids=lambda sample: sample.stem)
def test_journal_of_an_older_version_is_merged(sample: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    samples.restore(sample, theirs)
    merged(theirs)
    with open_at(tmp_path / "ours") as opened:
        assert opened is not None
        assert opened.journal.last_apply() is not None


def test_newer_journal_is_refused_without_reading_it(theirs: Path) -> None:
    change(theirs, "PRAGMA user_version = 99; DROP TABLE attempts")
    with pytest.raises(EnvironmentFailed, match="newer runner"):
        merged(theirs)


def test_rollback_journal_that_names_another_file_is_refused(theirs: Path) -> None:
    """SQLite would remove the file that it names."""
    (theirs / "journal.db-journal").write_bytes(bytes(512) + b"/victim" + bytes(8) + foreign._SUPER_JOURNAL)
    with pytest.raises(Damaged, match="names another file"):
        merged(theirs)


def test_journal_that_takes_too_long_is_refused(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(
        theirs,
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300000)"
        " INSERT INTO merges SELECT x FROM n",
    )
    monkeypatch.setattr(foreign, "LEAST_SECONDS", -10.0)
    monkeypatch.setattr(foreign, "SECONDS_PER_MIB", 0.0)
    with pytest.raises(Damaged, match="too long"):
        merged(theirs)


def test_wal_of_a_killed_writer_is_read(theirs: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(theirs / "journal.db", isolation_level=None)
    connection.execute("UPDATE attempts SET reason = 'from the WAL', crc = NULL")
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("journal.db", "journal.db-wal"):
        (copy / name).write_bytes((theirs / name).read_bytes())
    connection.close()
    with open_foreign(copy) as other:
        row = other.journal.row(A.id)
        assert row is not None
        assert row.reason == "from the WAL"


def as_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def as_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened, socket_folder(path):
        opened.bind(path.name)


class socket_folder:  # noqa: N801  # the path of a socket may have 107 bytes
    def __init__(self, path: Path) -> None:
        self.folder = path.parent

    def __enter__(self) -> None:
        self.before = os.getcwd()
        os.chdir(self.folder)

    def __exit__(self, *_: object) -> None:
        os.chdir(self.before)


SPECIAL: dict[str, Callable[[Path], None]] = {"link": as_link, "pipe": os.mkfifo, "socket": as_socket}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("place", ["logs/{}.1.err", "output/{}/deep/x", "output/{}"])
def test_special_file_is_left_out_and_named(theirs: Path, kind: str, place: str) -> None:
    path = theirs / place.format(A.id)
    if path.is_dir():
        (path / "result").unlink()
        path.rmdir()
    path.parent.mkdir(exist_ok=True)
    SPECIAL[kind](path)
    assert merged(theirs) == [place.format(A.id)]
    assert not os.path.lexists(theirs.parent / "ours" / place.format(A.id))


@pytest.mark.parametrize(
    "name", [f"{A.id}.2.out", f"{A.id}.1.outx", f"../{A.id}.1.out", f"{A.id}.01.out", f"x{A.id}.1.out"]
)
def test_file_of_no_merged_attempt_is_not_copied(theirs: Path, name: str) -> None:
    as_link(theirs / "logs" / name)
    (theirs / "builds" / "name.out").write_text("x")
    merged(theirs)
    ours = theirs.parent / "ours"
    assert os.listdir(ours / "logs") == [f"{A.id}.1.out"]
    assert os.listdir(ours / "builds") == []


@pytest.mark.parametrize("part", ["logs", "output", "builds", "journal.db", "lock", "journal.db-wal"])
def test_state_with_a_link_in_place_of_a_part_is_refused(theirs: Path, part: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    if (theirs / part).exists():
        (theirs / part).rename(elsewhere)
    (theirs / part).symlink_to(elsewhere)
    with pytest.raises(EnvironmentFailed, match="symbolic link"):
        merged(theirs)


def test_link_in_the_folder_of_somebody_else_is_not_followed(theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("name: theirs\nexec: [echo, hi]\n")
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "theirs").symlink_to(theirs)
    command = [sys.executable, "-m", "runner", "merge", "sweep.yaml", "job"]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (refused.returncode, "symbolic link" in refused.stderr) == (2, True)


def test_modes_and_owner_are_those_of_new_files(theirs: Path) -> None:
    folder = theirs / "output" / A.id
    for name, mode in (("setuid", 0o6755), ("open", 0o666), ("closed", 0o600), ("sticky", 0o1644)):
        (folder / name).write_text(name)
        (folder / name).chmod(mode)
    (folder / "folder").mkdir()
    (folder / "folder").chmod(0o2777)
    os.setxattr(folder / "open", "user.x", b"1")
    umask = os.umask(0o022)
    try:
        assert merged(theirs) == []
    finally:
        os.umask(umask)
    copied = theirs.parent / "ours" / "output" / A.id
    modes = {name: stat.S_IMODE((copied / name).stat().st_mode) for name in os.listdir(copied)}
    assert modes == {"setuid": 0o755, "open": 0o644, "closed": 0o644, "sticky": 0o644, "folder": 0o755, "result": 0o644}
    assert os.listxattr(copied / "open") == []


def test_holes_of_a_file_stay_holes(theirs: Path) -> None:
    size = 1 << 40
    with open(theirs / "output" / A.id / "sparse", "wb") as file:
        for at in (0, 1 << 30, size - 3):
            file.seek(at)
            file.write(b"end")
        file.truncate(size + 5)
    (theirs / "output" / A.id / "hole").touch()
    os.truncate(theirs / "output" / A.id / "hole", size)
    assert merged(theirs) == []
    folder = theirs.parent / "ours" / "output" / A.id
    about = os.stat(folder / "sparse")
    assert (about.st_size, os.stat(folder / "hole").st_size) == (size + 5, size)
    assert about.st_blocks * 512 < 1 << 20
    with open(folder / "sparse", "rb") as file:
        for at, found in ((0, b"end"), (1 << 30, b"end"), (size - 3, b"end" + bytes(5)), (1 << 35, bytes(8))):
            file.seek(at)
            assert file.read(8)[: len(found)] == found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_second_name_of_a_file_of_another_owner_is_left_out(theirs: Path, tmp_path: Path) -> None:
    """It may be a file that only this user can read."""
    (tmp_path / "secret").write_text("secret")
    for root, folders, files in os.walk(theirs):
        for name in (".", *folders, *files):
            os.chown(os.path.join(root, name), 65534, 65534)
    os.link(tmp_path / "secret", theirs / "output" / A.id / "stolen")
    own = theirs / "output" / A.id / "result"
    os.link(own, own.with_name("again"))
    assert merged(theirs) == [f"output/{A.id}/stolen"]
    assert sorted(os.listdir(theirs.parent / "ours" / "output" / A.id)) == ["again", "result"]


def test_folder_that_is_too_deep_is_left_out(theirs: Path) -> None:
    path = theirs / "output" / A.id
    for _ in range(DEEPEST + 5):
        path /= "d"
        path.mkdir()
    (left,) = merged(theirs)
    assert left.count("/d") == DEEPEST + 1


def test_linked_log_here_is_replaced_by_a_merged_one(theirs: Path, tmp_path: Path) -> None:
    """Not written through."""
    victim = tmp_path / "victim"
    victim.write_text("original")
    ours = make(tmp_path / "ours", (B, 1, Outcome.FAILED))
    (ours / "logs" / f"{A.id}.1.out").symlink_to(victim)
    merged(theirs)
    assert victim.read_text() == "original"
    assert not (ours / "logs" / f"{A.id}.1.out").is_symlink()


def test_merged_state_is_read_by_every_query(theirs: Path) -> None:
    merged(theirs)
    with open_at(theirs.parent / "ours") as opened:
        assert isinstance(opened, State)
        assert [row.outcome for row in opened.journal.attempts(A.id)] == [Outcome.FAILED]
        assert opened.journal.last_apply() is not None

"""Damaged journals: found by pages, tables, checksums and what rows say; what can be read is saved."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runner.errors import Damaged, EnvironmentFailed
from runner.model import Outcome, Status
from runner.state import checksums, damage
from runner.state.check import check
from runner.state.journal import Journal, open_for_reading, open_for_writing
from runner.state.lock import hold
from tests.facts import apply_ended, apply_started, ended, session, started, submitted
from tests.paths import ROOT
from tests.processes import HANG
from tests.state.samples import SAMPLES, restore

SESSIONS = [session(number) for number in range(60)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    with open_for_writing(path) as journal:
        journal.record(apply_started())
        for one in SESSIONS:
            journal.record(submitted(one))
            journal.record(started(one))
            journal.record(ended(one, Outcome.FAILED if one is SESSIONS[0] else Outcome.SUCCEEDED, metrics={"v": 0.5}))
        journal.record(apply_ended(9.0))
    return path


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def opened(path: Path) -> Journal:
    journal = open_for_reading(path)
    assert journal is not None
    return journal


def faults(path: Path) -> list[str]:
    with opened(path) as journal:
        return damage.faults(journal._connection)


def test_checksum_is_the_same_on_every_machine() -> None:
    assert checksums.checksum(1, 1.5, "grün", b"\0\xff", None, "a", None) == 2255315607
    assert checksums.checksum(1, None) == checksums.checksum(1)
    assert checksums.checksum(1) != checksums.checksum(1.0)


def test_sound_journal_has_no_faults(path: Path) -> None:
    assert faults(path) == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_migrated_journal_has_no_faults(sample: Path, tmp_path: Path) -> None:
    path = restore(sample, tmp_path)
    assert faults(path) == []
    with open_for_writing(path):
        pass
    assert faults(path) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET id = zeroblob(8) WHERE n = 7",
        "UPDATE sessions SET outcome = 'succeeded' WHERE n = 1",
        "UPDATE sessions SET recipe = 3 WHERE n = 7",
        "UPDATE attempts SET duration = duration * 2 WHERE session = 7",
        "UPDATE attempts SET metrics = replace(metrics, '5', '6') WHERE session = 7",
        "UPDATE attempts SET apply = 2 WHERE session = 7",
        "UPDATE texts SET params = replace(params, '1', '2') WHERE session = 7",
        "UPDATE recipes SET digest = 'digest-9'",
        "UPDATE applies SET total = total + 1",
    ],
)
def test_changed_row_is_found_by_its_checksum(path: Path, statement: str) -> None:
    change(path, statement)
    assert any("does not match its checksum" in fault for fault in faults(path))


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("ALTER TABLE applies RENAME COLUMN revision TO revisiom", "table applies is not as runner made it"),
        ("DELETE FROM texts WHERE session = 7", "session 7 has no variables"),
        ("DELETE FROM attempts WHERE session = 7", "session 7 has no attempt"),
        ("DELETE FROM sessions WHERE n = 7", "attempts of the unknown session 7"),
        ("UPDATE attempts SET crc = NULL, outcome = 'suc#eeded' WHERE session = 7", "a row of attempts cannot be read"),
        ("UPDATE texts SET crc = NULL, params = '[[\"x' WHERE session = 7", "a row of sessions cannot be read"),
        ("UPDATE applies SET crc = NULL, capacity = '{'", "a row of applies cannot be read"),
    ],
)
def test_other_damage_is_found(path: Path, statement: str, fault: str) -> None:
    change(path, statement)
    assert any(fault in found for found in faults(path))


def read_statuses(journal: Journal) -> None:
    journal.statuses(live=False)


def count_succeeded(journal: Journal) -> None:
    journal.succeeded("any recipe")


def read_attempts(journal: Journal) -> None:
    list(journal.latest(SESSIONS))


def read_sessions(journal: Journal) -> None:
    list(journal.orphans(lambda _: False, live=False))


def read_applies(journal: Journal) -> None:
    list(journal.applies())


@pytest.mark.parametrize(
    ("statement", "read"),
    [
        ("UPDATE sessions SET point = zeroblob(8) WHERE n = 7", read_statuses),
        ("UPDATE sessions SET crc = NULL, outcome = 'suc#eeded' WHERE n = 7", read_statuses),
        ("UPDATE sessions SET outcome = 'succeeded' WHERE n = 1", count_succeeded),
        ("PRAGMA application_id = 0", read_statuses),
        ("UPDATE attempts SET metrics = '{\"v\"#0.5}' WHERE session = 7", read_attempts),
        ("UPDATE attempts SET metrics = replace(metrics, '5', '6') WHERE session = 7", read_attempts),
        ("UPDATE attempts SET metrics = CAST(x'ff' AS TEXT) WHERE session = 7", read_attempts),
        ("UPDATE texts SET params = '[[\"x#' WHERE session = 7", read_sessions),
        ("UPDATE applies SET outcomes = '{\"suc#eeded\": 3}'", read_applies),
        ("ALTER TABLE applies RENAME COLUMN revision TO revisiom", read_applies),
    ],
)
def test_any_error_of_a_damaged_journal_is_said_as_damage(
    path: Path, statement: str, read: Callable[[Journal], None]
) -> None:
    change(path, statement)
    with pytest.raises(Damaged) as caught, opened(path) as journal:
        read(journal)
    assert caught.value.exit_code == 3
    assert f"runner doctor --state {path.parent}" in (caught.value.hint or "")


def test_error_beside_a_sound_journal_stays_what_it_is(path: Path) -> None:
    with pytest.raises(KeyError), opened(path):
        raise KeyError("a mistake of ours")


# What can be read is saved


def statuses(path: Path) -> dict[int, Status]:
    with opened(path) as journal:
        return journal.statuses(live=False)


def test_check_leaves_a_sound_journal_alone(path: Path) -> None:
    before = path.read_bytes()
    checked = check(path.parent)
    assert (checked.fault, checked.salvaged) == (None, None)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET outcome = 'failed' WHERE n = 7",
        "UPDATE attempts SET metrics = NULL WHERE session = 7",
        "DELETE FROM attempts WHERE session = 7",
    ],
)
def test_a_session_that_cannot_be_read_runs_again(path: Path, statement: str) -> None:
    before = statuses(path)
    change(path, statement)
    content = path.read_bytes()
    checked = check(path.parent)
    assert checked.salvaged is not None
    assert faults(path) == []
    assert statuses(path) == {one: status for one, status in before.items() if one != int(SESSIONS[6].id, 16)}
    assert checked.salvaged.aside == path.with_name("journal.db.damaged")
    assert checked.salvaged.aside.read_bytes() == content
    with opened(path) as journal:
        assert [apply.ended for apply in journal.applies()] == [9.0]
    with open_for_writing(path) as journal:
        journal.record(apply_started())
        journal.record(submitted(SESSIONS[6]))


def test_an_earlier_attempt_decides_if_the_last_one_cannot_be_read(path: Path) -> None:
    with open_for_writing(path) as journal:
        journal.record(apply_started())
        journal.record(submitted(SESSIONS[0], 2))
        journal.record(ended(SESSIONS[0], attempt=2))
    change(path, "UPDATE attempts SET duration = 99.0 WHERE number = 2")
    check(path.parent)
    assert statuses(path)[int(SESSIONS[0].id, 16)] is Status.FAILED
    assert faults(path) == []


def test_state_keeps_its_identity(path: Path) -> None:
    with open_for_writing(path) as journal:
        journal.set_home("here")
        state = journal.state_id
    change(path, "UPDATE texts SET params = '' WHERE session = 7")
    check(path.parent)
    with open_for_writing(path) as journal:
        journal.set_home("here")
        assert journal.state_id == state


def test_unreadable_page_costs_only_its_rows(path: Path) -> None:
    content = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT max(pageno) FROM dbstat WHERE name = 'attempts' AND pagetype = 'leaf'"
        ).fetchone()
    content[(page - 1) * 2048 : page * 2048] = b"\xa5" * 2048
    path.write_bytes(content)
    assert faults(path)
    check(path.parent)
    assert faults(path) == []
    assert len(SESSIONS) / 2 < len(statuses(path)) < len(SESSIONS)


def test_damaged_header_costs_nothing(path: Path) -> None:
    before = statuses(path)
    content = bytearray(path.read_bytes())
    content[:24] = bytes(24)
    path.write_bytes(content)
    with pytest.raises(Damaged):
        opened(path)
    check(path.parent)
    assert statuses(path) == before


def test_wal_of_a_killed_runner_is_salvaged_too(path: Path, tmp_path: Path) -> None:
    journal = open_for_writing(path)
    journal.record(apply_started())
    journal.record(submitted(SESSIONS[0], 2))
    journal.record(ended(SESSIONS[0], attempt=2))
    change(path, "UPDATE texts SET params = '' WHERE session = 7")
    killed = tmp_path / "killed"
    killed.mkdir()
    for suffix in ("", "-wal"):
        (killed / f"journal.db{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    journal.__exit__(None, None, None)
    checked = check(killed)
    assert checked.salvaged is not None
    assert statuses(killed / "journal.db")[int(SESSIONS[0].id, 16)] is Status.SUCCEEDED
    assert (killed / "journal.db.damaged-wal").stat().st_size > 0


def test_second_damage_is_kept_beside_the_first(path: Path) -> None:
    for name in ("journal.db.damaged", "journal.db.damaged2"):
        change(path, "UPDATE texts SET params = '' WHERE session = (SELECT min(session) FROM texts)")
        check(path.parent)
        assert path.with_name(name).exists()


def test_state_in_use_is_not_checked(path: Path) -> None:
    with hold(path.parent), pytest.raises(EnvironmentFailed, match="holds the state"):
        check(path.parent)


def test_flipped_bits_in_a_journal_are_no_bug() -> None:
    command = [sys.executable, "-m", "tests.campaigns.fuzz_journals", "--count", "3", "--seed", "20261130"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=4 * HANG)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 journals, 33 commands:")

"""The files of arrays: what a later runner, and a later version, finds."""

from __future__ import annotations

import json
from pathlib import Path

from runner.backends.slurm.spool import Spool, parse_record
from tests.fake_slurm import make_attempt


def test_later_runner_finds_arrays_by_name(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    attempts = [make_attempt(str(number), tmp_path) for number in range(5)]
    array = spool.create(attempts, 2, "")
    array.set_job("12")
    later = Spool(tmp_path / "spool")
    found = [place for attempt in attempts if (place := later.find(attempt.name))]
    assert [array.id(index) for array, index in found] == ["12_0.0", "12_0.1", "12_1.0", "12_1.1", "12_2.0"]
    assert list(array.sessions_of(2)) == [4]


def test_withdrawn_array_is_not_found_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    attempt = make_attempt("a", tmp_path)
    array = spool.create([attempt], 1, "")
    spool.withdraw(array)
    assert spool.find(attempt.name) is None
    assert Spool(tmp_path / "spool").find(attempt.name) is None
    assert not array.folder.exists()


def test_format_of_names_stays(tmp_path: Path) -> None:
    array = Spool(tmp_path).create([make_attempt("x", tmp_path)], 3, "")
    assert json.loads((array.folder / "names").read_text()) == {"pack": 3, "names": ["0123456789ab-x-1"]}


def test_record_is_parsed() -> None:
    record = parse_record("code=143 why=asked ran=250 cpu=12 peak=4096 oom=0 host=n1 job=7 by=sh\n", 100.0)
    assert (record.code, record.why, record.host, record.job, record.by_shell) == (143, "asked", "n1", "7", True)
    assert (record.began, record.ran, record.cpu, record.peak, record.killed) == (97.5, 2.5, 0.12, 4096, 0)


def test_empty_record_has_no_code() -> None:
    """As a full disk leaves it."""
    record = parse_record("", 10.0)
    assert (record.code, record.why, record.killed, record.host) == (None, "", None, None)


def test_record_of_an_array_is_read_once_it_exists(tmp_path: Path) -> None:
    array = Spool(tmp_path).create([make_attempt("x", tmp_path), make_attempt("y", tmp_path)], 1, "")
    assert array.read_records() == []
    (array.folder / "1.end").write_text("code=3 why=\n")
    assert array.read_records() == [1]
    assert array.read_records() == []
    assert array.records[1].code == 3


def test_record_of_a_requeued_session_is_read_again(tmp_path: Path) -> None:
    array = Spool(tmp_path).create([make_attempt("x", tmp_path)], 1, "")
    end = array.folder / "0.end"
    end.write_text("code=143 why=slurm\n")
    array.read_records()
    end.write_text("code=0 why=\n")
    assert array.read_records() == [0]
    assert array.records[0].code == 0

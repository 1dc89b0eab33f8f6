"""The ends of logs with secrets masked, for those who do not know the secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.results.failures import last_lines
from runner.state.tails import TAIL, mask_log, mask_tail, read_tail
from runner.text.masks import Masks

SECRET = "s3cr3t-1234567"
MASKS = Masks([SECRET])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.err"


def test_end_is_masked_and_the_log_stays(log: Path) -> None:
    log.write_text(f"a\nerror: {SECRET}\n")
    mask_tail(log, MASKS)
    assert last_lines(log, 5) == ["a", "error: ***"]
    assert SECRET in log.read_text()


def test_end_without_a_secret_has_no_copy(log: Path) -> None:
    log.write_text(SECRET)
    mask_tail(log, MASKS)
    log.write_text("another attempt")
    mask_tail(log, MASKS)
    assert os.listdir(log.parent) == [log.name]
    assert last_lines(log, 5) == ["another attempt"]


@pytest.mark.parametrize("line_end", ["", "\n"])
@pytest.mark.parametrize("shift", range(-2, len(SECRET) + 3))
def test_secret_across_the_beginning_of_the_end(log: Path, shift: int, line_end: str) -> None:
    """No part of it is shown, wherever the end begins, in one line or in many."""
    rest = (("y" * 60 + line_end) * 400)[: TAIL - shift - len(SECRET)]
    log.write_text(("x" * 60 + line_end) * 400 + SECRET + rest + SECRET)
    mask_tail(log, MASKS)
    content, _ = read_tail(log)
    assert b"4567" not in content
    assert b"s3cr3t" not in content
    assert "***" in last_lines(log, 1)[0] or not line_end


@pytest.mark.parametrize("shift", range(len(SECRET)))
def test_log_of_nothing_but_secrets(log: Path, shift: int) -> None:
    """Wherever reading begins, it begins inside of one, and masked they are so short that all is shown."""
    log.write_text(SECRET * 5000 + "y" * shift)
    mask_tail(log, MASKS)
    content, _ = read_tail(log)
    assert set(content.decode()) <= {"*", "y"}


def test_missing_log_and_linked_copy(log: Path, tmp_path: Path) -> None:
    mask_tail(log, MASKS)
    mask_log(log, MASKS)
    assert os.listdir(tmp_path) == []
    log.write_text("own")
    log.with_name("log.err.masked").symlink_to("/etc/hostname")
    assert last_lines(log, 1) == ["own"]


def test_whole_log_is_masked(log: Path) -> None:
    log.write_bytes((b"\xff" + SECRET.encode()) * 200_000)
    mask_log(log, MASKS)
    assert log.read_bytes() == b"\xff***" * 200_000


def test_whole_log_without_a_secret_is_not_written_again(log: Path) -> None:
    log.write_text("nothing")
    before = log.stat().st_ino
    mask_log(log, MASKS)
    assert log.stat().st_ino == before

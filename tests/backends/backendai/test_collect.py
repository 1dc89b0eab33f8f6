from __future__ import annotations

from pathlib import Path

from runner.backends.backendai.collect import collect, update_logs
from runner.backends.backendai.console import marker
from tests.fake_backendai import attempt_in, chunks, console_of

NAME = "0123456789ab-0123456789abcdef-1"
MARK = marker(NAME)


def test_log_files_grow_in_place(tmp_path: Path) -> None:
    """`logs -f` follows the file, so collecting the end must not replace it."""
    attempt = attempt_in(tmp_path, NAME)
    update_logs(chunks(MARK, "o", b"one\n"), attempt)
    inode = (tmp_path / "out").stat().st_ino
    collect(console_of(MARK, b"one\ntwo\n", b""), NAME, attempt)
    assert (tmp_path / "out").read_bytes() == b"one\ntwo\n"
    assert (tmp_path / "out").stat().st_ino == inode


def test_missing_bytes_are_noted_on_stderr(tmp_path: Path) -> None:
    attempt = attempt_in(tmp_path, NAME)
    lines = console_of(MARK, b"x" * 9000, b"").split("\r\n")
    collect("\r\n".join(line for line in lines if ":o:3000:" not in line), NAME, attempt)
    assert (tmp_path / "out").read_bytes() == b"x" * 6000
    assert (tmp_path / "err").read_text() == "runner: the cluster kept 6,000 of 9,000 bytes of stdout\n"

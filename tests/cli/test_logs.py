"""`runner logs` on a terminal: colours, and no other escape sequence."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

LOG = b"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]52;c;aGk=\x07 \x1b[2J \x9b31m \xe2\x80\xae 50%\r100%\n"


@pytest.mark.parametrize("follow", [(), ("--follow",)])
def test_terminal_gets_colours_only(tmp_path: Path, follow: tuple[str, ...]) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [cat, log]\nfiles: [log]\n")
    (tmp_path / "log").write_bytes(LOG)
    runner = [sys.executable, "-m", "runner"]
    subprocess.run([*runner, "apply"], cwd=tmp_path, capture_output=True, check=True)
    ids = subprocess.run(
        [*runner, "results", "--format", "csv"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    session = ids.stdout.split("\n")[1].split(",")[1]
    master, slave = pty.openpty()
    with open(master, "rb", buffering=0) as screen:
        subprocess.run([*runner, "logs", "sweep.yaml", session, *follow], cwd=tmp_path, stdout=slave, check=True)
        os.close(slave)
        shown = b""
        with suppress(OSError):  # the terminal is closed
            while chunk := screen.read(4096):
                shown += chunk
    expected = "\x1b[31mred\x1b[0m ␛]0;title␇ ␛]52;c;aGk=␇ ␛[2J �31m <U+202E> 50%\r100%\r\n\x1b[0m"
    assert shown.decode() == expected
    piped = subprocess.run(
        [*runner, "logs", "sweep.yaml", session, *follow], cwd=tmp_path, capture_output=True, check=True
    )
    assert piped.stdout == LOG

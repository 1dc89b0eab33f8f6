"""One run of a command in a folder of its own: how long it took, and the most memory it held."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent


class Run(NamedTuple):
    """Seconds of wall time, seconds of CPU of it and all it waited for, and its own peak in bytes."""

    seconds: float
    cpu: float
    memory: int


@contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="speed-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def run(command: list[str], place: Path, *, code: int = 0, stdout: Path | None = None) -> Run:
    """Run it with `place` as its working directory; what it says goes to `stdout`, if anywhere.

    Memory is that of the command alone, not of what it starts.
    """
    with open(stdout or os.devnull, "wb") as out, open(place / "errors", "wb") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=place, env=environ(), stdin=subprocess.DEVNULL, stdout=out, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != code:
        raise SystemExit(f"{command} ended with {process.returncode}: {(place / 'errors').read_text()[-2000:]}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def environ() -> dict[str, str]:
    """Compiled modules must be kept, or every start would compile all of them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(ROOT)}


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"

"""What runner costs while two long sessions run and its display is on."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import measured
from tests.benchmarks.measured import median, row
from tests.benchmarks.scale import runner

SECONDS = 5.0
TICK = os.sysconf("SC_CLK_TCK")


def table(rounds: int, sizes: tuple[int, int], million: int) -> Iterator[str]:
    yield row("what", "measured", "target")
    yield row("---", "---", "---")
    share = median(_share() for _ in range(rounds))
    yield row("runner and its spawner while two sessions sleep, display on", f"{share:.1%} of a core", "< 1 %")


def _share() -> float:
    """CPU time over time, once everything has started; the display draws on a terminal of its own."""
    ours, theirs = os.openpty()
    with measured.folder() as place:
        (place / "sweep.yaml").write_text("exec: [sleep, '1000']\nrepeat: 2\nmax_parallel: 2\n")
        command = runner("apply", "sweep.yaml")
        with subprocess.Popen(command, cwd=place, env=measured.environ(), stderr=theirs) as process:
            time.sleep(2)
            children = f"/proc/{process.pid}/task/{process.pid}/children"
            pids = [process.pid, *map(int, Path(children).read_text().split())]
            before = sum(map(_cpu, pids))
            time.sleep(SECONDS)
            used = sum(map(_cpu, pids)) - before
            process.terminate()
    os.close(ours)
    os.close(theirs)
    return used / SECONDS


def _cpu(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK

"""`compress`: tasks as Slurm's commands take them."""

from __future__ import annotations

from pathlib import Path

from runner.backends.slurm.scancel import compress
from runner.backends.slurm.spool import JobArray


def test_tasks_become_ranges_and_whole_arrays(tmp_path: Path) -> None:
    array = JobArray(tmp_path, tuple(map(str, range(6))), 1, "7")
    assert compress([(array, task) for task in (0, 1, 2, 4)]) == ["7_[0-2,4]"]
    assert compress([(array, task) for task in range(6)]) == ["7"]


def test_many_ranges_are_split(tmp_path: Path) -> None:
    array = JobArray(tmp_path, tuple(map(str, range(2000))), 1, "7")
    first, second = compress([(array, task) for task in range(0, 1200, 2)])
    assert first.count(",") == 499
    assert second.count(",") == 99

"""Locks on GPUs between processes of one user."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runner.backends.local.gpu_locks import GpuLocks
from runner.errors import EnvironmentFailed
from tests.paths import ROOT


def locked_by_another_process(folder: Path) -> str:
    """Whether a process that starts and ends now gets the locks of 0 and 1."""
    program = (
        "from runner.backends.local.gpu_locks import GpuLocks\n"
        f"locks = GpuLocks({str(folder)!r})\n"
        "print(locks.try_lock('0'), locks.try_lock('1'))"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_one_process_at_a_time_holds_a_gpu(tmp_path: Path) -> None:
    locks = GpuLocks(str(tmp_path / "locks"))
    assert locks.try_lock("0")
    assert locks.try_lock("0")
    assert locked_by_another_process(tmp_path / "locks") == "False True"


def test_lock_ends_with_its_process(tmp_path: Path) -> None:
    assert locked_by_another_process(tmp_path / "locks") == "True True"
    assert GpuLocks(str(tmp_path / "locks")).try_lock("1")


def test_unlocked_gpu_is_free_and_may_be_unlocked_again(tmp_path: Path) -> None:
    locks = GpuLocks(str(tmp_path / "locks"))
    assert locks.try_lock("0")
    locks.unlock("0")
    locks.unlock("0")
    assert locked_by_another_process(tmp_path / "locks") == "True True"


def test_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runner").mkdir()
    (tmp_path / "runner").chmod(0o777)
    with pytest.raises(EnvironmentFailed, match="is not a folder that only you can write to"):
        GpuLocks(str(tmp_path / "runner")).try_lock("0")


def test_folder_that_cannot_be_created(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="no GPU lock can be created in"):
        GpuLocks(str(tmp_path / "missing" / "runner")).try_lock("0")

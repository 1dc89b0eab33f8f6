"""Locks on GPUs between processes of one user."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.backends.local.gpu_locks import GpuLocks
from runner.backends.local.gpu_names import Gpu, GpuNames
from runner.errors import EnvironmentFailed
from tests.paths import ROOT

GPUS = (Gpu("GPU-aaaa", ("MIG-1111", "MIG-2222")), Gpu("GPU-bbbb"))


def locks_in(folder: Path, *, holder: str = "", **environ: str) -> GpuLocks:
    return GpuLocks(str(folder), GpuNames(lambda _: GPUS), environ, holder)


def locked_by_another_process(folder: Path, *devices: str, environ: Mapping[str, str] | None = None) -> str:
    """Whether a process that starts and ends now gets these locks, and who has the last of them."""
    program = (
        "from pathlib import Path\n"
        "from tests.backends.local.test_gpu_locks import locks_in\n"
        f"locks = locks_in(Path({str(folder)!r}), **{dict(environ or {})})\n"
        f"devices = {devices}\n"
        "print(*(locks.try_lock(device) for device in devices), locks.holder(devices[-1]))"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_one_process_at_a_time_holds_a_gpu(tmp_path: Path) -> None:
    locks = locks_in(tmp_path / "locks")
    assert locks.try_lock("0")
    assert locks.try_lock("0")
    assert locked_by_another_process(tmp_path / "locks", "0", "1") == "False True"


def test_lock_ends_with_its_process(tmp_path: Path) -> None:
    assert locked_by_another_process(tmp_path / "locks", "0", "1") == "True True"
    assert locks_in(tmp_path / "locks").try_lock("1")


def test_unlocked_gpu_is_free_and_may_be_unlocked_again(tmp_path: Path) -> None:
    locks = locks_in(tmp_path / "locks")
    assert locks.try_lock("0")
    locks.unlock("0")
    locks.unlock("0")
    assert locked_by_another_process(tmp_path / "locks", "0", "1") == "True True"


@pytest.mark.parametrize(
    ("held", "wanted", "free"),
    [
        ("0", "GPU-aaaa", False),
        ("GPU-aaaa", "0", False),
        ("GPU-aa", "00", False),
        ("GPU-aaaa", "GPU-bbbb", True),
        ("MIG-1111", "MIG-1111", False),
        ("MIG-11", "MIG-1111", False),
        ("MIG-1111", "MIG-2222", True),
        ("MIG-1111", "0", False),
        ("GPU-aaaa", "MIG-2222", False),
        ("MIG-GPU-aaaa/1/0", "0", False),
        ("MIG-1111", "1", True),
        ("5", "5", False),
        ("GPU-cccc", "GPU-cccc", False),
    ],
)
def test_gpu_has_one_lock_by_any_of_its_names(tmp_path: Path, held: str, wanted: str, free: bool) -> None:
    """MIG devices of one card can be used at once, but not the card with one of them."""
    locks = locks_in(tmp_path / "locks")
    assert locks.try_lock(held)
    assert locked_by_another_process(tmp_path / "locks", wanted).split()[0] == str(free)


def test_runner_that_cannot_list_the_gpus_shares_locks_by_index(tmp_path: Path) -> None:
    """The PATH of cron may not have nvidia-smi."""
    assert GpuLocks(str(tmp_path / "locks"), GpuNames(lambda _: ()), {}).try_lock("0")
    assert not locks_in(tmp_path / "locks").try_lock("0")


def test_holder_is_known_to_the_one_that_waits(tmp_path: Path) -> None:
    locks = locks_in(tmp_path / "locks", holder="/home/me/long\x1b.yaml")
    assert locks.try_lock("0")
    said = locked_by_another_process(tmp_path / "locks", "GPU-aaaa")
    assert said == f"False pid {os.getpid()}: /home/me/long�.yaml"


def test_runner_inside_a_session_uses_the_gpus_of_the_session(tmp_path: Path) -> None:
    """And no other: those of its siblings are locked like those of strangers."""
    locks = locks_in(tmp_path / "locks")
    assert locks.try_lock("0")
    assert locks.try_lock("1")
    session = {"RUNNER_DEVICES": "GPU-aaaa", "RUNNER_JOB": "outer-1"}
    assert locked_by_another_process(tmp_path / "locks", "0", environ=session) == "True"
    assert locked_by_another_process(tmp_path / "locks", "1", environ=session).startswith("False")


def test_two_runners_inside_a_session_do_not_share_its_gpu(tmp_path: Path) -> None:
    first = locks_in(tmp_path / "locks", RUNNER_DEVICES="0", RUNNER_JOB="outer-1")
    session = {"RUNNER_DEVICES": "0", "RUNNER_JOB": "outer-1"}
    (tmp_path / "locks").mkdir(mode=0o700)
    for name in ("0", "GPU-aaaa"):  # held by the parent of this process, as far as the text of the lock says
        (tmp_path / "locks" / f"{name}.lock").write_text(f"{os.getppid()} outer")
    assert first.try_lock("0")
    assert locked_by_another_process(tmp_path / "locks", "0", environ=session).startswith("False")
    first.unlock("0")
    assert locked_by_another_process(tmp_path / "locks", "0", environ=session) == "True"


def test_gpu_of_a_session_that_has_ended_is_locked_as_any_other(tmp_path: Path) -> None:
    """Its environment may outlive it, such as in a job of `at`: its process does not descend from the holder."""
    stranger = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "locks")], cwd=ROOT, stdout=subprocess.PIPE)
    with stranger:
        try:
            assert stranger.stdout is not None
            assert stranger.stdout.readline() == b"True\n"
            assert not locks_in(tmp_path / "locks", RUNNER_DEVICES="0", RUNNER_JOB="ended-1").try_lock("0")
        finally:
            stranger.kill()


HOLD = """
import sys, time
from pathlib import Path
from tests.backends.local.test_gpu_locks import locks_in
locks = locks_in(Path(sys.argv[1]))
print(locks.try_lock("0"), flush=True)
time.sleep(1000)
"""


def test_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runner").mkdir()
    (tmp_path / "runner").chmod(0o777)
    with pytest.raises(EnvironmentFailed, match="is not a folder that only you can write to"):
        locks_in(tmp_path / "runner").try_lock("0")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_folder_of_another_user_has_a_hint_that_can_be_followed(tmp_path: Path) -> None:
    """A user cannot remove a folder of another one from /tmp."""
    (tmp_path / "runner").mkdir(mode=0o700)
    os.setreuid(65534, 0)
    try:
        with pytest.raises(EnvironmentFailed) as caught:
            locks_in(tmp_path / "runner").try_lock("0")
    finally:
        os.setreuid(0, 0)
    assert (caught.value.hint or "").startswith("it belongs to user `root`: ask that user or root to delete the folder")


def test_folder_that_cannot_be_created(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="no GPU lock can be created in"):
        locks_in(tmp_path / "missing" / "runner").try_lock("0")

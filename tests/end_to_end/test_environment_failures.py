"""The environment fails, not the input: exit 3, a word on what to do, and nothing recorded is lost."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import HANG, wait_for

SWEEP = "exec: [echo, $x]\nranges: {x: 'range:400'}\nmax_parallel: 4\n"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runner", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=HANG, check=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if (
        sys.platform != "linux"
        or os.getuid() != 0
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk_exits_3_and_same_command_resumes(small_disk: Path) -> None:
    (small_disk / "sweep.yaml").write_text(SWEEP)
    run(small_disk, "apply", "--select", "x=0")
    ballast = small_disk / "ballast"
    free = os.statvfs(small_disk)
    ballast.write_bytes(b"x" * max(0, free.f_bavail * free.f_frsize - 120_000))
    failed = run(small_disk, "apply")
    assert failed.returncode == 3, failed.stderr
    assert "nothing recorded is lost" in failed.stderr
    assert "Traceback" not in failed.stderr
    ballast.unlink()
    done = {row["id"] for row in json.loads(run(small_disk, "results", "--format", "json").stdout) if row["started"]}
    assert done
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert run(small_disk, "apply").returncode == 0
    rows = json.loads(run(small_disk, "results", "--format", "json").stdout)
    assert {row["status"] for row in rows} == {"succeeded"}
    assert next(row["attempts"] for row in rows if row["params"] == {"x": 0}) == 1


def test_read_only_folder_exits_3(small_disk: Path) -> None:
    (small_disk / "sweep.yaml").write_text(SWEEP)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert run(small_disk, "plan", "--exit-code").returncode == 10
    failed = run(small_disk, "apply")
    assert failed.returncode == 3
    assert "--state DIR" in failed.stderr
    elsewhere = small_disk.parent / "state"
    assert run(small_disk, "apply", "--state", str(elsewhere), "--select", "x=1").returncode == 0


def test_state_of_a_newer_version_exits_3(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    run(tmp_path, "apply", "--select", "x=0")
    journal = sqlite3.connect(tmp_path / ".runner/sweep/journal.db")
    journal.execute("PRAGMA user_version = 99999")
    journal.close()
    for command in ("apply", "status", "results", "plan"):
        failed = run(tmp_path, command)
        assert failed.returncode == 3, command
        assert "newer" in failed.stderr


@pytest.mark.parametrize(
    "limit", ["-v 30000", "-v 45000", "-v 60000", "-v 80000", "-v 100000", "-n 6", "-n 8", "-n 12", "-n 16"]
)
def test_shortage_of_memory_or_descriptors_exits_3(tmp_path: Path, limit: str) -> None:
    """No traceback, no bug report; the same command runs everything later. A larger interpreter may need other numbers."""
    (tmp_path / "sweep.yaml").write_text("exec: ['true']\nmetrics: {loss: {regex: 'x'}}\n")
    command = f"ulimit {limit}; exec {sys.executable} -m runner apply"
    short = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=False
    )
    assert short.returncode in (0, 3), short.stderr
    assert short.returncode == 0 or "error: " in short.stderr
    assert run(tmp_path, "apply").returncode == 0


@pytest.mark.skipif(os.getuid() != 0 or not os.path.isdir("/sys/fs/cgroup/pids"), reason="needs the pids controller")
@pytest.mark.parametrize("most", [4, 6, 8, 10, 14])
def test_shortage_of_threads_exits_3_or_is_waited_out(tmp_path: Path, most: int) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "exec: [sh, -c, 'for i in 1 2 3; do sleep 0.1 & done; wait; echo x=$1', sh, $x]\nranges: {x: 'range:12'}\n"
        "metrics: {m: {regex: 'x=(.*)'}}\nmax_parallel: 4\n"
    )
    group = Path(f"/sys/fs/cgroup/pids/runner-test-{os.getpid()}")
    group.mkdir()
    try:
        (group / "pids.max").write_text(str(most))
        command = f"echo $$ > {group}/cgroup.procs; exec {sys.executable} -m runner apply"
        short = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=False
        )
    finally:
        wait_for(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
    assert short.returncode in (0, 1, 3), short.stderr
    assert run(tmp_path, "apply").returncode == 0


def test_path_that_sqlite_cannot_open_is_named(tmp_path: Path) -> None:
    """Its limit is below that of the system; with `--state` the sweep runs."""
    folder = tmp_path
    while len(os.fsencode(folder)) < 500:
        folder /= "d" * 30
    folder.mkdir(parents=True)
    (folder / "sweep.yaml").write_text(SWEEP.replace("400", "2"))
    done = run(folder, "apply")
    assert done.returncode == 3
    assert "the path of the journal has " in done.stderr
    assert run(folder, "apply", "--state", str(tmp_path / "state")).returncode == 0

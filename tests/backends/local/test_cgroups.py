"""Version 2 memory cgroups, on a folder with the same files: most machines delegate no controllers to a test.

Real version 1 cgroups are in test_memory.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.backends.local.cgroups import V2, MemoryCgroups, UnusableError, find_folder, open_v2


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A delegated cgroup with two processes."""
    own = tmp_path / "fs" / "user.slice" / "own"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpu memory pids\n")
    (own / "cgroup.subtree_control").write_text("")
    (own / "cgroup.procs").write_text("10\n11\n")
    return own


def create_files(group: Path) -> None:
    """The files that the kernel creates in a new cgroup."""
    group.mkdir(exist_ok=True)
    for file in ("memory.max", "memory.swap.max", "memory.oom.group", "cgroup.procs"):
        (group / file).touch()
    (group / "memory.events").write_text("low 0\nmax 12\noom 1\noom_kill 3\n")
    (group / "memory.peak").write_text("104857600\n")


def test_limit_covers_swap_and_kills_the_whole_cgroup(own: Path) -> None:
    create_files(own / "runner-job")
    groups = MemoryCgroups(V2, str(own), str(own))
    group = groups.create("job")
    assert group == str(own / "runner-job")
    groups.limit(group, 100 << 20)
    written = {file: Path(group, file).read_text() for file in ("memory.max", "memory.swap.max", "memory.oom.group")}
    assert written == {"memory.max": "104857600", "memory.swap.max": "0", "memory.oom.group": "1"}


def test_kills_and_peak_are_the_kernels_counts(own: Path) -> None:
    create_files(own / "runner-job")
    groups = MemoryCgroups(V2, str(own), str(own))
    assert groups.kills(groups.path("job")) == 3
    assert groups.peak(groups.path("job")) == 104857600


def test_cgroup_with_a_foreign_process_is_left_alone(own: Path) -> None:
    with pytest.raises(UnusableError, match="other processes are in this cgroup"):
        open_v2(str(own), (10,))
    assert (own / "cgroup.subtree_control").read_text() == ""


def test_own_processes_move_into_the_leaf(own: Path) -> None:
    create_files(own / "runner.main")
    create_files(own / f"runner-probe-{os.getpid()}")
    # A real cgroup can be removed with the files in it; here the trial fails at its end.
    with pytest.raises(UnusableError, match=r"no cgroup can be created in .*: Directory not empty"):
        open_v2(str(own), (10, 11, 12))
    assert (own / "cgroup.subtree_control").read_text() == "+memory"
    assert (own / "runner.main" / "cgroup.procs").read_text() in ("10", "11")


def test_cgroup_without_the_memory_controller(own: Path) -> None:
    (own / "cgroup.controllers").write_text("cpu pids\n")
    with pytest.raises(UnusableError, match="the memory controller is not delegated to this cgroup"):
        open_v2(str(own), ())


@pytest.mark.parametrize(
    ("root", "folder"),
    [("/", "fs/user.slice/own"), ("/user.slice", "fs/own"), ("/user.slice/own", "fs")],
    ids=["whole hierarchy", "part of it, as in a container", "own cgroup"],
)
def test_folder_of_the_own_cgroup(tmp_path: Path, root: str, folder: str) -> None:
    """What is mounted can begin at any cgroup above the own one."""
    (tmp_path / folder).mkdir(parents=True)
    mountinfo = f"31 23 0:28 {root} {tmp_path}/fs rw - cgroup2 cgroup2 rw\n".encode()
    assert find_folder(b"4:cpu:/x\n0::/user.slice/own\n", mountinfo, V2) == str(tmp_path / folder)


def test_folder_without_a_mount() -> None:
    with pytest.raises(UnusableError, match="cgroup version 2 is not mounted here"):
        find_folder(b"0::/own\n", b"", V2)

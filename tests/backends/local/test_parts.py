"""The parts of the local backend that are decisions on data: frames, owners, groups' files, what a machine offers."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.local import cgroups, resources
from runner.backends.local.cgroups import UnusableError
from runner.backends.local.doctor import describe
from runner.backends.local.gpu_locks import DeviceLocks
from runner.backends.local.procfs import Process, descendants, owners
from runner.backends.local.protocol import Frames, frame
from runner.errors import EnvironmentFailed
from tests.paths import ROOT

# Frames


@given(
    messages=st.lists(st.tuples(st.integers(), st.binary(max_size=300), st.none() | st.text())),
    sizes=st.lists(st.integers(1, 50), min_size=1),
)
def test_frames_survive_any_cut(messages: list[tuple[object, ...]], sizes: list[int]) -> None:
    """Wherever a stream is cut, the same messages come out in the same order."""
    stream, frames, turn = b"".join(map(frame, messages)), Frames(), 0
    out: list[tuple[object, ...]] = []
    while stream:
        size = sizes[turn % len(sizes)]
        turn += 1
        out += frames.feed(stream[:size])
        stream = stream[size:]
    assert out == messages


# Owners


def row(pid: int, ppid: int, sid: int = 0, pgid: int = 0) -> Process:
    return Process(pid, ppid, pgid or pid, sid or pid, "S", 1, 0)


def table(*rows: Process) -> dict[int, Process]:
    return {process.pid: process for process in rows}


def test_owner_by_session_group_descent_and_mark() -> None:
    """Each of the four ties is enough by itself."""
    rows = table(
        row(10, 1),
        row(11, 1, sid=10),
        row(12, 1, sid=99, pgid=10),
        row(13, 12, sid=13),
        row(14, 13, sid=14),
        row(15, 1),
        row(16, 15),
        row(17, 1),
    )
    found = owners(rows, {10: "a"}, {15: "b"}.get)
    assert found == {10: "a", 11: "a", 12: "a", 13: "a", 14: "a", 15: "b", 16: "b"}


def test_owner_of_a_runner_within_a_session() -> None:
    """What a session's own runner has started carries other marks, and is the outer session's by descent."""
    rows = table(row(10, 1), row(20, 10), row(30, 20))
    assert owners(rows, {10: "outer"}, {30: "inner"}.get) == {10: "outer", 20: "outer", 30: "outer"}


@given(st.dictionaries(st.integers(2, 30), st.integers(1, 30)))
def test_any_table_is_understood(parents: dict[int, int]) -> None:
    """A table read while processes come and go may be anything, even a circle; descent is exactly as it says."""
    parents = {2: 1, **parents}
    rows = table(*(row(pid, ppid) for pid, ppid in parents.items()))

    def below(pid: int) -> bool:
        seen = set()
        while pid in parents and pid not in seen:
            seen.add(pid)
            pid = parents[pid]
            if pid == 2:
                return True
        return False

    expected = {pid for pid in parents if pid != 2 and below(pid)}
    assert set(descendants(rows, 2)) == expected
    assert set(owners(rows, {2: "a"}, lambda _: None)) == expected | {2}


def test_a_long_chain() -> None:
    """Depth is no matter."""
    rows = table(*(row(pid, pid - 1) for pid in range(10, 20_000)))
    assert len(descendants(rows, 9)) == len(owners(rows, {10: "a"}, lambda _: None)) == 19_990


# Signals


def test_a_signal_that_may_not_be_sent_is_no_fault() -> None:
    """Neither with a descriptor for the process's handle, nor without one."""
    program = (
        "import os, resource\n"
        "from runner.backends.local.supervisor.termination import send\n"
        "from runner.backends.local.procfs import process\n"
        "if os.getuid() == 0:\n"
        "    os.setuid(65534)\n"
        "init = process(1)\n"
        "send(init, 0)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))\n"
        "send(init, 0)\n"
        "print('fine')"
    )
    root = ROOT
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n", done.stderr


# Version 2 groups, on files that only look like them: this suite's machines have no delegated controllers


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A delegated group at `own`, holding two processes, and a /proc/self that says so."""
    own = tmp_path / "fs" / "user.slice" / "own"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpu memory pids\n")
    (own / "cgroup.subtree_control").write_text("")
    (own / "cgroup.procs").write_text("10\n11\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cgroup").write_text("0::/user.slice/own\n")
    (tmp_path / "proc" / "mountinfo").write_text(f"31 23 0:28 / {tmp_path}/fs rw - cgroup2 cgroup2 rw\n")
    return tmp_path


def fill(group: Path) -> None:
    """The files that the kernel puts into a new group."""
    group.mkdir(exist_ok=True)
    for file in ("memory.max", "memory.swap.max", "memory.oom.group", "cgroup.procs"):
        (group / file).touch()
    (group / "memory.events").write_text("low 0\nmax 12\noom 1\noom_kill 3\n")
    (group / "memory.peak").write_text("104857600\n")


def test_version_2_group(tree: Path) -> None:
    """Limit, no swap, the whole group killed together; kills and peak read back from where the kernel counts them."""
    own = tree / "fs" / "user.slice" / "own"
    groups = cgroups.Groups(cgroups.V2, str(own), str(own))
    fill(own / "runner-job")
    group = groups.create("job")
    groups.limit(group, 100 << 20)
    assert group == str(own / "runner-job")
    written = {file: (own / "runner-job" / file).read_text() for file in ("memory.max", "memory.swap.max")}
    assert written == {"memory.max": "104857600", "memory.swap.max": "0"}
    assert (own / "runner-job" / "memory.oom.group").read_text() == "1"
    assert groups.kills(group) == 3
    assert groups.peak(group) == 104857600


def test_version_2_moves_only_its_own(tree: Path) -> None:
    """Runner and its spawner make room for limited groups; with anybody else inside, that is not theirs to do."""
    own = tree / "fs" / "user.slice" / "own"
    with pytest.raises(UnusableError, match="other processes share this group"):
        cgroups.open_v2(str(tree / "proc"), mine=(10,))
    fill(own / "runner.main")
    fill(own / f"runner-probe-{os.getpid()}")
    # Real groups can be removed with the files in them, so here the trial fails at its very end.
    with pytest.raises(UnusableError, match=r"no group can be made in .*: Directory not empty"):
        cgroups.open_v2(str(tree / "proc"), mine=(10, 11, 12))
    assert (own / "cgroup.subtree_control").read_text() == "+memory"
    assert (own / "runner.main" / "cgroup.procs").read_text() in ("10", "11")


def test_version_2_not_delegated(tree: Path) -> None:
    """Without the controller there is nothing to be had, and that is what is said."""
    (tree / "fs" / "user.slice" / "own" / "cgroup.controllers").write_text("cpu pids\n")
    with pytest.raises(UnusableError, match="the memory controller is not delegated to this group"):
        cgroups.open_v2(str(tree / "proc"))


# What the machine offers


def test_machine_is_limited_by_every_group_above(tree: Path) -> None:
    """The smallest of affinity and of the quotas and limits up the tree is what there is."""
    own = tree / "fs" / "user.slice" / "own"
    (own / "cpu.max").write_text("max 100000\n")
    (own / "memory.max").write_text("max\n")
    (own.parent / "cgroup.procs").touch()
    (own.parent / "cpu.max").write_text("50000 100000\n")
    (own.parent / "memory.max").write_text("1048576\n")
    offers = resources.offers({"CUDA_VISIBLE_DEVICES": "0,1"}, str(tree / "proc"))
    assert offers == resources.Machine(Fraction(1, 2), 1048576, ("0", "1"))


def test_machine_by_version_1_groups(tmp_path: Path) -> None:
    """The same from version 1's files, where -1 and an absurdly high number mean no limit."""
    for controller in ("cpu", "memory"):
        (tmp_path / controller / "a").mkdir(parents=True)
        (tmp_path / controller / "a" / "cgroup.procs").touch()
        (tmp_path / controller / "cgroup.procs").touch()
    (tmp_path / "cpu" / "a" / "cpu.cfs_quota_us").write_text("25000\n")
    (tmp_path / "cpu" / "a" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "memory" / "a" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("4096\n")
    (tmp_path / "cgroup").write_text("4:memory:/a\n1:cpu,cpuacct:/a\n")
    (tmp_path / "mountinfo").write_text(
        f"32 31 0:29 / {tmp_path}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        f"33 31 0:30 / {tmp_path}/memory rw - cgroup cgroup rw,memory\n"
    )
    assert resources.offers({"CUDA_VISIBLE_DEVICES": ""}, str(tmp_path)) == resources.Machine(Fraction(1, 4), 4096, ())


def test_this_machine() -> None:
    """A real machine has some of everything that a machine must have."""
    offers = resources.offers({"CUDA_VISIBLE_DEVICES": ""})
    assert 0 < offers.cpu <= (os.cpu_count() or 1)
    assert offers.mem > 1 << 20
    assert len(describe({"CUDA_VISIBLE_DEVICES": ""})) == 5


@pytest.mark.parametrize(
    ("value", "devices"),
    [
        ("0,1", ("0", "1")),
        (" 2 ,0", ("2", "0")),
        ("GPU-8932f937-d72c,MIG-1", ("GPU-8932f937-d72c", "MIG-1")),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("0,-1,1", ("0",)),
        ("1,1", ("1",)),
    ],
)
def test_visible_devices(value: str, devices: tuple[str, ...]) -> None:
    """CUDA_VISIBLE_DEVICES as CUDA reads it: what stands after the first invalid entry does not exist."""
    assert resources.visible(value) == devices


# Locks on devices


def test_device_is_locked_against_another_process(tmp_path: Path) -> None:
    """One holder at a time; unlocking, or its end, frees the device."""
    folder = str(tmp_path / "locks")
    program = (
        "import sys; from runner.backends.local.gpu_locks import DeviceLocks\n"
        f"locks = DeviceLocks({folder!r})\n"
        "print(locks.try_lock('0'), locks.try_lock('1'))"
    )

    def other() -> str:
        root = ROOT
        return subprocess.run(
            [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
        ).stdout.strip()

    locks = DeviceLocks(folder)
    assert locks.try_lock("0")
    assert locks.try_lock("0")
    assert other() == "False True"
    assert locks.try_lock("1")
    locks.unlock("0")
    locks.unlock("0")
    assert other() == "True False"


def test_locks_are_nobody_elses_to_meddle_with(tmp_path: Path) -> None:
    """A folder that other users may write is refused, and so is one that is none."""
    (tmp_path / "runner").mkdir()
    (tmp_path / "runner").chmod(0o777)
    with pytest.raises(EnvironmentFailed, match="is open to other users"):
        DeviceLocks(str(tmp_path / "runner")).try_lock("0")
    with pytest.raises(EnvironmentFailed, match="cannot hold the locks of devices"):
        DeviceLocks(str(tmp_path / "missing/runner")).try_lock("0")

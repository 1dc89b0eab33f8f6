"""What this machine offers, from the files of cgroups and from CUDA_VISIBLE_DEVICES."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest

from runner.backends.local.cgroups import V1, find_folder, lineage
from runner.backends.local.doctor import describe
from runner.backends.local.resources import cpu_quotas, machine_resources, memory_limits, visible_gpus


def test_version_2_limits_of_every_cgroup_above(tmp_path: Path) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    for folder, cpu, memory in ((inner, "max 100000", "max"), (outer, "50000 100000", "1048576")):
        (folder / "cgroup.procs").touch()
        (folder / "cpu.max").write_text(f"{cpu}\n")
        (folder / "memory.max").write_text(f"{memory}\n")
    folders = lineage(str(inner))
    assert folders == [str(inner), str(outer)]
    assert cpu_quotas([], folders) == [Fraction(1, 2)]
    assert memory_limits([], folders) == [1048576]


def test_version_1_limits_of_every_cgroup_above(tmp_path: Path) -> None:
    """A quota of -1 means unlimited; without a memory limit the kernel shows a very high number."""
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
    cgroup = b"4:memory:/a\n1:cpu,cpuacct:/a\n"
    mountinfo = (
        f"32 31 0:29 / {tmp_path}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        f"33 31 0:30 / {tmp_path}/memory rw - cgroup cgroup rw,memory\n"
    ).encode()
    cpu = lineage(find_folder(cgroup, mountinfo, V1, "cpu"))
    memory = lineage(find_folder(cgroup, mountinfo, V1, "memory"))
    assert cpu_quotas(cpu, []) == [Fraction(1, 4)]
    assert min(memory_limits(memory, [])) == 4096


def test_this_machine() -> None:
    machine = machine_resources({"CUDA_VISIBLE_DEVICES": "0,1"})
    assert 0 < machine.cpu <= (os.cpu_count() or 1)
    assert machine.mem > 1 << 20
    assert machine.gpus == ("0", "1")


def test_doctor_describes_this_machine() -> None:
    facts = [finding.fact for finding in describe({"CUDA_VISIBLE_DEVICES": ""})]
    assert facts == ["cpu", "memory", "gpu", "memory limit of a session", "end of a session"]


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
def test_visible_gpus_end_at_the_first_invalid_entry(value: str, devices: tuple[str, ...]) -> None:
    assert visible_gpus(value) == devices

"""The resources of this machine that the caller may use: by CPU affinity, cgroup limits and CUDA's rules."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from runner.backends.local.cgroups import V1, V2, CgroupVersion, UnusableError, lineage, own_folder
from runner.backends.local.gpu_names import GpuNames, machine_gpus
from runner.backends.local.procfs import LINUX, read


@dataclass(frozen=True, slots=True)
class MachineResources:
    """cpu: number of CPUs; a fraction where a cgroup has a quota.
    mem: bytes.
    gpus: their names as in CUDA_VISIBLE_DEVICES.
    """

    cpu: int | Fraction
    mem: int
    gpus: tuple[str, ...]


def machine_resources(environ: Mapping[str, str]) -> MachineResources:
    """What the calling process may use."""
    affinity = len(os.sched_getaffinity(0)) if LINUX else os.cpu_count() or 1
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    v2 = _own_lineage(V2, "")
    cpu = min([Fraction(affinity), *cpu_quotas(_own_lineage(V1, "cpu"), v2)])
    return MachineResources(
        cpu=cpu.numerator if cpu.denominator == 1 else cpu,
        mem=min([physical, *memory_limits(_own_lineage(V1, "memory"), v2)]),
        gpus=_gpus(environ),
    )


def cpu_quotas(v1: Iterable[str], v2: Iterable[str]) -> list[Fraction]:
    """The limits in CPUs that these cgroups (folders of version 1 and 2) have."""
    quotas = []
    for folder in v1:
        quota = _number(f"{folder}/cpu.cfs_quota_us")
        period = _number(f"{folder}/cpu.cfs_period_us")
        if quota and period and quota > 0:
            quotas.append(Fraction(quota, period))
    for folder in v2:
        words = (read(f"{folder}/cpu.max") or b"max").split()
        if words[0] != b"max":
            quotas.append(Fraction(int(words[0]), int(words[1])))
    return quotas


def memory_limits(v1: Iterable[str], v2: Iterable[str]) -> list[int]:
    """The limits in bytes that these cgroups (folders of version 1 and 2) have."""
    files = [f"{folder}/memory.limit_in_bytes" for folder in v1] + [f"{folder}/memory.max" for folder in v2]
    return [limit for file in files if (limit := _number(file))]


def visible_gpus(value: str) -> tuple[str, ...]:
    """The entries of a value of CUDA_VISIBLE_DEVICES. As in CUDA, the first invalid one ends the list."""
    devices: list[str] = []
    for entry in value.split(","):
        device = entry.strip()
        if not ((device.isascii() and device.isdecimal()) or device.startswith(("GPU-", "MIG-"))) or device in devices:
            break
        devices.append(device)
    return tuple(devices)


def _own_lineage(version: CgroupVersion, controller: str) -> list[str]:
    try:
        return lineage(own_folder(version, controller))
    except UnusableError:
        return []


def _gpus(environ: Mapping[str, str]) -> tuple[str, ...]:
    if "CUDA_VISIBLE_DEVICES" in environ:
        return GpuNames(machine_gpus).distinct(visible_gpus(environ["CUDA_VISIBLE_DEVICES"]))
    return tuple(str(index) for index, _ in enumerate(machine_gpus(False)))


def _number(path: str) -> int | None:
    """The integer in a file; None if there is none, as where a limit is `max`."""
    text = (read(path) or b"").strip()
    return int(text) if text.lstrip(b"-").isdigit() else None

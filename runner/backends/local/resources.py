"""What this machine offers to whoever runs here: by affinity, by limits of the own cgroup, by CUDA's rules."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from runner.backends.local import cgroups
from runner.backends.local.procfs import LINUX, read


@dataclass(frozen=True, slots=True)
class Machine:
    """`cpu` counts cpus, perhaps in part (a container's quota); `mem` is in bytes; `gpus` are what
    CUDA_VISIBLE_DEVICES would call them."""

    cpu: int | Fraction
    mem: int
    gpus: tuple[str, ...]


def offers(environ: Mapping[str, str], proc: str = "/proc/self") -> Machine:
    """What the calling process may use."""
    return Machine(_cpu(proc), _mem(proc), _gpus(environ))


def _cpu(proc: str) -> int | Fraction:
    affinity = len(os.sched_getaffinity(0)) if LINUX else os.cpu_count() or 1
    cpu = min([Fraction(affinity), *_cpu_quotas(proc)])
    return cpu.numerator if cpu.denominator == 1 else cpu


def _cpu_quotas(proc: str) -> list[Fraction]:
    quotas = []
    for folder in cgroups.lineage(proc, b"cgroup", b"cpu"):
        quota = _number(f"{folder}/cpu.cfs_quota_us")
        period = _number(f"{folder}/cpu.cfs_period_us")
        if quota and period and quota > 0:
            quotas.append(Fraction(quota, period))
    for folder in cgroups.lineage(proc, b"cgroup2", b""):
        words = (read(f"{folder}/cpu.max") or b"max").split()
        if words[0] != b"max":
            quotas.append(Fraction(int(words[0]), int(words[1])))
    return quotas


def _mem(proc: str) -> int:
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for kind, controller, file in (
        (b"cgroup", b"memory", "memory.limit_in_bytes"),
        (b"cgroup2", b"", "memory.max"),
    ):
        for folder in cgroups.lineage(proc, kind, controller):
            if limit := _number(f"{folder}/{file}"):
                limits.append(limit)
    return min(limits)


def _gpus(environ: Mapping[str, str]) -> tuple[str, ...]:
    if "CUDA_VISIBLE_DEVICES" in environ:
        return visible(environ["CUDA_VISIBLE_DEVICES"])
    try:
        return tuple(str(index) for index, _ in enumerate(os.listdir("/proc/driver/nvidia/gpus")))
    except OSError:
        pass
    try:
        listing = subprocess.run(
            ["nvidia-smi", "-L"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    lines = [line for line in listing.stdout.splitlines() if line.startswith(b"GPU ")]
    return tuple(str(index) for index, _ in enumerate(lines))


def visible(value: str) -> tuple[str, ...]:
    """What a value of CUDA_VISIBLE_DEVICES leaves: as CUDA reads it, the first invalid entry ends the list."""
    devices: list[str] = []
    for entry in value.split(","):
        device = entry.strip()
        if not (device.isdecimal() or device.startswith(("GPU-", "MIG-"))) or device in devices:
            break
        devices.append(device)
    return tuple(devices)


def _number(path: str) -> int | None:
    text = (read(path) or b"").strip()
    return int(text) if text.lstrip(b"-").isdigit() else None

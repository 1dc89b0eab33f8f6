"""The findings of `runner doctor` about this machine: its resources, and how limits and ends are enforced."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from runner.backends.base import Finding
from runner.backends.local import procfs
from runner.backends.local.resources import machine_resources
from runner.backends.local.supervisor import memory_limits

_DELEGATE = "`systemd-run --user --scope -p Delegate=yes runner …` gives runner a cgroup of its own"


def describe(environ: Mapping[str, str]) -> list[Finding]:
    """The local backend's findings.

    Tries memory cgroups as an apply does: creates and removes one, and with version 2 moves this process within its cgroup.
    """
    machine = machine_resources(environ)
    return [
        Finding("cpu", f"{float(machine.cpu):g}", None),
        Finding("memory", f"{machine.mem / (1 << 30):.1f} GiB", None),
        Finding("gpu", ", ".join(machine.gpus) or "none", None),
        _memory_limit(),
        _end_of_session(),
    ]


def _memory_limit() -> Finding:
    fact = "memory limit of a session"
    if not procfs.LINUX:
        return Finding(fact, f"not enforced on {sys.platform}", None)
    groups, why = memory_limits.choose(None, (os.getpid(),))
    if groups:
        return Finding(fact, f"enforced by the kernel ({groups.version.name} in `{groups.base}`)", None)
    how = "sampled each second, without files in a tmpfs such as `/dev/shm`; a session above its limit is ended"
    return Finding(fact, f"{how} ({'; '.join(why)})", _DELEGATE)


def _end_of_session() -> Finding:
    fact = "end of a session"
    if not procfs.LINUX:
        return Finding(fact, "ends its process group and its descendants", None)
    if not os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children"):
        slow = "ends its whole process tree, orphans included (slowly: a kernel without CONFIG_PROC_CHILDREN)"
        return Finding(fact, slow, None)
    return Finding(fact, "ends its whole process tree, orphans included", None)

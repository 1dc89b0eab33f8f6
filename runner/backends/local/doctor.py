"""What `runner doctor` says of this machine: what it offers, and what is enforced here."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from runner.backends.base import Finding
from runner.backends.local import procfs, resources
from runner.backends.local.supervisor import memory_limits

_DELEGATED = "`systemd-run --user --scope -p Delegate=yes runner …` gives it a group of its own"


def describe(environ: Mapping[str, str]) -> list[Finding]:
    """The local backend's findings. Tries memory groups out as a run does: makes and removes one, and
    with version 2 moves this process within its own group.
    """
    offers = resources.offers(environ)
    return [
        Finding("cpu", f"{float(offers.cpu):g}", None),
        Finding("memory", f"{offers.mem / (1 << 30):.1f} GiB", None),
        Finding("gpu", ", ".join(offers.gpus) or "none", None),
        _memory(),
        _trees(),
    ]


def _memory() -> Finding:
    fact = "memory limit of a session"
    if not procfs.LINUX:
        return Finding(fact, f"not enforced on {sys.platform}", None)
    groups, why = memory_limits.choose(None, (os.getpid(),))
    if groups:
        return Finding(fact, f"enforced by the kernel ({groups.version.name} in `{groups.base}`)", None)
    reasons = "; ".join(why)
    how = "added up each second, files in a tmpfs such as `/dev/shm` left out, and ended above it"
    return Finding(fact, f"{how} ({reasons})", _DELEGATED)


def _trees() -> Finding:
    fact = "end of a session"
    if not procfs.LINUX:
        return Finding(fact, "its process group, and what descends from it", None)
    if not os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children"):
        return Finding(
            fact,
            "its whole process tree, orphans included (slowly: a kernel without CONFIG_PROC_CHILDREN)",
            None,
        )
    return Finding(fact, "its whole process tree, orphans included", None)

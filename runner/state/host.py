"""Identify this machine, to decide whether processes of an earlier runner are visible from here."""

from __future__ import annotations

import os
from enum import Enum, auto
from typing import NamedTuple


class Machine(NamedTuple):
    """`boot` is the random id of a boot of the kernel, `pids` the PID namespace; None if unknown."""

    host: str
    boot: str | None
    pids: str | None


class Sight(Enum):
    """What can be said from one machine about the processes of another."""

    HERE = auto()
    """They would be seen."""
    OVER = auto()
    """None of them lives: that machine has been started again since."""
    ELSEWHERE = auto()
    """They may live, but are not visible from here."""


def here() -> Machine:
    """Where this process runs: proc_sys_kernel(5) and pid_namespaces(7)."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        pids = str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return Machine(os.uname().nodename, None, None)
    return Machine(os.uname().nodename, boot, pids)


def sight(there: Machine, here: Machine) -> Sight:
    """How `there` looks from `here`. The number of a PID namespace is given again only once nothing lives in it."""
    if there.boot is None or here.boot is None:
        return Sight.HERE if there.host == here.host else Sight.ELSEWHERE
    if there.boot != here.boot:
        return Sight.OVER if there.host == here.host else Sight.ELSEWHERE
    return Sight.HERE if there.pids == here.pids else Sight.ELSEWHERE

"""Array tasks as `squeue` and `sacct` list them. Read as text: its format outlives releases, that of their JSON does not."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from dataclasses import dataclass

from runner.backends.base import FOR_MAX_PARALLEL
from runner.backends.slurm.cli import Controller
from runner.text.lines import lines

_COLUMNS = (
    ("ArrayJobID", 16),
    ("ArrayTaskID", 16),
    ("State", 20),
    ("exit_code", 12),
    ("StartTime", 24),
    ("NodeList", 200),
    ("Reason", 64),
    ("Name", 64),
)

_FINAL = frozenset(
    (
        "COMPLETED",
        "FAILED",
        "CANCELLED",
        "TIMEOUT",
        "OUT_OF_MEMORY",
        "NODE_FAIL",
        "BOOT_FAIL",
        "DEADLINE",
        "PREEMPTED",
    )
)
"""States of a task that has ended. Any other state, also one of a later Slurm, counts as alive."""

_PENDING = frozenset(("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "CONFIGURING"))

_IMPOSSIBLE = frozenset(
    (
        "PartitionConfig",
        "PartitionNodeLimit",
        "PartitionTimeLimit",
        "BadConstraints",
        "AccountNotAllowed",
        "QOSNotAllowed",
        "InvalidAccount",
        "InvalidQOS",
        "AssocMaxCpuPerJobLimit",
        "AssocMaxNodePerJobLimit",
        "AssocMaxMemPerJob",
        "QOSMaxCpuPerJobLimit",
        "QOSMaxMemoryPerJob",
        "QOSMaxNodePerJobLimit",
        "QOSMaxWallDurationPerJobLimit",
    )
)
"""Reasons for which a pending task never starts."""

_WAITS_FOR = {
    "None": None,
    "Priority": "for resources",
    "Resources": "for resources",
    "JobArrayTaskLimit": FOR_MAX_PARALLEL,
}


_UNIX_TIMES = {"SLURM_TIME_FORMAT": "%s"}


@dataclass(frozen=True, slots=True)
class TaskRow:
    """An array task, as Slurm last listed it."""

    state: str
    code: int | None
    """Exit code of the batch script; None where accounting has only `code % 128`."""
    signal: int
    """The signal that ended the batch script, or 0."""
    began: float | None
    """Unix time; None before it."""
    host: str | None
    reason: str

    @property
    def final(self) -> bool:
        return self.state in _FINAL

    @property
    def pending(self) -> bool:
        return self.state in _PENDING

    @property
    def impossible(self) -> bool:
        """Whether Slurm says that it never starts."""
        return self.pending and self.reason in _IMPOSSIBLE

    @property
    def ended_by_request(self) -> bool:
        """Whether the script was ended by a signal that asks it to end a session: it was sent before the script handled it."""
        return self.signal in (signal.SIGUSR1, signal.SIGUSR2)

    @property
    def waits_for(self) -> str | None:
        """Why it does not start yet, in words where there are some, else Slurm's reason."""
        return _WAITS_FOR.get(self.reason, self.reason) if self.pending else None


TaskId = tuple[str, int]
"""An array's id and the task's index in it."""

OTHERS = -1
"""The index of the row for all tasks without one of their own: Slurm lists those cancelled before they began in one row."""


async def queued(controller: Controller, names: Iterable[str]) -> dict[str, dict[TaskId, TaskRow]]:
    """The tasks of arrays with these names that the controller still remembers, by array name."""
    columns = ",".join(f"{name}:{width}|" for name, width in _COLUMNS)
    command = ("squeue", "-h", "-r", "-t", "all", "-n", ",".join(names), "-O", columns)
    text = await controller.call(*command, variables=_UNIX_TIMES)
    found: dict[str, dict[TaskId, TaskRow]] = {}
    for line in lines(text):
        array, task, state, raw, began, host, reason, name = (word.strip() for word in line.split("|")[: len(_COLUMNS)])
        status = int(raw) if raw.isdigit() else 0
        row = TaskRow(
            state=state,
            code=(status >> 8) & 0xFF,
            signal=status & 0x7F,
            began=float(began) if began.isdigit() and host else None,
            host=host or None,
            reason=reason,
        )
        found.setdefault(name, {})[array, int(task) if task.isdigit() else OTHERS] = row
    return found


async def accounted(controller: Controller, arrays: Iterable[str]) -> dict[TaskId, TaskRow]:
    """The tasks of arrays with these ids, as accounting has them. Raises CommandRefused on a cluster without accounting."""
    command = ("sacct", "-X", "-n", "-P", "-j", ",".join(arrays), "-o", "JobID,State,ExitCode,NodeList,Start")
    text = await controller.call(*command, seconds=120, variables=_UNIX_TIMES)
    found: dict[TaskId, TaskRow] = {}
    for line in lines(text):
        job, state, exit_code, host, began = line.split("|")
        array, _, task = job.partition("_")
        if not task:
            continue
        placed = bool(host) and host != "None assigned"
        code, _, number = exit_code.partition(":")
        folded = int(code) > 0  # accounting stores 137 as 9
        found[array, int(task) if task.isdigit() else OTHERS] = TaskRow(
            state=state.split()[0],
            code=None if folded else int(code),
            signal=int(number),
            began=float(began) if began.isdigit() and placed else None,
            host=host if placed else None,
            reason=f"exit code {code} or {int(code) + 128}" if folded else "",
        )
    return found

"""What `squeue` and `sacct` say of array tasks. Their text formats outlive releases; their JSON does not."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.backends.base import FOR_MAX_PARALLEL
from runner.backends.slurm.cli import call

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

FINAL = frozenset(
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
"""States that a task stays in. What is not among them, also what a later Slurm may say, still runs."""

NEVER = frozenset(
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
"""Reasons for which a task would wait for ever."""

_IN_WORDS = {
    "None": None,
    "Priority": "for resources",
    "Resources": "for resources",
    "JobArrayTaskLimit": FOR_MAX_PARALLEL,
    "Dependency": FOR_MAX_PARALLEL,
}


@dataclass(frozen=True, slots=True)
class Row:
    """An array task. `code` and `signal` are its batch script's, None where only folded ones are known; `began` is Unix time,
    None before it.
    """

    state: str
    code: int | None
    signal: int
    began: float | None
    host: str | None
    reason: str

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def pending(self) -> bool:
        return self.state in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "CONFIGURING")

    @property
    def by_request(self) -> bool:
        """Whether its script died of what asks it to end its session."""
        return self.signal in (signal.SIGUSR1, signal.SIGUSR2)

    @property
    def waits_for(self) -> str | None:
        return _IN_WORDS.get(self.reason, self.reason) if self.pending else None


Task = tuple[str, int]
"""An array's id, and the index in it."""

REST = -1
"""The index of all tasks that have no row of their own: those of an array that were cancelled before they began share one."""


async def queued(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, dict[Task, Row]]:
    """What Slurm's controller still knows of the tasks of these arrays, by the arrays' names."""
    columns = ",".join(f"{name}:{width}|" for name, width in _COLUMNS)
    command = ("squeue", "-h", "-r", "-t", "all", "-n", ",".join(names), "-O", columns)
    text = await call({**environ, "SLURM_TIME_FORMAT": "%s"}, *command, seconds=60)
    found: dict[str, dict[Task, Row]] = {}
    for line in text.splitlines():
        array, task, state, raw, began, host, reason, name = (word.strip() for word in line.split("|")[: len(_COLUMNS)])
        status = int(raw) if raw.isdigit() else 0
        row = Row(
            state=state,
            code=(status >> 8) & 0xFF,
            signal=status & 0x7F,
            began=float(began) if began.isdigit() and host else None,
            host=host or None,
            reason=reason,
        )
        found.setdefault(name, {})[array, int(task) if task.isdigit() else REST] = row
    return found


async def accounted(environ: Mapping[str, str], arrays: Iterable[str]) -> dict[Task, Row]:
    """What accounting remembers of the tasks of these arrays (by id). Raises Refused where there is no accounting."""
    command = ("sacct", "-X", "-n", "-P", "-j", ",".join(arrays), "-o", "JobID,State,ExitCode,NodeList,Start")
    text = await call({**environ, "SLURM_TIME_FORMAT": "%s"}, *command, seconds=120)
    found: dict[Task, Row] = {}
    for line in text.splitlines():
        job, state, exit_code, host, began = line.split("|")
        array, _, task = job.partition("_")
        if not task:
            continue
        placed = bool(host) and host != "None assigned"
        code, _, number = exit_code.partition(":")
        # Codes above 128 are folded: `9:0` may have been 9 or 137.
        folded = int(code) > 0
        found[array, int(task) if task.isdigit() else REST] = Row(
            state=state.split()[0],
            code=None if folded else int(code),
            signal=int(number),
            began=float(began) if began.isdigit() and placed else None,
            host=host if placed else None,
            reason=f"exit code {code} or {int(code) + 128}" if folded else "",
        )
    return found

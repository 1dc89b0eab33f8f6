"""The state of one session at Slurm, decided from its record, the queue and accounting. Pure: the poller collects the facts."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace

from runner.backends.poller import PolledJob
from runner.backends.slurm.spool import EndRecord, JobArray
from runner.backends.slurm.squeue import TaskRow

RECORD_DELAY = 8.0
"""Seconds after the end of a job within which its record appears: a network file system shows it later than its writer."""

CONFIRMATIONS = 2
"""Polls in a row that have to agree before a job counts as gone from the queue, or as impossible to start."""


class JobState(enum.Enum):
    """Where a session stands. The states in `SETTLED` do not change any more."""

    QUEUED = enum.auto()
    """It waits in Slurm's queue, or Slurm has not been asked about it yet."""
    RUNNING = enum.auto()
    """Its task has begun."""
    MISSING = enum.auto()
    """It is not in the queue; another poll or accounting has to confirm that."""
    RECORD_DUE = enum.auto()
    """It has ended at Slurm; its record may still appear, or Slurm has to complete a record that leaves the reason open."""
    RECORDED = enum.auto()
    """It has ended, and its record says how."""
    ENDED = enum.auto()
    """It has ended, and left no record."""
    REMOVED = enum.auto()
    """It was removed from the queue before it began."""
    WITHHELD = enum.auto()
    """It was marked to be ended before it began: its wrapper does not start it."""
    IMPOSSIBLE = enum.auto()
    """Slurm says that it can never start."""


SETTLED = frozenset(
    (JobState.RECORDED, JobState.ENDED, JobState.REMOVED, JobState.WITHHELD, JobState.IMPOSSIBLE),
)


@dataclass(frozen=True, slots=True)
class SlurmFacts:
    """What Slurm's answers say about a task. Times are trio's, and those at which the question was asked."""

    row: TaskRow | None = None
    """The row in which it was last listed."""
    listed_at: float = -math.inf
    """When the queue last listed it."""
    misses: int = 0
    """Polls in a row that did not list it."""
    gone_at: float | None = None
    """When it was first known to have ended or to have left the queue."""
    impossible_polls: int = 0
    """Polls in a row in which it was impossible to start."""
    accounted: bool = False
    """Whether accounting was asked after it had left the queue: `row` is then all that Slurm knows."""

    @property
    def over(self) -> bool:
        """Whether Slurm has ended it, or has forgotten it."""
        return self.accounted or (self.row is not None and self.row.final)

    @property
    def unlisted_for(self) -> float:
        """Seconds between the last poll that listed it and the one from which on it counts as gone; infinite if it does not."""
        return math.inf if self.gone_at is None else self.gone_at - self.listed_at

    def after_poll(self, row: TaskRow | None, now: float) -> SlurmFacts:
        """Add the queue's answer to a question asked at `now`; None if it does not list the task."""
        if row is not None:
            return SlurmFacts(
                row=row,
                listed_at=now,
                gone_at=(now if self.gone_at is None else self.gone_at) if row.final else None,
                impossible_polls=self.impossible_polls + 1 if row.impossible else 0,
            )
        if self.row is not None and self.row.final:
            return self
        misses = self.misses + 1
        gone_at = now if self.gone_at is None and misses >= CONFIRMATIONS else self.gone_at
        return replace(self, misses=misses, gone_at=gone_at)

    def after_accounting(self, row: TaskRow | None) -> SlurmFacts:
        """Add the answer of accounting about a task that has left the queue; None if it does not know it."""
        return replace(self, row=row or self.row, accounted=True)


def decide(
    facts: SlurmFacts, record: EndRecord | None, *, began: bool, marked_at: float | None, now: float, memory: float
) -> JobState:
    """The state of a session. The first rule that applies decides.

    began: whether its command may have begun.
    marked_at: when it was marked to be ended, None if it was not.
    memory: seconds for which the queue certainly lists a job that has ended.
    """
    row = facts.row
    if record is not None:
        return JobState.RECORDED if record.is_final or facts.over else JobState.RECORD_DUE
    if facts.impossible_polls >= CONFIRMATIONS:
        return JobState.IMPOSSIBLE
    if row is not None and row.pending and facts.unlisted_for < memory:
        return JobState.REMOVED  # had it begun since it was last listed, the queue would still list it
    if marked_at is not None and marked_at < facts.listed_at and not began:
        return JobState.WITHHELD
    if facts.over and facts.gone_at is not None:
        delay = RECORD_DELAY if _record_expected(facts, marked_at) else 0.0
        return JobState.ENDED if now >= facts.gone_at + delay else JobState.RECORD_DUE
    if facts.misses:
        return JobState.MISSING
    return JobState.QUEUED if row is None or row.began is None else JobState.RUNNING


def _record_expected(facts: SlurmFacts, marked_at: float | None) -> bool:
    """Whether a record may still appear. Not if it never began, or if the request to end it has ended its script."""
    row = facts.row
    if row is None or not row.final:
        return True
    return row.began is not None and not (marked_at is not None and row.ended_by_request)


class SlurmJob(PolledJob):
    """One session in an array, with what is known of it."""

    def __init__(self, array: JobArray, index: int) -> None:
        super().__init__()
        self.array = array
        self.index = index
        self.facts = SlurmFacts()
        self.marked_at: float | None = None
        """When it was marked to be ended, in trio's time."""

    @property
    def id(self) -> str:
        return self.array.id(self.index)

    @property
    def task(self) -> int:
        return self.index // self.array.pack

    @property
    def record(self) -> EndRecord | None:
        return self.array.records.get(self.index)

    @property
    def began(self) -> bool:
        """Whether its command has begun, as far as known: its task has, and the sessions before it in the pack have ended."""
        if self.record is not None:
            return True
        if self.facts.row is None or self.facts.row.began is None:
            return False
        earlier = [self.array.records.get(index) for index in self.array.sessions_of(self.task) if index < self.index]
        return all(record is not None and record.why != "slurm" for record in earlier)

    def state(self, now: float, memory: float) -> JobState:
        """Its state at `now`; `memory` as for `decide`."""
        began = self.marked_at is None or self.began  # matters, and is looked up, only for a marked job
        return decide(self.facts, self.record, began=began, marked_at=self.marked_at, now=now, memory=memory)

"""What is known of one session at Slurm, from the looks at its record and at the queue. Asks nobody."""

from __future__ import annotations

import math

import trio

from runner.backends.slurm.outcome import undecided
from runner.backends.slurm.record import Record
from runner.backends.slurm.spool import Array
from runner.backends.slurm.squeue import NEVER, Row

LATE = 8.0
"""Seconds that a record gets to come after its job is over: a network's folder shows it later than its writer."""

MISSES = 2
"""Looks in a row in which a job was not in the queue, before accounting is asked."""


class Job:
    """A session at its place in an array. `row` is its task's, as it was last seen."""

    def __init__(self, array: Array, place: int) -> None:
        self.array = array
        self.place = place
        self.row: Row | None = None
        self.misses = 0
        self.absent = False  # Slurm knows no more of it than `row`
        self.asked: float | None = None
        self.waiters = 0
        self.changed = trio.Event()
        self.vanished = False  # it left the queue before it began, and nobody keeps a record of that
        self._seen_at = math.inf
        self._overdue = math.inf
        self._spared = False
        self._doubts = 0

    @property
    def task(self) -> int:
        return self.place // self.array.pack

    @property
    def id(self) -> str:
        return self.array.id(self.place)

    @property
    def record(self) -> Record | None:
        return self.array.records.get(self.place)

    @property
    def began(self) -> bool:
        """Whether its command has, as far as can be seen."""
        if self.record is not None:
            return True
        if self.row is None or self.row.began is None:
            return False
        earlier = (self.array.records.get(it) for it in range(self.array.mates(self.task).start, self.place))
        # After one whose end Slurm wanted, no more of a pack are begun.
        return all(record is not None and record.why != "slurm" for record in earlier)

    @property
    def impossible(self) -> bool:
        """Whether it would wait for ever."""
        return self._doubts >= MISSES

    @property
    def settled(self) -> bool:
        """Whether it is known how it ended, as well as it ever will be."""
        slurm_is_done = self.absent or (self.row is not None and self.row.final)
        if self.record is not None:
            return not undecided(self.record) or slurm_is_done
        return (
            self._spared or self.vanished or self.impossible or (slurm_is_done and trio.current_time() >= self._overdue)
        )

    @property
    def in_question(self) -> bool:
        """Whether another look is due soon."""
        return self.asked is not None or self.misses > 0 or self._overdue < math.inf or self.record is not None

    def seen(self, row: Row | None, now: float, remembered: float) -> None:
        """Take in what a question from `now` on was answered; the records were read after it.

        What has begun is in the queue for `remembered` seconds, even if it ends at once.
        """
        if row is not None:
            self.misses = 0
            self.row = row
            self._seen_at = now
            self._doubts = self._doubts + 1 if row.pending and row.reason in NEVER else 0
        elif not (self.row and self.row.final):
            self.misses += 1
            waited = self.row is not None and self.row.pending and now - self._seen_at < remembered
            self.vanished = waited and self.misses >= MISSES
        if row is not None and not row.final:
            self._overdue = math.inf
        elif self._overdue == math.inf and (self.misses >= MISSES or (self.row and self.row.final)):
            row = self.row
            # Of one that never began, or that was asked before its wrapper listened, no record will come.
            at_once = (
                row is not None and row.final and (row.began is None or (self.asked is not None and row.by_request))
            )
            self._overdue = now if at_once else now + LATE
        # It had not begun when it was marked already: its wrapper will not begin it.
        self._spared = self._spared or (
            self.asked is not None and self.asked < now and not self.began and not self.misses
        )

    def forgotten(self, row: Row | None, now: float) -> None:
        """It has left the queue, and `row` is all that accounting says of it."""
        self.row = row or self.row
        self.absent = True
        if row is not None and row.began is None:
            self._overdue = now

    def tell(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

"""The attempts that wait for capacity: in order, with bounded backfill, pulled from the plan only as far as needed."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from runner.executor.capacity import Capacity, Lease
from runner.model import Amount, Outcome, Resources, Session

WINDOW = 256
"""How many entries may wait at once. Backfill looks through all of them; it bounds the memory."""

PASSES = 256
"""How often an entry that does not fit may be overtaken. After that, nothing behind it starts before it."""


@dataclass(slots=True, eq=False)
class Entry:
    """An attempt that waits, or a build.

    rank: lower ranks start first.
    build: the key of a build, if it is one; `session` is the first session that needs it.
    adopt: id of the job that an earlier runner has submitted for this attempt.
    retries, restarts: earlier attempts within this apply, charged to the retry limit and not.
    last: outcome of the attempt before, within this apply.
    passed: how many entries have overtaken it.
    """

    rank: tuple[int, int]
    session: Session
    attempt: int
    resources: Resources
    build: str | None = None
    adopt: str | None = None
    retries: int = 0
    restarts: int = 0
    last: Outcome | None = None
    passed: int = 0
    shape: frozenset[tuple[str, Amount]] = field(init=False)
    """The resources as a key."""

    def __post_init__(self) -> None:
        self.shape = frozenset(self.resources.items())


class Queue:
    """Entries by rank. `pull` takes one session of the plan and adds or parks its entry; False if it cannot.

    A parked entry waits for a build: it counts for the window, but cannot be started or overtaken.
    """

    def __init__(self, pull: Callable[[], bool], window: int = WINDOW, passes: int = PASSES) -> None:
        self._pull = pull
        self._window = window
        self._passes = passes
        self._entries: list[Entry] = []
        self._parked: dict[str, list[Entry]] = {}
        self._parked_count = 0

    def __len__(self) -> int:
        return len(self._entries) + self._parked_count

    @property
    def first(self) -> Entry | None:
        """The entry that gets free capacity first."""
        return self._entries[0] if self._entries else None

    def startable(self, capacity: Capacity) -> Iterator[tuple[Entry, Lease]]:
        """Take out what fits, each entry with its lease. Until the iterator ends, only `pull` may change the queue."""
        entries = self._entries
        unfit = set()
        position = 0
        while position < len(entries) or self._pull_more(capacity):
            if position == len(entries):
                continue
            entry = entries[position]
            if entry.shape not in unfit:
                lease = capacity.take(entry.resources)
                if lease is not None:
                    for earlier in entries[:position]:
                        earlier.passed += 1
                    del entries[position]
                    yield entry, lease
                    if any(earlier.passed >= self._passes for earlier in entries[:position]):
                        return
                    continue
                unfit.add(entry.shape)
            if entry.passed >= self._passes:
                return
            position += 1

    def next(self, capacity: Capacity, wanted: Callable[[Entry], bool]) -> Entry | None:
        """Take out the first entry, whether or not it fits, if it is `wanted`."""
        while not self._entries and self._pull_more(capacity):
            pass
        return self._entries.pop(0) if self._entries and wanted(self._entries[0]) else None

    def add(self, entry: Entry) -> None:
        """Let an entry wait for capacity."""
        insort(self._entries, entry, key=_rank)

    def park(self, key: str, entry: Entry) -> bool:
        """Let an entry wait for the build `key`. True if it is the first to do so."""
        first = key not in self._parked
        self._parked.setdefault(key, []).append(entry)
        self._parked_count += 1
        return first

    def unpark(self, key: str) -> list[Entry]:
        """Take out the entries that wait for the build `key`."""
        entries = self._parked.pop(key, [])
        self._parked_count -= len(entries)
        return entries

    def remove(self, sessions: Collection[str]) -> list[Entry]:
        """Take out the entries of these sessions, but no builds."""
        removed: list[Entry] = []
        for entries in (self._entries, *self._parked.values()):
            out = [entry for entry in entries if entry.build is None and entry.session.id in sessions]
            if out:
                removed += out
                entries[:] = [entry for entry in entries if entry not in out]
        self._parked_count = sum(map(len, self._parked.values()))
        return sorted(removed, key=_rank)

    def _pull_more(self, capacity: Capacity) -> bool:
        """Take one more session from the plan, unless that cannot start anything: planning takes time and memory."""
        wanted = len(self) < self._window and not (self._entries and capacity.full)
        return wanted and self._pull()


def _rank(entry: Entry) -> tuple[int, int]:
    return entry.rank

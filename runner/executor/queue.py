"""What waits to be started: in order, with bounded backfill, pulled from the plan only as far as needed."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from runner.executor.capacity import Capacity, Lease
from runner.model import Amount, Outcome, Resources, Session

WINDOW = 256
"""How many entries may wait at once: what backfill looks through, and what bounds the memory."""

PASSES = 256
"""How often an entry that does not fit may be overtaken; from then on nothing behind it starts before it."""


@dataclass(slots=True, eq=False)
class Entry:
    """An attempt that waits, or a build: `build` is its key then, and `session` the first that needs it.

    Lower ranks start first. `retries`, `restarts` and `last`, the outcome of the attempt before, count within this apply.
    """

    rank: tuple[int, int]
    session: Session
    attempt: int
    resources: Resources
    build: str | None = None
    retries: int = 0
    restarts: int = 0
    last: Outcome | None = None
    passed: int = 0
    shape: frozenset[tuple[str, Amount]] = field(init=False)

    def __post_init__(self) -> None:
        self.shape = frozenset(self.resources.items())


class Queue:
    """`pull` takes one session of the plan and adds or parks what comes of it; False when it cannot.

    A parked entry waits for something other than room: it fills the window, but nothing overtakes it.
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
        """The entry that waits for room and would get it first."""
        return self._entries[0] if self._entries else None

    def startable(self, capacity: Capacity) -> Iterator[tuple[Entry, Lease]]:
        """Take out what fits, each with its lease. Meanwhile nobody but `pull` may change the queue."""
        entries = self._entries
        no_room = set()
        position = 0
        while position < len(entries) or self._pull_more(capacity):
            if position == len(entries):
                continue
            entry = entries[position]
            if entry.shape not in no_room:
                lease = capacity.take(entry.resources)
                if lease is not None:
                    for earlier in entries[:position]:
                        earlier.passed += 1
                    del entries[position]
                    yield entry, lease
                    if any(earlier.passed >= self._passes for earlier in entries[:position]):
                        return
                    continue
                no_room.add(entry.shape)
            if entry.passed >= self._passes:
                return
            position += 1

    def next(self, capacity: Capacity, wanted: Callable[[Entry], bool]) -> Entry | None:
        """Take out the entry that is next in line, there be room or not, if it is wanted."""
        while not self._entries and self._pull_more(capacity):
            pass
        return self._entries.pop(0) if self._entries and wanted(self._entries[0]) else None

    def add(self, entry: Entry) -> None:
        insort(self._entries, entry, key=_rank)

    def park(self, key: str, entry: Entry) -> bool:
        """Let an entry wait for `key`. Returns whether it is the first to do so."""
        first = key not in self._parked
        self._parked.setdefault(key, []).append(entry)
        self._parked_count += 1
        return first

    def unpark(self, key: str) -> list[Entry]:
        """Take out what waited for `key`."""
        entries = self._parked.pop(key, [])
        self._parked_count -= len(entries)
        return entries

    def remove(self, sessions: Collection[str]) -> list[Entry]:
        """Take out the entries of these sessions; builds stay."""
        removed: list[Entry] = []
        for entries in (self._entries, *self._parked.values()):
            out = [entry for entry in entries if entry.build is None and entry.session.id in sessions]
            if out:
                removed += out
                entries[:] = [entry for entry in entries if entry not in out]
        self._parked_count = sum(map(len, self._parked.values()))
        return sorted(removed, key=_rank)

    def _pull_more(self, capacity: Capacity) -> bool:
        """Look no further than needed: the plan may have to compute, and where it is full nobody gets in."""
        wanted = len(self) < self._window and not (self._entries and capacity.full)
        return wanted and self._pull()


def _rank(entry: Entry) -> tuple[int, int]:
    return entry.rank
